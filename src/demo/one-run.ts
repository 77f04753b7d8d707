/**
 * One study through a fresh node: a PACS stand-in, a node process, the images sent, the SEGs awaited.
 *
 * In:   the models that run already, how many of them the node may ask at once, the files to send.
 * Out:  what happened when, and what arrived. PACS and node go on until the stack given is disposed.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";
import { systemClock } from "../base/clock.ts";
import { type AeTitle, parseAeTitle } from "../dicom/ae-title.ts";
import { type Received, readSegmentation, type Segmentation, startPacs } from "./pacs.ts";
import { type NodeEvent, type RunningModel, startNode } from "./processes.ts";
import type { Screen } from "./screen.ts";
import { type DicomFile, send } from "./send.ts";
import { type Snapshot, snapshotOf } from "./snapshot.ts";
import { seconds, type Way } from "./timeline.ts";
import { keptOut, progressOf, waysOf } from "./ways.ts";

export interface Setting {
  /** Models the node may ask at once. */
  readonly slots: number;
  readonly models: readonly RunningModel[];
  readonly files: readonly DicomFile[];
  /** Empty, for this run alone. */
  readonly folder: string;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

export interface Run {
  readonly ways: readonly Way[];
  readonly segmentations: readonly Segmentation[];
  /** Whether all that was to come has come to an end; else why not. */
  readonly isSettled: boolean;
  readonly complaint?: string;
  /** Why series went to no model. */
  readonly keptOut: readonly string[];
  readonly port: number;
  /** Of its pages. */
  readonly origin: string;
  /** What its pages tell at the end; undefined if it knows of no study. */
  readonly snapshot: Snapshot | undefined;
}

/** Without news from the node for so long, what is missing stays missing. */
const SILENCE_MS = 180_000;
const NEWS_EVERY_MS = 250;

const DEMO_CONFIG = fileURLToPath(new URL("../../config/demo.yaml", import.meta.url));
const SENDER = parseAeTitle("DEMO_CBCT")!;

/** @throws Error if a part does not start, NodeError if the study cannot be sent, the signal's reason */
export async function runStudy(setting: Setting, parts: AsyncDisposableStack): Promise<Run> {
  const { files, folder, models, screen, signal } = setting;
  const events: NodeEvent[] = [];
  const received: Received[] = [];
  const images = join(folder, "pacs");
  await mkdir(images, { recursive: true });
  const demo = parseDocument(await readFile(DEMO_CONFIG, "utf8"));
  const titleAt = (...path: readonly string[]): AeTitle => parseAeTitle(String(demo.getIn(path)))!;
  const pacs = parts.use(
    await startPacs(images, { aeTitle: titleAt("destinations", "pacs", "aeTitle"), port: 0 }, (one) =>
      received.push(one),
    ),
  );
  const config = join(folder, "node.yaml");
  await writeFile(config, configFor(demo, { ...setting, pacsPort: pacs.port }));
  const node = parts.use(await startNode(config, (event) => events.push(event)));
  const peer = { aeTitle: titleAt("node", "aeTitle"), host: "127.0.0.1", port: node.port };

  const began = systemClock.now();
  const sent = await send(files, peer, {
    callingAeTitle: SENDER,
    signal,
    onProgress: (done, total) => screen.progress(`  sending image ${done} of ${total}`),
  });
  const sentAt = systemClock.now();
  const refusals = [...sent.refused].map(([status, count]) => `${count} refused with ${hex(status)}`);
  screen.say(`  ${[`${sent.stored} images sent in ${seconds(sentAt - began)}`, ...refusals].join(", ")}`);

  const series = [...new Set(files.map(({ seriesUid }) => seriesUid))].filter((uid) => uid !== "");
  const isGone = (): boolean => node.process.exitCode !== null || node.process.signalCode !== null;
  await settled(events, { series, sentAt, setting, isGone });
  const arrived = new Set(
    received.filter(({ status }) => status === 0).map((one) => String(one.sopInstanceUid)),
  );
  const serviceMs = new Map<string, number>(models.map(({ name, thinkMs }) => [name, thinkMs]));
  const origin = `http://127.0.0.1:${events.find(({ event }) => event === "http.started")?.port}`;
  const snapshot = isGone() ? undefined : await snapshotOf(origin);
  const segmentations = await Promise.all(received.map(readSegmentation));
  return {
    ways: waysOf(events, { sentAt, received: arrived, serviceMs }),
    segmentations: segmentations.filter((one) => one !== undefined),
    isSettled: progressOf(events, series).isSettled,
    ...(isGone() && { complaint: `The node ended early: ${node.complaints().trim()}` }),
    keptOut: keptOut(events),
    port: node.port,
    origin,
    snapshot,
  };
}

/** config/demo.yaml with the ports, folders and models of this run. */
function configFor(
  demo: ReturnType<typeof parseDocument>,
  { folder, slots, models, pacsPort }: Setting & { readonly pacsPort: number },
): string {
  demo.setIn(["node", "dataDir"], join(folder, "data"));
  demo.setIn(["dicom", "listen", "port"], 0);
  demo.setIn(["http", "listen", "port"], 0);
  demo.setIn(["destinations", "pacs", "port"], pacsPort);
  demo.setIn(["slots", "server"], slots);
  demo.setIn(["log", "format"], "json");
  for (const { name, url } of models) demo.setIn(["models", name, "url"], url);
  return String(demo);
}

async function settled(
  events: readonly NodeEvent[],
  {
    series,
    sentAt,
    setting: { screen, signal },
    isGone,
  }: {
    readonly series: readonly string[];
    readonly sentAt: number;
    readonly setting: Setting;
    readonly isGone: () => boolean;
  },
): Promise<void> {
  let known = 0;
  let newsAt = systemClock.elapsed();
  for (;;) {
    const { isSettled, ended, expected } = progressOf(events, series);
    if (isSettled || isGone()) return;
    if (events.length > known) newsAt = systemClock.elapsed();
    known = events.length;
    if (systemClock.elapsed() - newsAt > SILENCE_MS) return;
    const asked = events.filter(({ event }) => event === "inference.started").length;
    const answered = events.filter(({ event }) => event === "inference.done").length;
    const now = seconds(systemClock.now() - sentAt);
    screen.progress(
      `  ${now}: ${asked - answered} of ${expected} models at work, ${answered} answered, ${ended} finished`,
    );
    await systemClock.sleep(NEWS_EVERY_MS, { signal });
  }
}

function hex(status: number): string {
  return `${status.toString(16).toUpperCase().padStart(4, "0")}H`;
}

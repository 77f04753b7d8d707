/**
 * `isocenter demo`: one study through four models, first one after another, then all at once, on this machine.
 *
 * Everything is real but the people: processes with REST APIs, DICOM associations on loopback, a node with
 * config/demo.yaml. All of it lives in a temporary folder and ends with this command, whatever ends it.
 */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { ModelName } from "./models/models.ts";
import { type Run, runStudy } from "./one-run.ts";
import { DENTAL_CBCT, makePhantom } from "./phantom.ts";
import { writePhantom } from "./phantom-dicom.ts";
import { type RunningModel, startModel } from "./processes.ts";
import { reportOf, tableOf } from "./report.ts";
import { reportPage } from "./report-page.ts";
import { type Output, type Screen, screenOn } from "./screen.ts";
import { type DicomFile, readFolder } from "./send.ts";
import { overlayOf } from "./snapshot.ts";
import { seconds } from "./timeline.ts";

export interface DemoOptions {
  /** DICOM files to use; without it a synthetic dental CBCT. */
  readonly folder?: string;
  /** Leaves models, PACS and node running until Ctrl-C. */
  readonly keep: boolean;
  /** How long the slowest model takes to answer, in seconds; the others take their part of it. */
  readonly think?: number;
  /** Where the page of both runs is written, unless all is left running. */
  readonly report?: string;
  readonly output: Output;
}

const THINK_SECONDS = 12;
const REPORT = "demo-report.html";
/** Of the slowest model's time. */
const SHARES: Readonly<Record<ModelName, number>> = { bone: 0.75, teeth: 1, airway: 0.55, softtissue: 0.4 };
const INTERRUPTED = 130;

/** @returns the exit code: 0 if every model's answer arrived, or found nothing, in both runs */
export async function demo(options: DemoOptions): Promise<number> {
  const screen = screenOn(options.output);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  try {
    return await inTemporaryFolder((folder) => compared(options, { folder, screen, signal: stop.signal }));
  } catch (error) {
    if (stop.signal.aborted) {
      screen.say("\nStopped; nothing was left behind.");
      return INTERRUPTED;
    }
    screen.say(`\n${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

interface Place {
  readonly folder: string;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

async function compared(options: DemoOptions, place: Place): Promise<number> {
  const { screen, signal } = place;
  const started = performance.now();
  const files =
    options.folder === undefined ? await syntheticStudy(place) : await givenStudy(options.folder, screen);
  if (files.length === 0) {
    screen.say("There is no DICOM file to send.");
    return 1;
  }
  await using parts = new AsyncDisposableStack();
  const models = await startModels(options.think ?? THINK_SECONDS, parts, screen);
  signal.throwIfAborted();

  const run = async (name: string, slots: number, owner: AsyncDisposableStack): Promise<Run> => {
    const folder = join(place.folder, name);
    await mkdir(folder);
    return runStudy({ slots, models, files, folder, screen, signal }, owner);
  };
  screen.say("\nRun 1: one model after another");
  const sequential = await (async () => {
    await using first = new AsyncDisposableStack();
    return await run("sequential", 1, first);
  })();
  screen.say(`\nRun 2: all ${models.length} models at once`);
  const concurrent = await run("concurrent", models.length, parts);

  const { lines, isComplete } = reportOf(sequential, concurrent, screen);
  for (const line of lines) screen.say(line);
  for (const line of tableOf(concurrent)) screen.say(line);
  screen.say(`\n${seconds(performance.now() - started)} in all.`);
  if (options.keep) await untilStopped(concurrent, models, place);
  else await writeReport(options.report ?? REPORT, sequential, concurrent, screen);
  return isComplete ? 0 : 1;
}

async function syntheticStudy({ folder, screen, signal }: Place): Promise<readonly DicomFile[]> {
  const { columns, rows, slices, spacing } = DENTAL_CBCT;
  screen.progress("Making a synthetic dental CBCT …");
  const began = performance.now();
  const images = join(folder, "images");
  await mkdir(images);
  await writePhantom(await makePhantom(DENTAL_CBCT), images);
  signal.throwIfAborted();
  const made = `${slices} slices of ${columns} × ${rows}, ${spacing} mm`;
  screen.say(`A synthetic dental CBCT: ${made}, made in ${seconds(performance.now() - began)}.`);
  return (await readFolder(images)).files;
}

async function givenStudy(folder: string, screen: Screen): Promise<readonly DicomFile[]> {
  const { files, skipped } = await readFolder(folder);
  const series = new Set(files.map(({ seriesUid }) => seriesUid)).size;
  const left = skipped.length > 0 ? `; ${skipped.length} other files are left out` : "";
  screen.say(`${files.length} DICOM files of ${series} series${left}.`);
  return files;
}

async function startModels(
  slowest: number,
  parts: AsyncDisposableStack,
  screen: Screen,
): Promise<readonly RunningModel[]> {
  const wanted = Object.entries(SHARES) as [ModelName, number][];
  const models = await Promise.all(
    wanted.map(async ([name, share]) =>
      parts.use(await startModel(name, { thinkMs: Math.round(slowest * share * 1000) })),
    ),
  );
  const times = wanted.map(([name, share]) => `${name} ${seconds(slowest * share * 1000)}`).join(", ");
  screen.say("Four models, each a process with a REST API of its own. They do segment; but each answers");
  screen.say(`after a fixed time, as if it had a graphics card: ${times}.`);
  return models;
}

/** A page is a pleasure, not the result: where it cannot be made, the demo has still shown what it shows. */
async function writeReport(path: string, sequential: Run, concurrent: Run, screen: Screen): Promise<void> {
  if (!sequential.snapshot || !concurrent.snapshot) return;
  try {
    screen.progress("Drawing the page …");
    const overlay = await overlayOf(concurrent.origin, concurrent.snapshot.story);
    const snapshots = { sequential: sequential.snapshot, concurrent: concurrent.snapshot };
    await writeFile(path, await reportPage({ ...snapshots, overlay }));
    screen.say(`Both runs as a page to look at: ${resolve(path)}`);
    screen.say("Or the node's own pages, live, with all the slices: npm run demo -- --keep");
  } catch (error) {
    screen.say(
      `The page of both runs could not be made: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

async function untilStopped(run: Run, models: readonly RunningModel[], place: Place): Promise<void> {
  const { screen, signal, folder } = place;
  const { snapshot } = run;
  screen.say(`\nLook at it:  ${run.origin}${snapshot ? `/studies/${snapshot.story.summary.studyUid}` : ""}`);
  screen.say(`The node listens on 127.0.0.1:${run.port}; its data are in ${folder}.`);
  for (const { name, url } of models) screen.say(`  ${name.padEnd(10)} ${url}`);
  screen.say("Ctrl-C ends all of it.");
  const { promise, resolve: end } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => end(), { once: true });
  const awake = setInterval(() => {}, 60_000);
  if (!signal.aborted) await promise;
  clearInterval(awake);
}

/** Removed at the end, and also if the process is made to exit before. */
async function inTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "isocenter-demo-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.on("exit", remove);
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
    process.off("exit", remove);
  }
}

/**
 * A whole node that has results to deliver and nothing else to do: rows and files are laid into its data folder as
 * runs would have left them, then it is started. Its clock may be fast; the network's is the machine's.
 */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../src/base/clock.ts";
import { parseConfig } from "../../src/config/load.ts";
import { fromKeywords } from "../../src/dicom/build.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { encodePart10 } from "../../src/dicom/encode.ts";
import type { InstanceUid } from "../../src/dicom/uid.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import type { RunId, SeriesId } from "../../src/ledger/records.ts";
import { insertDelivery, insertResults } from "../../src/ledger/results.ts";
import { endRun, insertRun } from "../../src/ledger/runs.ts";
import { type RunningNode, startNode } from "../../src/node.ts";
import { FastClock } from "./clock.ts";
import { Journal } from "./rig.ts";

export interface OutgoingOptions {
  /** YAML of each destination in flow style, without AE title and host, by name; each gets all results. */
  readonly destinations: Readonly<Record<string, string>>;
  readonly results?: number;
  /** Of the listener; by default any that is free. */
  readonly port?: number;
  /** More of the `dicom` section, in block style, indented by two. */
  readonly dicom?: string;
  readonly clock?: Clock;
  /** Bytes of each result's pixels. */
  readonly bytes?: number;
}

export interface Outgoing extends AsyncDisposable {
  readonly node: RunningNode;
  readonly journal: Journal;
  /** SOP Instance UIDs of the results, in order. */
  readonly uids: readonly string[];
  /** Rows of the ledger as they are now. */
  rows(sql: string): readonly Record<string, unknown>[];
  /** Of a node that is stopped. */
  loseJobs(): void;
  /** Ends the node; what it has not done stays in its data folder. */
  stop(): Promise<void>;
  /** Starts it again over the same data folder. */
  restart(): Promise<RunningNode>;
}

/** 100 times as fast: 5 s until the first repetition are 50 ms. */
const FAST = 100;

export async function startOutgoing(folder: string, options: OutgoingOptions): Promise<Outgoing> {
  const {
    destinations,
    results = 1,
    dicom = "",
    port = 0,
    clock = new FastClock(FAST),
    bytes = 1000,
  } = options;
  const data = join(folder, "data");
  const entries = Object.entries(destinations).map(
    ([name, rest]) => `  ${name}: { aeTitle: PACS, host: 127.0.0.1, ${rest} }`,
  );
  const text = `
node: { aeTitle: ISOCENTER, dataDir: ${data}, reserve: 1MiB, stopWithin: 5s, workers: 1 }
dicom:
  listen: { host: 127.0.0.1, port: ${port} }
  callers: [{ aeTitle: "*", from: 127.0.0.1 }]
${dicom}
destinations:
${entries.join("\n")}
`;
  const loaded = parseConfig(text, join(folder, "node.yaml"));
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  const journal = new Journal();
  const system = { log: journal, clock };
  const uids = await lay(data, { names: Object.keys(destinations), results, bytes, system });
  let node: RunningNode | undefined = await startNode(loaded.config, system);
  const stop = async (): Promise<void> => {
    const running = node;
    node = undefined;
    await running?.[Symbol.asyncDispose]();
  };
  return {
    get node() {
      if (!node) throw new Error("the node is stopped");
      return node;
    },
    journal,
    uids,
    rows(sql) {
      const database = new DatabaseSync(join(data, "ledger.sqlite"), { readOnly: true });
      try {
        return database.prepare(sql).all();
      } finally {
        database.close();
      }
    },
    loseJobs() {
      const database = new DatabaseSync(join(data, "ledger.sqlite"));
      database.exec("DELETE FROM job");
      database.close();
    },
    stop,
    restart: async () => (node = await startNode(loaded.config, system)),
    [Symbol.asyncDispose]: stop,
  };
}

async function lay(
  data: string,
  what: {
    readonly names: readonly string[];
    readonly results: number;
    readonly bytes: number;
    readonly system: { readonly log: Journal; readonly clock: Clock };
  },
): Promise<readonly string[]> {
  await mkdir(join(data, "results"), { recursive: true });
  using ledger = await openLedger(data, what.system);
  const now = what.system.clock.now();
  const uids = Array.from({ length: what.results }, (_, at) => `1.2.840.99999.1.${at + 1}` as InstanceUid);
  const files: { readonly uid: InstanceUid; readonly file: string; readonly sha256: string }[] = [];
  for (const uid of uids) {
    const dataSet = fromKeywords({
      SOPClassUID: SOP_CLASS.SEGMENTATION,
      SOPInstanceUID: uid,
      Modality: "SEG",
      PatientID: "1",
      StudyInstanceUID: "1.2.840.99999.2",
      SeriesInstanceUID: "1.2.840.99999.3",
    });
    const pixels = { vr: "OB", chunks: [Buffer.alloc(what.bytes, 7)] } as const;
    const bytes = Buffer.concat(encodePart10(TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN, dataSet, pixels));
    const file = `${uid}.dcm`;
    await writeFile(join(data, "results", file), bytes);
    files.push({ uid, file, sha256: createHash("sha256").update(bytes).digest("hex") });
  }
  await ledger.store.transaction(async (t) => {
    for (const { uid, file, sha256 } of files) {
      const runId = `run-${uid}` as RunId;
      await insertRun(t, {
        id: runId,
        seriesId: "1.2.3 1.2.3.4" as SeriesId,
        revision: 1,
        rule: "all",
        model: "bone",
        modelVersion: "1",
        priority: 0,
        destinations: what.names,
        position: 0,
        state: "pending",
        createdAt: now,
      });
      await endRun(t, runId, { state: "done", results: [], timings: {} }, now);
      const result = {
        runId,
        file,
        form: "binary",
        part: 1,
        transferSyntaxUid: TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN,
        sopInstanceUid: uid,
        sopClassUid: SOP_CLASS.SEGMENTATION,
        sha256,
        bytes: what.bytes,
      } as const;
      await insertResults(t, [result]);
      for (const name of what.names) await insertDelivery(t, result, name, now);
    }
  });
  return uids;
}

/** What every load run needs: a node in a process of its own, C-ECHOes beside the load, and figures at the end. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { associate } from "../../src/association/scu.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { openReader } from "../../src/ledger/sqlite.ts";
import { type NodeProcess, startNodeProcess } from "../bench/node-process.ts";
import { configText, type RigOptions } from "../support/rig.ts";

export interface LoadedNode extends AsyncDisposable {
  readonly process: NodeProcess;
  readonly dataFolder: string;
}

export async function startLoaded(folder: string, options: RigOptions): Promise<LoadedNode> {
  const config = join(folder, "node.yaml");
  await writeFile(config, configText(folder, options));
  const process = await startNodeProcess(config);
  return {
    process,
    dataFolder: join(folder, "data"),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** One C-ECHO's worth of association: request, answer, release; four times a second until it is told to stop. */
export async function echoes(port: number, signal: AbortSignal): Promise<readonly number[]> {
  const times: number[] = [];
  while (!signal.aborted) {
    const began = performance.now();
    const association = await associate(
      { aeTitle: parseAeTitle("ISOCENTER")!, host: "127.0.0.1", port },
      {
        callingAeTitle: parseAeTitle("MONITOR")!,
        contexts: [
          {
            abstractSyntax: SOP_CLASS.VERIFICATION,
            transferSyntaxes: [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN],
          },
        ],
        connectTimeoutMs: 10_000,
        answerTimeoutMs: 10_000,
      },
    );
    times.push(performance.now() - began);
    await association[Symbol.asyncDispose]();
    await sleep(250);
  }
  return times;
}

/** What is left to do, by the ledger. */
async function backlog(dataFolder: string): Promise<number> {
  using db = openReader(dataFolder);
  const [row] = await db.query("SELECT COUNT(*) AS jobs FROM job", []);
  return Number(row?.["jobs"] ?? 0);
}

/** @returns seconds until nothing was left to do */
export async function drained(dataFolder: string, withinMs: number): Promise<number | "not"> {
  const began = performance.now();
  while (performance.now() - began < withinMs) {
    if ((await backlog(dataFolder)) === 0) return Math.round((performance.now() - began) / 100) / 10;
    await sleep(200);
  }
  return "not";
}

export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN) * 10) /
    10
  );
}

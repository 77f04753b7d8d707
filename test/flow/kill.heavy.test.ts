/**
 * kill -9 at many moments of one study, from the first image to the last result; the node is started again, and the
 * sender repeats what was not acknowledged. Every time the PACS ends up with the same objects, no more and no fewer.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type ModelDouble, startModelDouble } from "../support/model-double.ts";
import { type Pacs, startPacs } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { configText, ONE_SEGMENT, RAW_NIFTI } from "../support/rig.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";

const MODELS = ["a", "b", "c", "d"];
const THINK_MS = [200, 400, 600, 800];
const KILLS = Number(process.env["KILLS"] ?? 16);
/** An undisturbed study takes about this long from start to the last SEG. */
const SPAN_MS = 2_600;

test(`${KILLS} kills, each at another moment: the PACS has each result once`, async () => {
  await using folder = await tempFolder();
  const paths = (await writeSeries(join(folder.path, "source"), { slices: 40, columns: 64, rows: 48 })).map(
    ({ path }) => path,
  );
  const undisturbed = await trial(join(folder.path, "undisturbed"), paths, undefined);
  expect(undisturbed.size).toBe(MODELS.length);
  for (let at = 0; at < KILLS; at++) {
    const killAfterMs = Math.round((SPAN_MS * (at + 0.5)) / KILLS);
    const results = await trial(join(folder.path, `kill-${at}`), paths, killAfterMs);
    expect(results, `killed after ${killAfterMs} ms`).toEqual(undisturbed);
  }
}, 300_000);

/** @returns the SOP Instance UIDs in the PACS; an object that came twice was the same to the byte */
async function trial(
  folder: string,
  paths: readonly string[],
  killAfterMs: number | undefined,
): Promise<Set<string>> {
  await mkdir(join(folder, "pacs"), { recursive: true });
  await using pacs = await startPacs(join(folder, "pacs"));
  await using model = await startModelDouble(({ body, path }) => {
    const reply = threshold(body, 100 * MODELS.indexOf(path.slice(1)));
    return { ...reply, afterMs: THINK_MS[MODELS.indexOf(path.slice(1))]! } as typeof reply;
  });
  const config = join(folder, "node.yaml");
  await writeFile(config, configText(folder, optionsOf(pacs, model)));

  let node = await start(config);
  const sending = send(paths, node.port).catch(() => "interrupted" as const);
  if (killAfterMs !== undefined) {
    await sleep(killAfterMs);
    node.child.kill("SIGKILL");
    await once(node.child, "exit");
    const interrupted = (await sending) === "interrupted";
    node = await start(config);
    if (interrupted) await send(paths, node.port);
  }
  await sending;
  await distinct(pacs, MODELS.length);
  node.child.kill("SIGTERM");
  await once(node.child, "exit");
  await sameBytes(pacs);
  return new Set(pacs.stored.map(({ sopInstanceUid }) => sopInstanceUid));
}

function optionsOf(pacs: Pacs, model: ModelDouble) {
  const entries = MODELS.map((name) => {
    const needs = name === "d" ? "needs: { b: { crop: { marginMm: 2 } } }, " : ""; // kills come between the two, too
    return [name, { url: `${model.origin}/${name}`, rest: `${needs}${RAW_NIFTI}, ${ONE_SEGMENT}` }] as const;
  });
  return { pacsPort: pacs.port, models: Object.fromEntries(entries) };
}

async function start(config: string): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, ["src/main.ts", "start", "-c", config], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface(child.stdout);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("exit", (code) => reject(new Error(`the node ended with ${code}`)));
  lines.on("line", (line) => {
    const { event, port } = JSON.parse(line) as { event: string; port?: number };
    if (event === "node.started" && port !== undefined) resolve(port);
  });
  const port = await promise;
  child.removeAllListeners("exit");
  return { child, port };
}

async function distinct(pacs: Pacs, count: number): Promise<void> {
  for (
    let arrivals = 1;
    new Set(pacs.stored.map(({ sopInstanceUid }) => sopInstanceUid)).size < count;
    arrivals++
  ) {
    await pacs.arrived(Math.max(arrivals, pacs.stored.length + 1));
  }
}

async function sameBytes(pacs: Pacs): Promise<void> {
  const first = new Map<string, Buffer>();
  for (const { sopInstanceUid, path } of pacs.stored) {
    const file = await readFile(path);
    const before = first.get(sopInstanceUid);
    if (before) expect(file.equals(before), sopInstanceUid).toBe(true);
    else first.set(sopInstanceUid, file);
  }
}

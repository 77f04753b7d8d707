// A ledger that is killed loses nothing it has acknowledged, and is free for the next process at once.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import type { FileId } from "../../src/ledger/records.ts";
import { findSeries, hasFile } from "../../src/ledger/series.ts";
import { openSqlite } from "../../src/ledger/sqlite.ts";
import { HandClock } from "../support/clock.ts";
import { tempFolder } from "../support/temp.ts";
import { SERIES } from "./support.ts";

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));
type Child = ChildProcessByStdio<null, Readable, null>;

function start(folder: string, round = 0): Child {
  return spawn(process.execPath, [CHILD, folder, String(round)], { stdio: ["ignore", "pipe", "inherit"] });
}

/** Kills a child once it has said `lines` lines. @returns all it had said, whole lines only */
async function killedAfter(lines: number, child: Child): Promise<readonly string[]> {
  const said: string[] = [];
  let text = "";
  const ended = once(child, "close");
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    const whole = text.split("\n");
    text = whole.pop() ?? "";
    said.push(...whole);
    if (said.length >= lines) child.kill("SIGKILL");
  });
  await ended;
  return said;
}

test("a second process is refused while the first lives, and let in at once when it was killed", async () => {
  await using folder = await tempFolder();
  const child = start(folder.path);
  await once(createInterface(child.stdout), "line");
  expect(() => openSqlite(folder.path)).toThrow(expect.objectContaining({ code: "DATA_FOLDER_IN_USE" }));
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await ended;
  openSqlite(folder.path)[Symbol.dispose]();
});

test("a process killed six times, each time at another moment, loses no row that it had acknowledged", async () => {
  await using folder = await tempFolder();
  const acknowledged: string[] = [];
  for (let round = 0; round < 6; round++) {
    const [, ...ids] = await killedAfter(2 + round * 83, start(folder.path, round));
    acknowledged.push(...ids);
  }
  using ledger = await openLedger(folder.path, { log: silentLog, clock: new HandClock() });
  const lost: string[] = [];
  for (const id of acknowledged) if (!(await hasFile(ledger.store.db, id as FileId))) lost.push(id);
  expect(lost).toEqual([]);
  expect(acknowledged.length).toBeGreaterThan(500);
  const series = await findSeries(ledger.store.db, SERIES);
  expect(series?.instances).toBeGreaterThanOrEqual(acknowledged.length);
  const jobs = await ledger.store.db.query("SELECT state FROM job WHERE key = $1", [SERIES]);
  expect(jobs).toEqual([{ state: "ready" }]);
});

// A ledger whose file was damaged while nobody looked: the node starts with what can be read of it, and says so.
import { open, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { openLedger } from "../../src/ledger/ledger.ts";
import type { FileId } from "../../src/ledger/records.ts";
import { recordInstance } from "../../src/ledger/series.ts";
import { HandClock } from "../support/clock.ts";
import { Journal } from "../support/rig.ts";
import { tempFolder } from "../support/temp.ts";
import { instance } from "./support.ts";

const ROWS = 600;
const PAGE_BYTES = 4096;

async function filled(folder: string): Promise<string> {
  const system = { log: new Journal(), clock: new HandClock() };
  using ledger = await openLedger(folder, system);
  await ledger.store.transaction(async (t) => {
    for (let number = 1; number <= ROWS; number++) await recordInstance(t, instance(number));
  });
  return join(folder, "ledger.sqlite");
}

async function rowsAfter(folder: string): Promise<{ readonly rows: number; readonly journal: Journal }> {
  const journal = new Journal();
  using ledger = await openLedger(folder, { log: journal, clock: new HandClock() });
  await ledger.store.transaction((t) => recordInstance(t, instance(9999))); // it can be worked with
  const [row] = await ledger.store.db.query("SELECT COUNT(*) AS count FROM instance", []);
  return { rows: Number(row?.["count"]) - 1, journal };
}

/** Pages of the table of instances: leaves of its tree, not of an index. */
function pagesOfInstances(path: string): readonly number[] {
  using database = disposable(new DatabaseSync(path, { readOnly: true }));
  const rows = database.value
    .prepare("SELECT pageno FROM dbstat WHERE name = 'instance' AND pagetype = 'leaf'")
    .all();
  return rows.map(({ pageno }) => Number(pageno));
}

function disposable(value: DatabaseSync): { readonly value: DatabaseSync } & Disposable {
  return { value, [Symbol.dispose]: () => value.close() };
}

test("a sound file is opened as it is", async () => {
  await using folder = await tempFolder();
  await filled(folder.path);
  const { rows, journal } = await rowsAfter(folder.path);
  expect(rows).toBe(ROWS);
  expect(journal.of("ledger.damaged")).toEqual([]);
});

test("a page of zeros costs its rows; the others are kept, the file is put aside, and it is said once", async () => {
  await using folder = await tempFolder();
  const path = await filled(folder.path);
  const pages = pagesOfInstances(path);
  const page = pages[Math.floor(pages.length / 2)]!;
  const file = await open(path, "r+");
  await file.write(Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, (page - 1) * PAGE_BYTES);
  await file.close();
  const { rows, journal } = await rowsAfter(folder.path);
  expect(rows).toBeLessThan(ROWS);
  expect(rows).toBeGreaterThan(ROWS - 60);
  const [said, ...more] = journal.of("ledger.damaged");
  expect(more).toEqual([]);
  expect((await stat(said!.path!)).size).toBeGreaterThan(PAGE_BYTES);
  const again = await rowsAfter(folder.path);
  expect(again.journal.of("ledger.damaged")).toEqual([]);
});

test("flipped bits anywhere in the file never stop the start, and cost few rows or none", async () => {
  await using folder = await tempFolder();
  const path = await filled(folder.path);
  const sound = await readFile(path);
  for (const at of [
    PAGE_BYTES * 3 + 5,
    PAGE_BYTES * 9 + 2,
    Math.floor(sound.length / 2),
    sound.length - PAGE_BYTES + 1,
  ]) {
    await using other = await tempFolder();
    const damaged = Buffer.from(sound);
    damaged[at]! ^= 0xff;
    await writeFile(join(other.path, "ledger.sqlite"), damaged);
    const { rows } = await rowsAfter(other.path);
    expect(rows, `byte ${at}`).toBeGreaterThan(ROWS - 60);
  }
});

test("a file of which nothing can be read is left as it is, and the node does not start", async () => {
  await using folder = await tempFolder();
  const path = await filled(folder.path);
  const text = "these are not the rows you are looking for".repeat(500);
  await writeFile(path, text);
  const opening = openLedger(folder.path, { log: new Journal(), clock: new HandClock() });
  await expect(opening).rejects.toMatchObject({ code: "LEDGER_FAILED" });
  expect(await readFile(path, "utf8")).toBe(text);
  expect(await readdir(folder.path)).not.toContainEqual(expect.stringContaining("damaged"));
});

test("a log cut in its last record loses that record and nothing before it", async () => {
  await using folder = await tempFolder();
  const system = { log: new Journal(), clock: new HandClock() };
  const ledger = await openLedger(folder.path, system);
  for (let number = 1; number <= 20; number++)
    await ledger.store.transaction((t) => recordInstance(t, instance(number)));
  // As after kill -9: the log is there, and nothing was moved out of it.
  await using other = await tempFolder();
  for (const name of ["ledger.sqlite", "ledger.sqlite-wal"])
    await writeFile(join(other.path, name), await readFile(join(folder.path, name)));
  ledger[Symbol.dispose]();
  const log = join(other.path, "ledger.sqlite-wal");
  await truncate(log, (await stat(log)).size - 7);
  using cut = await openLedger(other.path, system);
  const rows = await cut.store.db.query("SELECT id FROM instance ORDER BY at", []);
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 19 }, (_, at) => `file-${at + 1}` as FileId));
});

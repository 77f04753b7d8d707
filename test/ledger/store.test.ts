import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { GroupCommit } from "../../src/ledger/group-commit.ts";
import type { Db, Store } from "../../src/ledger/port.ts";
import type { RunId } from "../../src/ledger/records.ts";
import { pendingDeliveries, resultsOf } from "../../src/ledger/results.ts";
import { findRun } from "../../src/ledger/runs.ts";
import { MIGRATIONS } from "../../src/ledger/schema.ts";
import { openSqlite } from "../../src/ledger/sqlite.ts";
import { tempFolder } from "../support/temp.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function withNotes(folder: string) {
  const store = openSqlite(folder);
  await store.db.query("CREATE TABLE note (id BIGINT PRIMARY KEY, text TEXT)", []);
  return store;
}

const insert = (t: Db, id: number, text: string | null = null) =>
  t.query("INSERT INTO note (id, text) VALUES ($1, $2)", [id, text]);

async function notes(store: Store): Promise<unknown[]> {
  return (await store.db.query("SELECT id FROM note ORDER BY id", [])).map(({ id }) => id);
}

test("a transaction is kept as a whole, or not at all", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  await store.transaction(async (t) => {
    await insert(t, 1);
    await insert(t, 2);
  });
  const failed = store.transaction(async (t) => {
    await insert(t, 3);
    throw new Error("changed my mind");
  });
  await expect(failed).rejects.toThrow("changed my mind");
  const twice = store.transaction(async (t) => {
    await insert(t, 4);
    await insert(t, 1);
  });
  await expect(twice).rejects.toMatchObject({ code: "LEDGER_FAILED" });
  expect(await notes(store)).toEqual([1, 2]);
});

test("what two callers do at the same time does not mix", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  const seen: unknown[][] = [];
  const slow = store.transaction(async (t) => {
    await insert(t, 1);
    for (let turns = 0; turns < 5; turns++) await turn();
    seen.push((await t.query("SELECT id FROM note", [])).map(({ id }) => id));
    throw new Error("undone");
  });
  const quick = store.transaction(async (t) => insert(t, 2));
  const outside = notes(store);
  await expect(slow).rejects.toThrow("undone");
  await quick;
  expect(seen).toEqual([[1]]);
  expect(await outside).toEqual([2]);
});

test("a hundred callers that read and write the same row lose no change", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  await insert(store.db, 1, "0");
  const one = () =>
    store.transaction(async (t) => {
      const [row] = await t.query("SELECT text FROM note WHERE id = 1", []);
      await turn();
      await t.query("UPDATE note SET text = $1 WHERE id = 1", [String(Number(row?.["text"]) + 1)]);
    });
  await Promise.all(Array.from({ length: 100 }, one));
  expect(await store.db.query("SELECT text FROM note WHERE id = 1", [])).toEqual([{ text: "100" }]);
});

test("a transaction that has ended cannot be used any more", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  let kept: Db | undefined;
  await store.transaction(async (t) => {
    kept = t;
  });
  await expect(insert(kept!, 1)).rejects.toThrow("bug:");
  expect(await notes(store)).toEqual([]);
});

test("after a statement that fails, the next transaction is as good as any", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  await expect(store.db.query("SELECT nonsense", [])).rejects.toMatchObject({ code: "LEDGER_FAILED" });
  await expect(store.transaction((t) => t.query("SELECT nonsense", []))).rejects.toMatchObject({
    code: "LEDGER_FAILED",
  });
  await store.transaction((t) => insert(t, 1));
  expect(await notes(store)).toEqual([1]);
});

test("texts come back as they went in", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  const texts = ["", "山田 Ä'\"; DROP TABLE note; --", "line\nbreak", null];
  for (const [at, text] of texts.entries()) await insert(store.db, at, text);
  const rows = await store.db.query("SELECT text FROM note ORDER BY id", []);
  expect(rows.map(({ text }) => text)).toEqual(texts);
});

test("what was committed is there after the ledger was opened again", async () => {
  await using folder = await tempFolder();
  {
    using store = await withNotes(folder.path);
    expect(store.isNew).toBe(true);
    await store.transaction((t) => insert(t, 1));
  }
  using store = openSqlite(folder.path);
  expect(store.isNew).toBe(false);
  expect(await notes(store)).toEqual([1]);
});

// That a commit is flushed before it resolves is seen in the system calls: test/intake/durability.test.ts.
test.each([
  ["on", 1], // NORMAL: the file stays whole; the flush of its log is ours
  ["off", 0],
] as const)("with sync %s the database is told to flush as much as %i says", async (sync, synchronous) => {
  await using folder = await tempFolder();
  using store = openSqlite(folder.path, { sync });
  expect(await store.db.query("PRAGMA journal_mode", [])).toEqual([{ journal_mode: "wal" }]);
  expect(await store.db.query("PRAGMA synchronous", [])).toEqual([{ synchronous }]);
});

test("a folder that is in use is refused, and is free when its owner lets go", async () => {
  await using folder = await tempFolder();
  const first = openSqlite(folder.path);
  expect(() => openSqlite(folder.path)).toThrow(expect.objectContaining({ code: "DATA_FOLDER_IN_USE" }));
  first[Symbol.dispose]();
  openSqlite(folder.path)[Symbol.dispose]();
});

test("a ledger of a newer program is not touched", async () => {
  await using folder = await tempFolder();
  openSqlite(folder.path)[Symbol.dispose]();
  const database = new DatabaseSync(join(folder.path, "ledger.sqlite"));
  database.exec("PRAGMA user_version = 1000");
  database.close();
  expect(() => openSqlite(folder.path)).toThrow(/version 1000 is newer/);
});

test.each([
  ["garbage", Buffer.from("This is no database, but it is long enough to look at. ".repeat(40))],
  ["half a page", Buffer.from("SQLite format 3\0".padEnd(50, "\x01"))],
])("a ledger file with %s is refused, and left as it is", async (_, bytes) => {
  await using folder = await tempFolder();
  await writeFile(join(folder.path, "ledger.sqlite"), bytes);
  expect(() => openSqlite(folder.path)).toThrow(expect.objectContaining({ code: "LEDGER_FAILED" }));
  openAgain(folder.path); // the lock was given back
});

function openAgain(folder: string): void {
  expect(() => openSqlite(folder)).toThrow(expect.objectContaining({ code: "LEDGER_FAILED" }));
}

test("a folder that is not there is refused as such, not as in use", () => {
  expect(() => openSqlite("/nonexistent/folder")).toThrow(expect.objectContaining({ code: "LEDGER_FAILED" }));
});

test("writes asked for at the same time share transactions", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  let transactions = 0;
  const counting: Store = {
    db: store.db,
    transaction: (work) => {
      transactions++;
      return store.transaction(work);
    },
  };
  const group = new GroupCommit(counting);
  await Promise.all(
    Array.from({ length: 1000 }, (_, id) => group.add(async (t) => (await insert(t, id), id))),
  );
  expect(await notes(store)).toHaveLength(1000);
  expect(transactions).toBeLessThanOrEqual(5); // the first alone, then 256 at a time
});

test("each caller of a group gets the value of its own write, once it is committed", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  const group = new GroupCommit(store);
  const values = await Promise.all(
    [1, 2, 3].map((id) => group.add(async (t) => (await insert(t, id), id * 10))),
  );
  expect(values).toEqual([10, 20, 30]);
});

test("a write that fails is undone alone; the others of its group are kept", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  const group = new GroupCommit(store);
  const outcomes = await Promise.allSettled([
    group.add((t) => insert(t, 1)),
    group.add((t) => insert(t, 2)),
    group.add(async (t) => {
      await insert(t, 3);
      await insert(t, 2);
    }),
    group.add(async (t) => {
      await insert(t, 4);
      throw new Error("changed my mind");
    }),
    group.add((t) => insert(t, 5)),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual([
    "fulfilled",
    "fulfilled",
    "rejected",
    "rejected",
    "fulfilled",
  ]);
  expect(await notes(store)).toEqual([1, 2, 5]);
});

test("if the transaction cannot be committed, every caller of the group is told", async () => {
  await using folder = await tempFolder();
  using store = await withNotes(folder.path);
  await store.db.query("PRAGMA defer_foreign_keys = ON", []);
  await store.db.query(
    "CREATE TABLE child (note BIGINT REFERENCES note (id) DEFERRABLE INITIALLY DEFERRED)",
    [],
  );
  const group = new GroupCommit(store);
  const first = group.add(async () => turn()); // so that the next ones stand in one group
  const outcomes = await Promise.allSettled([
    group.add((t) => insert(t, 1)),
    group.add((t) => t.query("INSERT INTO child VALUES (99)", [])),
  ]);
  await first;
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await notes(store)).toEqual([]);
  await group.add((t) => insert(t, 2));
  expect(await notes(store)).toEqual([2]);
});

test("a ledger of the first version keeps its runs, results and deliveries", async () => {
  await using folder = await tempFolder();
  const database = new DatabaseSync(join(folder.path, "ledger.sqlite"));
  database.exec(`${MIGRATIONS[0]}; PRAGMA user_version = 1`);
  const run = `'S 1', 1, 'all', 'bone', '1', 0, '["pacs"]', 0`;
  database.exec(`
    INSERT INTO run (id, series, revision, rule, model, model_version, priority, destinations, position, state,
      result_sop, result_class, result_sha256, result_bytes, created_at)
    VALUES ('2.25.7', ${run}, 'done', '2.25.1', '1.2.840.10008.5.1.4.1.1.66.4', 'digest', 4711, 1000);
    INSERT INTO run (id, series, revision, rule, model, model_version, priority, destinations, position, state, created_at)
    VALUES ('2.25.8', ${run}, 'pending', 1000);
    INSERT INTO delivery (id, run, destination, state, tries, created_at)
    VALUES ('2.25.9', '2.25.7', 'pacs', 'pending', 3, 1000);
  `);
  database.close();
  using store = openSqlite(folder.path);
  expect(await resultsOf(store.db, "2.25.7" as RunId)).toEqual([
    {
      runId: "2.25.7",
      file: "2.25.7.dcm",
      form: "binary",
      part: 1,
      transferSyntaxUid: "1.2.840.10008.1.2.1",
      sopInstanceUid: "2.25.1",
      sopClassUid: "1.2.840.10008.5.1.4.1.1.66.4",
      sha256: "digest",
      bytes: 4711,
    },
  ]);
  expect(await resultsOf(store.db, "2.25.8" as RunId)).toEqual([]);
  expect(await findRun(store.db, "2.25.8")).toMatchObject({ state: "pending", destinations: ["pacs"] });
  expect(await pendingDeliveries(store.db)).toMatchObject([
    { id: "2.25.9", form: "binary", part: 1, tries: 3 },
  ]);
});

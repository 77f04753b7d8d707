/**
 * The embedded engine: one SQLite file, owned by one process.
 *
 * WAL with synchronous=FULL: what a transaction committed survives a power cut. The file is opened once; a
 * transaction holds the connection until it ends, everything else waits in line. Commits block the event loop for
 * one disk flush, so callers gather what they can into one (group-commit.ts).
 *
 * Ownership is an exclusive lock on a small file beside it, which the system takes back when the process dies.
 */
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { NodeError } from "../base/errors.ts";
import type { Cell, Db, Row, Store } from "./port.ts";
import { MIGRATIONS } from "./schema.ts";

export interface SqliteStore extends Store, Disposable {
  /** The file was made by this opening. */
  readonly isNew: boolean;
}

const SQLITE_BUSY = 5;

/** @throws NodeError DATA_FOLDER_IN_USE, LEDGER_FAILED */
export function openSqlite(folder: string): SqliteStore {
  const lock = lockFolder(folder);
  try {
    const database = new DatabaseSync(join(folder, "ledger.sqlite"));
    database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
    const isNew = migrate(database) === 0;
    return new Sqlite(database, lock, isNew);
  } catch (cause) {
    lock.close();
    throw cause instanceof NodeError
      ? cause
      : new NodeError("LEDGER_FAILED", "Ledger: cannot be opened", { cause });
  }
}

function lockFolder(folder: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(folder, "owner.lock"));
    lock.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock?.close();
    if ((cause as { readonly errcode?: number }).errcode === SQLITE_BUSY)
      throw new NodeError("DATA_FOLDER_IN_USE", `Another node works in ${folder}`, { cause });
    throw new NodeError("LEDGER_FAILED", `Ledger: ${folder} cannot be locked`, { cause });
  }
}

/** @returns the version the file had; 0 is an empty one */
function migrate(database: DatabaseSync): number {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new NodeError("LEDGER_FAILED", `Ledger: version ${version} is newer than this program knows`);
  }
  for (const [at, statements] of MIGRATIONS.entries()) {
    if (at < version) continue;
    database.exec(`BEGIN IMMEDIATE; ${statements}; PRAGMA user_version=${at + 1}; COMMIT`);
  }
  return version;
}

class Sqlite implements SqliteStore {
  readonly isNew: boolean;
  readonly #database: DatabaseSync;
  readonly #lock: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Settles when the connection is free; whoever needs it next appends to it. */
  #free: Promise<unknown> = Promise.resolve();

  constructor(database: DatabaseSync, lock: DatabaseSync, isNew: boolean) {
    this.#database = database;
    this.#lock = lock;
    this.isNew = isNew;
  }

  readonly db: Db = { query: (sql, parameters) => this.#inLine(async () => this.#run(sql, parameters)) };

  transaction<T>(work: (t: Db) => Promise<T>): Promise<T> {
    return this.#inLine(async () => {
      guarded(() => this.#database.exec("BEGIN IMMEDIATE"));
      let ended = false;
      const query: Db["query"] = async (sql, parameters) => {
        if (ended) throw new Error("bug: a transaction is used after its end");
        return this.#run(sql, parameters);
      };
      try {
        const result = await work({ query });
        guarded(() => this.#database.exec("COMMIT"));
        return result;
      } finally {
        ended = true;
        if (this.#database.isTransaction) guarded(() => this.#database.exec("ROLLBACK"));
      }
    });
  }

  [Symbol.dispose](): void {
    this.#database.close();
    this.#lock.close();
  }

  #inLine<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#free.then(work);
    this.#free = result.catch(() => {});
    return result;
  }

  #run(sql: string, parameters: readonly Cell[]): readonly Row[] {
    return guarded(() => {
      let statement = this.#statements.get(sql);
      if (!statement) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
      const named: Record<string, Cell> = {};
      for (const [at, value] of parameters.entries()) named[`$${at + 1}`] = value;
      return statement.all(named) as readonly Row[];
    });
  }
}

/** The message of SQLite names tables and columns, never values. */
function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new NodeError("LEDGER_FAILED", `Ledger: ${(cause as Error).message}`, { cause });
  }
}

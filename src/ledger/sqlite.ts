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

export interface SqliteStore extends Store, Disposable {}

/** @throws NodeError DATA_FOLDER_IN_USE, LEDGER_FAILED */
export function openSqlite(folder: string): SqliteStore {
  const lock = lockFolder(folder);
  try {
    const database = new DatabaseSync(join(folder, "ledger.sqlite"));
    database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
    migrate(database);
    return new Sqlite(database, lock);
  } catch (cause) {
    lock.close();
    throw cause instanceof NodeError
      ? cause
      : new NodeError("LEDGER_FAILED", "Ledger: cannot be opened", { cause });
  }
}

function lockFolder(folder: string): DatabaseSync {
  const lock = new DatabaseSync(join(folder, "owner.lock"));
  try {
    lock.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock.close();
    throw new NodeError("DATA_FOLDER_IN_USE", `Another node works in ${folder}`, { cause });
  }
}

function migrate(database: DatabaseSync): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new NodeError("LEDGER_FAILED", `Ledger: version ${version} is newer than this program knows`);
  }
  for (const [at, statements] of MIGRATIONS.entries()) {
    if (at < version) continue;
    database.exec(`BEGIN IMMEDIATE; ${statements}; PRAGMA user_version=${at + 1}; COMMIT`);
  }
}

class Sqlite implements SqliteStore {
  readonly #database: DatabaseSync;
  readonly #lock: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Settles when the connection is free; whoever needs it next appends to it. */
  #free: Promise<unknown> = Promise.resolve();

  constructor(database: DatabaseSync, lock: DatabaseSync) {
    this.#database = database;
    this.#lock = lock;
  }

  readonly db: Db = { query: (sql, parameters) => this.#inLine(async () => this.#run(sql, parameters)) };

  transaction<T>(work: (t: Db) => Promise<T>): Promise<T> {
    return this.#inLine(async () => {
      guarded(() => this.#database.exec("BEGIN IMMEDIATE"));
      try {
        const result = await work({ query: async (sql, parameters) => this.#run(sql, parameters) });
        guarded(() => this.#database.exec("COMMIT"));
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
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

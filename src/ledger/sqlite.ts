/**
 * The embedded engine: one SQLite file, owned by one process.
 *
 * What a transaction committed survives a power cut. SQLite itself would flush on the event loop (synchronous=FULL);
 * so it is told only to keep its file whole (NORMAL), and its log, the WAL, is flushed here, by a thread of the system,
 * before the transaction resolves. Those who commit meanwhile share the next flush. The file is opened once; a
 * transaction holds the connection until it is committed, everything else waits in line.
 *
 * After a flush that failed nobody knows what of the log is on the disk. Nothing is committed then until all of it has
 * been copied into the database file, and that is flushed.
 *
 * Ownership is an exclusive lock on a small file beside it, which the system takes back when the process dies. A file
 * that is damaged is put aside and its readable rows go on in a new one (salvage.ts): a lost row must not stop the node.
 */
import { closeSync, fdatasync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { promisify } from "node:util";
import { NodeError } from "../base/errors.ts";
import { SharedFlush } from "../base/shared-flush.ts";
import type { Cell, Db, Row, Store, TransactionOptions } from "./port.ts";
import { isSound, type Salvage, salvaged } from "./salvage.ts";
import { migrate } from "./schema.ts";

export interface SqliteStore extends Store, Disposable {
  /** The file was made by this opening. */
  readonly isNew: boolean;
  /** The file was damaged: what became of it. */
  readonly salvage?: Salvage;
}

export interface SqliteOptions {
  /** "off": what was committed survives the end of the process, but not that of the system. */
  readonly sync: "on" | "off";
}

const DURABLE: TransactionOptions = { isDurable: true };
const SQLITE_BUSY = 5;
const flushData = promisify(fdatasync);
/** Others read the file, and write orders of the operator into it (orders.ts): for microseconds. */
const SETTINGS = "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000;";

/** @throws NodeError DATA_FOLDER_IN_USE, LEDGER_FAILED */
export function openSqlite(folder: string, options: SqliteOptions = { sync: "on" }): SqliteStore {
  const lock = lockFolder(folder);
  try {
    const path = join(folder, "ledger.sqlite");
    const salvage = isSound(path) ? undefined : salvaged(path);
    const database = new DatabaseSync(path);
    const synchronous = options.sync === "on" ? "NORMAL" : "OFF";
    database.exec(`${SETTINGS} PRAGMA synchronous=${synchronous};`);
    const isNew = migrate(database) === 0 && !salvage;
    const log = options.sync === "on" ? openSync(`${path}-wal`, "r") : undefined;
    return new Sqlite({ database, lock, isNew, log, ...(salvage && { salvage }) });
  } catch (cause) {
    lock.close();
    throw cause instanceof NodeError
      ? cause
      : new NodeError("LEDGER_FAILED", "Ledger: cannot be opened", { cause });
  }
}

/**
 * What is committed, for those who only look: the owner may work on at the same time.
 *
 * @throws NodeError LEDGER_FAILED
 */
export function openReader(folder: string): Db & Disposable {
  return guarded(() => {
    const database = new DatabaseSync(join(folder, "ledger.sqlite"), { readOnly: true });
    database.exec("PRAGMA busy_timeout=5000");
    return {
      query: async (sql, parameters) => guarded(() => queried(database.prepare(sql), parameters)),
      [Symbol.dispose]: () => database.close(),
    };
  });
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

interface Parts {
  readonly database: DatabaseSync;
  readonly lock: DatabaseSync;
  readonly isNew: boolean;
  readonly salvage?: Salvage;
  /** Descriptor of the WAL; undefined: nothing is flushed. */
  readonly log: number | undefined;
}

class Sqlite implements SqliteStore {
  readonly isNew: boolean;
  readonly salvage?: Salvage;
  readonly #database: DatabaseSync;
  readonly #lock: DatabaseSync;
  readonly #log: number | undefined;
  readonly #flush: SharedFlush;
  readonly #statements = new Map<string, StatementSync>();
  /** Settles when the connection is free; whoever needs it next appends to it. */
  #free: Promise<unknown> = Promise.resolve();
  /** A flush has failed, and what was committed before has not been copied since. */
  #isSuspect = false;

  constructor({ database, lock, isNew, log, salvage }: Parts) {
    this.#database = database;
    this.#lock = lock;
    this.isNew = isNew;
    if (salvage) this.salvage = salvage;
    this.#log = log;
    this.#flush = new SharedFlush(async () => {
      if (log !== undefined) await flushData(log);
    });
  }

  readonly db: Db = { query: (sql, parameters) => this.#inLine(async () => this.#run(sql, parameters)) };

  async transaction<T>(work: (t: Db) => Promise<T>, options = DURABLE): Promise<T> {
    const { result, isChanged } = await this.#inLine(() => this.#commit(work));
    if (isChanged && options.isDurable) await this.#flushed();
    return result;
  }

  async #commit<T>(work: (t: Db) => Promise<T>): Promise<{ result: T; isChanged: boolean }> {
    if (this.#isSuspect) this.#copyLog();
    guarded(() => this.#database.exec("BEGIN IMMEDIATE"));
    const before = this.#changes();
    let ended = false;
    const query: Db["query"] = async (sql, parameters) => {
      if (ended) throw new Error("bug: a transaction is used after its end");
      return this.#run(sql, parameters);
    };
    try {
      const result = await work({ query });
      const isChanged = this.#changes() !== before;
      guarded(() => this.#database.exec("COMMIT"));
      return { result, isChanged };
    } finally {
      ended = true;
      if (this.#database.isTransaction) guarded(() => this.#database.exec("ROLLBACK"));
    }
  }

  async #flushed(): Promise<void> {
    try {
      await this.#flush.flushed();
    } catch (cause) {
      this.#isSuspect = true;
      throw new NodeError("LEDGER_NOT_FLUSHED", "Ledger: written, but not flushed", { cause });
    }
  }

  #copyLog(): void {
    const [row] = this.#run("PRAGMA wal_checkpoint(TRUNCATE)", []);
    if (row?.["busy"] !== 0) throw new NodeError("LEDGER_FAILED", "Ledger: the log cannot be copied");
    this.#isSuspect = false;
  }

  /** Rows changed since the connection was opened. */
  #changes(): Cell {
    return this.#run("SELECT total_changes() AS changes", [])[0]?.["changes"] ?? 0;
  }

  [Symbol.dispose](): void {
    this.#database.close();
    this.#lock.close();
    const log = this.#log;
    if (log !== undefined) void this.#flush.ended().then(() => closeSync(log));
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
      return queried(statement, parameters);
    });
  }
}

function queried(statement: StatementSync, parameters: readonly Cell[]): readonly Row[] {
  const named: Record<string, Cell> = {};
  for (const [at, value] of parameters.entries()) named[`$${at + 1}`] = value;
  return statement.all(named) as readonly Row[];
}

/** The message of SQLite names tables and columns, never values. */
function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new NodeError("LEDGER_FAILED", `Ledger: ${(cause as Error).message}`, { cause });
  }
}

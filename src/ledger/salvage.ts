/**
 * A ledger file that is damaged: put aside for a person to look at, and what can be read of it goes on in a new one.
 *
 * Rows are read from both ends of each table, and one by one between the two places where that failed: one bad page
 * costs the rows on it and no more. Rows that do not fit any more (a key that is there already) are left out.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { NodeError } from "../base/errors.ts";
import { migrate } from "./schema.ts";

export interface Salvage {
  /** The damaged file. */
  readonly path: string;
  /** Rows that could be read. */
  readonly kept: number;
  /** Places from which none could be read; a lower bound. */
  readonly lost: number;
}

/** Rows read one by one in a damaged part of a table; a larger part is given up. */
const MOST_SINGLE_READS = 100_000;

export function isSound(path: string): boolean {
  if (!existsSync(path)) return true;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    const [first] = database.prepare("PRAGMA quick_check(1)").all();
    return first?.["quick_check"] === "ok";
  } catch (error) {
    const { errcode = 0 } = error as { readonly errcode?: number };
    if (!DAMAGED.has(errcode & 0xff)) throw error;
    return false;
  } finally {
    database?.close();
  }
}

/** SQLITE_CORRUPT, SQLITE_NOTADB. Anything else (no right, no space, disk fault) is no proof of damage. */
const DAMAGED = new Set([11, 26]);

/** Leaves a new file at `path`. @throws NodeError LEDGER_FAILED if nothing could be read; all is as before then */
export function salvaged(path: string): Salvage {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  for (const ending of ENDINGS) {
    if (existsSync(path + ending)) renameSync(path + ending, aside + ending);
  }
  const fresh = new DatabaseSync(path);
  let [kept, lost] = [0, 0];
  try {
    migrate(fresh);
    const damaged = new DatabaseSync(aside, { readOnly: true });
    try {
      for (const table of tablesOf(fresh)) {
        const read = copied(damaged, fresh, table);
        kept += read.kept;
        lost += read.lost;
      }
    } catch {
      // Not even its list of tables can be read: nothing is kept.
    } finally {
      damaged.close();
    }
  } finally {
    fresh.close();
  }
  if (kept > 0) return { path: aside, kept, lost };
  for (const ending of ENDINGS) {
    rmSync(path + ending, { force: true });
    if (existsSync(aside + ending)) renameSync(aside + ending, path + ending);
  }
  throw new NodeError(
    "LEDGER_FAILED",
    `Ledger: ${path} is no ledger, or nothing of it can be read; left as it is`,
  );
}

const ENDINGS = ["", "-wal", "-shm"] as const;

function tablesOf(database: DatabaseSync): readonly string[] {
  const rows = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all();
  return rows.map((row) => String(row["name"]));
}

function copied(
  from: DatabaseSync,
  to: DatabaseSync,
  table: string,
): { readonly kept: number; readonly lost: number } {
  const present = new Set(columnsOf(from, table)); // an older file has fewer
  const columns = columnsOf(to, table).filter((name) => present.has(name));
  const insert = to.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
  );
  let [kept, lost] = [0, 0];
  to.exec("BEGIN");
  const keep = (row: Record<string, unknown>): void => {
    insert.run(...columns.map((name) => (row[name] ?? null) as string | number | null));
    kept++;
  };
  const upTo = scanned(from, `SELECT rowid AS row_number, * FROM ${table} ORDER BY rowid`, keep);
  if (!upTo.whole) {
    const downTo = scanned(from, `SELECT rowid AS row_number, * FROM ${table} ORDER BY rowid DESC`, keep);
    const [first, last] = [(upTo.last ?? 0) + 1, (downTo.last ?? 0) - 1];
    for (let at = first; at <= Math.min(last, first + MOST_SINGLE_READS); at++) {
      const one = scanned(from, `SELECT rowid AS row_number, * FROM ${table} WHERE rowid = ${at}`, keep);
      if (!one.whole) lost++;
    }
    lost = Math.max(lost, 1);
  }
  to.exec("COMMIT");
  return { kept, lost };
}

function columnsOf(database: DatabaseSync, table: string): readonly string[] {
  const rows = database.prepare(`SELECT name FROM pragma_table_info('${table}')`).all();
  return rows.map((row) => String(row["name"]));
}

/** @returns the last row that could be read, and whether that was all */
function scanned(
  from: DatabaseSync,
  sql: string,
  keep: (row: Record<string, unknown>) => void,
): { readonly whole: boolean; readonly last?: number } {
  let last: number | undefined;
  try {
    for (const row of from.prepare(sql).iterate()) {
      keep(row);
      last = Number(row["row_number"]);
    }
    return { whole: true, ...(last !== undefined && { last }) };
  } catch {
    return { whole: false, ...(last !== undefined && { last }) };
  }
}

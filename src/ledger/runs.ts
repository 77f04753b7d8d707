/** Rows of runs: one model on one revision of a series. */
import { derivedUid } from "../dicom/uid.ts";
import type { Db, Row } from "./port.ts";
import type { ResultRecord, RunId, RunRecord, SeriesId } from "./records.ts";
import { insertResults } from "./results.ts";

/** The same for the same work, so that work asked for twice is done once. */
export function runIdOf(seriesId: SeriesId, revision: number, model: string, modelVersion: string): RunId {
  return derivedUid("run", seriesId, String(revision), model, modelVersion) as string as RunId;
}

export async function insertRun(t: Db, run: RunRecord): Promise<void> {
  await t.query(
    `INSERT INTO run (id, series, revision, rule, model, model_version, priority, destinations, position, state,
       created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', $10) ON CONFLICT (id) DO NOTHING`,
    [
      run.id,
      run.seriesId,
      run.revision,
      run.rule,
      run.model,
      run.modelVersion,
      run.priority,
      JSON.stringify(run.destinations),
      run.position,
      run.createdAt,
    ],
  );
}

export async function findRun(db: Db, id: string): Promise<RunRecord | undefined> {
  const [row] = await db.query("SELECT * FROM run WHERE id = $1", [id]);
  return row && runOf(row);
}

/** All runs that were made when the series was closed the given time. */
export async function runsOfRevision(
  db: Db,
  series: SeriesId,
  revision: number,
): Promise<readonly RunRecord[]> {
  const rows = await db.query("SELECT * FROM run WHERE series = $1 AND revision = $2 ORDER BY position", [
    series,
    revision,
  ]);
  return rows.map(runOf);
}

export async function pendingRuns(db: Db): Promise<readonly RunRecord[]> {
  return (await db.query("SELECT * FROM run WHERE state = 'pending'", [])).map(runOf);
}

/** How a run ended. */
export type RunEnd =
  | {
      readonly state: "done";
      readonly results: readonly ResultRecord[];
      readonly timings: Readonly<Record<string, number>>;
    }
  | { readonly state: "no-finding" }
  | { readonly state: "failed" | "quarantined"; readonly code: string; readonly reason: string };

export async function endRun(t: Db, id: RunId, end: RunEnd, at: number): Promise<void> {
  const isBad = end.state === "failed" || end.state === "quarantined";
  await t.query(
    "UPDATE run SET state = $2, code = $3, reason = $4, timings = $5, ended_at = $6 WHERE id = $1",
    [
      id,
      end.state,
      isBad ? end.code : null,
      isBad ? end.reason : null,
      end.state === "done" ? JSON.stringify(end.timings) : null,
      at,
    ],
  );
  if (end.state === "done") await insertResults(t, end.results);
}

/** @returns whether there was a run that failed or was quarantined; nobody has to look at it any more */
export async function discardRun(t: Db, id: string): Promise<boolean> {
  const rows = await t.query(
    "UPDATE run SET state = 'discarded' WHERE id = $1 AND state IN ('failed', 'quarantined') RETURNING id",
    [id],
  );
  return rows.length > 0;
}

/**
 * A run that failed, was quarantined or discarded is pending again; its job is the caller's to enqueue.
 *
 * @returns whether there was such a run
 */
export async function reopenRun(t: Db, id: RunId, at: number): Promise<boolean> {
  const rows = await t.query(
    `UPDATE run SET state = 'pending', code = NULL, reason = NULL, ended_at = NULL, created_at = $2
     WHERE id = $1 AND state IN ('failed', 'quarantined', 'discarded') RETURNING id`,
    [id, at],
  );
  return rows.length > 0;
}

function runOf(row: Row): RunRecord {
  return {
    id: String(row["id"]) as RunId,
    seriesId: String(row["series"]) as SeriesId,
    revision: Number(row["revision"]),
    rule: String(row["rule"]),
    model: String(row["model"]),
    modelVersion: String(row["model_version"]),
    priority: Number(row["priority"]),
    destinations: JSON.parse(String(row["destinations"])) as string[],
    position: Number(row["position"]),
    state: String(row["state"]) as RunRecord["state"],
    createdAt: Number(row["created_at"]),
  };
}

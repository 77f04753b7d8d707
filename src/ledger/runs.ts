/** Rows of runs (one model on one revision of a series) and deliveries (one result to one destination). */
import { derivedUid, type InstanceUid, parseUid, type SopClassUid } from "../dicom/uid.ts";
import type { Db, Row } from "./port.ts";
import type { DeliveryId, DeliveryRecord, RunId, RunRecord, RunResult, SeriesId } from "./records.ts";

/** The same for the same work, so that work asked for twice is done once. */
export function runIdOf(seriesId: SeriesId, revision: number, model: string, modelVersion: string): RunId {
  return derivedUid("run", seriesId, String(revision), model, modelVersion) as string as RunId;
}

export function deliveryIdOf(runId: RunId, destination: string): DeliveryId {
  return derivedUid("delivery", runId, destination) as string as DeliveryId;
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

export async function pendingRuns(db: Db): Promise<readonly RunRecord[]> {
  return (await db.query("SELECT * FROM run WHERE state = 'pending'", [])).map(runOf);
}

/** How a run ended. */
export type RunEnd =
  | { readonly state: "done"; readonly result: RunResult; readonly timings: Readonly<Record<string, number>> }
  | { readonly state: "no-finding" }
  | { readonly state: "failed"; readonly code: string; readonly reason: string };

export async function endRun(t: Db, id: RunId, end: RunEnd, at: number): Promise<void> {
  const result = end.state === "done" ? end.result : undefined;
  await t.query(
    `UPDATE run SET state = $2, code = $3, reason = $4, result_sop = $5, result_class = $6, result_sha256 = $7,
       result_bytes = $8, timings = $9, ended_at = $10 WHERE id = $1`,
    [
      id,
      end.state,
      end.state === "failed" ? end.code : null,
      end.state === "failed" ? end.reason : null,
      result?.sopInstanceUid ?? null,
      result?.sopClassUid ?? null,
      result?.sha256 ?? null,
      result?.bytes ?? null,
      end.state === "done" ? JSON.stringify(end.timings) : null,
      at,
    ],
  );
}

export async function insertDelivery(
  t: Db,
  runId: RunId,
  destination: string,
  at: number,
): Promise<DeliveryId> {
  const id = deliveryIdOf(runId, destination);
  await t.query(
    `INSERT INTO delivery (id, run, destination, state, tries, created_at) VALUES ($1, $2, $3, 'pending', 0, $4)
     ON CONFLICT (id) DO NOTHING`,
    [id, runId, destination, at],
  );
  return id;
}

export async function findDelivery(db: Db, id: string): Promise<DeliveryRecord | undefined> {
  const [row] = await db.query("SELECT * FROM delivery WHERE id = $1", [id]);
  return row && deliveryOf(row);
}

export async function pendingDeliveries(db: Db): Promise<readonly DeliveryRecord[]> {
  return (await db.query("SELECT * FROM delivery WHERE state = 'pending'", [])).map(deliveryOf);
}

export interface Attempt {
  readonly state: DeliveryRecord["state"];
  readonly status?: number;
  readonly reason?: string;
  readonly at: number;
}

/** Counts one try and what came of it. */
export async function recordAttempt(t: Db, id: DeliveryId, attempt: Attempt): Promise<void> {
  await t.query(
    `UPDATE delivery SET state = $2, status = $3, reason = $4, ended_at = $5, tries = tries + 1 WHERE id = $1`,
    [
      id,
      attempt.state,
      attempt.status ?? null,
      attempt.reason ?? null,
      attempt.state === "pending" ? null : attempt.at,
    ],
  );
}

function runOf(row: Row): RunRecord {
  const sopInstanceUid = parseUid<InstanceUid>(text(row["result_sop"]));
  const sopClassUid = parseUid<SopClassUid>(text(row["result_class"]));
  const run = {
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
  if (!sopInstanceUid || !sopClassUid) return run;
  const sha256 = String(row["result_sha256"]);
  const bytes = Number(row["result_bytes"]);
  return { ...run, result: { sopInstanceUid, sopClassUid, sha256, bytes } };
}

function deliveryOf(row: Row): DeliveryRecord {
  return {
    id: String(row["id"]) as DeliveryId,
    runId: String(row["run"]) as RunId,
    destination: String(row["destination"]),
    state: String(row["state"]) as DeliveryRecord["state"],
    tries: Number(row["tries"]),
    createdAt: Number(row["created_at"]),
  };
}

function text(cell: unknown): string | undefined {
  return typeof cell === "string" ? cell : undefined;
}

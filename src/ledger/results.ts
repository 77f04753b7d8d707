/** Rows of results (the files of a run) and deliveries (one object of a run to one destination). */
import { derivedUid, type InstanceUid, type SopClassUid, type TransferSyntaxUid } from "../dicom/uid.ts";
import type { Db, Row } from "./port.ts";
import type { DeliveryId, DeliveryRecord, ResultForm, ResultRecord, RunId } from "./records.ts";

/** Which object of a run: one may lie in several files, each in its transfer syntax. */
export type ResultObject = Pick<ResultRecord, "runId" | "form" | "part">;

/** The same for the same obligation, so that what is asked for twice is sent once. */
export function deliveryIdOf({ runId, form, part }: ResultObject, destination: string): DeliveryId {
  return derivedUid("delivery", runId, form, String(part), destination) as string as DeliveryId;
}

/** Replaces what an earlier end of the same run left. */
export async function insertResults(t: Db, results: readonly ResultRecord[]): Promise<void> {
  const [first] = results;
  if (first) await t.query("DELETE FROM result WHERE run = $1", [first.runId]);
  for (const result of results)
    await t.query(
      `INSERT INTO result (run, file, form, part, transfer_syntax, sop, sop_class, sha256, bytes)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        result.runId,
        result.file,
        result.form,
        result.part,
        result.transferSyntaxUid,
        result.sopInstanceUid,
        result.sopClassUid,
        result.sha256,
        result.bytes,
      ],
    );
}

/** In the order of form, part and file. */
export async function resultsOf(db: Db, runId: RunId): Promise<readonly ResultRecord[]> {
  const rows = await db.query("SELECT * FROM result WHERE run = $1 ORDER BY form, part, file", [runId]);
  return rows.map(resultOf);
}

export async function insertDelivery(
  t: Db,
  object: ResultObject,
  destination: string,
  at: number,
): Promise<DeliveryId> {
  const id = deliveryIdOf(object, destination);
  await t.query(
    `INSERT INTO delivery (id, run, destination, form, part, state, tries, created_at)
     VALUES ($1, $2, $3, $4, $5, 'pending', 0, $6) ON CONFLICT (id) DO NOTHING`,
    [id, object.runId, destination, object.form, object.part, at],
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

export async function pendingDeliveriesOf(db: Db, runId: RunId): Promise<readonly DeliveryRecord[]> {
  const rows = await db.query("SELECT * FROM delivery WHERE run = $1 AND state = 'pending'", [runId]);
  return rows.map(deliveryOf);
}

export interface Attempt {
  readonly state: Exclude<DeliveryRecord["state"], "discarded">;
  readonly status?: number;
  readonly reason?: string;
  readonly transferSyntaxUid?: TransferSyntaxUid;
  readonly at: number;
}

/**
 * A delivery that is held or was discarded is to be tried again, as long as a new one; its job is the caller's to
 * enqueue.
 *
 * @returns whether there was such a delivery
 */
export async function reopenDelivery(t: Db, id: DeliveryId, at: number): Promise<boolean> {
  const rows = await t.query(
    `UPDATE delivery SET state = 'pending', ended_at = NULL, created_at = $2
     WHERE id = $1 AND state IN ('held', 'discarded') RETURNING id`,
    [id, at],
  );
  return rows.length > 0;
}

/** @returns whether there was a delivery that is held or still tried; it is tried no more */
export async function discardDelivery(t: Db, id: DeliveryId, at: number): Promise<boolean> {
  const rows = await t.query(
    `UPDATE delivery SET state = 'discarded', ended_at = $2
     WHERE id = $1 AND state IN ('pending', 'held') RETURNING id`,
    [id, at],
  );
  return rows.length > 0;
}

/** Counts one try and what came of it; one that was discarded meanwhile stays so, unless it arrived. */
export async function recordAttempt(t: Db, id: DeliveryId, attempt: Attempt): Promise<void> {
  await t.query(
    `UPDATE delivery SET state = $2, status = $3, reason = $4, ended_at = $5, transfer_syntax = $6, tries = tries + 1
     WHERE id = $1 AND (state <> 'discarded' OR $2 = 'delivered')`,
    [
      id,
      attempt.state,
      attempt.status ?? null,
      attempt.reason ?? null,
      attempt.state === "pending" ? null : attempt.at,
      attempt.transferSyntaxUid ?? null,
    ],
  );
}

function resultOf(row: Row): ResultRecord {
  return {
    runId: String(row["run"]) as RunId,
    file: String(row["file"]),
    form: String(row["form"]) as ResultForm,
    part: Number(row["part"]),
    transferSyntaxUid: String(row["transfer_syntax"]) as TransferSyntaxUid,
    sopInstanceUid: String(row["sop"]) as InstanceUid,
    sopClassUid: String(row["sop_class"]) as SopClassUid,
    sha256: String(row["sha256"]),
    bytes: Number(row["bytes"]),
  };
}

function deliveryOf(row: Row): DeliveryRecord {
  return {
    id: String(row["id"]) as DeliveryId,
    runId: String(row["run"]) as RunId,
    destination: String(row["destination"]),
    form: String(row["form"]) as ResultForm,
    part: Number(row["part"]),
    state: String(row["state"]) as DeliveryRecord["state"],
    tries: Number(row["tries"]),
    createdAt: Number(row["created_at"]),
  };
}

/**
 * Rows of storage commitment: what we asked of destinations, and what devices asked of us.
 *
 *   asked      new ──destination took it──▶ waiting ──report──▶ done
 *              new, waiting ──in vain for too long──▶ unknown ──late report──▶ done
 *   answered   new ──all kept, or not──▶ reporting ──device answered──▶ done
 *              new ──passed on──▶ waiting ──report──▶ reporting ──in vain for too long──▶ unreported
 */
import { derivedUid, type InstanceUid, type SopClassUid, type Uid } from "../dicom/uid.ts";
import type { Cell, Db, Row } from "./port.ts";
import type { DeliveryId } from "./records.ts";

export type CommitmentId = string & { readonly commitment: unique symbol };

export interface CommitmentRecord {
  readonly id: CommitmentId;
  readonly transactionUid: Uid;
  readonly kind: "asked" | "answered";
  /** Name of the destination, or AE title of the device. */
  readonly peer: string;
  /** Of what was asked: the delivery, or the id of what a device asked us; else empty. */
  readonly origin: string;
  readonly state: "new" | "waiting" | "reporting" | "done" | "unknown" | "unreported";
  readonly instances: readonly CommitmentInstance[];
  readonly createdAt: number;
  readonly dueAt?: number;
}

export interface CommitmentInstance {
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  /** 0: committed; else the Failure Reason; undefined: not known. */
  readonly reason?: number;
}

/** A device may choose the Transaction UID that another one has chosen. */
export function answeredId(aeTitle: string, transactionUid: Uid): CommitmentId {
  return derivedUid("commitment answered", aeTitle, transactionUid) as string as CommitmentId;
}

/** The n-th time we ask about the same thing. */
export function askedUid(origin: string, round: number): Uid {
  return derivedUid("commitment asked", origin, String(round));
}

/** Of the job that works for a peer. */
export function commitKey({ kind, peer }: Pick<CommitmentRecord, "kind" | "peer">): string {
  return `${kind} ${peer}`;
}

/** @returns  false if it was there already; then nothing changes */
export async function insertCommitment(t: Db, record: CommitmentRecord): Promise<boolean> {
  const inserted = await t.query(
    `INSERT INTO commitment (id, transaction_uid, kind, peer, origin, state, instances, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING RETURNING id`,
    [
      record.id,
      record.transactionUid,
      record.kind,
      record.peer,
      record.origin,
      record.state,
      JSON.stringify(record.instances),
      record.createdAt,
    ],
  );
  return inserted.length > 0;
}

export async function findCommitment(db: Db, id: string): Promise<CommitmentRecord | undefined> {
  const [row] = await db.query("SELECT * FROM commitment WHERE id = $1", [id]);
  return row && commitmentOf(row);
}

/** How often was asked about the same thing. */
export async function roundsOf(db: Db, origin: string): Promise<number> {
  const [row] = await db.query("SELECT COUNT(*) AS n FROM commitment WHERE origin = $1", [origin]);
  return Number(row?.["n"] ?? 0);
}

/** Those in one of the states, the oldest first; of one peer, or of all. */
export async function commitmentsIn(
  db: Db,
  states: readonly CommitmentRecord["state"][],
  of?: { readonly kind: CommitmentRecord["kind"]; readonly peer: string },
): Promise<readonly CommitmentRecord[]> {
  const parameters: Cell[] = [...states];
  const given = states.map((_, at) => `$${at + 1}`).join(", ");
  const scope = of ? ` AND kind = $${states.length + 1} AND peer = $${states.length + 2}` : "";
  if (of) parameters.push(of.kind, of.peer);
  const rows = await db.query(
    `SELECT * FROM commitment WHERE state IN (${given})${scope} ORDER BY created_at, id`,
    parameters,
  );
  return rows.map(commitmentOf);
}

export interface CommitmentChange {
  readonly state: CommitmentRecord["state"];
  readonly instances?: readonly CommitmentInstance[];
  readonly dueAt?: number;
  readonly endedAt?: number;
  readonly reason?: string;
}

export async function changeCommitment(t: Db, id: CommitmentId, change: CommitmentChange): Promise<void> {
  await t.query(
    `UPDATE commitment SET state = $2, instances = COALESCE($3, instances), due_at = $4, ended_at = $5, reason = $6
     WHERE id = $1`,
    [
      id,
      change.state,
      change.instances ? JSON.stringify(change.instances) : null,
      change.dueAt ?? null,
      change.endedAt ?? null,
      change.reason ?? null,
    ],
  );
}

/** What was delivered and not committed is sent again, or held for a person to look at. */
export async function reopenDelivery(
  t: Db,
  id: DeliveryId,
  to: { readonly state: "pending" | "held"; readonly reason: string },
): Promise<void> {
  await t.query("UPDATE delivery SET state = $2, reason = $3, ended_at = NULL WHERE id = $1", [
    id,
    to.state,
    to.reason,
  ]);
}

/** The SOP classes under which an instance is kept; none if it is not. */
export async function keptClasses(db: Db, sopInstanceUid: InstanceUid): Promise<readonly string[]> {
  const rows = await db.query("SELECT DISTINCT sop_class FROM instance WHERE sop = $1", [sopInstanceUid]);
  return rows.map((row) => String(row["sop_class"]));
}

function commitmentOf(row: Row): CommitmentRecord {
  const dueAt = row["due_at"];
  return {
    id: String(row["id"]) as CommitmentId,
    transactionUid: String(row["transaction_uid"]) as Uid,
    kind: String(row["kind"]) as CommitmentRecord["kind"],
    peer: String(row["peer"]),
    origin: String(row["origin"]),
    state: String(row["state"]) as CommitmentRecord["state"],
    instances: JSON.parse(String(row["instances"])) as CommitmentInstance[],
    createdAt: Number(row["created_at"]),
    ...(typeof dueAt === "number" && { dueAt }),
  };
}

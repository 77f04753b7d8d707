/** Rows of instances and series: what came, and what was decided about it. */
import { parseUid, type SeriesUid, type StudyUid } from "../dicom/uid.ts";
import type { Db, Row } from "./port.ts";
import type { FileId, InstanceRecord, SeriesId, SeriesRecord } from "./records.ts";

export function seriesIdOf(studyUid: StudyUid, seriesUid: SeriesUid): SeriesId {
  return `${studyUid} ${seriesUid}` as SeriesId;
}

/**
 * opened: the first of a series, or of a new revision of it. added: one more. duplicate: the same bytes are there
 * already, nothing changed. conflict: kept, but another instance with this SOP Instance UID came first and is used.
 */
export type Recorded = "opened" | "added" | "duplicate" | "conflict";

export async function recordInstance(t: Db, instance: InstanceRecord): Promise<Recorded> {
  const id = seriesIdOf(instance.studyUid, instance.seriesUid);
  const others = await t.query("SELECT sha256 FROM instance WHERE series = $1 AND sop = $2", [
    id,
    instance.sopInstanceUid,
  ]);
  if (others.some((row) => row["sha256"] === instance.sha256)) return "duplicate";
  await t.query(
    `INSERT INTO instance (id, series, sop, sop_class, transfer_syntax, sha256, bytes, calling, called, peer, at, used,
       facts)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      instance.id,
      id,
      instance.sopInstanceUid,
      instance.sopClassUid,
      instance.transferSyntaxUid,
      instance.sha256,
      instance.bytes,
      instance.callingAeTitle,
      instance.calledAeTitle,
      instance.peer,
      instance.at,
      others.length > 0 ? 0 : 1,
      JSON.stringify(instance.facts),
    ],
  );
  if (others.length > 0) return "conflict";
  const [series] = await t.query(
    `INSERT INTO series (id, study, uid, state, revision, opened_at, last_at, instances)
     VALUES ($1, $2, $3, 'open', 0, $4, $4, 1)
     ON CONFLICT (id) DO UPDATE SET last_at = excluded.last_at, state = 'open', instances = series.instances + 1,
       opened_at = CASE WHEN series.state = 'open' THEN series.opened_at ELSE excluded.opened_at END
     RETURNING opened_at`,
    [id, instance.studyUid, instance.seriesUid, instance.at],
  );
  return series?.["opened_at"] === instance.at ? "opened" : "added";
}

export async function findSeries(db: Db, id: SeriesId): Promise<SeriesRecord | undefined> {
  const [row] = await db.query("SELECT * FROM series WHERE id = $1", [id]);
  return row && seriesOf(row);
}

/** The instances a series consists of: of those with the same UID the first that came, in order of arrival. */
export async function instancesOf(db: Db, id: SeriesId): Promise<readonly InstanceRecord[]> {
  const rows = await db.query("SELECT * FROM instance WHERE series = $1 AND used = 1 ORDER BY at, id", [id]);
  return rows.map((row) => instanceOf(row, id));
}

export async function hasFile(db: Db, id: FileId): Promise<boolean> {
  return (await db.query("SELECT 1 AS found FROM instance WHERE id = $1", [id])).length > 0;
}

export interface Closing {
  readonly at: number;
  readonly reason: string;
  readonly outcome: string;
  readonly outcomeReason: string;
}

/**
 * Closes a series unless an instance came since it was read, which the decision was made on.
 *
 * @returns the new revision, from 1; undefined if the series changed meanwhile
 */
export async function closeSeries(
  t: Db,
  series: SeriesRecord,
  closing: Closing,
): Promise<number | undefined> {
  const [row] = await t.query(
    `UPDATE series SET state = 'closed', revision = revision + 1, closed_at = $3, reason = $4, outcome = $5,
       outcome_reason = $6 WHERE id = $1 AND state = 'open' AND instances = $2 RETURNING revision`,
    [series.id, series.instances, closing.at, closing.reason, closing.outcome, closing.outcomeReason],
  );
  return row ? Number(row["revision"]) : undefined;
}

export async function openSeries(db: Db): Promise<readonly SeriesRecord[]> {
  return (await db.query("SELECT * FROM series WHERE state = 'open'", [])).map(seriesOf);
}

function seriesOf(row: Row): SeriesRecord {
  return {
    id: String(row["id"]) as SeriesId,
    studyUid: uid<StudyUid>(row["study"]),
    seriesUid: uid<SeriesUid>(row["uid"]),
    state: row["state"] === "open" ? "open" : "closed",
    revision: Number(row["revision"]),
    openedAt: Number(row["opened_at"]),
    lastAt: Number(row["last_at"]),
    instances: Number(row["instances"]),
  };
}

function instanceOf(row: Row, series: SeriesId): InstanceRecord {
  const [study = "", uidOfSeries = ""] = series.split(" ");
  return {
    id: String(row["id"]) as FileId,
    studyUid: uid<StudyUid>(study),
    seriesUid: uid<SeriesUid>(uidOfSeries),
    sopInstanceUid: uid(row["sop"]),
    sopClassUid: uid(row["sop_class"]),
    transferSyntaxUid: uid(row["transfer_syntax"]),
    sha256: String(row["sha256"]),
    bytes: Number(row["bytes"]),
    callingAeTitle: String(row["calling"]),
    calledAeTitle: String(row["called"]),
    peer: String(row["peer"]),
    at: Number(row["at"]),
    facts: JSON.parse(String(row["facts"])) as InstanceRecord["facts"],
  };
}

/** What was written as a UID is one. */
function uid<Kind extends NonNullable<ReturnType<typeof parseUid>>>(cell: unknown): Kind {
  const parsed = parseUid<Kind>(String(cell));
  if (!parsed) throw new Error("bug: the ledger holds a UID that is none");
  return parsed;
}

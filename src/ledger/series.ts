/** Rows of instances and series: what came, and what was decided about it. */
import { areSamePatient } from "../dicom/instance.ts";
import { parseUid, type SeriesUid, type StudyUid } from "../dicom/uid.ts";
import { recordEvent } from "./events.ts";
import type { Db, Row } from "./port.ts";
import type { FileId, InstanceRecord, SeriesId, SeriesRecord } from "./records.ts";

export function seriesIdOf(studyUid: StudyUid, seriesUid: SeriesUid): SeriesId {
  return `${studyUid} ${seriesUid}` as SeriesId;
}

/**
 * opened: the first of a series. reopened: of a new revision of it. added: one more. duplicate: the same bytes are
 * there already, only counted. conflict: kept, but another instance with this SOP Instance UID came first and is
 * used. late: kept, but the series was complete, and is not opened again.
 */
export type Recorded = "opened" | "reopened" | "added" | "duplicate" | "conflict" | "late";

/** What an image does that comes after its series was judged complete. */
export type LatePolicy = "supersede" | "note";

export async function recordInstance(
  t: Db,
  instance: InstanceRecord,
  late: LatePolicy = "supersede",
): Promise<Recorded> {
  const id = seriesIdOf(instance.studyUid, instance.seriesUid);
  const recorded = await record(t, id, instance, late);
  if (recorded !== "duplicate") await recordStudy(t, instance);
  if (recorded === "conflict" || recorded === "late" || recorded === "reopened")
    await recordEvent(t, {
      at: instance.at,
      study: instance.studyUid,
      kind: `instance.${recorded}`,
      detail: instance.sopInstanceUid,
    });
  return recorded;
}

async function record(t: Db, id: SeriesId, instance: InstanceRecord, late: LatePolicy): Promise<Recorded> {
  const others = await t.query("SELECT sha256 FROM instance WHERE series = $1 AND sop = $2", [
    id,
    instance.sopInstanceUid,
  ]);
  if (others.some((row) => row["sha256"] === instance.sha256)) {
    await t.query(
      "UPDATE instance SET duplicates = duplicates + 1 WHERE series = $1 AND sop = $2 AND sha256 = $3",
      [id, instance.sopInstanceUid, instance.sha256],
    );
    return "duplicate";
  }
  const [before] = await t.query("SELECT state FROM series WHERE id = $1", [id]);
  const isLate = before?.["state"] === "closed" && late === "note";
  const unused = others.length > 0 ? "conflict" : isLate ? "late" : null;
  await t.query(
    `INSERT INTO instance (id, series, sop, sop_class, transfer_syntax, sha256, bytes, calling, called, peer, at, used,
       facts, unused)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
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
      unused === null ? 1 : 0,
      JSON.stringify(instance.facts),
      unused,
    ],
  );
  if (unused !== null) return unused;
  const [series] = await t.query(
    `INSERT INTO series (id, study, uid, state, revision, opened_at, last_at, instances)
     VALUES ($1, $2, $3, 'open', 0, $4, $4, 1)
     ON CONFLICT (id) DO UPDATE SET last_at = excluded.last_at, state = 'open', instances = series.instances + 1,
       opened_at = CASE WHEN series.state = 'open' THEN series.opened_at ELSE excluded.opened_at END
     RETURNING opened_at`,
    [id, instance.studyUid, instance.seriesUid, instance.at],
  );
  if (before?.["state"] === "closed") return "reopened";
  return series && !before ? "opened" : "added";
}

/** A study is of one patient: with a second one it is quarantined, whatever came before stays as it is. */
async function recordStudy(t: Db, { studyUid, facts, at }: InstanceRecord): Promise<void> {
  const patient = facts.patient ?? null;
  const [study] = await t.query(
    `INSERT INTO study (uid, patient, state) VALUES ($1, $2, 'ok') ON CONFLICT (uid) DO UPDATE SET
       patient = COALESCE(study.patient, excluded.patient),
       state = CASE WHEN study.state = 'discarded' THEN 'ok' ELSE study.state END
     RETURNING patient, state`,
    [studyUid, patient],
  );
  if (patient === null || study?.["state"] === "quarantined") return;
  if (areSamePatient(patient, String(study?.["patient"]))) return;
  const reason = "its images name two patients";
  await t.query("UPDATE study SET state = 'quarantined', reason = $2 WHERE uid = $1", [studyUid, reason]);
  await recordEvent(t, { at, study: studyUid, kind: "study.quarantined", detail: reason });
}

/** Why nothing of a study may enter a model or leave now; undefined: it may. */
export async function studyBar(db: Db, study: StudyUid): Promise<string | undefined> {
  const [row] = await db.query("SELECT state, reason FROM study WHERE uid = $1 AND state <> 'ok'", [study]);
  return row && String(row["reason"] ?? row["state"]);
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

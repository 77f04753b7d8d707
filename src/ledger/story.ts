/**
 * The whole story of one study: what came, what was decided and why, what each model and each destination said.
 *
 * In:   a Study Instance UID.
 * Out:  its series in order of arrival, with their runs, results and deliveries, earlier revisions included.
 *       Times are epoch ms. Reads only; nothing of the patient is in a ledger.
 */
import type { InstanceUid, SeriesUid, SopClassUid, TransferSyntaxUid } from "../dicom/uid.ts";
import { findStudy, type StudySummary } from "./overview.ts";
import type { Cell, Db, Row } from "./port.ts";
import type { DeliveryId, DeliveryRecord, ResultForm, RunId, RunRecord, SeriesId } from "./records.ts";

export interface StudyStory {
  readonly summary: StudySummary;
  readonly series: readonly SeriesStory[];
}

export interface SeriesStory {
  readonly id: SeriesId;
  readonly seriesUid: SeriesUid;
  readonly modality?: string;
  readonly state: "open" | "closed";
  /** How often it was judged complete. */
  readonly revision: number;
  /** Of the first image ever, and of the newest. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** With different SOP Instance UIDs, and how many more were kept but are not used. */
  readonly instances: number;
  readonly unused: number;
  readonly bytes: number;
  /** Application entities it came from. */
  readonly senders: readonly { readonly callingAeTitle: string; readonly peer: string }[];
  readonly closedAt?: number;
  /** Why it was judged complete. */
  readonly reason?: string;
  /** assigned: to models, by the rule named in outcomeReason. Else why not. */
  readonly outcome?: string;
  readonly outcomeReason?: string;
  readonly runs: readonly RunStory[];
}

export interface RunStory {
  readonly id: RunId;
  readonly revision: number;
  readonly rule: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly priority: number;
  readonly state: RunRecord["state"];
  /** Why it failed or was quarantined. */
  readonly code?: string;
  readonly reason?: string;
  /** Of the try that succeeded: queuedMs, sendMs, serverMs, decodeMs, encodeMs, bytesSent, attempts, … */
  readonly timings: Readonly<Record<string, number>>;
  readonly destinations: readonly string[];
  readonly createdAt: number;
  readonly endedAt?: number;
  /** When it is tried next, and which try that is, from 1; while it waits. */
  readonly next?: NextTry;
  readonly results: readonly ResultStory[];
  readonly deliveries: readonly DeliveryStory[];
}

interface ResultStory {
  readonly file: string;
  readonly form: ResultForm;
  readonly part: number;
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly sopInstanceUid: InstanceUid;
  readonly sopClassUid: SopClassUid;
  readonly sha256: string;
  readonly bytes: number;
}

export interface DeliveryStory {
  readonly id: DeliveryId;
  readonly destination: string;
  readonly form: ResultForm;
  readonly part: number;
  readonly state: DeliveryRecord["state"];
  readonly tries: number;
  /** DIMSE status of the last answer. */
  readonly status?: number;
  readonly reason?: string;
  readonly transferSyntaxUid?: TransferSyntaxUid;
  readonly createdAt: number;
  readonly endedAt?: number;
  readonly next?: NextTry;
  /** Whether the destination took responsibility for it (storage commitment), if it was asked. */
  readonly commitment?: "waiting" | "committed" | "refused" | "unknown";
}

interface NextTry {
  readonly at: number;
  /** It is under way. */
  readonly isRunning: boolean;
}

/** @returns undefined if nothing of such a study came */
export async function storyOf(db: Db, studyUid: string): Promise<StudyStory | undefined> {
  const summary = await findStudy(db, studyUid);
  if (!summary) return undefined;
  const rows = await db.query("SELECT * FROM series WHERE study = $1", [studyUid]);
  const series: SeriesStory[] = [];
  for (const row of rows) series.push(await seriesStory(db, row));
  return { summary, series: series.sort((a, b) => a.firstAt - b.firstAt || a.lastAt - b.lastAt) };
}

async function seriesStory(db: Db, row: Row): Promise<SeriesStory> {
  const id = String(row["id"]) as SeriesId;
  const [kept] = await db.query(
    "SELECT MIN(at) AS first_at, SUM(bytes) AS bytes, COUNT(*) AS files FROM instance WHERE series = $1",
    [id],
  );
  const [one] = await db.query("SELECT facts FROM instance WHERE series = $1 LIMIT 1", [id]);
  const { modality } = JSON.parse(String(one?.["facts"] ?? "{}")) as { readonly modality?: string };
  const senders = await db.query("SELECT DISTINCT calling, peer FROM instance WHERE series = $1", [id]);
  const runs: RunStory[] = [];
  for (const run of await db.query("SELECT * FROM run WHERE series = $1 ORDER BY revision, position", [id]))
    runs.push(await runStory(db, run));
  return {
    id,
    seriesUid: String(row["uid"]) as SeriesUid,
    ...(modality !== undefined && { modality }),
    state: row["state"] === "open" ? "open" : "closed",
    revision: Number(row["revision"]),
    firstAt: Number(kept?.["first_at"] ?? row["opened_at"]),
    lastAt: Number(row["last_at"]),
    instances: Number(row["instances"]),
    unused: Math.max(0, Number(kept?.["files"] ?? 0) - Number(row["instances"])),
    bytes: Number(kept?.["bytes"] ?? 0),
    senders: senders.map((sender) => ({
      callingAeTitle: String(sender["calling"]),
      peer: String(sender["peer"]),
    })),
    ...whereGiven({ closedAt: row["closed_at"] }, Number),
    ...whereGiven(
      { reason: row["reason"], outcome: row["outcome"], outcomeReason: row["outcome_reason"] },
      String,
    ),
    runs,
  };
}

async function runStory(db: Db, row: Row): Promise<RunStory> {
  const id = String(row["id"]) as RunId;
  const results = await db.query("SELECT * FROM result WHERE run = $1 ORDER BY form, part, file", [id]);
  const deliveries: DeliveryStory[] = [];
  for (const one of await db.query("SELECT * FROM delivery WHERE run = $1 ORDER BY destination, form, part", [
    id,
  ]))
    deliveries.push(await deliveryStory(db, one));
  return {
    id,
    revision: Number(row["revision"]),
    rule: String(row["rule"]),
    model: String(row["model"]),
    modelVersion: String(row["model_version"]),
    priority: Number(row["priority"]),
    state: String(row["state"]) as RunStory["state"],
    ...whereGiven({ code: row["code"], reason: row["reason"] }, String),
    timings: JSON.parse(String(row["timings"] ?? "{}")) as Record<string, number>,
    destinations: JSON.parse(String(row["destinations"])) as string[],
    createdAt: Number(row["created_at"]),
    ...whereGiven({ endedAt: row["ended_at"] }, Number),
    ...(row["state"] === "pending" && (await nextTry(db, "infer", id))),
    results: results.map(resultStory),
    deliveries,
  };
}

function resultStory(row: Row): ResultStory {
  return {
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

async function deliveryStory(db: Db, row: Row): Promise<DeliveryStory> {
  const id = String(row["id"]) as DeliveryId;
  return {
    id,
    destination: String(row["destination"]),
    form: String(row["form"]) as ResultForm,
    part: Number(row["part"]),
    state: String(row["state"]) as DeliveryStory["state"],
    tries: Number(row["tries"]),
    ...whereGiven({ status: row["status"], endedAt: row["ended_at"] }, Number),
    ...whereGiven({ reason: row["reason"] }, String),
    ...whereGiven({ transferSyntaxUid: row["transfer_syntax"] }, (cell) => String(cell) as TransferSyntaxUid),
    createdAt: Number(row["created_at"]),
    ...(row["state"] === "pending" && (await nextTry(db, "deliver", id))),
    ...(await commitmentOf(db, id)),
  };
}

/** What the newest question came to. */
async function commitmentOf(db: Db, delivery: DeliveryId): Promise<Pick<DeliveryStory, "commitment">> {
  const [row] = await db.query(
    "SELECT state, instances FROM commitment WHERE origin = $1 AND kind = 'asked' ORDER BY created_at DESC LIMIT 1",
    [delivery],
  );
  if (!row) return {};
  if (row["state"] === "unknown") return { commitment: "unknown" };
  if (row["state"] !== "done") return { commitment: "waiting" };
  const instances = JSON.parse(String(row["instances"])) as readonly { readonly reason?: number }[];
  return { commitment: instances.every(({ reason }) => reason === 0) ? "committed" : "refused" };
}

async function nextTry(db: Db, queue: string, key: string): Promise<{ readonly next?: NextTry }> {
  const [job] = await db.query(
    "SELECT run_at, state FROM job WHERE queue = $1 AND key = $2 AND state IN ('ready', 'active') ORDER BY state",
    [queue, key],
  );
  return job ? { next: { at: Number(job["run_at"]), isRunning: job["state"] === "active" } } : {};
}

/** A column that is NULL is a field that is not there. */
function whereGiven<Key extends string, T>(
  cells: Readonly<Record<Key, Cell | undefined>>,
  read: (cell: Cell) => T,
): Partial<Record<Key, T>> {
  const given: Partial<Record<Key, T>> = {};
  for (const key of Object.keys(cells) as Key[]) {
    const cell = cells[key];
    if (cell !== null && cell !== undefined) given[key] = read(cell);
  }
  return given;
}

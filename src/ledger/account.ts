/**
 * The account of a study, as a person checks it: what came, what was used and what not and why, why it was judged
 * complete, which rule chose what, what each model answered, what each destination said. Rows in, plain data out.
 *
 * story.ts tells the same for pages, as it is now; an account is kept for good, with the digest of every image, and so
 * names things and times as people and other programs read them.
 */
import type { Cell, Db, Row } from "./port.ts";

export interface StudyAccount {
  readonly study: string;
  /** ok | quarantined | discarded */
  readonly state: string;
  readonly reason?: string;
  readonly series: readonly SeriesAccount[];
  readonly events: readonly { readonly at: string; readonly kind: string; readonly detail: string }[];
}

export interface SeriesAccount {
  readonly series: string;
  readonly state: string;
  readonly revision: number;
  readonly completeAt?: string;
  readonly completeBecause?: string;
  readonly outcome?: string;
  /** The rule, or why there is none. */
  readonly outcomeReason?: string;
  readonly images: {
    /** With different bytes. */
    readonly received: number;
    /** How often bytes came again that were there. */
    readonly duplicates: number;
    readonly used: number;
    readonly unused: Readonly<Record<string, number>>;
  };
  readonly instances: readonly InstanceAccount[];
  readonly runs: readonly RunAccount[];
}

interface InstanceAccount {
  readonly sopInstanceUid: string;
  readonly at: string;
  readonly callingAeTitle: string;
  readonly peer: string;
  readonly transferSyntaxUid: string;
  readonly bytes: number;
  /** Of the data set as received. */
  readonly sha256: string;
  readonly duplicates: number;
  readonly unused?: string;
}

export interface RunAccount {
  readonly model: string;
  readonly modelVersion: string;
  readonly revision: number;
  readonly rule: string;
  readonly state: string;
  readonly code?: string;
  readonly reason?: string;
  readonly createdAt: string;
  readonly endedAt?: string;
  readonly timings?: unknown;
  readonly results: readonly ResultAccount[];
}

export interface ResultAccount {
  readonly sopInstanceUid: string;
  readonly form: string;
  readonly part: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly deliveries: readonly DeliveryAccount[];
}

export interface DeliveryAccount {
  readonly destination: string;
  readonly state: string;
  readonly attempts: number;
  /** Last DIMSE status, four hexadecimal digits. */
  readonly status?: string;
  readonly transferSyntaxUid?: string;
  readonly reason?: string;
  readonly at?: string;
  /** What became of the storage commitment that was asked for. */
  readonly commitment?: string;
}

/** The study that a UID belongs to: its own, that of a series, of an image, or of a result. */
export async function studyOf(db: Db, uid: string): Promise<string | undefined> {
  const [row] = await db.query(
    `SELECT study FROM (
       SELECT study, 1 AS near FROM series WHERE study = $1
       UNION SELECT study, 2 FROM series WHERE uid = $1
       UNION SELECT s.study, 3 FROM instance i JOIN series s ON s.id = i.series WHERE i.sop = $1
       UNION SELECT s.study, 4 FROM result r JOIN run u ON u.id = r.run JOIN series s ON s.id = u.series WHERE r.sop = $1
       UNION SELECT study, 5 FROM receipt WHERE study = $1
     ) AS found ORDER BY near LIMIT 1`,
    [uid],
  );
  return row && String(row["study"]);
}

/** @returns undefined for a study without rows; accountKept may have one of before its files were removed */
export async function accountOf(db: Db, study: string): Promise<StudyAccount | undefined> {
  const series = await db.query("SELECT * FROM series WHERE study = $1 ORDER BY opened_at, uid", [study]);
  if (series.length === 0) return undefined;
  const [row] = await db.query("SELECT * FROM study WHERE uid = $1", [study]);
  const events = await db.query("SELECT * FROM event WHERE study = $1 ORDER BY id", [study]);
  return {
    study,
    state: String(row?.["state"] ?? "ok"),
    ...optional("reason", row?.["reason"]),
    series: await inTurn(series, (one) => seriesAccount(db, one)),
    events: events.map(({ at, kind, detail }) => ({
      at: time(at) ?? "",
      kind: String(kind),
      detail: String(detail),
    })),
  };
}

/** Of a study whose files and rows were removed; the newest. */
export async function accountKept(db: Db, study: string): Promise<StudyAccount | undefined> {
  const [row] = await db.query("SELECT text FROM receipt WHERE study = $1 ORDER BY at DESC LIMIT 1", [study]);
  return row && (JSON.parse(String(row["text"])) as StudyAccount);
}

async function seriesAccount(db: Db, row: Row): Promise<SeriesAccount> {
  const { id = null } = row;
  const instances = await db.query("SELECT * FROM instance WHERE series = $1 ORDER BY at, id", [id]);
  const runs = await db.query("SELECT * FROM run WHERE series = $1 ORDER BY revision, position", [id]);
  const unused: Record<string, number> = {};
  for (const { unused: why } of instances) {
    if (typeof why === "string") unused[why] = (unused[why] ?? 0) + 1;
  }
  return {
    series: String(row["uid"]),
    state: String(row["state"]),
    revision: Number(row["revision"]),
    ...optional("completeAt", time(row["closed_at"])),
    ...optional("completeBecause", row["reason"]),
    ...optional("outcome", row["outcome"]),
    ...optional("outcomeReason", row["outcome_reason"]),
    images: {
      received: instances.length,
      duplicates: instances.reduce((sum, one) => sum + Number(one["duplicates"]), 0),
      used: instances.filter((one) => one["used"] === 1).length,
      unused,
    },
    instances: instances.map(instanceAccount),
    runs: await inTurn(runs, (run) => runAccount(db, run)),
  };
}

function instanceAccount(row: Row): InstanceAccount {
  return {
    sopInstanceUid: String(row["sop"]),
    at: time(row["at"]) ?? "",
    callingAeTitle: String(row["calling"]),
    peer: String(row["peer"]),
    transferSyntaxUid: String(row["transfer_syntax"]),
    bytes: Number(row["bytes"]),
    sha256: String(row["sha256"]),
    duplicates: Number(row["duplicates"]),
    ...optional("unused", row["unused"]),
  };
}

async function runAccount(db: Db, row: Row): Promise<RunAccount> {
  const { id = null, timings } = row;
  // An object may lie in several files; it is one result all the same.
  const results = await db.query("SELECT * FROM result WHERE run = $1 ORDER BY form, part, file", [id]);
  const objects = [...new Map(results.map((result) => [String(result["sop"]), result])).values()];
  const deliveries = await db.query(
    `SELECT d.*, (SELECT c.state FROM commitment c WHERE c.kind = 'asked' AND c.origin = d.id
       ORDER BY c.created_at DESC LIMIT 1) AS commitment FROM delivery d WHERE d.run = $1 ORDER BY d.destination`,
    [id],
  );
  return {
    model: String(row["model"]),
    modelVersion: String(row["model_version"]),
    revision: Number(row["revision"]),
    rule: String(row["rule"]),
    state: String(row["state"]),
    ...optional("code", row["code"]),
    ...optional("reason", row["reason"]),
    createdAt: time(row["created_at"]) ?? "",
    ...optional("endedAt", time(row["ended_at"])),
    ...(typeof timings === "string" && { timings: JSON.parse(timings) as unknown }),
    results: objects.map((result) => ({
      sopInstanceUid: String(result["sop"]),
      form: String(result["form"]),
      part: Number(result["part"]),
      bytes: Number(result["bytes"]),
      sha256: String(result["sha256"]),
      deliveries: deliveries
        .filter(({ form, part }) => form === result["form"] && part === result["part"])
        .map(deliveryAccount),
    })),
  };
}

function deliveryAccount(row: Row): DeliveryAccount {
  const { status } = row;
  return {
    destination: String(row["destination"]),
    state: String(row["state"]),
    attempts: Number(row["tries"]),
    ...(typeof status === "number" && { status: status.toString(16).toUpperCase().padStart(4, "0") }),
    ...optional("transferSyntaxUid", row["transfer_syntax"]),
    ...optional("reason", row["reason"]),
    ...optional("at", time(row["ended_at"])),
    ...optional("commitment", row["commitment"]),
  };
}

async function inTurn<In, Out>(all: readonly In[], work: (one: In) => Promise<Out>): Promise<readonly Out[]> {
  const made: Out[] = [];
  for (const one of all) made.push(await work(one));
  return made;
}

function optional<Key extends string>(key: Key, cell: Cell | undefined): { readonly [key in Key]?: string } {
  return typeof cell === "string" ? ({ [key]: cell } as { readonly [key in Key]?: string }) : {};
}

function time(cell: Cell | undefined): string | undefined {
  return typeof cell === "number" ? new Date(cell).toISOString() : undefined;
}

/**
 * The list of studies: which there are, how far each is, and whether one needs a person.
 *
 * In:   filters and a place to go on from.
 * Out:  pages of summaries, the study with the newest image first. Reads only; nothing of the patient is in a ledger.
 *
 * A study is found by its newest series (index series_recent), so that a page costs the same however many studies
 * there are. What a study is called is decided in one place, STATE below, for lists, filters and the story of one
 * study (story.ts) alike; runs of an earlier revision of a series do not count, their deliveries do.
 */
import { setImmediate } from "node:timers/promises";
import type { StudyUid } from "../dicom/uid.ts";
import type { Cell, Db, Row } from "./port.ts";
import type { DeliveryRecord, RunRecord } from "./records.ts";

/**
 * attention: a run failed or its answer was quarantined, a result is held, or the study is quarantined. Else the first that is true:
 * receiving: a series may get more images. working: a run is not over. delivering: a result is on its way.
 * done: all runs ended well and all is delivered. no-work: nothing was to be done.
 */
export const STUDY_STATES = ["attention", "receiving", "working", "delivering", "done", "no-work"] as const;
export type StudyState = (typeof STUDY_STATES)[number];

export interface StudyFilter {
  /** Digits and dots: part of a study or series UID. */
  readonly search?: string;
  readonly state?: StudyState;
  /** With a run of this model. */
  readonly model?: string;
  /** With a delivery to it. */
  readonly destination?: string;
  /** The newest image came then or later, epoch ms. */
  readonly since?: number;
  /** The newest image came before, epoch ms. */
  readonly before?: number;
}

export interface StudySummary {
  readonly studyUid: StudyUid;
  readonly state: StudyState;
  /** Epoch ms of the first and the newest image. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly series: number;
  readonly instances: number;
  /** Of the newest revisions. */
  readonly runs: Readonly<Record<RunRecord["state"], number>>;
  readonly deliveries: Readonly<Record<DeliveryRecord["state"], number>>;
  readonly models: readonly string[];
  readonly destinations: readonly string[];
}

export interface StudyPage {
  readonly studies: readonly StudySummary[];
  /** Give it as `after` for the page that follows; absent on the last. */
  readonly next?: string;
}

const PAGE = { usual: 50, most: 500 } as const;
/** How many studies are judged at once: a few milliseconds. */
const LOOK = 100;

/** @param page  `after`: what an earlier page said is next; what is no such thing begins at the start */
export async function studiesOf(
  db: Db,
  filter: StudyFilter = {},
  page: { readonly limit?: number; readonly after?: string } = {},
): Promise<StudyPage> {
  const limit = Math.max(1, Math.min(page.limit ?? PAGE.usual, PAGE.most));
  const found: Row[] = [];
  let after = cursorOf(page.after);
  // One more than is asked for tells whether there is a next page.
  while (found.length <= limit) {
    const rows = await look(db, filter, after);
    found.push(...rows.filter(({ state }) => state !== null && (filter.state ?? state) === state));
    const last = rows.at(-1);
    if (!last || rows.length < LOOK) break;
    after = { lastAt: Number(last["last_at"]), id: String(last["id"]) };
    await setImmediate(); // a rare filter looks at all studies: others may go on in between
  }
  const studies: StudySummary[] = [];
  for (const row of found.slice(0, limit)) studies.push(await summaryOf(db, row));
  const last = found.length > limit ? found[limit - 1] : undefined;
  return { studies, ...(last && { next: `${String(last["last_at"])} ${String(last["id"])}` }) };
}

/** @returns undefined if nothing of such a study came */
export async function findStudy(db: Db, uid: string): Promise<StudySummary | undefined> {
  const [row] = await db.query(
    `SELECT s.study, s.last_at, ${STATE} AS state FROM series s WHERE s.study = $1 ORDER BY s.last_at DESC LIMIT 1`,
    [uid],
  );
  return row && (await summaryOf(db, row));
}

/** How many studies want a person. */
export async function countAttention(db: Db): Promise<number> {
  const [row] = await db.query(`SELECT COUNT(*) AS studies FROM (${CANDIDATES.attention}) AS found`, []);
  return Number(row?.["studies"] ?? 0);
}

const ALL_RUNS = "FROM series x JOIN run r ON r.series = x.id WHERE x.study = s.study";
/** Runs that count, of the study of series s. */
const CURRENT_RUNS = `FROM series x JOIN run r ON r.series = x.id AND r.revision = x.revision WHERE x.study = s.study`;
const DELIVERIES = `FROM series x JOIN run r ON r.series = x.id JOIN delivery d ON d.run = r.id WHERE x.study = s.study`;

const STATE = `CASE
  WHEN EXISTS (SELECT 1 ${CURRENT_RUNS} AND r.state IN ('failed', 'quarantined')) THEN 'attention'
  WHEN EXISTS (SELECT 1 ${DELIVERIES} AND d.state = 'held') THEN 'attention'
  WHEN EXISTS (SELECT 1 FROM study y WHERE y.uid = s.study AND y.state = 'quarantined') THEN 'attention'
  WHEN EXISTS (SELECT 1 FROM series x WHERE x.study = s.study AND x.state = 'open') THEN 'receiving'
  WHEN EXISTS (SELECT 1 ${CURRENT_RUNS} AND r.state = 'pending') THEN 'working'
  WHEN EXISTS (SELECT 1 ${DELIVERIES} AND d.state = 'pending') THEN 'delivering'
  WHEN EXISTS (SELECT 1 ${CURRENT_RUNS}) THEN 'done'
  ELSE 'no-work' END`;

const OF_RUNS = `SELECT x.study FROM run r JOIN series x ON x.id = r.series AND x.revision = r.revision
  WHERE r.state`;
const OF_DELIVERIES = `SELECT x.study FROM delivery d JOIN run r ON r.id = d.run JOIN series x ON x.id = r.series
  WHERE d.state`;

/** Where studies of the states that are rare are to be looked for, so that not all have to be judged. */
const CANDIDATES = {
  attention: `${OF_RUNS} IN ('failed', 'quarantined') UNION ${OF_DELIVERIES} = 'held'
    UNION SELECT uid FROM study WHERE state = 'quarantined'`,
  receiving: "SELECT study FROM series WHERE state = 'open'",
  working: `${OF_RUNS} = 'pending'`,
  delivering: `${OF_DELIVERIES} = 'pending'`,
  done: undefined,
  "no-work": undefined,
} as const satisfies Record<StudyState, string | undefined>;

interface Cursor {
  readonly lastAt: number;
  readonly id: string;
}

function cursorOf(text: string | undefined): Cursor | undefined {
  const [, lastAt, id] = /^(\d{1,16}) (.{1,200})$/.exec(text ?? "") ?? [];
  return lastAt === undefined || id === undefined ? undefined : { lastAt: Number(lastAt), id };
}

/** The next LOOK studies, each by its newest series; `state` is NULL of those that the filter keeps out. */
function look(db: Db, filter: StudyFilter, after: Cursor | undefined): Promise<readonly Row[]> {
  const parameters: Cell[] = [];
  const given = (value: Cell): string => `$${parameters.push(value)}`;
  const { search, state, model, destination, since, before } = filter;
  const among = [
    "NOT EXISTS (SELECT 1 FROM series n WHERE n.study = c.study AND (n.last_at, n.id) > (c.last_at, c.id))",
  ];
  if (since !== undefined) among.push(`c.last_at >= ${given(since)}`);
  if (before !== undefined) among.push(`c.last_at < ${given(before)}`);
  if (after) among.push(`(c.last_at, c.id) < (${given(after.lastAt)}, ${given(after.id)})`);
  // The id of a series is the UIDs of study and series; only digits and dots are searched for, no wildcards.
  const pattern = search !== undefined && /^[0-9.]*$/.test(search) ? `%${search}%` : "";
  if (search !== undefined)
    among.push(`c.study IN (SELECT study FROM series WHERE id LIKE ${given(pattern)})`);
  const candidates = state && CANDIDATES[state];
  if (candidates) among.push(`c.study IN (${candidates})`);
  // || '' keeps SQLite from going through all runs of a model for each study.
  const fits = ["1 = 1"];
  if (model !== undefined) fits.push(`EXISTS (SELECT 1 ${ALL_RUNS} AND r.model || '' = ${given(model)})`);
  if (destination !== undefined)
    fits.push(`EXISTS (SELECT 1 ${DELIVERIES} AND d.destination || '' = ${given(destination)})`);
  return db.query(
    `SELECT s.study, s.last_at, s.id, CASE WHEN ${fits.join(" AND ")} THEN ${STATE} END AS state
     FROM (SELECT study, last_at, id FROM series c WHERE ${among.join(" AND ")}
           ORDER BY c.last_at DESC, c.id DESC LIMIT ${LOOK}) AS s
     ORDER BY s.last_at DESC, s.id DESC`,
    parameters,
  );
}

async function summaryOf(db: Db, { study, last_at, state }: Row): Promise<StudySummary> {
  const uid = String(study);
  const [all] = await db.query(
    `SELECT COUNT(*) AS series, SUM(s.instances) AS instances,
       MIN((SELECT MIN(i.at) FROM instance i WHERE i.series = s.id)) AS first_at FROM series s WHERE s.study = $1`,
    [uid],
  );
  const runs = await db.query(
    `SELECT r.model, r.state, COUNT(*) AS n ${CURRENT_RUNS} GROUP BY r.model, r.state`.replace(
      "s.study",
      "$1",
    ),
    [uid],
  );
  const deliveries = await db.query(
    `SELECT d.destination, d.state, COUNT(*) AS n ${DELIVERIES} GROUP BY d.destination, d.state`.replace(
      "s.study",
      "$1",
    ),
    [uid],
  );
  return {
    studyUid: uid as StudyUid,
    state: String(state) as StudyState,
    firstAt: Number(all?.["first_at"] ?? last_at),
    lastAt: Number(last_at),
    series: Number(all?.["series"] ?? 0),
    instances: Number(all?.["instances"] ?? 0),
    runs: counted({ pending: 0, done: 0, "no-finding": 0, failed: 0, quarantined: 0, discarded: 0 }, runs),
    deliveries: counted({ pending: 0, delivered: 0, held: 0, replaced: 0, discarded: 0 }, deliveries),
    models: namesOf(runs, "model"),
    destinations: namesOf(deliveries, "destination"),
  };
}

function counted<S extends string>(zero: Record<S, number>, rows: readonly Row[]): Record<S, number> {
  const counts = { ...zero };
  for (const row of rows) counts[String(row["state"]) as S] += Number(row["n"]);
  return counts;
}

function namesOf(rows: readonly Row[], column: string): readonly string[] {
  return [...new Set(rows.map((row) => String(row[column])))].sort();
}

/**
 * When a study may go: nothing of it is owed to anybody, and its time is over.
 *
 * Owed is a series that is open, a run that is pending, a delivery that is pending or held, a commitment that is asked for. What
 * failed or is quarantined is kept longer: somebody may want to look at it or try it again. The account of a study
 * stays for good (table receipt); its rows go with its files, so that it is new if it is sent again.
 */
import { accountOf } from "./account.ts";
import type { Db } from "./port.ts";
import type { FileId, RunId } from "./records.ts";

export interface RetentionSettings {
  /** After the last thing that happened to a study of which all is done. */
  readonly doneMs: number;
  /** The same for one of which something failed, was quarantined or discarded. */
  readonly failedMs: number;
}

/** At once: the rest comes with the next look. */
const MOST_STUDIES = 20;

/** @returns studies that may go now, the oldest first */
export async function removable(
  db: Db,
  settings: RetentionSettings,
  now: number,
): Promise<readonly string[]> {
  const rows = await db.query(
    `SELECT study FROM (
       SELECT s.study AS study,
         (SELECT MAX(at) FROM (
            SELECT last_at AS at FROM series x WHERE x.study = s.study
            UNION ALL SELECT closed_at FROM series x WHERE x.study = s.study
            UNION ALL SELECT i.at FROM instance i JOIN series x ON x.id = i.series WHERE x.study = s.study
            UNION ALL SELECT u.ended_at FROM run u JOIN series x ON x.id = u.series WHERE x.study = s.study
            UNION ALL SELECT d.ended_at FROM delivery d JOIN run u ON u.id = d.run JOIN series x ON x.id = u.series
              WHERE x.study = s.study) AS times) AS ended,
         (EXISTS (SELECT 1 FROM run u JOIN series x ON x.id = u.series
            WHERE x.study = s.study AND u.state IN ('failed', 'quarantined') AND u.code <> 'SUPERSEDED')
          OR EXISTS (SELECT 1 FROM study y WHERE y.uid = s.study AND y.state <> 'ok')) AS failed
       FROM series s
       WHERE NOT EXISTS (SELECT 1 FROM series x WHERE x.study = s.study AND x.state = 'open')
         AND NOT EXISTS (SELECT 1 FROM run u JOIN series x ON x.id = u.series
           WHERE x.study = s.study AND u.state = 'pending')
         AND NOT EXISTS (SELECT 1 FROM delivery d JOIN run u ON u.id = d.run JOIN series x ON x.id = u.series
           WHERE x.study = s.study AND d.state IN ('pending', 'held'))
         AND NOT EXISTS (SELECT 1 FROM commitment c JOIN delivery d ON d.id = c.origin JOIN run u ON u.id = d.run
           JOIN series x ON x.id = u.series WHERE x.study = s.study AND c.state IN ('new', 'waiting', 'reporting'))
       GROUP BY s.study
     ) AS ended_studies
     WHERE ended < CASE WHEN failed THEN $2 ELSE $1 END ORDER BY ended LIMIT ${MOST_STUDIES}`,
    [now - settings.doneMs, now - settings.failedMs],
  );
  return rows.map(({ study }) => String(study));
}

/** Files that have no rows any more. */
export interface Removed {
  readonly instances: readonly FileId[];
  readonly results: readonly string[];
  readonly runs: readonly RunId[];
}

export async function removeRows(t: Db, study: string, now: number): Promise<Removed> {
  const account = await accountOf(t, study);
  await t.query("INSERT INTO receipt (study, at, text) VALUES ($1, $2, $3)", [
    study,
    now,
    JSON.stringify(account),
  ]);
  const ofStudy = "SELECT id FROM series WHERE study = $1";
  const runsOfStudy = `SELECT id FROM run WHERE series IN (${ofStudy})`;
  const instances = await t.query(`DELETE FROM instance WHERE series IN (${ofStudy}) RETURNING id`, [study]);
  const results = await t.query(`DELETE FROM result WHERE run IN (${runsOfStudy}) RETURNING file`, [study]);
  await t.query(`DELETE FROM delivery WHERE run IN (${runsOfStudy})`, [study]);
  const runs = await t.query(`DELETE FROM run WHERE series IN (${ofStudy}) RETURNING id`, [study]);
  await t.query("DELETE FROM series WHERE study = $1", [study]);
  await t.query("DELETE FROM study WHERE uid = $1", [study]);
  await t.query("DELETE FROM event WHERE study = $1", [study]);
  return {
    instances: instances.map(({ id }) => String(id) as FileId),
    results: results.map(({ file }) => String(file)),
    runs: runs.map(({ id }) => String(id) as RunId),
  };
}

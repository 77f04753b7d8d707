/** What is still to be done, counted: for gauges and pages. */
import type { Db } from "./port.ts";

export interface Backlog {
  readonly jobs: readonly { readonly queue: string; readonly group: string; readonly count: number }[];
  /** By destination, of the oldest delivery that is pending. */
  readonly oldest: readonly { readonly destination: string; readonly ageMs: number }[];
  readonly heldDeliveries: number;
}

/** @param now  epoch ms */
export async function backlogOf(db: Db, now: number): Promise<Backlog> {
  const jobs = await db.query("SELECT queue, grp, COUNT(*) AS jobs FROM job GROUP BY queue, grp", []);
  const oldest = await db.query(
    "SELECT destination, MIN(created_at) AS since FROM delivery WHERE state = 'pending' GROUP BY destination",
    [],
  );
  const [held] = await db.query("SELECT COUNT(*) AS held FROM delivery WHERE state = 'held'", []);
  return {
    jobs: jobs.map((row) => ({
      queue: String(row["queue"]),
      group: String(row["grp"]),
      count: Number(row["jobs"]),
    })),
    oldest: oldest.map((row) => ({
      destination: String(row["destination"]),
      ageMs: Math.max(0, now - Number(row["since"])),
    })),
    heldDeliveries: Number(held?.["held"] ?? 0),
  };
}

/** No series of the study is open, no run and no delivery of it is pending. What is held or failed is at rest. */
export async function isStudyAtRest(db: Db, studyUid: string): Promise<boolean> {
  const [row] = await db.query(
    `SELECT
       EXISTS (SELECT 1 FROM series WHERE study = $1 AND state = 'open')
       OR EXISTS (SELECT 1 FROM series s JOIN run r ON r.series = s.id WHERE s.study = $1 AND r.state = 'pending')
       OR EXISTS (SELECT 1 FROM series s JOIN run r ON r.series = s.id JOIN delivery d ON d.run = r.id
                  WHERE s.study = $1 AND d.state = 'pending') AS busy`,
    [studyUid],
  );
  return Number(row?.["busy"]) === 0;
}

/** Destinations that get nothing for now, because somebody said so; what is for them waits. */
import type { Db } from "./port.ts";

export async function pauseDestination(t: Db, destination: string, at: number): Promise<void> {
  await t.query("INSERT INTO pause (destination, at) VALUES ($1, $2) ON CONFLICT (destination) DO NOTHING", [
    destination,
    at,
  ]);
}

/** @returns the deliveries that are due now; their jobs are the caller's to enqueue */
export async function resumeDestination(t: Db, destination: string): Promise<readonly string[]> {
  await t.query("DELETE FROM pause WHERE destination = $1", [destination]);
  const rows = await t.query("SELECT id FROM delivery WHERE state = 'pending' AND destination = $1", [
    destination,
  ]);
  return rows.map(({ id }) => String(id));
}

export async function isPaused(db: Db, destination: string): Promise<boolean> {
  return (await db.query("SELECT 1 AS paused FROM pause WHERE destination = $1", [destination])).length > 0;
}

/** What happened to a study that its rows do not show: late and conflicting images, what an operator did, alarms. */
import type { Db, Row } from "./port.ts";

export interface StudyEvent {
  readonly at: number;
  readonly study: string;
  readonly kind: string;
  /** UIDs, codes, counts; nothing of the patient. */
  readonly detail: string;
}

export async function recordEvent(t: Db, { at, study, kind, detail }: StudyEvent): Promise<void> {
  await t.query("INSERT INTO event (at, study, kind, detail) VALUES ($1, $2, $3, $4)", [
    at,
    study,
    kind,
    detail,
  ]);
}

/** In order. */
export async function eventsOf(db: Db, study: string): Promise<readonly StudyEvent[]> {
  return (await db.query("SELECT * FROM event WHERE study = $1 ORDER BY id", [study])).map(eventOf);
}

function eventOf(row: Row): StudyEvent {
  return {
    at: Number(row["at"]),
    study: String(row["study"]),
    kind: String(row["kind"]),
    detail: String(row["detail"]),
  };
}

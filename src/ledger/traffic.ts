/** What goes through each model and to each destination: how much waits, how the last ones went. Reads only. */
import type { Db, Row } from "./port.ts";

/** Of the newest runs or deliveries that ended. */
const NEWEST = 100;

export interface ModelTraffic {
  readonly waiting: number;
  readonly running: number;
  /** Of the newest runs, by how they ended. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of those that ended well: from the question to the answer, ms; and with waiting and all work. */
  readonly serverMs?: { readonly median: number; readonly slowest: number };
  readonly lastFailure?: Failure;
}

export interface DestinationTraffic {
  readonly isPaused: boolean;
  readonly pending: number;
  readonly held: number;
  /** Epoch ms of the oldest that is pending. */
  readonly oldestAt?: number;
  readonly lastDeliveredAt?: number;
  readonly lastFailure?: Failure;
}

interface Failure {
  readonly reason: string;
  readonly code?: string;
  /** Epoch ms; of one that is still tried, when it was asked for. */
  readonly at: number;
}

export async function modelTraffic(db: Db, model: string): Promise<ModelTraffic> {
  const jobs = await db.query(
    "SELECT state, COUNT(*) AS n FROM job WHERE queue = 'infer' AND grp = $1 GROUP BY state",
    [model],
  );
  const runs = await db.query(
    `SELECT state, code, reason, timings, ended_at FROM run WHERE model = $1 AND ended_at IS NOT NULL
     ORDER BY ended_at DESC LIMIT ${NEWEST}`,
    [model],
  );
  const outcomes: Record<string, number> = {};
  for (const { state } of runs) outcomes[String(state)] = (outcomes[String(state)] ?? 0) + 1;
  const times = runs.flatMap(({ timings }) => serverMs(timings)).sort((a, b) => a - b);
  const failed = runs.find(({ reason }) => reason !== null);
  return {
    waiting: countOf(jobs, "ready"),
    running: countOf(jobs, "active"),
    outcomes,
    ...(times.length > 0 && {
      serverMs: { median: times[Math.floor(times.length / 2)]!, slowest: times.at(-1)! },
    }),
    ...(failed && { lastFailure: failureOf(failed, Number(failed["ended_at"])) }),
  };
}

export async function destinationTraffic(db: Db, destination: string): Promise<DestinationTraffic> {
  const counts = await db.query(
    `SELECT state, COUNT(*) AS n, MIN(created_at) AS oldest FROM delivery
     WHERE destination = $1 AND state IN ('pending', 'held') GROUP BY state`,
    [destination],
  );
  const [paused] = await db.query("SELECT at FROM pause WHERE destination = $1", [destination]);
  const [delivered] = await db.query(
    `SELECT ended_at FROM delivery WHERE destination = $1 AND state = 'delivered' ORDER BY ended_at DESC LIMIT 1`,
    [destination],
  );
  const [failed] = await db.query(
    `SELECT reason, status, created_at, ended_at FROM delivery
     WHERE state IN ('pending', 'held') AND destination = $1 AND reason IS NOT NULL
     ORDER BY created_at DESC LIMIT 1`,
    [destination],
  );
  const oldest = counts.find(({ state }) => state === "pending")?.["oldest"];
  return {
    isPaused: paused !== undefined,
    pending: countOf(counts, "pending"),
    held: countOf(counts, "held"),
    ...(typeof oldest === "number" && { oldestAt: oldest }),
    ...(delivered && { lastDeliveredAt: Number(delivered["ended_at"]) }),
    ...(failed && { lastFailure: failureOf(failed, Number(failed["ended_at"] ?? failed["created_at"])) }),
  };
}

function countOf(rows: readonly Row[], state: string): number {
  return Number(rows.find((row) => row["state"] === state)?.["n"] ?? 0);
}

function serverMs(timings: unknown): readonly number[] {
  if (typeof timings !== "string") return [];
  const { serverMs: ms } = JSON.parse(timings) as { readonly serverMs?: number };
  return ms === undefined ? [] : [Math.round(ms)];
}

function failureOf({ reason, code, status }: Row, at: number): Failure {
  const hex = typeof status === "number" ? `${status.toString(16).toUpperCase().padStart(4, "0")}H` : code;
  return { reason: String(reason), at, ...(typeof hex === "string" && { code: hex }) };
}

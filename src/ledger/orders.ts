/**
 * What an operator orders about a study: try again what failed or is held, or give up what is left of it.
 *
 * An order to a running node is a row: written by another process, it is as durable as everything else, and the
 * owner of the ledger carries it out (takeOrders). Nothing is deleted: files and rows stay until retention.
 *
 *   retry    failed and quarantined runs, held deliveries and dead jobs are due again; a quarantined study is released
 *   discard  nothing of the study is done or sent any more; what is there can still be looked at
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { NodeError } from "../base/errors.ts";
import { recordEvent } from "./events.ts";
import type { Db, Queue, Row, Store } from "./port.ts";
import type { SeriesId } from "./records.ts";

export type OrderKind = "retry" | "discard";

export interface Order {
  readonly kind: OrderKind;
  readonly study: string;
}

export interface OrderOutcome {
  readonly runs: number;
  readonly deliveries: number;
  readonly jobs: number;
  readonly series: number;
}

/** What carrying out an order needs of the ledger. */
export interface OrderParts {
  readonly store: Store;
  readonly queue: Queue;
}

/** Call queue.wake() after it. */
export async function carryOut(
  t: Db,
  { kind, study }: Order,
  { queue, now }: { readonly queue: Queue; readonly now: number },
): Promise<OrderOutcome> {
  const outcome = kind === "retry" ? await retry(t, study, queue, now) : await discard(t, study, now);
  const { runs, deliveries, jobs, series } = outcome;
  const detail = `${series} series, ${runs} runs, ${deliveries} deliveries, ${jobs} jobs`;
  await recordEvent(t, { at: now, study, kind: `order.${kind}`, detail });
  return outcome;
}

/** @returns the orders that were waiting, which are carried out now */
export async function takeOrders({ store, queue }: OrderParts, now: number): Promise<readonly Order[]> {
  const waiting = await store.db.query(
    "SELECT id, kind, study FROM command WHERE state = 'waiting' ORDER BY id",
    [],
  );
  const taken: Order[] = [];
  for (const { id = null, kind, study } of waiting) {
    const order = { kind: String(kind) as OrderKind, study: String(study) };
    await store.transaction(async (t) => {
      const outcome = await carryOut(t, order, { queue, now });
      await t.query("UPDATE command SET state = 'done', outcome = $2 WHERE id = $1", [
        id,
        JSON.stringify(outcome),
      ]);
    });
    taken.push(order);
  }
  if (taken.length > 0) queue.wake();
  return taken;
}

/**
 * Leaves an order for the process that owns the ledger.
 *
 * @returns looks whether it was carried out, and what came of it. @throws NodeError LEDGER_FAILED
 */
export function leaveOrder(folder: string, order: Order, now: number): () => OrderOutcome | undefined {
  const path = join(folder, "ledger.sqlite");
  try {
    const database = new DatabaseSync(path);
    database.exec("PRAGMA busy_timeout=5000; PRAGMA synchronous=FULL");
    const insert = database.prepare(
      "INSERT INTO command (at, kind, study, state) VALUES (?, ?, ?, 'waiting') RETURNING id",
    );
    const id = Number(insert.get(now, order.kind, order.study)?.["id"]);
    database.close();
    return () => outcomeIn(path, id);
  } catch (cause) {
    throw new NodeError("LEDGER_FAILED", `Ledger: the order could not be left in ${folder}`, { cause });
  }
}

function outcomeIn(path: string, id: number): OrderOutcome | undefined {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const row = database.prepare("SELECT outcome FROM command WHERE id = ? AND state = 'done'").get(id);
    return row && (JSON.parse(String(row["outcome"])) as OrderOutcome);
  } finally {
    database.close();
  }
}

const RUNS_OF_STUDY = "SELECT u.id FROM run u JOIN series s ON s.id = u.series WHERE s.study = $1";

async function retry(t: Db, study: string, queue: Queue, now: number): Promise<OrderOutcome> {
  const runs = await t.query(
    `UPDATE run SET state = 'pending', code = NULL, reason = NULL, ended_at = NULL, created_at = $2
     WHERE id IN (${RUNS_OF_STUDY}) AND state IN ('failed', 'quarantined', 'discarded') AND code <> 'SUPERSEDED'
       AND revision = (SELECT revision FROM series WHERE id = run.series)
     RETURNING id, model, priority`,
    [study, now],
  );
  for (const { id, model, priority } of runs)
    await queue.enqueue(t, { ...due("infer", id, now), group: String(model), priority: Number(priority) });
  const deliveries = await t.query(
    `UPDATE delivery SET state = 'pending', created_at = $2, ended_at = NULL
     WHERE run IN (${RUNS_OF_STUDY}) AND state IN ('held', 'discarded') RETURNING id, destination`,
    [study, now],
  );
  for (const { id, destination } of deliveries)
    await queue.enqueue(t, { ...due("deliver", id, now), group: String(destination) });
  const jobs = await t.query(
    `UPDATE job SET state = 'ready', run_at = $2, attempt = 0, code = NULL
     WHERE state = 'dead' AND (key IN (${RUNS_OF_STUDY}) OR key IN (SELECT id FROM series WHERE study = $1)
       OR key IN (SELECT id FROM delivery WHERE run IN (${RUNS_OF_STUDY})))
       AND NOT EXISTS (SELECT 1 FROM job r WHERE r.queue = job.queue AND r.key = job.key AND r.state = 'ready')
     RETURNING id`,
    [study, now],
  );
  const series = await t.query(
    `UPDATE series SET state = 'open', opened_at = $2, last_at = $2 WHERE study = $1
       AND outcome IN ('quarantined', 'discarded') RETURNING id`,
    [study, now],
  );
  for (const { id } of series) await queue.enqueue(t, due("close", id, now));
  await t.query("UPDATE study SET state = 'ok', reason = NULL, patient = NULL WHERE uid = $1", [study]);
  return { runs: runs.length, deliveries: deliveries.length, jobs: jobs.length, series: series.length };
}

async function discard(t: Db, study: string, now: number): Promise<OrderOutcome> {
  const reason = "discarded by the operator";
  const runs = await t.query(
    `UPDATE run SET state = 'discarded', code = 'DISCARDED', reason = $3, ended_at = $2
     WHERE id IN (${RUNS_OF_STUDY}) AND state IN ('pending', 'failed', 'quarantined') RETURNING id`,
    [study, now, reason],
  );
  const deliveries = await t.query(
    `UPDATE delivery SET state = 'discarded', reason = $3, ended_at = $2
     WHERE run IN (${RUNS_OF_STUDY}) AND state IN ('pending', 'held') RETURNING id`,
    [study, now, reason],
  );
  const series = await t.query(
    `UPDATE series SET state = 'closed', outcome = 'discarded', outcome_reason = $3, closed_at = $2
     WHERE study = $1 AND state = 'open' RETURNING id`,
    [study, now, reason],
  );
  await t.query("UPDATE study SET state = 'discarded', reason = $2 WHERE uid = $1", [study, reason]);
  return { runs: runs.length, deliveries: deliveries.length, jobs: 0, series: series.length };
}

export async function seriesOfStudy(db: Db, study: string): Promise<readonly SeriesId[]> {
  const rows = await db.query("SELECT id FROM series WHERE study = $1", [study]);
  return rows.map(({ id }) => String(id) as SeriesId);
}

function due<Name extends "close" | "infer" | "deliver">(
  queue: Name,
  key: Row[string] | undefined,
  runAt: number,
) {
  return { queue, key: String(key), runAt };
}

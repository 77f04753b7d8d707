/** A result to one destination, until that answered. */
import { backoffMs } from "../base/backoff.ts";
import { NodeError } from "../base/errors.ts";
import type { Job } from "../ledger/port.ts";
import type { DeliveryRecord, RunRecord } from "../ledger/records.ts";
import { type Attempt, findDelivery, findRun, recordAttempt } from "../ledger/runs.ts";
import { about, type PipelineParts } from "./parts.ts";

const RETRY_DELIVERY = { firstMs: 5_000, capMs: 15 * 60_000 } as const;

/** deliver: key is a delivery. */
export async function deliverJob(job: Job, parts: PipelineParts): Promise<void> {
  const { ledger, log, clock } = parts;
  const delivery = await findDelivery(ledger.store.db, job.key);
  const run = delivery && (await findRun(ledger.store.db, delivery.runId));
  if (!delivery || delivery.state !== "pending" || !run?.result) return job.done();
  const started = clock.elapsed();
  const attempt = await tried(run, delivery, job.signal, parts);
  const tries = delivery.tries + 1;
  const waitMs = attempt.state === "pending" ? backoffMs(RETRY_DELIVERY, tries, Math.random()) : 0;
  await job.done(async (t) => {
    await recordAttempt(t, delivery.id, attempt);
    if (attempt.state !== "pending") return;
    const runAt = clock.now() + waitMs;
    await ledger.queue.enqueue(t, { queue: "deliver", key: delivery.id, runAt, group: delivery.destination });
  });
  const fields = {
    ...about(run),
    destination: delivery.destination,
    sopInstanceUid: run.result.sopInstanceUid,
    attempt: tries,
    elapsedMs: Math.round(clock.elapsed() - started),
    ...(attempt.status !== undefined && { status: attempt.status.toString(16).padStart(4, "0") }),
    ...(attempt.reason !== undefined && { reason: attempt.reason }),
  };
  if (attempt.state === "delivered") log.info("delivery.done", fields);
  else if (attempt.state === "held") log.error("delivery.held", fields);
  else log.warn("delivery.postponed", { ...fields, waitMs });
}

/** @returns what to note of this try; rejects only when the node stops */
async function tried(
  run: RunRecord,
  delivery: DeliveryRecord,
  signal: AbortSignal,
  { stages, outbox, courier, clock }: PipelineParts,
): Promise<Attempt> {
  const at = clock.now();
  const destination = stages.destinations.get(delivery.destination);
  if (!destination) return { state: "held", reason: "the destination is not configured any more", at };
  if (!run.result) throw new Error("bug: a delivery without a result");
  const late = at - delivery.createdAt > destination.retryForMs;
  const postponed = late ? "held" : "pending";
  try {
    const status = await courier.send(
      destination,
      { ...run.result, path: outbox.pathOf(run.id) },
      { signal },
    );
    const outcome = stages.outcomeOf(status);
    if (outcome === "delivered") return { state: "delivered", status, at: clock.now() };
    return {
      state: outcome === "refused" ? "held" : postponed,
      status,
      reason: "refused by the destination",
      at,
    };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof NodeError)) throw error;
    // Even a rejection or a refused context is often a setting at the peer that somebody is about to make.
    return { state: postponed, reason: error.message, at };
  }
}

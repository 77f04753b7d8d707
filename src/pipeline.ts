/**
 * The spine: a series through the stages, in order. No logic of its own.
 *
 * Three kinds of jobs; each reads its row, does its part, and ends in one transaction with what it made:
 *   close    may the series be complete? then route it and make its runs
 *   infer    a run: volume, model, label map, SEG; the SEG lies in the outbox before the job ends
 *   deliver  a result to one destination, until that answered
 * A job may run twice after a crash; what it makes is then the same thing again, under the same UIDs.
 */
import { backoffMs } from "./base/backoff.ts";
import type { Clock } from "./base/clock.ts";
import { NodeError } from "./base/errors.ts";
import type { Log } from "./base/log.ts";
import type { Courier } from "./delivery/deliver.ts";
import type { Outbox } from "./delivery/outbox.ts";
import { type AssemblySettings, decide } from "./intake/assembly.ts";
import { evidenceOf } from "./intake/evidence.ts";
import type { Senders } from "./intake/senders.ts";
import type { Ledger } from "./ledger/ledger.ts";
import type { Job } from "./ledger/port.ts";
import type { DeliveryRecord, RunRecord, SeriesId, SeriesRecord } from "./ledger/records.ts";
import {
  type Attempt,
  endRun,
  findDelivery,
  findRun,
  insertDelivery,
  insertRun,
  type RunEnd,
  recordAttempt,
  runIdOf,
} from "./ledger/runs.ts";
import { closeSeries, findSeries, instancesOf } from "./ledger/series.ts";
import type { Routing } from "./routing/rules.ts";
import type { Prepared, Stages } from "./stages.ts";

export interface PipelineParts {
  readonly stages: Stages;
  readonly ledger: Ledger;
  readonly senders: Senders;
  readonly outbox: Outbox;
  readonly courier: Courier;
  readonly assembly: AssemblySettings;
  /** When the node began to listen, epoch ms. */
  readonly upSince: number;
  readonly log: Log;
  readonly clock: Clock;
}

const PRIORITY = { stat: 10, routine: 0 } as const;
/** A run that fails for a passing reason is tried again for a day. */
const RETRY_RUN = { firstMs: 5_000, capMs: 15 * 60_000, forMs: 24 * 3_600_000 } as const;
const RETRY_DELIVERY = { firstMs: 5_000, capMs: 15 * 60_000 } as const;

/** close: key is a series. */
export async function closeJob(job: Job, parts: PipelineParts): Promise<void> {
  const { ledger, senders, stages, log, clock } = parts;
  const series = await findSeries(ledger.store.db, job.key as SeriesId);
  if (!series || series.state === "closed") {
    senders.forget(job.key as SeriesId); // known images were sent again
    return job.done();
  }
  const instances = await instancesOf(ledger.store.db, series.id);
  const [first] = instances;
  if (!first) throw new Error("bug: a series without instances");
  const stack = stages.stackEvidence(instances);
  const decision = decide(
    evidenceOf(series, instances, { ...senders.of(series.id), stack, upSince: parts.upSince }),
    parts.assembly,
    clock.now(),
  );
  const again = (runAt: number) => ({ queue: "close", key: series.id, runAt }) as const;
  if (decision.kind === "wait") {
    return job.done((t) => ledger.queue.enqueue(t, again(decision.until)));
  }
  const routing = stages.route(await stages.readHeader(first), first, instances.length);
  const closing = { at: clock.now(), reason: decision.reason, ...outcomeOfRouting(routing) };
  let revision: number | undefined;
  await job.done(async (t) => {
    revision = await closeSeries(t, series, closing);
    if (revision === undefined) return ledger.queue.enqueue(t, again(clock.now())); // another one came meanwhile
    for (const run of runsOf(series, revision, routing, parts)) {
      await insertRun(t, run);
      const { id: key, createdAt: runAt, priority, model: group } = run;
      await ledger.queue.enqueue(t, { queue: "infer", key, runAt, priority, group });
    }
  });
  ledger.queue.wake();
  if (revision === undefined) return;
  senders.forget(series.id);
  const { studyUid, seriesUid } = series;
  log.info("series.complete", {
    studyUid,
    seriesUid,
    revision,
    instances: instances.length,
    reason: decision.reason,
  });
  const { outcome, outcomeReason: reason } = closing;
  const models = routing.kind === "assigned" ? routing.assignments.length : 0;
  log.info(`series.${outcome}`, { studyUid, seriesUid, revision, reason, count: models });
}

/** infer: key is a run. */
export async function inferJob(job: Job, parts: PipelineParts): Promise<void> {
  const { ledger, stages, clock } = parts;
  const run = await findRun(ledger.store.db, job.key);
  if (!run || run.state !== "pending") return job.done();
  const series = await findSeries(ledger.store.db, run.seriesId);
  if (!series || series.state === "open" || series.revision !== run.revision) {
    return end(
      job,
      run,
      parts,
      failed("SUPERSEDED", "more images came after the series was judged complete"),
    );
  }
  try {
    if (stages.modelVersion(run.model) !== run.modelVersion) {
      return await end(job, run, parts, failed("MODEL_CHANGED", "the model has another version now"));
    }
    const instances = await instancesOf(ledger.store.db, series.id);
    await using held = await stages.hold(series, instances, job.signal);
    const prepared = held.value;
    if (prepared.kind === "rejected") {
      const code = `VOLUME_${prepared.reason.toUpperCase()}`;
      return await end(job, run, parts, failed(code, prepared.detail));
    }
    await end(job, run, parts, await inferred(run, prepared, job.signal, parts));
  } catch (error) {
    job.signal.throwIfAborted();
    if (!(error instanceof NodeError) || error.code === "LEASE_LOST" || error.code === "LEDGER_FAILED")
      throw error;
    const age = clock.now() - run.createdAt;
    if (error.failure === "transient" && age < RETRY_RUN.forMs) return postpone(job, run, error, parts);
    await end(job, run, parts, failed(error.code, error.message));
  }
}

/** A model that is away, or a full disk: the run waits longer the older it is. */
async function postpone(job: Job, run: RunRecord, error: NodeError, parts: PipelineParts): Promise<void> {
  const { ledger, log, clock } = parts;
  const age = clock.now() - run.createdAt;
  const waitMs = Math.round(Math.min(Math.max(age / 2, RETRY_RUN.firstMs), RETRY_RUN.capMs));
  const { id: key, priority, model: group } = run;
  await job.done((t) =>
    ledger.queue.enqueue(t, { queue: "infer", key, runAt: clock.now() + waitMs, priority, group }),
  );
  ledger.queue.wake();
  log.warn("run.postponed", { ...about(run), code: error.code, error, waitMs });
}

async function inferred(
  run: RunRecord,
  prepared: Prepared,
  signal: AbortSignal,
  { outbox, log, clock }: PipelineParts,
): Promise<RunEnd> {
  const answer = await prepared.infer(run, signal);
  const started = clock.elapsed();
  const encoded = await outbox.put(run.id, (path) => prepared.encode(run, answer, path));
  if (encoded.kind === "no-finding") return { state: "no-finding" };
  if (encoded.kind === "refused") return failed(`SEG_${encoded.reason.toUpperCase()}`, encoded.detail);
  const { segments, frames, bytes, sopInstanceUid, sopClassUid, sha256 } = encoded;
  const elapsedMs = Math.round(clock.elapsed() - started);
  log.info("segmentation.done", { ...about(run), sopInstanceUid, segments, frames, bytes, elapsedMs });
  const result = { sopInstanceUid, sopClassUid, sha256, bytes };
  return { state: "done", result, timings: { ...answer.timings, encodeMs: elapsedMs } };
}

async function end(job: Job, run: RunRecord, parts: PipelineParts, ended: RunEnd): Promise<void> {
  const { ledger, clock, log } = parts;
  const now = clock.now();
  await job.done(async (t) => {
    await endRun(t, run.id, ended, now);
    if (ended.state !== "done") return;
    for (const destination of run.destinations) {
      const key = await insertDelivery(t, run.id, destination, now);
      await ledger.queue.enqueue(t, {
        queue: "deliver",
        key,
        runAt: now,
        group: destination,
        priority: run.priority,
      });
    }
  });
  ledger.queue.wake();
  if (ended.state === "no-finding") log.info("run.no-finding", about(run));
  if (ended.state === "failed")
    log.warn("run.ended", { ...about(run), code: ended.code, reason: ended.reason });
}

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

function runsOf(series: SeriesRecord, revision: number, routing: Routing, parts: PipelineParts): RunRecord[] {
  if (routing.kind !== "assigned") return [];
  const { stages, clock } = parts;
  return routing.assignments.map(({ model, destinations }) => {
    const modelVersion = stages.modelVersion(model);
    return {
      id: runIdOf(series.id, revision, model, modelVersion),
      seriesId: series.id,
      revision,
      rule: routing.rule,
      model,
      modelVersion,
      priority: PRIORITY[routing.priority],
      destinations,
      position: stages.modelPosition(model),
      state: "pending",
      createdAt: clock.now(),
    };
  });
}

function outcomeOfRouting(routing: Routing): { readonly outcome: string; readonly outcomeReason: string } {
  switch (routing.kind) {
    case "assigned":
      return { outcome: "assigned", outcomeReason: routing.rule };
    case "kept-out":
      return { outcome: "kept-out", outcomeReason: routing.reason };
    case "no-rule": {
      const considered = routing.considered.map(({ rule, why }) => `${rule}: ${why}`);
      return { outcome: "no-rule", outcomeReason: considered.join("; ") };
    }
  }
}

function failed(code: string, reason: string): RunEnd {
  return { state: "failed", code, reason };
}

function about({ seriesId, model }: RunRecord): { readonly seriesUid: string; readonly model: string } {
  return { seriesUid: seriesId.split(" ")[1] ?? "", model };
}

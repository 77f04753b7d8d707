/** A run: volume, model, findings, SEG; the SEG lies in the outbox before the job ends. */
import { NodeError } from "../base/errors.ts";
import type { Job } from "../ledger/port.ts";
import type { RunRecord } from "../ledger/records.ts";
import { endRun, findRun, insertDelivery, type RunEnd } from "../ledger/runs.ts";
import { findSeries, instancesOf } from "../ledger/series.ts";
import type { Prepared } from "../stages.ts";
import { about, type PipelineParts } from "./parts.ts";

/** A run that fails for a passing reason is tried again for a day. */
const RETRY_RUN = { firstMs: 5_000, capMs: 15 * 60_000, forMs: 24 * 3_600_000 } as const;

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

function failed(code: string, reason: string): RunEnd {
  return { state: "failed", code, reason };
}

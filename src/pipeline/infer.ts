/** A run: volume, model, findings, SEG; the SEG lies in the outbox before the job ends. */
import { NodeError } from "../base/errors.ts";
import { FALL_BACK, formFor, objectsOf } from "../delivery/forms.ts";
import { type Answer, AnswerRefused } from "../inference/dispatch.ts";
import type { Db, Job } from "../ledger/port.ts";
import type { ResultRecord, RunRecord } from "../ledger/records.ts";
import { insertDelivery } from "../ledger/results.ts";
import { endRun, findRun, type RunEnd } from "../ledger/runs.ts";
import { findSeries, instancesOf, studyBar } from "../ledger/series.ts";
import type { SegFile } from "../segmentation/task.ts";
import type { AskOptions, Prepared } from "../stages.ts";
import { sayIfDone } from "./done.ts";
import { dueAt, releaseIfLast } from "./fan-in.ts";
import { enqueueDependents, standingOf } from "./needed.ts";
import { about, type PipelineParts } from "./parts.ts";
import { superseded } from "./superseding.ts";

const NO_SUCH_FORM = "the model answered with labels alone; the destination gets BINARY";
/** A run that fails for a passing reason is tried again for a day. */
const RETRY_RUN = { firstMs: 5_000, capMs: 15 * 60_000, forMs: 24 * 3_600_000 } as const;

/** infer: key is a run. */
export async function inferJob(job: Job, parts: PipelineParts): Promise<void> {
  const { ledger, stages, clock } = parts;
  const run = await findRun(ledger.store.db, job.key);
  if (!run || run.state !== "pending") return job.done();
  const series = await findSeries(ledger.store.db, run.seriesId);
  if (!series || series.state === "open" || series.revision !== run.revision) {
    const { code, message } = superseded();
    return end(job, run, parts, failed(code, message));
  }
  const bar = await studyBar(ledger.store.db, series.studyUid);
  if (bar !== undefined) return end(job, run, parts, quarantined("STUDY_QUARANTINED", bar));
  using current = parts.superseding.enter(series.id);
  const signal = AbortSignal.any([job.signal, current.signal]);
  try {
    if (stages.modelVersion(run.model) !== run.modelVersion) {
      return await end(job, run, parts, failed("MODEL_CHANGED", "the model has another version now"));
    }
    const standing = await standingOf(run, parts);
    if (standing.kind === "waits") return await job.done();
    if (standing.kind === "unmet") return await end(job, run, parts, failed("NEED_UNMET", standing.reason));
    const instances = await instancesOf(ledger.store.db, series.id);
    await using held = await stages.hold(series, instances, signal);
    stages.handOver(run);
    const prepared = held.value;
    if (prepared.kind === "rejected") {
      const code = `VOLUME_${prepared.reason.toUpperCase()}`;
      return await end(job, run, parts, failed(code, prepared.detail));
    }
    const { missing } = standing;
    await end(job, run, parts, await inferred(run, prepared, { signal, missing }, parts));
  } catch (error) {
    job.signal.throwIfAborted();
    if (current.signal.aborted) {
      const { code, message } = current.signal.reason as NodeError;
      return end(job, run, parts, failed(code, message));
    }
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
  options: AskOptions,
  parts: PipelineParts,
): Promise<RunEnd> {
  try {
    const answer = await prepared.infer(run, options);
    await wakeDependents(run, parts);
    const ended = await segmented(run, prepared, answer, parts);
    const { received, measurements } = answer;
    if (ended.state === "quarantined") await keep(run, received, parts);
    else if (measurements !== undefined) await parts.outbox.keepMeasurements(run.id, measurements);
    return ended;
  } catch (error) {
    if (!(error instanceof AnswerRefused)) throw error;
    await keep(run, error.received, parts);
    return quarantined(error.code, error.message);
  }
}

/** They need the findings, not the files made of them; the volume is kept for them until they take it. */
async function wakeDependents(run: RunRecord, parts: PipelineParts): Promise<void> {
  const { ledger, stages } = parts;
  if (stages.dependents(run.model).length === 0) return;
  const waiting = await ledger.store.transaction((t) => enqueueDependents(t, run, parts));
  await Promise.all(waiting.map((other) => stages.keepFor(other)));
  ledger.queue.wake();
}

/** Findings to files in the outbox. */
async function segmented(
  run: RunRecord,
  prepared: Prepared,
  answer: Answer,
  { stages, outbox, log, clock }: PipelineParts,
): Promise<RunEnd> {
  const started = clock.elapsed();
  try {
    const made = await outbox.put(run.id, (prefix) => prepared.encode(run, answer, prefix));
    if (made.kind === "refused") return quarantined(`SEG_${made.reason.toUpperCase()}`, made.detail);
    if (made.kind === "no-finding") {
      return stages.mayFindNothing(run.model)
        ? { state: "no-finding" }
        : quarantined("SEG_EMPTY", `model ${run.model} found nothing, which its config does not allow`);
    }
    const elapsedMs = Math.round(clock.elapsed() - started);
    if (made.absent.length > 0)
      log.info("segmentation.labels-absent", { ...about(run), count: made.absent.length });
    if (made.unknown.length > 0)
      log.warn("segmentation.labels-unknown", { ...about(run), count: made.unknown.length });
    if (made.lostVoxels > 0) log.warn("segmentation.voxels-lost", { ...about(run), count: made.lostVoxels });
    for (const { sopInstanceUid, form, segments, frames, bytes } of made.objects)
      log.info("segmentation.done", {
        ...about(run),
        sopInstanceUid,
        form,
        segments,
        frames,
        bytes,
        elapsedMs,
      });
    sayReplaced(run, made.objects, { stages, log });
    const results = made.objects.map((object) => resultOf(run, object));
    return { state: "done", results, timings: { ...answer.timings, encodeMs: elapsedMs } };
  } catch (error) {
    if (!(error instanceof NodeError && error.code === "SEG_INVALID")) throw error;
    return quarantined(error.code, error.message);
  }
}

/** Of labels no FRACTIONAL object can be made; who wants one gets what stands for it. */
function sayReplaced(
  run: RunRecord,
  objects: readonly SegFile[],
  { stages, log }: Pick<PipelineParts, "stages" | "log">,
): void {
  for (const destination of run.destinations) {
    const form = stages.destinations.get(destination)?.segmentation.as;
    if (form === undefined || objects.some((object) => object.form === form)) continue;
    const reason = `the model keeps no probabilities; ${FALL_BACK.toUpperCase()} goes`;
    log.warn("segmentation.form-replaced", { ...about(run), destination, form, reason });
  }
}

function resultOf(run: RunRecord, object: SegFile): ResultRecord {
  const { name: file, form, part, transferSyntaxUid, sopInstanceUid, sopClassUid, sha256, bytes } = object;
  return { runId: run.id, file, form, part, transferSyntaxUid, sopInstanceUid, sopClassUid, sha256, bytes };
}

/** The answer is evidence for a person; a disk that does not take it changes nothing about the run. */
async function keep(run: RunRecord, answer: Uint8Array, { quarantine, log }: PipelineParts): Promise<void> {
  try {
    await quarantine.keep(run.id, answer);
  } catch (error) {
    log.warn("run.answer-not-kept", { ...about(run), error });
  }
}

async function end(job: Job, run: RunRecord, parts: PipelineParts, ended: RunEnd): Promise<void> {
  const { ledger, clock, log } = parts;
  const now = clock.now();
  let isOurs = true;
  await job.done(async (t) => {
    isOurs = (await findRun(t, run.id))?.state === "pending"; // or an operator discarded it meanwhile
    if (!isOurs) return;
    await endRun(t, run.id, ended, now);
    if (ended.state === "done") await deliver(t, run, ended.results, parts);
    await enqueueDependents(t, run, parts);
    await releaseIfLast(t, run, parts);
  });
  ledger.queue.wake();
  parts.stages.handOver(run);
  if (!isOurs) return;
  switch (ended.state) {
    case "done":
      return log.debug("run.done", about(run));
    case "no-finding":
      log.info("run.no-finding", about(run));
      break;
    case "failed":
      log.warn("run.ended", { ...about(run), code: ended.code, reason: ended.reason });
      break;
    case "quarantined":
      log.warn("run.quarantined", { ...about(run), code: ended.code, reason: ended.reason });
      break;
  }
  await sayIfDone(run, parts);
}

/** Every destination gets every object of the form it wants, or of the one that stands for it. */
async function deliver(
  t: Db,
  run: RunRecord,
  results: readonly ResultRecord[],
  parts: PipelineParts,
): Promise<void> {
  const { ledger, stages, clock, log } = parts;
  const now = clock.now();
  const runAt = dueAt(run, parts);
  for (const destination of run.destinations) {
    const wanted = stages.destinations.get(destination)?.segmentation.as;
    const form = formFor(wanted, results);
    if (wanted && form !== wanted)
      log.warn("delivery.replaced", { ...about(run), destination, form: wanted, reason: NO_SUCH_FORM });
    for (const object of objectsOf(results, form)) {
      const key = await insertDelivery(t, object, destination, now);
      const { priority } = run;
      await ledger.queue.enqueue(t, { queue: "deliver", key, runAt, group: destination, priority });
    }
  }
}

function failed(code: string, reason: string): RunEnd {
  return { state: "failed", code, reason };
}

function quarantined(code: string, reason: string): RunEnd {
  return { state: "quarantined", code, reason };
}

/** One object of a result to one destination, until that answered. */
import { backoffMs } from "../base/backoff.ts";
import { digestOf } from "../base/digest.ts";
import { type ErrorCode, NodeError } from "../base/errors.ts";
import type { Destination } from "../delivery/deliver.ts";
import { FALL_BACK, filesOf, objectsOf } from "../delivery/forms.ts";
import { STATUS } from "../dicom/constants.ts";
import { isPaused } from "../ledger/pauses.ts";
import type { Job } from "../ledger/port.ts";
import type { DeliveryRecord, ResultRecord, RunRecord } from "../ledger/records.ts";
import { type Attempt, findDelivery, insertDelivery, recordAttempt, resultsOf } from "../ledger/results.ts";
import { findRun } from "../ledger/runs.ts";
import { askAbout } from "./commit.ts";
import { sayIfDone } from "./done.ts";
import { about, type PipelineParts } from "./parts.ts";

const RETRY_DELIVERY = { firstMs: 5_000, capMs: 15 * 60_000 } as const;
/** How often a delivery to a paused destination is looked at. */
const PAUSED_LOOK_MS = 3_600_000;

/** A mistake in somebody's settings, not a peer that is away: a person should look at it today. */
type Tried = Attempt & {
  readonly isMistake?: boolean;
  /** Whether the destination answered at all, if it was asked. */
  readonly peer?: "up" | "down";
};

interface Delivering {
  readonly run: RunRecord;
  readonly delivery: DeliveryRecord;
  /** All of the run. */
  readonly results: readonly ResultRecord[];
  /** Of the object to be delivered. */
  readonly object: ResultRecord;
}

/** deliver: key is a delivery. */
export async function deliverJob(job: Job, parts: PipelineParts): Promise<void> {
  const { ledger, log, clock } = parts;
  const delivery = await findDelivery(ledger.store.db, job.key);
  const run = delivery && (await findRun(ledger.store.db, delivery.runId));
  const results = delivery ? await resultsOf(ledger.store.db, delivery.runId) : [];
  const object = results.find(({ form, part }) => form === delivery?.form && part === delivery.part);
  if (!delivery || delivery.state !== "pending" || !run || !object) return job.done();
  const { destination: group } = delivery;
  if (await isPaused(ledger.store.db, group)) {
    const runAt = clock.now() + PAUSED_LOOK_MS; // resuming makes it due at once
    await job.done((t) => ledger.queue.enqueue(t, { queue: "deliver", key: delivery.id, runAt, group }));
    return log.debug("delivery.paused", { ...about(run), destination: group });
  }
  const delivering = { run, delivery, results, object };
  const started = clock.elapsed();
  const attempt = await tried(delivering, job.signal, parts);
  const tries = delivery.tries + 1;
  const waitMs = attempt.state === "pending" ? backoffMs(RETRY_DELIVERY, tries, Math.random()) : 0;
  await job.done(async (t) => {
    await recordAttempt(t, delivery.id, attempt);
    const again = (key: string, runAt: number) =>
      ledger.queue.enqueue(t, { queue: "deliver", key, runAt, group });
    const isAsked = parts.stages.destinations.get(group)?.storageCommitment ?? false;
    if (attempt.state === "delivered" && isAsked) await askAbout(t, delivery, object, parts);
    if (attempt.state === "pending") await again(delivery.id, clock.now() + waitMs);
    if (attempt.state !== "replaced") return;
    for (const other of objectsOf(results, FALL_BACK))
      await again(await insertDelivery(t, other, group, clock.now()), clock.now());
  });
  if (attempt.state !== "pending") ledger.queue.wake();
  if (attempt.peer) await parts.reachability.told(delivery.destination, attempt.peer);
  const fields = {
    ...about(run),
    destination: delivery.destination,
    sopInstanceUid: object.sopInstanceUid,
    form: object.form,
    attempt: tries,
    elapsedMs: Math.round(clock.elapsed() - started),
    ...(attempt.transferSyntaxUid !== undefined && { transferSyntaxUid: attempt.transferSyntaxUid }),
    ...(attempt.status !== undefined && { status: attempt.status.toString(16).padStart(4, "0") }),
    ...(attempt.reason !== undefined && { reason: attempt.reason }),
  };
  switch (attempt.state) {
    case "delivered":
      log.info("delivery.done", fields);
      return sayIfDone(run, parts);
    case "replaced":
      return log.warn("delivery.replaced", fields);
    case "held":
      log.error("delivery.held", fields);
      return sayIfDone(run, parts);
    case "pending":
      return log[attempt.isMistake ? "error" : "warn"]("delivery.postponed", { ...fields, waitMs });
  }
}

/** The destination, not this object, is the matter: another object would fare no better now. */
const PEER_DOWN: ReadonlySet<ErrorCode> = new Set([
  "ASSOCIATION_FAILED",
  "ASSOCIATION_REJECTED_TRANSIENT",
  "ASSOCIATION_REJECTED_PERMANENT",
  "STORE_UNANSWERED",
]);

/** @returns what to note of this try; rejects only when the node stops */
async function tried(delivering: Delivering, signal: AbortSignal, parts: PipelineParts): Promise<Tried> {
  const { delivery } = delivering;
  const { stages, clock } = parts;
  const at = clock.now();
  const destination = stages.destinations.get(delivery.destination);
  if (!destination) return { state: "held", reason: "the destination is not configured any more", at };
  parts.log.debug("delivery.started", { ...about(delivering.run), destination: destination.name });
  const late = at - delivery.createdAt > destination.retryForMs;
  const postponed = late ? "held" : "pending";
  try {
    const sent = await send(delivering, destination, signal, parts);
    const outcome = stages.outcomeOf(sent.status);
    if (outcome === "delivered") return { state: "delivered", ...sent, at: clock.now(), peer: "up" };
    const peer = isOutOfResources(sent.status) ? "down" : "up";
    if (sent.status === STATUS.SOP_CLASS_NOT_SUPPORTED && canBeReplaced(delivering))
      return { state: "replaced", status: sent.status, reason: notTaken(delivering), at, peer };
    const state = outcome === "refused" ? "held" : postponed;
    return { state, status: sent.status, reason: "refused by the destination", at, peer };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof NodeError)) throw error;
    if (error.code === "CONTEXT_REFUSED" && canBeReplaced(delivering))
      return { state: "replaced", reason: notTaken(delivering), at, peer: "up" };
    if (error.code === "STORED_DAMAGED") return { state: "held", reason: error.message, at };
    // Even a rejection or a refused context is often a setting at the peer that somebody is about to make.
    const peer = PEER_DOWN.has(error.code) ? "down" : error.code === "CONTEXT_REFUSED" ? "up" : undefined;
    const isMistake = error.failure === "permanent";
    return { state: postponed, reason: error.message, at, isMistake, ...(peer && { peer }) };
  }
}

async function send(
  { results, object }: Delivering,
  destination: Destination,
  signal: AbortSignal,
  { outbox, courier }: PipelineParts,
) {
  const files = filesOf(results, object, destination.segmentation.compression);
  const { sopClassUid, sopInstanceUid } = object;
  for (const { file, sha256 } of files) await verified(outbox.pathOf(file), sha256);
  const parcel = {
    sopClassUid,
    sopInstanceUid,
    files: files.map(({ file, transferSyntaxUid }) => ({ path: outbox.pathOf(file), transferSyntaxUid })),
  };
  return courier.send(destination, parcel, { signal });
}

/** @throws NodeError STORED_DAMAGED, STORAGE_FAILED */
async function verified(path: string, sha256: string): Promise<void> {
  const digest = await digestOf(path).catch((cause: unknown) => {
    throw new NodeError("STORAGE_FAILED", "Result: its file cannot be read", { cause });
  });
  if (digest !== sha256) throw new NodeError("STORED_DAMAGED", "Result: its file is not as it was made");
}

function isOutOfResources(status: number): boolean {
  return status >> 8 === STATUS.OUT_OF_RESOURCES >> 8;
}

function canBeReplaced({ object, results }: Delivering): boolean {
  return object.form !== FALL_BACK && results.some(({ form }) => form === FALL_BACK);
}

function notTaken({ object }: Delivering): string {
  return `the destination does not take ${object.form.toUpperCase()} segmentations; it gets BINARY ones`;
}

/**
 * Storage commitment towards destinations: what was delivered is asked about until the destination has answered.
 *
 * A destination may report on the association that asked, on a later one, or on one it opens itself; all three come
 * to `reported`, which notes what it says before it is answered. What it has not committed is sent again, a few
 * times; what it says nothing about in time is unknown, and said aloud.
 */
import type { CommitmentHandler } from "../association/notice.ts";
import { NodeError } from "../base/errors.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import {
  COMMITMENT_SYNTAX,
  type CommitmentReport,
  encodeRequest,
  type InstanceReference,
} from "../dicom/commitment.ts";
import { SOP_CLASS, STATUS } from "../dicom/constants.ts";
import {
  askedUid,
  type CommitmentId,
  type CommitmentInstance,
  type CommitmentRecord,
  changeCommitment,
  commitKey,
  commitmentsIn,
  findCommitment,
  insertCommitment,
  reopenDelivery,
  roundsOf,
} from "../ledger/commitments.ts";
import type { Db, Job } from "../ledger/port.ts";
import type { DeliveryId, DeliveryRecord } from "../ledger/records.ts";
import { type CommitDestination, type CommitParts, hex, waitFor } from "./commit-parts.ts";

/** How long an association that has asked is kept for the report. */
const LINGER_MS = 5_000;
/** How often the same object is sent because it was not committed. */
const MOST_ROUNDS = 4;
/** Sending the same object again cannot help, PS3.3 C.14.1.1. */
const FOR_GOOD: ReadonlySet<number> = new Set([
  STATUS.CLASS_INSTANCE_CONFLICT,
  STATUS.SOP_CLASS_NOT_SUPPORTED,
]);
/** How an N-ACTION is answered that the destination will report on; the second one: it knows the request already. */
const TAKEN: ReadonlySet<number> = new Set([STATUS.SUCCESS, STATUS.DUPLICATE_TRANSACTION_UID]);

/** With the note that an object was delivered: from now on the destination is asked about it. */
export async function askAbout(
  t: Db,
  delivery: Pick<DeliveryRecord, "id" | "destination">,
  { sopClassUid, sopInstanceUid }: InstanceReference,
  { ledger, clock }: Pick<CommitParts, "ledger" | "clock">,
): Promise<void> {
  const { id: origin, destination: peer } = delivery;
  await insertAsked(t, { origin, peer, instances: [{ sopClassUid, sopInstanceUid }] }, clock.now());
  await ledger.queue.enqueue(t, {
    queue: "commit",
    key: commitKey({ kind: "asked", peer }),
    runAt: clock.now(),
  });
}

/** The first or the next time that we ask about it. */
export async function insertAsked(
  t: Db,
  what: Pick<CommitmentRecord, "origin" | "peer" | "instances">,
  createdAt: number,
): Promise<void> {
  const transactionUid = askedUid(what.origin, (await roundsOf(t, what.origin)) + 1);
  const id = transactionUid as string as CommitmentId;
  await insertCommitment(t, { ...what, id, transactionUid, kind: "asked", state: "new", createdAt });
}

/** Asks one destination about all that is new, and gives up what is late. */
export async function askJob(job: Job, name: string, parts: CommitParts): Promise<void> {
  const { ledger, destinations, clock } = parts;
  const destination = destinations.get(name);
  const of = { kind: "asked", peer: name } as const;
  const fresh: CommitmentRecord[] = [];
  for (const record of await commitmentsIn(ledger.store.db, ["new", "waiting"], of)) {
    const why = lateness(record, destination, clock.now());
    if (why !== undefined) await giveUp(record, why, parts);
    else if (record.state === "new") fresh.push(record);
  }
  if (destination && fresh.length > 0) await ask(destination, fresh, job.signal, parts);
  await job.done(async (t) => {
    const left = await commitmentsIn(t, ["new", "waiting"], of);
    const now = clock.now();
    const next = left.map((one) => one.dueAt ?? now + waitFor(one, now));
    if (next.length === 0) return;
    await ledger.queue.enqueue(t, {
      queue: "commit",
      key: commitKey(of),
      runAt: Math.min(...next),
      group: name,
    });
  });
  ledger.queue.wake();
}

/** What a destination reports, on whichever association. @returns the status to answer; @throws LEDGER_FAILED */
export async function reported(from: AeTitle, report: CommitmentReport, parts: CommitParts): Promise<number> {
  const { ledger, destinations, log } = parts;
  const { transactionUid } = report;
  const says = new Map<string, number>();
  for (const { sopInstanceUid, reason } of report.failed) says.set(sopInstanceUid, reason);
  for (const { sopInstanceUid } of report.committed) says.set(sopInstanceUid, STATUS.SUCCESS);
  const status = await ledger.store.transaction(async (t) => {
    const record = await findCommitment(t, transactionUid);
    if (record?.kind !== "asked") return STATUS.INVALID_ARGUMENT_VALUE;
    if (destinations.get(record.peer)?.aeTitle !== from) return STATUS.NOT_AUTHORIZED;
    if (record.state === "done") return STATUS.SUCCESS; // said again
    const instances = record.instances.map((one): CommitmentInstance => {
      const reason = says.get(one.sopInstanceUid) ?? one.reason;
      return reason === undefined ? one : { ...one, reason };
    });
    if (instances.every(({ reason }) => reason !== undefined)) await settle(t, record, instances, parts);
    else await changeCommitment(t, record.id, { ...record, instances });
    return STATUS.SUCCESS;
  });
  if (status !== STATUS.SUCCESS) {
    log.warn("commitment.report-refused", { callingAeTitle: from, transactionUid, status: hex(status) });
    return status;
  }
  const [count, failed] = [report.committed.length, report.failed.length];
  const fields = { callingAeTitle: from, transactionUid, count };
  const reasons = [...new Set(report.failed.map(({ reason }) => hex(reason)))].join(", ");
  if (failed === 0) log.info("commitment.done", fields);
  else log.error("commitment.failed", { ...fields, instances: failed, reason: reasons });
  ledger.queue.wake();
  return status;
}

async function ask(
  destination: CommitDestination,
  fresh: readonly CommitmentRecord[],
  signal: AbortSignal,
  parts: CommitParts,
): Promise<void> {
  const { peers, clock, log } = parts;
  const awaited = new Set(fresh.map(({ transactionUid }) => transactionUid));
  const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
  const commitment: CommitmentHandler = {
    requested: async () => STATUS.NOT_AUTHORIZED,
    async reported(from, report) {
      const status = await reported(from, report, parts);
      awaited.delete(report.transactionUid);
      if (awaited.size === 0) hear();
      return status;
    },
  };
  const contexts = [{ abstractSyntax: SOP_CLASS.STORAGE_COMMITMENT, transferSyntaxes: [COMMITMENT_SYNTAX] }];
  try {
    await using association = await peers.associate(destination, { contexts, commitment, signal });
    for (const record of fresh) {
      const dataSet = [encodeRequest(record)];
      const status = await association.tell({ kind: "request", typeId: 1, dataSet }, { signal });
      await noteAnswer(record, destination, status, parts);
    }
    const limit = clock.after(LINGER_MS, hear);
    signal.addEventListener("abort", () => hear(), { once: true });
    await Promise.race([heard, association.ended]);
    limit[Symbol.dispose]();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof NodeError) || error.code === "LEDGER_FAILED") throw error;
    const { name } = destination;
    log.warn("commitment.postponed", { destination: name, count: fresh.length, reason: error.message });
  }
}

async function noteAnswer(
  record: CommitmentRecord,
  destination: CommitDestination,
  status: number,
  { ledger, log, clock }: CommitParts,
): Promise<void> {
  const fields = { destination: destination.name, transactionUid: record.transactionUid };
  const isTaken = TAKEN.has(status);
  await ledger.store.transaction(async (t) => {
    const now = await findCommitment(t, record.id);
    if (now?.state !== "new") return; // the report was faster than the answer
    const dueAt = clock.now() + destination.commitWithinMs;
    if (isTaken) await changeCommitment(t, record.id, { state: "waiting", dueAt });
    else await changeCommitment(t, record.id, { state: "new", reason: `N-ACTION answered ${hex(status)}` });
  });
  if (isTaken) log.info("commitment.asked", { ...fields, count: record.instances.length });
  else log.warn("commitment.postponed", { ...fields, status: hex(status) });
}

/** Undefined while there is hope. */
function lateness(
  { state, createdAt, dueAt = Number.POSITIVE_INFINITY }: CommitmentRecord,
  destination: CommitDestination | undefined,
  now: number,
): string | undefined {
  if (!destination) return "the destination is not configured any more";
  if (state === "waiting") return now >= dueAt ? "no report in time" : undefined;
  return now - createdAt > destination.retryForMs ? "the destination could not be asked in time" : undefined;
}

/** Unknown is neither committed nor failed; a late report is still taken. */
async function giveUp(record: CommitmentRecord, reason: string, parts: CommitParts): Promise<void> {
  const { ledger, log, clock } = parts;
  await ledger.store.transaction(async (t) => {
    await changeCommitment(t, record.id, { state: "unknown", endedAt: clock.now(), reason });
    const asked = await findCommitment(t, record.origin);
    if (asked) await passOn(t, asked, record.instances, parts);
  });
  const { peer: destination, transactionUid } = record;
  log.error("commitment.unknown", { destination, transactionUid, count: record.instances.length, reason });
}

/** All is known: what was not committed is sent again, or passed on to the device that had asked. */
async function settle(
  t: Db,
  record: CommitmentRecord,
  instances: readonly CommitmentInstance[],
  parts: CommitParts,
): Promise<void> {
  const { ledger, clock } = parts;
  await changeCommitment(t, record.id, { state: "done", instances, endedAt: clock.now() });
  const asked = await findCommitment(t, record.origin);
  if (asked) return passOn(t, asked, instances, parts);
  const failure = instances.find(({ reason }) => reason !== STATUS.SUCCESS)?.reason;
  if (failure === undefined) return;
  const { peer: group } = record;
  const runAt = clock.now();
  if (failure === STATUS.DUPLICATE_TRANSACTION_UID) {
    const again = instances.map(({ sopClassUid, sopInstanceUid }) => ({ sopClassUid, sopInstanceUid }));
    await insertAsked(t, { ...record, instances: again }, runAt);
    return ledger.queue.enqueue(t, { queue: "commit", key: commitKey(record), runAt, group });
  }
  const id = record.origin as DeliveryId;
  const isHopeless = FOR_GOOD.has(failure) || (await roundsOf(t, record.origin)) >= MOST_ROUNDS;
  const reason = `not committed by the destination, reason ${hex(failure)}`;
  await reopenDelivery(t, id, { state: isHopeless ? "held" : "pending", reason });
  if (!isHopeless) await ledger.queue.enqueue(t, { queue: "deliver", key: id, runAt, group });
}

/** What is not known is not committed. */
async function passOn(
  t: Db,
  asked: CommitmentRecord,
  known: readonly CommitmentInstance[],
  { ledger, clock }: CommitParts,
): Promise<void> {
  const instances = known.map((one) => ({ ...one, reason: one.reason ?? STATUS.PROCESSING_FAILURE }));
  await changeCommitment(t, asked.id, { state: "reporting", instances });
  const { peer: group } = asked;
  await ledger.queue.enqueue(t, { queue: "commit", key: commitKey(asked), runAt: clock.now(), group });
}

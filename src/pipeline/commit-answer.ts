/**
 * Storage commitment towards devices: what they ask us to be responsible for, and what we say.
 *
 * A device is told that an instance is safe if the node keeps it; or, where its entry names a destination (`via`),
 * only if that destination has committed it. The report goes to the device on an association of our own, in the role
 * of the SCP: the one way that PS3.4 J.3.3 guarantees.
 */
import type { CommitmentHandler } from "../association/notice.ts";
import { NodeError } from "../base/errors.ts";
import {
  COMMITMENT_SYNTAX,
  type CommitmentReport,
  encodeReport,
  type FailedInstance,
} from "../dicom/commitment.ts";
import { SOP_CLASS, STATUS } from "../dicom/constants.ts";
import {
  answeredId,
  type CommitmentInstance,
  type CommitmentRecord,
  changeCommitment,
  commitKey,
  commitmentsIn,
  insertCommitment,
  keptClasses,
} from "../ledger/commitments.ts";
import type { Job } from "../ledger/port.ts";
import { askJob, insertAsked, reported } from "./commit.ts";
import { type CommitParts, type Device, hex, waitFor } from "./commit-parts.ts";

/** How long a device is tried that does not take its report. */
const REPORT_FOR_MS = 72 * 3_600_000;
/** Instances looked up in one turn of the event loop. */
const LOOK_UPS_AT_ONCE = 200;

/** commit: key is a destination to be asked, or a device to be answered. */
export function commitJob(job: Job, parts: CommitParts): Promise<void> {
  const [, kind = "", peer = ""] = /^(\w+) (.*)$/.exec(job.key) ?? [];
  return kind === "asked" ? askJob(job, peer, parts) : answerJob(job, peer, parts);
}

/** For every association, whoever opened it. */
export function commitmentHandler(parts: CommitParts): CommitmentHandler {
  const guarded = async (work: () => Promise<number>): Promise<number> => {
    try {
      return await work();
    } catch (error) {
      parts.log.error("commitment.not-noted", { error });
      return STATUS.PROCESSING_FAILURE;
    }
  };
  return {
    reported: (from, report) => guarded(() => reported(from, report, parts)),
    requested: (from, request) => guarded(() => requested(from, request, parts)),
  };
}

type Requested = CommitmentHandler["requested"];

/** Answered when it would survive a crash. A request that comes again is looked at again. */
async function requested(
  from: Parameters<Requested>[0],
  { transactionUid, instances }: Parameters<Requested>[1],
  { ledger, devices, log, clock }: CommitParts,
): Promise<number> {
  if (!devices.has(from)) {
    log.warn("commitment.request-refused", {
      callingAeTitle: from,
      transactionUid,
      reason: "not configured",
    });
    return STATUS.NOT_AUTHORIZED;
  }
  const id = answeredId(from, transactionUid);
  const of = { kind: "answered", peer: from } as const;
  await ledger.store.transaction(async (t) => {
    const record = { ...of, id, transactionUid, origin: "", state: "new", instances } as const;
    const isNew = await insertCommitment(t, { ...record, createdAt: clock.now() });
    if (!isNew) await changeCommitment(t, id, { state: "new", instances });
    await ledger.queue.enqueue(t, { queue: "commit", key: commitKey(of), runAt: clock.now(), group: from });
  });
  ledger.queue.wake();
  log.info("commitment.requested", { callingAeTitle: from, transactionUid, count: instances.length });
  return STATUS.SUCCESS;
}

async function answerJob(job: Job, aeTitle: string, parts: CommitParts): Promise<void> {
  const { ledger, devices, clock, log } = parts;
  const device = devices.get(aeTitle);
  const of = { kind: "answered", peer: aeTitle } as const;
  for (const record of await commitmentsIn(ledger.store.db, ["new"], of)) {
    if (device?.via === undefined) await judge(record, parts);
    else await passToDestination(record, device.via, parts);
  }
  const due: CommitmentRecord[] = [];
  for (const record of await commitmentsIn(ledger.store.db, ["reporting"], of)) {
    if (device && clock.now() - record.createdAt <= REPORT_FOR_MS) due.push(record);
    else {
      const reason = device
        ? "the device could not be told in time"
        : "the device is not configured any more";
      await ledger.store.transaction((t) =>
        changeCommitment(t, record.id, { state: "unreported", endedAt: clock.now(), reason }),
      );
      log.error("commitment.unreported", { peer: aeTitle, transactionUid: record.transactionUid, reason });
    }
  }
  if (device && due.length > 0) await report(device, due, job.signal, parts);
  await job.done(async (t) => {
    const now = clock.now();
    const next = (await commitmentsIn(t, ["new", "reporting"], of)).map((one) => now + waitFor(one, now));
    if (next.length === 0) return;
    const runAt = Math.min(...next);
    await ledger.queue.enqueue(t, { queue: "commit", key: commitKey(of), runAt, group: aeTitle });
  });
  ledger.queue.wake();
}

/** What the node keeps is committed: its bytes are as safe as its disk. */
async function judge(record: CommitmentRecord, { ledger, clock }: CommitParts): Promise<void> {
  const instances: CommitmentInstance[] = [];
  for (const { sopClassUid, sopInstanceUid } of record.instances) {
    if (instances.length % LOOK_UPS_AT_ONCE === LOOK_UPS_AT_ONCE - 1) await clock.sleep(0);
    const classes = await keptClasses(ledger.store.db, sopInstanceUid);
    const known = classes.includes(sopClassUid) ? STATUS.SUCCESS : STATUS.CLASS_INSTANCE_CONFLICT;
    const reason = classes.length === 0 ? STATUS.NO_SUCH_SOP_INSTANCE : known;
    instances.push({ sopClassUid, sopInstanceUid, reason });
  }
  await ledger.store.transaction((t) => changeCommitment(t, record.id, { state: "reporting", instances }));
}

async function passToDestination(
  record: CommitmentRecord,
  via: string,
  { ledger, clock }: CommitParts,
): Promise<void> {
  await ledger.store.transaction(async (t) => {
    const { id: origin, instances } = record;
    await insertAsked(t, { origin, peer: via, instances }, clock.now());
    await changeCommitment(t, record.id, { state: "waiting" });
    const key = commitKey({ kind: "asked", peer: via });
    await ledger.queue.enqueue(t, { queue: "commit", key, runAt: clock.now(), group: via });
  });
}

async function report(
  device: Device,
  due: readonly CommitmentRecord[],
  signal: AbortSignal,
  { peers, ledger, log, clock }: CommitParts,
): Promise<void> {
  const { aeTitle: peer } = device;
  const contexts = [
    {
      abstractSyntax: SOP_CLASS.STORAGE_COMMITMENT,
      transferSyntaxes: [COMMITMENT_SYNTAX],
      role: "scp",
    } as const,
  ];
  try {
    await using association = await peers.associate(device, { contexts, signal });
    for (const record of due) {
      const { id, transactionUid } = record;
      const what = reportOf(record);
      const message = {
        kind: "report",
        typeId: what.failed.length > 0 ? 2 : 1,
        dataSet: [encodeReport(what)],
      } as const;
      const status = await association.tell(message, { signal });
      const isTold = status === STATUS.SUCCESS;
      const reason = `N-EVENT-REPORT answered ${hex(status)}`;
      await ledger.store.transaction((t) =>
        changeCommitment(
          t,
          id,
          isTold ? { state: "done", endedAt: clock.now() } : { state: "reporting", reason },
        ),
      );
      const fields = {
        peer,
        transactionUid,
        count: what.committed.length,
        instances: record.instances.length,
      };
      if (isTold) log.info("commitment.reported", fields);
      else log.warn("commitment.postponed", { ...fields, status: hex(status) });
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof NodeError) || error.code === "LEDGER_FAILED") throw error;
    log.warn("commitment.postponed", { peer, count: due.length, reason: error.message });
  }
}

function reportOf({ transactionUid, instances }: CommitmentRecord): CommitmentReport {
  const failed = instances.flatMap(({ reason, ...one }): FailedInstance[] =>
    reason === STATUS.SUCCESS ? [] : [{ ...one, reason: reason ?? STATUS.PROCESSING_FAILURE }],
  );
  return { transactionUid, committed: instances.filter(({ reason }) => reason === STATUS.SUCCESS), failed };
}

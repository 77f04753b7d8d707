/** An intake with a real spool and a real ledger in a folder of its own, and a sender as the SCP would be. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../src/base/clock.ts";
import type { Log, LogFields } from "../../src/base/log.ts";
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../../src/dicom/uid.ts";
import { Admission } from "../../src/intake/admission.ts";
import { Intake, type IntakeSettings } from "../../src/intake/intake.ts";
import { Senders } from "../../src/intake/senders.ts";
import { Spool } from "../../src/intake/spool.ts";
import { type Ledger, openLedger } from "../../src/ledger/ledger.ts";
import { EXPLICIT } from "../support/bytes.ts";
import { HandClock } from "../support/clock.ts";

export interface TestIntake extends AsyncDisposable {
  readonly intake: Intake;
  readonly spool: Spool;
  readonly ledger: Ledger;
  readonly senders: Senders;
  /** Every line logged: event, then fields. */
  readonly logged: readonly (readonly [event: string, fields: LogFields])[];
  /** Names of the files in the spool that hold something: the others are spares. */
  files(): Promise<readonly string[]>;
}

export const QUIET_MS = 30_000;
const LIMITS = { sequenceDepth: 256, headerBytes: 64 * 1024 * 1024, instanceBytes: 2 ** 31 };

export async function testIntake(
  folder: string,
  options: {
    readonly clock?: Clock;
    readonly reserveBytes?: number;
    readonly limits?: Partial<IntakeSettings>;
  } = {},
): Promise<TestIntake> {
  const clock = options.clock ?? new HandClock();
  const logged: (readonly [string, LogFields])[] = [];
  const note = (event: string, fields: LogFields): void => void logged.push([event, fields]);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const ledger = await openLedger(folder, { log, clock });
  const spoolFolder = join(folder, "instances");
  const spool = await Spool.open(spoolFolder);
  const senders = new Senders();
  const admission = new Admission(folder, options.reserveBytes ?? 0, { log, clock });
  const { group, queue } = ledger;
  const settings = { ...LIMITS, quietPeriodMs: QUIET_MS, late: "supersede" as const, ...options.limits };
  const intake = new Intake({ spool, admission, senders, group, queue, settings, log, clock });
  return {
    intake,
    spool,
    ledger,
    senders,
    logged,
    files: () => instancesIn(spoolFolder),
    async [Symbol.asyncDispose]() {
      await spool[Symbol.asyncDispose]();
      ledger[Symbol.dispose]();
    },
  };
}

/** Names of the files that are no spares. */
export async function instancesIn(spoolFolder: string): Promise<readonly string[]> {
  const names = await readdir(spoolFolder);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(spoolFolder, name))).size));
  return names.filter((_, at) => sizes[at] !== 0);
}

export const SENDER = { id: 7, callingAeTitle: "CBCT1", calledAeTitle: "ISOCENTER", peer: "127.0.0.1" };

export interface Sent {
  readonly dataSet: Uint8Array;
  readonly association?: number;
  readonly sopClassUid?: string;
  readonly sopInstanceUid?: string;
  readonly transferSyntaxUid?: string;
  readonly fragmentBytes?: number;
}

/** The request of what `ctImage()` makes, unless it is said otherwise. */
export function requestOf(sent: Omit<Sent, "dataSet"> = {}) {
  return {
    association: { ...SENDER, id: sent.association ?? SENDER.id },
    sopClassUid: (sent.sopClassUid ?? "1.2.840.10008.5.1.4.1.1.2") as SopClassUid,
    sopInstanceUid: (sent.sopInstanceUid ?? "1.2.3.4.5.1") as InstanceUid,
    transferSyntaxUid: (sent.transferSyntaxUid ?? EXPLICIT) as TransferSyntaxUid,
  };
}

/** One C-STORE. @returns the status that is answered */
export async function store(intake: Intake, sent: Sent): Promise<number> {
  const sink = intake.open(requestOf(sent));
  if (typeof sink === "number") return sink;
  const size = sent.fragmentBytes ?? 65_536;
  for (let at = 0; at < sent.dataSet.length; at += size) {
    if (!sink.write(sent.dataSet.subarray(at, at + size))) await sink.drained();
  }
  return sink.finish();
}

/**
 * From the association to the disk: an instance is answered Success when its file and its row are durable.
 *
 * In:   store requests and fragments from association/scp.ts (whose handler this is, structurally).
 * Out:  files in the spool, rows in the ledger, a due time for the series' completion.
 * The data set is never parsed as a whole: its head is read for the attributes that place it, and the lengths of its
 * elements are followed to its end; PS3.4 B.2.3 says which status tells the sender what was wrong.
 */
import type { Clock } from "../base/clock.ts";
import { type ErrorCode, NodeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { fromKeywords } from "../dicom/build.ts";
import { STATUS } from "../dicom/constants.ts";
import type { DataSet } from "../dicom/data-set.ts";
import { DeflatedCheck } from "../dicom/deflated.ts";
import { encodeMeta } from "../dicom/encode.ts";
import { type Instance, LAST_INSTANCE_TAG, readInstance } from "../dicom/instance.ts";
import { encodingOf, isDeflated, readDataSetHead, readPart10Header } from "../dicom/part10.ts";
import { StructureCheck } from "../dicom/structure.ts";
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../dicom/uid.ts";
import type { GroupCommit } from "../ledger/group-commit.ts";
import type { Queue } from "../ledger/port.ts";
import type { InstanceRecord, SeriesId } from "../ledger/records.ts";
import { type LatePolicy, type Recorded, recordInstance, seriesIdOf } from "../ledger/series.ts";
import type { Admission } from "./admission.ts";
import type { Senders } from "./senders.ts";
import type { Spool } from "./spool.ts";
import type { SpoolFile, Written } from "./spool-file.ts";

/** What is read of each data set before it is on the disk; a longer header is read back from the file. */
const HEAD_BYTES = 64 * 1024;
/** What says where an instance belongs; read on the event loop, so no more than takes some 200 ms. */
const UP_TO_PLACE = { last: LAST_INSTANCE_TAG, mostElements: 150_000 };

export interface IntakeSettings {
  readonly quietPeriodMs: number;
  readonly late: LatePolicy;
  /** How deep sequences may lie in sequences. */
  readonly sequenceDepth: number;
  /** How much of an instance is read to find its UIDs. */
  readonly headerBytes: number;
  /** The largest instance that is taken, once inflated. */
  readonly instanceBytes: number;
}

interface Sender {
  readonly id: number;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  readonly peer: string;
}

interface Request {
  readonly association: Sender;
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  readonly transferSyntaxUid: TransferSyntaxUid;
}

interface Parts {
  readonly spool: Spool;
  readonly admission: Admission;
  readonly senders: Senders;
  readonly group: GroupCommit;
  readonly queue: Queue;
  readonly settings: IntakeSettings;
  /** Told of every instance that is kept and used, after it is durable. */
  readonly onKept?: (series: SeriesId, instance: InstanceRecord) => void;
  /** Images came to a series that was complete: what was made of it is of yesterday. */
  readonly onReopened?: (series: SeriesId) => void;
  readonly log: Log;
  readonly clock: Clock;
}

export class Intake {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  admit(): "ok" | "busy" {
    return this.#parts.admission.isOpen ? "ok" : "busy";
  }

  open(request: Request): Arriving | number {
    if (!this.#parts.admission.isOpen) return STATUS.OUT_OF_RESOURCES;
    return new Arriving(request, this.#parts);
  }

  /** The series it sent to may be complete now. */
  closed(association: Sender, how: "released" | "aborted"): void {
    const { senders, clock } = this.#parts;
    const settled = senders.ended(association.id, how, clock.now());
    if (settled.length > 0) void this.#lookAt(settled);
  }

  /** Cannot reject: without it the series are complete a quiet period later. */
  async #lookAt(series: readonly SeriesId[]): Promise<void> {
    const { group, queue, clock, log } = this.#parts;
    try {
      await group.add(async (t) => {
        for (const key of series) await queue.enqueue(t, { queue: "close", key, runAt: clock.now() });
      });
      queue.wake();
    } catch (error) {
      log.error("intake.not-recorded", { error });
    }
  }
}

/** One instance on its way in. */
class Arriving {
  readonly #request: Request;
  readonly #parts: Parts;
  readonly #file: SpoolFile;
  /** Of a data set that is not deflated. */
  readonly #structure: StructureCheck | undefined;
  readonly #deflated: DeflatedCheck | undefined;
  #bytes = 0;
  /** Less than the reserve is free: nothing more of it is written. */
  #full = false;

  constructor(request: Request, parts: Parts) {
    this.#request = request;
    this.#parts = parts;
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = request;
    const { sequenceDepth: depth, instanceBytes: bytes } = parts.settings;
    if (isDeflated(transferSyntaxUid)) this.#deflated = new DeflatedCheck({ bytes, depth });
    else this.#structure = new StructureCheck(encodingOf(transferSyntaxUid), depth);
    const identity = fromKeywords({ SOPClassUID: sopClassUid, SOPInstanceUID: sopInstanceUid });
    this.#file = parts.spool.create(encodeMeta(transferSyntaxUid, identity));
  }

  write(fragment: Uint8Array): boolean {
    // One that is larger than what is left must not take the room of the ledger and of results.
    const { admission } = this.#parts;
    admission.take(fragment.length);
    if ((this.#full ||= !admission.isOpen)) return true;
    this.#bytes += fragment.length;
    this.#structure?.write(fragment);
    const isBehind = this.#deflated?.write(fragment) === false;
    return this.#file.write(fragment) && !isBehind;
  }

  async drained(): Promise<void> {
    await this.#file.drained();
    await this.#deflated?.drained();
  }

  discard(): Promise<void> {
    this.#deflated?.[Symbol.dispose]();
    return this.#file.discard();
  }

  /** @returns the status to answer; never rejects */
  async finish(): Promise<number> {
    const { log } = this.#parts;
    try {
      if (this.#full) throw new NodeError("STORAGE_FULL", "Spool: less than the reserve is free");
      const fault = this.#deflated ? await this.#deflated.end() : this.#structure?.end();
      if (fault !== undefined) throw new NodeError("DATA_SET_INVALID", `Data set: ${fault}`);
      const head = this.#readHead();
      const instance = head && this.#instanceOf(head);
      const written = await this.#file.finish();
      await this.#record(instance ?? this.#instanceOf(await this.#readHeader(written.path)), written);
      return STATUS.SUCCESS;
    } catch (error) {
      // It may have a row, and the row may be durable: the sender is told to come again, and is answered by that.
      if (!isCode(error, "LEDGER_NOT_FLUSHED")) await this.discard();
      const { association, sopInstanceUid } = this.#request;
      log.warn("intake.refused", { association: association.id, sopInstanceUid, error });
      return statusOf(error);
    }
  }

  /** @returns undefined if the header is longer than what is read at first */
  #readHead(): DataSet | undefined {
    const isPrefix = this.#bytes > HEAD_BYTES;
    const head = this.#file.head(HEAD_BYTES);
    const dataSet = readDataSetHead(head, this.#request.transferSyntaxUid, { ...UP_TO_PLACE, isPrefix });
    if (!dataSet && !isPrefix) throw new NodeError("DATA_SET_INVALID", "Data set: ends inside an element");
    return dataSet;
  }

  async #readHeader(path: string): Promise<DataSet> {
    const mostBytes = this.#parts.settings.headerBytes;
    return (await readPart10Header(path, { ...UP_TO_PLACE, mostBytes })).dataSet;
  }

  /** @throws NodeError DATA_SET_INVALID, INSTANCE_MISMATCH */
  #instanceOf(dataSet: DataSet): Instance {
    const { sopClassUid, sopInstanceUid } = this.#request;
    const read = readInstance(dataSet);
    if (read.kind === "incomplete") {
      throw new NodeError("DATA_SET_INVALID", `Data set: no valid ${read.missing}`);
    }
    const { instance } = read;
    if (instance.sopInstanceUid !== sopInstanceUid || instance.sopClassUid !== sopClassUid) {
      throw new NodeError("INSTANCE_MISMATCH", "Data set: its SOP UIDs are not those of the command");
    }
    return instance;
  }

  async #record(instance: Instance, written: Written): Promise<void> {
    const { association, transferSyntaxUid } = this.#request;
    const record: InstanceRecord = {
      ...instance,
      ...written,
      transferSyntaxUid,
      callingAeTitle: association.callingAeTitle,
      calledAeTitle: association.calledAeTitle,
      peer: association.peer,
      at: this.#parts.clock.now(),
    };
    const { group, queue, senders, settings, spool, onReopened } = this.#parts;
    const series = seriesIdOf(record.studyUid, record.seriesUid);
    const recorded = await group.add(async (t) => {
      const result = await recordInstance(t, record, settings.late);
      const runAt = record.at + settings.quietPeriodMs;
      if (opens(result)) await queue.enqueue(t, { queue: "close", key: series, runAt });
      return result;
    });
    if (recorded !== "late") senders.sends(this.#request.association.id, series);
    if (opens(recorded)) queue.wake();
    if (recorded === "reopened") onReopened?.(series);
    if (recorded === "duplicate") await spool.remove(record.id).catch(() => {}); // an orphan at the next start
    if (opens(recorded) || recorded === "added") this.#parts.onKept?.(series, record);
    this.#say(recorded, record);
  }

  #say(recorded: Recorded, { studyUid, seriesUid, sopInstanceUid }: Instance): void {
    const association = this.#request.association.id;
    const fields = { association, studyUid, seriesUid, sopInstanceUid };
    if (recorded === "conflict" || recorded === "late") this.#parts.log.warn(`intake.${recorded}`, fields);
    else if (recorded === "reopened") this.#parts.log.info("intake.reopened", fields);
    else this.#parts.log.debug(`intake.${recorded}`, fields);
  }
}

function opens(recorded: Recorded): boolean {
  return recorded === "opened" || recorded === "reopened";
}

function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof NodeError && error.code === code;
}

function statusOf(error: unknown): number {
  if (!(error instanceof NodeError)) return STATUS.PROCESSING_FAILURE;
  if (error.code === "DATA_SET_INVALID") return STATUS.CANNOT_UNDERSTAND;
  if (error.code === "INSTANCE_MISMATCH") return STATUS.DATA_SET_DOES_NOT_MATCH_SOP_CLASS;
  return error.failure !== "permanent" ? STATUS.OUT_OF_RESOURCES : STATUS.PROCESSING_FAILURE;
}

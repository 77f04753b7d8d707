/**
 * The data sets of Storage Commitment, PS3.4 J.3.2 and J.3.3: bytes ⇄ records. Pure.
 *
 * Written in Implicit VR Little Endian, which everybody has to take, and read in what the context agreed on.
 */
import { NodeError } from "../base/errors.ts";
import { fromKeywords, type KeywordRecord } from "./build.ts";
import { STATUS, TRANSFER_SYNTAX } from "./constants.ts";
import { type DataSet, itemsOf, numberOf, stringOf } from "./data-set.ts";
import { tagOf } from "./dictionary.ts";
import { encodeImplicit } from "./encode.ts";
import { encodingOf } from "./part10.ts";
import { readDataSet, ShortRead } from "./read.ts";
import { type InstanceUid, parseUid, type SopClassUid, type TransferSyntaxUid, type Uid } from "./uid.ts";

export interface InstanceReference {
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
}

export interface CommitmentRequest {
  readonly transactionUid: Uid;
  readonly instances: readonly InstanceReference[];
}

export interface FailedInstance extends InstanceReference {
  /** (0008,1197) Failure Reason, PS3.3 C.14.1.1. */
  readonly reason: number;
}

export interface CommitmentReport {
  readonly transactionUid: Uid;
  readonly committed: readonly InstanceReference[];
  readonly failed: readonly FailedInstance[];
}

/** The syntax that what is encoded here is in. */
export const COMMITMENT_SYNTAX = TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN;

export function encodeRequest({ transactionUid, instances }: CommitmentRequest): Uint8Array {
  return encodeImplicit(
    fromKeywords({ TransactionUID: transactionUid, ReferencedSOPSequence: instances.map(referenceItem) }),
  );
}

/** A sequence without items is left out: neither may be empty. */
export function encodeReport({ transactionUid, committed, failed }: CommitmentReport): Uint8Array {
  const failures = failed.map(({ sopClassUid, sopInstanceUid, reason }) => ({
    ReferencedSOPClassUID: sopClassUid,
    ReferencedSOPInstanceUID: sopInstanceUid,
    FailureReason: reason,
  }));
  return encodeImplicit(
    fromKeywords({
      TransactionUID: transactionUid,
      ReferencedSOPSequence: committed.length > 0 ? committed.map(referenceItem) : undefined,
      FailedSOPSequence: failures.length > 0 ? failures : undefined,
    }),
  );
}

/** @throws NodeError DATA_SET_INVALID without a transaction or an instance, or where one of them is no UID */
export function decodeRequest(bytes: Uint8Array, syntax: TransferSyntaxUid): CommitmentRequest {
  const dataSet = read(bytes, syntax);
  const instances = itemsOf(dataSet, REFERENCED).map(referenceOf);
  if (instances.length === 0) throw invalid("no instances");
  return { transactionUid: transactionOf(dataSet), instances };
}

/** @throws NodeError DATA_SET_INVALID without a transaction, or where something is no UID */
export function decodeReport(bytes: Uint8Array, syntax: TransferSyntaxUid): CommitmentReport {
  const dataSet = read(bytes, syntax);
  return {
    transactionUid: transactionOf(dataSet),
    committed: itemsOf(dataSet, REFERENCED).map(referenceOf),
    failed: itemsOf(dataSet, FAILED).map((item) => {
      const { sopClassUid, sopInstanceUid } = referenceOf(item);
      const reason = numberOf(item, tagOf("FailureReason")) ?? STATUS.PROCESSING_FAILURE;
      return { sopClassUid, sopInstanceUid, reason };
    }),
  };
}

const REFERENCED = tagOf("ReferencedSOPSequence");
const FAILED = tagOf("FailedSOPSequence");

function referenceItem({ sopClassUid, sopInstanceUid }: InstanceReference): KeywordRecord {
  return { ReferencedSOPClassUID: sopClassUid, ReferencedSOPInstanceUID: sopInstanceUid };
}

function referenceOf(item: DataSet): InstanceReference {
  const sopClassUid = parseUid<SopClassUid>(stringOf(item, tagOf("ReferencedSOPClassUID")));
  const sopInstanceUid = parseUid<InstanceUid>(stringOf(item, tagOf("ReferencedSOPInstanceUID")));
  if (!sopClassUid || !sopInstanceUid) throw invalid("a reference without UIDs");
  return { sopClassUid, sopInstanceUid };
}

function transactionOf(dataSet: DataSet): Uid {
  const uid = parseUid<Uid>(stringOf(dataSet, tagOf("TransactionUID")));
  if (!uid) throw invalid("no Transaction UID");
  return uid;
}

function read(bytes: Uint8Array, syntax: TransferSyntaxUid): DataSet {
  try {
    return readDataSet(bytes, 0, encodingOf(syntax)).dataSet;
  } catch (cause) {
    if (cause instanceof ShortRead) throw invalid("cut off");
    throw cause;
  }
}

function invalid(what: string): NodeError {
  return new NodeError("DATA_SET_INVALID", `Storage commitment: ${what}`);
}

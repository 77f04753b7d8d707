/**
 * Storage commitment as the association knows it: requests and reports that come in, and who is told of them.
 *
 * The data set of either is gathered whole, within a bound, and read; who is told decides the status, after what
 * it says would survive a crash.
 */
import { NodeError } from "../base/errors.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import {
  type CommitmentReport,
  type CommitmentRequest,
  decodeReport,
  decodeRequest,
} from "../dicom/commitment.ts";
import { STATUS } from "../dicom/constants.ts";
import type { TransferSyntaxUid } from "../dicom/uid.ts";
import { Gather } from "./gather.ts";
import type { InstanceSink } from "./storage-handler.ts";

/** Each call resolves with the status to answer, PS3.7 10.1.1 and 10.1.4. A rejection ends the association. */
export interface CommitmentHandler {
  /** N-ACTION: a peer asks us to take responsibility for instances. */
  requested(from: AeTitle, request: CommitmentRequest): Promise<number>;
  /** N-EVENT-REPORT: a peer says which of the instances we asked about it has taken responsibility for. */
  reported(from: AeTitle, report: CommitmentReport): Promise<number>;
}

export interface Notice {
  readonly kind: "request" | "report";
  readonly from: AeTitle;
  readonly transferSyntaxUid: TransferSyntaxUid;
}

/** Some 30,000 instances. */
const LONGEST_BYTES = 4 * 1024 * 1024;

export function noticeSink(notice: Notice, handler: CommitmentHandler): InstanceSink {
  const gathered = new Gather();
  let isTooLong = false;
  return {
    write(fragment) {
      isTooLong ||= gathered.length + fragment.length > LONGEST_BYTES;
      if (!isTooLong) gathered.add(fragment);
      return true;
    },
    drained: async () => {},
    discard: async () => {},
    async finish() {
      return isTooLong ? STATUS.RESOURCE_LIMITATION : told(notice, gathered.take(), handler);
    },
  };
}

async function told(
  { kind, from, transferSyntaxUid }: Notice,
  bytes: Uint8Array,
  handler: CommitmentHandler,
): Promise<number> {
  try {
    return kind === "request"
      ? await handler.requested(from, decodeRequest(bytes, transferSyntaxUid))
      : await handler.reported(from, decodeReport(bytes, transferSyntaxUid));
  } catch (error) {
    if (error instanceof NodeError && error.code === "DATA_SET_INVALID") return STATUS.INVALID_ARGUMENT_VALUE;
    throw error;
  }
}

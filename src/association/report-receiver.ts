/**
 * Reports of storage commitment that come on an association we have opened, between our own operations.
 *
 * In:   commands and fragments of the peer's N-EVENT-REPORT (message-reader.ts).
 * Out:  the report for the handler, the status for the peer.
 */
import type { AeTitle } from "../dicom/ae-title.ts";
import { STATUS } from "../dicom/constants.ts";
import type { Command } from "./command.ts";
import { AbortReason } from "./dimse.ts";
import type { Context } from "./negotiation.ts";
import { type CommitmentHandler, noticeSink } from "./notice.ts";
import { type Operation, operationOf } from "./operation.ts";
import type { Wait } from "./pdu-reader.ts";
import { PeerFault } from "./peer-fault.ts";
import type { InstanceSink } from "./storage-handler.ts";

export interface ReportReceiverParts {
  readonly from: AeTitle;
  readonly handler: CommitmentHandler;
  readonly respond: (contextId: number, request: Command, status: number) => void;
}

export class ReportReceiver {
  readonly #parts: ReportReceiverParts;
  #incoming:
    | { readonly contextId: number; readonly command: Command; readonly sink: InstanceSink | number }
    | undefined;
  #answered: Promise<void> = Promise.resolve();

  constructor(parts: ReportReceiverParts) {
    this.#parts = parts;
  }

  /** What came was answered, whatever became of it. Never rejects. */
  get answered(): Promise<void> {
    return this.#answered;
  }

  /** @throws PeerFault where the peer asks for anything else than a destination may */
  begin(contextId: number, command: Command, context: Context): Wait {
    const operation = operationOf(command, context);
    const sink = this.#sinkFor(operation, context);
    this.#incoming = { contextId, command, sink };
    return command.hasDataSet ? undefined : this.end();
  }

  #sinkFor(operation: Operation, { transferSyntaxUid }: Context): InstanceSink | number {
    const { from, handler } = this.#parts;
    if (operation.kind === "answer" && operation.status !== STATUS.SUCCESS) return operation.status;
    if (operation.kind === "commitment" && operation.notice === "report") {
      return noticeSink({ kind: "report", from, transferSyntaxUid }, handler);
    }
    throw new PeerFault("request on an association that is ours", AbortReason.UnexpectedPduParameter);
  }

  take(bytes: Uint8Array): undefined {
    const sink = this.#incoming?.sink;
    if (typeof sink === "object") sink.write(bytes);
  }

  end(): Wait {
    const incoming = this.#incoming;
    this.#incoming = undefined;
    if (!incoming) return undefined;
    const { contextId, command, sink } = incoming;
    const respond = (status: number): void => this.#parts.respond(contextId, command, status);
    if (typeof sink === "number") {
      respond(sink);
      return undefined;
    }
    const answer = sink.finish().then(respond);
    this.#answered = answer.catch(() => {});
    return answer;
  }
}

/**
 * One association from the side that calls: Verification, Storage and Storage Commitment, PS3.4 annexes A, B and J.
 *
 * In:   a socket that is connecting; data sets as bytes in the transfer syntax of their context.
 * Out:  the status the peer gave each instance, or an error that says whether it may have the instance already.
 *
 *   opening ──accepted──▶ open ──release──▶ over
 *   opening, open ──rejected, aborted, no progress──▶ over (whoever waits is told)
 *
 * One operation at a time. Every promise given settles: by the response, the end of the association, or because the
 * connection did not move for stallMs, and after the last byte for the time a slow peer may need to read it.
 */
import type { Socket } from "node:net";
import { type ErrorCode, NodeError } from "../base/errors.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import { COMMITMENT_INSTANCE, SOP_CLASS } from "../dicom/constants.ts";
import type { TransferSyntaxUid } from "../dicom/uid.ts";
import type { AssociateAccept, ContextProposal } from "./associate-pdu.ts";
import { COMMAND, type Command, encodeCommand, RESPONSE_BIT } from "./command.ts";
import { AbortReason, Priority, RejectResult } from "./dimse.ts";
import type { Indication } from "./indication.ts";
import { MessageReader } from "./message-reader.ts";
import { acceptedContexts, type Context, isTooShort } from "./negotiation.ts";
import type { CommitmentHandler } from "./notice.ts";
import { responseTo } from "./operation.ts";
import { PDV_HEADER_BYTES } from "./pdu.ts";
import type { Wait } from "./pdu-reader.ts";
import { PeerFault } from "./peer-fault.ts";
import { ReportReceiver } from "./report-receiver.ts";
import { isAnswer, type StoreAnswer, storeAnswer } from "./response.ts";
import {
  type CommitmentMessage,
  type DataSetBytes,
  type Instance,
  sendMessage,
  underWayMs,
} from "./send-message.ts";
import { UpperLayer } from "./upper-layer.ts";
import type { UpperLayerSettings } from "./upper-layer-user.ts";

export interface RequestorSettings extends UpperLayerSettings {
  readonly request: Uint8Array;
  readonly proposals: readonly ContextProposal[];
  readonly calledAeTitle: AeTitle;
  /** For messages. */
  readonly peerName: string;
  /** Is told of reports that come on this association. */
  readonly commitment?: CommitmentHandler | undefined;
  /** Longest response taken. */
  readonly commandBytes: number;
  /** How long the peer may take to answer a release. */
  readonly releaseMs: number;
}

/** An operation whose response is to come. */
interface Outstanding {
  readonly contextId: number;
  readonly request: Command;
  readonly resolve: (response: Command) => void;
  readonly reject: (error: unknown) => void;
}

/** Longest data value sent, whatever the peer would take. */
const VALUE_BYTES = 128 * 1024;
const LAST_MESSAGE_ID = 0xffff;

export class Requestor implements AsyncDisposable {
  readonly #settings: RequestorSettings;
  readonly #upper: UpperLayer;
  readonly #messages: MessageReader;
  readonly #reports: ReportReceiver | undefined;
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #contexts: ReadonlyMap<number, Context> = new Map();
  #valueBytes = VALUE_BYTES;
  #messageId = 0;
  #isBusy = false;
  #outstanding: Outstanding | undefined;

  constructor(socket: Socket, settings: RequestorSettings) {
    this.#settings = settings;
    const { commitment: handler, calledAeTitle: from } = settings;
    this.#reports = handler && new ReportReceiver({ from, handler, respond: this.#respond });
    this.#messages = new MessageReader(
      {
        command: (contextId, command) => this.#command(contextId, command),
        dataSetFragment: (bytes) => this.#reports?.take(bytes),
        dataSetEnd: () => this.#reports?.end(),
      },
      settings.commandBytes,
    );
    this.#upper = UpperLayer.request(
      socket,
      {
        indicate: (indication) => this.#indicated(indication),
        fragment: (pdv, bytes, isEnd) => this.#messages.fragment(pdv, bytes, isEnd),
        failed: (error) => this.#fail("ASSOCIATION_FAILED", "internal error", error),
        ended: (reason) => {
          this.#fail("ASSOCIATION_FAILED", reason ?? "association released");
          this.#ended.resolve();
        },
      },
      settings,
    );
  }

  /** Settles once. @throws NodeError ASSOCIATION_FAILED, ASSOCIATION_REJECTED_TRANSIENT or _PERMANENT */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Settles when the connection is gone; never rejects. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get isFlushed(): boolean {
    return this.#upper.isFlushed;
  }

  get isOpen(): boolean {
    return this.#upper.isOpen;
  }

  /** Whether instances of this class can be sent in this syntax. */
  accepted(abstractSyntax: string, transferSyntaxUid: TransferSyntaxUid): boolean {
    return this.#contextIdOf(abstractSyntax, transferSyntaxUid) !== undefined;
  }

  /**
   * Sends one instance and waits for its response.
   *
   * @throws  NodeError CONTEXT_REFUSED; ASSOCIATION_FAILED if the association is not open, nothing was sent then;
   *          STORE_UNANSWERED if it ended before the response; what the data set throws; the signal's reason
   */
  async store(instance: Instance, options: { readonly signal?: AbortSignal } = {}): Promise<StoreAnswer> {
    const { sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet } = instance;
    const contextId = this.#contextIdOf(sopClassUid, transferSyntaxUid);
    if (contextId === undefined) {
      throw this.#error("CONTEXT_REFUSED", `does not take ${sopClassUid} in ${transferSyntaxUid}`);
    }
    const command = { field: COMMAND.C_STORE_RQ, sopClassUid, sopInstanceUid, priority: Priority.Medium };
    return storeAnswer(await this.#exchange(contextId, command, { ...options, dataSet }));
  }

  /** C-ECHO; resolves with the status. @throws as store() */
  async echo(options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    const contextId = this.#contextIdOf(SOP_CLASS.VERIFICATION);
    if (contextId === undefined) throw this.#error("CONTEXT_REFUSED", "does not take C-ECHO");
    const command = { field: COMMAND.C_ECHO_RQ, sopClassUid: SOP_CLASS.VERIFICATION };
    const { status = 0 } = await this.#exchange(contextId, command, options);
    return status;
  }

  /** N-ACTION that asks for storage commitment, or N-EVENT-REPORT about it; the status. @throws as store() */
  async tell(message: CommitmentMessage, options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    const sopClassUid = SOP_CLASS.STORAGE_COMMITMENT;
    const contextId = this.#contextIdOf(sopClassUid);
    if (contextId === undefined) throw this.#error("CONTEXT_REFUSED", "does not speak of storage commitment");
    const { kind, typeId, dataSet } = message;
    const field = kind === "request" ? COMMAND.N_ACTION_RQ : COMMAND.N_EVENT_REPORT_RQ;
    const command = { field, sopClassUid, sopInstanceUid: COMMITMENT_INSTANCE, typeId };
    const { status = 0 } = await this.#exchange(contextId, command, { ...options, dataSet });
    return status;
  }

  /** Ends the association without waiting for what is outstanding. */
  abort(reason = "aborted by this side"): void {
    this.#upper.abort(reason);
    this.#fail("ASSOCIATION_FAILED", reason);
  }

  /** As abort(), and closes the connection at once. */
  giveUp(reason: string): void {
    this.abort(reason);
    this.#upper.destroy(reason);
  }

  /** Releases; aborts if an operation is outstanding or the release is not answered. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reports?.answered;
    if (!this.isOpen || this.#isBusy) this.giveUp("association closed by this side");
    else this.#upper.requestRelease();
    const { clock, releaseMs } = this.#settings;
    const limit = clock.after(releaseMs, () =>
      this.giveUp(`no answer to the release within ${releaseMs} ms`),
    );
    await this.#ended.promise;
    limit[Symbol.dispose]();
  }

  #indicated(indication: Indication): void {
    switch (indication.kind) {
      case "accepted":
        return this.#open(indication.accept);
      case "rejected": {
        const { result, source, reason } = indication.rejection;
        const isTransient = result === RejectResult.Transient;
        const code = isTransient ? "ASSOCIATION_REJECTED_TRANSIENT" : "ASSOCIATION_REJECTED_PERMANENT";
        return this.#fail(code, `association rejected, ${result}/${source}/${reason}`);
      }
      case "release requested":
        if (this.#outstanding) throw new PeerFault("release before the response", AbortReason.UnexpectedPdu);
        return this.#upper.answerRelease();
      case "released":
        return;
      case "aborted":
        return this.#fail("ASSOCIATION_FAILED", indication.reason);
      case "requested":
        throw new Error("bug: requested in a requestor");
    }
  }

  #open(accept: AssociateAccept): void {
    if (isTooShort(accept.maxPduBytes)) {
      return this.giveUp(`takes PDUs of ${accept.maxPduBytes} bytes only`);
    }
    const taken = accept.maxPduBytes === 0 ? VALUE_BYTES : accept.maxPduBytes - PDV_HEADER_BYTES;
    this.#valueBytes = Math.min(taken, VALUE_BYTES);
    this.#contexts = acceptedContexts(this.#settings.proposals, accept.contexts);
    this.#opened.resolve();
  }

  async #exchange(
    contextId: number,
    command: Omit<Command, "hasDataSet" | "messageId">,
    { dataSet, signal }: { readonly dataSet?: DataSetBytes; readonly signal?: AbortSignal },
  ): Promise<Command> {
    if (this.#isBusy) throw new Error("bug: a second operation on one association");
    signal?.throwIfAborted();
    if (!this.isOpen) throw this.#error("ASSOCIATION_FAILED", "the association is no longer open");
    this.#messageId = (this.#messageId % LAST_MESSAGE_ID) + 1;
    const request = { ...command, messageId: this.#messageId, hasDataSet: dataSet !== undefined };
    const { promise, resolve, reject } = Promise.withResolvers<Command>();
    this.#outstanding = { contextId, request, resolve, reject };
    const onAbort = (): void => this.abort("cancelled");
    signal?.addEventListener("abort", onAbort);
    this.#isBusy = true;
    this.#upper.watch(true);
    try {
      const sending = sendMessage(this.#upper, { contextId, command: request, dataSet }, this.#valueBytes);
      sending.then(
        (bytes) => this.#outstanding && this.#upper.watch(true, underWayMs(bytes)),
        () => this.abort("the data set could not be read"), // half of it was sent
      );
      const [sent, answered] = await Promise.allSettled([sending, promise]);
      signal?.throwIfAborted();
      if (sent.status === "rejected") throw sent.reason;
      if (answered.status === "rejected") throw answered.reason;
      return answered.value;
    } finally {
      this.#upper.watch(false);
      this.#isBusy = false;
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #command(contextId: number, command: Command): Wait {
    const context = this.#contexts.get(contextId);
    const isRequest = (command.field & RESPONSE_BIT) === 0;
    if (isRequest && context && this.#reports) return this.#reports.begin(contextId, command, context);
    return this.#answered(contextId, command);
  }

  readonly #respond = (contextId: number, request: Command, status: number): void => {
    const pdv = { contextId, isCommand: true, isLast: true };
    this.#upper.sendData(pdv, [encodeCommand(responseTo(request, status))]);
  };

  #answered(contextId: number, response: Command): undefined {
    const outstanding = this.#outstanding;
    if (!outstanding || contextId !== outstanding.contextId || !isAnswer(response, outstanding.request)) {
      throw new PeerFault("response to something else", AbortReason.UnexpectedPduParameter);
    }
    this.#outstanding = undefined;
    outstanding.resolve(response);
  }

  /** Tells whoever waits; what was sent and not answered may have arrived. */
  #fail(code: ErrorCode, reason: string, cause?: unknown): void {
    this.#opened.reject(this.#error(code, reason, cause));
    this.#outstanding?.reject(this.#error("STORE_UNANSWERED", `no response: ${reason}`, cause));
    this.#outstanding = undefined;
  }

  #error(code: ErrorCode, what: string, cause?: unknown): NodeError {
    return new NodeError(code, `Peer ${this.#settings.peerName}: ${what}`, { cause });
  }

  #contextIdOf(abstractSyntax: string, transferSyntaxUid?: TransferSyntaxUid): number | undefined {
    for (const [id, context] of this.#contexts) {
      const isSyntax = transferSyntaxUid === undefined || context.transferSyntaxUid === transferSyntaxUid;
      if (context.abstractSyntax === abstractSyntax && isSyntax) return id;
    }
    return undefined;
  }
}

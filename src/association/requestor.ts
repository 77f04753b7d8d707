/**
 * One association from the side that calls: Verification and Storage SCU, PS3.4 annexes A and B.
 *
 * In:   a socket that is connecting; data sets as bytes in the transfer syntax of their context.
 * Out:  the status the peer gave each instance, or an error that says whether it may have the instance already.
 *
 *   opening ──accepted──▶ open ──release──▶ over
 *   opening, open ──rejected, aborted, no progress──▶ over (whoever waits is told)
 *
 * One operation at a time. Every promise given settles: by the response, by the end of the association, or because
 * the connection did not move for stallMs.
 */
import type { Socket } from "node:net";
import { type ErrorCode, NodeError } from "../base/errors.ts";
import { SOP_CLASS } from "../dicom/constants.ts";
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../dicom/uid.ts";
import type { AssociateAccept, ContextProposal } from "./associate-pdu.ts";
import { COMMAND, type Command, encodeCommand, RESPONSE_BIT } from "./command.ts";
import { AbortReason, Priority, RejectResult } from "./dimse.ts";
import type { Indication } from "./indication.ts";
import { MessageReader } from "./message-reader.ts";
import { acceptedContexts, type Context, isTooShort } from "./negotiation.ts";
import { PDV_HEADER_BYTES } from "./pdu.ts";
import { PeerFault } from "./peer-fault.ts";
import { UpperLayer, type UpperLayerSettings } from "./upper-layer.ts";
import { ValuePacker } from "./value-packer.ts";

export interface Instance {
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  readonly transferSyntaxUid: TransferSyntaxUid;
  /** The bytes of the data set, without Part 10 header. A chunk must not change once it was given. */
  readonly dataSet: AsyncIterable<Uint8Array>;
}

export interface StoreAnswer {
  readonly status: number;
  /** (0000,0902) Error Comment, without control characters. Not for logs: the peer may name a patient in it. */
  readonly comment?: string;
}

export interface RequestorSettings extends UpperLayerSettings {
  readonly request: Uint8Array;
  readonly proposals: readonly ContextProposal[];
  /** For messages. */
  readonly peerName: string;
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
  readonly #opened = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #contexts: ReadonlyMap<number, Context> = new Map();
  #valueBytes = VALUE_BYTES;
  #messageId = 0;
  #isBusy = false;
  #outstanding: Outstanding | undefined;

  constructor(socket: Socket, settings: RequestorSettings) {
    this.#settings = settings;
    this.#messages = new MessageReader(
      {
        command: (contextId, command) => this.#answered(contextId, command),
        dataSetFragment: () => undefined,
        dataSetEnd: () => undefined,
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
    const { status = 0, comment } = await this.#exchange(contextId, command, { ...options, dataSet });
    return comment === undefined
      ? { status }
      : { status, comment: comment.replace(/[^\x20-\xff]/g, "").trim() };
  }

  /** C-ECHO; resolves with the status. @throws as store() */
  async echo(options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    const contextId = this.#contextIdOf(SOP_CLASS.VERIFICATION);
    if (contextId === undefined) throw this.#error("CONTEXT_REFUSED", "does not take C-ECHO");
    const command = { field: COMMAND.C_ECHO_RQ, sopClassUid: SOP_CLASS.VERIFICATION };
    const { status = 0 } = await this.#exchange(contextId, command, options);
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
    { dataSet, signal }: { readonly dataSet?: AsyncIterable<Uint8Array>; readonly signal?: AbortSignal },
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
      const [sent, answered] = await Promise.allSettled([this.#send(contextId, request, dataSet), promise]);
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

  async #send(
    contextId: number,
    request: Command,
    dataSet: AsyncIterable<Uint8Array> | undefined,
  ): Promise<void> {
    this.#upper.sendData({ contextId, isCommand: true, isLast: true }, [encodeCommand(request)]);
    if (!dataSet) return;
    const packer = new ValuePacker(this.#valueBytes);
    try {
      for await (const chunk of dataSet) {
        for (const value of packer.add(chunk)) {
          this.#upper.sendData({ contextId, isCommand: false, isLast: false }, value);
          if (this.#upper.isCongested) await this.#upper.drained();
        }
        if (!this.isOpen) return; // whoever waits for the response has been told
      }
    } catch (error) {
      this.abort("the data set could not be read");
      throw error;
    }
    this.#upper.sendData({ contextId, isCommand: false, isLast: true }, packer.end());
  }

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

/** PS3.7 9.1.1 and 9.3.1: the message id must match; the SOP class and instance may be missing, but not differ. */
function isAnswer(response: Command, request: Command): boolean {
  const isSame = (given: string | undefined, asked: string | undefined): boolean =>
    given === undefined || given.replace(/[\0 ]+$/, "") === asked;
  return (
    response.field === (request.field | RESPONSE_BIT) &&
    response.respondedTo === request.messageId &&
    response.status !== undefined &&
    !response.hasDataSet &&
    isSame(response.sopClassUid, request.sopClassUid) &&
    isSame(response.sopInstanceUid, request.sopInstanceUid)
  );
}

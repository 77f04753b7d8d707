/**
 * One association from the side that was called: Verification and Storage, PS3.4 annexes A and B.
 *
 * In:   a connection (through upper-layer.ts) and the terms of the node.
 * Out:  instances into the handler's sinks, responses to the peer, one log line at the end.
 *
 *   asked ──refused──▶ over
 *   asked ──accepted──▶ open ──released, aborted──▶ over (its sink discarded, the handler told)
 *
 * One message at a time: while a sink is full, or an instance is being finished, nothing is read from the peer. A
 * peer that sends ahead is thereby answered in order.
 */
import type { Socket } from "node:net";
import { parseAeTitle } from "../dicom/ae-title.ts";
import { STATUS } from "../dicom/constants.ts";
import type { AcceptorSettings } from "./acceptor-settings.ts";
import { APPLICATION_CONTEXT, type AssociateRequest, encodeAssociateAccept } from "./associate-pdu.ts";
import { COMMAND, type Command, encodeCommand } from "./command.ts";
import { AbortReason } from "./dimse.ts";
import type { Indication } from "./indication.ts";
import { MessageReader } from "./message-reader.ts";
import { type Answer, answerTo, busy, type Context } from "./negotiation.ts";
import { noticeSink } from "./notice.ts";
import { operationOf, responseTo } from "./operation.ts";
import type { Rejection } from "./pdu.ts";
import type { Wait } from "./pdu-reader.ts";
import { PeerFault } from "./peer-fault.ts";
import type { AssociationFacts, InstanceSink } from "./storage-handler.ts";
import { UpperLayer } from "./upper-layer.ts";
import type { Patience } from "./upper-layer-user.ts";

/** A request whose data set is coming in. */
interface Incoming {
  readonly contextId: number;
  readonly command: Command;
  /** Undefined once discarded, or if the data set is not wanted. */
  sink: InstanceSink | undefined;
  /** What to answer if there is no sink; undefined: nothing. */
  status: number | undefined;
  bytes: number;
}

export class Acceptor {
  /** The connection is gone, every sink has settled, the handler has been told. Never rejects. */
  readonly ended: Promise<void>;
  readonly #facts: Omit<AssociationFacts, "callingAeTitle" | "calledAeTitle">;
  readonly #settings: AcceptorSettings;
  readonly #upper: UpperLayer;
  readonly #messages: MessageReader;
  /** Set when the association is accepted. */
  #association: AssociationFacts | undefined;
  #contexts: ReadonlyMap<number, Context> = new Map();
  #place: Disposable | undefined;
  #incoming: Incoming | undefined;
  /** The finish or discard that is under way; settles always. */
  #settling: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #instances = 0;
  #bytes = 0;
  #openedAt = 0;

  constructor(
    socket: Socket,
    facts: { readonly id: number; readonly peer: string },
    settings: AcceptorSettings,
  ) {
    this.#facts = facts;
    this.#settings = settings;
    this.#messages = new MessageReader(
      {
        command: (contextId, command) => this.#begin(contextId, command),
        dataSetFragment: (bytes) => this.#take(bytes),
        dataSetEnd: () => this.#end(),
      },
      settings.commandBytes,
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#upper = UpperLayer.accept(
      socket,
      {
        indicate: (indication) => this.#indicated(indication),
        fragment: (pdv, bytes, isEnd) => this.#messages.fragment(pdv, bytes, isEnd),
        failed: (error) => this.#failed(error),
        ended: (reason) => resolve(this.#over("aborted", reason)),
        patience: () => this.#patience(),
      },
      settings,
    );
  }

  /** Data may still come. */
  get isOpen(): boolean {
    return this.#upper.isOpen;
  }

  /** Ends the association without asking the peer. */
  stop(reason: string): void {
    this.#upper.abort(reason);
    this.#upper.destroy(reason);
  }

  #patience(): Patience {
    const { idleMs, inactivityMs } = this.#settings;
    return this.#messages.isBetweenMessages
      ? { ms: idleMs, reason: `idle for ${idleMs} ms` }
      : { ms: inactivityMs, reason: `nothing of a message came for ${inactivityMs} ms` };
  }

  #indicated(indication: Indication): void {
    switch (indication.kind) {
      case "requested":
        return this.#decide(indication.request);
      case "release requested":
        return this.#release();
      case "aborted":
        return void this.#over("aborted", indication.reason);
      case "accepted":
      case "rejected":
      case "released":
        throw new Error(`bug: ${indication.kind} in an acceptor`);
    }
  }

  #decide(request: AssociateRequest): void {
    const answer = this.#answerTo(request);
    if (answer.kind === "rejected") return this.#refuse(request, answer.rejection, answer.reason);
    const { callingAeTitle, calledAeTitle } = answer;
    this.#association = { ...this.#facts, callingAeTitle, calledAeTitle };
    this.#contexts = answer.contexts;
    this.#openedAt = this.#settings.clock.elapsed();
    const accept = {
      callingAeTitle,
      calledAeTitle,
      applicationContext: APPLICATION_CONTEXT,
      contexts: answer.answers,
      roles: answer.roles,
      maxPduBytes: this.#settings.limits.pduBytes,
    };
    this.#upper.acceptAssociation(encodeAssociateAccept(accept));
  }

  #answerTo(request: AssociateRequest): Answer {
    const { places, handler, isStopping } = this.#settings;
    const answer = answerTo(request, this.#facts.peer, this.#settings);
    if (answer.kind === "rejected") return answer;
    if (isStopping()) return busy("the node is stopping");
    this.#place = places.take(this.#facts.peer);
    if (!this.#place) return busy("too many associations");
    const { callingAeTitle, calledAeTitle } = answer;
    const admission = handler.admit({ ...this.#facts, callingAeTitle, calledAeTitle });
    return admission === "busy" ? busy("no room") : answer;
  }

  #refuse(request: AssociateRequest, rejection: Rejection, reason: string): void {
    const { peer } = this.#facts;
    const callingAeTitle = parseAeTitle(request.callingAeTitle); // what is none is not fit to be printed
    this.#settings.log.warn("association.rejected", {
      peer,
      reason,
      ...(callingAeTitle && { callingAeTitle }),
    });
    this.#place?.[Symbol.dispose]();
    this.#closing = Promise.resolve();
    this.#upper.rejectAssociation(rejection, reason);
  }

  #release(): void {
    if (!this.#messages.isBetweenMessages) {
      throw new PeerFault("release within a message", AbortReason.UnexpectedPdu);
    }
    this.#upper.answerRelease();
    void this.#over("released");
  }

  #begin(contextId: number, command: Command): Wait {
    const context = this.#contexts.get(contextId);
    const association = this.#association;
    if (!context || !association) throw new PeerFault("presentation context that was not accepted");
    const operation = operationOf(command, context);
    const incoming: Incoming = { contextId, command, sink: undefined, status: undefined, bytes: 0 };
    this.#incoming = incoming;
    if (operation.kind === "answer") incoming.status = operation.status;
    if (operation.kind === "store") {
      const { sopClassUid, sopInstanceUid, priority } = operation;
      const { transferSyntaxUid } = context;
      const request = { association, sopClassUid, sopInstanceUid, transferSyntaxUid, priority };
      const opened = this.#settings.handler.open(request);
      if (typeof opened === "number") incoming.status = opened;
      else incoming.sink = opened;
    }
    const { commitment } = this.#settings;
    if (operation.kind === "commitment" && commitment) {
      const { transferSyntaxUid } = context;
      const notice = { kind: operation.notice, from: association.callingAeTitle, transferSyntaxUid };
      incoming.sink = noticeSink(notice, commitment);
    }
    return command.hasDataSet ? undefined : this.#end();
  }

  #take(bytes: Uint8Array): Wait {
    const incoming = this.#incoming;
    const sink = incoming?.sink;
    if (!sink) return undefined;
    incoming.bytes += bytes.length;
    if (incoming.bytes > this.#settings.instanceBytes) {
      incoming.sink = undefined;
      incoming.status = STATUS.OUT_OF_RESOURCES;
      return this.#settle(sink.discard());
    }
    return sink.write(bytes) ? undefined : sink.drained();
  }

  #end(): Wait {
    const incoming = this.#incoming;
    this.#incoming = undefined;
    if (!incoming) return undefined;
    return incoming.sink ? this.#finish(incoming, incoming.sink) : this.#respond(incoming, incoming.status);
  }

  async #finish(incoming: Incoming, sink: InstanceSink): Promise<void> {
    const status = await this.#settle(sink.finish());
    if (status === STATUS.SUCCESS && incoming.command.field === COMMAND.C_STORE_RQ) {
      this.#instances += 1;
      this.#bytes += incoming.bytes;
    }
    await this.#respond(incoming, status);
  }

  #settle<T>(work: Promise<T>): Promise<T> {
    this.#settling = Promise.allSettled([work]);
    return work;
  }

  #respond({ contextId, command }: Incoming, status: number | undefined): Wait {
    if (status === undefined) return undefined;
    const pdv = { contextId, isCommand: true, isLast: true };
    this.#upper.sendData(pdv, [encodeCommand(responseTo(command, status))]);
    return this.#upper.isCongested ? this.#drain() : undefined;
  }

  /** A peer that sends and never reads its answers is the one to wait for. */
  async #drain(): Promise<void> {
    this.#upper.watch(true);
    await this.#upper.drained();
    this.#upper.watch(false);
  }

  #failed(error: unknown): void {
    this.#settings.log.error("association.failed", { association: this.#facts.id, error });
    void this.#over("aborted", "internal error");
  }

  #over(how: "released" | "aborted", reason?: string): Promise<void> {
    this.#closing ??= this.#close(how, reason);
    return this.#closing;
  }

  async #close(how: "released" | "aborted", reason: string | undefined): Promise<void> {
    const sink = this.#incoming?.sink;
    this.#incoming = undefined;
    if (sink) await this.#guarded(() => this.#settle(sink.discard()));
    await this.#settling;
    this.#report(how, reason);
    const association = this.#association;
    if (association) await this.#guarded(() => this.#settings.handler.closed(association, how));
    this.#place?.[Symbol.dispose]();
  }

  async #guarded(call: () => unknown): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#settings.log.error("association.failed", { association: this.#facts.id, error });
    }
  }

  #report(how: "released" | "aborted", reason = "connection closed"): void {
    const { log, clock } = this.#settings;
    const { id, peer } = this.#facts;
    if (!this.#association) return log.info("connection.dropped", { peer, reason });
    const { callingAeTitle } = this.#association;
    const elapsedMs = Math.round(clock.elapsed() - this.#openedAt);
    const done = { instances: this.#instances, bytes: this.#bytes, elapsedMs };
    if (how === "released")
      log.info("association.closed", { association: id, callingAeTitle, peer, ...done });
    else log.warn("association.aborted", { association: id, callingAeTitle, peer, reason, ...done });
  }
}

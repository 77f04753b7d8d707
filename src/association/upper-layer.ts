/**
 * One association: PDUs and requests of the user above, run by the state machine of PS3.8 9.2 (state.ts).
 *
 * In:   a connection (connection.ts); requests of the user: accept, reject, send, release, abort.
 * Out:  indications and data fragments for the user; PDUs for the peer.
 *
 * While the user works on what it was given no further input is read. A silent peer meets ARTIM, the idle limit or
 * the stall limit; what follows each is an A-ABORT at best and the end of the connection at last. An error the user
 * throws while it is given something ends this association, nothing else.
 */
import type { Socket } from "node:net";
import { Connection, type ConnectionUser, connectionEvent } from "./connection.ts";
import { AbortReason, AbortSource } from "./dimse.ts";
import { type Indication, received } from "./indication.ts";
import {
  type Abort,
  encodeAbort,
  encodeDataHeader,
  encodeRejection,
  encodeRelease,
  PDU,
  type Pdv,
  type Rejection,
} from "./pdu.ts";
import { type PduConsumer, PduReader, type Wait } from "./pdu-reader.ts";
import { PeerFault } from "./peer-fault.ts";
import { type Effect, type Event, type Role, type State, transition } from "./state.ts";
import type { Patience, UpperLayerSettings, UpperLayerUser } from "./upper-layer-user.ts";

/** What the user has patience for can change with every message, so the question is put again and again. */
const LOOK_EVERY_MS = 1_000;

/** What comes with an event. */
interface Subject {
  readonly pdu?: readonly Uint8Array[];
  readonly indication?: Indication;
  readonly abort?: Abort;
  readonly abortReason?: number;
  readonly reason?: string | undefined;
}

const BY_USER: Abort = { source: AbortSource.ServiceUser, reason: AbortReason.NotSpecified };
/** Our own fault, not the peer's. */
const BY_PROVIDER: Abort = { source: AbortSource.ServiceProvider, reason: AbortReason.NotSpecified };

export class UpperLayer {
  readonly #connection: Connection;
  readonly #role: Role;
  readonly #user: UpperLayerUser;
  readonly #settings: UpperLayerSettings;
  /** Changes in #happen only. */
  #state: State = "Sta1";
  #artim: Disposable | undefined;
  #idle: Disposable | undefined;
  #heardAt = 0;
  #watchedMs = 0;
  /** The stream has lost its framing, or the user failed: what still comes is thrown away. */
  #isDeaf = false;
  #reason: string | undefined;

  private constructor(socket: Socket, role: Role, user: UpperLayerUser, settings: UpperLayerSettings) {
    this.#role = role;
    this.#user = user;
    this.#settings = settings;
    const reader = new PduReader(this.#consumer(), settings.limits);
    this.#connection = new Connection(socket, this.#listener(reader));
  }

  /** Takes over a connection that came in: Sta2, ARTIM runs. */
  static accept(socket: Socket, user: UpperLayerUser, settings: UpperLayerSettings): UpperLayer {
    const upper = new UpperLayer(socket, "acceptor", user, settings);
    upper.#happen("transport indication");
    return upper;
  }

  /** Takes over a socket that is connecting; A-ASSOCIATE-RQ follows when it has, secured if need be: Sta4, Sta5. */
  static request(
    socket: Socket,
    user: UpperLayerUser,
    settings: UpperLayerSettings & { readonly request: Uint8Array },
  ): UpperLayer {
    const upper = new UpperLayer(socket, "requestor", user, settings);
    upper.#happen("associate request");
    socket.once(connectionEvent(socket), () =>
      upper.#happen("transport connected", { pdu: [settings.request] }),
    );
    return upper;
  }

  /** Data may pass: Sta6. */
  get isOpen(): boolean {
    return this.#state === "Sta6";
  }

  get isFlushed(): boolean {
    return this.#connection.isFlushed;
  }

  /** So much is queued that drained() should be awaited before more is sent. */
  get isCongested(): boolean {
    return this.#connection.isCongested;
  }

  /** Resolves when all that was sent has left the process, or nothing more is to be sent. */
  drained(): Promise<void> {
    return this.#connection.drained();
  }

  /** Whether the connection has to move, else stallMs, and what is granted beyond it, ends it. */
  watch(isOn: boolean, beyondMs = 0): void {
    this.#watchedMs = this.#settings.stallMs + beyondMs;
    this.#connection.watch(isOn ? this.#watchedMs : undefined);
  }

  acceptAssociation(pdu: Uint8Array): void {
    this.#happen("associate accept", { pdu: [pdu] });
    if (this.#user.patience) this.#watchPatience(() => this.#user.patience!());
  }

  rejectAssociation(rejection: Rejection, reason: string): void {
    this.#happen("associate reject", { pdu: [encodeRejection(rejection)], reason });
    this.#connection.finish();
  }

  /** One P-DATA-TF of one value. Without effect on an association that has ended: that was indicated. */
  sendData(pdv: Pdv, parts: readonly Uint8Array[]): void {
    if (!this.#can("data request")) return;
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.#happen("data request", { pdu: [encodeDataHeader(pdv, bytes), ...parts] });
  }

  requestRelease(): void {
    this.#happen("release request", { pdu: [encodeRelease(PDU.RELEASE_RQ)] });
  }

  answerRelease(): void {
    this.#happen("release response", { pdu: [encodeRelease(PDU.RELEASE_RP)] });
  }

  /** Without effect where no association is left. Not indicated: the user knows. */
  abort(reason: string, abort: Abort = BY_USER): void {
    if (this.#can("abort request")) this.#happen("abort request", { abort, reason });
  }

  /** Ends the connection at once. */
  destroy(reason: string): void {
    this.#reason ??= reason;
    this.#connection.destroy();
  }

  #listener(reader: PduReader): ConnectionUser {
    return {
      read: (chunk) => this.#guard(() => reader.push(chunk)),
      readOn: () => {
        this.#heard();
        return this.#guard(() => reader.resume());
      },
      stalled: () => this.#giveUp(`no progress for ${this.#watchedMs} ms`),
      closed: (error) => this.#closed(error),
    };
  }

  #consumer(): PduConsumer {
    return {
      pdu: (type, body) => this.#received(type, body),
      wantsData: () => this.#state !== "Sta1" && this.#happen("P-DATA-TF received").includes("take data"),
      fragment: (pdv, bytes, isEnd) => {
        if (this.#state !== "Sta6" && this.#state !== "Sta7") return undefined; // it ended within this PDU
        if (isEnd) this.#heard();
        return this.#user.fragment(pdv, bytes, isEnd);
      },
    };
  }

  #guard(read: () => Wait): Wait {
    if (this.#isDeaf) return undefined;
    try {
      return read()?.catch((error: unknown) => this.#break(error));
    } catch (error) {
      this.#break(error);
      return undefined;
    }
  }

  #break(error: unknown): void {
    this.#isDeaf = true;
    if (!(error instanceof PeerFault)) {
      this.abort("internal error", BY_PROVIDER);
      this.#user.failed(error);
    } else if (this.#can("invalid PDU received")) {
      this.#happen("invalid PDU received", { reason: error.message, abortReason: error.reason });
    }
  }

  #received(type: number, body: Uint8Array): void {
    if (this.#state === "Sta1") return; // came in one chunk with what ended the association
    this.#heard();
    const { event, indication } = received(type, body);
    const reason = indication.kind === "aborted" ? indication.reason : undefined;
    this.#happen(event, { indication, reason });
  }

  #can(event: Event): boolean {
    return transition(this.#state, event, this.#role) !== undefined;
  }

  #happen(event: Event, subject: Subject = {}): readonly Effect[] {
    const found = transition(this.#state, event, this.#role);
    if (!found) throw new Error(`bug: ${event} in ${this.#state}`);
    this.#state = found.next;
    this.#reason ??= subject.reason;
    for (const effect of found.effects) this.#perform(effect, event, subject);
    return found.effects;
  }

  #perform(effect: Effect, event: Event, subject: Subject): void {
    switch (effect) {
      case "send":
        return this.#connection.write(subject.pdu ?? []);
      case "send abort as user":
        return this.#sendAbort(event, subject.abort ?? BY_USER);
      case "send abort as provider": {
        const reason = subject.abortReason ?? AbortReason.UnexpectedPdu;
        return this.#sendAbort(event, { source: AbortSource.ServiceProvider, reason });
      }
      case "indicate":
        if (subject.indication) this.#user.indicate(subject.indication);
        return;
      case "indicate provider abort":
        return this.#user.indicate({ kind: "aborted", reason: this.#reason ?? event });
      case "take data":
        return; // #consumer tells the reader
      case "start ARTIM":
        this.#artim?.[Symbol.dispose]();
        this.#artim = this.#settings.clock.after(this.#settings.artimMs, () => this.#expired());
        return;
      case "stop ARTIM":
        return this.#artim?.[Symbol.dispose]();
      case "close":
        return this.#connection.destroy();
    }
  }

  #sendAbort(event: Event, abort: Abort): void {
    this.#reason ??= `out of place: ${event}`;
    this.#connection.write([encodeAbort(abort)]);
    this.#connection.finish();
  }

  #expired(): void {
    const reason = this.#state === "Sta2" ? "no association request in time" : undefined;
    this.#happen("ARTIM expired", { reason });
  }

  #giveUp(reason: string): void {
    if (!this.#can("abort request")) return;
    this.abort(reason);
    this.#user.indicate({ kind: "aborted", reason });
  }

  #heard(): void {
    this.#heardAt = this.#settings.clock.elapsed();
  }

  #watchPatience(patience: () => Patience): void {
    const { clock } = this.#settings;
    const { ms, reason } = patience();
    const left = this.#connection.isHolding ? ms : this.#heardAt + ms - clock.elapsed();
    if (left <= 0) return this.#giveUp(reason);
    this.#idle = clock.after(Math.min(left, LOOK_EVERY_MS), () => this.#watchPatience(patience));
  }

  #closed(error: string | undefined): void {
    if (this.#state !== "Sta13") this.#reason ??= error ?? "connection closed by the peer";
    if (this.#can("transport closed")) this.#happen("transport closed");
    this.#artim?.[Symbol.dispose]();
    this.#idle?.[Symbol.dispose]();
    this.#isDeaf = true;
    this.#user.ended(this.#reason);
  }
}

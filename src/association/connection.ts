/**
 * One TCP connection: chunks in, held back while the reader needs time; bytes out, within a bound.
 *
 * Node's own read buffer and one chunk are all that waits here; beyond that TCP holds the peer back. What is
 * written in one turn of the event loop leaves in one system call, uncopied.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Wait } from "./pdu-reader.ts";
import { tlsFaultOf } from "./tls-fault.ts";

/** None of these may throw, and the promises do not reject. */
export interface ConnectionUser {
  /**
   * The chunk is lent: its memory is given back when nothing more is to be waited for. Who keeps some of it copies.
   *
   * @returns  what to wait for before readOn() and any further chunk
   */
  read(chunk: Uint8Array): Wait;
  /** Time to read what was left of the last chunk. */
  readOn(): Wait;
  /** Watched, and neither sent nor took a byte for the time given. */
  stalled(): void;
  /** Nothing follows; with the reason if it was an error. */
  closed(error: string | undefined): void;
}

/** More than this is not to be queued on one socket. */
const QUEUE_BYTES = 1024 * 1024;

/** The event of a socket that is connecting after which bytes may be sent: TCP alone is no secured connection. */
export function connectionEvent(socket: Socket): "connect" | "secureConnect" {
  return socket instanceof TLSSocket ? "secureConnect" : "connect";
}

export class Connection {
  readonly #socket: Socket;
  readonly #user: ConnectionUser;
  #isHolding = false;
  #isCorked = false;
  #error: string | undefined;
  /** Somebody waits for room. */
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(socket: Socket, user: ConnectionUser) {
    this.#socket = socket;
    this.#user = user;
    socket
      .on("data", (chunk: Buffer) => {
        const wait = user.read(chunk);
        if (wait) void this.#hold(wait, chunk);
        else giveBack(chunk);
      })
      .on("end", () => socket.destroy()) // a peer that has said all is gone: there is no half-closed association
      .on("timeout", () => user.stalled())
      .on("error", (error: NodeJS.ErrnoException) => {
        this.#error ??= tlsFaultOf(error.code) ?? error.code ?? error.message;
      })
      .on("drain", () => this.#moveOn())
      .on("close", () => {
        this.#moveOn();
        user.closed(this.#error);
      });
  }

  /** The user is at work on what came; silence is not the peer's fault. */
  get isHolding(): boolean {
    return this.#isHolding;
  }

  get isFlushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  get isCongested(): boolean {
    return this.#socket.writableLength > QUEUE_BYTES;
  }

  /** The parts must not change before all is flushed. Without effect once the writing side has ended. */
  write(parts: readonly Uint8Array[]): void {
    if (!this.#socket.writable) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    for (const part of parts) this.#socket.write(part);
  }

  /** Nothing will be sent after what was written; who waits for room need not wait any more. */
  finish(): void {
    if (this.#socket.writable) this.#socket.end();
    this.#moveOn();
  }

  /** Resolves when all that was written has left the process, or nothing more is to be sent. */
  async drained(): Promise<void> {
    if (!this.#socket.writable || !this.#socket.writableNeedDrain) return;
    this.#drained ??= Promise.withResolvers<void>();
    await this.#drained.promise;
  }

  /** Whether the connection has to move; the socket's own timer sees progress within one large write, too. */
  watch(stallMs: number | undefined): void {
    this.#socket.setTimeout(stallMs ?? 0);
  }

  /** Ends the connection at once, whatever waits. */
  destroy(): void {
    this.#socket.destroy();
  }

  #moveOn(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  async #hold(first: Promise<void>, chunk: Buffer): Promise<void> {
    this.#socket.pause();
    this.#isHolding = true;
    for (let wait: Wait = first; wait; wait = this.#user.readOn()) await wait;
    giveBack(chunk);
    this.#isHolding = false;
    this.#socket.resume();
  }
}

/**
 * Frees the memory of a chunk now. Left to the garbage collector, the 64 KiB that every read allocates make it run all
 * the time.
 */
function giveBack({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/**
 * The TLS listener: connections that came in, and were counted, become secured ones or are closed.
 *
 * In:   raw connections of its own port, each with a place among all connections (scp.ts).
 * Out:  sockets whose handshake is done and whose peer was verified; a log line with a reason for each that was not.
 *
 * Each handshake has a tls.Server of its own that listens on nothing: so its events belong to one connection, and
 * it begins with the certificate that is in force.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { plainAddress } from "./callers.ts";
import type { Credentials } from "./credentials.ts";
import { tlsFaultOf } from "./tls-fault.ts";
import { TLS_OPTIONS } from "./tls-profile.ts";

export interface SecureListenerSettings {
  readonly credentials: Credentials;
  /** Whether a peer must show a certificate of one of our authorities. */
  readonly mutual: boolean;
  /** For the whole handshake, however it trickles. */
  readonly handshakeMs: number;
  readonly log: Log;
  readonly clock: Clock;
  /** A place for the connection, or none. */
  readonly take: (peer: string) => Disposable | undefined;
  /** Takes over the socket and its place. */
  readonly secured: (socket: TLSSocket, place: Disposable) => void;
}

export class SecureListener {
  readonly server: Server;
  readonly #settings: SecureListenerSettings;
  readonly #shaking = new Set<Socket>();

  constructor(settings: SecureListenerSettings) {
    this.#settings = settings;
    this.server = createServer({ noDelay: true }, (socket) => this.#connected(socket));
  }

  /** Gives up the handshakes that are under way. */
  stop(): void {
    for (const socket of this.#shaking) socket.destroy();
  }

  #connected(socket: Socket): void {
    const { credentials, mutual, handshakeMs, log, clock, take, secured } = this.#settings;
    const peer = plainAddress(socket.remoteAddress ?? "");
    const place = take(peer);
    socket.on("error", () => {});
    if (!place) return void socket.destroy();
    this.#shaking.add(socket);
    let reason: string | undefined;
    let isSecured = false;
    const limit = clock.after(handshakeMs, () => {
      reason = `TLS: no handshake within ${handshakeMs} ms`;
      socket.destroy();
    });
    const shaken = (): void => {
      limit[Symbol.dispose]();
      this.#shaking.delete(socket);
    };
    socket.once("close", () => {
      if (isSecured) return;
      shaken();
      place[Symbol.dispose]();
      // What was wrong with a certificate is told after the connection has closed.
      setImmediate(() => {
        log.warn("connection.tls-failed", { peer, reason: reason ?? "TLS: connection closed by the peer" });
      });
    });
    const options = {
      ...TLS_OPTIONS,
      ...credentials.material,
      requestCert: mutual,
      rejectUnauthorized: mutual,
    };
    createTlsServer(options)
      .once("secureConnection", (secure) => {
        isSecured = true;
        shaken();
        secure.disableRenegotiation();
        secured(secure, place);
      })
      .once("tlsClientError", (error: NodeJS.ErrnoException, failed) => {
        // Set, as a string whatever the types say, where the certificate was what failed.
        const { authorizationError } = failed as unknown as { readonly authorizationError?: string };
        reason ??= tlsFaultOf(authorizationError ?? undefined) ?? tlsFaultOf(error.code);
        socket.destroy();
      })
      .emit("connection", socket);
  }
}

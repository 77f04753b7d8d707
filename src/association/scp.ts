/**
 * The node's Verification and Storage SCP: listens, bounds what may connect, and ends in order.
 *
 * Each connection, plain or secured (secure-listener.ts), becomes an Acceptor (acceptor.ts). Two bounds: associations, whose surplus is refused with
 * 2/3/2 so that the sender tries again; and connections, whose surplus is closed at once, because a stranger may
 * hold one for as long as ARTIM lets it.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import { Acceptor } from "./acceptor.ts";
import type { AcceptorSettings } from "./acceptor-settings.ts";
import { type Caller, type CallerCheck, callerCheck, plainAddress } from "./callers.ts";
import { Credentials, type TlsFiles } from "./credentials.ts";
import type { CommitmentHandler } from "./notice.ts";
import { type PeerCertificate, peerCertificateOf } from "./peer-certificate.ts";
import { Places } from "./places.ts";
import { SecureListener } from "./secure-listener.ts";
import type { StorageHandler } from "./storage-handler.ts";

export interface ScpSettings {
  readonly aeTitle: AeTitle;
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
  /** A second listener, for TLS. */
  readonly tls?: TlsListenSettings;
  readonly callers: readonly Caller[];
  /** Off by default: what is deflated can grow a thousandfold. */
  readonly acceptDeflated: boolean;
  readonly limits: ScpLimits;
  readonly timeouts: ScpTimeouts;
}

interface TlsListenSettings {
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
  readonly files: TlsFiles;
  /** Whether a peer must show a certificate of one of the authorities in `ca`. */
  readonly mutual: boolean;
  readonly handshakeMs: number;
}

interface ScpLimits {
  readonly associations: number;
  readonly associationsPerPeer: number;
  /** Longest P-DATA-TF taken; announced to the peer. */
  readonly pduBytes: number;
  readonly associateBytes: number;
  readonly commandBytes: number;
  /** A longer data set is dropped and answered A700H. */
  readonly instanceBytes: number;
}

interface ScpTimeouts {
  /** PS3.8 9.1.5. */
  readonly artimMs: number;
  /** Between two messages of an open association; time the node itself needs does not count. */
  readonly idleMs: number;
  /** Within a message, from one data value to the next; and for the peer to take what it is sent. */
  readonly inactivityMs: number;
  /** How long open associations may go on when the node stops. */
  readonly graceMs: number;
}

/** Disposing closes the listener, lets open associations finish within graceMs, then aborts them. */
export interface Scp extends AsyncDisposable {
  readonly port: number;
  /** Undefined without TLS. */
  readonly tlsPort: number | undefined;
  /** Takes up key, certificate and authorities that have changed. Never rejects. */
  reloadCertificates(): Promise<void>;
}

interface ScpSystem {
  readonly log: Log;
  readonly clock: Clock;
  /** Storage commitment is spoken of where there is one. */
  readonly commitment?: CommitmentHandler | undefined;
}

/** So many connections for each association allowed: some are being refused, some are closing. */
const CONNECTIONS_PER_ASSOCIATION = 4;

/** @throws NodeError LISTEN_FAILED; TLS_FILES_UNUSABLE; CONFIG_INVALID for a caller's address */
export async function listen(
  settings: ScpSettings,
  handler: StorageHandler,
  system: ScpSystem,
): Promise<Scp> {
  const listener = new Listener(settings, handler, system);
  try {
    await listener.open(settings);
  } catch (error) {
    await listener[Symbol.asyncDispose]();
    throw error;
  }
  return listener;
}

class Listener implements Scp {
  readonly #server: Server;
  readonly #settings: AcceptorSettings;
  readonly #checkCaller: CallerCheck;
  #credentials: Credentials | undefined;
  #secure: SecureListener | undefined;
  readonly #graceMs: number;
  readonly #connections: Places;
  readonly #acceptors = new Set<Acceptor>();
  #lastId = 0;
  #isStopping = false;

  constructor(settings: ScpSettings, handler: StorageHandler, system: ScpSystem) {
    const { limits, timeouts } = settings;
    this.#graceMs = timeouts.graceMs;
    this.#connections = new Places(
      limits.associations * CONNECTIONS_PER_ASSOCIATION,
      limits.associationsPerPeer * CONNECTIONS_PER_ASSOCIATION,
    );
    this.#checkCaller = callerCheck(settings.callers);
    this.#settings = {
      ...system,
      handler,
      aeTitle: settings.aeTitle,
      checkCaller: this.#checkCaller,
      acceptDeflated: settings.acceptDeflated,
      limits,
      commandBytes: limits.commandBytes,
      instanceBytes: limits.instanceBytes,
      places: new Places(limits.associations, limits.associationsPerPeer),
      artimMs: timeouts.artimMs,
      idleMs: timeouts.idleMs,
      inactivityMs: timeouts.inactivityMs,
      stallMs: timeouts.inactivityMs,
      isStopping: () => this.#isStopping,
    };
    this.#server = createServer({ noDelay: true }, (socket) => this.#connected(socket));
  }

  get port(): number {
    return portOf(this.#server);
  }

  get tlsPort(): number | undefined {
    return this.#secure && portOf(this.#secure.server);
  }

  async open({ host, port, tls }: ScpSettings): Promise<void> {
    await this.#listen(this.#server, { host, port });
    if (!tls) return;
    this.#credentials = await Credentials.open(tls.files, "dicom.tls", this.#settings);
    this.#secure = new SecureListener({
      ...this.#settings,
      ...tls,
      credentials: this.#credentials,
      take: (peer) => this.#take(peer),
      secured: (socket, place) => this.#serve(socket, place, peerCertificateOf(socket)),
    });
    await this.#listen(this.#secure.server, tls);
  }

  async reloadCertificates(): Promise<void> {
    await this.#credentials?.reload();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    const grace = this.#settings.clock.after(this.#graceMs, () => {
      for (const acceptor of this.#acceptors) acceptor.stop("the node is stopping");
    });
    for (const acceptor of this.#acceptors) if (!acceptor.isOpen) acceptor.stop("the node is stopping");
    this.#secure?.stop();
    const servers = [this.#server, ...(this.#secure ? [this.#secure.server] : [])];
    await Promise.all(servers.filter(({ listening }) => listening).map((server) => closed(server)));
    await Promise.all([...this.#acceptors].map(({ ended }) => ended));
    grace[Symbol.dispose]();
    this.#credentials?.[Symbol.dispose]();
  }

  async #listen(
    server: Server,
    { host, port }: { readonly host: string; readonly port: number },
  ): Promise<void> {
    try {
      server.listen({ host, port });
      await once(server, "listening");
    } catch (cause) {
      throw new NodeError("LISTEN_FAILED", `DICOM listener: cannot listen on ${host}:${port}`, { cause });
    }
    server.on("error", (error) => this.#settings.log.error("association.listener", { error }));
  }

  #take(peer: string): Disposable | undefined {
    const place = this.#connections.take(peer);
    if (!place) this.#settings.log.debug("connection.refused", { peer });
    return place;
  }

  #connected(socket: Socket): void {
    const place = this.#take(plainAddress(socket.remoteAddress ?? ""));
    if (place) this.#serve(socket, place);
    else socket.on("error", () => {}).destroy();
  }

  #serve(socket: Socket, place: Disposable, certificate?: PeerCertificate): void {
    const peer = plainAddress(socket.remoteAddress ?? "");
    this.#lastId += 1;
    const checkCaller: CallerCheck = (title, address) => this.#checkCaller(title, address, certificate);
    const acceptor = new Acceptor(socket, { id: this.#lastId, peer }, { ...this.#settings, checkCaller });
    this.#acceptors.add(acceptor);
    void acceptor.ended.then(() => {
      place[Symbol.dispose]();
      this.#acceptors.delete(acceptor);
    });
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Resolves when it listens no more and its last connection is gone. */
async function closed(server: Server): Promise<void> {
  const end = once(server, "close");
  server.close();
  await end;
}

/**
 * The node's Verification and Storage SCU: opens an association to another node (requestor.ts).
 *
 * In:   a peer, the presentation contexts wanted.
 * Out:  an open association; or why there is none.
 *
 * Each transfer syntax is proposed in a context of its own, so the peer can refuse one, but never choose another
 * than the one the bytes are in.
 */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Clock, systemClock } from "../base/clock.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import type { TransferSyntaxUid } from "../dicom/uid.ts";
import {
  APPLICATION_CONTEXT,
  type ContextProposal,
  encodeAssociateRequest,
  MAX_CONTEXTS,
} from "./associate-pdu.ts";
import { connectionEvent } from "./connection.ts";
import type { Credentials } from "./credentials.ts";
import type { CommitmentHandler } from "./notice.ts";
import { Requestor } from "./requestor.ts";
import type { StoreAnswer } from "./response.ts";
import type { CommitmentMessage, Instance } from "./send-message.ts";
import { TLS_OPTIONS } from "./tls-profile.ts";

export interface Peer {
  readonly aeTitle: AeTitle;
  readonly host: string;
  readonly port: number;
  /** Nothing is sent in clear, not even on request. */
  readonly tls?: PeerTls;
}

interface PeerTls {
  /** `ca`, and `cert` with `key` where the peer wants to know who calls. */
  readonly credentials: Credentials;
  /** The name its certificate must have; by default the host. */
  readonly serverName?: string;
}

export interface ProposedContext {
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly TransferSyntaxUid[];
  /** Ours, PS3.7 D.3.3.4; by default that of the SCU. */
  readonly role?: "scp";
}

export interface AssociateOptions {
  readonly callingAeTitle: AeTitle;
  /** 128 pairs of abstract and transfer syntax at most. */
  readonly contexts: readonly ProposedContext[];
  readonly connectTimeoutMs: number;
  /** For the association to be answered; later, how long the connection may stand still in an operation. */
  readonly answerTimeoutMs: number;
  /** Is told of reports of storage commitment that come on this association. */
  readonly commitment?: CommitmentHandler;
  /** Ends the attempt; the association, once open, is ended by its owner. */
  readonly signal?: AbortSignal;
}

/** Disposing releases. What may be thrown: requestor.ts. */
export interface RequestorAssociation extends AsyncDisposable {
  readonly isOpen: boolean;
  /** Nothing that was sent waits in this process any more: its memory may change. */
  readonly isFlushed: boolean;
  /** Settles when the connection is gone; never rejects. */
  readonly ended: Promise<void>;
  accepted(abstractSyntax: string, transferSyntaxUid: TransferSyntaxUid): boolean;
  store(instance: Instance, options?: { readonly signal?: AbortSignal }): Promise<StoreAnswer>;
  echo(options?: { readonly signal?: AbortSignal }): Promise<number>;
  tell(message: CommitmentMessage, options?: { readonly signal?: AbortSignal }): Promise<number>;
  abort(): void;
}

/** What a peer's answers may be as long as. */
const LIMITS = { pduBytes: 128 * 1024, associateBytes: 256 * 1024 };
const COMMAND_BYTES = 16 * 1024;
/** For the peer to answer a release, and to close after an abort. */
const FAREWELL_MS = 5_000;

/**
 * @throws  NodeError ASSOCIATION_FAILED, ASSOCIATION_REJECTED_TRANSIENT, ASSOCIATION_REJECTED_PERMANENT; the
 *          signal's reason
 * @see     PS3.8 9.2
 */
export async function associate(
  peer: Peer,
  options: AssociateOptions,
  { clock }: { readonly clock: Clock } = { clock: systemClock },
): Promise<RequestorAssociation> {
  const { signal, connectTimeoutMs, answerTimeoutMs } = options;
  signal?.throwIfAborted();
  const proposals = proposalsOf(options.contexts);
  const request = encodeAssociateRequest({
    calledAeTitle: peer.aeTitle,
    callingAeTitle: options.callingAeTitle,
    applicationContext: APPLICATION_CONTEXT,
    contexts: proposals,
    roles: options.contexts.flatMap(({ abstractSyntax: sopClassUid, role }) =>
      role === "scp" ? [{ sopClassUid, scu: false, scp: true }] : [],
    ),
    maxPduBytes: LIMITS.pduBytes,
  });
  const socket = socketTo(peer);
  const requestor = new Requestor(socket, {
    clock,
    limits: LIMITS,
    commandBytes: COMMAND_BYTES,
    artimMs: FAREWELL_MS,
    releaseMs: FAREWELL_MS,
    stallMs: answerTimeoutMs,
    calledAeTitle: peer.aeTitle,
    commitment: options.commitment,
    peerName: `${peer.aeTitle}@${peer.host}:${peer.port}`,
    request,
    proposals,
  });
  using limits = new DisposableStack();
  const limit = (ms: number, what: string): Disposable =>
    limits.use(clock.after(ms, () => requestor.giveUp(`${what} within ${ms} ms`)));
  const connecting = limit(connectTimeoutMs, peer.tls ? "no TLS connection" : "no connection");
  socket.once(connectionEvent(socket), () => {
    connecting[Symbol.dispose]();
    limit(answerTimeoutMs, "no answer to the association request");
  });
  const cancel = (): void => requestor.giveUp("cancelled");
  signal?.addEventListener("abort", cancel);
  limits.defer(() => signal?.removeEventListener("abort", cancel));
  try {
    await requestor.opened;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
  return requestor;
}

/** Under TLS a peer whose certificate does not hold gets no byte beyond the handshake. */
function socketTo({ host, port, tls }: Peer): Socket {
  if (!tls) return connect({ host, port, noDelay: true });
  const { credentials, serverName = host } = tls;
  const socket = connectTls({
    ...TLS_OPTIONS,
    ...credentials.material,
    host,
    port,
    rejectUnauthorized: true,
    // An address is no name for the extension (RFC 6066, 3), but is checked in the certificate all the same.
    ...(isIP(serverName) === 0 && { servername: serverName }),
  });
  return socket.setNoDelay(true);
}

function proposalsOf(contexts: readonly ProposedContext[]): readonly ContextProposal[] {
  const proposals: ContextProposal[] = [];
  for (const { abstractSyntax, transferSyntaxes } of contexts) {
    for (const uid of transferSyntaxes) {
      proposals.push({ id: 2 * proposals.length + 1, abstractSyntax, transferSyntaxes: [uid] });
    }
  }
  if (proposals.length === 0 || proposals.length > MAX_CONTEXTS) {
    throw new Error(`bug: ${proposals.length} presentation contexts proposed`);
  }
  return proposals;
}

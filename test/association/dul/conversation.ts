/** Plays one case on a connection of its own and writes down what comes back. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { elementsOf, RawPeer, statusOf } from "../../support/raw-peer.ts";
import type { Case } from "./case.ts";
import type { Target } from "./target.ts";

/** Longer than any answer takes. */
const PATIENCE_MS = 8_000;
/** How long a connection may stand after an A-ABORT was sent on it. */
const CLOSING_MS = 5_000;

export async function converse(one: Case, target: Target): Promise<string> {
  if (one.play) return one.play(target);
  const peer = await RawPeer.connect(target.port);
  try {
    if (one.opening) {
      peer.send(one.opening);
      const opened = await answerOf(peer, target.patienceMs);
      if (opened !== "AC") return `opening: ${opened}`;
    }
    const sending = sendAll(peer, one);
    if (!one.timed) await within(sending, target.patienceMs);
    if (one.leaves === "fin") peer.socket.end();
    if (one.leaves === "reset") peer.socket.resetAndDestroy();
    const patienceMs = target.patienceMs + (one.timed ? target.longestTimeoutMs : 0);
    return await answersOf(peer, one.answer.split(", ").length, patienceMs);
  } finally {
    peer.destroy();
  }
}

/** Up to `count` answers; fewer if the connection ends or goes silent before. */
export async function answersOf(peer: RawPeer, count: number, patienceMs = PATIENCE_MS): Promise<string> {
  const seen: string[] = [];
  while (seen.length < count) {
    const answer = await answerOf(peer, patienceMs);
    seen.push(answer);
    if (!/^(AC|RSP|RLRP|PDU)/.test(answer)) break;
  }
  return seen.join(", ");
}

async function answerOf(peer: RawPeer, patienceMs: number): Promise<string> {
  const pdu = await within(peer.next(), patienceMs);
  if (pdu === "late") return "silence";
  if (pdu === "closed") return "closed";
  const { type, body } = pdu;
  if (type === 2) return "AC";
  if (type === 3) return `RJ ${body[1]}/${body[2]}/${body[3]}`;
  if (type === 4) return `RSP ${hex(statusOf(elementsOf(body.subarray(6))))}`;
  if (type === 6) return "RLRP";
  if (type !== 7) return `PDU ${type}`;
  const closed = await within(peer.closed, CLOSING_MS);
  return closed === "late" ? "ABORT, silence" : `ABORT ${body[2]}/${body[3]}`;
}

export async function within<T>(work: Promise<T>, ms: number): Promise<T | "late"> {
  const timer = new AbortController();
  const late = sleep(ms, "late" as const, { signal: timer.signal }).catch(() => "late" as const);
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}

/** Gives up when the other side has closed: nobody takes the rest. */
async function sendAll(peer: RawPeer, { sends, trickleMs }: Case): Promise<void> {
  const { socket } = peer;
  const gone = peer.closed.then(() => "closed");
  for (const part of sends()) {
    for (const bytes of trickleMs === undefined ? [part] : [...part].map((byte) => Buffer.from([byte]))) {
      if (socket.destroyed || !socket.writable) return;
      const isTaken = socket.write(bytes);
      if (trickleMs !== undefined) await Promise.race([sleep(trickleMs), gone]);
      else if (!isTaken) await Promise.race([once(socket, "drain").catch(() => {}), gone]);
    }
  }
}

function hex(status: number | undefined): string {
  return status === undefined ? "without status" : status.toString(16).toUpperCase().padStart(4, "0");
}

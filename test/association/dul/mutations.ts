/**
 * Good conversations with bytes changed, cut, doubled or put in, by seed: what nobody thought of.
 *
 * Every bad instance that is answered Success has to be the good one after all, or another that is whole.
 */
import { seeded } from "../../support/bytes.ts";
import { associateRq, echoRq, pData, RawPeer, releaseRq } from "../../support/raw-peer.ts";
import { within } from "./conversation.ts";
import { imageOf, storing, uidOf } from "./images.ts";
import type { Target } from "./target.ts";

export interface Mutated {
  /** Sent, and whether that was all of it. */
  readonly connections: number;
  /** Those whose connection stood longer than any time-out allows. */
  readonly stuck: readonly number[];
}

const PATIENCE_MS = 5_000;

/** @param from  the seed of the first; each has its own, so that one can be played alone */
export async function playMutations(target: Target, from: number, count: number): Promise<Mutated> {
  const stuck: number[] = [];
  for (let seed = from; seed < from + count; seed += 1) {
    const peer = await RawPeer.connect(target.port);
    for (const part of mutated(seed)) if (!peer.socket.destroyed) peer.socket.write(part);
    peer.socket.end();
    if ((await within(peer.closed, PATIENCE_MS)) === "late") stuck.push(seed);
    peer.destroy();
  }
  return { connections: count, stuck };
}

/** One conversation, in the pieces it is sent in. */
function mutated(seed: number): readonly Uint8Array[] {
  const random = seeded(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const id = `Z${seed}`;
  let bytes: Buffer = Buffer.concat([
    associateRq(),
    pData(3, 3, echoRq(1)),
    ...storing(uidOf(id), imageOf(id)),
    ...storing(uidOf(id, 1), imageOf(id, {}, 1)),
    releaseRq,
  ]);
  for (let left = 1 + below(4); left > 0; left -= 1) bytes = damaged(bytes, below);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + below(bytes.length);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

function damaged(bytes: Buffer, below: (limit: number) => number): Buffer {
  const at = below(bytes.length);
  const length = 1 + below(40);
  switch (below(6)) {
    case 0: // one byte
      bytes[at] = below(256);
      return bytes;
    case 1: // one bit
      bytes[at] = bytes[at]! ^ (1 << below(8));
      return bytes;
    case 2: // an edge of what a length can be
      bytes.fill(below(2) === 0 ? 0xff : 0, at, Math.min(at + 1 + below(4), bytes.length));
      return bytes;
    case 3: // some left out
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 4: // some twice
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    default: // the end left out
      return Buffer.from(bytes.subarray(0, at + 1));
  }
}

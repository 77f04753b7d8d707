/** T: peers that come and go, say nothing, stop half way, or take for ever. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  associateRq,
  commandSet,
  echoRq,
  pData,
  pdu,
  pdv,
  RawPeer,
  releaseRq,
  storeRq,
  ui,
  us,
} from "../../support/raw-peer.ts";
import type { Case } from "./case.ts";
import { answersOf, within } from "./conversation.ts";
import { ASSOCIATIONS, type Target } from "./target.ts";

const request = associateRq();
const HALF = Math.floor(request.length / 2);
const none = (): Uint8Array[] => [];
const halfStore = (): Uint8Array[] => [
  pData(1, 3, storeRq(1, "1.2.3.4.5.1")),
  pData(1, 0, Buffer.alloc(1_000)),
];
const longValue = pdv(1, 0, Buffer.alloc(10_000));

export const TRANSPORT: readonly Case[] = [
  { id: "T01", name: "a peer that connects and leaves", sends: none, leaves: "fin", answer: "closed" },
  { id: "T02", name: "a peer that connects and resets", sends: none, leaves: "reset", answer: "closed" },
  {
    id: "T03",
    name: "half an association request, then the end",
    sends: () => [request.subarray(0, HALF)],
    leaves: "fin",
    answer: "closed",
  },
  {
    id: "T04",
    name: "half an association request, then a reset",
    sends: () => [request.subarray(0, HALF)],
    leaves: "reset",
    answer: "closed",
  },
  {
    id: "T05",
    name: "the end within a data set",
    opening: request,
    sends: halfStore,
    leaves: "fin",
    answer: "closed",
  },
  {
    id: "T06",
    name: "a reset within a data set",
    opening: request,
    sends: halfStore,
    leaves: "reset",
    answer: "closed",
  },
  {
    id: "T07",
    name: "the end of an association that is open",
    opening: request,
    sends: none,
    leaves: "fin",
    answer: "closed",
  },
  { id: "T08", name: "a peer that says nothing", sends: none, answer: "closed", timed: true },
  {
    id: "T09",
    name: "one byte, then nothing",
    sends: () => [request.subarray(0, 1)],
    answer: "closed",
    timed: true,
  },
  {
    id: "T10",
    name: "half an association request, then nothing",
    sends: () => [request.subarray(0, HALF)],
    answer: "closed",
    timed: true,
  },
  {
    id: "T11",
    name: "an association request that trickles in",
    sends: () => [request, Buffer.alloc(1_000)],
    trickleMs: 300,
    answer: "closed",
    timed: true,
  },
  {
    id: "T12",
    name: "half a command, then nothing",
    opening: request,
    sends: () => [pData(1, 1, storeRq(1, "1.2.3.4.5.1").subarray(0, 20))],
    answer: "ABORT 0/0",
    timed: true,
  },
  {
    id: "T13",
    name: "half a data set, then nothing",
    opening: request,
    sends: halfStore,
    answer: "ABORT 0/0",
    timed: true,
  },
  {
    id: "T14",
    name: "a data value that trickles in",
    opening: request,
    sends: () => [pData(1, 3, storeRq(1, "1.2.3.4.5.1")), pdu(4, longValue)],
    trickleMs: 20,
    answer: "ABORT 0/0",
    timed: true,
  },
  { id: "T15", name: "a peer that asks and never reads the answers", answer: "let go", ...deaf() },
  { id: "T16", name: "connections without a word, more than are served", answer: "let go", ...crowd() },
  {
    id: "T17",
    name: "an open association that is left silent",
    opening: request,
    sends: none,
    answer: "ABORT 0/0",
    timed: true,
  },
];

function deaf(): Pick<Case, "sends" | "timed" | "play"> {
  const uid = `1.${"2".repeat(62)}`; // the longer the answers, the sooner they fill what holds them
  const question = commandSet(ui(3, uid), us(0x100, 0x130), us(0x110, 1), us(0x800, 0x101), ui(0x1001, uid));
  const many = Buffer.concat(Array.from({ length: 1_000 }, () => pData(1, 3, question)));
  return {
    sends: none,
    timed: true,
    async play(target: Target) {
      const peer = await RawPeer.connect(target.port);
      peer.send(request);
      await answersOf(peer, 1);
      peer.socket.pause();
      let isGone = false;
      peer.socket.on("close", () => (isGone = true)).on("error", () => (isGone = true));
      const until = performance.now() + target.longestTimeoutMs + 20_000; // it takes seconds to fill all that can hold answers
      while (!isGone && performance.now() < until) {
        if (peer.socket.writableLength < 4 * 1024 * 1024) peer.socket.write(many);
        await sleep(5);
      }
      peer.destroy();
      return isGone ? "let go" : "silence";
    },
  };
}

function crowd(): Pick<Case, "sends" | "timed" | "play"> {
  return {
    sends: none,
    timed: true,
    async play(target: Target) {
      const peers = await Promise.all(
        Array.from({ length: ASSOCIATIONS * 6 }, () => RawPeer.connect(target.port).catch(() => undefined)),
      );
      const here = peers.filter((peer) => peer !== undefined);
      const limit = target.longestTimeoutMs + 2_000;
      const all = await within(Promise.all(here.map(({ closed }) => closed)), limit);
      for (const peer of here) peer.destroy();
      return all === "late" ? "silence" : "let go";
    },
  };
}

/** What the transport must carry in any pieces. */
export const PIECES: readonly Case[] = [
  {
    id: "D31",
    name: "an association request byte by byte",
    sends: () => [request],
    trickleMs: 0,
    answer: "AC",
  },
  {
    id: "D32",
    name: "request, C-ECHO and release in one piece",
    sends: () => [Buffer.concat([request, pData(3, 3, echoRq(1)), releaseRq])],
    answer: "AC, RSP 0000, RLRP",
  },
  {
    id: "D33",
    name: "a C-ECHO byte by byte",
    opening: request,
    sends: () => [pData(3, 3, echoRq(1))],
    trickleMs: 0,
    answer: "RSP 0000",
  },
];

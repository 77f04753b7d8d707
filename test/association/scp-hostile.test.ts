/**
 * Peers that are broken, hostile, slow or gone. After each of them the SCP has to serve the next one.
 *
 * Raw sockets; time is moved by hand where a time-out is what is tested.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { AbortReason, AbortSource } from "../../src/association/dimse.ts";
import { HandClock } from "../support/clock.ts";
import {
  abortPdu,
  associateAc,
  associateRq,
  CT,
  commandSet,
  EXPLICIT,
  echoRq,
  pData,
  pdu,
  pdv,
  RawPeer,
  releaseRp,
  releaseRq,
  statusOf,
  storeRq,
  ui,
  us,
} from "../support/raw-peer.ts";
import { Keeper, type Overrides, startScp, type TestScp } from "./keeper.ts";

let keeper: Keeper;
let clock: HandClock;
let scp: TestScp;
const peers: RawPeer[] = [];

async function start(overrides: Overrides = {}): Promise<void> {
  keeper = new Keeper();
  clock = new HandClock();
  scp = await startScp(keeper, { clock, ...overrides, timeouts: { graceMs: 60_000, ...overrides.timeouts } });
}

beforeEach(() => start());

// The clock stands still, so the grace period never ends: a connection that is left over would hold the stop.
afterEach(async () => {
  const last = await open();
  last.send(pData(3, 3, echoRq(1)));
  expect(statusOf(await last.response())).toBe(0);
  for (const peer of peers.splice(0)) peer.destroy();
  await scp[Symbol.asyncDispose]();
  expect(keeper.kept.filter(({ state }) => state === "open")).toEqual([]);
});

async function connected(): Promise<RawPeer> {
  const peer = await RawPeer.connect(scp.port);
  peers.push(peer);
  return peer;
}

async function open(): Promise<RawPeer> {
  const peer = await connected();
  peer.send(associateRq());
  await peer.expect(2);
  return peer;
}

async function opened(): Promise<{
  readonly peer: RawPeer;
  readonly kept: () => Keeper["kept"][number] | undefined;
}> {
  const peer = await open();
  const at = keeper.kept.length;
  peer.send(pData(1, 3, storeRq(1, "1.2.3")), pData(1, 0, Buffer.from("half")));
  await keeper.until(() => keeper.kept[at]?.bytes === 4);
  return { peer, kept: () => keeper.kept[at] };
}

/** Source and reason of the A-ABORT that has to come next; after it the connection closes. */
async function aborted(peer: RawPeer): Promise<readonly [number | undefined, number | undefined]> {
  const body = await peer.expect(7);
  await peer.closed;
  return [body[2], body[3]];
}

/** The connection is gone at this side, too. */
async function noTimers(): Promise<void> {
  while (clock.pending > 0) await new Promise((resolve) => setImmediate(resolve));
}

const BY_USER = [AbortSource.ServiceUser, AbortReason.NotSpecified];
const UNEXPECTED = [AbortSource.ServiceProvider, AbortReason.UnexpectedPdu];
const UNKNOWN = [AbortSource.ServiceProvider, AbortReason.UnrecognizedPdu];
const INVALID = [AbortSource.ServiceProvider, AbortReason.InvalidPduParameter];
const OUT_OF_PLACE = [AbortSource.ServiceProvider, AbortReason.UnexpectedPduParameter];

const header = (type: number, length: number): Buffer => {
  const bytes = Buffer.from([type, 0, 0, 0, 0, 0]);
  bytes.writeUInt32BE(length, 2);
  return bytes;
};
const context = (id: number) => ({ id, abstractSyntax: CT, transferSyntaxes: [EXPLICIT] });

test.each<[string, Uint8Array]>([
  ["a context id twice", associateRq({ contexts: [context(255), context(255)] })],
  [
    "129 contexts",
    associateRq({ contexts: Array.from({ length: 129 }, (_, at) => context((2 * at + 1) % 256)) }),
  ],
  ["an even context id", associateRq({ contexts: [context(2)] })],
  ["no context", associateRq({ contexts: [] })],
  ["items longer than the PDU", pdu(1, associateRq().subarray(6, 80), Buffer.from([0x20, 0, 0xff, 0xff]))],
  ["sub-items whose lengths lie", associateRq({ user: [Buffer.alloc(60_000, 0x51)] })],
  ["an association request of 4 GiB", Buffer.concat([header(1, 0xffff_ffff), Buffer.alloc(100_000)])],
  ["data before an association", pData(1, 3, echoRq(1))],
  ["a release before an association", releaseRq],
  ["an acceptance", associateAc([[1, 0, EXPLICIT]])],
  ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
  ["random bytes", Buffer.from("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "hex")],
  ["a TLS hello", Buffer.from("16030100c8010000c40303", "hex")],
])(
  "%s instead of an association request is answered by an abort and the end of the connection",
  async (_, bytes) => {
    const peer = await connected();
    peer.send(bytes);
    expect(await aborted(peer)).toEqual(BY_USER);
    expect(keeper.admitted).toEqual([]);
    peer.destroy();
    await noTimers();
  },
);

test.each<[string, Uint8Array, readonly number[]]>([
  ["a second association request", associateRq(), UNEXPECTED],
  ["an acceptance", associateAc([[1, 0, EXPLICIT]]), UNEXPECTED],
  ["a rejection", pdu(3, Buffer.from([0, 1, 1, 1])), UNEXPECTED],
  ["a release response", releaseRp, UNEXPECTED],
  ["an unknown PDU", pdu(9, Buffer.alloc(4)), UNKNOWN],
  ["P-DATA-TF of 4 GiB", header(4, 0xffff_ffff), INVALID],
  ["P-DATA-TF longer than we announced", header(4, 131_073), INVALID],
  ["an empty P-DATA-TF", header(4, 0), INVALID],
  [
    "a value longer than its PDU",
    Buffer.concat([header(4, 8), Buffer.from([0, 0, 1, 0, 1, 0, 0, 0])]),
    INVALID,
  ],
  ["a context that was not accepted", pData(99, 3, echoRq(1)), INVALID],
  ["data without a command", pData(1, 2, Buffer.from("data")), OUT_OF_PLACE],
  ["a command that is none", pData(1, 3, Buffer.from("no command set")), INVALID],
  ["a command without message id", pData(3, 3, commandSet(us(0x100, 0x30), us(0x800, 0x101))), INVALID],
  [
    "a response nobody asked for",
    pData(1, 3, commandSet(us(0x100, 0x8001), us(0x120, 1), us(0x900, 0), us(0x800, 0x101))),
    OUT_OF_PLACE,
  ],
])("%s on an open association aborts it", async (_, bytes, expected) => {
  const peer = await open();
  peer.send(bytes);
  expect(await aborted(peer)).toEqual(expected);
  await keeper.until(() => keeper.ended.length === 1);
  expect(keeper.ended[0]?.how).toBe("aborted");
  expect(scp.lines.filter(({ event }) => event === "association.aborted")).toHaveLength(1);
});

test.each<[string, Uint8Array, readonly number[]]>([
  ["a release", releaseRq, UNEXPECTED],
  ["another command", pData(1, 3, echoRq(2)), OUT_OF_PLACE],
  ["data of another context", pData(3, 0, Buffer.from("data")), OUT_OF_PLACE],
  ["an association request", associateRq(), UNEXPECTED],
])(
  "%s within a data set aborts, and what was received of the instance is discarded",
  async (_, bytes, expected) => {
    const { peer, kept } = await opened();
    peer.send(bytes);
    expect(await aborted(peer)).toEqual(expected);
    await keeper.until(() => keeper.ended.length === 1);
    expect(kept()?.state).toBe("discarded");
  },
);

test("a peer that sends on for 48 MB behind a length of 4 GiB costs no memory", async () => {
  const peer = await connected();
  peer.send(header(1, 0xffff_ffff));
  const chunk = Buffer.alloc(1024 * 1024);
  const before = process.memoryUsage().arrayBuffers;
  for (let sent = 0; sent < 48; sent += 1) {
    await new Promise((resolve) => peer.socket.write(chunk, resolve));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
  }
  await peer.expect(7);
});

test("a command set that never ends is cut off at its limit", async () => {
  const peer = await open();
  for (let sent = 0; sent < 16_384; sent += 4_096) peer.send(pData(1, 1, Buffer.alloc(4_096)));
  peer.send(pData(1, 1, Buffer.alloc(1)));
  expect(await aborted(peer)).toEqual(INVALID);
  expect(scp.lines.find(({ event }) => event === "association.aborted")?.reason).toContain("16384");
});

test("while a sink is full nothing more is read: TCP holds the peer back; then the instance arrives whole", async () => {
  const total = 64 * 1024 * 1024;
  const { promise, resolve } = Promise.withResolvers<void>();
  keeper.keepsBytes = false;
  keeper.full = ({ bytes }) => (bytes > 100_000 ? promise : undefined);
  const peer = await open();
  peer.send(pData(1, 3, storeRq(1, "1.2.3")));
  const value = pData(1, 0, Buffer.alloc(100_000));
  const taken = (): number => peer.socket.bytesWritten - peer.socket.writableLength;
  const isStuck = async (): Promise<boolean> => {
    const before = taken();
    await new Promise((next) => setTimeout(next, 100)); // there is no event for "nothing moves any more"
    return taken() === before;
  };
  let queued = 0;
  for (; queued < total; queued += 100_000) if (!peer.socket.write(value) && (await isStuck())) break;
  expect(taken()).toBeLessThan(16 * 1024 * 1024); // the kernel's buffers, mostly
  expect(keeper.kept[0]?.bytes).toBeLessThan(300_000);
  resolve();
  keeper.full = () => undefined;
  peer.send(pData(1, 2, Buffer.alloc(2)));
  expect(statusOf(await peer.response())).toBe(0);
  expect(keeper.kept[0]?.bytes).toBe(queued + 100_000 + 2);
});

test("a peer that asks and never reads the answers is not read any more, and is given up", async () => {
  await scp[Symbol.asyncDispose]();
  await start({ timeouts: { inactivityMs: 300 } });
  const peer = await open();
  peer.socket.pause();
  const uid = `1.${"2".repeat(62)}`; // the longer the answers, the sooner they fill what holds them
  const request = commandSet(ui(3, uid), us(0x100, 0x130), us(0x110, 1), us(0x800, 0x101), ui(0x1001, uid));
  const many = Buffer.concat(Array.from({ length: 1_000 }, () => pData(1, 3, request)));
  let isClosed = false;
  void peer.closed.then(() => (isClosed = true));
  peer.socket.on("close", () => (isClosed = true));
  while (!isClosed && peer.socket.writableLength < 4 * 1024 * 1024) {
    peer.socket.write(many);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await keeper.until(() => keeper.ended.length > 0);
  expect(scp.lines.find(({ event }) => event === "association.aborted")?.reason).toBe(
    "no progress for 300 ms",
  );
  clock.advance(30_000); // ARTIM: the abort cannot leave either
});

test("twenty associations dropped in mid instance leave nothing behind", async () => {
  const all = await Promise.all(Array.from({ length: 10 }, () => opened()));
  for (const [at, { peer }] of all.entries()) {
    if (at % 2 === 0) peer.socket.resetAndDestroy();
    else peer.socket.destroy();
  }
  const ended = await Promise.all(Array.from({ length: 10 }, () => opened()));
  for (const { peer } of ended) peer.send(abortPdu);
  await keeper.until(() => keeper.ended.length === 20);
  expect(keeper.kept.map(({ state }) => state)).toEqual(Array(20).fill("discarded"));
  expect(new Set(keeper.ended.map(({ how }) => how))).toEqual(new Set(["aborted"]));
});

test("a connection lost while its instance is being finished: the instance is kept, then the handler is told", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  keeper.finishing = () => promise;
  const peer = await open();
  peer.send(pData(1, 3, storeRq(1, "1.2.3")), pData(1, 2, Buffer.from("all")));
  await keeper.until(() => keeper.kept[0]?.bytes === 3);
  peer.socket.resetAndDestroy();
  resolve();
  await keeper.until(() => keeper.ended.length === 1);
  expect(keeper.kept[0]?.state).toBe("finished");
});

const timers = async (count: number): Promise<void> => {
  while (clock.pending < count) await new Promise((resolve) => setImmediate(resolve));
};

test("a silent peer is closed when ARTIM expires, not before", async () => {
  const peer = await connected();
  await timers(1);
  clock.advance(29_999);
  expect(scp.lines).toEqual([]);
  clock.advance(1);
  await peer.closed;
  expect(await peer.next()).toBe("closed");
});

test("an association request that trickles in is cut off by ARTIM, which does not start again", async () => {
  const peer = await connected();
  await timers(1);
  for (const [at, byte] of associateRq().subarray(0, 29).entries()) {
    peer.send(Buffer.from([byte]));
    clock.advance(1_000);
    expect([at, peer.socket.destroyed]).toEqual([at, false]);
  }
  clock.advance(1_000);
  await peer.closed;
  expect(keeper.admitted).toEqual([]);
});

test("an idle association is aborted", async () => {
  const peer = await open();
  clock.advance(59_999);
  peer.send(pData(3, 3, echoRq(1)));
  await peer.response();
  clock.advance(59_999);
  peer.send(pData(3, 3, echoRq(2)));
  await peer.response();
  clock.advance(60_000);
  expect(await aborted(peer)).toEqual(BY_USER);
  expect(scp.lines.at(-1)).toMatchObject({ event: "association.aborted", reason: "idle for 60000 ms" });
});

test("within a message the peer is waited for as long as inactivity says, between messages as long as idle", async () => {
  const { peer, kept } = await opened();
  clock.advance(24_999);
  peer.send(pData(1, 0, Buffer.from("more")));
  await keeper.until(() => kept()?.bytes === 8);
  clock.advance(24_999);
  expect(kept()?.state).toBe("open");
  clock.advance(1);
  expect(await aborted(peer)).toEqual(BY_USER);
  expect(scp.lines.at(-1)).toMatchObject({ reason: "nothing of a message came for 25000 ms" });
  expect(kept()?.state).toBe("discarded");
});

test("a data value that trickles in does not keep an association alive", async () => {
  const peer = await open();
  peer.send(
    pData(1, 3, storeRq(1, "1.2.3")),
    header(4, 1_006),
    pdv(1, 0, Buffer.alloc(1_000)).subarray(0, 6),
  );
  for (let sent = 1; sent <= 6; sent += 1) {
    peer.send(Buffer.alloc(1));
    await keeper.until(() => keeper.kept[0]?.bytes === sent);
    clock.advance(4_166);
  }
  clock.advance(4);
  expect(await aborted(peer)).toEqual(BY_USER);
  peer.send(Buffer.alloc(994)); // the rest comes all the same; the handler must not see it
  peer.socket.end();
  await noTimers();
  expect(keeper.kept[0]).toMatchObject({ bytes: 6, state: "discarded" });
  expect(scp.lines.filter(({ event }) => event === "association.failed")).toEqual([]);
});

test("what comes in one piece with an abort is not looked at", async () => {
  const peer = await open();
  peer.send(abortPdu, pData(3, 3, echoRq(1)), associateRq(), releaseRq);
  expect(await peer.next()).toBe("closed");
  expect(scp.lines.map(({ event }) => event)).toEqual(["association.aborted"]);
});

test("the time the node itself needs does not count as the peer's", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  keeper.finishing = () => promise;
  const peer = await open();
  peer.send(pData(1, 3, storeRq(1, "1.2.3")), pData(1, 2, Buffer.from("all")));
  await keeper.until(() => keeper.kept[0]?.bytes === 3);
  clock.advance(600_000);
  resolve();
  expect(statusOf(await peer.response())).toBe(0);
});

test("a peer that does not close after its release was answered is closed by ARTIM", async () => {
  const peer = await open();
  peer.send(releaseRq);
  await peer.expect(6);
  await timers(1);
  clock.advance(30_000);
  await peer.closed;
});

test("surplus connections of one address are closed at once", async () => {
  await scp[Symbol.asyncDispose]();
  await start({ limits: { associationsPerPeer: 2 } });
  const silent = await Promise.all(Array.from({ length: 8 }, () => connected()));
  await timers(8);
  const surplus = await connected();
  await surplus.closed;
  for (const peer of silent) peer.destroy();
  await noTimers();
});

const broken = (): never => {
  throw new Error("handler broken");
};

test.each<[string, () => void]>([
  ["admit", () => (keeper.admission = broken)],
  ["open", () => (keeper.answer = broken)],
  ["write", () => (keeper.full = broken)],
  ["drained", () => (keeper.full = () => Promise.reject(new Error("handler broken")))],
  ["finish", () => (keeper.finishing = async () => broken())],
])("a handler that throws in %s loses this association, and the error is logged once", async (_, breakIt) => {
  breakIt();
  const peer = await connected();
  peer.send(associateRq(), pData(1, 3, storeRq(1, "1.2.3")));
  for (let sent = 0; sent < 20; sent += 1) peer.send(pData(1, 0, Buffer.alloc(20_000)));
  peer.send(pData(1, 2, Buffer.from("data")));
  let answer = await peer.next();
  if (answer !== "closed" && answer.type === 2) answer = await peer.next();
  expect(answer !== "closed" && [answer.type, answer.body.toString("hex")]).toEqual([7, "00000200"]);
  await peer.closed;
  const failures = scp.lines.filter(({ event }) => event === "association.failed");
  expect(failures.map(({ error }) => (error as Error).message)).toEqual(["handler broken"]);
  keeper.admission = () => "ok";
  keeper.answer = () => 0;
  keeper.full = () => undefined;
  keeper.finishing = async () => {};
  for (const kept of keeper.kept) kept.state = "discarded"; // a finish that failed is the handler's own affair
});

test("a handler that cannot even discard is told all the same that the association has ended", async () => {
  const { peer, kept } = await opened();
  const stored = kept();
  if (stored) stored.state = "finished"; // makes the keeper throw in discard
  peer.send(abortPdu);
  await keeper.until(() => keeper.ended.length === 1);
  expect(scp.lines.filter(({ event }) => event === "association.failed")).toHaveLength(1);
});

test("a handler that throws when an association is closed harms nobody", async () => {
  keeper.closed = broken;
  const peer = await open();
  peer.send(releaseRq);
  await peer.expect(6);
  expect(scp.lines.filter(({ event }) => event === "association.failed")).toHaveLength(1);
});

test("300 damaged conversations leave the SCP as it was", async () => {
  const good = Buffer.concat([
    associateRq(),
    pData(1, 3, storeRq(1, "1.2.3")),
    pData(1, 2, Buffer.from("data")),
    releaseRq,
  ]);
  let seed = 20_251;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  for (let at = 0; at < 300; at += 1) {
    const bad = Buffer.from(good);
    for (let damage = 0; damage <= random(4); damage += 1) bad[random(bad.length)] = random(256);
    const peer = await RawPeer.connect(scp.port);
    peer.send(bad.subarray(0, random(2) === 0 ? bad.length : random(bad.length)));
    peer.socket.end();
    await peer.closed;
  }
  expect(scp.lines.filter(({ event }) => event === "association.failed")).toEqual([]);
});

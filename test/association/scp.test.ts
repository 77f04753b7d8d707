/** What the SCP answers to peers that behave, in all the ways the protocol allows. Raw sockets. */
import { expect, test } from "vitest";
import {
  associateRq,
  CT,
  commandSet,
  ctContext,
  EXPLICIT,
  echoContext,
  echoRq,
  IMPLICIT,
  pData,
  pdu,
  pdv,
  RawPeer,
  releaseRq,
  statusOf,
  storeRq,
  ui,
  us,
} from "../support/raw-peer.ts";
import { aeTitle, Keeper, type Overrides, startScp } from "./keeper.ts";

async function open(port: number, request = associateRq()): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peer.send(request);
  await peer.expect(2);
  return peer;
}

/** A whole C-STORE message. */
function store(messageId: number, instanceUid: string, data: Uint8Array = Buffer.from("data")): Buffer {
  return Buffer.concat([pData(1, 3, storeRq(messageId, instanceUid)), pData(1, 2, data)]);
}

async function release(peer: RawPeer): Promise<void> {
  peer.send(releaseRq);
  await peer.expect(6);
  peer.destroy();
}

test("an instance reaches the handler with what is known of it, and is answered Success when it is finished", async () => {
  const keeper = new Keeper();
  await using scp = await startScp(keeper);
  const peer = await open(scp.port);
  peer.send(
    pData(
      1,
      3,
      commandSet(ui(2, CT), us(0x100, 1), us(0x110, 77), us(0x700, 1), us(0x800, 0), ui(0x1000, "1.2.3.4")),
    ),
    pdu(4, pdv(1, 0, Buffer.from("first ")), pdv(1, 0, Buffer.from("second "))),
    pData(1, 2, Buffer.from("last")),
  );
  const response = await peer.response();
  expect(statusOf(response)).toBe(0);
  expect(response.get(0x0100)?.readUInt16LE()).toBe(0x8001);
  expect(response.get(0x0120)?.readUInt16LE()).toBe(77);
  expect(response.get(0x0002)?.toString()).toBe(`${CT}\0`);
  expect(response.get(0x1000)?.toString()).toBe("1.2.3.4\0");
  expect(keeper.kept[0]?.request).toEqual({
    association: { id: 1, callingAeTitle: "RAW", calledAeTitle: "ISOCENTER", peer: "127.0.0.1" },
    sopClassUid: CT,
    sopInstanceUid: "1.2.3.4",
    transferSyntaxUid: EXPLICIT,
    priority: "high",
  });
  expect(keeper.dataSet(0).toString()).toBe("first second last");
  await release(peer);
  await keeper.until(() => keeper.ended.length === 1);
  expect(keeper.ended).toEqual([{ id: 1, how: "released" }]);
  expect(scp.lines.at(-1)).toMatchObject({ event: "association.closed", instances: 1, bytes: 17 });
});

test("the memory of what came is given back at once: a handler that keeps without a copy keeps nothing", async () => {
  const keeper = new Keeper();
  await using scp = await startScp(keeper);
  const peer = await open(scp.port);
  peer.send(store(1, "1.2.3.4", Buffer.alloc(100_000, 7)));
  expect(statusOf(await peer.response())).toBe(0);
  expect(keeper.dataSet(0)).toEqual(Buffer.alloc(100_000, 7));
  expect(keeper.kept[0]?.lent.map(({ length }) => length)).toEqual(keeper.kept[0]?.lent.map(() => 0));
  await release(peer);
});

test("the acceptance announces our own PDU length, whatever the peer's is, and answers each context by its id", async () => {
  await using scp = await startScp(new Keeper());
  const peer = await RawPeer.connect(scp.port);
  peer.send(
    associateRq({
      maxLength: 0,
      contexts: [
        { id: 5, abstractSyntax: CT, transferSyntaxes: [IMPLICIT] },
        { id: 3, abstractSyntax: "1.2.3", transferSyntaxes: [IMPLICIT] },
      ],
    }),
  );
  const body = await peer.expect(2);
  expect(body.includes(Buffer.from("5100000400020000", "hex"))).toBe(true);
  expect(body.includes(Buffer.concat([Buffer.from("2100001905000000400000", "hex")]))).toBe(true);
  expect(body.includes(Buffer.from("21000019030003", "hex"))).toBe(true);
  await release(peer);
});

test("C-ECHO is answered Success", async () => {
  await using scp = await startScp(new Keeper());
  const peer = await open(scp.port);
  peer.send(pData(3, 3, echoRq(5)));
  const response = await peer.response();
  expect([statusOf(response), response.get(0x0120)?.readUInt16LE()]).toEqual([0, 5]);
  await release(peer);
});

test("C-ECHO is answered while another association's instance is being finished", async () => {
  const keeper = new Keeper();
  const { promise, resolve } = Promise.withResolvers<void>();
  keeper.finishing = () => promise;
  await using scp = await startScp(keeper);
  const slow = await open(scp.port);
  slow.send(store(1, "1.2.3"));
  const other = await open(scp.port);
  other.send(pData(3, 3, echoRq(1)));
  expect(statusOf(await other.response())).toBe(0);
  expect(keeper.kept[0]?.state).toBe("open");
  resolve();
  expect(statusOf(await slow.response())).toBe(0);
  await release(slow);
  await release(other);
});

test("a peer that sends ahead is answered in order, and its next instance is not opened before the last is finished", async () => {
  const keeper = new Keeper();
  const gates = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  let finishing = 0;
  keeper.finishing = () => gates[finishing++]!.promise;
  await using scp = await startScp(keeper);
  const peer = await open(scp.port);
  peer.send(
    store(1, "1.2.1", Buffer.from("one")),
    store(2, "1.2.2", Buffer.from("two")),
    store(3, "1.2.3", Buffer.from("three")),
  );
  for (const [at, gate] of gates.entries()) {
    await keeper.until(() => finishing === at + 1 || keeper.kept.length > at + 1);
    expect(keeper.kept).toHaveLength(at + 1);
    gate.resolve();
    const response = await peer.response();
    expect([statusOf(response), response.get(0x0120)?.readUInt16LE()]).toEqual([0, at + 1]);
  }
  expect([0, 1, 2].map((at) => keeper.dataSet(at).toString())).toEqual(["one", "two", "three"]);
  await release(peer);
});

test("a handler's own status is answered after the data set has gone by unread", async () => {
  const keeper = new Keeper();
  keeper.answer = () => 0xa700;
  await using scp = await startScp(keeper);
  const peer = await open(scp.port);
  peer.send(store(1, "1.2.3", Buffer.alloc(10_000)));
  expect(statusOf(await peer.response())).toBe(0xa700);
  keeper.answer = () => 0;
  peer.send(store(2, "1.2.4"));
  expect(statusOf(await peer.response())).toBe(0);
  expect(keeper.dataSet(0).toString()).toBe("data");
  await release(peer);
});

test("an instance that is too long is discarded and answered out of resources; the next one is taken", async () => {
  const keeper = new Keeper();
  await using scp = await startScp(keeper, { limits: { instanceBytes: 1_000 } });
  const peer = await open(scp.port);
  peer.send(pData(1, 3, storeRq(1, "1.2.3")));
  for (let sent = 0; sent < 4_000; sent += 500) peer.send(pData(1, 0, Buffer.alloc(500)));
  peer.send(pData(1, 2, Buffer.alloc(1)));
  expect(statusOf(await peer.response())).toBe(0xa700);
  expect(keeper.kept[0]).toMatchObject({ state: "discarded", bytes: 1_000 });
  peer.send(store(2, "1.2.4", Buffer.alloc(1_000)));
  expect(statusOf(await peer.response())).toBe(0);
  await release(peer);
});

const withUid = (uid: string): Buffer => storeRq(1, uid);

test.each<[string, number, Buffer, number]>([
  ["an instance UID with a path", 0x0117, withUid("1.2/../3"), 1],
  ["an instance UID of dots", 0x0117, withUid(".."), 1],
  ["an instance UID with a NUL inside", 0x0117, withUid("1.2\0.3"), 1],
  ["an instance UID of 65 characters", 0x0117, withUid(`1.${"2".repeat(63)}`), 1],
  ["an empty instance UID", 0x0117, withUid(""), 1],
  ["no instance UID", 0x0117, commandSet(ui(2, CT), us(0x100, 1), us(0x110, 1), us(0x800, 0)), 1],
  [
    "another SOP class than the context's",
    0x0122,
    storeRq(1, "1.2.3", { classUid: "1.2.840.10008.5.1.4.1.1.4" }),
    1,
  ],
  ["a SOP class that is no UID", 0x0122, storeRq(1, "1.2.3", { classUid: "CT" }), 1],
  ["C-STORE on a Verification context", 0x0211, storeRq(1, "1.2.3"), 3],
  ["C-FIND", 0x0211, commandSet(ui(2, CT), us(0x100, 0x20), us(0x110, 1), us(0x800, 0)), 1],
  [
    "N-ACTION",
    0x0211,
    commandSet(ui(3, CT), us(0x100, 0x130), us(0x110, 1), us(0x800, 0), ui(0x1001, "1.2")),
    1,
  ],
  ["a command field nobody knows", 0x0211, commandSet(us(0x100, 0x7abc), us(0x110, 1), us(0x800, 0)), 1],
])(
  "%s is answered %i after its data set, and the association goes on",
  async (_, status, command, contextId) => {
    const keeper = new Keeper();
    await using scp = await startScp(keeper);
    const peer = await open(scp.port);
    peer.send(pData(contextId, 3, command), pData(contextId, 2, Buffer.alloc(100)));
    const response = await peer.response();
    expect(statusOf(response)).toBe(status);
    expect(response.get(0x0120)?.readUInt16LE()).toBe(1);
    expect(keeper.kept).toEqual([]);
    peer.send(pData(3, 3, echoRq(2)));
    expect(statusOf(await peer.response())).toBe(0);
    await release(peer);
  },
);

test("C-STORE without a data set is answered that it cannot be understood", async () => {
  await using scp = await startScp(new Keeper());
  const peer = await open(scp.port);
  peer.send(pData(1, 3, storeRq(1, "1.2.3", { dataSetType: 0x0101 })));
  expect(statusOf(await peer.response())).toBe(0xc000);
  await release(peer);
});

test("C-CANCEL is not answered", async () => {
  await using scp = await startScp(new Keeper());
  const peer = await open(scp.port);
  peer.send(
    pData(1, 3, commandSet(us(0x100, 0xfff), us(0x120, 1), us(0x800, 0x101))),
    pData(3, 3, echoRq(2)),
  );
  expect((await peer.response()).get(0x0100)?.readUInt16LE()).toBe(0x8030);
  await release(peer);
});

// 8 cells: called, calling and address, right and wrong.
const callers: Overrides = { callers: [{ aeTitle: aeTitle("RAW"), from: "127.0.0.2" }] };

test.each<[string, string, string, string]>([
  ["ISOCENTER", "RAW", "127.0.0.2", "accepted"],
  ["ISOCENTER", "RAW", "127.0.0.1", "010103"],
  ["ISOCENTER", "OTHER", "127.0.0.2", "010103"],
  ["ISOCENTER", "OTHER", "127.0.0.1", "010103"],
  ["OTHER", "RAW", "127.0.0.2", "010107"],
  ["OTHER", "RAW", "127.0.0.1", "010107"],
  ["OTHER", "OTHER", "127.0.0.2", "010107"],
  ["OTHER", "OTHER", "127.0.0.1", "010107"],
])("called %s by %s from %s: %s", async (called, calling, from, verdict) => {
  const keeper = new Keeper();
  await using scp = await startScp(keeper, callers);
  const peer = await RawPeer.connect(scp.port, from);
  peer.send(associateRq({ called, calling }));
  const answer = await peer.next();
  if (answer === "closed") throw new Error("closed without an answer");
  expect(answer.type === 2 ? "accepted" : answer.body.subarray(1).toString("hex")).toBe(verdict);
  expect(keeper.admitted).toHaveLength(verdict === "accepted" ? 1 : 0);
  peer.destroy();
});

test("surplus associations are refused for now; a place that is given back can be taken", async () => {
  await using scp = await startScp(new Keeper(), { limits: { associations: 2 } });
  const first = await open(scp.port);
  const second = await open(scp.port);
  const third = await RawPeer.connect(scp.port);
  third.send(associateRq());
  expect((await third.expect(3)).toString("hex")).toBe("00020302");
  await third.closed;
  expect(scp.lines.at(-1)).toEqual({
    event: "association.rejected",
    peer: "127.0.0.1",
    callingAeTitle: "RAW",
    reason: "too many associations",
  });
  await release(first);
  await release(await open(scp.port));
  await release(second);
});

test("one address may not take all places", async () => {
  await using scp = await startScp(new Keeper(), { limits: { associationsPerPeer: 1 } });
  const first = await open(scp.port);
  const second = await RawPeer.connect(scp.port);
  second.send(associateRq());
  expect((await second.expect(3)).toString("hex")).toBe("00020302");
  const other = await RawPeer.connect(scp.port, "127.0.0.2");
  other.send(associateRq());
  await other.expect(2);
  await release(other);
  await release(first);
});

test("an association the handler has no room for is refused for now", async () => {
  const keeper = new Keeper();
  keeper.admission = () => "busy";
  await using scp = await startScp(keeper);
  const peer = await RawPeer.connect(scp.port);
  peer.send(associateRq({ contexts: [ctContext, echoContext] }));
  expect((await peer.expect(3)).toString("hex")).toBe("00020302");
  await peer.closed;
  expect(keeper.ended).toEqual([]);
});

test("a port that is taken is an error with a code", async () => {
  const keeper = new Keeper();
  await using scp = await startScp(keeper);
  await expect(startScp(keeper, { port: scp.port })).rejects.toMatchObject({ code: "LISTEN_FAILED" });
});

test("a stop waits for open associations, takes no new ones, and says so to the log only", async () => {
  const keeper = new Keeper();
  const scp = await startScp(keeper, { timeouts: { graceMs: 20_000 } });
  const waiting = await RawPeer.connect(scp.port);
  const peer = await open(scp.port);
  const stopped = scp[Symbol.asyncDispose]();
  await waiting.closed;
  await expect(RawPeer.connect(scp.port)).rejects.toThrow("ECONNREFUSED");
  peer.send(store(1, "1.2.3"));
  expect(statusOf(await peer.response())).toBe(0);
  await release(peer);
  await stopped;
  expect(keeper.ended).toEqual([{ id: 2, how: "released" }]);
});

test("a stop aborts what is still open after the grace period, and its instance is discarded", async () => {
  const keeper = new Keeper();
  const scp = await startScp(keeper, { timeouts: { graceMs: 20 } });
  const peer = await open(scp.port);
  peer.send(pData(1, 3, storeRq(1, "1.2.3")), pData(1, 0, Buffer.from("half")));
  await keeper.until(() => keeper.kept[0]?.bytes === 4);
  await scp[Symbol.asyncDispose]();
  expect(keeper.kept[0]?.state).toBe("discarded");
  expect(keeper.ended).toEqual([{ id: 1, how: "aborted" }]);
  expect((await peer.expect(7)).toString("hex")).toBe("00000000");
});

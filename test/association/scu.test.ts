/** The SCU against an SCP that follows a script: what peers do wrong, and what it takes from each. */
import { expect, test } from "vitest";
import { associate, type RequestorAssociation } from "../../src/association/scu.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import type { InstanceUid } from "../../src/dicom/uid.ts";
import {
  abortPdu,
  associateAc,
  CT,
  commandSet,
  EXPLICIT,
  elementsOf,
  IMPLICIT,
  pData,
  pdu,
  type RawPeer,
  releaseRp,
  releaseRq,
  scripted,
  storeRsp,
  us,
} from "../support/raw-peer.ts";
import { aeTitle } from "./keeper.ts";

interface Calling {
  readonly answerTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  readonly host?: string;
  readonly signal?: AbortSignal;
}

const SYNTAXES = [TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN, TRANSFER_SYNTAX.JPEG_LS_LOSSLESS];

function call(port: number, options: Calling = {}): Promise<RequestorAssociation> {
  return associate(
    { aeTitle: aeTitle("RAW"), host: options.host ?? "127.0.0.1", port },
    {
      callingAeTitle: aeTitle("ISOCENTER"),
      contexts: [
        { abstractSyntax: SOP_CLASS.CT_IMAGE, transferSyntaxes: SYNTAXES },
        {
          abstractSyntax: SOP_CLASS.VERIFICATION,
          transferSyntaxes: [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN],
        },
      ],
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      answerTimeoutMs: options.answerTimeoutMs ?? 10_000,
      ...(options.signal ? { signal: options.signal } : {}),
    },
  );
}

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

function instance(...parts: readonly Uint8Array[]) {
  return {
    sopClassUid: SOP_CLASS.CT_IMAGE,
    sopInstanceUid: "1.2.3.4" as InstanceUid,
    transferSyntaxUid: TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN,
    dataSet: chunks(...(parts.length > 0 ? parts : [Buffer.from("data")])),
  };
}

const accepted = associateAc([
  [1, 0, EXPLICIT],
  [3, 4, IMPLICIT],
  [5, 0, IMPLICIT],
]);

interface Received {
  readonly command: ReadonlyMap<number, Buffer>;
  readonly data: Buffer;
  /** Bytes of each P-DATA-TF body of the data set. */
  readonly lengths: readonly number[];
}

/** Reads one C-STORE message. */
async function receive(peer: RawPeer): Promise<Received> {
  const command = await peer.response();
  const parts: Buffer[] = [];
  for (let isLast = false; !isLast; ) {
    const body = await peer.expect(4);
    if (body.readUInt32BE(0) !== body.length - 4) throw new Error("not one value in one PDU");
    isLast = (body.readUInt8(5) & 2) !== 0;
    parts.push(body);
  }
  return {
    command,
    data: Buffer.concat(parts.map((part) => part.subarray(6))),
    lengths: parts.map(({ length }) => length),
  };
}

/** Accepts, answers one C-STORE with what `answer` makes of it, then a release. */
function storing(answer: (peer: RawPeer, received: Received) => Promise<void> | void, ac = accepted) {
  return scripted(async (peer) => {
    await peer.expect(1);
    peer.send(ac);
    await answer(peer, await receive(peer));
    await peer.expect(5);
    peer.send(releaseRp);
  });
}

test("an instance arrives byte for byte, one context for each syntax, and the status comes back", async () => {
  let received: Received | undefined;
  await using peer = await storing((peer, got) => {
    received = got;
    peer.send(
      pData(1, 3, storeRsp(1, 0xb007, { classUid: CT, instanceUid: "1.2.3.4", comment: "coerced\x07 " })),
    );
  });
  {
    await using association = await call(peer.port);
    expect(association.accepted(CT, TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN)).toBe(true);
    expect(association.accepted(CT, TRANSFER_SYNTAX.JPEG_LS_LOSSLESS)).toBe(false);
    expect(association.accepted(CT, TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN)).toBe(false);
    const answer = await association.store(instance(Buffer.from("first "), Buffer.from("second")));
    expect(answer).toEqual({ status: 0xb007, comment: "coerced" });
  }
  expect(received?.data.toString()).toBe("first second");
  expect(received?.command.get(0x0002)?.toString()).toBe(`${CT}\0`);
  expect(received?.command.get(0x1000)?.toString()).toBe("1.2.3.4\0");
  expect(peer.failures).toEqual([]);
});

test("each transfer syntax is proposed in a context of its own", async () => {
  let request: Buffer | undefined;
  await using peer = await scripted(async (peer) => {
    request = await peer.expect(1);
    peer.send(accepted);
    await peer.expect(5);
    peer.send(releaseRp);
  });
  await (await call(peer.port))[Symbol.asyncDispose]();
  const ids: number[] = [];
  for (let at = 68; at < (request?.length ?? 0); at += 4 + request!.readUInt16BE(at + 2)) {
    if (request?.[at] === 0x20) ids.push(request[at + 4]!);
  }
  expect(ids).toEqual([1, 3, 5]);
  expect(peer.failures).toEqual([]);
});

test.each([0x0000, 0xa700, 0xb000, 0xc000, 0x0111, 0xfe00])(
  "status %i is handed on as it is",
  async (status) => {
    await using peer = await storing((peer) => peer.send(pData(1, 3, storeRsp(1, status))));
    await using association = await call(peer.port);
    expect(await association.store(instance())).toEqual({ status });
  },
);

test.each([
  [1_024, 1_018],
  [1_031, 1_024],
  [16_384, 16_378],
  [0, 131_072],
  [0xffff_ffff, 131_072],
])("a peer that takes PDUs of %i bytes gets values of %i", async (maxLength, valueBytes) => {
  let received: Received | undefined;
  const ac = associateAc([[1, 0, EXPLICIT]], { maxLength });
  await using peer = await storing((peer, got) => {
    received = got;
    peer.send(pData(1, 3, storeRsp(1, 0)));
  }, ac);
  await using association = await call(peer.port);
  const data = Buffer.from(Array.from({ length: 300_001 }, (_, at) => at % 251));
  await association.store(instance(data.subarray(0, 1), data.subarray(1, 200_000), data.subarray(200_000)));
  expect(received?.data.equals(data)).toBe(true);
  const full = received?.lengths.slice(0, -1) ?? [];
  expect(new Set(full)).toEqual(new Set([valueBytes + 6]));
  expect(full.length).toBe(Math.floor(300_001 / valueBytes));
});

test.each([1, 5, 6, 7, 12, 1_023])(
  "a peer that takes PDUs of %i bytes is refused with a reason",
  async (maxLength) => {
    let farewell: number | undefined;
    await using peer = await scripted(async (peer) => {
      await peer.expect(1);
      peer.send(associateAc([[1, 0, EXPLICIT]], { maxLength }));
      farewell = (await peer.expect(7)).length;
    });
    await expect(call(peer.port)).rejects.toMatchObject({
      code: "ASSOCIATION_FAILED",
      message: `Peer RAW@127.0.0.1:${peer.port}: takes PDUs of ${maxLength} bytes only`,
    });
    await until(() => farewell !== undefined);
  },
);

test("an instance whose context was refused is not sent, and the association stays open", async () => {
  await using peer = await storing((peer) => peer.send(pData(1, 3, storeRsp(2, 0))));
  await using association = await call(peer.port);
  const refused = { ...instance(), transferSyntaxUid: TRANSFER_SYNTAX.JPEG_LS_LOSSLESS };
  await expect(association.store(refused)).rejects.toMatchObject({ code: "CONTEXT_REFUSED" });
  expect(association.isOpen).toBe(true);
  association.abort();
});

test.each<[string, Buffer]>([
  ["another message id", storeRsp(2, 0)],
  ["no message id", commandSet(us(0x100, 0x8001), us(0x800, 0x101), us(0x900, 0))],
  ["no status", commandSet(us(0x100, 0x8001), us(0x120, 1), us(0x800, 0x101))],
  ["another SOP instance", storeRsp(1, 0, { instanceUid: "1.2.3.5" })],
  ["another SOP class", storeRsp(1, 0, { classUid: "1.2.840.10008.5.1.4.1.1.4" })],
  ["the answer to a C-ECHO", commandSet(us(0x100, 0x8030), us(0x120, 1), us(0x800, 0x101), us(0x900, 0))],
  ["a data set", commandSet(us(0x100, 0x8001), us(0x120, 1), us(0x800, 0), us(0x900, 0))],
])("a response with %s is no answer: the association is aborted", async (_, response) => {
  let farewell: Buffer | undefined;
  await using peer = await storing(async (peer) => {
    peer.send(pData(1, 3, response));
    farewell = await peer.expect(7);
  });
  await using association = await call(peer.port);
  await expect(association.store(instance())).rejects.toMatchObject({ code: "STORE_UNANSWERED" });
  await until(() => farewell !== undefined);
  expect(association.isOpen).toBe(false);
});

test("a response on another context is no answer", async () => {
  await using peer = await storing((peer) => peer.send(pData(5, 3, storeRsp(1, 0))));
  await using association = await call(peer.port);
  await expect(association.store(instance())).rejects.toMatchObject({ code: "STORE_UNANSWERED" });
});

test("a second response to the same request aborts", async () => {
  await using peer = await storing((peer) =>
    peer.send(pData(1, 3, storeRsp(1, 0)), pData(1, 3, storeRsp(1, 0xa700))),
  );
  await using association = await call(peer.port);
  expect(await association.store(instance())).toEqual({ status: 0 });
  await until(() => !association.isOpen);
  await expect(association.store(instance())).rejects.toMatchObject({ code: "ASSOCIATION_FAILED" });
});

test.each<[string, (peer: RawPeer) => void]>([
  ["aborts", (peer) => peer.send(abortPdu)],
  ["closes", (peer) => peer.socket.end()],
  ["resets", (peer) => void peer.socket.resetAndDestroy()],
  ["releases", (peer) => peer.send(releaseRq)],
  ["sends nonsense", (peer) => peer.send(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"))],
])("a peer that %s before its response leaves the instance unanswered", async (_, act) => {
  await using peer = await storing((peer) => act(peer));
  await using association = await call(peer.port);
  await expect(association.store(instance())).rejects.toMatchObject({
    code: "STORE_UNANSWERED",
    failure: "ambiguous",
  });
  expect(association.isOpen).toBe(false);
});

test("a peer that aborts in the middle of an instance ends the reading of the data set, too", async () => {
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    peer.send(accepted);
    await peer.response();
    await peer.expect(4);
    peer.send(abortPdu);
  });
  let isReleased = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        yield Buffer.alloc(200_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      isReleased = true;
    }
  }
  await using association = await call(peer.port);
  await expect(association.store({ ...instance(), dataSet: endless() })).rejects.toMatchObject({
    code: "STORE_UNANSWERED",
  });
  expect(isReleased).toBe(true);
});

test("a peer that answers before it has read everything is heard, and gets the rest all the same", async () => {
  let rest = 0;
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    peer.send(accepted);
    await peer.response();
    await peer.expect(4);
    peer.send(pData(1, 3, storeRsp(1, 0xa700)));
    for (let isLast = false; !isLast; rest += 1) isLast = ((await peer.expect(4)).readUInt8(5) & 2) !== 0;
    await peer.expect(5);
    peer.send(releaseRp);
  });
  await using association = await call(peer.port);
  expect(await association.store(instance(Buffer.alloc(100_000)))).toEqual({ status: 0xa700 });
  expect(rest).toBe(6);
});

test("a peer that never answers is given up", async () => {
  await using peer = await storing(async (peer) => void (await peer.expect(7)));
  await using association = await call(peer.port, { answerTimeoutMs: 100 });
  await expect(association.store(instance())).rejects.toMatchObject({
    code: "STORE_UNANSWERED",
    message: expect.stringContaining("no progress for 100 ms"),
  });
});

test("a peer that reads nothing is given up, and no more than the queue's bound was taken from the data set", async () => {
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    peer.send(accepted);
    await peer.response();
    peer.socket.pause();
  });
  let taken = 0;
  async function* large(): AsyncGenerator<Uint8Array> {
    for (; taken < 256; taken += 1) yield Buffer.alloc(1024 * 1024);
  }
  await using association = await call(peer.port, { answerTimeoutMs: 200 });
  await expect(association.store({ ...instance(), dataSet: large() })).rejects.toMatchObject({
    code: "STORE_UNANSWERED",
  });
  expect(taken).toBeLessThan(32); // the kernel's buffers hold some of it
});

test("a peer that reads slowly is not given up while it reads", async () => {
  const total = 32 * 1024 * 1024;
  const startedAt = performance.now();
  let received: Received | undefined;
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    peer.send(accepted);
    // One MiB every 20 ms: each well within the time allowed, all together longer than it.
    let budget = 0;
    peer.socket.on("data", (chunk: Buffer) => {
      budget -= chunk.length;
      if (budget < 0) peer.socket.pause();
    });
    const step = setInterval(() => {
      budget = 1024 * 1024;
      peer.socket.resume();
    }, 20);
    received = await receive(peer);
    peer.send(pData(1, 3, storeRsp(1, 0)));
    await peer.expect(5);
    clearInterval(step);
    peer.send(releaseRp);
  });
  await using association = await call(peer.port, { answerTimeoutMs: 400 });
  expect(await association.store(instance(Buffer.alloc(total)))).toEqual({ status: 0 });
  expect(received?.data.length).toBe(total);
  expect(performance.now() - startedAt).toBeGreaterThan(400);
});

test("a data set that cannot be read aborts, so that no half instance is taken for a whole one", async () => {
  let farewell: Buffer | undefined;
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    peer.send(accepted);
    await peer.response();
    for (let next = await peer.next(); next !== "closed"; next = await peer.next()) {
      if (next.type === 7) farewell = next.body;
    }
  });
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(100_000);
    throw new Error("disk failed");
  }
  await using association = await call(peer.port);
  await expect(association.store({ ...instance(), dataSet: broken() })).rejects.toThrow("disk failed");
  await until(() => farewell !== undefined);
  expect(association.isOpen).toBe(false);
});

test("a signal ends a store with its reason", async () => {
  const stop = new AbortController();
  await using peer = await storing(async (peer) => {
    stop.abort(new Error("the node is stopping"));
    await peer.expect(7);
  });
  await using association = await call(peer.port);
  await expect(association.store(instance(), { signal: stop.signal })).rejects.toThrow(
    "the node is stopping",
  );
  expect(association.isOpen).toBe(false);
});

test("a signal that was aborted before ends nothing but the call", async () => {
  await using peer = await storing((peer) => peer.send(pData(1, 3, storeRsp(1, 0))));
  await using association = await call(peer.port);
  await expect(
    association.store(instance(), { signal: AbortSignal.abort(new Error("late")) }),
  ).rejects.toThrow("late");
  expect(await association.store(instance())).toEqual({ status: 0 });
});

test("two operations at once are a mistake of ours", async () => {
  await using peer = await storing((peer) => peer.send(pData(1, 3, storeRsp(1, 0))));
  await using association = await call(peer.port);
  const first = association.store(instance());
  await expect(association.store(instance())).rejects.toThrow("bug");
  expect(await first).toEqual({ status: 0 });
});

test("message ids count on over an association, and C-ECHO goes between two instances", async () => {
  const ids: number[] = [];
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    peer.send(accepted);
    for (let at = 0; at < 3; at += 1) {
      const command = at === 1 ? await peer.response() : (await receive(peer)).command;
      const id = command.get(0x0110)!.readUInt16LE();
      ids.push(id);
      const echo = commandSet(us(0x100, 0x8030), us(0x120, id), us(0x800, 0x101), us(0x900, 0));
      peer.send(at === 1 ? pData(5, 3, echo) : pData(1, 3, storeRsp(id, 0)));
    }
    await peer.expect(5);
    peer.send(releaseRp);
  });
  await using association = await call(peer.port);
  await association.store(instance());
  expect(await association.echo()).toBe(0);
  await association.store(instance());
  expect(ids).toEqual([1, 2, 3]);
});

test.each<[string, readonly number[], string, string]>([
  ["for good: called AE title", [0, 1, 1, 7], "ASSOCIATION_REJECTED_PERMANENT", "1/1/7"],
  ["for good: calling AE title", [0, 1, 1, 3], "ASSOCIATION_REJECTED_PERMANENT", "1/1/3"],
  ["for now: congestion", [0, 2, 3, 1], "ASSOCIATION_REJECTED_TRANSIENT", "2/3/1"],
  ["for now: limit", [0, 2, 3, 2], "ASSOCIATION_REJECTED_TRANSIENT", "2/3/2"],
])("an association rejected %s says so", async (_, body, code, triple) => {
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    peer.send(pdu(3, Buffer.from(body)));
  });
  await expect(call(peer.port)).rejects.toMatchObject({ code, message: expect.stringContaining(triple) });
});

test.each<[string, (peer: RawPeer) => void, string]>([
  ["closes the connection", (peer) => peer.socket.end(), "closed by the peer"],
  ["aborts", (peer) => peer.send(abortPdu), "aborted by the peer"],
  ["says nothing", () => {}, "no answer to the association request within 100 ms"],
  [
    "answers half",
    (peer) => peer.send(accepted.subarray(0, 50)),
    "no answer to the association request within 100 ms",
  ],
  [
    "announces an answer of 4 GiB",
    (peer) => peer.send(Buffer.from([2, 0, 255, 255, 255, 255])),
    "A-ASSOCIATE of 4294967295 bytes",
  ],
])("a peer that %s instead of an answer is an association that failed", async (_, act, message) => {
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    act(peer);
    await peer.closed;
  });
  await expect(call(peer.port, { answerTimeoutMs: 100 })).rejects.toMatchObject({
    code: "ASSOCIATION_FAILED",
    message: expect.stringContaining(message),
  });
});

test("a port nobody listens on is an association that failed", async () => {
  const free = await scripted(async () => {});
  const { port } = free;
  await free[Symbol.asyncDispose]();
  await expect(call(port)).rejects.toMatchObject({
    code: "ASSOCIATION_FAILED",
    message: `Peer RAW@127.0.0.1:${port}: ECONNREFUSED`,
  });
});

test("a signal ends the attempt with its reason", async () => {
  const stop = new AbortController();
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    stop.abort(new Error("the node is stopping"));
    await peer.closed;
  });
  await expect(call(peer.port, { signal: stop.signal })).rejects.toThrow("the node is stopping");
  await expect(call(peer.port, { signal: stop.signal })).rejects.toThrow("the node is stopping");
});

test("disposing while an instance is unanswered aborts, and the store is told", async () => {
  const received = Promise.withResolvers<void>();
  let farewell: Buffer | undefined;
  await using peer = await storing(async (peer) => {
    received.resolve();
    farewell = await peer.expect(7);
  });
  const association = await call(peer.port);
  const stored = association.store(instance()).catch((error: unknown) => error);
  await received.promise;
  await association[Symbol.asyncDispose]();
  expect(await stored).toMatchObject({ code: "STORE_UNANSWERED" });
  await until(() => farewell !== undefined);
});

test("disposing twice, or after the peer has gone, is quiet", async () => {
  await using peer = await scripted(async (peer) => {
    await peer.expect(1);
    peer.send(accepted);
    await peer.expect(5);
    peer.socket.destroy();
  });
  const association = await call(peer.port);
  await association[Symbol.asyncDispose]();
  await association[Symbol.asyncDispose]();
  expect(association.isOpen).toBe(false);
});

test("a peer whose response names nothing but the message is answered as if it had", async () => {
  await using peer = await storing((peer, { command }) => {
    expect([...elementsOf(storeRsp(1, 0)).keys()]).not.toContain(0x1000);
    peer.send(pData(1, 3, storeRsp(command.get(0x0110)!.readUInt16LE(), 0)));
  });
  await using association = await call(peer.port);
  expect(await association.store(instance())).toEqual({ status: 0 });
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

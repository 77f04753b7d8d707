/**
 * What PACS do to a sender: a whole node with results to deliver, a PACS that follows a script, a proxy that cuts.
 *
 * Always the same question: does every result arrive, or lie there with a reason; is none called sent that was not;
 * does one bad peer harm another. Odd maximum lengths and each PDU in each state: association/scu.test.ts and
 * fsm.test.ts; certificates that do not hold: association/tls.test.ts; commitment: pipeline/commitment.test.ts.
 */
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createAuthority, testWithOpenssl } from "../support/certificates.ts";
import { FastClock } from "../support/clock.ts";
import { freePort } from "../support/free-port.ts";
import { startOutgoing } from "../support/outgoing.ts";
import {
  associateAc,
  commandSet,
  EXPLICIT,
  IMPLICIT,
  pData,
  pdu,
  type RawPeer,
  scripted,
  storeRsp,
  us,
} from "../support/raw-peer.ts";
import { startScriptedPacs } from "../support/scripted-pacs.ts";
import { tempFolder } from "../support/temp.ts";
import { deliveriesOf, type Scene, scene, statesOf } from "./scene.ts";

test("a PACS that is away for thirty attempts gets the result when it is back; the waits grow, to a cap", async () => {
  await using folder = await tempFolder();
  const port = await freePort();
  const destinations = { pacs: `port: ${port}, retryFor: 30d` };
  await using out = await startOutgoing(folder.path, { destinations, clock: new FastClock(20_000) });
  const waits = (await out.journal.said("delivery.postponed", 30)).map(({ waitMs = 0 }) => waitMs);
  for (const [at, wait] of waits.entries()) {
    const full = Math.min(5_000 * 2 ** at, 900_000);
    expect(wait).toBeGreaterThanOrEqual(full / 2);
    expect(wait).toBeLessThanOrEqual(full);
  }
  expect(new Set(waits.slice(-8)).size).toBeGreaterThan(1); // jitter
  expect(statesOf(out)).toEqual(["pending"]);
  const stored: string[] = [];
  await using pacs = await scriptedAt(port, stored);
  await out.journal.said("delivery.done");
  expect(stored).toEqual(out.uids);
  expect(pacs.failures).toEqual([]);
});

/** The least a PACS does, on a given port. */
function scriptedAt(port: number, stored: string[]) {
  return scripted(async (peer) => {
    await peer.expect(1);
    peer.send(
      associateAc([
        [1, 0, EXPLICIT],
        [3, 3, IMPLICIT],
      ]),
    );
    const command = await peer.response();
    for (let isLast = false; !isLast; ) isLast = ((await peer.expect(4)).readUInt8(5) & 2) !== 0;
    stored.push(command.get(0x1000)!.toString("latin1").replace(/\0$/, ""));
    peer.send(pData(1, 3, storeRsp(1, 0)));
    await peer.next();
  }, port);
}

describe("a PACS that does not open an association", () => {
  test("and says nothing at all is given up in time, and asked again", async () => {
    await using s = await scene({
      script: { associate: (_, __, at) => (at === 0 ? undefined : acceptFirst()) },
      rest: "answerTimeout: 1s",
    });
    const [postponed] = await s.out.journal.said("delivery.postponed");
    expect(postponed?.reason).toContain("no answer to the association request within 1000 ms");
    await s.out.journal.said("delivery.done");
    expect(s.pacs.stored).toEqual(s.out.uids);
  });

  // Result, source, reason; a rejection for good is somebody's mistake, so it is said at once and loudly.
  test.each([
    [1, 1, 7, "error"],
    [1, 1, 3, "error"],
    [2, 3, 1, "warn"],
    [2, 3, 2, "warn"],
  ])("but rejects it with %i/%i/%i is asked again later", async (result, source, reason, level) => {
    await using s = await scene({
      script: {
        associate: (_, __, at) => (at < 2 ? pdu(3, Buffer.from([0, result, source, reason])) : acceptFirst()),
      },
    });
    await s.out.journal.said("delivery.done");
    const postponed = s.out.journal.events.filter(({ event }) => event === "delivery.postponed");
    expect(postponed.map(({ fields }) => fields.reason)).toEqual(
      Array(2).fill(expect.stringContaining(`association rejected, ${result}/${source}/${reason}`)),
    );
    expect(postponed.map((one) => one.level)).toEqual([level, level]);
  });

  test("for longer than retryFor has the result held, and that is an error in the log", async () => {
    await using s = await scene({
      script: { associate: () => pdu(3, Buffer.from([0, 1, 1, 7])) },
      rest: "retryFor: 1m",
    });
    await s.out.journal.said("delivery.held");
    expect(statesOf(s.out)).toEqual(["held"]);
    expect(s.pacs.stored).toEqual([]);
  });
});

function acceptFirst(): Buffer {
  return associateAc([
    [1, 0, EXPLICIT],
    [3, 3, IMPLICIT],
  ]);
}

describe("presentation contexts", () => {
  test("a PACS that takes none is not sent anything, is asked once for each try, and nothing is called sent", async () => {
    await using s = await scene({
      script: { associate: (_, proposed) => associateAc(proposed.map(({ id }) => [id, 3, IMPLICIT])) },
      rest: "retryFor: 1m",
    });
    const [held] = await s.out.journal.said("delivery.held");
    expect(held?.reason).toContain("does not take");
    expect(s.out.journal.of("delivery.done")).toEqual([]);
    expect(s.pacs.associations()).toBe(held?.attempt);
  });

  test("a PACS that takes Implicit VR only gets the result in it", async () => {
    const data: Buffer[] = [];
    await using s = await scene({
      script: {
        associate: (_, proposed) =>
          associateAc(
            proposed.map(({ id, transferSyntaxes }) =>
              transferSyntaxes[0] === IMPLICIT ? [id, 0, IMPLICIT] : [id, 4, IMPLICIT],
            ),
          ),
        store: (message) => (data.push(message.data) > 0 ? 0 : 0),
      },
    });
    await s.out.journal.said("delivery.done");
    // (0008,0016) of the class: a length of four bytes where Explicit VR has "UI".
    expect(data[0]?.subarray(0, 8).toString("hex")).toBe("080016001c000000");
  });

  test("a PACS that answers with a syntax that was not proposed is not believed", async () => {
    const JPEG = "1.2.840.10008.1.2.4.50";
    await using s = await scene({
      script: { associate: (_, proposed) => associateAc(proposed.map(({ id }) => [id, 0, JPEG])) },
    });
    await s.out.journal.said("delivery.postponed", 2);
    expect(s.pacs.stored).toEqual([]);
    expect(s.out.journal.of("delivery.done")).toEqual([]);
  });
});

describe("a connection that ends within the second of three results", () => {
  const BYTES = 100_000;
  const places = ["first", "middle", "last"] as const;
  const ways = ["close", "reset", "abort"] as const;

  test.each(ways.flatMap((how) => places.map((place) => [how, place] as const)))(
    "by %s at its %s byte: that one and the third go again, the first does not",
    async (how, place) => {
      // What one association with one result of that size takes, measured on a first, whole run.
      const whole = await lengthOf(BYTES, 1);
      const both = await lengthOf(BYTES, 2);
      const after = { first: whole + 1, middle: Math.round((whole + both) / 2), last: both - 1 }[place];
      await using s = await scene({
        results: 3,
        bytes: BYTES,
        treatment: (at) => (at === 0 ? { cut: { after, how } } : undefined),
      });
      await s.out.journal.said("delivery.done", 3);
      expect(statesOf(s.out)).toEqual(["delivered", "delivered", "delivered"]);
      const counts = new Map<string, number>();
      for (const uid of s.pacs.stored) counts.set(uid, (counts.get(uid) ?? 0) + 1);
      expect([...counts.keys()].toSorted()).toEqual(s.out.uids);
      expect([...counts.values()]).toEqual([1, 1, 1]);
      expect(s.out.journal.of("delivery.postponed").length).toBeGreaterThan(0);
    },
  );

  const lengths = new Map<number, Promise<number>>();
  function lengthOf(bytes: number, results: number): Promise<number> {
    const known = lengths.get(results) ?? measure(bytes, results);
    lengths.set(results, known);
    return known;
  }

  /** Bytes that go to the PACS for so many results, without the release. */
  async function measure(bytes: number, results: number): Promise<number> {
    const seen: number[] = [];
    await using s: Scene = await scene({
      results,
      bytes,
      script: { store: () => (seen.push(s.proxy.received[0] ?? 0) > 0 ? 0 : 0) },
    });
    await s.out.journal.said("delivery.done", results);
    return seen.at(-1) ?? 0;
  }
});

test("a whole result taken and no answer: not called sent, and sent again under the same UID", async () => {
  await using s = await scene({
    script: {
      store({ at, peer }) {
        if (at > 0) return 0;
        peer.destroy();
        return undefined;
      },
    },
  });
  await s.out.journal.said("delivery.done");
  expect(s.pacs.stored).toEqual([s.out.uids[0], s.out.uids[0]]);
  expect(s.out.journal.of("delivery.postponed")[0]?.reason).toContain("no response");
});

// PS3.4 table B.2-1, PS3.7 annex C: what becomes of each, and how often it is sent if the second answer is 0000.
const STATUSES: readonly (readonly [status: number, state: string, sent: number])[] = [
  [0x0000, "delivered", 1],
  [0xb000, "delivered", 1],
  [0xb006, "delivered", 1],
  [0xb007, "delivered", 1],
  [0xa700, "delivered", 2],
  [0xa702, "delivered", 2],
  [0x0110, "delivered", 2],
  [0x0111, "delivered", 1],
  [0xa900, "held", 1],
  [0xc000, "held", 1],
  [0xc123, "held", 1],
  [0x0112, "held", 1],
  [0x0117, "held", 1],
  [0x0122, "held", 1],
  [0x0124, "held", 1],
  [0x0210, "held", 1],
  [0x0211, "held", 1],
  [0x0212, "held", 1],
];

test("each status is treated as what it is, for each result by itself", async () => {
  const first = new Map<string, number>();
  await using s = await scene({
    results: STATUSES.length,
    script: {
      store({ sopInstanceUid }) {
        const status = STATUSES[Number(sopInstanceUid.split(".").at(-1)) - 1]![0];
        const isFirst = !first.has(sopInstanceUid);
        if (isFirst) first.set(sopInstanceUid, status);
        return isFirst ? status : 0;
      },
    },
  });
  const of = (state: string): number => STATUSES.filter(([, outcome]) => outcome === state).length;
  await s.out.journal.said("delivery.done", of("delivered"));
  await s.out.journal.said("delivery.held", of("held"));
  const deliveries = deliveriesOf(s.out);
  for (const [at, [status, state, sent]] of STATUSES.entries()) {
    const uid = s.out.uids[at]!;
    const last = sent > 1 ? "0000" : status.toString(16).padStart(4, "0");
    expect([uid, deliveries.get(uid)]).toEqual([uid, { state, status: last }]);
    expect([uid, s.pacs.stored.filter((one) => one === uid).length]).toEqual([uid, sent]);
  }
});

type Misanswer = (peer: RawPeer, contextId: number, messageId: number) => void;

const MISANSWERS: readonly (readonly [string, Misanswer])[] = [
  ["another message id", (peer, context, id) => peer.send(pData(context, 3, storeRsp(id + 1, 0)))],
  [
    "another SOP instance",
    (peer, context, id) => peer.send(pData(context, 3, storeRsp(id, 0, { instanceUid: "1.2.3" }))),
  ],
  ["another context", (peer, context, id) => peer.send(pData(context + 2, 3, storeRsp(id, 0)))],
  [
    "no status",
    (peer, context, id) =>
      peer.send(pData(context, 3, commandSet(us(0x0100, 0x8001), us(0x0120, id), us(0x0800, 0x0101)))),
  ],
  ["garbage", (peer, context) => peer.send(pData(context, 3, Buffer.from("not a command set")))],
];

test.each(MISANSWERS)("an answer with %s is never a success; the result goes again", async (_, misanswer) => {
  await using s = await scene({
    script: {
      store({ at, peer, contextId, messageId }) {
        if (at > 0) return 0;
        misanswer(peer, contextId, messageId);
        return undefined;
      },
    },
  });
  await s.out.journal.said("delivery.done");
  expect(s.out.journal.of("delivery.done")[0]?.attempt).toBe(2);
  expect(s.pacs.stored).toEqual([s.out.uids[0], s.out.uids[0]]);
});

describe("a PACS that is slow", () => {
  test("but reads on is not given up, however long the whole takes", async () => {
    // 700 kB at 400 kB a second: longer than the time an answer may take, never still for so long.
    await using s = await scene({
      bytes: 700_000,
      rest: "answerTimeout: 1s",
      treatment: () => ({ bytesPerSecond: 400_000 }),
    });
    await s.out.journal.said("delivery.done");
    expect(s.out.journal.of("delivery.postponed")).toEqual([]);
    expect(s.pacs.stored).toEqual(s.out.uids);
  });

  test("to answer is waited for within the time allowed, given up after it, and harms nobody else", async () => {
    const answers: ((status: number) => void)[] = [];
    await using other = await startScriptedPacs();
    await using s = await scene({
      results: 5,
      bytes: 10,
      rest: "answerTimeout: 1s",
      others: { archive: `port: ${other.port}` },
      script: {
        store: ({ at }) => (at === 0 ? new Promise((resolve) => answers.push(resolve)) : 0),
      },
    });
    await s.out.journal.said("delivery.done", 5);
    expect(statesOf(s.out, "archive")).toEqual(Array(5).fill("delivered"));
    expect(statesOf(s.out)).toEqual(Array(5).fill("pending")); // its first one still waits
    const [postponed] = await s.out.journal.said("delivery.postponed");
    expect(postponed?.reason).toMatch(/no progress for 10\d\d ms/);
    await s.out.journal.said("delivery.done", 10);
    expect(answers).toHaveLength(1);
  });
});

testWithOpenssl(
  "a PACS under TLS whose certificate does not hold gets nothing, and the reason is said",
  async () => {
    await using folder = await tempFolder();
    const [authority, other] = [
      await createAuthority(folder.path),
      await createAuthority(folder.path, "Other"),
    ];
    const { createServer } = await import("node:tls");
    const { readFile } = await import("node:fs/promises");
    const { cert, key } = await other.issue("pacs");
    let bytes = 0;
    const server = createServer({ cert: await readFile(cert), key: await readFile(key) }, (socket) =>
      socket.on("error", () => {}).on("data", (chunk) => void (bytes += chunk.length)),
    );
    const port = await freePort();
    server.on("tlsClientError", () => {}).listen(port, "127.0.0.1");
    const destinations = { pacs: `port: ${port}, tls: { ca: "${authority.ca}" }` };
    await using out = await startOutgoing(folder.path, { destinations });
    const [postponed] = await out.journal.said("delivery.postponed");
    expect(postponed?.reason).toContain("TLS: the peer's certificate is of an authority that is not in ca");
    expect([bytes, statesOf(out)]).toEqual([0, ["pending"]]);
    server.close();
  },
);

test("of three destinations with results to send, a dead and a silent one do not hold up the third", async () => {
  await using silent = await scripted(async () => {});
  const dead = await freePort();
  await using s = await scene({
    results: 40,
    bytes: 10,
    clock: systemClock, // by it, the dead one is asked again after seconds, as in use
    others: { dead: `port: ${dead}`, silent: `port: ${silent.port}, answerTimeout: 1h` },
  });
  // The silent one is given up after an hour only: by then this test would have failed.
  await s.out.journal.said("delivery.done", 40);
  expect(new Set(s.pacs.stored).size).toBe(40);
  expect(s.pacs.stored).toHaveLength(40);
  expect(new Set(statesOf(s.out, "silent"))).toEqual(new Set(["pending"]));
  expect(new Set(statesOf(s.out, "dead"))).toEqual(new Set(["pending"]));
});

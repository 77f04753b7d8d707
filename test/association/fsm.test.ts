/**
 * The state machine over real connections: each PDU in each state a peer can put us into (PS3.8 9.2).
 *
 * Sta3, Sta8 and Sta9 pass within one turn of the event loop, so no PDU can arrive in them; their cells are
 * checked in state.test.ts.
 */
import { describe, expect, test } from "vitest";
import type { RequestorAssociation } from "../../src/association/scu.ts";
import { associate } from "../../src/association/scu.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import {
  abortPdu,
  associateAc,
  associateRq,
  EXPLICIT,
  echoRq,
  pData,
  pdu,
  RawPeer,
  releaseRp,
  releaseRq,
  scripted,
} from "../support/raw-peer.ts";
import { aeTitle, Keeper, startScp } from "./keeper.ts";

const PDUS = {
  "A-ASSOCIATE-RQ": associateRq(),
  "A-ASSOCIATE-AC": associateAc([[1, 0, EXPLICIT]]),
  "A-ASSOCIATE-RJ": pdu(3, Buffer.from([0, 1, 1, 1])),
  "P-DATA-TF": pData(3, 3, echoRq(1)),
  "A-RELEASE-RQ": releaseRq,
  "A-RELEASE-RP": releaseRp,
  "A-ABORT": abortPdu,
  unknown: pdu(0x2a, Buffer.alloc(4)),
};
type Name = keyof typeof PDUS;

/** What comes back: PDU types in order, and "closed" if the connection ends. A marker PDU proves that nothing came. */
async function reaction(peer: RawPeer): Promise<string> {
  const answer = await peer.next();
  if (answer === "closed") return "closed";
  return answer.type === 7 ? "abort" : `PDU ${answer.type}`;
}

describe("as acceptor", () => {
  test.each<[Name, string]>([
    ["A-ASSOCIATE-RQ", "PDU 2"],
    ["A-ASSOCIATE-AC", "abort"],
    ["A-ASSOCIATE-RJ", "abort"],
    ["P-DATA-TF", "abort"],
    ["A-RELEASE-RQ", "abort"],
    ["A-RELEASE-RP", "abort"],
    ["A-ABORT", "closed"],
    ["unknown", "abort"],
  ])("awaiting A-ASSOCIATE-RQ (Sta2), %s meets %s", async (name, expected) => {
    await using scp = await startScp(new Keeper());
    const peer = await RawPeer.connect(scp.port);
    peer.send(PDUS[name]);
    expect(await reaction(peer)).toBe(expected);
    peer.destroy();
  });

  test.each<[Name, string]>([
    ["A-ASSOCIATE-RQ", "abort"],
    ["A-ASSOCIATE-AC", "abort"],
    ["A-ASSOCIATE-RJ", "abort"],
    ["P-DATA-TF", "PDU 4"],
    ["A-RELEASE-RQ", "PDU 6"],
    ["A-RELEASE-RP", "abort"],
    ["A-ABORT", "closed"],
    ["unknown", "abort"],
  ])("in data transfer (Sta6), %s meets %s", async (name, expected) => {
    await using scp = await startScp(new Keeper());
    const peer = await RawPeer.connect(scp.port);
    peer.send(associateRq());
    await peer.expect(2);
    peer.send(PDUS[name]);
    expect(await reaction(peer)).toBe(expected);
    peer.destroy();
  });

  // A PDU that is ignored is followed by one that is not, so that its silence is seen.
  test.each<[Name, string]>([
    ["A-ASSOCIATE-RQ", "abort"],
    ["A-ASSOCIATE-AC", "ignored"],
    ["A-ASSOCIATE-RJ", "ignored"],
    ["P-DATA-TF", "ignored"],
    ["A-RELEASE-RQ", "ignored"],
    ["A-RELEASE-RP", "ignored"],
    ["A-ABORT", "closed"],
    ["unknown", "abort"],
  ])("after the release (Sta13), %s is or meets: %s", async (name, expected) => {
    await using scp = await startScp(new Keeper());
    const peer = await RawPeer.connect(scp.port);
    peer.send(associateRq());
    await peer.expect(2);
    peer.send(releaseRq);
    await peer.expect(6);
    peer.send(PDUS[name], expected === "ignored" ? abortPdu : Buffer.alloc(0));
    expect(await reaction(peer)).toBe(expected === "ignored" ? "closed" : expected);
    peer.destroy();
  });
});

const accepted = associateAc([[1, 0, EXPLICIT]]);

function call(port: number): Promise<RequestorAssociation> {
  return associate(
    { aeTitle: aeTitle("RAW"), host: "127.0.0.1", port },
    {
      callingAeTitle: aeTitle("ISOCENTER"),
      contexts: [
        { abstractSyntax: SOP_CLASS.CT_IMAGE, transferSyntaxes: [TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN] },
      ],
      connectTimeoutMs: 10_000,
      answerTimeoutMs: 10_000,
    },
  );
}

describe("as requestor", () => {
  test.each<[Name, string, string]>([
    ["A-ASSOCIATE-RQ", "abort", "ASSOCIATION_FAILED"],
    ["A-ASSOCIATE-AC", "PDU 5", "open"],
    ["A-ASSOCIATE-RJ", "closed", "ASSOCIATION_REJECTED_PERMANENT"],
    ["P-DATA-TF", "abort", "ASSOCIATION_FAILED"],
    ["A-RELEASE-RQ", "abort", "ASSOCIATION_FAILED"],
    ["A-RELEASE-RP", "abort", "ASSOCIATION_FAILED"],
    ["A-ABORT", "closed", "ASSOCIATION_FAILED"],
    ["unknown", "abort", "ASSOCIATION_FAILED"],
  ])("awaiting A-ASSOCIATE-AC (Sta5), %s meets %s", async (name, expected, outcome) => {
    const seen = Promise.withResolvers<string>();
    await using peer = await scripted(async (peer) => {
      await peer.expect(1);
      peer.send(PDUS[name]);
      seen.resolve(await reaction(peer));
      peer.send(releaseRp);
    });
    let result = "open";
    try {
      await using association = await call(peer.port);
      expect(association.isOpen).toBe(true);
    } catch (error) {
      result = (error as { code: string }).code;
    }
    expect([result, await seen.promise]).toEqual([outcome, expected]);
  });

  test.each<[Name, string]>([
    ["A-ASSOCIATE-RQ", "abort"],
    ["A-ASSOCIATE-AC", "abort"],
    ["A-ASSOCIATE-RJ", "abort"],
    ["P-DATA-TF", "abort"], // a request, where only responses can come
    ["A-RELEASE-RQ", "PDU 6"],
    ["A-RELEASE-RP", "abort"],
    ["A-ABORT", "closed"],
    ["unknown", "abort"],
  ])("in data transfer (Sta6), %s meets %s", async (name, expected) => {
    const seen = Promise.withResolvers<string>();
    await using peer = await scripted(async (peer) => {
      await peer.expect(1);
      peer.send(accepted, PDUS[name]);
      seen.resolve(await reaction(peer));
    });
    const association = await call(peer.port);
    expect(await seen.promise).toBe(expected);
    expect(association.isOpen).toBe(false);
    await association[Symbol.asyncDispose]();
  });

  test.each<[Name, string]>([
    ["A-ASSOCIATE-RQ", "abort"],
    ["A-ASSOCIATE-AC", "abort"],
    ["A-ASSOCIATE-RJ", "abort"],
    ["P-DATA-TF", "abort"], // taken as data, but a request is no answer to anything
    ["A-RELEASE-RQ", "PDU 6"], // a collision: answered, then the peer's answer is awaited (Sta11)
    ["A-RELEASE-RP", "closed"],
    ["A-ABORT", "closed"],
    ["unknown", "abort"],
  ])("awaiting A-RELEASE-RP (Sta7), %s meets %s", async (name, expected) => {
    const seen = Promise.withResolvers<string>();
    await using peer = await scripted(async (peer) => {
      await peer.expect(1);
      peer.send(accepted);
      await peer.expect(5);
      peer.send(PDUS[name]);
      const first = await reaction(peer);
      if (first === "PDU 6") peer.send(releaseRp);
      seen.resolve(first);
    });
    const association = await call(peer.port);
    await association[Symbol.asyncDispose]();
    expect(await seen.promise).toBe(expected);
  });
});

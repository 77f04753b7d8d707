import { expect, test } from "vitest";
import type { AssociateRequest } from "../../src/association/associate-pdu.ts";
import { callerCheck, plainAddress } from "../../src/association/callers.ts";
import { acceptedContexts, answerTo, isStorageClass } from "../../src/association/negotiation.ts";
import { TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { CT, EXPLICIT, IMPLICIT, VERIFICATION } from "../support/raw-peer.ts";
import { aeTitle } from "./keeper.ts";

const BIG_ENDIAN = "1.2.840.10008.1.2.2";
const DEFLATED = "1.2.840.10008.1.2.1.99";
const JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70";
const JPEG_BASELINE = "1.2.840.10008.1.2.4.50";
const MPEG2 = "1.2.840.10008.1.2.4.100";

const terms = {
  aeTitle: aeTitle("ISOCENTER"),
  checkCaller: callerCheck([
    { aeTitle: aeTitle("CT1"), from: "10.20.0.0/16" },
    { aeTitle: aeTitle("PACS"), from: "10.20.1.5" },
    { aeTitle: aeTitle("V6"), from: "fd00::/8" },
  ]),
  acceptDeflated: false,
};

function request(changes: Partial<AssociateRequest> = {}): AssociateRequest {
  return {
    protocolVersion: 1,
    calledAeTitle: "ISOCENTER",
    callingAeTitle: "CT1",
    applicationContext: "1.2.840.10008.3.1.1.1",
    contexts: [{ id: 1, abstractSyntax: CT, transferSyntaxes: [EXPLICIT] }],
    maxPduBytes: 16_384,
    roles: [],
    ...changes,
  };
}

/** Result/source/reason as in PS3.8 9.3.4, or "accepted". */
function verdict(changes: Partial<AssociateRequest>, address = "10.20.3.4"): string {
  const answer = answerTo(request(changes), address, terms);
  if (answer.kind === "accepted") return "accepted";
  const { result, source, reason } = answer.rejection;
  return `${result}/${source}/${reason}`;
}

test.each<[string, string, Partial<AssociateRequest>, string?]>([
  ["a known caller", "accepted", {}],
  ["a protocol version without bit 0", "1/2/2", { protocolVersion: 2 }],
  ["a protocol version with bit 0 among others", "accepted", { protocolVersion: 3 }],
  ["another application context", "1/1/2", { applicationContext: "1.2.3" }],
  ["no application context", "1/1/2", { applicationContext: "" }],
  ["another called AE title", "1/1/7", { calledAeTitle: "OTHER" }],
  ["the called AE title in lower case", "1/1/7", { calledAeTitle: "isocenter" }],
  ["an unknown calling AE title", "1/1/3", { callingAeTitle: "STRANGER" }],
  ["an empty calling AE title", "1/1/3", { callingAeTitle: "" }],
  ["a calling AE title with a control character", "1/1/3", { callingAeTitle: "CT1\n" }],
  ["a known title from an address of another", "1/1/3", { callingAeTitle: "PACS" }],
  ["a known title from its address", "accepted", { callingAeTitle: "PACS" }, "10.20.1.5"],
  ["a known title from outside its network", "1/1/3", {}, "10.21.0.1"],
  ["an IPv6 caller from its network", "accepted", { callingAeTitle: "V6" }, "fd12::1"],
  ["an IPv6 caller from an IPv4 address", "1/1/3", { callingAeTitle: "V6" }],
  ["a maximum length of 1", "1/1/1", { maxPduBytes: 1 }],
  ["no maximum length", "accepted", { maxPduBytes: 0 }],
])("%s gets %s", (_, expected, changes, address) => {
  expect(verdict(changes, address)).toBe(expected);
});

test("where caller and called are both wrong, the called AE title is the reason, so that titles cannot be tried out", () => {
  expect(verdict({ calledAeTitle: "OTHER", callingAeTitle: "STRANGER" })).toBe("1/1/7");
});

test.each([
  ["10.0.0.0/33"],
  ["10.0.0/8"],
  ["fd00::/129"],
  ["host.example"],
  [""],
  ["10.0.0.1/8/8"],
  ["10.0.0.1/"],
  ["10.0.0.1/1e1"],
])("%j is no caller's address", (from) => {
  expect(() => callerCheck([{ aeTitle: "*", from }])).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID" }),
  );
});

test("an asterisk stands for any title or any address, each alone", () => {
  const check = callerCheck([
    { aeTitle: "*", from: "127.0.0.1" },
    { aeTitle: aeTitle("ROAMER"), from: "*" },
  ]);
  expect(check("ANY", "127.0.0.1")).toBe("known");
  expect(check("ANY", "127.0.0.2")).toBe("wrong address");
  expect(check("ROAMER", "2001:db8::1")).toBe("known");
});

test("no callers means nobody may call", () => {
  expect(callerCheck([])("ANY", "127.0.0.1")).toBe("unknown title");
});

test("an IPv4 address that came over an IPv6 socket is the IPv4 address", () => {
  expect(plainAddress("::ffff:10.20.1.5")).toBe("10.20.1.5");
  expect(plainAddress("fe80::1%eth0")).toBe("fe80::1");
});

/** Result and, if accepted, the transfer syntax of one proposed context. */
function answer(
  abstractSyntax: string,
  transferSyntaxes: readonly string[],
  acceptDeflated = false,
): readonly [number, string?] {
  const contexts = [{ id: 7, abstractSyntax, transferSyntaxes }];
  const whole = answerTo(request({ contexts }), "10.20.3.4", { ...terms, acceptDeflated });
  const [first] = whole.kind === "accepted" ? whole.answers : [];
  if (!first || first.id !== 7) throw new Error("no answer");
  return first.result === 0 ? [0, first.transferSyntax] : [first.result];
}

test.each<[string, readonly string[], readonly [number, string?]]>([
  ["the first it knows", [MPEG2, JPEG_LOSSLESS, EXPLICIT], [0, JPEG_LOSSLESS]],
  ["Explicit before Implicit, whatever the order", [IMPLICIT, EXPLICIT], [0, EXPLICIT]],
  ["uncompressed before lossy, whatever the order", [JPEG_BASELINE, BIG_ENDIAN], [0, BIG_ENDIAN]],
  ["lossy if there is nothing else", [MPEG2, JPEG_BASELINE], [0, JPEG_BASELINE]],
  ["what is compressed without loss before Implicit", [IMPLICIT, JPEG_LOSSLESS], [0, JPEG_LOSSLESS]],
  ["Implicit before big endian", [BIG_ENDIAN, IMPLICIT], [0, IMPLICIT]],
  ["big endian if there is nothing else", [BIG_ENDIAN], [0, BIG_ENDIAN]],
  ["nothing, if it knows none", [MPEG2], [4]],
  ["nothing deflated", [DEFLATED], [4]],
  ["nothing, if nothing was proposed", [], [4]],
])("of the syntaxes of one context the node takes %s", (_, proposed, expected) => {
  expect(answer(CT, proposed)).toEqual(expected);
});

test("deflated is taken where configured, and only if nothing else is proposed", () => {
  expect(answer(CT, [DEFLATED], true)).toEqual([0, DEFLATED]);
  expect(answer(CT, [DEFLATED, IMPLICIT], true)).toEqual([0, IMPLICIT]);
});

test.each(Object.values(TRANSFER_SYNTAX).filter((uid) => uid !== DEFLATED))("%s is taken", (uid) => {
  expect(answer(CT, [uid])).toEqual([0, uid]);
});

test.each<[string, string]>([
  ["CT", CT],
  ["MR", "1.2.840.10008.5.1.4.1.1.4"],
  ["PET", "1.2.840.10008.5.1.4.1.1.128"],
  ["Digital X-Ray for presentation", "1.2.840.10008.5.1.4.1.1.1.1"],
  ["Enhanced CT", "1.2.840.10008.5.1.4.1.1.2.1"],
  ["X-Ray 3D Craniofacial (CBCT)", "1.2.840.10008.5.1.4.1.1.13.1.2"],
  ["Segmentation", "1.2.840.10008.5.1.4.1.1.66.4"],
  ["Comprehensive 3D SR", "1.2.840.10008.5.1.4.1.1.88.34"],
  ["RT Structure Set", "1.2.840.10008.5.1.4.1.1.481.3"],
  ["RT Beams Delivery Instruction", "1.2.840.10008.5.1.4.34.7"],
  ["Encapsulated PDF", "1.2.840.10008.5.1.4.1.1.104.1"],
])("%s is stored", (_, uid) => {
  expect(isStorageClass(uid)).toBe(true);
});

test.each<[string, string]>([
  ["Verification", VERIFICATION],
  ["Study Root FIND", "1.2.840.10008.5.1.4.1.2.2.1"],
  ["Storage Commitment", "1.2.840.10008.1.20.1"],
  ["Modality Worklist", "1.2.840.10008.5.1.4.31"],
  ["Inventory FIND", "1.2.840.10008.5.1.4.1.1.201.2"],
  ["a private class", "1.3.12.2.1107.5.9.1"],
  ["the branch itself", "1.2.840.10008.5.1.4.1.1."],
  ["nothing", ""],
])("%s is not stored", (_, uid) => {
  expect(isStorageClass(uid)).toBe(false);
});

test("a context for anything else is refused for its abstract syntax, and the others stand", () => {
  const contexts = [
    { id: 5, abstractSyntax: "1.2.840.10008.5.1.4.1.2.2.1", transferSyntaxes: [EXPLICIT] },
    { id: 3, abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT] },
  ];
  const whole = answerTo(request({ contexts }), "10.20.3.4", terms);
  expect(whole).toMatchObject({
    answers: [
      { id: 5, result: 3 },
      { id: 3, result: 0, transferSyntax: IMPLICIT },
    ],
  });
  expect(whole.kind === "accepted" && [...whole.contexts.keys()]).toEqual([3]);
});

test("as a requestor, the node counts a context as accepted only in the syntax it proposed", () => {
  const proposals = [1, 3, 5, 7].map((id) => ({ id, abstractSyntax: CT, transferSyntaxes: [EXPLICIT] }));
  const answers = [
    { id: 1, result: 0, transferSyntax: EXPLICIT },
    { id: 3, result: 0, transferSyntax: IMPLICIT },
    { id: 5, result: 4, transferSyntax: EXPLICIT },
    { id: 9, result: 0, transferSyntax: EXPLICIT },
  ];
  expect([...acceptedContexts(proposals, answers).keys()]).toEqual([1]);
});

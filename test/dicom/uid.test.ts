import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { IMPLEMENTATION, SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { isKeyword, keywordOf, tagOf, vrOf } from "../../src/dicom/dictionary.ts";
import { derivedUid, parseUid } from "../../src/dicom/uid.ts";

/** PS3.5 9.1, and B.2 for a root of 2.25: an integer of 128 bits. */
function isUuidUid(uid: string): boolean {
  const [, digits = ""] = /^2\.25\.(0|[1-9]\d*)$/.exec(uid) ?? [];
  return digits !== "" && uid.length <= 64 && BigInt(digits) < 1n << 128n;
}

/** RFC 9562, 4.1 and 4.2. */
function versionAndVariant(uid: string): readonly number[] {
  const uuid = BigInt(uid.slice("2.25.".length));
  return [Number((uuid >> 76n) & 15n), Number((uuid >> 62n) & 3n)];
}

test("a derived UID is a valid one, whatever it is derived from", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (parts) => isUuidUid(derivedUid(...parts))),
    { numRuns: 2000 },
  );
});

// Made with Python: hashlib.sha256(b"3:run;5:1.2.3;"), 16 bytes, version 8, variant 2.
test("the same parts give the same UID, in any process and any version of the node", () => {
  expect(derivedUid("run", "1.2.3")).toBe("2.25.97305647950443972822793962767213148636");
});

test("other parts give another UID, and where one part ends matters", () => {
  const uids = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], ["ab", "d"]].map((parts) =>
    derivedUid(...parts),
  );
  expect(new Set(uids).size).toBe(uids.length);
});

test.each([
  ["1.2.840.10008.1.2", "1.2.840.10008.1.2"],
  ["1.2.3\0", "1.2.3"],
  ["1.2.3 ", "1.2.3"],
  ["1.2.03", "1.2.03"], // some scanners write leading zeros
  [`1.${"2".repeat(62)}`, `1.${"2".repeat(62)}`],
])("%j is the UID %s", (text, uid) => {
  expect(parseUid(text)).toBe(uid);
});

test.each([
  undefined,
  "",
  "\0",
  "1",
  "1.",
  ".1.2",
  "1..2",
  "1.2.x",
  "../../etc/passwd",
  "1.2/3",
  "1.2\0/../3",
  "1.2\n3",
  "1.2.*",
  "1.2.3\n",
  " 1.2.3",
  "１.２",
  `1.${"2".repeat(63)}`,
])("%j is no UID", (text) => {
  expect(parseUid(text)).toBeUndefined();
});

test("the UIDs of the standard and our own are UIDs", () => {
  const all = [...Object.values(SOP_CLASS), ...Object.values(TRANSFER_SYNTAX)];
  expect(all.map((uid) => parseUid(uid))).toEqual(all);
  expect(new Set(all).size).toBe(all.length);
  expect(isUuidUid(IMPLEMENTATION.CLASS_UID)).toBe(true);
  expect(versionAndVariant(IMPLEMENTATION.CLASS_UID)).toEqual([4, 2]);
  expect(IMPLEMENTATION.VERSION_NAME.length).toBeLessThanOrEqual(16);
});

test.each([
  ["PACS", "PACS"],
  ["  PACS   ", "PACS"],
  ["MY PACS", "MY PACS"],
  ["SIXTEEN_LETTERS_", "SIXTEEN_LETTERS_"],
  ["$(reboot)", "$(reboot)"],
])("%j is the AE title %s", (text, title) => {
  expect(parseAeTitle(text)).toBe(title);
});

test.each([
  "",
  "                ",
  "SEVENTEEN_LETTERS",
  "PA\\CS",
  "PA\nCS",
  "PACS\n",
  "\tPACS",
  "PÄCS",
  "PACS\0",
])("%j is no AE title", (text) => {
  expect(parseAeTitle(text)).toBeUndefined();
});

test("the dictionary knows tags, keywords and representations, and leaves private and repeating ones out", () => {
  expect(tagOf("PatientName")).toBe(0x00100010);
  expect(vrOf(0x00100010)).toBe("PN");
  expect(keywordOf(0x00620002)).toBe("SegmentSequence");
  expect([0x7fe00010, 0x00280106, 0x00041200].map(vrOf)).toEqual(["OW", "US", "UL"]);
  expect(vrOf(0x00091010)).toBeUndefined();
  expect(isKeyword("PatientsName")).toBe(false);
  expect(() => tagOf("PatientsName")).toThrow("bug:");
});

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { encodingOf, isDeflated, readPart10 } from "../../src/dicom/part10.ts";
import type { Encoding } from "../../src/dicom/read.ts";
import { StructureCheck } from "../../src/dicom/structure.ts";
import {
  ctImage,
  explicit,
  implicit,
  item,
  openItem,
  openSequence,
  seeded,
  UNDEFINED,
  u16,
} from "../support/bytes.ts";
import { dataFiles, dataPath, testWithData } from "../support/data.ts";

const EXPLICIT_LITTLE: Encoding = { explicitVr: true, bigEndian: false };
const IMPLICIT_LITTLE: Encoding = { explicitVr: false, bigEndian: false };

function faultOf(
  bytes: Uint8Array,
  encoding = EXPLICIT_LITTLE,
  pieces: readonly number[] = [],
): string | undefined {
  const check = new StructureCheck(encoding);
  let from = 0;
  for (const to of [...pieces, bytes.length]) {
    check.write(bytes.subarray(from, to));
    from = to;
  }
  return check.end();
}

const fragments = Buffer.concat([
  explicit("7fe00010", "OB", "", UNDEFINED),
  item(),
  implicit("fffee000", "\xff\xd8\xfe\xff\x00\xe0\xff\xff\xff\xff"),
  implicit("fffee0dd", ""),
]);

test("a whole data set is whole, however it is cut into fragments", () => {
  const whole = ctImage();
  expect(faultOf(whole)).toBeUndefined();
  for (let at = 1; at < whole.length; at++) expect(faultOf(whole, EXPLICIT_LITTLE, [at])).toBeUndefined();
  expect(faultOf(whole, EXPLICIT_LITTLE, [...whole.keys()])).toBeUndefined();
});

test("a data set that ends anywhere inside an element is not", () => {
  for (const whole of [ctImage(), ctImage({ "7fe00010": fragments })]) {
    const wholeAt = Array.from({ length: whole.length }, (_, at) => at).filter(
      (length) => faultOf(whole.subarray(0, length)) === undefined,
    );
    expect(wholeAt).toHaveLength(14); // between the elements of the top level, and with nothing at all
  }
});

test.each([
  ["native pixels shorter than they say", explicit("7fe00010", "OW", u16(1, 2), 400)],
  ["pixels of 4 GB that are not there", explicit("7fe00010", "OW", u16(1, 2), 0xfffffffe)],
  ["fragments without their end", fragments.subarray(0, -8)],
  [
    "a fragment longer than the rest",
    Buffer.concat([fragments.subarray(0, -18), implicit("fffee000", "ab", 400)]),
  ],
  ["something between fragments", Buffer.concat([fragments.subarray(0, -8), implicit("00100010", "")])],
  ["undefined length of a text", explicit("00104000", "UT", "abcd", UNDEFINED)],
  ["a stray item delimiter", implicit("fffee00d", "")],
  ["a stray sequence delimiter", implicit("fffee0dd", "")],
  ["a stray item", item()],
  ["no representation", explicit("00100010", "  ", "ab")],
  ["random bytes", Buffer.from(Array.from({ length: 3000 }, seededByte(1)))],
  ["a text", "This is no data set. ".repeat(100)],
])("%s is a fault", (_, bytes) => {
  expect(faultOf(typeof bytes === "string" ? Buffer.from(bytes) : bytes)).toBeTypeOf("string");
});

function seededByte(seed: number): () => number {
  const random = seeded(seed);
  return () => Math.floor(random() * 256);
}

test("what follows the pixels is not looked at", () => {
  for (const behind of [Buffer.alloc(7), explicit("fffcfffc", "OB", "zeros"), Buffer.from("garbage")]) {
    expect(faultOf(Buffer.concat([ctImage(), behind]))).toBeUndefined();
    expect(faultOf(Buffer.concat([ctImage({ "7fe00010": fragments }), behind]))).toBeUndefined();
  }
});

test("the pixels of an icon do not end the check", () => {
  const icon = openSequence("00880200", openItem(explicit("7fe00010", "OW", u16(1))), openItem(fragments));
  expect(faultOf(icon)).toBeUndefined();
  expect(faultOf(Buffer.concat([icon, Buffer.from("garbage")]))).toBeTypeOf("string");
});

test("a sequence that came as UN is followed in implicit VR", () => {
  const inside = [openItem(implicit("00100010", "A^B ")), implicit("fffee0dd", "")];
  const unknown = Buffer.concat([
    explicit("00091010", "UN", "", UNDEFINED),
    ...inside,
    explicit("00100020", "LO", "1 "),
  ]);
  expect(faultOf(unknown)).toBeUndefined();
});

test.each([
  [256, undefined],
  [257, "sequences nested more than 256 deep"],
  [100_000, "sequences nested more than 256 deep"],
])("of sequences nested %i deep the fault is %s", (depth, fault) => {
  const open = Buffer.concat([implicit("00081140", "", UNDEFINED), implicit("fffee000", "", UNDEFINED)]);
  const close = Buffer.concat([implicit("fffee00d", ""), implicit("fffee0dd", "")]);
  const levels = (one: Uint8Array): Uint8Array[] => Array.from({ length: depth }, () => one);
  expect(faultOf(Buffer.concat([...levels(open), ...levels(close)]), IMPLICIT_LITTLE)).toBe(fault);
});

/** Sequences in sequences, each with its length. */
function closedNest(depth: number): Buffer {
  const heads: Buffer[] = [];
  for (let inside = 0; heads.length < depth; inside += 20)
    heads.push(Buffer.concat([explicit("00081140", "SQ", "", inside + 8), implicit("fffee000", "", inside)]));
  return Buffer.concat(heads.reverse());
}

test("sequences that say their lengths are followed as deep", () => {
  expect(faultOf(closedNest(256))).toBeUndefined();
  for (const depth of [257, 5_000])
    expect(faultOf(closedNest(depth))).toBe("sequences nested more than 256 deep");
});

test("the limit of the depth can be less", () => {
  const check = new StructureCheck(EXPLICIT_LITTLE, 3);
  check.write(closedNest(4));
  expect(check.end()).toBe("sequences nested more than 3 deep");
});

const text = (value: string, length = value.length): Buffer => explicit("00081155", "UI", value, length);

test.each([
  ["an item longer than its sequence", explicit("00081140", "SQ", implicit("fffee000", "", 40), 8)],
  ["an element longer than its item", openSequence("00081140", implicit("fffee000", text("1.2.", 60)))],
  ["an open item in a sequence that has ended", explicit("00081140", "SQ", openItem(text("1.2.")), 12)],
  ["a delimiter in an item with a length", openSequence("00081140", item(implicit("fffee00d", "")))],
  ["something else than an item", explicit("00081140", "SQ", text("1.2.30"))],
])("%s is longer than what it lies in, or no part of it", (_, sequence) => {
  const whole = ctImage({ "00081140": sequence });
  expect(faultOf(whole)).toBeTypeOf("string");
  expect(faultOf(whole, EXPLICIT_LITTLE, [...whole.keys()])).toBe(faultOf(whole));
});

test("sequences and items end by their lengths or by delimiters, as they please", () => {
  const items = [
    item(),
    openItem(),
    item(text("1.2.")),
    openItem(openSequence("00081150", item()), text("1.")),
  ];
  const closed = explicit("00081140", "SQ", Buffer.concat(items));
  for (const sequence of [closed, openSequence("00081140", ...items), explicit("00081140", "SQ", "")])
    expect(faultOf(ctImage({ "00081140": sequence }))).toBeUndefined();
});

test("two thousand damaged data sets are judged without an exception", () => {
  const random = seeded(7);
  const source = ctImage();
  let faults = 0;
  for (let round = 0; round < 2000; round++) {
    const damaged = Uint8Array.from(source);
    for (let hit = 0; hit < 3; hit++)
      damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
    const fault = faultOf(damaged, EXPLICIT_LITTLE, [Math.floor(random() * damaged.length)]);
    if (fault !== undefined) faults++;
  }
  expect(faults).toBeGreaterThan(500);
});

const withData = testWithData();

withData("every real file is whole, but for the two that were cut", () => {
  const faults: string[] = [];
  let whole = 0;
  for (const path of dataFiles()) {
    const bytes = readFileSync(path);
    const name = path.slice(dataPath().length + 1);
    try {
      const { transferSyntaxUid, dataSetOffset } = readPart10(bytes);
      if (isDeflated(transferSyntaxUid)) continue;
      const middle = [Math.floor(bytes.length / 3), Math.floor(bytes.length / 2)];
      const fault = faultOf(bytes.subarray(dataSetOffset), encodingOf(transferSyntaxUid), middle);
      if (fault === undefined) whole++;
      else faults.push(name);
    } catch {
      if (/truncated/.test(name)) faults.push(name);
    }
  }
  expect(faults).toEqual(["awkward/malformed/MR_truncated.dcm", "awkward/malformed/rtplan_truncated.dcm"]);
  expect(whole).toBeGreaterThan(190);
});

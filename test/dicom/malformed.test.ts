import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { NodeError } from "../../src/base/errors.ts";
import { itemsOf, stringOf, stringsOf } from "../../src/dicom/data-set.ts";
import { readInstance } from "../../src/dicom/instance.ts";
import { type Part10, readPart10 } from "../../src/dicom/part10.ts";
import {
  BIG_ENDIAN,
  ctImage,
  DEFLATED,
  EXPLICIT,
  explicit,
  file,
  IMPLICIT,
  implicit,
  item,
  openItem,
  openSequence,
  seeded,
  UNDEFINED,
  u16,
} from "../support/bytes.ts";
import { dataFiles, dataPath, testWithData } from "../support/data.ts";

/** What is read, or the code of the error; any other error, or one without code, is a fault of ours. */
function read(bytes: Uint8Array): Part10 | string {
  try {
    return readPart10(bytes);
  } catch (error) {
    if (error instanceof NodeError) return error.code;
    throw error;
  }
}

/** Milliseconds it takes. */
function timed(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

const inExplicit = (...elements: readonly Uint8Array[]): Part10 | string => read(file(EXPLICIT, ...elements));

test("a file that ends anywhere before its pixels is refused", () => {
  const whole = file(EXPLICIT, ctImage());
  const pixels = (readPart10(whole).pixelData?.offset ?? 0) - 12;
  const outcomes = Array.from({ length: pixels }, (_, length) => read(whole.subarray(0, length)));
  const boundaries = outcomes.flatMap((outcome, at) => (typeof outcome === "string" ? [] : [at]));
  // Between two elements of the data set nothing tells that one is missing.
  expect(boundaries).toHaveLength(13);
  expect(new Set(outcomes.filter((outcome) => typeof outcome === "string"))).toEqual(
    new Set(["DATA_SET_INVALID"]),
  );
});

test("two thousand damaged files are read or refused, and quickly", () => {
  const random = seeded(20_251);
  const sources = [
    file(EXPLICIT, ctImage()),
    file(
      IMPLICIT,
      implicit("00081140", item(implicit("00081155", "1.2.3.9\0"))),
      implicit("00100010", "A^B "),
    ),
    file(DEFLATED, deflateRawSync(ctImage())),
  ];
  let refused = 0;
  for (let round = 0; round < 2000; round++) {
    const damaged = Uint8Array.from(sources[round % sources.length]!);
    const hits = 1 + Math.floor(random() * 4);
    for (let hit = 0; hit < hits; hit++) {
      damaged[128 + Math.floor(random() * (damaged.length - 128))] =
        random() < 0.3 ? 0xff : Math.floor(random() * 256);
    }
    const ms = timed(() => {
      const outcome = read(damaged);
      if (typeof outcome === "string") refused++;
      else readInstance(outcome.dataSet);
      expect(["DATA_SET_INVALID", undefined]).toContain(typeof outcome === "string" ? outcome : undefined);
    });
    expect(ms).toBeLessThan(500);
  }
  expect(refused).toBeGreaterThan(200);
  expect(refused).toBeLessThan(1900);
});

test.each([100, 256])("sequences nested %i deep are read", (depth) => {
  expect(typeof inExplicit(nested(depth, "open"))).toBe("object");
  expect(typeof inExplicit(nested(depth, "defined"))).toBe("object");
});

test.each([257, 300, 5000, 100_000])("sequences nested %i deep are refused", (depth) => {
  expect(inExplicit(nested(depth, "open"))).toBe("DATA_SET_INVALID");
  if (depth <= 5000) expect(inExplicit(nested(depth, "defined"))).toBe("DATA_SET_INVALID");
  // In implicit VR, where UN of undefined length is a sequence too.
  const open = Buffer.concat([implicit("00091010", "", UNDEFINED), implicit("fffee000", "", UNDEFINED)]);
  expect(read(file(IMPLICIT, ...Array.from({ length: depth }, () => open)))).toBe("DATA_SET_INVALID");
});

function nested(depth: number, kind: "open" | "defined"): Uint8Array {
  if (kind === "open") {
    const begin = Buffer.concat([
      explicit("00081140", "SQ", "", UNDEFINED),
      implicit("fffee000", "", UNDEFINED),
    ]);
    const end = Buffer.concat([implicit("fffee00d", ""), implicit("fffee0dd", "")]);
    return Buffer.concat([
      ...Array.from({ length: depth }, () => begin),
      ...Array.from({ length: depth }, () => end),
    ]);
  }
  // Each level is 20 bytes of heads around the next.
  const heads = Array.from({ length: depth }, (_, at) => {
    const inside = 20 * (depth - 1 - at);
    return Buffer.concat([explicit("00081140", "SQ", "", inside + 8), implicit("fffee000", "", inside)]);
  });
  return Buffer.concat(heads);
}

test.each([
  ["a value longer than the file", explicit("00100010", "PN", "A^B ", 0xfffe)],
  ["a value of 4 GB", explicit("00420011", "OB", "abcd", 0xfffffffe)],
  ["undefined length of a text", explicit("00104000", "UT", "abcd", UNDEFINED)],
  ["a sequence longer than the file", explicit("00081140", "SQ", item(), 4000)],
  ["an item longer than its sequence", explicit("00081140", "SQ", implicit("fffee000", "", 40), 8)],
  [
    "an element longer than its item",
    Buffer.concat([
      explicit("00081140", "SQ", item(explicit("00081155", "UI", "", 30))),
      explicit("00100010", "PN", "x".repeat(40)),
    ]),
  ],
  [
    "an item longer than its sequence, within the file",
    Buffer.concat([
      explicit("00081140", "SQ", implicit("fffee000", "", 24), 8),
      explicit("00100010", "PN", "x".repeat(16)),
    ]),
  ],
  [
    "an element longer than its item, where the sequence has no length",
    openSequence(
      "00081140",
      Buffer.concat([implicit("fffee000", "", 12), explicit("00081155", "UI", "1.2.3.4.5.6.7.8.9.10")]),
    ),
  ],
  ["something else instead of an item", explicit("00081140", "SQ", implicit("00081155", "1.2."))],
  ["a sequence that does not end", explicit("00081140", "SQ", openItem(), UNDEFINED)],
  ["an item that does not end", explicit("00081140", "SQ", implicit("fffee000", "", UNDEFINED), UNDEFINED)],
  ["an item delimiter in the data set", implicit("fffee00d", "")],
  ["a sequence delimiter in the data set", implicit("fffee0dd", "")],
  ["an item in the data set", item()],
  [
    "an item delimiter in an item of defined length",
    explicit("00081140", "SQ", item(implicit("fffee00d", ""))),
  ],
  ["a sequence delimiter in an item", openSequence("00081140", openItem(implicit("fffee0dd", "")))],
  ["lower case instead of a representation", explicit("00100010", "pn", "A^B ")],
  ["zeros behind the last element", new Uint8Array(8)],
  ["one byte behind the last element", new Uint8Array(1)],
])("%s is refused", (_, bytes) => {
  expect(inExplicit(bytes)).toBe("DATA_SET_INVALID");
});

test.each([
  ["nothing", new Uint8Array(0)],
  ["131 bytes", new Uint8Array(131)],
  ["no prefix", Buffer.concat([new Uint8Array(128), Buffer.from("dicm"), ctImage()])],
  ["no transfer syntax", Buffer.concat([new Uint8Array(128), Buffer.from("DICM"), ctImage()])],
  ["a transfer syntax that is no UID", file("1.2.840.10008.1.2; rm", ctImage())],
  ["a deflated data set that is not", file(DEFLATED, ctImage())],
  ["a deflated data set cut short", file(DEFLATED, deflateRawSync(ctImage()).subarray(0, 60))],
  ["big endian that is little", file(BIG_ENDIAN, ctImage())],
  ["implicit that is explicit", file(IMPLICIT, ctImage())],
  ["explicit that is implicit", file(EXPLICIT, implicit("00100010", "A^B "))],
])("a file with %s is refused", (_, bytes) => {
  expect(read(bytes)).toBe("DATA_SET_INVALID");
});

test("a length that lies about 4 GB costs no memory and no time", () => {
  const lying = file(EXPLICIT, explicit("00420011", "OB", "abcd", 0xfffffff0));
  const before = process.memoryUsage().arrayBuffers;
  expect(timed(() => read(lying))).toBeLessThan(50);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
});

// Each of these made a regular expression or a split look at the value once for each of its bytes.
test.each([
  ["spaces before a letter", `${" ".repeat(1_000_000)}x`],
  ["zeros before a letter", `${"\0".repeat(1_000_000)}x`],
  ["backslashes", "\\".repeat(1_000_000)],
  ["escapes", "\x1b".repeat(1_000_000)],
])("a megabyte of %s where a UID or a name belongs is read quickly", (_, value) => {
  for (const tag of ["0020000d", "00100010", "00080005", "00200032"]) {
    const ms = timed(() => {
      const { dataSet } = readPart10(file(IMPLICIT, implicit(tag, value), implicit("00100020", "1 ")));
      readInstance(dataSet);
      stringOf(dataSet, 0x00100020);
    });
    expect(ms, tag).toBeLessThan(200);
  }
  const { dataSet } = readPart10(file(IMPLICIT, implicit("00104000", value)));
  expect(timed(() => stringsOf(dataSet, 0x00104000))).toBeLessThan(2000);
});

test("a hundred thousand private elements are kept, and read in a moment", () => {
  const many = Array.from({ length: 100_000 }, (_, at) =>
    explicit(
      (0x00110000 + 0x10000 * 2 * Math.floor(at / 60_000) + 0x1000 + (at % 60_000))
        .toString(16)
        .padStart(8, "0"),
      "LO",
      "ab",
    ),
  );
  const bytes = file(EXPLICIT, ...many);
  let outcome: Part10 | string = "";
  expect(timed(() => (outcome = read(bytes)))).toBeLessThan(1000);
  expect((outcome as unknown as Part10).dataSet.elements.size).toBe(100_000);
});

// What devices send all the same.
test("group lengths, odd lengths and elements out of order are read", () => {
  const part10 = inExplicit(
    explicit("00100000", "UL", u16(8, 0)),
    explicit("00100020", "LO", "123"),
    explicit("00100010", "PN", "A^B"),
  ) as Part10;
  expect([...part10.dataSet.elements.keys()]).toEqual([0x00100020, 0x00100010]);
  expect(stringOf(part10.dataSet, 0x00100010)).toBe("A^B");
});

test("a standard element that came as UN is read as the dictionary says", () => {
  const part10 = inExplicit(
    explicit("00080016", "UN", "1.2.840.10008.5.1.4.1.1.2\0"),
    explicit("00081140", "UN", item(implicit("00081155", "1.2.3.9\0"))),
    explicit("00280010", "UN", u16(512)),
  ) as Part10;
  expect(stringOf(part10.dataSet, 0x00080016)).toBe("1.2.840.10008.5.1.4.1.1.2");
  expect(part10.dataSet.elements.get(0x00280010)?.vr).toBe("US");
  expect(stringOf(itemsOf(part10.dataSet, 0x00081140)[0]!, 0x00081155)).toBe("1.2.3.9");
});

test("UN of undefined length is an implicit VR little endian sequence, in big endian data sets too", () => {
  const inside = Buffer.concat([openItem(implicit("00100020", "4711")), implicit("fffee0dd", "")]);
  const little = inExplicit(explicit("00091010", "UN", "", UNDEFINED), inside) as Part10;
  expect(stringOf(itemsOf(little.dataSet, 0x00091010)[0]!, 0x00100020)).toBe("4711");
  const head = Buffer.from([0x00, 0x09, 0x10, 0x10, 0x55, 0x4e, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  const after = Buffer.from([0x00, 0x28, 0x00, 0x10, 0x55, 0x53, 0x00, 0x02, 0x02, 0x00]); // Rows, 512
  const big = read(file(BIG_ENDIAN, head, inside, after)) as Part10;
  expect(stringOf(itemsOf(big.dataSet, 0x00091010)[0]!, 0x00100020)).toBe("4711");
  expect(big.dataSet.elements.get(0x00280010)).toMatchObject({ vr: "US", bytes: Uint8Array.from([0, 2]) });
});

test("the compressed pixels of an icon are passed over", () => {
  const icon = Buffer.concat([
    explicit("7fe00010", "OB", "", UNDEFINED),
    item(),
    implicit("fffee000", "\xff\xd8\xff\xfe\xe0\xdd\x00\x00\x00\x00"),
    implicit("fffee0dd", ""),
  ]);
  const iconSequence = openSequence("00880200", openItem(explicit("00280010", "US", u16(64)), icon));
  const part10 = inExplicit(iconSequence, explicit("00880904", "LO", "here")) as Part10;
  expect(stringOf(part10.dataSet, 0x00880904)).toBe("here");
  expect(part10.pixelData).toBeUndefined();
});

test("signed pixels make their padding value signed, in implicit VR", () => {
  const signed = read(
    file(IMPLICIT, implicit("00280103", u16(1)), implicit("00280120", u16(0xf830))),
  ) as Part10;
  expect(signed.dataSet.elements.get(0x00280120)?.vr).toBe("SS");
  const unsigned = read(file(IMPLICIT, implicit("00280103", u16(0)), implicit("00280120", u16(1)))) as Part10;
  expect(unsigned.dataSet.elements.get(0x00280120)?.vr).toBe("US");
});

const withData = testWithData();

withData("of the real malformed files, those whose encoding is known are read", () => {
  const outcomes = dataFiles("awkward", "malformed").map((path) => {
    const outcome = read(readFileSync(path));
    return [
      path.slice(dataPath("awkward", "malformed").length + 1),
      typeof outcome === "string" ? outcome : "read",
    ];
  });
  expect(Object.fromEntries(outcomes)).toEqual({
    "ExplVR_BigEndNoMeta.dcm": "DATA_SET_INVALID",
    "ExplVR_LitEndNoMeta.dcm": "DATA_SET_INVALID",
    "JPEG2000-embedded-sequence-delimiter.dcm": "read",
    "MR_small_padded.dcm": "read",
    "MR_truncated.dcm": "read",
    "SC_rgb_small_odd.dcm": "read",
    "UN_sequence.dcm": "read",
    "badVR.dcm": "read",
    "empty_charset_LEI.dcm": "read",
    "explicit_VR-UN.dcm": "read",
    "meta_missing_tsyntax.dcm": "DATA_SET_INVALID",
    "nested_priv_SQ.dcm": "read",
    "no_meta.dcm": "DATA_SET_INVALID",
    "no_meta_group_length.dcm": "read",
    "priv_SQ.dcm": "read",
    "rtplan_truncated.dcm": "DATA_SET_INVALID",
  });
});

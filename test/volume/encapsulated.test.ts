import { expect, test } from "vitest";
import { type Bytes, type Encapsulated, encapsulatedFrames } from "../../src/volume/encapsulated.ts";

/** Items after one another, without or with the delimiter. */
function items(...contents: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    ...contents.flatMap((content) => {
      const header = Buffer.from("feff00e000000000", "hex");
      header.writeUInt32LE(content.length, 4);
      return [header, content];
    }),
    Buffer.from("feffdde000000000", "hex"),
  ]);
}

function inMemory(bytes: Uint8Array): Bytes {
  return { length: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** The bytes of each frame, in hexadecimal. */
function framesOf(body: Uint8Array, pixels: Omit<Encapsulated, "offset">): readonly string[] {
  return encapsulatedFrames(inMemory(body), { offset: 0, ...pixels }).map((chunks) =>
    chunks.map(({ offset, length }) => Buffer.from(body).toString("hex", offset, offset + length)).join("|"),
  );
}

const NO_TABLE = new Uint8Array();
const hex = (text: string): Buffer => Buffer.from(text, "hex");

function table(...offsets: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * offsets.length);
  for (const [at, offset] of offsets.entries()) bytes.writeUInt32LE(offset, 4 * at);
  return bytes;
}

test("all fragments of a single frame belong to it, with or without a table", () => {
  const fragments = [hex("ffd8ff01"), hex("0203"), hex("ffd8ff04")] as const;
  expect(framesOf(items(NO_TABLE, ...fragments), { frames: 1 })).toEqual(["ffd8ff01|0203|ffd8ff04"]);
  expect(framesOf(items(table(0), ...fragments), { frames: 1 })).toEqual(["ffd8ff01|0203|ffd8ff04"]);
});

test("a table says which fragments begin a frame", () => {
  const body = items(table(0, 20), hex("0102"), hex("0304"), hex("0506"), hex("0708"));
  expect(framesOf(body, { frames: 2 })).toEqual(["0102|0304", "0506|0708"]);
});

test("the extended table says it where there is no basic one", () => {
  const body = items(NO_TABLE, hex("0102"), hex("030405060708"), hex("0910"));
  expect(framesOf(body, { frames: 3, extendedOffsets: [0, 10, 24] })).toEqual([
    "0102",
    "030405060708",
    "0910",
  ]);
});

test("without a table each fragment is a frame if there are as many", () => {
  const body = items(NO_TABLE, hex("0102"), hex("0304"), hex("0506"));
  expect(framesOf(body, { frames: 3 })).toEqual(["0102", "0304", "0506"]);
});

test.each([
  ["JPEG and JPEG-LS", "ffd8ffe0"],
  ["JPEG 2000", "ff4fff51"],
])("without a table frames begin where codestreams begin: %s", (_, begin) => {
  const body = items(NO_TABLE, hex(begin), hex("ffd8"), hex(`${begin}07`), hex("0809"), hex("0a0b"));
  expect(framesOf(body, { frames: 2 })).toEqual([`${begin}|ffd8`, `${begin}07|0809|0a0b`]);
});

test("an item of odd length does not shift those behind it", () => {
  expect(framesOf(items(NO_TABLE, hex("010203"), hex("04")), { frames: 2 })).toEqual(["010203", "04"]);
});

const FOUR = [hex("0102"), hex("0304"), hex("0506"), hex("0708")] as const;

test.each([
  ["a table with too few entries", items(table(0), ...FOUR), 2],
  ["a table with too many entries", items(table(0, 10, 20), ...FOUR), 2],
  ["a table pointing between items", items(table(0, 12), ...FOUR), 2],
  ["a table pointing past the end", items(table(0, 4000000000), ...FOUR), 2],
  ["a table that does not begin with the first fragment", items(table(10, 20), ...FOUR), 2],
  ["a table that goes back", items(table(0, 20, 10), ...FOUR), 3],
  ["a table that names a fragment twice", items(table(0, 10, 10), ...FOUR), 3],
  ["a table of five bytes", items(hex("0000000000"), ...FOUR), 1],
  ["fewer codestreams than frames", items(NO_TABLE, hex("ffd8ff00"), hex("0102"), hex("0304")), 2],
  ["more codestreams than frames", items(NO_TABLE, hex("ffd8ff00"), hex("ffd8ff00"), hex("ffd8ff00")), 2],
  ["a first fragment that begins nothing", items(NO_TABLE, hex("0102"), hex("ffd8ff00"), hex("ffd8ff00")), 2],
  ["no fragments", items(NO_TABLE), 1],
  ["no items at all", items(), 1],
  ["a frame without bytes", items(NO_TABLE, hex("0102"), NO_TABLE), 2],
  ["an item that runs past the end", items(NO_TABLE, hex("0102")).subarray(0, 17), 1],
  [
    "an item of undefined length",
    Buffer.concat([items(NO_TABLE).subarray(0, 8), hex("feff00e0ffffffff01020304")]),
    1,
  ],
  [
    "something else than an item",
    Buffer.concat([items(NO_TABLE).subarray(0, 8), hex("e07f100002000000")]),
    1,
  ],
  ["no delimiter", items(NO_TABLE, hex("0102")).subarray(0, 18), 1],
  ["nothing", Buffer.alloc(0), 1],
])("%s: refused", (_, body, frames) => {
  expect(() => framesOf(body, { frames })).toThrow(expect.objectContaining({ code: "PIXELS_UNDECODABLE" }));
});

// A quadratic reader takes minutes for these.
test("a hundred thousand empty fragments are read in linear time", () => {
  const body = items(NO_TABLE, ...Array.from({ length: 100_000 }, () => NO_TABLE), hex("0102"));
  const before = performance.now();
  expect(encapsulatedFrames(inMemory(body), { offset: 0, frames: 1 })[0]).toHaveLength(100_001);
  expect(() => framesOf(body, { frames: 100_001 })).toThrow("frame 1 has no bytes");
  expect(performance.now() - before).toBeLessThan(5_000);
});

test("a claim of two billion frames costs nothing", () => {
  expect(() => framesOf(items(NO_TABLE, ...FOUR), { frames: 2 ** 31 })).toThrow("4 fragments");
});

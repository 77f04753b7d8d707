import { expect, test } from "vitest";
import {
  isUsable,
  isWhole,
  NO_RANGE,
  union,
  wholeVoxels,
  writeFloat,
  writeWhole,
} from "../../src/volume/pixels.ts";

const words = Uint16Array.of(0x0000, 0x0001, 0x07ff, 0x0800, 0x0fff, 0xf001);

function whole(
  samples: Parameters<typeof writeWhole>[1],
  from: Parameters<typeof writeWhole>[2],
): { values: readonly number[]; range: unknown } {
  const shared = new SharedArrayBuffer(2 * samples.words.length);
  const range = writeWhole(new Uint16Array(shared), samples, from);
  return { values: [...(wholeVoxels(shared, range) ?? [])], range };
}

test("unsigned samples of 12 bits lose what stands above them", () => {
  const { values, range } = whole({ words, bits: 12, shift: 0 }, { signed: false, intercept: -1024 });
  expect(values).toEqual([-1024, -1023, 1023, 1024, 3071, -1023]);
  expect(range).toEqual({ least: -1024, most: 3071 });
});

test("signed samples of 12 bits take their sign from the twelfth", () => {
  const { values } = whole({ words, bits: 12, shift: 0 }, { signed: true, intercept: 0 });
  expect(values).toEqual([0, 1, 2047, -2048, -1, 1]);
});

test("samples with a high bit of 15 lose what stands below them", () => {
  const high = Uint16Array.of(0x0010, 0x7ff7, 0x8000, 0xffff);
  expect(whole({ words: high, bits: 12, shift: 4 }, { signed: true, intercept: 0 }).values).toEqual([
    1, 2047, -2048, -1,
  ]);
  expect(whole({ words: high, bits: 12, shift: 4 }, { signed: false, intercept: 0 }).values).toEqual([
    1, 2047, 2048, 4095,
  ]);
});

test("bytes and full words keep all their bits", () => {
  const bytes = Uint8Array.of(0, 1, 127, 128, 255);
  expect(whole({ words: bytes, bits: 8, shift: 0 }, { signed: true, intercept: 0 }).values).toEqual([
    0, 1, 127, -128, -1,
  ]);
  const full = Uint16Array.of(0, 0x7fff, 0x8000, 0xffff);
  expect(whole({ words: full, bits: 16, shift: 0 }, { signed: true, intercept: 0 }).values).toEqual([
    0, 32767, -32768, -1,
  ]);
  expect(whole({ words: full, bits: 16, shift: 0 }, { signed: false, intercept: 0 }).values).toEqual([
    0, 32767, 32768, 65535,
  ]);
});

test.each([
  [-32768, 32767, "Int16Array"],
  [0, 32767, "Int16Array"],
  [0, 32768, "Uint16Array"],
  [0, 65535, "Uint16Array"],
  [-1, 32768, undefined],
  [-32769, 0, undefined],
  [0, 65536, undefined],
])("values from %d to %d are held by %s", (least, most, type) => {
  expect(wholeVoxels(new SharedArrayBuffer(2), { least, most })?.constructor.name).toBe(type);
});

test("a range is that of all parts", () => {
  expect(union(union(NO_RANGE, { least: 3, most: 5 }), { least: -7, most: 4 })).toEqual({
    least: -7,
    most: 5,
  });
});

test("slope and intercept are applied to the stored value", () => {
  const target = new Float32Array(3);
  const samples = { words: Uint16Array.of(0, 100, 0xffff), bits: 16, shift: 0 };
  writeFloat(target, samples, { signed: true, slope: 0.5, intercept: -10.25 });
  expect([...target]).toEqual([-10.25, 39.75, -10.75]);
});

test.each([
  [1, -1024, true],
  [1, 0, true],
  [1, -1024.5, false],
  [2, 0, false],
  [-1, 0, false],
  [1, 2 ** 31, false],
])("slope %d and intercept %d give whole numbers: %s", (slope, intercept, expected) => {
  expect(isWhole({ slope, intercept })).toBe(expected);
});

test.each([
  [0, 0, false],
  [Number.NaN, 0, false],
  [1, Number.NaN, false],
  [1e308, 0, false],
  [1, Number.POSITIVE_INFINITY, false],
  [1e34, 0, false],
  [1e33, 0, true],
  [-0.001, 1e6, true],
])("slope %d and intercept %d are usable: %s", (slope, intercept, expected) => {
  expect(isUsable({ slope, intercept })).toBe(expected);
});

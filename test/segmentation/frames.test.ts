import * as fc from "fast-check";
import { expect, test } from "vitest";
import { packedBytes, packFrames } from "../../src/segmentation/bits.ts";
import { type Frame, findLabels, listFrames } from "../../src/segmentation/frames.ts";
import type { Labels } from "../../src/volume/volume.ts";

// Two slices of 3 columns × 2 rows: six bits a frame, so no frame but the first begins at a byte.
const labels = Uint8Array.of(1, 0, 2, 0, 1, 0, /* next slice */ 0, 0, 0, 2, 0, 1);

function packed(
  labels: Labels,
  frames: readonly Frame[],
  pixels: number,
  windowBytes?: number,
): readonly number[] {
  return Array.from(
    packFrames(() => labels, frames, pixels, windowBytes),
    (chunk) => [...chunk],
  ).flat();
}

test("labels are found with the slices that hold them, background not among them", () => {
  expect([...findLabels(labels, 6)]).toEqual([
    [1, [0, 1]],
    [2, [0, 1]],
  ]);
});

test("values come out ascending whatever is met first, and 16-bit values are kept", () => {
  const wide = Uint16Array.of(40_000, 7, 0, 0, 7, 7);
  expect([...findLabels(wide, 2)]).toEqual([
    [7, [0, 2]],
    [40_000, [0]],
  ]);
});

test("frames are stored by segment, then by position, and segments are numbered without gaps", () => {
  const presence = new Map([
    [3, [1, 4]],
    [9, [0]],
  ]);
  expect(listFrames(presence)).toEqual([
    { value: 3, segment: 1, k: 1 },
    { value: 3, segment: 1, k: 4 },
    { value: 9, segment: 2, k: 0 },
  ]);
});

// Written by hand: frames 100010 000001 001000 000100, eight bits at a time, first bit least significant.
test("bits run on from frame to frame, and the end is padded with 00H", () => {
  const frames = listFrames(findLabels(labels, 6));
  expect(packed(labels, frames, 6)).toEqual([0b0001_0001, 0b0100_1000, 0b0010_0000, 0]);
});

test("a position without the segment has no frame", () => {
  const sparse = Uint8Array.of(0, 1, 0, 0, 0, 1);
  expect(listFrames(findLabels(sparse, 2)).map(({ k }) => k)).toEqual([0, 2]);
});

test("the value field has even length", () => {
  expect([1, 8, 9, 16, 17].map((bits) => packedBytes(1, bits))).toEqual([2, 2, 2, 2, 4]);
});

test("every bit is where the standard puts it, for any size and any labels", () => {
  const map = fc
    .tuple(fc.integer({ min: 1, max: 23 }), fc.integer({ min: 1, max: 20 }))
    .chain(([pixels, slices]) =>
      fc.tuple(
        fc.constant(pixels),
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: pixels * slices, maxLength: pixels * slices }),
      ),
    );
  fc.assert(
    fc.property(map, fc.boolean(), fc.nat(100), ([pixels, values], isWide, windowBytes) => {
      const labels = isWide ? Uint16Array.from(values) : Uint8Array.from(values);
      const frames = listFrames(findLabels(labels, pixels));
      const expected = frames.flatMap(({ value, k }) =>
        values.slice(k * pixels, (k + 1) * pixels).map((one) => (one === value ? "1" : "0")),
      );
      const bytes = packed(labels, frames, pixels, windowBytes);
      const stream = bytes
        .map((byte) => byte.toString(2).padStart(8, "0").split("").reverse().join(""))
        .join("");
      expect(stream).toBe(expected.join("").padEnd(bytes.length * 8, "0"));
    }),
  );
});

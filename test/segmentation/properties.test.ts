/** For any geometry and any labels: what is written is what is read back, by a reader that shares no code. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Findings, Labels } from "../../src/volume/volume.ts";
import { layOut, layOutEach, readSeg, textAt } from "../support/seg-reader.ts";
import {
  BINARY,
  encodedAll,
  encodedOne,
  FRACTIONAL,
  FRACTIONAL_RLE,
  LABELMAP,
  LABELMAP_RLE,
} from "./encoded.ts";
import { inputFor, labelMap, ranks, type StackShape, segmentsFor, slicesOf, stack } from "./series.ts";

type Orientation = NonNullable<StackShape["orientation"]>;

const finite = (min: number, max: number) => fc.double({ min, max, noNaN: true });

/** Two perpendicular unit vectors, from a random rotation. */
const orientation = fc
  .tuple(finite(-1, 1), finite(-1, 1), finite(-1, 1), finite(-1, 1))
  .filter((quaternion) => Math.hypot(...quaternion) > 0.1)
  .map(rotated);

function rotated(quaternion: readonly [w: number, x: number, y: number, z: number]): Orientation {
  const size = Math.hypot(...quaternion);
  const [w, x, y, z] = quaternion;
  const [ww, xx, yy, zz] = [w / size, x / size, y / size, z / size] as const;
  return [
    1 - 2 * (yy * yy + zz * zz),
    2 * (xx * yy + ww * zz),
    2 * (xx * zz - ww * yy),
    2 * (xx * yy - ww * zz),
    1 - 2 * (xx * xx + zz * zz),
    2 * (yy * zz + ww * xx),
  ];
}

/** A stack with any orientation and spacing, its step along the normal and a bit aside: a tilt. */
const shape = fc
  .record({
    columns: fc.integer({ min: 1, max: 9 }),
    rows: fc.integer({ min: 1, max: 9 }),
    slices: fc.integer({ min: 1, max: 7 }),
    orientation,
    pixelSpacing: fc.tuple(finite(0.05, 5), finite(0.05, 5)),
    origin: fc.tuple(finite(-2000, 2000), finite(-2000, 2000), finite(-2000, 2000)),
    step: finite(0.1, 9),
    aside: finite(-0.3, 0.3),
  })
  .map(placed);

function placed({
  step,
  aside,
  ...rest
}: Omit<StackShape, "step"> & {
  readonly orientation: Orientation;
  readonly step: number;
  readonly aside: number;
}): StackShape {
  const [a, b, c, d, e, f] = rest.orientation;
  const along = (normal: number, column: number): number => normal * step + column * aside * step;
  return {
    ...rest,
    step: [along(b * f - c * e, d), along(c * d - a * f, e), along(a * e - b * d, f)],
  };
}

test("any label map on any grid comes back from BINARY, LABELMAP and RLE, at its positions", () => {
  const values = fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { minLength: 1, maxLength: 6 });
  const labels = fc.infiniteStream(fc.nat(9));
  fc.assert(
    fc.property(shape, values, labels, (shape, values, picks) => {
      const series = stack(shape);
      const map = labelMap(series, () => values[picks.next().value!] ?? 0, 16);
      map.labels[0] = values[0]!;
      const { objects } = encodedAll(inputFor(series, map), BINARY, LABELMAP, LABELMAP_RLE);
      const slices = slicesOf(series);
      for (const [at, { file, bytes }] of objects.entries()) {
        expect(bytes).toBe(file.length);
        const seg = readSeg(file);
        expect([...layOut(seg, slices)]).toEqual([...(at === 0 ? ranks(map) : map.labels)]);
        expect(seg.orientation).toEqual(series.source.orientation);
        expect(seg.pixelSpacing).toEqual(series.source.pixelSpacing);
      }
    }),
    { numRuns: 60 },
  );
});

test("any layers, however they overlap, come back segment by segment, and the object says whether they do", () => {
  const layers = fc.array(fc.infiniteStream(fc.nat(2)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(shape, layers, (shape, picks) => {
      const series = stack(shape);
      const { grid } = labelMap(series, () => 0);
      // Layer n holds the values 2n + 1 and 2n + 2.
      const found = picks.map((stream, n) =>
        labelMap(series, () => {
          const pick = stream.next().value!;
          return pick === 0 ? 0 : 2 * n + pick;
        }),
      );
      found[0]!.labels[0] = 1;
      const findings: Findings = { grid, layers: found.map(({ labels }) => labels) };
      const segments = segmentsFor(Array.from({ length: 8 }, (_, at) => at + 1));
      const input = inputFor(series, found[0]!, { findings, segments });
      const seg = readSeg(encodedOne(input).file);
      const each = layOutEach(seg, slicesOf(series));
      const present = [...new Set(findings.layers.flatMap((labels) => [...labels]))].filter(
        (value) => value > 0,
      );
      for (const [at, value] of present.sort((a, b) => a - b).entries())
        expect([...each.get(at + 1)!]).toEqual(bits(findings.layers, value));
      const meet = [...found[0]!.labels.keys()].some(
        (voxel) => findings.layers.filter((labels) => labels[voxel] !== 0).length > 1,
      );
      expect(textAt(seg.dataSet, "00620013")).toBe(meet ? "YES" : "NO");
      const { objects } = encodedAll(input, LABELMAP);
      const filled = findings.layers.filter((labels) => labels.some((label) => label > 0));
      expect(objects).toHaveLength(filled.length);
      for (const [at, { file }] of objects.entries())
        expect([...layOut(readSeg(file), slicesOf(series))]).toEqual([...filled[at]!]);
    }),
    { numRuns: 40 },
  );
});

test("any probabilities come back as they were stored, frames of zeros left out", () => {
  const streams = fc.array(fc.infiniteStream(fc.oneof(fc.constant(0), fc.nat(255))), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(shape, streams, (shape, streams) => {
      const series = stack(shape);
      const map = labelMap(series, () => 1);
      const probabilities = new Map(
        streams.map((stream, at) => [at + 1, Uint8Array.from(map.labels, () => stream.next().value!)]),
      );
      for (const bytes of probabilities.values()) bytes[0] = 255;
      const findings = { grid: map.grid, layers: [map.labels], probabilities };
      const segments = segmentsFor([...probabilities.keys()]);
      const { objects } = encodedAll(
        inputFor(series, map, { findings, segments }),
        FRACTIONAL,
        FRACTIONAL_RLE,
      );
      for (const { file } of objects) {
        const seg = readSeg(file);
        expect(seg.frames.every(({ pixels }) => pixels.some((pixel) => pixel > 0))).toBe(true);
        const each = layOutEach(seg, slicesOf(series));
        for (const [value, bytes] of probabilities) expect([...each.get(value)!]).toEqual([...bytes]);
      }
    }),
    { numRuns: 40 },
  );
});

function bits(layers: readonly Labels[], value: number): readonly number[] {
  const layer = layers.find((labels) => labels.includes(value))!;
  return Array.from(layer, (label) => (label === value ? 1 : 0));
}

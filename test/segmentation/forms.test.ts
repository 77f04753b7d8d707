/** BINARY, LABELMAP and FRACTIONAL beside each other: what each holds, how it splits, and that every voxel comes back. */
import { expect, test } from "vitest";
import type { SegInput } from "../../src/segmentation/input.ts";
import { encodeSegmentation } from "../../src/segmentation/seg.ts";
import type { Findings, Labels } from "../../src/volume/volume.ts";
import { readByCornerstone3D } from "../support/ohif.ts";
import {
  type Item,
  inside,
  items,
  layOut,
  layOutEach,
  readElements,
  readSeg,
  textAt,
  wordsAt,
} from "../support/seg-reader.ts";
import {
  BINARY,
  encodedAll,
  encodedOne,
  FRACTIONAL,
  FRACTIONAL_RLE,
  LABELMAP,
  LABELMAP_RLE,
} from "./encoded.ts";
import {
  AXIAL,
  boxes,
  findingsOf,
  inputFor,
  labelMap,
  ohifSlices,
  ranks,
  segmentsFor,
  slicesOf,
  stack,
} from "./series.ts";

// 31 × 19 pixels: odd frames, so that padding, rows and fragments of odd length occur.
const series = stack({ columns: 31, rows: 19, slices: 6, orientation: AXIAL, step: [0, 0, 2] });
const slices = slicesOf(series);
const map = labelMap(series, boxes(series.size, 5));
const input = inputFor(series, map);
const wide = labelMap(series, (i, j, k) => [0, 1, 300, 40_000, 65_535][boxes(series.size, 4)(i, j, k)]!, 16);

/** As toEqual, but told by the first difference alone. */
function expectSame(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length);
  const at = Array.from(expected).findIndex((value, index) => value !== found[index]);
  expect(at < 0 ? "same" : `${found[at]} instead of ${expected[at]} at ${at}`).toBe("same");
}

function segmentNumbers(dataSet: Item): readonly number[] {
  return items(dataSet, "00620002").map((segment) => wordsAt(segment, "00620004")[0]!);
}

test.each([
  ["8 bits, native", map, LABELMAP, "1.2.840.10008.1.2.1", 8],
  ["8 bits, RLE", map, LABELMAP_RLE, "1.2.840.10008.1.2.5", 8],
  ["16 bits, native", wide, LABELMAP, "1.2.840.10008.1.2.1", 16],
  ["16 bits, RLE", wide, LABELMAP_RLE, "1.2.840.10008.1.2.5", 16],
] as const)("a label map of %s keeps its values", async (_, labels, wanted, syntax, bits) => {
  const encoded = encodedOne(inputFor(series, labels), wanted);
  expect(encoded.bytes).toBe(encoded.file.length);
  const seg = readSeg(encoded.file);
  expectSame(layOut(seg, slices), labels.labels);
  expect([textAt(seg.dataSet, "00020010"), wordsAt(seg.dataSet, "00280100")[0]]).toEqual([syntax, bits]);
  expect(seg.type).toBe("LABELMAP");
  // OHIF's reader holds labels in a byte, whatever the object holds.
  if (bits === 8) expectSame(await readByCornerstone3D(encoded.file, ohifSlices(series)), labels.labels);
});

test("a label map describes its background and every value, by the value itself", () => {
  const { dataSet } = readSeg(encodedOne(inputFor(series, wide), LABELMAP).file);
  expect(segmentNumbers(dataSet)).toEqual([0, 1, 300, 40_000, 65_535]);
  const [background] = items(dataSet, "00620002");
  expect(textAt(background!, "00620005")).toBe("Background");
  for (const sequence of ["00620003", "0062000f"])
    expect(textAt(inside(background!, sequence), "00080100")).toBe("125040");
  expect(wordsAt(dataSet, "00280120")).toEqual([0]);
  expect(textAt(dataSet, "00620013")).toBe("NO");
});

test("a label map has one dimension, position, counted over the slices in use", () => {
  const sparse = labelMap(series, (i, _, k) => (k === 1 || k === 4 ? i % 3 : 0));
  const seg = readSeg(encodedOne(inputFor(series, sparse), LABELMAP).file);
  expect(items(seg.dataSet, "00209222")).toHaveLength(1);
  expect(seg.frames.map(({ dimension }) => dimension)).toEqual([[1], [2]]);
});

// A count byte says 128 pixels at most; 128 itself means nothing (PS3.5 G.3.2).
test("runs and literals of any length around 128 and 256 come back", () => {
  const wide = stack({ columns: 263, rows: 264, slices: 1, orientation: AXIAL, step: [0, 0, 2] });
  // Row j: j equal pixels, then all different from their neighbours.
  const lengths = labelMap(wide, (i, j) => (i < j ? 7 : 1 + (i % 5)));
  expectSame(
    layOut(readSeg(encodedOne(inputFor(wide, lengths), LABELMAP_RLE).file), slicesOf(wide)),
    lengths.labels,
  );
});

test("16 bits that hold small values are written as 8", () => {
  const same = { ...map, labels: Uint16Array.from(map.labels) };
  const file = encodedOne({ ...input, findings: findingsOf(same) }, LABELMAP).file;
  expect(file.equals(encodedOne(input, LABELMAP).file)).toBe(true);
});

test("the native and the RLE file are one object, its other forms are others", () => {
  const { objects } = encodedAll(input, BINARY, LABELMAP, LABELMAP_RLE);
  const [binary, native, rle] = objects.map(({ sopInstanceUid, seriesUid }) => [sopInstanceUid, seriesUid]);
  expect(rle).toEqual(native);
  expect(binary![0]).not.toBe(native![0]);
  expect(binary![1]).not.toBe(native![1]);
  const [, a, b] = objects.map(({ file }) => readElements(file));
  const description = (item: Item): readonly string[] =>
    Object.keys(item)
      .filter((tag) => tag > "0003" && tag !== "7fe00010")
      .map((tag) => Buffer.from(item[tag]!.bytes).toString("hex"));
  expect(description(a!)).toEqual(description(b!));
});

// Two of three layers meet in some voxels.
const [columns, rows, count] = series.size;
const layer = (label: (i: number, j: number, k: number) => number): Labels =>
  labelMap(series, label, 16).labels;
const overlapping: Findings = {
  grid: map.grid,
  layers: [
    layer((i) => (i < 15 ? 7 : 0)),
    layer((i, j) => (i > 9 && j < 9 ? 2 : i > 9 && j > 12 ? 900 : 0)),
    layer((i, _, k) => (i > 25 && k === 3 ? 4 : 0)),
  ],
};
const overlappingInput: SegInput = {
  ...input,
  findings: overlapping,
  segments: segmentsFor([2, 4, 7, 900]),
};

test("overlapping layers are one BINARY object that says so, every segment whole", () => {
  const seg = readSeg(encodedOne(overlappingInput, BINARY).file);
  expect(textAt(seg.dataSet, "00620013")).toBe("YES");
  const each = layOutEach(seg, slices);
  for (const [segment, [at, value]] of [
    [1, 2],
    [2, 4],
    [0, 7],
    [1, 900],
  ].entries())
    expectSame(
      each.get(segment + 1)!,
      overlapping.layers[at!]!.map((label) => (label === value ? 1 : 0)),
    );
});

test("layers that do not meet do not overlap", () => {
  const findings = { ...overlapping, layers: [layer((i) => (i < 9 ? 7 : 0)), overlapping.layers[1]!] };
  const { dataSet } = readSeg(encodedOne({ ...overlappingInput, findings }, BINARY).file);
  expect(textAt(dataSet, "00620013")).toBe("NO");
});

test("overlapping layers are one label map each, never two labels at one place", () => {
  const { objects } = encodedAll(overlappingInput, LABELMAP);
  expect(objects.map(({ part, parts, segments }) => [part, parts, segments])).toEqual([
    [1, 3, 1],
    [2, 3, 2],
    [3, 3, 1],
  ]);
  for (const [at, { file }] of objects.entries())
    expectSame(layOut(readSeg(file), slices), overlapping.layers[at]!);
  expect(wordsAt(readSeg(objects[0]!.file).dataSet, "00280100")[0]).toBe(8);
  expect(wordsAt(readSeg(objects[1]!.file).dataSet, "00280100")[0]).toBe(16);
  // OHIF shows the first object of a series and no other.
  expect(new Set(objects.map(({ seriesUid }) => seriesUid)).size).toBe(3);
  expect(new Set(objects.map(({ sopInstanceUid }) => sopInstanceUid)).size).toBe(3);
  expect(textAt(readElements(objects[1]!.file), "0008103e")).toMatch(/^2\/3 AI segmentation: /);
});

test("250 labels of 16 bits are one BINARY object, numbered from 1, each segment naming its value", () => {
  const many = labelMap(series, (i, j, k) => 1000 + ((i + 31 * j + 589 * k) % 250) * 3, 16);
  const seg = readSeg(encodedOne(inputFor(series, many), BINARY).file);
  expectSame(layOut(seg, slices), ranks(many));
  expect(seg.segments).toHaveLength(250);
  expect(textAt(seg.segments[249]!, "00620006")).toBe("Label value 1747 of the model");
  expect(wordsAt(seg.segments[249]!, "00620004")).toEqual([250]);
});

test("300 labels are two BINARY objects of at most 255 segments, and one label map with the values kept", () => {
  const many = labelMap(series, (i, j, k) => 1000 + ((i + 31 * j + 589 * k) % 300), 16);
  const { objects } = encodedAll(inputFor(series, many), BINARY, LABELMAP);
  expect(objects.map(({ form, part, parts, segments }) => [form, part, parts, segments])).toEqual([
    ["binary", 1, 2, 255],
    ["binary", 2, 2, 45],
    ["labelmap", 1, 1, 300],
  ]);
  const [first, second, whole] = objects.map(({ file }) => readSeg(file));
  expect(segmentNumbers(second!.dataSet)).toEqual(Array.from({ length: 45 }, (_, at) => at + 1));
  const [one, two] = [layOut(first!, slices), layOut(second!, slices)];
  expectSame(
    one.map((number, at) => (number > 0 ? 999 + number : 999 + 255 + two[at]!)),
    many.labels,
  );
  expectSame(layOut(whole!, slices), many.labels);
});

/** Two channels that share voxels, with slices of zeros; and what argmax makes of them. */
const p1 = Float64Array.from({ length: columns * rows * count }, (_, at) =>
  at % 7 === 0 || at < columns * rows ? 0 : (at % 101) / 100,
);
const p2 = p1.map((p, at) => (at >= 4 * columns * rows ? 0 : (1 - p) / 3));
const bytesOf = (p: Float64Array): Uint8Array => Uint8Array.from(p, (one) => Math.round(one * 255));
const fractions: Findings = {
  grid: map.grid,
  layers: [layer((i, j, k) => (p1[(k * rows + j) * columns + i]! > 0.5 ? 6 : 2))],
  probabilities: new Map([
    [6, bytesOf(p1)],
    [2, bytesOf(p2)],
    [0, new Uint8Array(columns * rows * count).fill(255)],
  ]),
};
const fractionalInput: SegInput = { ...input, findings: fractions, segments: segmentsFor([2, 6]) };

test.each([FRACTIONAL, FRACTIONAL_RLE])(
  "probabilities come back within 1/510 of what they were: $compression",
  (wanted) => {
    const { file, segments, frames, bytes } = encodedOne(fractionalInput, wanted);
    expect([segments, frames, bytes]).toEqual([2, 9, file.length]); // slices 0–3 of one, 1–5 of the other
    const seg = readSeg(file);
    const found = ["00620001", "00620010", "00620013"].map((tag) => textAt(seg.dataSet, tag));
    expect(found).toEqual(["FRACTIONAL", "PROBABILITY", "UNDEFINED"]);
    expect(wordsAt(seg.dataSet, "0062000e")).toEqual([255]);
    const each = layOutEach(seg, slices);
    for (const [segment, p] of [
      [1, p2],
      [2, p1],
    ] as const) {
      const stored = each.get(segment)!;
      expect(p.every((one, at) => Math.abs(one - stored[at]! / 255) <= 1 / 510 + 1e-12)).toBe(true);
    }
  },
);

test("the BINARY object of a model that answers with probabilities holds what was made of them", () => {
  const seg = readSeg(encodedOne(fractionalInput, BINARY).file);
  expectSame(layOut(seg, slices), ranks({ grid: map.grid, labels: fractions.layers[0]! }));
});

test("how labels were made of probabilities is documented, and not in the object that holds the probabilities", () => {
  const reduction = { reduce: "threshold", threshold: 0.35 } as const;
  const { objects } = encodedAll({ ...fractionalInput, reduction }, BINARY, FRACTIONAL);
  const [binary, fractional] = objects.map(({ file }) => textAt(readElements(file), "00082111"));
  expect(binary).toBe("A voxel belongs to every segment whose probability there is 0.35 or more.");
  expect(fractional).toBeUndefined();
  const other = encodedOne({ ...fractionalInput, reduction: { reduce: "argmax", threshold: 0.35 } });
  expect(textAt(readElements(other.file), "00082111")).toBe(
    "A voxel belongs to the segment that is most probable there.",
  );
  expect(other.sopInstanceUid).not.toBe(objects[0]!.sopInstanceUid);
});

// OHIF reads fractions only where they are all or nothing.
test("fractions of 0 and 1 are shown by OHIF's reader as labels", async () => {
  const probabilities = new Map(
    [1, 2, 3, 4, 5].map((value) => [
      value,
      Uint8Array.from(map.labels, (label) => (label === value ? 255 : 0)),
    ]),
  );
  const { file } = encodedOne({ ...input, findings: { ...input.findings, probabilities } }, FRACTIONAL);
  expectSame(await readByCornerstone3D(file, ohifSlices(series)), map.labels);
});

test("no FRACTIONAL object is made of a model that answers with labels; its others are", () => {
  const encoded = encodeSegmentation(input, [FRACTIONAL, LABELMAP]);
  expect(encoded).toMatchObject({ kind: "seg", objects: [{ form: "binary" }, { form: "labelmap" }] });
});

test("RLE of single bits is not written: readers do not agree on it", () => {
  const { objects } = encodedAll(input, { form: "binary", compression: "rle" });
  expect(objects[0]).toMatchObject({ compression: "none", transferSyntaxUid: "1.2.840.10008.1.2.1" });
});

test("labels brought onto the grid by nearest neighbour say so, and are another object", () => {
  const findings: Findings = { ...input.findings, resampledFrom: [1, 1.2, 2.50001] };
  const resampled = encodedOne({ ...input, findings });
  const dataSet = readElements(resampled.file);
  expect(textAt(dataSet, "00082111")).toBe(
    "Labels were found with voxels of 1 x 1.2 x 2.5 mm and brought onto the grid of the source images by nearest neighbour.",
  );
  expect(textAt(dataSet, "00700081")).toMatch(/^Resampled: /);
  const plain = encodedOne(input);
  expect(readElements(plain.file)["00082111"]).toBeUndefined();
  expect(resampled.sopInstanceUid).not.toBe(plain.sopInstanceUid);
});

test("a label without a meaning is written as what is known of it where the config allows, and told", () => {
  const segments = segmentsFor([1, 2, 4]);
  expect(encodeSegmentation({ ...input, segments }, [])).toMatchObject({
    reason: "unknown-label",
    detail: "no segment is defined for label 3, 5",
  });
  const generic = { ...input, segments, onUnknownLabel: "generic" } as const;
  for (const wanted of [BINARY, LABELMAP]) {
    const { file, unknown } = encodedOne(generic, wanted);
    expect(unknown).toEqual([3, 5]);
    const seg = readSeg(file);
    expectSame(layOut(seg, slices), map.labels);
    const item = seg.segments.find((segment) => textAt(segment, "00620005") === "Label 5");
    expect(textAt(inside(item!, "0062000f"), "00080100")).toBe("85756007"); // Tissue
  }
});

test("a segment without voxels is left out, or described without a frame, as the config says", () => {
  const sparse = labelMap(series, (i) => (i < 9 ? 2 : i < 20 ? 5 : 0));
  const with300 = { ...inputFor(series, sparse), segments: segmentsFor([1, 2, 5, 300]) };
  const dropped = encodedOne(with300);
  expect([dropped.absent, dropped.segments]).toEqual([[1, 300], 2]);
  const describing = { ...with300, absentSegments: "describe" } as const;
  const binary = encodedOne(describing);
  expect([binary.absent, binary.segments]).toEqual([[1, 300], 4]);
  const seg = readSeg(binary.file);
  expect(segmentNumbers(seg.dataSet)).toEqual([1, 2, 3, 4]);
  expect(new Set(seg.frames.map(({ segment }) => segment))).toEqual(new Set([2, 3]));
  expect(binary.sopInstanceUid).not.toBe(dropped.sopInstanceUid);
  const labels = readSeg(encodedOne(describing, LABELMAP).file);
  expect(segmentNumbers(labels.dataSet)).toEqual([0, 1, 2, 5, 300]);
  expect(wordsAt(labels.dataSet, "00280100")).toEqual([8]);
  expectSame(layOut(labels, slices), sparse.labels);
});

test("value 0 with a meaning is still background: no BINARY segment, no second item in a label map", () => {
  const segments = new Map([...input.segments, [0, segmentsFor([1]).get(1)!] as const]);
  const binary = readSeg(encodedOne({ ...input, segments }).file);
  expect(segmentNumbers(binary.dataSet)).toEqual([1, 2, 3, 4, 5]);
  expectSame(layOut(binary, slices), map.labels);
  const labels = readSeg(encodedOne({ ...input, segments }, LABELMAP).file);
  expect(segmentNumbers(labels.dataSet)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(textAt(labels.segments[0]!, "00620005")).toBe("Background");
});

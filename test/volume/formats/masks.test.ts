import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { NodeError } from "../../../src/base/errors.ts";
import { type AnswerShape, type Expected, interpret } from "../../../src/volume/formats/interpret.ts";
import { niftiHeader } from "../../../src/volume/formats/nifti-write.ts";
import type { Grid, Vector } from "../../../src/volume/volume.ts";
import { oblique } from "./fixtures.ts";
import { byNumpy } from "./numpy-fixtures.ts";

const names = new Map([
  [1, { label: "Liver" }],
  [2, { label: "Lung, left" }],
  [5, { label: "Spleen" }],
]);
// Not in ascending order, which is that of the channels all the same.
const expected: Expected = { grid: oblique, labels: [5, 1, 2], names };

type Masks = Extract<AnswerShape["as"], { masks: unknown }>["masks"];

function shape(change: Partial<Masks> = {}): AnswerShape {
  return {
    as: { masks: { background: "none", others: "refuse", files: new Map(), ...change } },
    maxBytes: 1e6,
  };
}

function range(from: number, to: number, value = 1): Uint8Array {
  return new Uint8Array(60).fill(value, from, to);
}

function file(name: string, voxels: Uint8Array | Float32Array): { name: string; bytes: Uint8Array } {
  const data = new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength);
  return { name, bytes: gzipSync(Buffer.concat([niftiHeader(oblique, voxels), data])) };
}

/** Layers with what is written: [label, from, to] each. */
function layer(...parts: readonly (readonly [label: number, from: number, to: number])[]): Uint8Array {
  const labels = new Uint8Array(60);
  for (const [label, from, to] of parts) labels.fill(label, from, to);
  return labels;
}

function failureOf(run: () => unknown): NodeError {
  try {
    run();
  } catch (error) {
    if (error instanceof NodeError) return error;
    throw error;
  }
  throw new Error("It was accepted");
}

test("masks in files are those of the segments they are named after, in one layer where none overlap", () => {
  const files = [
    file("out/spleen.nii.gz", range(40, 60)),
    file("left_lung.nii.gz", range(3, 9, 255)),
    file("liver.nii", range(9, 11)),
  ];
  expect(interpret(files, shape(), expected).layers).toEqual([layer([5, 40, 60], [2, 3, 9], [1, 9, 11])]);
});

test("a mask that overlaps goes into a second layer, and what overlaps neither back into the first", () => {
  const files = [
    file("liver", range(0, 20)),
    file("lung left", range(19, 30)),
    file("spleen", range(30, 35)),
  ];
  const found = interpret(files, shape(), expected);
  expect(found.layers).toEqual([layer([1, 0, 20], [5, 30, 35]), layer([2, 19, 30])]);
  expect(found.notes).toEqual([]);
});

test("a segment without a file, or with an empty one, is not there", () => {
  expect(interpret([file("liver", range(0, 0))], shape(), expected).layers).toEqual([layer()]);
});

test("files may have names of their own", () => {
  const files = [file("mask_03.nii.gz", range(1, 2)), file("liver.nii.gz", range(5, 6))];
  const found = interpret(files, shape({ files: new Map([[5, "mask_03.nii.gz"]]) }), expected);
  expect(found.layers).toEqual([layer([5, 1, 2], [1, 5, 6])]);
});

test("a file that is named after no segment is refused, or ignored and counted", () => {
  const files = [file("kidney.nii.gz", new Float32Array(60).fill(0.5)), file("liver.nii.gz", range(5, 6))];
  expect(failureOf(() => interpret(files, shape(), expected))).toMatchObject({
    code: "LABEL_UNKNOWN",
    message: expect.stringContaining("Mask kidney.nii.gz") as string,
  });
  const found = interpret(files, shape({ others: "ignore" }), expected);
  expect(found.layers).toEqual([layer([1, 5, 6])]);
  expect(found.notes).toEqual([{ kind: "ignored-files", files: 1 }]);
});

test.each([
  ["two values", range(0, 9).fill(2, 3, 5), "more than one value"],
  ["a fraction", new Float32Array(60).fill(0.5, 7, 8), "not whole"],
  ["a negative value", new Float32Array(60).fill(-1, 7, 8), "negative"],
  ["NaN", new Float32Array(60).fill(Number.NaN, 7, 8), "not a number"],
  ["infinity", new Float32Array(60).fill(Number.POSITIVE_INFINITY, 7, 8), "infinite"],
])("a mask with %s is refused by its name", (_, voxels, reason) => {
  const error = failureOf(() => interpret([file("liver", voxels)], shape(), expected));
  expect(error.code).toBe("MODEL_ANSWER_INVALID");
  expect(error.message).toContain("Mask liver");
  expect(error.message).toContain(reason);
});

test.each([
  ["no file", [], "no file"],
  [
    "two of one segment",
    [file("a/liver", range(0, 1)), file("b/LIVER.nii", range(0, 1))],
    "second one of segment 1",
  ],
  ["nothing but foreign files", [file("x", range(0, 1)), file("y", range(0, 1))], "none of which"],
])("an answer of %s is refused", (_, files, reason) => {
  expect(failureOf(() => interpret(files, shape({ others: "ignore" }), expected)).message).toContain(reason);
});

test("of two files, one wants a choice", () => {
  const files = [file("a.nii", range(0, 1)), file("b.nii", range(0, 1))];
  const run = () => interpret(files, { as: "labelmap", maxBytes: 1e6 }, expected);
  expect(failureOf(run).message).toContain("2 files where one is wanted: a.nii, b.nii");
});

// The first 10 voxels, 20 to 32, and 8 to 11, which overlaps the first: by NumPy.
const three = [layer([1, 0, 10], [2, 20, 33]), layer([5, 8, 12])];

test.each(["masks, bool, CZYX", "masks, bool, ZYXC"])(
  "NumPy, %s: channels in the order of the labels",
  (name) => {
    const format = name.endsWith("ZYXC") ? { layout: "ZYXC" } : {};
    expect(interpret([{ bytes: byNumpy(name) }], { ...shape(), format }, expected).layers).toEqual(three);
  },
);

test.each(["npz", "npz, compressed"])("NumPy, %s: an array for each segment", (name) => {
  const named = new Map([
    [1, { label: "liver" }],
    [2, { label: "Left lung" }],
    [5, { label: "Spleen" }],
  ]);
  expect(interpret([{ bytes: byNumpy(name) }], shape(), { ...expected, names: named }).layers).toEqual(three);
});

test("a channel may be the background, first or last; one channel too many is refused", () => {
  const bytes = byNumpy("masks, bool, CZYX");
  const two = { grid: oblique, labels: [2, 5] };
  expect(interpret([{ bytes }], shape({ background: "first" }), two).layers).toEqual([
    layer([2, 20, 33], [5, 8, 12]),
  ]);
  expect(interpret([{ bytes }], shape({ background: "last" }), two).layers).toEqual([
    layer([2, 0, 10], [5, 20, 33]),
  ]);
  expect(failureOf(() => interpret([{ bytes }], shape(), two)).message).toContain(
    "3 channels where 2 are wanted",
  );
});

test("more than 255 masks that do not overlap are one layer of 16 bits", () => {
  const labels = Array.from({ length: 300 }, (_, n) => n + 1);
  const grid = { size: [300, 2, 1], affine: oblique.affine } as const;
  const bytes = new Uint8Array(300 * 600);
  labels.forEach((label, channel) => {
    bytes[channel * 600 + 2 * label - 1] = 1;
  });
  const { layers } = interpret([{ bytes }], { ...shape(), format: { raw: "uint8" } }, { grid, labels });
  expect(layers).toEqual([Uint16Array.from({ length: 600 }, (_, n) => (n % 2 === 1 ? (n + 1) / 2 : 0))]);
});

function bits(order: "msb" | "lsb", name: string, labels = [4]): readonly (Uint8Array | Uint16Array)[] {
  return interpret(
    [{ bytes: byNumpy(name) }],
    { as: { packedBits: { order } }, maxBytes: 1e6 },
    { grid: oblique, labels },
  ).layers;
}

test("packed bits, either way round, and of several segments", () => {
  expect(bits("msb", "packbits, big")).toEqual([layer([4, 20, 33])]);
  expect(bits("lsb", "packbits, little")).toEqual([layer([4, 20, 33])]);
  expect(bits("msb", "packbits of three", [2, 1, 5])).toEqual(three);
});

test("packed bits of another number of voxels, or beyond the last one, are refused", () => {
  expect(failureOf(() => bits("msb", "packbits of three")).message).toContain("60 voxels are 8 bytes");
  const beyond = byNumpy("packbits, big");
  beyond[7] = 1;
  const run = () =>
    interpret(
      [{ bytes: beyond }],
      { as: { packedBits: { order: "msb" } }, maxBytes: 1e6 },
      { grid: oblique, labels: [4] },
    );
  expect(failureOf(run).message).toContain("beyond the last voxel");
});

const { origin, perColumn, perRow, perSlice } = oblique.affine;

/** Voxel (0, 0, 0) of the answer is voxel (at, 0, 0) of the source. */
function shifted(at: number, size: readonly [number, number, number]): Grid {
  const start = [0, 1, 2].map((n) => origin[n]! + at * perColumn[n]!) as unknown as Vector;
  return { size, affine: { origin: start, perColumn, perRow, perSlice } };
}

function onGrid(name: string, grid: Grid, voxels: Uint8Array): { name: string; bytes: Uint8Array } {
  return { name, bytes: Buffer.concat([niftiHeader(grid, voxels), voxels]) };
}

test("masks may each be cropped to what they hold, where that is allowed", () => {
  const files = [
    onGrid("liver", shifted(2, [2, 4, 3]), new Uint8Array(24).fill(1)),
    onGrid("spleen", shifted(-1, [2, 4, 3]), new Uint8Array(24).fill(1)),
  ];
  const found = interpret(files, { ...shape(), grid: "placed" }, expected);
  const columns = Uint8Array.from({ length: 60 }, (_, n) => [5, 0, 1, 1, 0][n % 5]!);
  expect(found.layers).toEqual([columns]);
  expect(found.notes).toEqual([{ kind: "outside", voxels: 12 }]);
  expect(failureOf(() => interpret(files, shape(), expected)).code).toBe("LABEL_MAP_MISPLACED");
});

test("masks on another grid say which", () => {
  const files = [onGrid("liver", shifted(0.5, [5, 4, 3]), range(0, 60))];
  const found = interpret(files, { ...shape(), grid: "nearest" }, expected);
  expect(found.layers).toEqual([layer([1, 0, 60])]);
  found.resampledFrom!.forEach((mm, axis) => expect(mm).toBeCloseTo([0.7, 1.1, 2.5][axis]!, 5));
});

test.each([
  ["two values", 2, "more than one value"],
  ["a value of half", 0.5, "not whole"],
])("a mask whose slices run backwards is refused for %s as well", (_, value, reason) => {
  const last = [0, 1, 2].map((n) => origin[n]! + 2 * perSlice[n]!) as unknown as Vector;
  const back: Vector = [-perSlice[0], -perSlice[1], -perSlice[2]];
  const grid = { size: oblique.size, affine: { origin: last, perColumn, perRow, perSlice: back } };
  const voxels = new Float32Array(60).fill(1, 0, 8);
  const bytes = (): Uint8Array => Buffer.concat([niftiHeader(grid, voxels), new Uint8Array(voxels.buffer)]);
  const read = () => interpret([{ name: "liver", bytes: bytes() }], shape(), expected);
  expect(read().layers).toEqual([layer([1, 40, 48])]);
  voxels[30] = value;
  expect(failureOf(read).message).toContain(reason);
});

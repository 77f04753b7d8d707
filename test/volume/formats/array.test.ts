import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { NodeError } from "../../../src/base/errors.ts";
import { type AnswerShape, interpret } from "../../../src/volume/formats/interpret.ts";
import { allLabels, labelled, oblique } from "./fixtures.ts";
import { byNumpy } from "./numpy-fixtures.ts";

const expected = { grid: oblique, labels: allLabels };

type Format = NonNullable<AnswerShape["format"]>;

function read(bytes: Uint8Array, format: Format = {}, wanted = expected): Uint8Array | Uint16Array {
  return interpret([{ bytes }], { as: "labelmap", format, maxBytes: 1e6 }, wanted).layers[0]!;
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

test.each([
  "|u1",
  "|i1",
  "<u2",
  ">u2",
  "<i2",
  ">i2",
  "<u4",
  ">u4",
  "<i4",
  ">i4",
  "<u8",
  ">u8",
  "<i8",
  ">i8",
  "<f2",
  ">f2",
  "<f4",
  ">f4",
  "<f8",
  ">f8",
  "Fortran order",
  "version 2",
  "version 3",
  "five dimensions",
  "npz of one label map",
])("NumPy, %s: every label is where it was", (name) => {
  expect(read(byNumpy(name))).toEqual(labelled);
  if (!name.startsWith("npz")) expect(read(gzipSync(byNumpy(name)))).toEqual(labelled);
});

test.each(["XYZ as nibabel has it", "XYZ in C order"])("NumPy, %s: with the layout declared", (name) => {
  expect(read(byNumpy(name), { layout: "XYZ" })).toEqual(labelled);
  expect(failureOf(() => read(byNumpy(name))).code).toBe("LABEL_MAP_MISPLACED");
});

test("NumPy: five dimensions under a layout of five letters", () => {
  expect(read(byNumpy("five dimensions"), { layout: "NCZYX" })).toEqual(labelled);
});

test.each(["complex", "structured", "text", "datetime"])("NumPy, %s numbers are refused", (name) => {
  expect(failureOf(() => read(byNumpy(name))).message).toContain("npy is not an array of plain numbers");
});

test.each([
  ["another layout than it has dimensions", "NCZYX", "shape 3×4×5 where NCZYX"],
  ["too few letters", "ZY", "where ZY is wanted"],
])("an array with %s is refused", (_, layout, reason) => {
  expect(failureOf(() => read(byNumpy("|u1"), { layout })).message).toContain(reason);
});

test("an array that is cut, or longer than its shape, is refused with both sizes", () => {
  const file = byNumpy("<i2");
  expect(failureOf(() => read(file.subarray(0, -1))).message).toContain("ends after 119 of 120 bytes");
  expect(failureOf(() => read(Buffer.concat([file, Buffer.alloc(2)]))).message).toContain(
    "122 bytes instead of 120",
  );
  for (const length of [6, 7, 9, 11, 60, 127]) {
    expect(failureOf(() => read(file.subarray(0, length))).code).toBe("MODEL_ANSWER_INVALID");
  }
});

test("an array is never placed by its shape on another grid, whatever the policy", () => {
  const half = { size: [5, 4, 2], affine: oblique.affine } as const;
  for (const grid of ["exact", "placed", "nearest"] as const) {
    const run = () =>
      interpret(
        [{ bytes: byNumpy("|u1") }],
        { as: "labelmap", grid, maxBytes: 1e6 },
        { ...expected, grid: half },
      );
    expect(failureOf(run).code).toBe("LABEL_MAP_MISPLACED");
  }
});

test.each([
  ["uint8", "little", Uint8Array],
  ["uint16", "little", Uint16Array],
  ["int32", "little", Int32Array],
  ["float32", "little", Float32Array],
] as const)("raw %s", (raw, byteOrder, Numbers) => {
  const bytes = new Uint8Array(Numbers.from(labelled).buffer);
  expect(read(bytes, { raw, byteOrder })).toEqual(labelled);
  expect(read(gzipSync(bytes), { raw })).toEqual(labelled);
});

test("raw numbers may be big-endian, and along other axes", () => {
  const bytes = byNumpy(">u2").subarray(128);
  expect(read(bytes, { raw: "uint16", byteOrder: "big" })).toEqual(labelled);
  // The layout of nibabel's array in C order: slices are fastest.
  const turned = byNumpy("XYZ in C order").subarray(128);
  expect(read(turned, { raw: "uint8", layout: "XYZ" })).toEqual(labelled);
});

test.each([0, 59, 61, 119])("raw numbers of %i bytes where 60 are wanted are refused", (length) => {
  const error = failureOf(() => read(new Uint8Array(length), { raw: "uint8" }));
  expect(error.code).toBe("MODEL_ANSWER_INVALID");
  expect(error.message).toContain(`${length} bytes`);
});

test("two volumes of raw numbers are no label map", () => {
  expect(failureOf(() => read(new Uint8Array(120), { raw: "uint8" })).message).toContain("2 channels");
  expect(failureOf(() => read(new Uint8Array(120), { raw: "uint8", layout: "ZYX" })).message).toContain(
    "2 volumes",
  );
});

test("raw numbers that begin as gzip does are numbers", () => {
  const bytes = Uint8Array.from(labelled);
  bytes.set([0x1f, 0x8b]);
  expect(read(bytes, { raw: "uint8" }, { grid: oblique, labels: [...allLabels, 0x8b] })[1]).toBe(0x8b);
});

test("a gzip bomb of raw numbers stops at the volume that was sent", () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  expect(failureOf(() => read(bomb, { raw: "uint8" })).message).toContain("more than the 3600 bytes");
});

test.each([
  ["FP16", new Float16Array(labelled)],
  ["UINT64", BigUint64Array.from(labelled, BigInt)],
  ["INT16", Int16Array.from(labelled)],
] as const)("a tensor of %s", (datatype, numbers) => {
  const file = { bytes: new Uint8Array(numbers.buffer), tensor: { datatype, shape: [1, 1, 3, 4, 5] } };
  expect(interpret([file], { as: "labelmap", maxBytes: 1e6 }, expected).layers).toEqual([labelled]);
});

test("a tensor in the order of its axes, where that is declared", () => {
  const file = {
    bytes: byNumpy("XYZ in C order").subarray(128),
    tensor: { datatype: "UINT8", shape: [1, 5, 4, 3] },
  };
  const shape = { as: "labelmap", format: { layout: "NXYZ" }, maxBytes: 1e6 } as const;
  expect(interpret([file], shape, expected).layers).toEqual([labelled]);
});

test("what was sent is what an array answers: a part of the source, turned", () => {
  const { origin, perColumn, perRow, perSlice } = oblique.affine;
  // Slices 1 and 2, rows 1 to 3 upwards, of the source.
  const at = (axis: 0 | 1 | 2): number => origin[axis] + 3 * perRow[axis] + perSlice[axis];
  const upwards = [-perRow[0], -perRow[1], -perRow[2]] as const;
  const sent = {
    size: [5, 3, 2],
    affine: { origin: [at(0), at(1), at(2)], perColumn, perRow: upwards, perSlice },
  } as const;
  const bytes = new Uint8Array(30).fill(7);
  bytes[0] = 9; // row 3 of slice 1, column 0
  const found = interpret(
    [{ bytes }],
    { as: "labelmap", format: { raw: "uint8" }, maxBytes: 1e6 },
    { ...expected, sent },
  );
  const wanted = new Uint8Array(60);
  for (let k = 1; k < 3; k++) for (let j = 1; j < 4; j++) wanted.fill(7, 20 * k + 5 * j, 20 * k + 5 * j + 5);
  wanted[20 + 15] = 9;
  expect(found.layers).toEqual([wanted]);
  expect(found.grid).toBe(oblique);
});

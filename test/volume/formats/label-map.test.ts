import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { NodeError } from "../../../src/base/errors.ts";
import { interpret } from "../../../src/volume/formats/interpret.ts";
import { niftiHeader } from "../../../src/volume/formats/nifti-write.ts";
import { told } from "../../../src/volume/formats/notes.ts";
import type { Affine, Grid, Vector } from "../../../src/volume/volume.ts";
import { allLabels, labelled, oblique, plain, readLabelMap, written } from "./fixtures.ts";

const SHAPE = { as: "labelmap", maxBytes: 1_000_000 } as const;
const expected = { grid: oblique, labels: allLabels };

/** A NIfTI-1 file made by our writer (which another reader checks in nifti-write.test.ts), then damaged. */
function nifti(
  voxels: Uint8Array | Int16Array | Uint16Array | Float32Array = labelled,
  { grid = oblique, edit }: { readonly grid?: Grid; readonly edit?: (view: DataView) => void } = {},
): Uint8Array {
  const header = niftiHeader(grid, voxels);
  edit?.(new DataView(header.buffer));
  return Buffer.concat([header, new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength)]);
}

function failureOf(file: Uint8Array, wanted = expected): NodeError {
  try {
    readLabelMap(file, wanted);
  } catch (error) {
    if (error instanceof NodeError) return error;
    throw error;
  }
  throw new Error("It was accepted");
}

function placed(affine: Partial<Affine>, size: Grid["size"] = oblique.size): Grid {
  return { size, affine: { ...oblique.affine, ...affine } };
}

function scaled(v: Vector, by: number): Vector {
  return [v[0] * by, v[1] * by, v[2] * by];
}

test.each([...written.keys()])("%s: every label is where it was", (name) => {
  expect(readLabelMap(plain(name), expected).labels).toEqual(labelled);
});

test.each([...written.keys()])("%s, gzipped: every label is where it was", (name) => {
  expect(readLabelMap(written.get(name) as Uint8Array, expected).labels).toEqual(labelled);
});

test("the label map has the source's own grid, in shared memory", () => {
  const map = readLabelMap(plain("ITK, NIfTI"), expected);
  expect(map.grid).toBe(oblique);
  expect(map.labels.buffer).toBeInstanceOf(SharedArrayBuffer);
});

test("labels above 255 make a map of 16 bits", () => {
  const voxels = Uint16Array.from(labelled, (n) => (n === 7 ? 300 : 0));
  const { labels } = readLabelMap(nifti(voxels), { grid: oblique, labels: [300] });
  expect(labels).toEqual(voxels);
});

// F63
test.each([
  ["one column more", [6, 4, 3]],
  ["one slice fewer", [5, 4, 2]],
  ["rows and columns exchanged", [4, 5, 3]],
  ["slices first", [3, 4, 5]],
] as const)("a shape with %s is refused with both shapes", (_, size) => {
  const file = nifti(new Uint8Array(size[0] * size[1] * size[2]), { grid: { ...oblique, size } });
  const error = failureOf(file);
  expect(error.code).toBe("LABEL_MAP_MISPLACED");
  expect(error.message).toContain(size.join("×"));
  expect(error.message).toContain("5×4×3");
});

// F64
const { perColumn, perRow, perSlice, origin } = oblique.affine;
test.each([
  [
    "LPS taken for RAS",
    {
      origin: [-origin[0], -origin[1], origin[2]],
      perColumn: mirrored(perColumn),
      perRow: mirrored(perRow),
      perSlice: mirrored(perSlice),
    },
  ],
  ["columns reversed about the origin", { perColumn: scaled(perColumn, -1) }],
  ["slices reversed about the origin", { perSlice: scaled(perSlice, -1) }],
  ["1 % more between columns", { perColumn: scaled(perColumn, 1.01) }],
  ["1 % more between slices", { perSlice: scaled(perSlice, 1.01) }],
  ["half a voxel aside", { origin: [origin[0] + perColumn[0] / 2, origin[1] + perColumn[1] / 2, origin[2]] }],
  ["a whole voxel aside", { origin: [origin[0] + perColumn[0], origin[1] + perColumn[1], origin[2]] }],
  ["a tilt", { perSlice: [perSlice[0], perSlice[1] + 0.05, perSlice[2]] }],
  ["no oblique angle", { perColumn: [0.7, 0, 0], perRow: [0, 1.1, 0], perSlice: [0, 0, 2.5] }],
  ["two equal axes", { perRow: perColumn }],
  ["twice the distance", { perColumn: scaled(perColumn, 2) }],
] as readonly (readonly [string, Partial<Affine>])[])("%s is refused", (_, affine) => {
  const error = failureOf(nifti(labelled, { grid: placed(affine) }));
  expect(error.code).toBe("LABEL_MAP_MISPLACED");
  expect(error.message).toContain("-120.25");
});

function mirrored(v: Vector): Vector {
  return [-v[0], -v[1], v[2]];
}

test("a step of zero is refused", () => {
  const file = nifti(labelled, {
    edit(view) {
      for (const at of [284, 300, 316]) view.setFloat32(at, 0, true);
    },
  });
  expect(failureOf(file).code).toBe("LABEL_MAP_MISPLACED");
});

test("what float32 does to an affine is no displacement, even over a large volume", () => {
  const size: Grid["size"] = [512, 512, 400];
  const large = {
    size,
    affine: {
      ...oblique.affine,
      perColumn: scaled(perColumn, 0.5),
      origin: [-1234.567, 987.654, -2345.678] as Vector,
    },
  };
  const header = niftiHeader(large, new Uint8Array());
  // Only the place is asked: the file ends after its header.
  expect(failureOf(header, { grid: large, labels: [] }).message).toContain("ends after 0 of");
});

// Built by hand: the voxel the answer calls (a, b, c) is the source's (4 - b, c, 2 - a).
test("an answer that declares its axes exchanged and reversed is put back", () => {
  const size: Grid["size"] = [3, 5, 4];
  const voxels = new Uint8Array(60);
  for (let c = 0; c < 4; c += 1)
    for (let b = 0; b < 5; b += 1)
      for (let a = 0; a < 3; a += 1) voxels[a + 3 * b + 15 * c] = 4 - b + 5 * c + 20 * (2 - a);
  const grid = placed(
    {
      origin: [
        origin[0] + 4 * perColumn[0] + 2 * perSlice[0],
        origin[1] + 4 * perColumn[1] + 2 * perSlice[1],
        origin[2] + 4 * perColumn[2] + 2 * perSlice[2],
      ],
      perColumn: scaled(perSlice, -1),
      perRow: scaled(perColumn, -1),
      perSlice: perRow,
    },
    size,
  );
  expect(readLabelMap(nifti(voxels, { grid }), expected).labels).toEqual(labelled);
});

// F65
test.each([
  ["NaN", Number.NaN, "1 not a number"],
  ["infinity", Number.POSITIVE_INFINITY, "1 infinite"],
  ["-1", -1, "1 negative"],
  ["0.5", 0.5, "1 not whole"],
  ["70000", 70_000, "1 above 65535"],
])("%s is no label, and the voxels are counted", (_, value, counted) => {
  const voxels = Float32Array.from(labelled);
  voxels[33] = value;
  const error = failureOf(nifti(voxels));
  expect(error.code).toBe("MODEL_ANSWER_INVALID");
  expect(error.message).toContain(`${counted}, of 60`);
});

test("every flaw is counted, in runs too", () => {
  const voxels = Float32Array.from(labelled, (n) => (n < 10 ? -1 : n < 13 ? 0.5 : n));
  expect(failureOf(nifti(voxels)).message).toContain("10 negative, 3 not whole, of 60");
});

test("a label the model has no segment for is refused by its value", () => {
  const error = failureOf(nifti(), { grid: oblique, labels: allLabels.filter((n) => n !== 12 && n !== 40) });
  expect(error.code).toBe("LABEL_UNKNOWN");
  expect(error.message).toBe(
    "Label map with labels that are no segments of the model: 12, 40; name them in segments, or set onUnknownLabel: generic",
  );
});

test("a label without a segment is kept where the config has a meaning for it, and said", () => {
  const voxels = Uint16Array.from(labelled, (label) => (label === 12 ? 700 : label));
  const wanted = { grid: oblique, labels: [1, 2], onUnknownLabel: "generic" } as const;
  const found = interpret([{ bytes: nifti(voxels) }], SHAPE, wanted);
  expect(found.layers).toEqual([voxels]);
  const kept = [...new Set(voxels)].filter((label) => label > 2).sort((a, b) => a - b);
  expect(found.notes).toEqual([{ kind: "unknown-labels", labels: kept }]);
  expect(told(found.notes[0]!)).toBe("labels without a segment: 3, 4, 5, 6, 7, 8, 9, 10 and 49 more");
});

test("negative values of 64 bits are not taken for large ones", () => {
  const voxels = BigInt64Array.from(labelled, BigInt);
  voxels[3] = -1n;
  voxels[4] = 2n ** 32n + 4n;
  const file = plain("nibabel, int64").slice();
  file.set(new Uint8Array(voxels.buffer), 352);
  expect(failureOf(file).message).toContain("1 negative, 1 above 65535");
});

// F66
test.each([0, 1])("%i everywhere is a result", (value) => {
  const labels = new Uint8Array(60).fill(value);
  expect(readLabelMap(nifti(labels), { grid: oblique, labels: [1] }).labels).toEqual(labels);
});

// B22
test.each([
  ["dim[0] of 0", (v: DataView) => v.setInt16(40, 0, true)],
  ["dim[0] of 8", (v: DataView) => v.setInt16(40, 8, true)],
  ["a negative size", (v: DataView) => v.setInt16(42, -5, true)],
  [
    "channels along two dimensions",
    (v: DataView) => [v.setInt16(40, 5, true), v.setInt16(48, 2, true), v.setInt16(50, 2, true)],
  ],
  ["an unknown datatype", (v: DataView) => v.setInt16(70, 3, true)],
  ["colour", (v: DataView) => v.setInt16(70, 128, true)],
  ["complex numbers", (v: DataView) => v.setInt16(70, 32, true)],
  ["bitpix that contradicts the datatype", (v: DataView) => v.setInt16(72, 16, true)],
  ["vox_offset inside the header", (v: DataView) => v.setFloat32(108, 100, true)],
  ["vox_offset past the end", (v: DataView) => v.setFloat32(108, 1000, true)],
  ["vox_offset far past the end", (v: DataView) => v.setFloat32(108, 1e30, true)],
  ["vox_offset NaN", (v: DataView) => v.setFloat32(108, Number.NaN, true)],
  ["scl_slope NaN", (v: DataView) => v.setFloat32(112, Number.NaN, true)],
  ["scl_inter infinite", (v: DataView) => v.setFloat32(116, Number.POSITIVE_INFINITY, true)],
  ["NaN in the affine", (v: DataView) => v.setFloat32(280, Number.NaN, true)],
  ["neither sform nor qform", (v: DataView) => [v.setInt16(252, 0, true), v.setInt16(254, 0, true)]],
  ["its data in another file", (v: DataView) => v.setUint8(345, 0x69)],
  ["no magic", (v: DataView) => v.setUint32(344, 0, true)],
  ["a length that is neither byte order's", (v: DataView) => v.setUint32(0, 349, true)],
  ["an unknown unit", (v: DataView) => v.setUint8(123, 5)],
] as const)("NIfTI with %s is refused", (_, edit) => {
  expect(failureOf(nifti(labelled, { edit: (view) => void edit(view) })).code).toBe("MODEL_ANSWER_INVALID");
});

test("scl_slope 0 means not scaled", () => {
  const file = nifti(labelled, { edit: (view) => view.setFloat32(112, 0, true) });
  expect(readLabelMap(file, expected).labels).toEqual(labelled);
});

test("without an sform the qform places the image", () => {
  const file = nifti(labelled, {
    edit(view) {
      view.setInt16(254, 0, true);
      view.setFloat32(280, 99, true);
    },
  });
  expect(readLabelMap(file, expected).labels).toEqual(labelled);
});

const offsetBy = (mm: number) => (view: DataView) =>
  view.setFloat32(268, view.getFloat32(268, true) + mm, true); // qoffset_x

test("an sform wins over a qform that says something else, and the log is told by how much", () => {
  const found = interpret([{ bytes: nifti(labelled, { edit: offsetBy(2) }) }], SHAPE, expected);
  expect(found.layers).toEqual([labelled]);
  expect(found.notes).toEqual([{ kind: "qform-differs", mm: expect.closeTo(2, 4) as number }]);
  expect(told(found.notes[0]!)).toBe("sform and qform differ by 2.00 mm; the sform was taken");
});

test("an sform and a qform that say the same are nothing to tell", () => {
  for (const mm of [0, 0.001]) {
    const bytes = nifti(labelled, { edit: offsetBy(mm) });
    expect(interpret([{ bytes }], SHAPE, expected).notes).toEqual([]);
  }
});

// The place of the qform would be the right one, but the sform speaks.
test("an sform in the wrong place is refused, whatever the qform says", () => {
  const bytes = nifti(labelled, {
    edit: (view) => view.setFloat32(292, view.getFloat32(292, true) + 2, true),
  });
  expect(failureOf(bytes).code).toBe("LABEL_MAP_MISPLACED");
});

test.each([
  ["a fourth", [4, 5, 4, 3, 2, 1]],
  ["a fifth, as vectors have it,", [5, 5, 4, 3, 1, 2]],
])("NIfTI with %s dimension of two channels holds two masks", (_, dim) => {
  const edit = (view: DataView) => dim.forEach((n, at) => view.setInt16(40 + 2 * at, n, true));
  const second = labelled.map((label) => Number(label > 50));
  const first = labelled.map((label) => Number(label < 7));
  const bytes = Buffer.concat([nifti(first, { edit }), second]);
  const as = { masks: { background: "none", others: "refuse", files: new Map() } } as const;
  const found = interpret([{ bytes }], { ...SHAPE, as }, { grid: oblique, labels: [1, 2] });
  expect(found.layers).toEqual([labelled.map((label) => (label < 7 ? 1 : label > 50 ? 2 : 0))]);
  expect(() => interpret([{ bytes }], SHAPE, expected)).toThrow("Label map of 2 channels");
});

test("values of 16 bits are kept, up to the last", () => {
  const values = [1000, 4095, 32_768, 65_535];
  const voxels = Uint16Array.from(labelled, (_, n) => values[n % 5] ?? 0);
  expect(readLabelMap(nifti(voxels), { grid: oblique, labels: values }).labels).toEqual(voxels);
});

test("an extension between header and voxels is passed over", () => {
  const head = nifti(labelled, { edit: (view) => view.setFloat32(108, 384, true) });
  const file = Buffer.concat([head.subarray(0, 352), new Uint8Array(32).fill(255), labelled]);
  expect(readLabelMap(file, expected).labels).toEqual(labelled);
});

test("a file cut in its header or in its voxels is refused", () => {
  const file = plain("ITK, NIfTI");
  for (const length of [0, 3, 4, 347, 351, 352, 411]) {
    expect(failureOf(file.subarray(0, length)).code).toBe("MODEL_ANSWER_INVALID");
  }
});

test("numbers of another type than the header says are refused by their length: half of them would be a label map", () => {
  const wide = Buffer.concat([nifti().subarray(0, 352), new Uint8Array(Uint16Array.from(labelled).buffer)]);
  expect(failureOf(wide).message).toBe("NIfTI of 5×4×3 uint8 has 120 bytes instead of 60");
  expect(failureOf(gzipSync(wide)).code).toBe("MODEL_ANSWER_INVALID");
});

test("a gzip cut anywhere is refused", () => {
  const file = gzipSync(nifti());
  for (let length = 0; length < file.length; length += 3) {
    expect(failureOf(file.subarray(0, length)).code).toBe("MODEL_ANSWER_INVALID");
  }
});

// B23
test("gzip with a wrong checksum is refused", () => {
  const file = gzipSync(nifti());
  file[file.length - 8] = (file[file.length - 8] ?? 0) ^ 1;
  expect(failureOf(file).message).toContain("damaged");
});

test("gzip in several members is one file", () => {
  const file = nifti();
  const members = Buffer.concat([gzipSync(file.subarray(0, 380)), gzipSync(file.subarray(380))]);
  expect(readLabelMap(members, expected).labels).toEqual(labelled);
});

test("gzip within gzip is refused", () => {
  expect(failureOf(gzipSync(gzipSync(nifti()))).message).toContain("gzip within gzip");
});

test("a gzip bomb stops at the size of the volume", () => {
  const bomb = gzipSync(Buffer.concat([nifti(), Buffer.alloc(100_000_000)]));
  const before = process.memoryUsage().rss;
  const error = failureOf(bomb);
  expect(error.message).toContain("more than the 412 bytes");
  expect(process.memoryUsage().rss - before).toBeLessThan(64_000_000);
});

test("a small answer that claims to be huge is refused without room being made for it", () => {
  const claim = nifti(labelled, {
    edit(view) {
      for (const at of [42, 44, 46]) view.setInt16(at, 32_767, true);
    },
  });
  expect(failureOf(claim).code).toBe("LABEL_MAP_MISPLACED");
});

test.each([
  ["HTML", "<html><body>Bad gateway</body></html>"],
  ["JSON", '{"status":"error"}'],
])("%s is not an image, and the reason shows how it begins", (_, text) => {
  expect(failureOf(Buffer.from(text)).message).toContain(text.slice(0, 18));
});

test("damaged files never do worse than being refused", () => {
  for (const name of [
    "ITK, NIfTI",
    "ITK, NRRD, gzip encoding",
    "nibabel, NIfTI-2, big-endian uint16, qform only",
  ]) {
    const file = plain(name);
    for (let at = 0; at < Math.min(file.length, 544); at += 1) {
      const damaged = file.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x81;
      try {
        readLabelMap(damaged, expected);
      } catch (error) {
        expect(error).toBeInstanceOf(NodeError);
      }
    }
  }
});

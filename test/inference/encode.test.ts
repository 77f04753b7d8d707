import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { arrangementOf, LAYOUT, shapeOf, spacingOf } from "../../src/inference/arrange.ts";
import type { FileShape } from "../../src/inference/model.ts";
import { prepareVolume } from "../../src/inference/prepare.ts";
import { readNrrdHeader } from "../../src/volume/formats/nrrd.ts";
import type { Grid, Volume } from "../../src/volume/volume.ts";
import { placedByItk } from "../support/itk.ts";
import { tempFolder } from "../support/temp.ts";
import { oblique } from "../volume/formats/fixtures.ts";
import { raw, smallVolume } from "./support.ts";

const pool = new WorkerPool(1);
afterAll(() => pool[Symbol.asyncDispose]());

async function fileOf(change: Partial<FileShape>, volume: Volume = smallVolume()): Promise<Buffer> {
  using prepared = prepareVolume(volume, pool);
  const file = await prepared.file({ ...raw, ...change });
  const bytes = Buffer.concat([...file.chunks()]);
  expect(bytes.length).toBe(file.length);
  return bytes;
}

function int16(bytes: Buffer): readonly number[] {
  return Array.from({ length: bytes.length / 2 }, (_, n) => bytes.readInt16LE(2 * n));
}

const voxels = [...smallVolume().voxels];

test("an NRRD file says where it lies, and holds its data as they are or gzipped", async () => {
  const plain = await fileOf({ format: "nrrd" });
  const header = readNrrdHeader(plain);
  expect(header).toMatchObject({
    type: "int16",
    encoding: "raw",
    littleEndian: true,
    grid: { size: [5, 4, 3] },
  });
  expect(header.grid.affine).toEqual(oblique.affine);
  expect(int16(plain.subarray(header.offset))).toEqual(voxels);
  const packed = await fileOf({ format: "nrrd", compression: "gzip" });
  const { offset, encoding } = readNrrdHeader(packed);
  expect(encoding).toBe("gzip");
  expect(int16(gunzipSync(packed.subarray(offset)))).toEqual(voxels);
});

// The text by hand, from the MetaIO documentation; directions are one axis after another.
test("a MetaImage file says where it lies, and holds its data as they are or by zlib", async () => {
  const grid: Grid = {
    size: [5, 4, 3],
    affine: { origin: [-1.5, 2, 30], perColumn: [0, 0.5, 0], perRow: [0, 0, -2], perSlice: [-4, 0, 0] },
  };
  const volume = { grid, voxels: smallVolume().voxels };
  const lines = (compressed: readonly string[]): string =>
    [
      "ObjectType = Image",
      "NDims = 3",
      "BinaryData = True",
      "BinaryDataByteOrderMSB = False",
      ...compressed,
      "TransformMatrix = 0 1 0 0 0 -1 -1 0 0",
      "Offset = -1.5 2 30",
      "CenterOfRotation = 0 0 0",
      "ElementSpacing = 0.5 2 4",
      "DimSize = 5 4 3",
      "ElementType = MET_SHORT",
      "ElementDataFile = LOCAL",
      "",
    ].join("\n");
  const plain = await fileOf({ format: "metaimage" }, volume);
  const head = lines(["CompressedData = False"]);
  expect(plain.subarray(0, head.length).toString()).toBe(head);
  expect(int16(plain.subarray(head.length))).toEqual(voxels);
  const packed = await fileOf({ format: "metaimage", compression: "gzip" }, volume);
  const at = packed.indexOf("LOCAL\n") + 6;
  expect(packed.subarray(0, at).toString()).toBe(
    lines(["CompressedData = True", `CompressedDataSize = ${packed.length - at}`]),
  );
  expect(int16(inflateSync(packed.subarray(at)))).toEqual(voxels);
});

test("an npy file has the shape of its layout, and data that begin at a multiple of 64", async () => {
  const plain = await fileOf({ format: "npy", layout: "NCZYX" });
  expect(plain.subarray(0, 8)).toEqual(Buffer.from("\x93NUMPY\x01\x00", "latin1"));
  const data = 10 + plain.readUInt16LE(8);
  expect(data % 64).toBe(0);
  expect(plain.toString("latin1", 10, data)).toMatch(
    /^\{'descr': '<i2', 'fortran_order': False, 'shape': \(1, 1, 3, 4, 5,\), \} *\n$/,
  );
  expect(int16(plain.subarray(data))).toEqual(voxels);
});

test("raw numbers are numbers and nothing else; zstd and gzip are around the whole file", async () => {
  expect(int16(await fileOf({ format: "raw" }))).toEqual(voxels);
  expect(int16(zstdDecompressSync(await fileOf({ format: "raw", compression: "zstd" })))).toEqual(voxels);
  expect(int16(gunzipSync(await fileOf({ format: "raw", compression: "gzip" })))).toEqual(voxels);
});

test("axes in another order are the same voxels in another order", async () => {
  const transposed = await fileOf({ format: "raw", layout: "XYZ" }); // numpy's a.transpose(2, 1, 0) of a [z, y, x]
  const wanted: number[] = [];
  for (let i = 0; i < 5; i += 1)
    for (let j = 0; j < 4; j += 1) for (let k = 0; k < 3; k += 1) wanted.push(voxels[i + 5 * j + 20 * k]!);
  expect(int16(transposed)).toEqual(wanted);
  expect(shapeOf(arrangementOf(oblique, { orientation: "native", layout: "NXYZ" }).grid, "NXYZ")).toEqual([
    1, 5, 4, 3,
  ]);
});

/** Every voxel of a turned grid lies where the same voxel lay before. */
function expectSamePlaces(turned: Grid, values: readonly number[], source: Grid): void {
  const at = ({ size, affine }: Grid, n: number): readonly number[] => {
    const [i, j, k] = [n % size[0], Math.floor(n / size[0]) % size[1], Math.floor(n / size[0] / size[1])];
    return [0, 1, 2].map((axis) => {
      const a = axis as 0 | 1 | 2;
      return affine.origin[a] + i * affine.perColumn[a] + j * affine.perRow[a] + k * affine.perSlice[a];
    });
  };
  values.forEach((value, n) => {
    const before = at(source, voxels.indexOf(value));
    at(turned, n).forEach((component, axis) => expect(component).toBeCloseTo(before[axis] ?? Number.NaN, 9));
  });
}

const sagittal: Grid = {
  size: [5, 4, 3],
  affine: { origin: [10, -20, 30], perColumn: [0, 0.5, 0.01], perRow: [0, 0.01, -0.5], perSlice: [-2, 0, 0] },
};

test.each(["LPS", "RAS"] as const)(
  "turned to %s, every voxel stays where it is in the patient, and the axes run as they should",
  async (orientation) => {
    for (const source of [oblique, sagittal]) {
      const grid = arrangementOf(source, { orientation, layout: "ZYX" }).grid;
      const sign = orientation === "LPS" ? 1 : -1;
      const { perColumn, perRow, perSlice } = grid.affine;
      expect(sign * perColumn[0]).toBeGreaterThan(0.5);
      expect(sign * perRow[1]).toBeGreaterThan(0.4);
      expect(perSlice[2]).toBeGreaterThan(0.4);
      const file = await fileOf(
        { format: "nifti", orientation },
        { grid: source, voxels: smallVolume().voxels },
      );
      expect([42, 44, 46].map((at) => file.readInt16LE(at))).toEqual(grid.size);
      expectSamePlaces(grid, int16(file.subarray(352)), source);
    }
  },
);

// ITK reads what we write, compressed or not, and puts every voxel where it is.
test.each([
  ["nifti", "nii", "none"],
  ["nifti", "nii.gz", "gzip"],
  ["nrrd", "nrrd", "none"],
  ["nrrd", "nrrd", "gzip"],
  ["metaimage", "mha", "none"],
  ["metaimage", "mha", "gzip"],
] as const)("ITK reads %s (.%s, %s) as what was written", async (format, ending, compression) => {
  await using folder = await tempFolder();
  for (const dtype of ["int16", "float32"] as const) {
    const path = join(folder.path, `${dtype}.${ending}`);
    await writeFile(path, await fileOf({ format, compression, dtype }));
    const { size, affine, numbers } = await placedByItk(path);
    expect(size).toEqual(oblique.size);
    expect(Array.from(numbers)).toEqual(voxels);
    for (const step of ["origin", "perColumn", "perRow", "perSlice"] as const)
      affine[step].forEach((mm, axis) => expect(mm).toBeCloseTo(oblique.affine[step][axis] ?? Number.NaN, 4));
  }
});

test("spacings follow the axes", () => {
  const turned = arrangementOf(sagittal, { orientation: "LPS", layout: "ZYX" }).grid;
  expect(spacingOf(turned).map((mm) => Number(mm.toFixed(3)))).toEqual([2, 0.5, 0.5]);
  expect(turned.size).toEqual([3, 5, 4]);
});

test("numbers become floats on the way, and whole numbers only where they are", async () => {
  const floats = await fileOf({ format: "raw", dtype: "float32" });
  expect(Array.from({ length: 60 }, (_, n) => floats.readFloatLE(4 * n))).toEqual(voxels);
  const packed = gunzipSync(await fileOf({ format: "nifti", dtype: "float32", compression: "gzip" }));
  expect(packed.readInt16LE(70)).toBe(16);
  expect(packed.readFloatLE(352 + 4)).toBe(voxels[1]);
  const whole = { grid: oblique, voxels: new Float32Array(new SharedArrayBuffer(240)).fill(7) };
  expect(new Set(int16(await fileOf({ format: "raw", dtype: "int16" }, whole)))).toEqual(new Set([7]));
});

test.each([
  ["a half", 0.5, "int16"],
  ["not a number", Number.NaN, "int16"],
  ["40000", 40_000, "int16"],
  ["-1", -1, "uint16"],
  ["65536", 65_536, "uint16"],
] as const)("%s does not become another number", async (_, value, dtype) => {
  const floats = new Float32Array(new SharedArrayBuffer(240));
  floats[59] = value;
  await expect(fileOf({ format: "raw", dtype }, { grid: oblique, voxels: floats })).rejects.toMatchObject({
    code: "MODEL_INPUT_UNSUITABLE",
    message: `Model takes ${dtype}, and the volume holds ${value}`,
  });
});

test("the images themselves go as a zip of names that say nothing", async () => {
  await using folder = await tempFolder();
  const paths = ["b", "a"].map((name) => join(folder.path, name));
  for (const [at, path] of paths.entries()) await writeFile(path, `image ${at}`);
  using prepared = prepareVolume(smallVolume(), pool, { paths });
  const file = await prepared.file({ ...raw, format: "dicom-zip" });
  const zip = Buffer.concat([...file.chunks()]);
  expect(file.mediaType).toBe("application/zip");
  const names = [...zip.toString("latin1").matchAll(/00000\d\.dcm/g)].map(([name]) => name);
  expect(names).toEqual(["000001.dcm", "000002.dcm", "000001.dcm", "000002.dcm"]);
  expect(zip.indexOf("image 0")).toBeLessThan(zip.indexOf("image 1"));
});

test("a layout has X, Y and Z once each", () => {
  for (const layout of ["ZYX", "NCZYX", "XYZC", "CZYX"]) expect(layout).toMatch(LAYOUT);
  for (const layout of ["ZY", "ZZX", "ZNYX", "ZYXW", ""]) expect(layout).not.toMatch(LAYOUT);
});

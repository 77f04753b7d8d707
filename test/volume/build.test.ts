import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import type { KeywordRecord } from "../../src/dicom/build.ts";
import { type Built, buildVolume } from "../../src/volume/build.ts";
import {
  instanceUid,
  multiFrameHeader,
  PHANTOM,
  type Phantom,
  type PhantomFile,
  shuffled,
  sliceFile,
  type Triple,
  writeMultiFrame,
  writeSeries,
} from "../support/phantom.ts";
import { tempFolder } from "../support/temp.ts";

const pool = new WorkerPool(2);
afterAll(() => pool[Symbol.asyncDispose]());

type Volume = Extract<Built, { kind: "volume" }>;

async function built(change: Partial<Phantom> = {}): Promise<Built> {
  await using folder = await tempFolder();
  return await buildVolume(await writeSeries(folder.path, change), { pool });
}

async function volumeOf(change: Partial<Phantom> = {}): Promise<Volume> {
  return asVolume(await built(change));
}

function asVolume(built: Built): Volume {
  if (built.kind !== "volume") throw new Error(`${built.reason}: ${built.detail}`);
  return built;
}

/** The voxels that a phantom must give, in the order of i, j, k. */
function expected(
  change: Partial<Phantom>,
  value: (stored: number, slice: number) => number,
): readonly number[] {
  const { columns, rows, slices, value: stored } = { ...PHANTOM, ...change };
  return Array.from({ length: columns * rows * slices }, (_, at) => {
    const slice = Math.floor(at / (columns * rows));
    return value(stored(at % columns, Math.floor(at / columns) % rows, slice), slice);
  });
}

function expectAffine(built: Volume, axes: { readonly [axis: string]: Triple }): void {
  const affine = built.volume.grid.affine as unknown as Record<string, Triple>;
  for (const [axis, vector] of Object.entries(axes)) {
    for (const at of [0, 1, 2]) expect(affine[axis]![at], `${axis} ${at}`).toBeCloseTo(vector[at]!, 9);
  }
}

test("single-frame CT becomes Hounsfield units in patient space, whatever the order of files", async () => {
  const { volume, tiltDegrees } = await volumeOf();
  expect(volume.grid).toEqual({
    size: [7, 5, 3],
    affine: {
      origin: [-31.25, 12.5, 100.125],
      perColumn: [0.5, 0, 0],
      perRow: [0, 0.7, 0],
      perSlice: [0, 0, 1.25],
    },
  });
  expect(volume.voxels).toBeInstanceOf(Int16Array);
  expect(volume.voxels.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect([...volume.voxels]).toEqual(expected({}, (stored) => stored - 1024));
  expect(tiltDegrees).toBe(0);
});

test("the source names the image of every slice, with the texts that it wrote", async () => {
  await using folder = await tempFolder();
  const extra = (slice: number): KeywordRecord => ({
    ImagePositionPatient: ["-3.125000e+01", "12.50", `${100.125 + slice * 1.25}0`],
    ImageOrientationPatient: ["1.000000", "0", "-0.0", "0", "1", "0"],
    PixelSpacing: ["0.70", ".5"],
    SliceThickness: "2.50",
  });
  const files = await writeSeries(folder.path, { extra });
  const { source } = asVolume(await buildVolume(files, { pool }));
  expect(source).toMatchObject({
    orientation: ["1.000000", "0", "-0.0", "0", "1", "0"],
    pixelSpacing: ["0.70", ".5"],
    sliceThickness: "2.50",
  });
  expect(source.frames).toEqual(
    ["100.1250", "101.3750", "102.6250"].map((z, slice) => ({
      sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
      sopInstanceUid: instanceUid(PHANTOM, slice),
      position: ["-3.125000e+01", "12.50", z],
    })),
  );
  const first = files.find(({ sopInstanceUid }) => sopInstanceUid === instanceUid(PHANTOM, 0));
  expect(source.path).toBe(first?.path);
});

const S = Math.SQRT1_2;

test.each([
  [
    "sagittal, from left to right",
    { orientation: [0, 1, 0, 0, 0, -1], step: [-2, 0, 0] },
    { perColumn: [0, 0.5, 0], perRow: [0, 0, -0.7], perSlice: [-2, 0, 0], origin: [-31.25, 12.5, 100.125] },
    0,
  ],
  [
    "sagittal, sent against its normal",
    { orientation: [0, 1, 0, 0, 0, -1], step: [2, 0, 0] },
    { perColumn: [0, 0.5, 0], perRow: [0, 0, -0.7], perSlice: [-2, 0, 0], origin: [-27.25, 12.5, 100.125] },
    0,
  ],
  [
    "coronal",
    { orientation: [1, 0, 0, 0, 0, -1], step: [0, 2, 0] },
    { perColumn: [0.5, 0, 0], perRow: [0, 0, -0.7], perSlice: [0, 2, 0], origin: [-31.25, 12.5, 100.125] },
    0,
  ],
  [
    "oblique",
    { orientation: [S, S, 0, 0, 0, -1], step: [-S, S, 0] },
    { perColumn: [S * 0.5, S * 0.5, 0], perRow: [0, 0, -0.7], perSlice: [-S, S, 0] },
    0,
  ],
  [
    "tilted by 15 degrees",
    { orientation: [1, 0, 0, 0, 0.965925826, 0.258819045], step: [0, 0, 2] },
    { perRow: [0, 0.6761480782, 0.1811733315], perSlice: [0, 0, 2] },
    15,
  ],
  [
    "tilted by 20 degrees the other way",
    { orientation: [1, 0, 0, 0, 0.939692621, -0.342020143], step: [0, 0, 2] },
    { perRow: [0, 0.6577848347, -0.2394141001], perSlice: [0, 0, 2] },
    20,
  ],
] as const)("%s: every voxel lies where it was put", async (_, change, axes, tilt) => {
  const forward = axes.perSlice.every((mm, axis) => Math.abs(mm - change.step[axis]!) < 1e-9);
  const result = await volumeOf(change);
  expectAffine(result, axes);
  expect(result.tiltDegrees).toBeCloseTo(tilt, 5);
  const value = (column: number, row: number, slice: number): number =>
    PHANTOM.value(column, row, forward ? slice : 2 - slice);
  expect([...result.volume.voxels]).toEqual(expected({ value }, (stored) => stored - 1024));
});

const CBCT = {
  bits: { allocated: 16, stored: 16, signed: false },
  rescale: () => [1, -1000],
} as const satisfies Partial<Phantom>;
const SIGNED = { allocated: 16, stored: 16, signed: true } as const;

test.each([
  [
    "8 bits unsigned",
    { bits: { allocated: 8, stored: 8, signed: false }, value: (i, j, k) => (37 * i + 50 * j + k) % 256 },
    "Int16Array",
  ],
  [
    "8 bits signed",
    {
      bits: { allocated: 8, stored: 8, signed: true },
      value: (i, j, k) => ((37 * i + 50 * j + k) % 256) - 128,
    },
    "Int16Array",
  ],
  [
    "12 bits signed in 16",
    { bits: { allocated: 16, stored: 12, signed: true }, value: (i, j, k) => 300 * i - 500 * j + k },
    "Int16Array",
  ],
  [
    "16 bits signed",
    { bits: SIGNED, value: (i, j, k) => 4000 * i - 5000 * j + k, rescale: () => [1, 0] },
    "Int16Array",
  ],
  [
    "16 bits signed, the intercept leaving 16 bits",
    { bits: SIGNED, value: (i, j, k) => k - 32768 + i + j },
    "Float32Array",
  ],
  ["16 bits unsigned, as a cone-beam scanner uses them", CBCT, "Int16Array"],
  [
    "16 bits unsigned, above what 16 signed bits hold",
    { ...CBCT, value: (i, j, k) => 9000 * i + j + k },
    "Float32Array",
  ],
  [
    "16 bits unsigned without negative values",
    { ...CBCT, rescale: () => [1, 0], value: (i, j, k) => 9000 * i + j + k },
    "Uint16Array",
  ],
  ["no rescale, as in MR", { modality: "MR", rescale: undefined }, "Int16Array"],
  ["a slope of 0.5", { rescale: () => [0.5, -10] }, "Float32Array"],
  ["an intercept between whole numbers", { rescale: () => [1, 0.25] }, "Float32Array"],
  ["another slope in every slice, as in PET", { rescale: (k) => [k + 1, 0] }, "Float32Array"],
  ["another whole intercept in every slice", { rescale: (k) => [1, -1000 * k] }, "Int16Array"],
] as const satisfies readonly (readonly [string, Partial<Phantom>, string])[])(
  "%s",
  async (_, change: Partial<Phantom>, type) => {
    const { volume } = await volumeOf(change);
    expect(volume.voxels.constructor.name).toBe(type);
    const rescale = "rescale" in change ? change.rescale : PHANTOM.rescale;
    expect([...volume.voxels]).toEqual(
      expected(change, (stored, slice) => {
        const [slope, intercept] = rescale?.(slice) ?? [1, 0];
        return stored * slope + intercept;
      }),
    );
  },
);

test("bits below the stored ones are dropped", async () => {
  const { volume } = await volumeOf({
    value: (i, j, k) => (PHANTOM.value(i, j, k) << 4) | (i + j),
    extra: { HighBit: 15 },
  });
  expect([...volume.voxels]).toEqual(expected({}, (stored) => stored - 1024));
});

test.each(["CT", "MR"] as const)(
  "an Enhanced %s becomes the same volume, its frames in any order",
  async (modality) => {
    await using folder = await tempFolder();
    const change = {
      modality,
      slices: 11,
      value: (i: number, j: number, k: number) => 7 * i + 31 * j + 331 * k,
    };
    const { files, slices } = await writeMultiFrame(folder.path, change);
    const { volume, source } = asVolume(await buildVolume(files, { pool }));
    expect(volume.grid.size).toEqual([7, 5, 11]);
    expect(volume.grid.affine.perSlice).toEqual([0, 0, 1.25]);
    expect([...volume.voxels]).toEqual(expected(change, (stored) => stored - 1024));
    expect(source.frames.map(({ frameNumber }) => frameNumber)).toEqual(
      Array.from({ length: 11 }, (_, slice) => slices.indexOf(slice) + 1),
    );
    expect(new Set(source.frames.map(({ sopInstanceUid }) => sopInstanceUid)).size).toBe(1);
    expect(source.frames[1]?.position).toEqual(["-31.25", "12.5", "101.375"]);
    expect(source.sliceThickness).toBe("2.5");
  },
);

test("frames with their own slopes become floats", async () => {
  await using folder = await tempFolder();
  const { files } = await writeMultiFrame(folder.path, { rescale: (k) => [k + 0.5, k] });
  const { volume } = asVolume(await buildVolume(files, { pool }));
  expect([...volume.voxels]).toEqual(expected({}, (stored, k) => stored * (k + 0.5) + k));
});

test.each([
  ["two stacks", (k: number) => ({ StackID: k > 1 ? "2" : "1" }), "several-stacks"],
  ["two points in time", (k: number) => ({ TemporalPositionIndex: k > 1 ? 2 : 1 }), "several-stacks"],
])("an Enhanced CT of %s is refused by name", async (_, extra, reason) => {
  await using folder = await tempFolder();
  const { files } = await writeMultiFrame(folder.path, { extra });
  expect(await buildVolume(files, { pool })).toMatchObject({
    kind: "rejected",
    reason,
    at: files[0].sopInstanceUid,
  });
});

test("two frames of an Enhanced CT at one place are several stacks", async () => {
  await using folder = await tempFolder();
  const { files } = await writeMultiFrame(folder.path, { slices: 2, step: [0, 0, 0] });
  expect(await buildVolume(files, { pool })).toMatchObject({ kind: "rejected", reason: "several-stacks" });
});

const all = (extra: KeywordRecord) => (): KeywordRecord => extra;
const only =
  (extra: KeywordRecord) =>
  (slice: number): KeywordRecord =>
    slice === 1 ? extra : {};

test.each([
  ["no position", only({ ImagePositionPatient: undefined }), "no-geometry"],
  ["an empty position", only({ ImagePositionPatient: [] }), "no-geometry"],
  ["a position that is no number", only({ ImagePositionPatient: ["a", "0", "0"] }), "no-geometry"],
  ["a zero orientation", only({ ImageOrientationPatient: ["0", "0", "0", "0", "0", "0"] }), "no-geometry"],
  ["no pixel spacing", only({ PixelSpacing: undefined }), "no-geometry"],
  ["a negative pixel spacing", only({ PixelSpacing: ["-1", "1"] }), "no-geometry"],
  [
    "another orientation",
    only({ ImageOrientationPatient: ["0", "1", "0", "0", "0", "-1"] }),
    "mixed-orientation",
  ],
  ["another series", only({ SeriesInstanceUID: "1.2.3" }), "mixed-series"],
  ["another frame of reference", only({ FrameOfReferenceUID: "1.2.3" }), "mixed-frame-of-reference"],
  ["rows and columns swapped", only({ Rows: 7, Columns: 5 }), "mixed-size"],
  ["another pixel spacing", only({ PixelSpacing: ["0.7", "0.6"] }), "mixed-pixel-spacing"],
  [
    "the place of another slice",
    only({ ImagePositionPatient: ["-31.25", "12.5", "100.125"] }),
    "duplicate-position",
  ],
  ["a place between", only({ ImagePositionPatient: ["-31.25", "12.5", "101"] }), "uneven-spacing"],
  ["a shifted field of view", only({ ImagePositionPatient: ["-30", "12.5", "101.375"] }), "not-collinear"],
  ["slope 0", only({ RescaleSlope: "0" }), "bad-rescale"],
  ["a slope that is no number", only({ RescaleSlope: "NaN" }), "bad-rescale"],
  ["slope 1e308", only({ RescaleSlope: "1e308" }), "bad-rescale"],
  ["an intercept that is no number", only({ RescaleIntercept: "none" }), "bad-rescale"],
  ["a lookup table for its values", only({ ModalityLUTSequence: [{ LUTData: 0 }] }), "bad-rescale"],
  ["three samples per pixel", only({ SamplesPerPixel: 3, PhotometricInterpretation: "RGB" }), "colour"],
  ["a palette", only({ PhotometricInterpretation: "PALETTE COLOR" }), "colour"],
  ["no samples per pixel", only({ SamplesPerPixel: undefined }), "unsupported-pixels"],
  ["0 rows", only({ Rows: 0 }), "unsupported-pixels"],
  ["no columns", only({ Columns: undefined }), "unsupported-pixels"],
  ["1 bit allocated", only({ BitsAllocated: 1 }), "unsupported-pixels"],
  ["32 bits allocated", only({ BitsAllocated: 32 }), "unsupported-pixels"],
  ["0 bits stored", only({ BitsStored: 0 }), "unsupported-pixels"],
  ["17 bits stored", only({ BitsStored: 17, HighBit: 16 }), "unsupported-pixels"],
  ["a high bit below its bits", only({ HighBit: 7 }), "unsupported-pixels"],
  ["Pixel Representation 2", only({ PixelRepresentation: 2 }), "unsupported-pixels"],
  ["no study UID", only({ StudyInstanceUID: "" }), "no-identity"],
  ["65535 rows and columns in each, 70 bytes there", all({ Rows: 65535, Columns: 65535 }), "undecodable"],
  ["twice its rows", only({ Rows: 10 }), "undecodable"],
  ["half its columns", only({ Columns: 3 }), "undecodable"],
  ["two billion frames", only({ NumberOfFrames: 2147483647 }), "undecodable"],
  ["0 frames", only({ NumberOfFrames: 0 }), "unsupported-pixels"],
  ["frames that are no number", only({ NumberOfFrames: "many" }), "unsupported-pixels"],
])("a series in which an image has %s is refused by name", async (_, extra, reason) => {
  const result = await built({ extra });
  expect(result).toMatchObject({ kind: "rejected", reason });
});

test("a missing slice is refused with how many and where", async () => {
  await using folder = await tempFolder();
  const files = await writeSeries(folder.path, { slices: 9 });
  const missing = new Set([instanceUid(PHANTOM, 4), instanceUid(PHANTOM, 5)]);
  const result = await buildVolume(
    files.filter(({ sopInstanceUid }) => !missing.has(sopInstanceUid)),
    { pool },
  );
  expect(result).toEqual({
    kind: "rejected",
    reason: "gap",
    at: instanceUid(PHANTOM, 3),
    detail: "2 missing in steps of 1.250 mm, the first behind 103.875 mm along the normal",
  });
});

test("the refusal names the instance in which it shows, and no patient", async () => {
  const result = await built({ extra: only({ BitsAllocated: 32 }) });
  expect(result).toEqual({
    kind: "rejected",
    reason: "unsupported-pixels",
    at: instanceUid(PHANTOM, 1),
    detail: "32 bits allocated",
  });
});

test("one slice is a volume of one", async () => {
  const { volume } = await volumeOf({ slices: 1 });
  expect(volume.grid.affine.perSlice).toEqual([0, 0, 2.5]);
  expect(await built({ slices: 1, extra: { SliceThickness: undefined } })).toMatchObject({
    reason: "no-geometry",
  });
});

test("no files are no volume", async () => {
  expect(await buildVolume([], { pool })).toMatchObject({ kind: "rejected", reason: "empty" });
});

test("a volume that would not fit the limit is refused before it is allocated", async () => {
  await using folder = await tempFolder();
  const { rows: _, ...shape } = { ...PHANTOM, columns: 1, slices: 3 };
  // RLE, so that 3 × 65535 × 65535 voxels need not be in the file.
  const header = multiFrameHeader({ ...shape, rows: 1 }, [0, 1, 2]);
  const { encapsulatedFile } = await import("../support/phantom.ts");
  const { TRANSFER_SYNTAX } = await import("../../src/dicom/constants.ts");
  const frame = Buffer.alloc(66);
  const path = join(folder.path, "large.dcm");
  await writeFile(
    path,
    encapsulatedFile(TRANSFER_SYNTAX.RLE_LOSSLESS, { ...header, Rows: 65535, Columns: 65535 }, [
      Buffer.alloc(0),
      frame,
      frame,
      frame,
    ]),
  );
  expect(await buildVolume([{ path, sopInstanceUid: instanceUid(PHANTOM, -1) }], { pool })).toEqual({
    kind: "rejected",
    reason: "too-large",
    detail: "65535 × 65535 × 3 voxels are more than 4294967296 bytes",
  });
});

test.each([
  ["cut inside its pixels", (file: Buffer) => file.subarray(0, file.length - 2)],
  ["cut inside its header", (file: Buffer) => file.subarray(0, 400)],
  ["empty", () => Buffer.alloc(0)],
  ["of zeros", (file: Buffer) => Buffer.alloc(file.length)],
])("a file that is %s makes the series undecodable, and names it", async (_, damage) => {
  await using folder = await tempFolder();
  const files = await writeSeries(folder.path, {});
  const victim = files[1] as PhantomFile;
  await writeFile(victim.path, damage(await readFile(victim.path)));
  expect(await buildVolume(files, { pool })).toMatchObject({
    kind: "rejected",
    reason: "undecodable",
    at: victim.sopInstanceUid,
  });
});

test("a file cut after its header was read makes the series undecodable", async () => {
  await using folder = await tempFolder();
  const { readImages } = await import("../../src/volume/read-image.ts");
  const { decodeFrames } = await import("../../src/volume/decode-frames.ts");
  const [file] = await writeSeries(folder.path, {});
  const [read] = await readImages([file!]);
  if (read?.kind !== "image") throw new Error("not read");
  await writeFile(file!.path, Buffer.concat(sliceFile(PHANTOM, shuffled(3)[0]!)).subarray(0, -2));
  const [frame] = read.image.frames;
  const job = { chunks: frame!.chunks, rescale: { slope: 1, intercept: 0 }, slice: 0, repeat: 0 };
  const voxels = new SharedArrayBuffer(70);
  await expect(
    decodeFrames({ path: file!.path, format: read.image.format, frames: [job], voxels, as: "whole" }),
  ).rejects.toMatchObject({ code: "PIXELS_UNDECODABLE" });
});

test("a file that is not there is the storage's fault, not the series'", async () => {
  await using folder = await tempFolder();
  const files = await writeSeries(folder.path, {});
  const gone = { ...files[1]!, path: join(folder.path, "gone.dcm") };
  await expect(buildVolume([files[0]!, gone, files[2]!], { pool })).rejects.toMatchObject({
    code: "STORAGE_FAILED",
  });
});

test("a build that is cancelled throws the reason, and the pool goes on", async () => {
  await using folder = await tempFolder();
  const files = await writeSeries(folder.path, { columns: 256, rows: 256, slices: 40 });
  const cancel = new AbortController();
  const building = buildVolume(files, { pool, signal: cancel.signal });
  cancel.abort(new Error("not wanted any more"));
  await expect(building).rejects.toThrow("not wanted any more");
  expect((await built()).kind).toBe("volume");
});

test("two series are built at once without a voxel of one in the other", async () => {
  const shape = { columns: 64, rows: 48, slices: 20 };
  const [a, b] = await Promise.all([
    volumeOf({ ...shape, seed: "a", value: () => 1 }),
    volumeOf({ ...shape, seed: "b", value: () => 2 }),
  ]);
  expect(new Set(a.volume.voxels)).toEqual(new Set([-1023]));
  expect(new Set(b.volume.voxels)).toEqual(new Set([-1022]));
});

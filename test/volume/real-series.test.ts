/** Real series of real scanners: geometry and voxels against what DCMTK reads in the same files. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { readPart10Header } from "../../src/dicom/part10.ts";
import type { InstanceUid } from "../../src/dicom/uid.ts";
import { openBody } from "../../src/volume/body.ts";
import { type Built, buildVolume } from "../../src/volume/build.ts";
import { decodeFrame } from "../../src/volume/decode.ts";
import { readPixels } from "../../src/volume/pixel-data.ts";
import { dataFiles, dataPath, testWithData, testWithDataAnd } from "../support/data.ts";
import { tempFolder } from "../support/temp.ts";

const run = promisify(execFile);
const pool = new WorkerPool(2);
afterAll(() => pool[Symbol.asyncDispose]());
const testReal = testWithData();
const testRealWithDcmtk = testWithDataAnd("dcmdump");

type Volume = Extract<Built, { kind: "volume" }>;

/** Files with invented UIDs: 1.2.n for the n-th. */
async function build(...paths: readonly string[]): Promise<Built> {
  return buildVolume(
    paths.map((path, at) => ({ path, sopInstanceUid: `1.2.${at}` as InstanceUid })),
    { pool },
  );
}

async function volumeOf(...paths: readonly string[]): Promise<Volume> {
  const built = await build(...paths);
  if (built.kind !== "volume") throw new Error(`${built.reason}: ${built.detail}`);
  return built;
}

const isSlice = (path: string): boolean => !basename(path).startsWith("RS.");

/** Values of an attribute as dcmdump prints them, in the order of the file. */
async function dumped(path: string, tag: string): Promise<readonly string[]> {
  const { stdout } = await run("dcmdump", ["-q", "+L", "+P", tag, path]);
  return stdout.split("\n").flatMap((line) => /\) .. \[?(.*?)\]? +# /.exec(line)?.[1] ?? []);
}

/** (7FE0,0010) of a file, as DCMTK writes it raw: little endian words. */
async function rawPixels(path: string): Promise<Buffer> {
  await using folder = await tempFolder();
  await run("dcmdump", ["-q", "+W", folder.path, path]);
  const raw = join(folder.path, `${basename(path)}.0.raw`);
  return await readFile(raw);
}

testReal.each([
  [
    "cbct-head-varian-obi",
    "cone-beam CT, unsigned 16 bits, turned by 0.1 degree",
    {
      size: [512, 512, 34],
      origin: [-249.69875580328, -249.755859375, -32.935856485598],
      perColumn: [0.48828050630531, 0, 0.00085221111616],
      perRow: [0, 0.48828125, 0],
      perSlice: [-0.0043633209145, 0, 2.49999619228321],
      tilt: 0,
    },
  ],
  [
    "ct-skull-philips",
    "helical CT",
    {
      size: [512, 512, 30],
      origin: [-115.5, -1.85, 703.21],
      perColumn: [0.451171875, 0, 0],
      perRow: [0, 0.451171875, 0],
      perSlice: [0, 0, 1],
      tilt: 0,
    },
  ],
  [
    "ct-tilt-philips",
    "CT with the gantry tilted by 16.5 degrees",
    {
      size: [512, 512, 6],
      origin: [-104, 6.62545582653073, 685.489685881986],
      perColumn: [0.40625, 0, 0],
      perRow: [0, 0.389520503125, 0.115381215625],
      perSlice: [0, 0, 2.5],
      tilt: 16.5,
    },
  ],
  [
    "mr-t1-siemens",
    "sagittal MR, 4 mm slices every 4.8 mm, counted against the order of their names",
    {
      size: [256, 256, 35],
      origin: [81.599998474121, -130, 130],
      perColumn: [0, 1.015625, 0],
      perRow: [0, 0, -1.015625],
      perSlice: [-4.79999991024241, 0, 0],
      tilt: 0,
    },
  ],
] as const)("%s (%s) lies where its headers say", async (folder, _, expected) => {
  const { volume, tiltDegrees } = await volumeOf(...dataFiles("series", folder).filter(isSlice));
  const affine = volume.grid.affine;
  expect(volume.grid.size).toEqual(expected.size);
  expect(volume.voxels).toBeInstanceOf(Int16Array);
  expect(tiltDegrees).toBeCloseTo(expected.tilt, 4);
  for (const axis of ["origin", "perColumn", "perRow", "perSlice"] as const)
    for (const at of [0, 1, 2]) expect(affine[axis][at], axis).toBeCloseTo(expected[axis][at]!, 9);
});

testRealWithDcmtk.each([
  ["cbct-head-varian-obi", -1000],
  ["ct-skull-philips", -1024],
  ["ct-tilt-philips", -1024],
  ["mr-t1-siemens", 0],
])("every slice of %s has the position and the pixels that DCMTK reads", async (folder, intercept) => {
  const { volume, source } = await volumeOf(...dataFiles("series", folder).filter(isSlice));
  const paths = dataFiles("series", folder).filter(isSlice);
  const [columns, rows, slices] = volume.grid.size;
  for (const slice of [0, 1, slices - 1]) {
    const frame = source.frames[slice]!;
    const path = paths[Number(frame.sopInstanceUid.split(".")[2])]!;
    expect(await dumped(path, "0020,0032")).toEqual([frame.position.join("\\")]);
    expect(await dumped(path, "0020,0037")).toEqual([source.orientation.join("\\")]);
    expect(await dumped(path, "0028,0030")).toEqual([source.pixelSpacing.join("\\")]);
    const raw = await rawPixels(path);
    const voxels = volume.voxels.subarray(slice * columns * rows, (slice + 1) * columns * rows);
    const wrong = voxels.findIndex((value, at) => value !== raw.readUInt16LE(2 * at) + intercept);
    expect(wrong).toBe(-1);
  }
});

testRealWithDcmtk.each([
  ["emr-siemens-xa10-6_1.dcm", [64, 64, 6], 2.4],
  ["legacy-ect-23x38x3.dcm", [23, 38, 3], 2.5],
  ["CT0012.explicit_little_endian.dcm", [512, 512, 2], 10],
] as const)(
  "frames of %s are put in order of their positions, with DCMTK's pixels",
  async (name, size, step) => {
    const path = dataPath("multiframe", name);
    const { volume, source } = await volumeOf(path);
    expect(volume.grid.size).toEqual(size);
    expect(Math.hypot(...volume.grid.affine.perSlice)).toBeCloseTo(step, 6);
    const positions = await dumped(path, "0020,0032");
    const [intercept = "0"] = await dumped(path, "0028,1052");
    const [signed] = await dumped(path, "0028,0103");
    const raw = await rawPixels(path);
    const pixels = size[0] * size[1];
    for (const [slice, { frameNumber = 0, position }] of source.frames.entries()) {
      expect(positions[frameNumber - 1]).toBe(position.join("\\"));
      const wrong = volume.voxels.subarray(slice * pixels, (slice + 1) * pixels).findIndex((value, at) => {
        const offset = 2 * ((frameNumber - 1) * pixels + at);
        const stored = signed === "1" ? raw.readInt16LE(offset) : raw.readUInt16LE(offset);
        return value !== stored + Number(intercept);
      });
      expect(wrong, `frame ${frameNumber}`).toBe(-1);
    }
  },
);

testReal("two points in time of one Enhanced MR series are refused, one is a volume", async () => {
  const [first, second] = dataFiles("multiframe").filter((path) => basename(path).startsWith("emr-siemens"));
  expect(await build(first!, second!)).toMatchObject({ kind: "rejected", reason: "several-stacks" });
});

testReal("a missing slice of a real series is refused with its place", async () => {
  const paths = dataFiles("series", "ct-skull-philips").filter((path) => basename(path) !== "I110");
  expect(await build(...paths)).toMatchObject({
    reason: "gap",
    detail: expect.stringContaining("1 missing"),
  });
});

testReal("a scout, an exam summary and a structure set in the folder are refused by name", async () => {
  const skull = dataFiles("series", "ct-skull-philips");
  const scout = dataFiles("series", "ct-skull-philips-scout");
  expect(await build(...skull, ...scout)).toMatchObject({ reason: "mixed-series" });
  expect(await build(dataPath("series", "ct-skull-philips-summary", "I50"))).toMatchObject({
    reason: "colour",
  });
  expect(await build(...dataFiles("series", "cbct-head-varian-obi"))).toMatchObject({ reason: "no-pixels" });
});

const SYNTAXES = dataPath("transfer-syntax", "ct-one-image-all-syntaxes");

function imageIn(syntax: string): string {
  const path = dataFiles("transfer-syntax", "ct-one-image-all-syntaxes").find((path) =>
    path.endsWith(`_${syntax}.dcm`),
  );
  if (!path) throw new Error(`no image in ${syntax} in ${SYNTAXES}`);
  return path;
}

testReal.each([
  ["Implicit VR Little Endian", "1.2.840.10008.1.2"],
  ["Explicit VR Big Endian", "1.2.840.10008.1.2.2"],
  ["Deflated Explicit VR Little Endian", "1.2.840.10008.1.2.1.99"],
  ["RLE Lossless", "1.2.840.10008.1.2.5"],
  ["JPEG Lossless, process 14", "1.2.840.10008.1.2.4.57"],
  ["JPEG Lossless SV1", "1.2.840.10008.1.2.4.70"],
  ["JPEG-LS Lossless", "1.2.840.10008.1.2.4.80"],
  ["JPEG 2000 Lossless", "1.2.840.10008.1.2.4.90"],
])("one real CT slice has the same voxels in %s as in Explicit VR Little Endian", async (_, syntax) => {
  const reference = await volumeOf(imageIn("1.2.840.10008.1.2.1"));
  const { volume } = await volumeOf(imageIn(syntax));
  expect(volume.grid).toEqual(reference.volume.grid);
  const wrong = volume.voxels.findIndex((value, at) => value !== reference.volume.voxels[at]);
  expect(wrong).toBe(-1);
});

testRealWithDcmtk.each([
  ["JPEG Baseline", "1.2.840.10008.1.2.4.50", "dcmdjpeg"],
  ["JPEG Extended, 12 bits", "1.2.840.10008.1.2.4.51", "dcmdjpeg"],
  ["JPEG-LS Near-Lossless", "1.2.840.10008.1.2.4.81", "dcmdjpls"],
])("one real CT slice in %s has the very voxels that DCMTK decodes", async (_, syntax, decoder) => {
  await using folder = await tempFolder();
  const decoded = join(folder.path, "decoded.dcm");
  await run(decoder, ["-q", imageIn(syntax), decoded]);
  const { volume } = await volumeOf(imageIn(syntax));
  const theirs = await volumeOf(decoded);
  const wrong = volume.voxels.findIndex((value, at) => value !== theirs.volume.voxels[at]);
  expect(wrong).toBe(-1);
});

testReal.each([
  ["JPEG-LS Near-Lossless", "1.2.840.10008.1.2.4.81", 1],
  ["JPEG 2000", "1.2.840.10008.1.2.4.91", 5],
])("one real CT slice in lossy %s is off by no more than %3$d", async (_, syntax, limit) => {
  const reference = await volumeOf(imageIn("1.2.840.10008.1.2.1"));
  const { volume } = await volumeOf(imageIn(syntax));
  const largest = Array.from(volume.voxels).reduce(
    (most, value, at) => Math.max(most, Math.abs(value - reference.volume.voxels[at]!)),
    0,
  );
  expect(largest).toBe(limit);
});

testReal("a retired transfer syntax is refused by name", async () => {
  expect(await build(imageIn("1.2.840.10008.1.2.4.55"))).toMatchObject({
    reason: "undecodable",
    detail: "transfer syntax 1.2.840.10008.1.2.4.55 is not decoded",
  });
});

testReal.each(["CT0012.fragmented_no_bot_jpeg_ls.80.dcm", "CT0012.not_fragmented_bot_rle.dcm"])(
  "the frames of %s are those of the uncompressed image",
  async (name) => {
    const reference = await volumeOf(dataPath("multiframe", "CT0012.explicit_little_endian.dcm"));
    const { volume } = await volumeOf(dataPath("transfer-syntax", name));
    expect(volume.grid).toEqual(reference.volume.grid);
    expect(volume.voxels.findIndex((value, at) => value !== reference.volume.voxels[at])).toBe(-1);
  },
);

testReal("an MR series of which each JPEG 2000 image is in several fragments becomes a volume", async () => {
  const { volume } = await volumeOf(...dataFiles("transfer-syntax", "mr-jpeg2000-fragmented"));
  expect(volume.grid.size).toEqual([128, 128, 4]);
  expect(volume.grid.affine.perSlice[0]).toBeCloseTo(-2, 9);
  expect(new Set(volume.voxels).size).toBeGreaterThan(100);
});

testReal("colour in HTJ2K is refused by name", async () => {
  expect(await build(dataPath("transfer-syntax", "HTJ2KLossless_08_RGB.dcm"))).toMatchObject({
    reason: "colour",
  });
});

/** The stored words of every frame, for images without the geometry that a volume needs. */
async function wordsOf(path: string): Promise<readonly (readonly number[])[]> {
  const header = await readPart10Header(path);
  using body = openBody(path, header.transferSyntaxUid);
  const pixels = readPixels(header, body);
  if (pixels.kind === "rejected") throw new Error(pixels.detail);
  const frames: (readonly number[])[] = [];
  for (const chunks of pixels.frames) {
    const bytes = Buffer.concat(chunks.map(({ offset, length }) => body.read(offset, length)));
    const { words } = await decodeFrame(Uint8Array.from(bytes), pixels.format);
    frames.push([...words]);
  }
  return frames;
}

testReal.each(["emri_small_RLE.dcm", "emri_small_big_endian.dcm", "emri_small_jpeg_2k_lossless.dcm"])(
  "the ten frames of %s are those of the uncompressed image",
  async (name) => {
    const reference = await wordsOf(dataPath("multiframe", "emri_small.dcm"));
    expect(reference).toHaveLength(10);
    expect(new Set(reference.flat()).size).toBeGreaterThan(100);
    expect(await wordsOf(dataPath("transfer-syntax", name))).toEqual(reference);
  },
);

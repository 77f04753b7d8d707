/** From files to volume to labels to file: the source that the builder describes is the one the encoder wants. */
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { fromKeywords } from "../../src/dicom/build.ts";
import { SOP_CLASS } from "../../src/dicom/constants.ts";
import { stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { encodePart10 } from "../../src/dicom/encode.ts";
import { readPart10, readPart10Header } from "../../src/dicom/part10.ts";
import type { InstanceUid } from "../../src/dicom/uid.ts";
import { encodeTask } from "../../src/segmentation/task.ts";
import { buildVolume } from "../../src/volume/build.ts";
import type { StackPolicy } from "../../src/volume/slices.ts";
import type { LabelMap } from "../../src/volume/volume.ts";
import { dataFiles, dataPath } from "../support/data.ts";
import { readByOhif } from "../support/ohif.ts";
import { type Phantom, writeMultiFrame, writeSeries } from "../support/phantom.ts";
import { layOut, readSeg, textAt } from "../support/seg-reader.ts";
import { BINARY, LABELMAP_RLE } from "./encoded.ts";
import { needing, said } from "./peers.ts";
import { inputFor, ohifSlices, ranks, type Series, slicesOf } from "./series.ts";

const pool = new WorkerPool(1);
afterAll(() => pool[Symbol.asyncDispose]());

const r = Math.SQRT1_2;
const size = { columns: 29, rows: 23, slices: 7 } as const;
const real = async (...names: readonly string[]): Promise<readonly string[]> =>
  dataFiles(...names).filter((path) => !basename(path).startsWith("RS."));
const phantom = async (folder: string, change: Partial<Phantom>): Promise<readonly string[]> =>
  (await writeSeries(join(folder, "in"), { ...size, ...change })).map(({ path }) => path);

interface Case {
  readonly what: string;
  readonly needs?: string;
  readonly files: (folder: string) => Promise<readonly string[]>;
  /** Slices of the grid that have no image. */
  readonly missing?: number;
  readonly stack?: StackPolicy;
  /** Without dciodvfy, where the source's own header is too far from the standard. */
  readonly unjudged?: true;
}

/** All but slices 2 and 5 of ten: their Instance Numbers are 8 and 5. */
async function withHoles(folder: string): Promise<readonly string[]> {
  const files = await phantom(folder, { slices: 10 });
  const read = files.map(async (path) => {
    const { dataSet } = await readPart10Header(path);
    return { path, number: stringOf(dataSet, tagOf("InstanceNumber")) };
  });
  return (await Promise.all(read))
    .filter(({ number }) => number !== "8" && number !== "5")
    .map(({ path }) => path);
}

const pet = { SOPClassUID: SOP_CLASS.PET_IMAGE, Modality: "PT" };
const uneven = (slice: number) => ({ ImagePositionPatient: ["-31.25", "12.5", String(100 + slice ** 2)] });
const cases: readonly Case[] = [
  { what: "an axial CT", files: (folder) => phantom(folder, {}) },
  { what: "a PET", files: (folder) => phantom(folder, { extra: pet }) },
  {
    what: "an oblique MR",
    files: (folder) =>
      phantom(folder, { modality: "MR", orientation: [r, r, 0, 0, 0, -1], step: [-3 * r, 3 * r, 0] }),
  },
  { what: "a tilted stack", files: (folder) => phantom(folder, { step: [0, 0.5, 1.25] }) },
  { what: "a series of one slice", files: (folder) => phantom(folder, { slices: 1 }) },
  {
    what: "a source without frame of reference",
    files: (folder) => phantom(folder, { extra: { FrameOfReferenceUID: undefined } }),
  },
  {
    what: "an Enhanced CT with its frames in any order",
    files: async (folder) => (await writeMultiFrame(join(folder, "in"), size)).files.map(({ path }) => path),
  },
  {
    what: "an Enhanced MR with its frames in any order",
    files: async (folder) =>
      (await writeMultiFrame(join(folder, "in"), { ...size, modality: "MR" })).files.map(({ path }) => path),
  },
  {
    what: "missing slices",
    files: withHoles,
    missing: 2,
    stack: { missingSlices: "repeat", unevenSpacing: "refuse" },
  },
  {
    what: "uneven slices",
    files: (folder) => phantom(folder, { extra: uneven }),
    stack: { missingSlices: "refuse", unevenSpacing: "mean" },
  },
  { what: "the real tilted series", needs: "data", files: () => real("series", "ct-tilt-philips") },
  { what: "the real MR", needs: "data", files: () => real("series", "mr-t1-siemens") },
  { what: "the real CBCT", needs: "data", files: () => real("series", "cbct-head-varian-obi") },
  { what: "the real skull", needs: "data", files: () => real("series", "ct-skull-philips") },
  {
    what: "the real MR in JPEG 2000, each image in fragments",
    needs: "data",
    files: () => real("transfer-syntax", "mr-jpeg2000-fragmented"),
  },
  {
    what: "a real Enhanced MR of Siemens",
    needs: "data",
    files: async () => [dataPath("multiframe", "emr-siemens-xa10-6_1.dcm")],
    unjudged: true,
  },
  {
    what: "a real Legacy Converted Enhanced CT",
    needs: "data",
    files: async () => [dataPath("multiframe", "legacy-ect-23x38x3.dcm")],
    unjudged: true,
  },
];

for (const { what, needs, files: filesIn, missing = 0, stack, unjudged } of cases)
  needing("dciodvfy", ...(needs ? [needs] : []))(
    `${what}: every voxel comes back`,
    { timeout: 60_000 },
    async () => {
      await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
      const paths = await filesIn(folder.path);
      const headers = await Promise.all(paths.map(async (path) => (await readPart10Header(path)).dataSet));
      const uidOf = (at: number) => stringOf(headers[at]!, tagOf("SOPInstanceUID")) as InstanceUid;
      const files = paths.map((path, at) => ({ path, sopInstanceUid: uidOf(at) }));
      const built = await buildVolume(files.toReversed(), { pool, ...(stack && { stack }) });
      if (built.kind !== "volume") throw new Error(built.detail);

      const { source, volume } = built;
      const labels = new Uint8Array(new SharedArrayBuffer(volume.voxels.length));
      for (let at = 0; at < labels.length; at++)
        labels[at] = Math.abs(Math.round(volume.voxels[at]!)) % 5 < 2 ? 1 + (at % 3) : 0;
      const map: LabelMap = { grid: volume.grid, labels };
      const series: Series = { source, header: headers[0]!, headers, size: volume.grid.size };
      const { sourceHeader: _, ...input } = inputFor(series, map);
      const outputPrefix = join(folder.path, "seg");
      const wanted = [BINARY, LABELMAP_RLE];
      const written = await pool.run(encodeTask, { ...input, outputPrefix, wanted });
      if (written.kind !== "seg") throw new Error(JSON.stringify(written));
      const segments = ranks(map).reduce((most, rank) => Math.max(most, rank));
      expect(written.objects).toMatchObject([
        { segments, name: "seg.binary1.dcm" },
        { segments, name: "seg.labelmap1.dcm" },
        { segments, name: "seg.labelmap1.rle.dcm" },
      ]);

      const [columns, rows] = volume.grid.size;
      const pixels = columns * rows;
      const expected = onImages(ranks(map), source.slices, pixels);
      expect(volume.grid.size[2]).toBe(source.frames.length + missing);
      expect(written.lostVoxels).toBe(count(labels) - count(expected));
      expect(written.lostVoxels > 0).toBe(missing > 0);
      const path = join(folder.path, "seg.binary1.dcm.part");
      const binary = await readFile(path);
      expectSame(layOut(readSeg(binary), slicesOf(series)), expected);
      expectSame((await readByOhif(binary, ohifSlices(series))).labels, expected);
      const labelMap = readSeg(await readFile(join(folder.path, "seg.labelmap1.rle.dcm.part")));
      expectSame(layOut(labelMap, slicesOf(series)), onImages(labels, source.slices, pixels));
      if (unjudged) return;
      const ofSource = new Set(await said("dciodvfy", "-new", source.path));
      const ofSeg = (await said("dciodvfy", "-new", path)).filter((line) => !ofSource.has(line));
      expect(ofSeg).toEqual(["Segmentation"]);
    },
  );

function expectSame(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  const bytes = (values: ArrayLike<number>): Buffer => Buffer.from(Uint16Array.from(values).buffer);
  expect(bytes(found).equals(bytes(expected))).toBe(true);
}

/** The slices that have an image, in their order. */
function onImages(
  map: ArrayLike<number>,
  slices: readonly number[] | undefined,
  pixels: number,
): readonly number[] {
  const values = Array.from(map);
  return slices ? slices.flatMap((k) => values.slice(k * pixels, (k + 1) * pixels)) : values;
}

function count(values: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) if (values[at] !== 0) sum++;
  return sum;
}

test("labels on missing slices are counted in the object, which has no frame at a place that no image has", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  const paths = await withHoles(folder.path);
  const headers = await Promise.all(paths.map(async (path) => (await readPart10Header(path)).dataSet));
  const files = paths.map((path, at) => ({
    path,
    sopInstanceUid: stringOf(headers[at]!, tagOf("SOPInstanceUID")) as InstanceUid,
  }));
  const built = await buildVolume(files, {
    pool,
    stack: { missingSlices: "repeat", unevenSpacing: "refuse" },
  });
  if (built.kind !== "volume") throw new Error(built.detail);
  const { source, volume } = built;
  const labels = new Uint8Array(volume.voxels.length).fill(1);
  const series: Series = { source, header: headers[0]!, headers, size: volume.grid.size };
  const { sourceHeader: _, ...input } = inputFor(series, { grid: volume.grid, labels });
  const outputPrefix = join(folder.path, "seg");
  const written = await pool.run(encodeTask, { ...input, outputPrefix, wanted: [BINARY] });
  expect(written).toMatchObject({ kind: "seg", lostVoxels: 2 * 29 * 23 });
  const { dataSet, frames } = readSeg(await readFile(`${outputPrefix}.binary1.dcm.part`));
  expect(frames.map(({ position }) => position)).toEqual(source.frames.map(({ position }) => position));
  expect(textAt(dataSet, "00082111")).toBe(
    "1334 labelled voxels lie on slices that are missing in the source series and are not shown.",
  );
});

const REFUSALS: readonly (readonly [string, string, (folder: string) => Promise<readonly string[]>])[] = [
  [
    "a scout among the slices",
    "mixed-orientation",
    async (folder) => [
      ...(await phantom(folder, {})),
      ...(
        await writeSeries(join(folder, "scout"), { ...size, slices: 1, orientation: [0, 1, 0, 0, 0, -1] })
      ).map(({ path }) => path),
    ],
  ],
  [
    "two acquisitions at the same positions",
    "duplicate-position",
    async (folder) => [
      ...(await phantom(folder, {})),
      ...(
        await writeSeries(join(folder, "again"), {
          ...size,
          extra: (slice) => ({ SOPInstanceUID: `1.2.3.${slice + 1}`, AcquisitionNumber: "2" }),
        })
      ).map(({ path }) => path),
    ],
  ],
  [
    "one image sent twice as another file",
    "duplicate-position",
    async (folder) => [...(await phantom(folder, {})), ...(await phantom(join(folder, "b"), {})).slice(0, 1)],
  ],
  ["uneven slices, without a policy", "uneven-spacing", (folder) => phantom(folder, { extra: uneven })],
  ["missing slices, without a policy", "gap", withHoles],
];

for (const [what, reason, filesIn] of REFUSALS)
  test(`${what}: refused as ${reason}, never mixed`, async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
    const paths = await filesIn(folder.path);
    const files = paths.map((path, at) => ({ path, sopInstanceUid: `1.2.${at}` as InstanceUid }));
    expect(await buildVolume(files, { pool })).toMatchObject({ kind: "rejected", reason });
  });

needing("data")("real images whose UIDs are blank are refused by name", async () => {
  const paths = await real("awkward", "blank-uids-ct-siemens");
  const files = paths.map((path, at) => ({ path, sopInstanceUid: `1.2.${at}` as InstanceUid }));
  expect(await buildVolume(files, { pool })).toMatchObject({ kind: "rejected", reason: "no-identity" });
});

// PS3.3 C.8.20.2.2 with C.7.6.1.1.5: "01" if any source image says so, whichever it is.
test("one lossy image among the slices makes the segmentation lossy, with that image's ratio and method", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  const paths = await phantom(folder.path, {});
  const lossy = paths[1]!; // not that of the first slice
  const { dataSet, transferSyntaxUid, pixelData, body } = readPart10(await readFile(lossy));
  const said = fromKeywords({
    LossyImageCompression: "01",
    LossyImageCompressionRatio: "7.5",
    LossyImageCompressionMethod: "ISO_10918_1",
  });
  const changed = { ...dataSet, elements: new Map([...dataSet.elements, ...said.elements]) };
  const chunks = [body.subarray(pixelData!.offset, pixelData!.offset + pixelData!.length!)];
  await writeFile(lossy, Buffer.concat(encodePart10(transferSyntaxUid, changed, { vr: "OW", chunks })));

  const files = await Promise.all(
    paths.map(async (path) => {
      const header = (await readPart10Header(path)).dataSet;
      return { path, sopInstanceUid: stringOf(header, tagOf("SOPInstanceUID")) as InstanceUid, header };
    }),
  );
  const built = await buildVolume(files, { pool });
  if (built.kind !== "volume") throw new Error(built.detail);
  const { source, volume } = built;
  const labels = new Uint8Array(new SharedArrayBuffer(volume.voxels.length)).fill(1);
  const headers = files.map(({ header }) => header);
  const series: Series = { source, header: headers[0]!, headers, size: volume.grid.size };
  const { sourceHeader: _, ...input } = inputFor(series, { grid: volume.grid, labels });
  const outputPrefix = join(folder.path, "seg");
  await pool.run(encodeTask, { ...input, wanted: [BINARY], outputPrefix });
  const seg = readSeg(await readFile(`${outputPrefix}.binary1.dcm.part`)).dataSet;
  expect(textAt(seg, "00282110")).toBe("01");
  expect(textAt(seg, "00282112")).toBe("7.5");
  expect(textAt(seg, "00282114")).toBe("ISO_10918_1");
});

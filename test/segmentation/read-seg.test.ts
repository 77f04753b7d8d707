/** Segmentations that other software wrote: read as an independent reader reads them, and judged against their source. */
import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SOP_CLASS } from "../../src/dicom/constants.ts";
import { gateForeign } from "../../src/segmentation/gate-foreign.ts";
import { type ForeignSeg, readSegmentation } from "../../src/segmentation/read-seg.ts";
import type { Source } from "../../src/volume/volume.ts";
import { dataPath } from "../support/data.ts";
import { readSeg } from "../support/seg-reader.ts";
import { BINARY, encodedAll, FRACTIONAL, FRACTIONAL_RLE, LABELMAP, LABELMAP_RLE } from "./encoded.ts";
import { needing, said } from "./peers.ts";
import { AXIAL, boxes, inputFor, labelMap, readSeries, type Series, stack } from "./series.ts";

const BOTH = new Set([SOP_CLASS.SEGMENTATION, SOP_CLASS.LABEL_MAP_SEGMENTATION]);

function readable(file: Uint8Array): ForeignSeg {
  const read = readSegmentation(file);
  if (read.kind !== "seg") throw new Error(read.detail);
  return read.seg;
}

/** Frame by frame: segment, place, reference and every pixel. */
async function expectAsRead(file: Uint8Array, asExplicit: Uint8Array): Promise<ForeignSeg> {
  const seg = readable(file);
  const expected = readSeg(asExplicit);
  expect([seg.rows, seg.columns, seg.form]).toEqual([
    expected.rows,
    expected.columns,
    expected.type.toLowerCase(),
  ]);
  expect(seg.frames).toHaveLength(expected.frames.length);
  for (const [at, frame] of expected.frames.entries()) {
    const found = seg.frames[at]!;
    expect(found.segment).toBe(frame.segment);
    expect(found.place.written.position).toEqual(frame.position);
    expect(found.source?.sopInstanceUid ?? "").toBe(frame.sourceInstance);
    expect([...(await seg.pixels(at))]).toEqual([...frame.pixels]);
  }
  expect(seg.segments.size).toBe(expected.segments.length);
  return seg;
}

const real = needing("data", "dcmconv");
const FOREIGN = [
  ["highdicom", "seg_image_ct_binary.dcm", 3],
  ["highdicom", "seg_image_ct_binary_overlap.dcm", 8],
  ["highdicom", "seg_image_ct_binary_fractional.dcm", 3],
  ["highdicom", "seg_image_ct_binary_single_frame.dcm", 1],
  ["dcmqi-23x38x3", "label.seg", 3],
  ["dcmqi-liver", "liver.dcm", 3],
  ["dcmqi-liver", "sparse-labelmap-noppv.dcm", 2],
] as const;

for (const [folder, name, frames] of FOREIGN)
  real(`${name} of ${folder.split("-")[0]} reads as an independent reader reads it`, async () => {
    await using temp = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
    const path = dataPath(`seg-by-others/${folder}/${name}`);
    const explicit = join(temp.path, "explicit.dcm");
    await said("dcmconv", "+te", path, explicit);
    const seg = await expectAsRead(await readFile(path), await readFile(explicit));
    expect(seg.frames).toHaveLength(frames);
  });

/** The images that lie beside a segmentation, without those of other sizes. */
function sourceOf(folder: string, columns: number): Promise<Series> {
  return readSeries(dataPath(`seg-by-others/${folder}`), columns);
}

const PAIRS = [
  ["highdicom", "seg_image_ct_binary.dcm", 16],
  ["highdicom", "seg_image_ct_binary_overlap.dcm", 16],
  ["highdicom", "seg_image_ct_binary_fractional.dcm", 16],
  ["highdicom", "seg_image_ct_binary_single_frame.dcm", 128],
  ["dcmqi-23x38x3", "label.seg", 23],
  ["dcmqi-liver", "liver.dcm", 512],
] as const;

for (const [folder, name, columns] of PAIRS)
  real(`${name} of ${folder.split("-")[0]} is let pass with its own source, and with no other`, async () => {
    const seg = readable(await readFile(dataPath(`seg-by-others/${folder}/${name}`)));
    const { source, size } = await sourceOf(folder, columns);
    const passed = gateForeign(seg, { source, size, allowed: BOTH });
    expect(passed.kind === "pass" ? passed.slices : passed).toHaveLength(seg.frames.length);
    const others = PAIRS.filter(([other, , wide]) => other !== folder || wide !== columns);
    for (const [other, , wide] of others) {
      const stranger = await sourceOf(other, wide);
      expect(gateForeign(seg, { ...stranger, allowed: BOTH })).toMatchObject({ kind: "refused" });
    }
  });

real("a segmentation in a transfer syntax of frames that nobody reads is unreadable by name", async () => {
  const read = readSegmentation(await readFile(dataPath("transfer-syntax/liver_deflate.dcm")));
  expect(read).toMatchObject({ kind: "unreadable" });
  expect(read.kind === "unreadable" && read.detail).toMatch(/^transfer syntax 1\.2\.840\.10008\.1\.2\.8\.1/);
});

const series = stack({ columns: 13, rows: 9, slices: 5, orientation: AXIAL, step: [0, 0, 2] });
const map = labelMap(series, boxes(series.size, 3));
const probabilities = new Map(
  [1, 2, 3].map((value) => [value, Uint8Array.from(map.labels, (label) => label * 50)]),
);
const ours = encodedAll(
  { ...inputFor(series, map), findings: { ...inputFor(series, map).findings, probabilities } },
  BINARY,
  LABELMAP,
  LABELMAP_RLE,
  FRACTIONAL,
  FRACTIONAL_RLE,
).objects;

test("what we write in any form is what we read, and is let pass", async () => {
  expect(ours).toHaveLength(5);
  for (const { file } of ours) {
    const seg = await expectAsRead(file, file);
    const { source, size } = series;
    expect(gateForeign(seg, { source, size, allowed: BOTH })).toMatchObject({ kind: "pass" });
  }
});

const seg = readable(ours[0]!.file);
function verdict(change: Partial<Source>, allowed: ReadonlySet<typeof seg.sopClassUid> = BOTH): string {
  const passed = gateForeign(seg, { source: { ...series.source, ...change }, size: series.size, allowed });
  return passed.kind === "refused" ? `${passed.reason}: ${passed.detail}` : passed.kind;
}

test("of another study, patient, frame of reference or class it is refused", () => {
  expect(verdict({ studyUid: "1.2.3" as never })).toMatch(/^other-series: StudyInstanceUID is 2\.25\./);
  expect(verdict({ patientId: "P-2" })).toBe("other-patient: PatientID is not that of the series");
  expect(verdict({ frameOfReferenceUid: "1.2.3" })).toMatch(/^other-frame-of-reference: /);
  expect(verdict({}, new Set([SOP_CLASS.LABEL_MAP_SEGMENTATION]))).toMatch(/^class-not-allowed: SOP Class /);
});

test("on another grid it is refused: size, orientation, spacing, a place half a pixel off, a reference to nothing", () => {
  const size = [9, 13, 5] as const;
  expect(gateForeign(seg, { source: series.source, size, allowed: BOTH })).toMatchObject({
    reason: "other-grid",
    detail: "frames of 13 × 9, source of 9 × 13",
  });
  expect(verdict({ orientation: ["0", "1", "0", "1", "0", "0"] })).toMatch(
    /^other-grid: frame 1: of another orientation/,
  );
  expect(verdict({ pixelSpacing: ["0.5", "0.7"] })).toMatch(/^other-grid: frame 1: of another pixel spacing/);
  const moved = series.source.frames.map(({ position: [x, y, z], ...rest }) => ({
    position: [String(Number(x) + 0.25), y, z] as const,
    ...rest,
  }));
  expect(verdict({ frames: moved })).toMatch(
    /^other-grid: frame 1: lies elsewhere than the image that it names/,
  );
  expect(verdict({ frames: series.source.frames.slice(1) })).toMatch(
    /^other-reference: frame 1: names 2\.25\./,
  );
});

test("bytes that are no segmentation, or less than one, are unreadable by name", () => {
  const file = ours[0]!.file;
  expect(readSegmentation(file.subarray(0, 100))).toMatchObject({ kind: "unreadable" });
  expect(readSegmentation(file.subarray(0, file.length - 8))).toMatchObject({ kind: "unreadable" });
  expect(readSegmentation(Buffer.from("not DICOM"))).toMatchObject({ kind: "unreadable" });
});

/** The independent reader proves itself on segmentations that other software wrote. */
import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { dataPath } from "../support/data.ts";
import { readByOhif } from "../support/ohif.ts";
import { layOut, readSeg } from "../support/seg-reader.ts";
import { needing, said } from "./peers.ts";
import { ohifSlices, readSeries, slicesOf } from "./series.ts";

const real = needing("data", "dcmconv");

// 23 × 38 pixels: the frames of label.seg do not begin at bytes. OHIF's adapter is the second opinion.
for (const [folder, name] of [
  ["dcmqi-23x38x3", "label.seg"],
  ["dcmqi-liver", "liver.dcm"],
] as const)
  real(`${name} of dcmqi reads as OHIF reads it`, async () => {
    const series = await readSeries(dataPath(`seg-by-others/${folder}`));
    const file = await readFile(dataPath(`seg-by-others/${folder}/${name}`));
    const found = layOut(readSeg(file), slicesOf(series), 1e-5);
    const { labels } = await readByOhif(file, ohifSlices(series));
    expect(Buffer.from(Uint8Array.from(found)).equals(Buffer.from(labels))).toBe(true);
    expect(labels.some((label) => label > 0)).toBe(true);
  });

real("a segmentation of highdicom reads, once its implicit VRs are written out", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  const explicit = join(folder.path, "explicit.dcm");
  await said("dcmconv", "+te", dataPath("seg-by-others/highdicom/seg_image_ct_binary.dcm"), explicit);
  const seg = readSeg(await readFile(explicit));
  expect([seg.rows, seg.columns, seg.frames.length, seg.segments.length]).toEqual([16, 16, 3, 1]);
  const heights = seg.frames.map(({ position }) => Number(position[2]));
  expect(heights).toEqual(heights.toSorted((a, b) => a - b));
});

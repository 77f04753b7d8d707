/** Every voxel comes back at its place, through a reader of our own and both readers of OHIF. */
import { expect, test } from "vitest";
import { encodeSegmentation } from "../../src/segmentation/seg.ts";
import type { LabelMap } from "../../src/volume/volume.ts";
import { dataPath } from "../support/data.ts";
import { isSoundForNewReader, readByCornerstone3D, readByOhif } from "../support/ohif.ts";
import { layOut, readSeg, type SegObject } from "../support/seg-reader.ts";
import { BINARY, encodedOne } from "./encoded.ts";
import { needing } from "./peers.ts";
import {
  AXIAL,
  boxes,
  inputFor,
  labelMap,
  ohifSlices,
  ranks,
  readSeries,
  type Series,
  slicesOf,
  stack,
} from "./series.ts";

async function expectSame(series: Series, map: LabelMap): Promise<SegObject> {
  const { file, frames } = encodedOne(inputFor(series, map));
  const seg = readSeg(file);
  const expected = ranks(map);
  expect(same(layOut(seg, slicesOf(series)), expected)).toBe(true);
  expect(seg.orientation).toEqual(series.source.orientation);
  expect(seg.pixelSpacing).toEqual(series.source.pixelSpacing);
  expect(same((await readByOhif(file, ohifSlices(series))).labels, expected)).toBe(true);
  if (expected.length < 1e6 && isSoundForNewReader(series.size[0] * series.size[1], frames))
    expect(same(await readByCornerstone3D(file, ohifSlices(series)), expected)).toBe(true);
  return seg;
}

/** Faster than toEqual for megabytes; the first difference is thrown. */
function same(found: ArrayLike<number>, expected: ArrayLike<number>): boolean {
  if (found.length !== expected.length) throw new Error(`${found.length} voxels, not ${expected.length}`);
  for (let at = 0; at < found.length; at++)
    if (found[at] !== expected[at]) throw new Error(`${found[at]} instead of ${expected[at]} at ${at}`);
  return true;
}

const r = Math.SQRT1_2;
const tilt = (degrees: number): readonly [number, number, number, number, number, number] => {
  const angle = (degrees * Math.PI) / 180;
  return [1, 0, 0, 0, Math.cos(angle), Math.sin(angle)];
};

// 41 × 48 pixels of 0.7 × 0.5 mm, so that no swap of rows and columns goes unseen.
test.each([
  ["axial", AXIAL, [0, 0, 2]],
  ["sagittal", [0, 1, 0, 0, 0, -1], [2, 0, 0]],
  ["coronal", [1, 0, 0, 0, 0, -1], [0, 2, 0]],
  ["head first, flipped", [-1, 0, 0, 0, -1, 0], [0, 0, 2]],
  ["feet first", [1, 0, 0, 0, 1, 0], [0, 0, -2]],
  ["oblique", [r, r, 0, 0, 0, -1], [-2 * r, 2 * r, 0]],
  ["tilted by 15°", tilt(15), [0, 0, 2]],
  ["tilted by −20°", tilt(-20), [0, 0, 2]],
] as const)("%s: labels, orientation and positions come back", async (_, orientation, step) => {
  const series = stack({ columns: 48, rows: 41, slices: 9, orientation, step });
  const seg = await expectSame(series, labelMap(series, boxes(series.size, 8)));
  const positions = new Map(
    series.source.frames.map((frame) => [String(frame.sopInstanceUid), frame.position]),
  );
  for (const frame of seg.frames) expect(frame.position).toEqual(positions.get(frame.sourceInstance));
});

test("unevenly spaced slices keep each label on its own slice", async () => {
  const series = stack({ columns: 20, rows: 18, slices: 5, offsets: [0, 2, 4, 7, 9] });
  await expectSame(series, labelMap(series, boxes(series.size, 3)));
});

test("a series of one slice", async () => {
  const series = stack({ columns: 33, rows: 20, slices: 1, orientation: AXIAL, step: [0, 0, 1] });
  await expectSame(series, labelMap(series, boxes(series.size, 3)));
});

test("a label of a single voxel, in each corner of the volume", async () => {
  const series = stack({ columns: 7, rows: 5, slices: 3, orientation: AXIAL, step: [0, 0, 1] });
  const corners = [0, 6].flatMap((i) => [0, 4].flatMap((j) => [0, 2].map((k) => [i, j, k] as const)));
  const at = (i: number, j: number, k: number): number =>
    1 + corners.findIndex(([x, y, z]) => x === i && y === j && z === k);
  const seg = await expectSame(series, labelMap(series, at));
  expect(seg.frames.map(({ pixels }) => [...pixels].filter((bit) => bit === 1).length)).toEqual(
    Array(8).fill(1),
  );
});

test("label values of 16 bits are numbered from 1 in their order", async () => {
  const series = stack({ columns: 10, rows: 6, slices: 2, orientation: AXIAL, step: [0, 0, 1] });
  const map = labelMap(series, (i) => [0, 40_000, 1000, 1001][i % 4]!, 16);
  const seg = await expectSame(series, map);
  expect(seg.frames.map(({ segment }) => segment)).toEqual([1, 1, 2, 2, 3, 3]);
});

// Rows × columns modulo 8 takes every value; other writers are wrong for four or seven of them.
test.each([48, 49, 50, 51, 52, 53, 54, 55])("41 rows of %i columns, one to nine frames", async (columns) => {
  for (let slices = 1; slices <= 9; slices++) {
    const series = stack({ columns, rows: 41, slices, orientation: AXIAL, step: [0, 0, 1] });
    const map = labelMap(series, (i, j, k) => ((i * 5 + j * 3 + k) % 4 < 2 ? 1 : 0));
    expect((await expectSame(series, map)).frames).toHaveLength(slices);
  }
});

test("frames of a multi-frame source, stored in any order, are found by their number", () => {
  const series = stack({ columns: 9, rows: 7, slices: 5, orientation: AXIAL, step: [0, 0, 1] });
  const [first] = series.source.frames;
  const frames = series.source.frames.map(({ position }, k) => ({
    ...first!,
    frameNumber: [3, 1, 5, 2, 4][k]!,
    position,
  }));
  const multi = { ...series, source: { ...series.source, frames } };
  const map = labelMap(multi, boxes(multi.size, 2));
  const allInstances = [{ sopClassUid: first!.sopClassUid, sopInstanceUid: first!.sopInstanceUid }];
  const seg = readSeg(encodedOne(inputFor(multi, map, { allInstances })).file);
  expect(same(layOut(seg, slicesOf(multi)), ranks(map))).toBe(true);
});

test("segments without voxels are left out, told, and leave no gap in the numbers", () => {
  const series = stack({ columns: 9, rows: 7, slices: 2, orientation: AXIAL, step: [0, 0, 1] });
  const map = labelMap(series, (i) => (i < 3 ? 2 : i < 6 ? 5 : 0));
  const segments = inputFor(
    series,
    labelMap(series, (i) => 1 + (i % 6)),
  ).segments;
  const { file, absent } = encodedOne(inputFor(series, map, { segments }));
  expect(absent).toEqual([1, 3, 4, 6]);
  expect(readSeg(file).segments).toHaveLength(2);
  expect(same(layOut(readSeg(file), slicesOf(series)), ranks(map))).toBe(true);
});

test("an all-empty map makes no object", () => {
  const series = stack({ columns: 9, rows: 7, slices: 2, orientation: AXIAL, step: [0, 0, 1] });
  expect(
    encodeSegmentation(
      inputFor(
        series,
        labelMap(series, () => 0),
      ),
      [BINARY],
    ),
  ).toEqual({ kind: "no-finding" });
});

// ASCII: dcmjs, which reads for OHIF, takes text inside sequences for Latin-1 (dcmjs issues 503 and 508).
test("OHIF shows the labels and the colours", async () => {
  const series = stack({ columns: 16, rows: 9, slices: 2, orientation: AXIAL, step: [0, 0, 1] });
  const map = labelMap(series, (i) => i % 3);
  const [one, two] = [...inputFor(series, map).segments.values()];
  const segments = new Map([
    [1, { ...one!, label: "Lower jaw, left: teeth", color: [255, 0, 0] as const }],
    [2, { ...two!, label: "Canal" }],
  ]);
  const read = await readByOhif(encodedOne(inputFor(series, map, { segments })).file, ohifSlices(series));
  expect([...read.segments].map(([number, { label }]) => [number, label])).toEqual([
    [1, "Lower jaw, left: teeth"],
    [2, "Canal"],
  ]);
  // (255, 0, 0) is L* 54.29, a* 80.81, b* 69.89 under D50.
  const [l = 0, a = 0, b = 0] = read.segments.get(1)!.lab;
  expect([(l / 65535) * 100, (a / 65535) * 255 - 128, (b / 65535) * 255 - 128].map(Math.round)).toEqual([
    54, 81, 70,
  ]);
});

const real = needing("data");
for (const name of ["cbct-head-varian-obi", "ct-skull-philips", "ct-tilt-philips", "mr-t1-siemens"])
  real(`real series ${name}: every voxel comes back`, { timeout: 30_000 }, async () => {
    const series = await readSeries(dataPath(`series/${name}`));
    await expectSame(series, labelMap(series, boxes(series.size, 4)));
  });

/** dcmqi, which 3D Slicer reads segmentations with, finds every voxel where it is sound. */
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LabelMap } from "../../src/volume/volume.ts";
import { dataPath } from "../support/data.ts";
import { isSoundForDcmqi, readByDcmqi } from "../support/dcmqi.ts";
import { encodedOne } from "./encoded.ts";
import { needing } from "./peers.ts";
import { AXIAL, boxes, inputFor, labelMap, ranks, readSeries, type Series, stack } from "./series.ts";

async function expectSame(series: Series, map: LabelMap): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  const path = join(folder.path, "seg.dcm");
  await writeFile(path, encodedOne(inputFor(series, map)).file);
  const { size, origin, labels } = await readByDcmqi(path);
  const [columns, rows] = series.size;
  expect(size.slice(0, 2)).toEqual([columns, rows]);
  const first = series.source.frames.findIndex(({ position }) =>
    position.every((mm, axis) => Math.abs(Number(mm) - origin[axis]!) < 1e-3),
  );
  expect(first).toBeGreaterThanOrEqual(0);
  const pixels = columns * rows;
  const expected = ranks(map);
  const isOutside = (at: number): boolean => at < first * pixels || at >= first * pixels + labels.length;
  expect(expected.some((label, at) => label !== 0 && isOutside(at))).toBe(false);
  const inside = expected.subarray(first * pixels, first * pixels + labels.length);
  expect(
    Buffer.compare(Buffer.from(Int16Array.from(inside).buffer), Buffer.from(Int16Array.from(labels).buffer)),
  ).toBe(0);
}

const r = Math.SQRT1_2;

// Rows × columns modulo 8: 0, 1, 2 and 4.
test.each([
  ["axial", 48, 41, AXIAL, [0, 0, 2]],
  ["axial, 1 modulo 8", 49, 41, AXIAL, [0, 0, 2]],
  ["axial, 2 modulo 8", 50, 41, AXIAL, [0, 0, 2]],
  ["axial, 4 modulo 8", 52, 41, AXIAL, [0, 0, 2]],
  ["sagittal", 48, 41, [0, 1, 0, 0, 0, -1], [-2, 0, 0]],
  ["coronal", 48, 41, [1, 0, 0, 0, 0, -1], [0, 2, 0]],
  ["head first, flipped", 48, 41, [-1, 0, 0, 0, -1, 0], [0, 0, 2]],
  ["oblique", 48, 41, [r, r, 0, 0, 0, -1], [-2 * r, 2 * r, 0]],
] as const)("%s: dcmqi finds every label at its place", async (_, columns, rows, orientation, step) => {
  expect(isSoundForDcmqi(columns * rows)).toBe(true);
  const series = stack({ columns, rows, slices: 9, orientation, step });
  await expectSame(series, labelMap(series, boxes(series.size, 8)));
});

test("dcmqi reads the names of the segments", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  const path = join(folder.path, "seg.dcm");
  const series = stack({ columns: 16, rows: 10, slices: 3, orientation: AXIAL, step: [0, 0, 2] });
  await writeFile(
    path,
    encodedOne(
      inputFor(
        series,
        labelMap(series, (i) => i % 4),
      ),
    ).file,
  );
  expect((await readByDcmqi(path)).segmentLabels).toEqual(["Mandible", "Maxilla", "Airway"]);
});

const real = needing("data");
for (const name of ["cbct-head-varian-obi", "ct-skull-philips", "mr-t1-siemens"])
  real(`real series ${name}: dcmqi finds every label at its place`, { timeout: 60_000 }, async () => {
    const series = await readSeries(dataPath(`series/${name}`));
    await expectSame(series, labelMap(series, boxes(series.size, 4)));
  });

/** What ITK writes, we read at the same place, in every format; what we refuse, ITK too would have had elsewhere. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { interpret } from "../../../src/volume/formats/interpret.ts";
import { readMetaImageHeader } from "../../../src/volume/formats/metaimage.ts";
import { niftiHeader } from "../../../src/volume/formats/nifti-write.ts";
import type { Grid } from "../../../src/volume/volume.ts";
import { type Component, placedByItk, writtenByItk } from "../../support/itk.ts";
import { tempFolder } from "../../support/temp.ts";
import { allLabels, labelled, oblique, readLabelMap } from "./fixtures.ts";

const expected = { grid: oblique, labels: allLabels };
const FILES = [
  { ending: "nii" },
  { ending: "nii.gz" },
  { ending: "nrrd" },
  { ending: "nrrd", compressed: true },
  { ending: "mha" },
  { ending: "mha", compressed: true },
] as const;
const TYPES: readonly Component[] = ["uint8", "int16", "uint16", "float32", "float64"];

test.each(FILES.flatMap((file) => TYPES.map((type) => [type, file] as const)))(
  "ITK, %s as %o: every label is where it was",
  async (type, file) => {
    await using folder = await tempFolder();
    const bytes = await writtenByItk(folder.path, { grid: oblique, numbers: labelled, type }, file);
    expect(readLabelMap(bytes, expected).labels).toEqual(labelled);
  },
);

test.each(FILES)("ITK, channels in %o: masks that overlap", async (file) => {
  await using folder = await tempFolder();
  const isIn = [(n: number) => n < 20, (n: number) => n >= 15 && n < 40, (n: number) => n >= 50] as const;
  const numbers = Uint8Array.from({ length: 180 }, (_, n) => Number(isIn[n % 3]!(Math.floor(n / 3))));
  const bytes = await writtenByItk(folder.path, { grid: oblique, numbers, type: "uint8", channels: 3 }, file);
  const as = { masks: { background: "none", others: "refuse", files: new Map() } } as const;
  const { layers } = interpret([{ bytes }], { as, maxBytes: 1e6 }, { grid: oblique, labels: [1, 2, 3] });
  expect(layers).toEqual([
    Uint8Array.from({ length: 60 }, (_, n) => (isIn[0](n) ? 1 : isIn[2](n) ? 3 : 0)),
    Uint8Array.from({ length: 60 }, (_, n) => (isIn[1](n) ? 2 : 0)),
  ]);
});

test("where ITK places a MetaImage and our NIfTI is where we do", async () => {
  await using folder = await tempFolder();
  const mha = await writtenByItk(
    folder.path,
    { grid: oblique, numbers: labelled, type: "uint8" },
    { ending: "mha" },
  );
  expectSame(readMetaImageHeader(mha).grid, oblique);
  const path = join(folder.path, "ours.nii");
  await writeFile(path, Buffer.concat([niftiHeader(oblique, labelled), labelled]));
  const byItk = await placedByItk(path);
  expectSame(byItk, oblique);
  expect(Array.from(byItk.numbers)).toEqual([...labelled]);
});

function expectSame(found: Grid, wanted: Grid): void {
  expect(found.size).toEqual(wanted.size);
  const numbers = ({ affine: { origin, perColumn, perRow, perSlice } }: Grid) =>
    [origin, perColumn, perRow, perSlice].flat();
  numbers(found).forEach((n, at) => expect(n).toBeCloseTo(numbers(wanted)[at]!, 4));
}

const angle = fc.double({ min: -3, max: 3, noNaN: true });
const size = fc.integer({ min: 1, max: 6 });
const step = fc.double({ min: 0.2, max: 5, noNaN: true });
const anyGrid = fc
  .record({
    a: angle,
    b: angle,
    size: fc.tuple(size, size, size),
    steps: fc.tuple(step, step, step),
    x: angle,
  })
  .map(({ a, b, size, steps: [u, v, w], x }): Grid => {
    const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
    return {
      size,
      affine: {
        origin: [x * 100, -70.5, x * -31],
        perColumn: [u * ca, u * sa, 0],
        perRow: [-v * sa * cb, v * ca * cb, v * sb],
        perSlice: [w * sa * sb, -w * ca * sb, w * cb],
      },
    };
  });

test.each(["nii", "nrrd", "mha"] as const)("any oblique grid comes back through ITK's %s", async (ending) => {
  await using folder = await tempFolder();
  await fc.assert(
    fc.asyncProperty(anyGrid, async (grid) => {
      const count = grid.size[0] * grid.size[1] * grid.size[2];
      const numbers = Uint8Array.from({ length: count }, (_, n) => n % 60);
      const bytes = await writtenByItk(folder.path, { grid, numbers, type: "uint8" }, { ending });
      expect(readLabelMap(bytes, { grid, labels: allLabels }).labels).toEqual(numbers);
    }),
    { numRuns: 15 },
  );
});

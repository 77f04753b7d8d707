import * as fc from "fast-check";
import { expect, test } from "vitest";
import { cropAround, pasteBack } from "../../src/inference/crop.ts";
import { voxelToPatient } from "../../src/volume/geometry.ts";
import type { Findings, Grid, Vector, Volume } from "../../src/volume/volume.ts";
import { oblique } from "../volume/formats/fixtures.ts";

/** 40 × 30 × 20 voxels of 0.5 × 1 × 2 mm; the value of a voxel is its index, so a misplaced one shows. */
const grid: Grid = {
  size: [40, 30, 20],
  affine: { origin: [10, 20, 30], perColumn: [0.5, 0, 0], perRow: [0, 1, 0], perSlice: [0, 0, 2] },
};

function volumeOn(where: Grid): Volume {
  const count = where.size[0] * where.size[1] * where.size[2];
  const voxels = new Uint16Array(new SharedArrayBuffer(count * 2));
  for (let n = 0; n < count; n += 1) voxels[n] = n;
  return { grid: where, voxels };
}

function findings(where: Grid, marks: readonly (readonly [at: Vector, label: number])[]): Findings {
  const [columns, rows, slices] = where.size;
  const labels = new Uint8Array(new SharedArrayBuffer(columns * rows * slices));
  for (const [[i, j, k], label] of marks) labels[(k * rows + j) * columns + i] = label;
  return { grid: where, layers: [labels] };
}

const marks = [
  [[10, 8, 6], 1],
  [[12, 9, 7], 1],
  [[30, 20, 15], 2],
] as const;

test("the part reaches as far around the labels as the margin says, in mm of each axis", () => {
  const cropped = cropAround({
    volume: volumeOn(grid),
    around: [{ findings: findings(grid, marks), labels: [1], marginMm: 2.5 }],
  });
  if (cropped.kind === "nothing") throw new Error("nothing");
  // 2.5 mm are 5 columns, 3 rows (2.5 up), 2 slices (1.25 up).
  expect(cropped.box).toEqual({ from: [5, 5, 4], size: [13, 8, 6] });
  expect(cropped.found).toEqual([{ from: [5, 3, 2], size: [3, 2, 2] }]);
  expect(cropped.volume.grid.size).toEqual([13, 8, 6]);
  expect(cropped.volume.grid.affine.origin).toEqual([12.5, 25, 38]);
  expect(cropped.volume.voxels[0]).toBe((4 * 30 + 5) * 40 + 5);
  expect(cropped.volume.voxels.at(-1)).toBe((9 * 30 + 12) * 40 + 17);
});

test("a margin ends at the border of the volume, and without labels all that was found counts", () => {
  const cropped = cropAround({
    volume: volumeOn(grid),
    around: [{ findings: findings(grid, marks), marginMm: 1000 }],
  });
  expect(cropped).toMatchObject({ box: { from: [0, 0, 0], size: [40, 30, 20] } });
});

test("a margin that is a whole number of steps is that many, whatever binary fractions say", () => {
  const fine: Grid = { ...grid, affine: { ...grid.affine, perColumn: [0.1, 0, 0] } };
  const around = [{ findings: findings(fine, [[[20, 8, 6], 1]]), marginMm: 0.3 }];
  expect(cropAround({ volume: volumeOn(fine), around })).toMatchObject({ box: { from: [17, 7, 5] } });
});

// Steps of 2 mm, tilted by 60°: planes are 1 mm apart, so 3 mm are three of them, not two.
test("in a tilted stack the margin is measured across the slices", () => {
  const tilted: Grid = {
    ...grid,
    affine: { ...grid.affine, perSlice: [0, 2 * Math.sin(Math.PI / 3), 2 * Math.cos(Math.PI / 3)] },
  };
  const around = [{ findings: findings(tilted, [[[20, 8, 6], 1]]), marginMm: 3 }];
  expect(cropAround({ volume: volumeOn(tilted), around })).toMatchObject({
    box: { from: [14, 2, 3], size: [13, 13, 7] },
  });
});

test("two needed models give one part that holds both", () => {
  const cropped = cropAround({
    volume: volumeOn(grid),
    around: [
      { findings: findings(grid, marks), labels: [1], marginMm: 0 },
      { findings: findings(grid, marks), labels: [2], marginMm: 1 },
    ],
  });
  expect(cropped).toMatchObject({
    box: { from: [10, 8, 6], size: [23, 14, 11] },
    found: [
      { from: [0, 0, 0], size: [3, 2, 2] },
      { from: [20, 12, 9], size: [1, 1, 1] },
    ],
  });
});

test("where a needed label is not found there is no part", () => {
  const volume = volumeOn(grid);
  const found = findings(grid, marks);
  const both = [
    { findings: found, labels: [1], marginMm: 0 },
    { findings: found, labels: [3], marginMm: 0 },
  ];
  expect(cropAround({ volume, around: both })).toEqual({ kind: "nothing" });
});

test("a label in another layer counts", () => {
  const { layers } = findings(grid, [[[39, 0, 19], 7]]);
  const found: Findings = { grid, layers: [...findings(grid, marks).layers, ...layers] };
  const around = [{ findings: found, labels: [7], marginMm: 0 }];
  expect(cropAround({ volume: volumeOn(grid), around })).toMatchObject({
    box: { from: [39, 0, 19], size: [1, 1, 1] },
  });
});

const index = fc.tuple(fc.nat(4), fc.nat(3), fc.nat(2));

test("what is found on the part stands, pasted back, where the whole has it; so does every voxel in the patient", () => {
  fc.assert(
    fc.property(index, index, fc.double({ min: 0, max: 6, noNaN: true }), (a, b, marginMm) => {
      const volume = volumeOn(oblique);
      const found = findings(oblique, [
        [a, 1],
        [b, 1],
      ]);
      const cropped = cropAround({ volume, around: [{ findings: found, marginMm }] });
      if (cropped.kind === "nothing") throw new Error("nothing");
      const { box, volume: part } = cropped;
      const probability = Uint8Array.from(part.voxels);
      const onPart: Findings = {
        grid: part.grid,
        layers: [Uint16Array.from(part.voxels)],
        probabilities: new Map([[1, probability]]),
      };
      const whole = pasteBack({ findings: onPart, box, grid: oblique });
      expect(whole.grid).toBe(oblique);
      const [columns, rows] = oblique.size;
      volume.voxels.forEach((value, n) => {
        const at = [n % columns, Math.floor(n / columns) % rows, Math.floor(n / columns / rows)] as const;
        const inside = at.every((v, axis) => v >= box.from[axis]! && v < box.from[axis]! + box.size[axis]!);
        expect(whole.layers[0]![n]).toBe(inside ? value : 0);
        expect(whole.probabilities?.get(1)?.[n]).toBe(inside ? value : 0);
        if (!inside) return;
        const inPart = at.map((v, axis) => v - box.from[axis]!) as unknown as Vector;
        const [here, there] = [voxelToPatient(oblique.affine, at), voxelToPatient(part.grid.affine, inPart)];
        here.forEach((mm, axis) => expect(there[axis]).toBeCloseTo(mm, 9));
      });
    }),
    { numRuns: 40 },
  );
});

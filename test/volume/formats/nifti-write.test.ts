import { type NIFTI1, readHeader } from "nifti-reader-js";
import { expect, test } from "vitest";
import { niftiHeader } from "../../../src/volume/formats/nifti-write.ts";
import type { Affine, Grid, Vector, Voxels } from "../../../src/volume/volume.ts";
import { oblique } from "./fixtures.ts";

/** The same header as another implementation reads it. */
function readByOthers(grid: Grid, voxels: Voxels | Uint8Array): NIFTI1 {
  const file = new Uint8Array(352 + voxels.byteLength);
  file.set(niftiHeader(grid, voxels));
  return readHeader(file.buffer) as NIFTI1;
}

// Written out from the grid: x and y of RAS are the negatives of LPS. nibabel 5.4.2 and ITK 5.4 read the same.
const OBLIQUE_RAS = [
  [-0.6062178, 0.5168309, -0.4275252, 120.25],
  [-0.35, -0.8951774, 0.7404953, -33.5],
  [0, 0.3762222, 2.3492316, -410.125],
  [0, 0, 0, 1],
];

function expectClose(found: readonly (readonly number[])[], wanted: readonly (readonly number[])[]): void {
  found.flat().forEach((value, n) => expect(value).toBeCloseTo(wanted.flat()[n] ?? Number.NaN, 5));
}

test("another reader finds the sform in RAS, the shape and the unit", () => {
  const header = readByOthers(oblique, new Int16Array(60));
  expect(header.dims).toEqual([3, 5, 4, 3, 1, 1, 1, 1]);
  expectClose(header.affine, OBLIQUE_RAS);
  expect([header.sform_code, header.qform_code]).toEqual([1, 1]);
  expect(header.xyzt_units).toBe(2);
  expect([header.vox_offset, header.scl_slope, header.scl_inter]).toEqual([352, 1, 0]);
});

test("the qform of an orthogonal grid says what the sform says", () => {
  expectClose(readByOthers(oblique, new Int16Array(60)).getQformMat(), OBLIQUE_RAS);
});

test("a left-handed stack has pixdim[0] -1 and still both forms", () => {
  const { perSlice } = oblique.affine;
  const header = readByOthers(
    placed({ perSlice: [-perSlice[0], -perSlice[1], -perSlice[2]] }),
    new Int16Array(60),
  );
  expect([header.pixDims[0], header.qform_code]).toEqual([-1, 1]);
  expectClose(header.getQformMat(), header.affine);
});

test("a tilted stack has no qform, since a qform would straighten it", () => {
  const [x, y, z] = oblique.affine.perSlice;
  const tilted = readByOthers(placed({ perSlice: [x, y + 0.4, z] }), new Int16Array(60));
  expect([tilted.sform_code, tilted.qform_code]).toEqual([1, 0]);
});

// a = sqrt(1 - b² - c² - d²) has lost its digits there: 0.1° off an axial stack would come back as something else.
test("a stack almost half a turn off RAS has no qform when float32 cannot hold the rest of the turn", () => {
  const angle = (0.1 * Math.PI) / 180;
  const turned: Grid = {
    size: [512, 512, 300],
    affine: {
      origin: [-130, -130, 40],
      perColumn: [0.5 * Math.cos(angle), 0.5 * Math.sin(angle), 0],
      perRow: [-0.5 * Math.sin(angle), 0.5 * Math.cos(angle), 0],
      perSlice: [0, 0, 0.5],
    },
  };
  const header = readByOthers(turned, new Int16Array(1));
  const matrix = header.getQformMat();
  const corner = (m: readonly (readonly number[])[]): number[] =>
    [0, 1].map((axis) => 511 * (m[axis]?.[0] ?? 0) + 511 * (m[axis]?.[1] ?? 0) + (m[axis]?.[3] ?? 0));
  const [x = 0, y = 0] = corner(matrix);
  const [wantedX = 0, wantedY = 0] = corner(header.affine);
  const apart = Math.hypot(x - wantedX, y - wantedY);
  expect(header.qform_code === 0 || apart < 1e-3).toBe(true);
});

test.each([
  ["uint8", new Uint8Array(60), 2, 8],
  ["int16", new Int16Array(60), 4, 16],
  ["uint16", new Uint16Array(60), 512, 16],
  ["float32", new Float32Array(60), 16, 32],
])("%s voxels are announced as such", (_, voxels, datatype, bits) => {
  const header = readByOthers(oblique, voxels);
  expect([header.datatypeCode, header.numBitsPerVoxel]).toEqual([datatype, bits]);
});

test("every right-angled orientation gets a qform that agrees with its sform", () => {
  const axes: readonly Vector[] = [
    [0.3, 0, 0],
    [0, 0.5, 0],
    [0, 0, 0.9],
  ];
  for (const [a, b, c] of [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ] as const) {
    for (const signs of [
      [1, 1, 1],
      [-1, 1, 1],
      [1, -1, 1],
      [1, 1, -1],
      [-1, -1, 1],
      [-1, 1, -1],
      [1, -1, -1],
      [-1, -1, -1],
    ]) {
      const step = (axis: 0 | 1 | 2, at: number): Vector =>
        (axes[axis] as Vector).map((n) => n * (signs[at] ?? 1)) as unknown as Vector;
      const grid = placed({ perColumn: step(a, 0), perRow: step(b, 1), perSlice: step(c, 2) });
      const header = readByOthers(grid, new Int16Array(60));
      expect(header.qform_code).toBe(1);
      expectClose(header.getQformMat(), header.affine);
    }
  }
});

function placed(affine: Partial<Affine>): Grid {
  return { size: oblique.size, affine: { ...oblique.affine, ...affine } };
}

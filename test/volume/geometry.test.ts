import { expect, test } from "vitest";
import {
  affineOf,
  isSameOrientation,
  normalOf,
  orientationOf,
  spacingOf,
  tiltDegreesOf,
  vectorOf,
  voxelToPatient,
} from "../../src/volume/geometry.ts";

const AXIAL = { row: [1, 0, 0], column: [0, 1, 0] } as const;
const SAGITTAL = { row: [0, 1, 0], column: [0, 0, -1] } as const;
/** Turned by 36.87 degrees about z: 3-4-5 triangles keep the expected values exact. */
const OBLIQUE = { row: [0.8, 0.6, 0], column: [-0.6, 0.8, 0] } as const;

// The two spacings differ on purpose: with square pixels a swap would pass.
test("a step in column moves by the second pixel spacing, a step in row by the first", () => {
  const { perColumn, perRow } = affineOf(
    { orientation: AXIAL, spacing: [0.5, 2], position: [0, 0, 0] },
    [0, 0, 3],
  );
  expect(perColumn).toEqual([2, 0, 0]);
  expect(perRow).toEqual([0, 0.5, 0]);
});

test("columns follow the row direction of an oblique plane, rows its column direction", () => {
  const affine = affineOf({ orientation: OBLIQUE, spacing: [0.5, 2], position: [10, 20, 30] }, [0, 0, 3]);
  const [x, y, z] = voxelToPatient(affine, [5, 2, 1]);
  // 10 + 5·2·0.8 − 2·0.5·0.6; 20 + 5·2·0.6 + 2·0.5·0.8; 30 + 3
  expect(x).toBeCloseTo(17.4, 12);
  expect(y).toBeCloseTo(26.8, 12);
  expect(z).toBe(33);
});

test("the normal makes a right-handed frame with rows and columns", () => {
  expect(normalOf(AXIAL)).toEqual([0, 0, 1]);
  expect(normalOf(SAGITTAL)).toEqual([-1, 0, 0]);
});

test("spacing is measured along columns, rows and the normal, also in a tilted stack", () => {
  const tilted = affineOf({ orientation: AXIAL, spacing: [0.5, 2], position: [0, 0, 0] }, [0, 4, 3]);
  expect(spacingOf(tilted)).toEqual([2, 0.5, 3]);
});

test("the tilt is the angle between step and normal", () => {
  const straight = affineOf({ orientation: AXIAL, spacing: [1, 1], position: [0, 0, 0] }, [0, 0, 3]);
  const forward = affineOf({ orientation: AXIAL, spacing: [1, 1], position: [0, 0, 0] }, [0, 4, 3]);
  const backward = affineOf({ orientation: AXIAL, spacing: [1, 1], position: [0, 0, 0] }, [0, -4, 3]);
  expect(tiltDegreesOf(straight)).toBe(0);
  expect(tiltDegreesOf(forward)).toBeCloseTo(53.130102, 6);
  expect(tiltDegreesOf(backward)).toBeCloseTo(53.130102, 6);
});

test.each([[[1, 2]], [[1, 2, 3, 4]], [[1, 2, Number.NaN]], [[1, 2, Number.POSITIVE_INFINITY]]])(
  "%j is no vector",
  (numbers) => {
    expect(vectorOf(numbers)).toBeUndefined();
  },
);

test.each([
  ["zero vectors", [0, 0, 0, 0, 0, 0]],
  ["parallel vectors", [1, 0, 0, 1, 0, 0]],
  ["vectors at 80 degrees", [1, 0, 0, 0.1736, 0.9848, 0]],
  ["vectors twice as long", [2, 0, 0, 0, 2, 0]],
  ["five numbers", [1, 0, 0, 0, 1]],
  ["a text among the numbers", [1, 0, 0, 0, 1, Number.NaN]],
])("%s are no orientation", (_, numbers) => {
  expect(orientationOf(numbers)).toBeUndefined();
});

test("an orientation printed with three digits is one", () => {
  expect(orientationOf([0.966, 0.259, 0, -0.259, 0.966, 0])).toEqual({
    row: [0.966, 0.259, 0],
    column: [-0.259, 0.966, 0],
  });
});

test("orientations are the same up to rounding, not when turned by a tenth of a degree", () => {
  const turned = { row: [0.9999985, 0.0017453, 0], column: [-0.0017453, 0.9999985, 0] } as const;
  const rounded = { row: [1, 0.00001, 0], column: [0, 0.99999, 0] } as const;
  expect(isSameOrientation(AXIAL, rounded)).toBe(true);
  expect(isSameOrientation(AXIAL, turned)).toBe(false);
});

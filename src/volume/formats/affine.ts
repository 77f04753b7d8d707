/**
 * Affines in the words of image files: RAS rows and quaternions.
 *
 * In, out: affines in LPS (volume.ts). Pure.
 *
 * In a NIfTI file x grows to the right and y to the front, in DICOM to the left and to the back: both change sign.
 */
import type { Affine, Grid, Vector } from "../volume.ts";

/** One row of the matrix from (column, row, slice) to millimetres along one axis of the world. */
export type Row = readonly [perColumn: number, perRow: number, perSlice: number, origin: number];

/** Signs that turn x, y, z of a named space into LPS, or back. */
export const SIGNS = {
  LPS: [1, 1, 1],
  RAS: [-1, -1, 1],
  LAS: [1, -1, 1],
} as const satisfies Record<string, Vector>;

/** A qform: a rotation, three spacings, and whether the third axis is turned over (NIfTI's qfac). RAS, mm. */
export interface Qform {
  /** (b, c, d) of the unit quaternion; a is what is missing to length 1. */
  readonly vector: Vector;
  readonly offset: Vector;
  readonly spacing: Vector;
  readonly handedness: 1 | -1;
}

/** Centre of voxel (i, j, k), in mm, LPS. */
export function pointAt(affine: Affine, [i, j, k]: Vector): Vector {
  const { origin, perColumn, perRow, perSlice } = affine;
  const along = (axis: 0 | 1 | 2): number =>
    origin[axis] + i * perColumn[axis] + j * perRow[axis] + k * perSlice[axis];
  return [along(0), along(1), along(2)];
}

/** The eight corner voxels of a grid, as indices. */
export function cornersOf({ size: [columns, rows, slices] }: Pick<Grid, "size">): readonly Vector[] {
  return [0, columns - 1].flatMap((i) =>
    [0, rows - 1].flatMap((j) => [0, slices - 1].map((k): Vector => [i, j, k])),
  );
}

export function distance(a: Vector, b: Vector): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** How far apart two affines put a corner voxel, mm; NaN if one of them is not finite. */
export function largestDistance({ size, affine }: Grid, other: Affine): number {
  return Math.max(
    ...cornersOf({ size }).map((corner) => distance(pointAt(affine, corner), pointAt(other, corner))),
  );
}

export function smallestStep({ perColumn, perRow, perSlice }: Affine): number {
  return Math.min(...[perColumn, perRow, perSlice].map((step) => Math.hypot(...step)));
}

/** A vector in mm as steps along the axes of an affine (Cramer's rule); not finite where the axes are not three. */
export function stepsAlong(v: Vector, affine: Affine): Vector {
  const whole = determinant(affine);
  return [
    determinant({ ...affine, perColumn: v }) / whole,
    determinant({ ...affine, perRow: v }) / whole,
    determinant({ ...affine, perSlice: v }) / whole,
  ];
}

export function toRasRows(affine: Affine): readonly [x: Row, y: Row, z: Row] {
  const row = (axis: 0 | 1 | 2): Row => {
    const sign = SIGNS.RAS[axis];
    return [
      turned(affine.perColumn[axis], sign),
      turned(affine.perRow[axis], sign),
      turned(affine.perSlice[axis], sign),
      turned(affine.origin[axis], sign),
    ];
  };
  return [row(0), row(1), row(2)];
}

export function fromRasRows([x, y, z]: readonly [x: Row, y: Row, z: Row]): Affine {
  const column = (at: 0 | 1 | 2 | 3): Vector => toLps([x[at], y[at], z[at]], SIGNS.RAS);
  return { perColumn: column(0), perRow: column(1), perSlice: column(2), origin: column(3) };
}

export function toLps([x, y, z]: Vector, signs: Vector): Vector {
  return [turned(x, signs[0]), turned(y, signs[1]), turned(z, signs[2])];
}

/** Adding 0 keeps -0 out of files and messages. */
function turned(value: number, sign: number): number {
  return value * sign + 0;
}

/** The nearest qform, in float32 as a file holds it; of a sheared affine it keeps the spacings, not the angles. */
export function toQform(affine: Affine): Qform {
  const [x, y, z] = toRasRows(affine);
  const spacing = [affine.perColumn, affine.perRow, affine.perSlice].map((v) => Math.hypot(...v));
  const [dx = 1, dy = 1, dz = 1] = spacing;
  const handedness = determinant(affine) < 0 ? -1 : 1;
  const unit = (row: Row): Vector => [row[0] / dx, row[1] / dy, (handedness * row[2]) / dz];
  const offset = single([x[3], y[3], z[3]]);
  const vector = single(quaternionOf([unit(x), unit(y), unit(z)]));
  return { vector, offset, spacing: single([dx, dy, dz]), handedness };
}

/**
 * Half a turn has a = 0, which float32 (b, c, d) miss by a little; nifti1_io.c sets the limit used here.
 *
 * @see nifti1.h, method 2
 */
export function fromQform({ vector, offset, spacing: [dx, dy, dz], handedness }: Qform): Affine {
  const length = Math.hypot(...vector);
  const missing = 1 - length * length;
  const halfTurn = missing < 1e-7;
  const a = halfTurn ? 0 : Math.sqrt(missing);
  const [b, c, d] = halfTurn ? (vector.map((n) => n / length) as [number, number, number]) : vector;
  const q = handedness * dz;
  return fromRasRows([
    [dx * (a * a + b * b - c * c - d * d), dy * 2 * (b * c - a * d), q * 2 * (b * d + a * c), offset[0]],
    [dx * 2 * (b * c + a * d), dy * (a * a + c * c - b * b - d * d), q * 2 * (c * d - a * b), offset[1]],
    [dx * 2 * (b * d - a * c), dy * 2 * (c * d + a * b), q * (a * a + d * d - b * b - c * c), offset[2]],
  ]);
}

/** Volume of one voxel, in mm³; negative where the three axes are left-handed. */
function determinant({ perColumn: u, perRow: v, perSlice: w }: Affine): number {
  return (
    u[0] * (v[1] * w[2] - v[2] * w[1]) -
    u[1] * (v[0] * w[2] - v[2] * w[0]) +
    u[2] * (v[0] * w[1] - v[1] * w[0])
  );
}

/** (b, c, d) with a ≥ 0 of a rotation matrix given by rows; the largest of the four is found first, to divide by it. */
function quaternionOf([x, y, z]: readonly [x: Vector, y: Vector, z: Vector]): Vector {
  const squares = [
    1 + x[0] + y[1] + z[2],
    1 + x[0] - y[1] - z[2],
    1 - x[0] + y[1] - z[2],
    1 - x[0] - y[1] + z[2],
  ];
  const largest = squares.indexOf(Math.max(...squares));
  const double = Math.sqrt(squares[largest] ?? 0); // 2·a, 2·b, 2·c or 2·d
  const bySide = (m: number): number => m / (2 * double);
  const [ab, ac, ad] = [z[1] - y[2], x[2] - z[0], y[0] - x[1]].map(bySide) as [number, number, number];
  const [bc, bd, cd] = [y[0] + x[1], x[2] + z[0], z[1] + y[2]].map(bySide) as [number, number, number];
  if (largest === 0) return [ab, ac, ad];
  const vectors: readonly Vector[] = [
    [double / 2, bc, bd],
    [bc, double / 2, cd],
    [bd, cd, double / 2],
  ];
  const [b, c, d] = vectors[largest - 1] as Vector;
  const sign = [ab, ac, ad][largest - 1] as number; // that of a
  return sign < 0 ? [-b, -c, -d] : [b, c, d];
}

function single([x, y, z]: Vector): Vector {
  return [Math.fround(x), Math.fround(y), Math.fround(z)];
}

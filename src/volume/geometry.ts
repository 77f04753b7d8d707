/**
 * Geometry: from voxel indices to the patient.
 *
 * In:   position, orientation and spacing of slices, as numbers, already sorted (volume/slices.ts).
 * Out:  vectors in millimetres, in the patient's LPS frame.
 * Pure: no I/O, no clock, no logging.
 *
 * The slice step is measured between positions, never read from (0018,0088) Spacing Between Slices: that
 * attribute is optional and sometimes wrong, and it cannot say that a stack is tilted.
 */
import type { Affine, Vector } from "./volume.ts";

/** (0020,0037) Image Orientation (Patient): unit vectors along a row and down a column. */
export interface Orientation {
  readonly row: Vector;
  readonly column: Vector;
}

/** (0028,0030) Pixel Spacing in mm: its order is the standard's, rows first (PS3.3 10.7.1.3). */
export type PixelSpacing = readonly [betweenRows: number, betweenColumns: number];

/** Cosines come with three digits at worst; zero, long and oblique vectors are far off. */
const UNIT_TOLERANCE = 1e-2;

/** Three finite numbers as a vector; anything else is none. */
export function vectorOf(numbers: readonly number[]): Vector | undefined {
  const [x, y, z] = numbers;
  if (numbers.length !== 3 || !numbers.every(Number.isFinite)) return undefined;
  return [x!, y!, z!];
}

/** Six numbers as two perpendicular unit vectors; anything else is none. */
export function orientationOf(numbers: readonly number[]): Orientation | undefined {
  const row = vectorOf(numbers.slice(0, 3));
  const column = vectorOf(numbers.slice(3));
  if (!row || !column) return undefined;
  const off = [length(row) - 1, length(column) - 1, dot(row, column)];
  return off.every((error) => Math.abs(error) <= UNIT_TOLERANCE) ? { row, column } : undefined;
}

/** Two printings of one orientation: 1e-4 is 0.05 mm at the far side of a 512 mm field. */
const COSINE_TOLERANCE = 1e-4;

export function isSameOrientation(a: Orientation, b: Orientation): boolean {
  const ours = [...a.row, ...a.column];
  return [...b.row, ...b.column].every((cosine, at) => Math.abs(cosine - ours[at]!) <= COSINE_TOLERANCE);
}

/**
 * Where the centre of every voxel of an evenly spaced stack lies.
 *
 * @param perSlice  from each slice to the next, in mm
 * @returns         steps per index; index (0, 0, 0) is the top left of the first slice
 * @see             PS3.3 C.7.6.2.1.1, Equation C.7.6.2.1-1
 */
export function affineOf(
  plane: { readonly orientation: Orientation; readonly spacing: PixelSpacing; readonly position: Vector },
  perSlice: Vector,
): Affine {
  const [betweenRows, betweenColumns] = plane.spacing;
  return {
    origin: plane.position,
    perColumn: scale(plane.orientation.row, betweenColumns),
    perRow: scale(plane.orientation.column, betweenRows),
    perSlice,
  };
}

/** The centre of voxel (i, j, k), in mm, LPS; fractions are points between centres. */
export function voxelToPatient(affine: Affine, [i, j, k]: Vector): Vector {
  const inPlane = add(scale(affine.perColumn, i), scale(affine.perRow, j));
  return add(affine.origin, add(inPlane, scale(affine.perSlice, k)));
}

/** Unit vector that rows, columns and it form a right-handed frame with; the direction in which slices count. */
export function normalOf({ row, column }: Orientation): Vector {
  const across = cross(row, column);
  return scale(across, 1 / length(across));
}

/** Distance in mm between neighbouring columns, rows, and planes; the last along the normal, also if tilted. */
export function spacingOf(affine: Affine): readonly [columns: number, rows: number, planes: number] {
  const normal = normalOf({ row: affine.perColumn, column: affine.perRow });
  return [length(affine.perColumn), length(affine.perRow), Math.abs(dot(affine.perSlice, normal))];
}

/** Angle in degrees between the slice step and the normal: the gantry tilt of a sheared stack, else near 0. */
export function tiltDegreesOf(affine: Affine): number {
  const normal = normalOf({ row: affine.perColumn, column: affine.perRow });
  const along = Math.abs(dot(affine.perSlice, normal));
  const across = length(cross(affine.perSlice, normal));
  return (Math.atan2(across, along) * 180) / Math.PI;
}

function add(a: Vector, b: Vector): Vector {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

export function subtract(a: Vector, b: Vector): Vector {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

export function scale(a: Vector, factor: number): Vector {
  return [a[0] * factor, a[1] * factor, a[2] * factor];
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function length(a: Vector): number {
  return Math.hypot(...a);
}

/**
 * The voxels as a model is sent them: the source's own, in another order of axes where the model wants one.
 *
 * In:   the grid of the source, the orientation and the layout of the request.
 * Out:  the grid that is sent, with the same voxels at the same places, its axes exchanged and reversed; and in which
 *       order the source's numbers are written.
 * Pure. Nothing is resampled: an oblique stack stays oblique, its axes are only put in the nearest order.
 */
import { SIGNS } from "../volume/formats/affine.ts";
import type { Affine, Grid, Vector } from "../volume/volume.ts";
import type { Orientation } from "./model.ts";

type Axis = 0 | 1 | 2;

/** Which number of the source comes where: start + i·steps[0] + j·steps[1] + k·steps[2], i fastest. */
export interface Order {
  readonly size: Vector;
  readonly start: number;
  readonly steps: Vector;
}

export interface Arrangement {
  /** Columns, rows and slices are X, Y and Z of the layout. */
  readonly grid: Grid;
  readonly order: Order;
  /** As the source holds them. */
  readonly isNative: boolean;
}

interface Shape {
  readonly orientation: Orientation;
  /** Axes, slowest first; of files with axes of their own it is ZYX. */
  readonly layout: string;
}

/** A grid that knows where its voxels stand in the source. */
interface Turned extends Grid {
  readonly start: number;
  readonly strides: Vector;
}

const ORDERS: readonly (readonly [Axis, Axis, Axis])[] = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

/** Letters of a layout: X counts columns, Y rows, Z slices of what is sent; N and C have one entry. */
export const LAYOUT = /^[NC]{0,2}(?:XYZ|XZY|YXZ|YZX|ZXY|ZYX)[NC]?$/;

export function arrangementOf(source: Grid, { orientation, layout }: Shape): Arrangement {
  const [columns, rows] = source.size;
  const held: Turned = { ...source, start: 0, strides: [1, columns, columns * rows] };
  const turned = orientation === "native" ? held : oriented(held, SIGNS[orientation]);
  const fastestFirst = layout
    .split("")
    .toReversed()
    .filter((letter) => "XYZ".includes(letter));
  const axes = fastestFirst.map((letter) => "XYZ".indexOf(letter) as Axis) as [Axis, Axis, Axis];
  const { size, affine, start } = turned;
  const written = permuted(turned, axes);
  return {
    grid: { size, affine },
    order: { size: written.size, start, steps: written.strides },
    isNative: start === 0 && written.strides.every((stride, axis) => stride === held.strides[axis]),
  };
}

/** As the layout has it, slowest first, with 1 for N and C. */
export function shapeOf({ size }: Grid, layout: string): readonly number[] {
  return layout.split("").map((letter) => size["XYZ".indexOf(letter)] ?? 1);
}

/** Lengths of the steps along X, Y and Z, mm. */
export function spacingOf({ affine }: Grid): Vector {
  const [x, y, z] = stepsOf(affine).map((step) => Math.hypot(...step));
  return [x as number, y as number, z as number];
}

/** Its axes run, as nearly as they can, along x, y, z of a space with these signs towards LPS. */
function oriented(grid: Turned, signs: Vector): Turned {
  const units = stepsOf(grid.affine).map((step) => {
    const length = Math.hypot(...step);
    return step.map((component, axis) => (component / length) * signs[axis]!);
  });
  const along = (order: readonly [Axis, Axis, Axis]): number =>
    order.reduce<number>((sum, from, to) => sum + Math.abs(units[from]![to]!), 0);
  const best = ORDERS.reduce((one, other) => (along(other) > along(one) + 1e-9 ? other : one));
  return best.reduce<Turned>(
    (turned, from, to) => (units[from]![to]! < 0 ? reversed(turned, to as Axis) : turned),
    permuted(grid, best),
  );
}

function permuted(grid: Turned, [x, y, z]: readonly [Axis, Axis, Axis]): Turned {
  const { size, affine, start, strides } = grid;
  const steps = stepsOf(affine);
  return {
    size: [size[x], size[y], size[z]],
    affine: { origin: affine.origin, perColumn: steps[x], perRow: steps[y], perSlice: steps[z] },
    start,
    strides: [strides[x], strides[y], strides[z]],
  };
}

function reversed({ size, affine, start, strides }: Turned, axis: Axis): Turned {
  const steps = stepsOf(affine);
  const step = steps[axis];
  const last = size[axis] - 1;
  const { origin } = affine;
  const back: Vector = [-step[0] + 0, -step[1] + 0, -step[2] + 0];
  const turnedBack = (each: Vector, at: Axis): Vector => (at === axis ? back : each);
  const [x, y, z] = strides;
  return {
    size,
    affine: {
      origin: [origin[0] + last * step[0], origin[1] + last * step[1], origin[2] + last * step[2]],
      perColumn: turnedBack(steps[0], 0),
      perRow: turnedBack(steps[1], 1),
      perSlice: turnedBack(steps[2], 2),
    },
    start: start + last * strides[axis],
    strides: [axis === 0 ? -x : x, axis === 1 ? -y : y, axis === 2 ? -z : z],
  };
}

function stepsOf(affine: Affine): readonly [Vector, Vector, Vector] {
  return [affine.perColumn, affine.perRow, affine.perSlice];
}

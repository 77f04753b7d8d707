/**
 * A part of a volume around what another model found, and the way back onto the whole. Runs in a worker.
 *
 * In:   a volume, findings on its grid, a margin in mm; findings on the part.
 * Out:  the part as a volume of its own; findings on the whole grid.
 * Pure.
 *
 * The part is whole voxels of the whole: its origin is moved by whole steps, nothing is resampled, so a label that
 * is pasted back stands on the voxel that it was found in.
 */
import type { Affine, Findings, Grid, Labels, Vector, Volume, Voxels } from "../volume/volume.ts";

type Index = readonly [i: number, j: number, k: number];

/** Voxels from `from` on, `size` in each direction; both at least one voxel inside the grid. */
export interface Box {
  readonly from: Index;
  readonly size: Index;
}

export interface Around {
  readonly findings: Findings;
  /** Without them, whatever was found. */
  readonly labels?: readonly number[];
  readonly marginMm: number;
}

export type Cropped =
  | {
      readonly kind: "part";
      readonly volume: Volume;
      readonly box: Box;
      /** Of each of what was asked for, without its margin, in voxels of the part. */
      readonly found: readonly Box[];
    }
  | { readonly kind: "nothing" };

/** The box that holds all that was asked for, each with its margin; nothing if one of them found nothing. */
export function cropAround(input: { readonly volume: Volume; readonly around: readonly Around[] }): Cropped {
  const { volume, around } = input;
  const tight = around.flatMap(({ findings, labels }) => boxOf(findings, labels) ?? []);
  if (tight.length < around.length) return { kind: "nothing" };
  const box = tight.map((each, at) => widened(each, around[at]!.marginMm, volume.grid)).reduce(union);
  const found = tight.map(({ from, size }) => ({
    from: [from[0] - box.from[0], from[1] - box.from[1], from[2] - box.from[2]] as const,
    size,
  }));
  return { kind: "part", volume: partOf(volume, box), box, found };
}

export function pasteBack(input: {
  readonly findings: Findings;
  readonly box: Box;
  readonly grid: Grid;
}): Findings {
  const { findings, box, grid } = input;
  const { probabilities } = findings;
  return {
    ...findings,
    grid,
    layers: findings.layers.map((labels) => spread(labels, box, grid)),
    ...(probabilities && {
      probabilities: new Map(
        [...probabilities].map(([label, values]) => [label, spread(values, box, grid)] as const),
      ),
    }),
  };
}

/** The smallest box around the labels; undefined if there is none. */
function boxOf({ grid, layers }: Findings, wanted: readonly number[] | undefined): Box | undefined {
  const boxes = layers.flatMap((labels) => boxOfLayer(labels, grid, wanted && new Set(wanted)) ?? []);
  return boxes.length > 0 ? boxes.reduce(union) : undefined;
}

function boxOfLayer(
  labels: Labels,
  { size: [columns, rows, slices] }: Grid,
  wanted: ReadonlySet<number> | undefined,
): Box | undefined {
  const isWanted = wanted
    ? (label: number): boolean => wanted.has(label)
    : (label: number): boolean => label > 0;
  const low = [columns, rows, slices];
  const high = [-1, -1, -1];
  for (let k = 0; k < slices; k++) {
    for (let j = 0; j < rows; j++) {
      const start = (k * rows + j) * columns;
      let first = 0;
      while (first < columns && (labels[start + first] === 0 || !isWanted(labels[start + first]!))) first++;
      if (first === columns) continue;
      let last = columns - 1;
      while (!isWanted(labels[start + last]!)) last--;
      low[0] = Math.min(low[0]!, first);
      high[0] = Math.max(high[0]!, last);
      low[1] = Math.min(low[1]!, j);
      high[1] = Math.max(high[1]!, j);
      low[2] = Math.min(low[2]!, k);
      high[2] = k;
    }
  }
  return high[2]! < 0 ? undefined : between(low as unknown as Index, high as unknown as Index);
}

function widened(tight: Box, marginMm: number, { size, affine }: Grid): Box {
  const distances = planeDistances(affine);
  const steps = (axis: 0 | 1 | 2): number => Math.ceil(marginMm / distances[axis] - ROUNDING);
  const low = AXES.map((axis) => Math.max(0, tight.from[axis] - steps(axis)));
  const high = AXES.map((axis) =>
    Math.min(size[axis] - 1, tight.from[axis] + tight.size[axis] - 1 + steps(axis)),
  );
  return between(low as unknown as Index, high as unknown as Index);
}

const AXES = [0, 1, 2] as const;
/** 10 mm over steps of 0.1 mm are 100 of them, whatever the division says. */
const ROUNDING = 1e-6;

/** Between planes of voxels, not along the edge: in a tilted stack a margin is as wide as it says, too. */
function planeDistances({ perColumn, perRow, perSlice }: Affine): Vector {
  const volume = Math.abs(dot(perColumn, cross(perRow, perSlice)));
  const area = (a: Vector, b: Vector): number => Math.hypot(...cross(a, b));
  return [
    volume / area(perRow, perSlice),
    volume / area(perSlice, perColumn),
    volume / area(perColumn, perRow),
  ];
}

function partOf({ grid, voxels }: Volume, { from, size }: Box): Volume {
  const [columns, rows, slices] = size;
  const part = like(voxels, columns * rows * slices);
  forRows(grid, { from, size }, (whole, inPart) => {
    part.set(voxels.subarray(whole, whole + columns), inPart);
  });
  return { grid: { size, affine: movedBy(grid.affine, from) }, voxels: part };
}

function spread<Values extends Labels>(values: Values, box: Box, grid: Grid): Values {
  const [columns, rows, slices] = grid.size;
  const whole = like(values, columns * rows * slices);
  forRows(grid, box, (inWhole, inPart) => {
    whole.set(values.subarray(inPart, inPart + box.size[0]), inWhole);
  });
  return whole;
}

/** Calls back with where each row of the box begins, in the whole and in the part. */
function forRows({ size }: Grid, box: Box, each: (inWhole: number, inPart: number) => void): void {
  const [i, j, k] = box.from;
  const [columns, rows, slices] = box.size;
  for (let slice = 0; slice < slices; slice++) {
    for (let row = 0; row < rows; row++) {
      each(((k + slice) * size[1] + j + row) * size[0] + i, (slice * rows + row) * columns);
    }
  }
}

function movedBy({ origin, perColumn, perRow, perSlice }: Affine, [i, j, k]: Index): Affine {
  const along = (axis: 0 | 1 | 2): number =>
    origin[axis] + i * perColumn[axis] + j * perRow[axis] + k * perSlice[axis];
  return { origin: [along(0), along(1), along(2)], perColumn, perRow, perSlice };
}

/** Of the same kind, filled with 0, in shared memory. */
function like<Values extends Voxels | Labels>(values: Values, length: number): Values {
  const buffer = new SharedArrayBuffer(length * values.BYTES_PER_ELEMENT);
  const Kind = values.constructor as new (buffer: SharedArrayBuffer) => Values;
  return new Kind(buffer);
}

function union(a: Box, b: Box): Box {
  const low = AXES.map((axis) => Math.min(a.from[axis], b.from[axis]));
  const high = AXES.map((axis) => Math.max(a.from[axis] + a.size[axis], b.from[axis] + b.size[axis]) - 1);
  return between(low as unknown as Index, high as unknown as Index);
}

/** Both ends belong to it. */
function between(low: Index, high: Index): Box {
  return { from: [...low], size: [high[0] - low[0] + 1, high[1] - low[1] + 1, high[2] - low[2] + 1] };
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

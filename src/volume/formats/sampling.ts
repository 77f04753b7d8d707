/**
 * Reads an answer in the order of the source's voxels.
 *
 * In:   how the numbers of an answer are laid out, and how its index comes from the source's (placement.ts).
 * Out:  for each row of the source, where the number of each of its voxels stands.
 * Pure. The inner loops add and compare, and allocate nothing.
 *
 * Nearest neighbour: the voxel whose centre is nearest. A centre that lies in the middle of two goes to the one of
 * higher index, for every voxel alike: without the small bias, rounding would send one here and the next one there.
 */
import { NodeError } from "../../base/errors.ts";
import type { Grid, Vector } from "../volume.ts";
import { stepsAlong } from "./affine.ts";
import type { ImageHeader, Strides } from "./image.ts";

/** What of an answer says where its numbers are. */
export type Lying = Pick<ImageHeader, "grid" | "strides" | "hasPlace">;

/** How an answer's index comes from the source's: start + i·steps[0] + j·steps[1] + k·steps[2]. */
export interface IndexMap {
  readonly start: Vector;
  readonly steps: readonly [perColumn: Vector, perRow: Vector, perSlice: Vector];
}

export interface Sampling {
  readonly source: Grid;
  /**
   * Where the numbers of channel 0 stand for row j of slice k, −1 where the answer has none.
   *
   * @returns false if it has none in the whole row; `into` then says nothing
   */
  readonly row: (j: number, k: number, into: Int32Array) => boolean;
  /** The answer's voxels are the source's, in its order, one after another. */
  readonly inOrder: boolean;
  /** Of a voxel of the answer, whether it lies outside of the source; undefined where none does. */
  readonly isOutside: ((i: number, j: number, k: number) => boolean) | undefined;
  /** Spacing of the answer along its own axes, mm, where voxels do not correspond one to one. */
  readonly resampledFrom?: Vector;
}

/** Where a middle goes; far above rounding errors, far below a step that anybody sees. */
const BIAS = 1e-4;
const MIDDLE = 0.5 + BIAS;
/** What an Int32Array holds; no typed array of a model's answer needs more. */
const MOST_NUMBERS = 2 ** 31 - 1;

/** Of two grids on the same lattice. */
export function latticeSampling(answer: Lying, source: Grid, map: IndexMap): Sampling {
  const { size } = answer.grid;
  const alike = size.every((count, axis) => count === source.size[axis]);
  const unturned = map.start.every((n) => n === 0) && map.steps.every((step, axis) => step[axis] === 1);
  const [columns, rows] = source.size;
  const packed = [1, columns, columns * rows].every((step, axis) => answer.strides[axis] === step);
  return {
    source,
    row: tableRow(answer, source, map),
    inOrder: alike && unturned && packed,
    isOutside: coversAll(answer.grid, source, map) ? undefined : outsideOf(answer, source),
  };
}

/** Of any two grids. */
export function nearestSampling(answer: Lying, source: Grid, map: IndexMap): Sampling {
  const { perColumn, perRow, perSlice } = answer.grid.affine;
  const spacing = (step: Vector): number => Math.hypot(...step);
  const sampling = {
    source,
    row: isAlongAxes(map, source) ? tableRow(answer, source, map) : obliqueRow(answer, source, map),
    inOrder: false,
    isOutside: outsideOf(answer, source),
    resampledFrom: [spacing(perColumn), spacing(perRow), spacing(perSlice)] as const,
  };
  if (!hasAny(sampling)) throw new NodeError("LABEL_MAP_MISPLACED", "Answer lies outside of the volume");
  return sampling;
}

/** Of two grids on the same lattice: whether every voxel of the answer is one of the source. */
export function coversAll({ size }: Grid, source: Grid, map: IndexMap): boolean {
  return map.steps.every((step, axis) => {
    const along = alongOf(step);
    const last = map.start[along] + step[along] * ((source.size[axis] ?? 1) - 1);
    return Math.min(map.start[along], last) <= 0 && Math.max(map.start[along], last) >= size[along] - 1;
  });
}

/** Each axis of the source along one of the answer's: the offsets of an axis are a table, and their sum is the place. */
function tableRow({ grid, strides }: Lying, source: Grid, map: IndexMap): Sampling["row"] {
  requireAddressable(grid, strides);
  const table = (axis: 0 | 1 | 2): Int32Array => {
    const step = map.steps[axis];
    const along = alongOf(step);
    return Int32Array.from({ length: source.size[axis] }, (_, n) => {
      const index = Math.floor(map.start[along] + step[along] * n + MIDDLE);
      return index >= 0 && index < grid.size[along] ? index * strides[along] : -1;
    });
  };
  const [byColumn, byRow, bySlice] = [table(0), table(1), table(2)];
  const hasColumns = byColumn.some((offset) => offset >= 0);
  const hasGaps = byColumn.some((offset) => offset < 0);
  return (j, k, into) => {
    const [row, slice] = [byRow[j] as number, bySlice[k] as number];
    if (row < 0 || slice < 0 || !hasColumns) return false;
    const start = row + slice;
    const { length } = byColumn;
    if (hasGaps) {
      for (let i = 0; i < length; i += 1) {
        const offset = byColumn[i] as number;
        into[i] = offset < 0 ? -1 : start + offset;
      }
    } else {
      for (let i = 0; i < length; i += 1) into[i] = start + (byColumn[i] as number);
    }
    return true;
  };
}

function obliqueRow({ grid, strides }: Lying, source: Grid, { start, steps }: IndexMap): Sampling["row"] {
  requireAddressable(grid, strides);
  const [[ux, uy, uz], v, w] = steps;
  const [sizeX, sizeY, sizeZ] = grid.size;
  const [strideX, strideY, strideZ] = strides;
  const [columns] = source.size;
  const along = (axis: 0 | 1 | 2, j: number, k: number): number =>
    start[axis] + j * v[axis] + k * w[axis] + MIDDLE;
  return (j, k, into) => {
    const [x0, y0, z0] = [along(0, j, k), along(1, j, k), along(2, j, k)];
    let any = false;
    for (let i = 0; i < columns; i += 1) {
      const x = Math.floor(x0 + i * ux);
      const y = Math.floor(y0 + i * uy);
      const z = Math.floor(z0 + i * uz);
      const inside = x >= 0 && x < sizeX && y >= 0 && y < sizeY && z >= 0 && z < sizeZ;
      into[i] = inside ? x * strideX + y * strideY + z * strideZ : -1;
      any ||= inside;
    }
    return any;
  };
}

/** Whether, over the whole source, each of its axes moves along one of the answer's alone. */
function isAlongAxes({ steps }: IndexMap, source: Grid): boolean {
  const axes = steps.map(alongOf);
  const straight = steps.every((step, axis) =>
    step.every((n, at) => at === axes[axis] || Math.abs(n) * (source.size[axis] ?? 1) < BIAS),
  );
  return straight && new Set(axes).size === 3;
}

/** The axis of the answer that a step of the source goes along most. */
function alongOf(step: Vector): 0 | 1 | 2 {
  const lengths = step.map(Math.abs);
  return lengths.indexOf(Math.max(...lengths)) as 0 | 1 | 2;
}

function outsideOf({ grid }: Lying, source: Grid): NonNullable<Sampling["isOutside"]> {
  const { affine } = grid;
  const from: Vector = [
    affine.origin[0] - source.affine.origin[0],
    affine.origin[1] - source.affine.origin[1],
    affine.origin[2] - source.affine.origin[2],
  ];
  const start = stepsAlong(from, source.affine);
  const [u, v, w] = [affine.perColumn, affine.perRow, affine.perSlice].map((step) =>
    stepsAlong(step, source.affine),
  ) as [Vector, Vector, Vector];
  const beyond = (axis: 0 | 1 | 2, i: number, j: number, k: number): boolean => {
    const index = Math.floor(start[axis] + i * u[axis] + j * v[axis] + k * w[axis] + MIDDLE);
    return index < 0 || index >= source.size[axis];
  };
  return (i, j, k) => beyond(0, i, j, k) || beyond(1, i, j, k) || beyond(2, i, j, k);
}

function hasAny({ row, source: { size } }: Pick<Sampling, "row" | "source">): boolean {
  const into = new Int32Array(size[0]);
  for (let k = 0; k < size[2]; k += 1) {
    for (let j = 0; j < size[1]; j += 1) if (row(j, k, into)) return true;
  }
  return false;
}

function requireAddressable({ size }: Grid, strides: Strides): void {
  const last = size.reduce((sum, count, axis) => sum + (count - 1) * (strides[axis] as number), 0);
  if (last <= MOST_NUMBERS) return;
  throw new NodeError("MODEL_ANSWER_TOO_LARGE", `Answer with more than ${MOST_NUMBERS} numbers`);
}

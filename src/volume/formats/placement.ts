/**
 * Where the voxels of the source's grid are in an answer.
 *
 * In:   the header of an answer, the grid of the source, the grid that was sent, and how much is allowed.
 * Out:  a Sampling, which tells row by row of the source where its numbers stand; or LABEL_MAP_MISPLACED.
 * Pure.
 *
 * Some toolkits turn an image to their favourite orientation before they save it: that is always accepted where the
 * answer's own affine says so and its voxels are exactly those that were sent, in another order. A part of them, or
 * a margin around them, needs "placed"; another lattice needs "nearest". Nothing is ever placed by its index, and
 * what is half a voxel off is on another lattice.
 */
import { NodeError } from "../../base/errors.ts";
import type { Affine, Grid, Vector } from "../volume.ts";
import { cornersOf, distance, pointAt, smallestStep, stepsAlong } from "./affine.ts";
import {
  coversAll,
  type IndexMap,
  type Lying,
  latticeSampling,
  nearestSampling,
  type Sampling,
} from "./sampling.ts";

/** exact: the grid that was sent. placed: more or less of it. nearest: any, by nearest neighbour. */
export type GridPolicy = "exact" | "placed" | "nearest";

/**
 * How far apart the two may put one corner voxel. The affine of a NIfTI file is float32, and steps of 1e-7 relative
 * error add up to micrometres over a volume; a wrong spacing of 1 % is 1 voxel in 100.
 */
const TOLERANCE_VOXELS = 0.01;
const TOLERANCE_MM = 1e-3;

/**
 * @param sent  what the answer is an answer to: the source's grid, or a part or a turn of it that was sent
 * @throws LABEL_MAP_MISPLACED with both shapes and affines
 */
export function samplingOf(
  answer: Lying,
  { source, sent }: { readonly source: Grid; readonly sent: Grid },
  policy: GridPolicy,
): Sampling {
  const { grid } = answer;
  if (policy === "exact" || !answer.hasPlace) requireSame(grid, sent);
  const onLattice = latticeOf(grid, source);
  if (typeof onLattice !== "string") return latticeSampling(answer, source, onLattice);
  const resampledBySender = typeof latticeOf(sent, source) === "string";
  if (policy !== "nearest" && !(policy === "exact" && resampledBySender)) {
    throw misplaced(onLattice, grid, source);
  }
  const map = indexMap(grid.affine, source.affine);
  if (![map.start, ...map.steps].flat().every(Number.isFinite)) {
    throw misplaced("does not lie in space", grid, source);
  }
  return nearestSampling(answer, source, map);
}

/** The voxels that were sent, perhaps in another order. */
function requireSame(answer: Grid, sent: Grid): void {
  const map = latticeOf(answer, sent);
  if (typeof map === "string") throw misplaced(map, answer, sent);
  const same = map.steps.every(
    (step, axis) => answer.size[step.findIndex((n) => n !== 0)] === sent.size[axis],
  );
  if (!same) throw misplaced("has another shape", answer, sent);
  if (!coversAll(answer, sent, map)) throw misplaced("lies whole voxels off", answer, sent);
}

/** The two lattices as one, in whole numbers; else how the answer is off. */
function latticeOf(answer: Grid, source: Grid): IndexMap | string {
  const exact = indexMap(answer.affine, source.affine);
  const whole = (v: Vector): Vector => [Math.round(v[0]), Math.round(v[1]), Math.round(v[2])];
  const [u, v, w] = [whole(exact.steps[0]), whole(exact.steps[1]), whole(exact.steps[2])];
  if (!isTurn([u, v, w])) return "lies on other axes";
  const start = whole(exact.start);
  if (!start.every(Number.isSafeInteger)) return "lies elsewhere";
  const map: IndexMap = { start, steps: [u, v, w] };
  const overlap = cornersOfOverlap(answer, source, map);
  if (overlap.length === 0) return "lies outside";
  const apart = overlap.map((corner) =>
    distance(pointAt(answer.affine, indexAt(map, corner)), pointAt(source.affine, corner)),
  );
  const worst = Math.max(...apart);
  const tolerance = Math.max(TOLERANCE_MM, TOLERANCE_VOXELS * smallestStep(source.affine));
  return worst <= tolerance ? map : `lies ${worst.toPrecision(3)} mm off`;
}

/** Three axes of the one along three of the other, each in one step, up to sign. */
function isTurn(steps: readonly Vector[]): boolean {
  const axes = steps.map((step) => {
    const along = step.filter((n) => n !== 0);
    return along.length === 1 && Math.abs(along[0] as number) === 1 ? step.findIndex((n) => n !== 0) : -1;
  });
  return axes.every((axis) => axis >= 0) && new Set(axes).size === 3;
}

/** Of the source's voxels that the answer has as well, the corners. */
function cornersOfOverlap(answer: Grid, source: Grid, map: IndexMap): readonly Vector[] {
  const ranges = map.steps.map((step, axis) => {
    const along = step.findIndex((n) => n !== 0) as 0 | 1 | 2;
    const [from, to] = [map.start[along], map.start[along] + step[along] * ((source.size[axis] ?? 1) - 1)];
    const [least, most] = [
      Math.max(0, Math.min(from, to)),
      Math.min(answer.size[along] - 1, Math.max(from, to)),
    ];
    const ends = [(least - from) * step[along], (most - from) * step[along]] as const;
    return least <= most ? ([Math.min(...ends), Math.max(...ends)] as const) : undefined;
  });
  const [columns, rows, slices] = ranges;
  if (!columns || !rows || !slices) return [];
  const box = { size: [2, 2, 2] } as const;
  return cornersOf(box).map(
    ([i, j, k]): Vector => [columns[i as 0 | 1], rows[j as 0 | 1], slices[k as 0 | 1]],
  );
}

function indexMap(answer: Affine, source: Affine): IndexMap {
  const from: Vector = [
    source.origin[0] - answer.origin[0],
    source.origin[1] - answer.origin[1],
    source.origin[2] - answer.origin[2],
  ];
  return {
    start: stepsAlong(from, answer),
    steps: [
      stepsAlong(source.perColumn, answer),
      stepsAlong(source.perRow, answer),
      stepsAlong(source.perSlice, answer),
    ],
  };
}

function indexAt({ start, steps: [u, v, w] }: IndexMap, [i, j, k]: Vector): Vector {
  const along = (axis: 0 | 1 | 2): number => start[axis] + i * u[axis] + j * v[axis] + k * w[axis];
  return [along(0), along(1), along(2)];
}

function misplaced(how: string, answer: Grid, other: Grid): NodeError {
  return new NodeError(
    "LABEL_MAP_MISPLACED",
    `Answer ${how}: it is ${described(answer)}; the volume is ${described(other)}`,
  );
}

function described({ size, affine }: Grid): string {
  const vector = (v: Vector): string => `(${v.map((n) => Number(n.toPrecision(7))).join(", ")})`;
  const steps = [affine.perColumn, affine.perRow, affine.perSlice].map(vector).join(" ");
  return `${size.join("×")}, origin ${vector(affine.origin)}, steps ${steps} mm LPS`;
}

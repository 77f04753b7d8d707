/**
 * Where the voxels of an answer belong on the source's grid.
 *
 * In:   the grid an answer declares, and the grid that was sent.
 * Out:  the index on the source's grid of each of its voxels, or LABEL_MAP_MISPLACED.
 * Pure.
 *
 * Some toolkits turn an image to their favourite orientation before they save it. That is accepted where the
 * answer's own affine says so and its voxels are exactly the source's, in another order. Nothing is resampled,
 * and nothing is assumed about an answer that says something else: a shift of half a voxel is a refusal.
 */
import { NodeError } from "../../base/errors.ts";
import type { Affine, Grid, Vector } from "../volume.ts";
import { cornersOf, determinant, distance, pointAt } from "./affine.ts";

/** Voxel (i, j, k) of the answer is voxel start + i·steps[0] + j·steps[1] + k·steps[2] of the source. */
export interface Placement {
  readonly start: number;
  readonly steps: Vector;
}

/**
 * How far apart the two may put one corner voxel. The affine of a NIfTI file is float32, and steps of 1e-7 relative
 * error add up to micrometres over a volume; a wrong spacing of 1 % is 1 voxel in 100.
 */
const TOLERANCE_VOXELS = 0.01;
const TOLERANCE_MM = 1e-3;

/** @throws LABEL_MAP_MISPLACED with both shapes and affines */
export function placementOf(answer: Grid, source: Grid): Placement {
  const turn = turnOf(answer.affine, source.affine);
  if (!turn) throw misplaced("lies on other axes", answer, source);
  const sameShape = turn.every(({ axis }, n) => source.size[axis] === answer.size[n]);
  if (!sameShape) throw misplaced("has another shape", answer, source);

  const strides: Vector = [1, source.size[0], source.size[0] * source.size[1]];
  const last = (axis: 0 | 1 | 2): number => source.size[axis] - 1;
  const startIndex: [number, number, number] = [0, 0, 0];
  for (const { axis, reversed } of turn) startIndex[axis] = reversed ? last(axis) : 0;

  const inSource = (corner: Vector): Vector => {
    const index: [number, number, number] = [...startIndex];
    turn.forEach(({ axis, reversed }, n) => {
      index[axis] += (reversed ? -1 : 1) * (corner[n] ?? 0);
    });
    return index;
  };
  const apart = cornersOf(answer).map((corner) =>
    distance(pointAt(answer.affine, corner), pointAt(source.affine, inSource(corner))),
  );
  const tolerance = Math.max(TOLERANCE_MM, TOLERANCE_VOXELS * smallestStep(source.affine));
  const worst = Math.max(...apart);
  if (!(worst <= tolerance)) throw misplaced(`lies ${worst.toPrecision(3)} mm off`, answer, source);

  const [x, y, z] = turn.map(({ axis, reversed }) => (reversed ? -1 : 1) * strides[axis]);
  return {
    start: startIndex[0] * strides[0] + startIndex[1] * strides[1] + startIndex[2] * strides[2],
    steps: [x as number, y as number, z as number],
  };
}

interface Turned {
  /** The axis of the source along which this axis of the answer runs. */
  readonly axis: 0 | 1 | 2;
  readonly reversed: boolean;
}

/** Nearest turn from the answer's axes to the source's; undefined if they are not the same three, up to sign. */
function turnOf(answer: Affine, source: Affine): readonly Turned[] | undefined {
  const turns = [answer.perColumn, answer.perRow, answer.perSlice].map((step) => {
    const inSteps = coordinates(step, source).map(Math.round);
    const axis = inSteps.findIndex((n) => n !== 0);
    const alone = inSteps.every((n, at) => (at === axis ? Math.abs(n) === 1 : n === 0));
    return alone ? { axis: axis as 0 | 1 | 2, reversed: (inSteps[axis] ?? 0) < 0 } : undefined;
  });
  const sound = turns.filter((turn) => turn !== undefined);
  return new Set(sound.map(({ axis }) => axis)).size === 3 ? sound : undefined;
}

/** A direction, in steps along the axes of an affine (Cramer's rule). */
function coordinates(v: Vector, affine: Affine): readonly number[] {
  const whole = determinant(affine);
  return [
    determinant({ ...affine, perColumn: v }) / whole,
    determinant({ ...affine, perRow: v }) / whole,
    determinant({ ...affine, perSlice: v }) / whole,
  ];
}

function smallestStep(affine: Affine): number {
  return Math.min(...[affine.perColumn, affine.perRow, affine.perSlice].map((step) => Math.hypot(...step)));
}

function misplaced(how: string, answer: Grid, source: Grid): NodeError {
  return new NodeError(
    "LABEL_MAP_MISPLACED",
    `Label map ${how}: it is ${described(answer)}; the volume is ${described(source)}`,
  );
}

function described({ size, affine }: Grid): string {
  const vector = (v: Vector): string => `(${v.map((n) => Number(n.toPrecision(7))).join(", ")})`;
  const steps = [affine.perColumn, affine.perRow, affine.perSlice].map(vector).join(" ");
  return `${size.join("×")}, origin ${vector(affine.origin)}, steps ${steps} mm LPS`;
}

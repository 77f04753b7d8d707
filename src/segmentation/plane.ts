/**
 * The source's slices as numbers: where its grid lies and whether its steps are even. Pure.
 *
 * In:   the decimal strings that the source wrote.
 * Out:  millimetres in the patient's LPS frame.
 *
 * The step is the mean one between first and last slice, so that a series of uneven steps, which has no affine
 * in the strict sense, can still be compared with the map that was made from it.
 */
import {
  affineOf,
  dot,
  normalOf,
  type Orientation,
  orientationOf,
  scale,
  subtract,
  vectorOf,
} from "../volume/geometry.ts";
import { stepsAlong } from "../volume/steps.ts";
import type { Affine, Source, SourceFrame, Vector } from "../volume/volume.ts";

interface Planes {
  readonly orientation: Orientation;
  readonly positions: readonly Vector[];
}

/** @returns undefined if the source's strings are no geometry */
export function sourceAffine(source: Source): Affine | undefined {
  const planes = planesOf(source);
  const [betweenRows, betweenColumns] = source.pixelSpacing.map(Number);
  const first = planes?.positions[0];
  const last = planes?.positions.at(-1);
  if (!planes || !first || !last || !betweenRows || !betweenColumns) return undefined;
  const perSlice = scale(subtract(last, first), 1 / Math.max(slicesOf(source) - 1, 1));
  return affineOf(
    { orientation: planes.orientation, spacing: [betweenRows, betweenColumns], position: first },
    perSlice,
  );
}

/** How many slices the grid has: those that the series lacks are counted between the others. */
export function slicesOf({ slices, frames }: Source): number {
  return slices ? (slices.at(-1) ?? -1) + 1 : frames.length;
}

/** By slice of the grid, the image that it was made from; none where the series lacks one. */
export function imagesBySlice({ slices, frames }: Source): ReadonlyMap<number, SourceFrame> {
  return new Map(frames.map((frame, at) => [slices ? slices[at]! : at, frame]));
}

/**
 * Distance between neighbouring slices along the normal, which is less than the step in a tilted stack.
 *
 * @returns mm, rounded to a millionth; undefined for one slice or uneven steps
 * @see     PS3.3 C.7.6.16.2.1, (0018,0088) Spacing Between Slices
 */
export function evenSpacing(source: Source): number | undefined {
  const planes = planesOf(source);
  if (!planes) return undefined;
  const normal = normalOf(planes.orientation);
  const steps = stepsAlong(normal, planes.positions);
  if (steps.kind !== "even" || !steps.step) return undefined;
  return Math.round(Math.abs(dot(steps.step, normal)) * 1e6) / 1e6;
}

function planesOf({ orientation: cosines, frames }: Source): Planes | undefined {
  const orientation = orientationOf(cosines.map(Number));
  const positions = frames.map(({ position }) => vectorOf(position.map(Number)));
  return orientation && positions.every((position) => position !== undefined)
    ? { orientation, positions }
    : undefined;
}

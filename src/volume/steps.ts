/**
 * Steps: are planes evenly spaced along their normal, and if not, how do they fail?
 *
 * In:   a normal and the position of every plane, in any order.
 * Out:  their order and common step, or the first fault.
 * Pure. Time n log n.
 *
 * Positions are decimal strings, by some devices rounded to a tenth of a millimetre; the tolerances below let that
 * pass, and nothing that would matter to a label map.
 */
import { dot, length, scale, subtract } from "./geometry.ts";
import type { Vector } from "./volume.ts";

export type Steps =
  | {
      readonly kind: "even";
      readonly order: readonly number[] /** Absent for one plane. */;
      readonly step?: Vector;
    }
  | { readonly kind: "duplicate"; readonly at: number; readonly with: number; readonly atMm: number }
  | {
      readonly kind: "gap";
      readonly order: readonly number[];
      /** By place in the order, which of the even steps the plane stands at; from 0. */
      readonly places: readonly number[];
      /** From each of them to the next. */
      readonly step: Vector;
      /** The plane before the first gap; and where it lies. */
      readonly at: number;
      readonly atMm: number;
      readonly missing: number;
      readonly stepMm: number;
    }
  | {
      readonly kind: "uneven";
      readonly order: readonly number[];
      /** The mean one, where all planes lie on one line; else there is none. */
      readonly step?: Vector;
      readonly at: number;
      readonly atMm: number;
      readonly foundMm: number;
      readonly stepMm: number;
    }
  | {
      readonly kind: "sideways";
      readonly at: number;
      readonly atMm: number;
      readonly byMm: number;
      readonly stepMm: number;
    };

/** Two planes closer than this are one place: the finest CBCT steps are 0.075 mm. */
const SAME_PLACE_MM = 0.01;
/** Positions rounded to 0.1 mm: two of them are off by up to 0.1 mm against each other; and arithmetic. */
const UNEVEN_MM = 0.102;
/** More is let pass where slices are thick, less where they are thin. */
const UNEVEN_OF_STEP = { least: 0.02, most: 0.1 } as const;

/**
 * Sorts planes along a normal and measures their steps.
 *
 * @param normal     unit length
 * @param positions  finite, in mm; one or more
 */
export function stepsAlong(normal: Vector, positions: readonly Vector[]): Steps {
  const heights = positions.map((position) => dot(position, normal));
  const order = positions.map((_, at) => at).sort((a, b) => heights[a]! - heights[b]!);
  const height = (k: number): number => heights[order[k]!]!;
  const last = order.length - 1;
  if (last === 0) return { kind: "even", order };

  const found = order.slice(1).map((_, k) => height(k + 1) - height(k));
  const same = found.findIndex((mm) => mm < SAME_PLACE_MM);
  if (same >= 0) return { kind: "duplicate", at: order[same + 1]!, with: order[same]!, atMm: height(same) };

  const stepMm = lowerMedian(found);
  const tolerance = Math.min(
    stepMm * UNEVEN_OF_STEP.most,
    Math.max(UNEVEN_MM, stepMm * UNEVEN_OF_STEP.least),
  );
  const steps = found.map((mm) => Math.max(1, Math.round(mm / stepMm)));
  const odd = found.findIndex((mm, k) => Math.abs(mm - stepMm * steps[k]!) > tolerance);
  const line = { positions, order, tolerance, height };
  if (odd >= 0) {
    const mean = meanStep(line);
    const fault = { at: order[odd]!, atMm: height(odd), foundMm: found[odd]!, stepMm };
    return { kind: "uneven", order, ...(mean && { step: mean }), ...fault };
  }
  const places = [0];
  for (const count of steps) places.push(places.at(-1)! + count);
  const fit = fitted(line, places);
  const wide = steps.findIndex((count) => count > 1);
  if (fit.kind !== "even" || !fit.step || wide < 0) return fit;
  const missing = places[last]! - last;
  return {
    kind: "gap",
    order,
    places,
    step: fit.step,
    at: order[wide]!,
    atMm: height(wide),
    missing,
    stepMm,
  };
}

interface Line {
  readonly positions: readonly Vector[];
  readonly order: readonly number[];
  /** mm */
  readonly tolerance: number;
  /** Of the k-th plane, along the normal. */
  readonly height: (k: number) => number;
}

/**
 * Small errors add up, and planes may shift sideways: every plane must lie on the line between first and last.
 *
 * @param places  by place in the order, how many steps from the first
 */
function fitted(line: Line, places: readonly number[]): Steps {
  const { positions, order, tolerance, height } = line;
  const last = order.length - 1;
  const first = positions[order[0]!]!;
  const step = scale(subtract(positions[order[last]!]!, first), 1 / places[last]!);
  const meanMm = (height(last) - height(0)) / places[last]!;
  for (const [k, at] of order.entries()) {
    const alongMm = Math.abs(height(k) - height(0) - places[k]! * meanMm);
    const foundMm = k > 0 ? height(k) - height(k - 1) : meanMm;
    if (alongMm > tolerance) {
      const mean = meanStep(line);
      const fault = { at, atMm: height(k), foundMm, stepMm: meanMm };
      return { kind: "uneven", order, ...(mean && { step: mean }), ...fault };
    }
    const byMm = length(subtract(subtract(positions[at]!, first), scale(step, places[k]!)));
    if (byMm > tolerance) return { kind: "sideways", at, atMm: height(k), byMm, stepMm: meanMm };
  }
  return { kind: "even", order, step };
}

/** Of planes that are not evenly spaced but lie on one line; undefined if one is off it. */
function meanStep({ positions, order, tolerance, height }: Line): Vector | undefined {
  const last = order.length - 1;
  const first = positions[order[0]!]!;
  const whole = subtract(positions[order[last]!]!, first);
  const isOff = order.some((at, k) => {
    const share = (height(k) - height(0)) / (height(last) - height(0));
    return length(subtract(subtract(positions[at]!, first), scale(whole, share))) > tolerance;
  });
  return isOff ? undefined : scale(whole, 1 / last);
}

/** Less than half of the steps may be wide; of two, the smaller is the usual one. */
function lowerMedian(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1]!;
}

/**
 * Slices: which stack do the planes of a series form?
 *
 * In:   place and size of every slice, in any order.
 * Out:  their order along the normal with the grid they span, or the named reason why they form none.
 * Pure: no I/O, no clock. Bad input is an answer; nothing is thrown. Details name no patient.
 *
 * Nothing is resampled, guessed or left out. A tilted stack (slices shifted evenly within their planes) is a
 * stack whose step is not along the normal. A missing slice is told from uneven spacing by the steps: all of
 * them whole multiples of the usual one. Both are refused, unless a policy says what a model is to be shown.
 */
import type { InstanceUid, SeriesUid } from "../dicom/uid.ts";
import {
  affineOf,
  isSameOrientation,
  normalOf,
  type Orientation,
  orientationOf,
  type PixelSpacing,
  scale,
  tiltDegreesOf,
  vectorOf,
} from "./geometry.ts";
import { type Steps, stepsAlong } from "./steps.ts";
import type { Grid, Vector } from "./volume.ts";

export interface SliceFacts {
  readonly sopInstanceUid: InstanceUid;
  readonly seriesUid: SeriesUid;
  readonly frameOfReferenceUid?: string;
  readonly patientId?: string;
  /** From 1; only in a multi-frame source. */
  readonly frameNumber?: number;
  /** Stack ID and Temporal Position Index of a multi-frame source: slices of different ones never mix. */
  readonly stack?: string;
  readonly rows: number;
  readonly columns: number;
  readonly position: Vector;
  readonly orientation: Orientation;
  readonly spacing: PixelSpacing;
  /** (0018,0050) Slice Thickness in mm. */
  readonly thickness?: number;
}

/** What a model is shown where the slices are not evenly spaced. What it finds is told of real slices alone. */
export interface StackPolicy {
  /** "repeat": in the place of a missing slice the one before it, so that the others stand where they are. */
  readonly missingSlices: "refuse" | "repeat";
  /** "mean": the slices as they are, as if the mean step were that of all. */
  readonly unevenSpacing: "refuse" | "mean";
}

const REFUSE: StackPolicy = { missingSlices: "refuse", unevenSpacing: "refuse" };

export type StackFault =
  | "empty"
  | "no-geometry"
  | "mixed-series"
  | "mixed-patient"
  | "mixed-frame-of-reference"
  | "mixed-orientation"
  | "mixed-size"
  | "mixed-pixel-spacing"
  | "several-stacks"
  | "duplicate-position"
  | "gap"
  | "uneven-spacing"
  | "not-collinear";

export type Arranged =
  | {
      readonly kind: "stack";
      /** Indices into the slices given, in the order of k. */
      readonly order: readonly number[];
      /** The k of each of them, ascending, where slices of the grid are missing. */
      readonly places?: readonly number[];
      readonly grid: Grid;
      readonly tiltDegrees: number;
    }
  | {
      readonly kind: "rejected";
      readonly reason: StackFault;
      readonly at?: InstanceUid;
      readonly detail: string;
    };

/** 0.05 mm over 512 pixels. */
const PIXEL_SPACING_TOLERANCE_MM = 1e-4;

/** @see PS3.3 C.7.6.2.1.1 for position and orientation, C.7.6.16.2.2 for stacks of frames */
export function arrange(slices: readonly SliceFacts[], policy: StackPolicy = REFUSE): Arranged {
  const [first] = slices;
  if (!first) return { kind: "rejected", reason: "empty", detail: "no slices" };
  const odd = slices.map((slice) => differing(first, slice)).find((fault) => fault !== undefined);
  if (odd) return odd;

  const normal = normalOf(first.orientation);
  const steps = stepsAlong(
    normal,
    slices.map(({ position }) => position),
  );
  if (!isAllowed(steps, policy)) return unevenly(slices, steps);
  const order = steps.order;
  const perSlice = steps.step ?? thicknessAlong(normal, first);
  if (!perSlice) return rejected("no-geometry", first, "a single slice without Slice Thickness");

  const affine = affineOf(slices[order[0]!]!, perSlice);
  const places = steps.kind === "gap" ? steps.places : undefined;
  const grid: Grid = { size: [first.columns, first.rows, slices.length], affine };
  const stack = { kind: "stack", order, tiltDegrees: tiltDegreesOf(affine) } as const;
  if (!places) return { ...stack, grid };
  return { ...stack, places, grid: { ...grid, size: [first.columns, first.rows, places.at(-1)! + 1] } };
}

type Fault = Exclude<Steps, { kind: "even" }>;

function isAllowed(
  steps: Steps,
  policy: StackPolicy,
): steps is Extract<Steps, { kind: "even" | "gap" | "uneven" }> {
  switch (steps.kind) {
    case "even":
      return true;
    case "gap":
      return policy.missingSlices === "repeat";
    case "uneven":
      return policy.unevenSpacing === "mean" && steps.step !== undefined;
    case "duplicate":
    case "sideways":
      return false;
  }
}

/** What intake knows of a slice: (0020,0037) and (0020,0032) as numbers. */
export interface SlicePlace {
  readonly orientation: readonly number[];
  readonly position: readonly number[];
}

/** With fewer planes any two make an even stack. */
const PLANES_TO_JUDGE = 3;

/**
 * Do the slices that arrived so far form a stack without holes? Evidence for assembly, not a verdict: the ends
 * of a stack cannot be seen to be missing.
 *
 * @returns "unknown" for too few slices, without geometry, several orientations, or two slices at one place
 */
export function stackEvidence(slices: readonly SlicePlace[]): "gap-free" | "gaps" | "unknown" {
  const orientations = slices.map(({ orientation }) => orientationOf(orientation));
  const positions = slices
    .map(({ position }) => vectorOf(position))
    .filter((position) => position !== undefined);
  const [first] = orientations;
  if (!first || slices.length < PLANES_TO_JUDGE || positions.length < slices.length) return "unknown";
  if (!orientations.every((other) => other && isSameOrientation(first, other))) return "unknown";
  const steps = stepsAlong(normalOf(first), positions);
  if (steps.kind === "even") return "gap-free";
  return steps.kind === "duplicate" ? "unknown" : "gaps";
}

function differing(first: SliceFacts, slice: SliceFacts): Arranged | undefined {
  if (slice.seriesUid !== first.seriesUid) return rejected("mixed-series", slice, "slices of two series");
  if (slice.patientId !== first.patientId)
    return rejected("mixed-patient", slice, "slices of two patients in one series");
  if (slice.frameOfReferenceUid !== first.frameOfReferenceUid)
    return rejected("mixed-frame-of-reference", slice, "slices of two frames of reference");
  if (!isSameOrientation(first.orientation, slice.orientation))
    return rejected("mixed-orientation", slice, "slices of two orientations");
  if (slice.rows !== first.rows || slice.columns !== first.columns)
    return rejected(
      "mixed-size",
      slice,
      `${slice.columns} × ${slice.rows} pixels among ${first.columns} × ${first.rows}`,
    );
  if (slice.spacing.some((mm, at) => Math.abs(mm - first.spacing[at]!) > PIXEL_SPACING_TOLERANCE_MM))
    return rejected("mixed-pixel-spacing", slice, "slices of two pixel spacings");
  if (slice.stack !== first.stack)
    return rejected("several-stacks", slice, `stack ${slice.stack ?? "-"} beside ${first.stack ?? "-"}`);
  return undefined;
}

function thicknessAlong(normal: Vector, { thickness }: SliceFacts): Vector | undefined {
  return thickness !== undefined && thickness > 0 ? scale(normal, thickness) : undefined;
}

function unevenly(slices: readonly SliceFacts[], steps: Fault): Arranged {
  const slice = slices[steps.at]!;
  const mm = (distance: number): string => `${distance.toFixed(3)} mm`;
  const where = `${mm(steps.atMm)} along the normal`;
  if (steps.kind === "duplicate")
    return isOneObject(slice, slices[steps.with]!)
      ? rejected("several-stacks", slice, `two frames of one object at ${where}`)
      : rejected("duplicate-position", slice, `two slices at ${where}`);
  const { kind, stepMm } = steps;
  if (kind === "gap")
    return rejected(
      "gap",
      slice,
      `${steps.missing} missing in steps of ${mm(stepMm)}, the first behind ${where}`,
    );
  if (kind === "uneven")
    return rejected(
      "uneven-spacing",
      slice,
      `a step of ${mm(steps.foundMm)} among ${mm(stepMm)}, at ${where}`,
    );
  return rejected("not-collinear", slice, `shifted by ${mm(steps.byMm)} within its plane, at ${where}`);
}

function isOneObject(a: SliceFacts, b: SliceFacts): boolean {
  return a.sopInstanceUid === b.sopInstanceUid && a.frameNumber !== b.frameNumber;
}

function rejected(reason: StackFault, slice: SliceFacts, detail: string): Arranged {
  return { kind: "rejected", reason, at: slice.sopInstanceUid, detail };
}

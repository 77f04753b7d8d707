/**
 * May a segmentation that a model wrote itself leave? Pure.
 *
 * It must be of the study, the patient and the frame of reference that the model was asked about, of a class that is
 * allowed, and on the source's own slices: the same rows and columns, orientation and spacing, every frame at the
 * place of the image that it names. Whether its labels are right is the model's to answer for.
 */
import { stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import type { SopClassUid } from "../dicom/uid.ts";
import { isSameOrientation, length, orientationOf, subtract, vectorOf } from "../volume/geometry.ts";
import type { Grid, Source, SourceFrame } from "../volume/volume.ts";
import type { NoFinding, Refused } from "./input.ts";
import { imagesBySlice } from "./plane.ts";
import type { ForeignFrame, ForeignSeg } from "./read-seg.ts";

export type ForeignPassed =
  | { readonly kind: "pass" /** The slice of each frame. */; readonly slices: readonly number[] }
  | NoFinding
  | Refused;

export interface ForeignInput {
  readonly source: Source;
  readonly size: Grid["size"];
  readonly allowed: ReadonlySet<SopClassUid>;
}

/** Of a position, in pixels; and of a pixel spacing, as a share of it. */
const WITHIN_PIXELS = 0.1;
const SPACING_WITHIN = 1e-3;

export function gateForeign(seg: ForeignSeg, input: ForeignInput): ForeignPassed {
  const { source, size, allowed } = input;
  if (!allowed.has(seg.sopClassUid)) return refused("class-not-allowed", `SOP Class ${seg.sopClassUid}`);
  const stranger = otherIdentity(seg, source);
  if (stranger) return stranger;
  if (seg.columns !== size[0] || seg.rows !== size[1])
    return refused("other-grid", `frames of ${seg.columns} × ${seg.rows}, source of ${size[0]} × ${size[1]}`);
  if (seg.frames.length === 0) return { kind: "no-finding" };
  const images = [...imagesBySlice(source)];
  const slices: number[] = [];
  for (const [at, frame] of seg.frames.entries()) {
    const k = sliceOf(frame, source, images);
    if (typeof k !== "number") return { ...k, detail: `frame ${at + 1}: ${k.detail}` };
    slices.push(k);
  }
  const unknown = seg.frames.find(({ segment }) => segment !== 0 && !seg.segments.has(segment));
  return unknown
    ? refused("unknown-label", `segment ${unknown.segment} is not described`)
    : { kind: "pass", slices };
}

function otherIdentity({ dataSet }: ForeignSeg, source: Source): Refused | undefined {
  const held = (keyword: string): string | undefined => stringOf(dataSet, tagOf(keyword));
  if (held("StudyInstanceUID") !== source.studyUid)
    return refused("other-series", `StudyInstanceUID is ${held("StudyInstanceUID") ?? "absent"}`);
  const space = held("FrameOfReferenceUID");
  if (space !== source.frameOfReferenceUid)
    return refused("other-frame-of-reference", `FrameOfReferenceUID is ${space ?? "absent"}`);
  return held("PatientID") === source.patientId
    ? undefined
    : refused("other-patient", "PatientID is not that of the series");
}

/** The slice that a frame is of: that of the image it names, or of its place where it names none. */
function sliceOf(
  { place, source: named }: ForeignFrame,
  source: Source,
  images: readonly (readonly [k: number, image: SourceFrame])[],
): number | Refused {
  const orientation = orientationOf(source.orientation.map(Number));
  if (!orientation || !isSameOrientation(orientation, place.orientation))
    return refused("other-grid", "of another orientation");
  const spacing = source.pixelSpacing.map(Number);
  if (place.spacing.some((mm, axis) => Math.abs(mm - spacing[axis]!) > SPACING_WITHIN * spacing[axis]!))
    return refused("other-grid", "of another pixel spacing");
  const within = WITHIN_PIXELS * Math.min(...spacing);
  const isThere = (position: readonly string[]): boolean => {
    const there = vectorOf(position.map(Number));
    return there !== undefined && length(subtract(there, place.position)) <= within;
  };
  if (!named) {
    const found = images.find(([, { position }]) => isThere(position));
    return found ? found[0] : refused("other-grid", "at a place that no image has");
  }
  const found = images.find(
    ([, { sopInstanceUid, frameNumber }]) =>
      sopInstanceUid === named.sopInstanceUid && frameNumber === named.frameNumber,
  );
  if (!found)
    return refused("other-reference", `names ${named.sopInstanceUid}, which is no image of the series`);
  return isThere(found[1].position)
    ? found[0]
    : refused("other-grid", "lies elsewhere than the image that it names");
}

function refused(reason: Refused["reason"], detail: string): Refused {
  return { kind: "refused", reason, detail };
}

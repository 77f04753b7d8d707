/**
 * Where frames lie, and how their values are rescaled: single-frame and multi-frame headers read alike.
 *
 * In:   the header of an image.
 * Out:  one place per frame, in stored order, with the texts that the source wrote; or the named reason why not.
 * Pure. A single-frame image has these attributes in its data set (PS3.3 C.7.6.2, C.11.1), a multi-frame one in its
 * functional groups, per frame or shared (C.7.6.16); an attribute is taken from the frame's own group first.
 */
import {
  type DataSet,
  itemsOf,
  numberOf,
  numbersOf,
  stringOf,
  stringsOf,
  type Tag,
} from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { type Orientation, orientationOf, type PixelSpacing, vectorOf } from "./geometry.ts";
import { isUsable, type Rescale } from "./pixels.ts";
import type { Vector } from "./volume.ts";

export interface FramePlace {
  /** From 1; only in a multi-frame image. */
  readonly frameNumber?: number;
  /** Stack ID and Temporal Position Index; only in a multi-frame image. */
  readonly stack?: string;
  readonly position: Vector;
  readonly orientation: Orientation;
  readonly spacing: PixelSpacing;
  readonly thickness?: number;
  readonly rescale: Rescale;
  /** As the source wrote them. */
  readonly written: {
    readonly position: readonly [x: string, y: string, z: string];
    readonly orientation: readonly string[];
    readonly spacing: readonly [betweenRows: string, betweenColumns: string];
    readonly thickness?: string;
  };
}

export type PlaceFault = "no-geometry" | "bad-rescale";

export type PlacesRead =
  | { readonly kind: "places"; readonly places: readonly FramePlace[] }
  | { readonly kind: "rejected"; readonly reason: PlaceFault; readonly detail: string };

const TAG = {
  shared: tagOf("SharedFunctionalGroupsSequence"),
  perFrame: tagOf("PerFrameFunctionalGroupsSequence"),
  position: tagOf("ImagePositionPatient"),
  orientation: tagOf("ImageOrientationPatient"),
  spacing: tagOf("PixelSpacing"),
  thickness: tagOf("SliceThickness"),
  slope: tagOf("RescaleSlope"),
  intercept: tagOf("RescaleIntercept"),
  modalityLut: tagOf("ModalityLUTSequence"),
  stackId: tagOf("StackID"),
  temporalPosition: tagOf("TemporalPositionIndex"),
} as const;

const MACRO = {
  position: tagOf("PlanePositionSequence"),
  orientation: tagOf("PlaneOrientationSequence"),
  measures: tagOf("PixelMeasuresSequence"),
  rescale: tagOf("PixelValueTransformationSequence"),
  content: tagOf("FrameContentSequence"),
} as const;

/** The data sets in which the attributes of one frame stand. */
type Groups = Readonly<Record<keyof typeof MACRO, DataSet | undefined>>;

/** @param frames  (0028,0008) Number of Frames */
export function framePlaces(dataSet: DataSet, frames: number): PlacesRead {
  const perFrame = itemsOf(dataSet, TAG.perFrame);
  const [shared] = itemsOf(dataSet, TAG.shared);
  if (perFrame.length === 0 && !shared) {
    if (frames > 1) return rejected("no-geometry", `${frames} frames without functional groups`);
    const place = placeOf(singleFrame(dataSet));
    return place.kind === "place" ? { kind: "places", places: [place.place] } : place;
  }
  if (perFrame.length !== frames)
    return rejected("no-geometry", `${perFrame.length} functional groups for ${frames} frames`);
  const places: FramePlace[] = [];
  for (const [at, own] of perFrame.entries()) {
    const read = placeOf(functionalGroups(own, shared));
    if (read.kind === "rejected") return { ...read, detail: `frame ${at + 1}: ${read.detail}` };
    places.push({ ...read.place, frameNumber: at + 1 });
  }
  return { kind: "places", places };
}

function singleFrame(dataSet: DataSet): Groups {
  return {
    position: dataSet,
    orientation: dataSet,
    measures: dataSet,
    rescale: dataSet,
    content: undefined,
  };
}

function functionalGroups(own: DataSet, shared: DataSet | undefined): Groups {
  const group = (macro: keyof typeof MACRO): DataSet | undefined =>
    itemsOf(own, MACRO[macro])[0] ?? (shared && itemsOf(shared, MACRO[macro])[0]);
  return {
    position: group("position"),
    orientation: group("orientation"),
    measures: group("measures"),
    rescale: group("rescale"),
    content: group("content"),
  };
}

type PlaceRead =
  | { readonly kind: "place"; readonly place: FramePlace }
  | Extract<PlacesRead, { kind: "rejected" }>;

function placeOf(groups: Groups): PlaceRead {
  const position = groups.position && vectorOf(numbersOf(groups.position, TAG.position));
  if (!position) return rejected("no-geometry", "Image Position (Patient) is not three numbers");
  const orientation = groups.orientation && orientationOf(numbersOf(groups.orientation, TAG.orientation));
  if (!orientation)
    return rejected("no-geometry", "Image Orientation (Patient) is not two perpendicular unit vectors");
  const spacing = groups.measures && spacingOf(groups.measures);
  if (!spacing) return rejected("no-geometry", "Pixel Spacing is not two positive numbers");
  const rescale = rescaleOf(groups.rescale);
  if (!rescale) return rejected("bad-rescale", "the rescaled values are not finite numbers");
  const thickness = groups.measures && numberOf(groups.measures, TAG.thickness);
  const stack = groups.content && stackOf(groups.content);
  const place = { position, orientation, spacing, rescale, written: writtenOf(groups) };
  return {
    kind: "place",
    place: { ...place, ...(thickness !== undefined && { thickness }), ...(stack !== undefined && { stack }) },
  };
}

function spacingOf(measures: DataSet): PixelSpacing | undefined {
  const mm = numbersOf(measures, TAG.spacing);
  const [betweenRows, betweenColumns] = mm;
  return mm.length === 2 && mm.every((distance) => Number.isFinite(distance) && distance > 0)
    ? [betweenRows!, betweenColumns!]
    : undefined;
}

/** Absent means stored values are meant as they are: most MR. */
function rescaleOf(group: DataSet | undefined): Rescale | undefined {
  if (!group) return { slope: 1, intercept: 0 };
  if (itemsOf(group, TAG.modalityLut).length > 0) return undefined;
  const [slope = 1] = numbersOf(group, TAG.slope);
  const [intercept = 0] = numbersOf(group, TAG.intercept);
  return isUsable({ slope, intercept }) ? { slope, intercept } : undefined;
}

function stackOf(content: DataSet): string | undefined {
  const named = [stringOf(content, TAG.stackId), numberOf(content, TAG.temporalPosition)];
  return named.some((part) => part !== undefined) ? named.map((part) => part ?? "").join("/") : undefined;
}

/** Only for groups that were found to hold these values. */
function writtenOf(groups: Groups): FramePlace["written"] {
  const texts = (group: DataSet | undefined, tag: Tag): readonly string[] =>
    group ? stringsOf(group, tag) : [];
  const [x = "", y = "", z = ""] = texts(groups.position, TAG.position);
  const [betweenRows = "", betweenColumns = ""] = texts(groups.measures, TAG.spacing);
  const [thickness] = texts(groups.measures, TAG.thickness);
  return {
    position: [x, y, z],
    orientation: texts(groups.orientation, TAG.orientation),
    spacing: [betweenRows, betweenColumns],
    ...(thickness ? { thickness } : {}),
  };
}

function rejected(reason: PlaceFault, detail: string): Extract<PlacesRead, { kind: "rejected" }> {
  return { kind: "rejected", reason, detail };
}

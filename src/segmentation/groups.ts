/**
 * Multi-frame Functional Groups and Multi-frame Dimension of a segmentation (PS3.3 C.7.6.16, C.7.6.17). Pure.
 *
 * Geometry is the source's own text, digit for digit, so that a viewer that compares finds no difference. Only
 * the spacing between slices is ours: sources leave it out or mean something else by it.
 */
import { formatDs, type KeywordRecord } from "../dicom/build.ts";
import { tagOf } from "../dicom/dictionary.ts";
import type { Uid } from "../dicom/uid.ts";
import type { Source, SourceFrame } from "../volume/volume.ts";
import { CODE, codeItem } from "./codes.ts";
import type { Frame } from "./frames.ts";
import type { Form, InstanceReference } from "./input.ts";
import { evenSpacing, imagesBySlice } from "./plane.ts";

/** Dimension Organization and the dimensions: segment, then position; of a label map position alone. */
export function dimensions(form: Form, organizationUid: Uid): KeywordRecord {
  const index = (pointer: string, group: string, label: string): KeywordRecord => ({
    DimensionOrganizationUID: organizationUid,
    DimensionIndexPointer: tagOf(pointer),
    FunctionalGroupPointer: tagOf(group),
    DimensionDescriptionLabel: label,
  });
  const segment = index("ReferencedSegmentNumber", "SegmentIdentificationSequence", "Segment Number");
  const position = index("ImagePositionPatient", "PlanePositionSequence", "Image Position");
  return {
    DimensionOrganizationSequence: [{ DimensionOrganizationUID: organizationUid }],
    DimensionIndexSequence: form === "labelmap" ? [position] : [segment, position],
  };
}

/** What all frames share: orientation and measures. */
export function sharedGroups(source: Source): KeywordRecord {
  const spacing = evenSpacing(source);
  const thickness = isLength(source.sliceThickness) ? source.sliceThickness : undefined;
  return {
    PlaneOrientationSequence: [{ ImageOrientationPatient: source.orientation.map(decimal) }],
    PixelMeasuresSequence: [
      {
        SliceThickness: thickness && decimal(thickness),
        SpacingBetweenSlices: spacing === undefined ? undefined : formatDs(spacing),
        PixelSpacing: source.pixelSpacing.map(decimal),
      },
    ],
  };
}

/**
 * One item per frame, in the order of storage.
 *
 * The dimension index of a position counts the positions that have frames, from 1 without gaps, and is the same
 * in every segment (C.7.6.17.1).
 */
export function perFrameGroups(
  form: Form,
  frames: readonly Frame[],
  source: Source,
): readonly KeywordRecord[] {
  const used = [...new Set(frames.map(({ k }) => k))].sort((a, b) => a - b);
  const ordinals = new Map(used.map((k, at) => [k, at + 1]));
  const images = imagesBySlice(source);
  return frames.map(({ segment, k }) => {
    const image = images.get(k);
    const ordinal = ordinals.get(k);
    if (!image || ordinal === undefined) throw new Error(`bug: frame at slice ${k}, which has no image`);
    const place = {
      DerivationImageSequence: [derivation(image)],
      PlanePositionSequence: [{ ImagePositionPatient: image.position.map(decimal) }],
    };
    if (form === "labelmap") return { ...place, FrameContentSequence: [{ DimensionIndexValues: [ordinal] }] };
    return {
      ...place,
      FrameContentSequence: [{ DimensionIndexValues: [segment, ordinal] }],
      SegmentIdentificationSequence: [{ ReferencedSegmentNumber: segment }],
    };
  });
}

/** The source series and all its instances; viewers find the images to lay a segmentation over by it. */
export function referencedSeries(source: Source, instances: readonly InstanceReference[]): KeywordRecord {
  const classes = new Map(instances.map(({ sopInstanceUid, sopClassUid }) => [sopInstanceUid, sopClassUid]));
  for (const { sopInstanceUid, sopClassUid } of source.frames) classes.set(sopInstanceUid, sopClassUid);
  return {
    SeriesInstanceUID: source.seriesUid,
    ReferencedInstanceSequence: [...classes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([sopInstanceUid, sopClassUid]) => ({
        ReferencedSOPClassUID: sopClassUid,
        ReferencedSOPInstanceUID: sopInstanceUid,
      })),
  };
}

/** @see PS3.3 A.51.5.1: both codes are "shall" */
function derivation({ sopClassUid, sopInstanceUid, frameNumber }: SourceFrame): KeywordRecord {
  return {
    SourceImageSequence: [
      {
        ReferencedSOPClassUID: sopClassUid,
        ReferencedSOPInstanceUID: sopInstanceUid,
        ReferencedFrameNumber: frameNumber,
        SpatialLocationsPreserved: "YES",
        PurposeOfReferenceCodeSequence: [codeItem(CODE.SOURCE_IMAGE)],
      },
    ],
    DerivationCodeSequence: [codeItem(CODE.SEGMENTATION)],
  };
}

/** Some sources write 0 for a thickness that they do not know. */
function isLength(text = ""): boolean {
  return Number.isFinite(Number(text)) && Number(text) > 0;
}

const DECIMAL_STRING = 16;

/** The source's text; only what is too long to be a decimal string is written anew. */
function decimal(text: string): string {
  const trimmed = text.trim();
  return trimmed.length <= DECIMAL_STRING ? trimmed : formatDs(Number(trimmed));
}

/**
 * Reading an image: one DICOM file to what a volume needs of it. A task of the worker pool.
 *
 * In:   path and SOP Instance UID of files in the spool.
 * Out:  per file identity, format, and for each frame its place and where its bytes are; or the named reason why no
 *       volume can hold it.
 * May:  read the files. Pixels stay where they are.
 */
import { NodeError } from "../base/errors.ts";
import { SOP_CLASS } from "../dicom/constants.ts";
import { stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { type Part10, readPart10Header } from "../dicom/part10.ts";
import { type InstanceUid, parseUid, type SeriesUid, type SopClassUid, type StudyUid } from "../dicom/uid.ts";
import { type Body, openBody } from "./body.ts";
import type { PixelFormat } from "./decode.ts";
import type { Chunk } from "./encapsulated.ts";
import { type FramePlace, framePlaces, type PlaceFault } from "./frame-place.ts";
import { type PixelFault, readPixels } from "./pixel-data.ts";

export interface ImageFile {
  readonly path: string;
  readonly sopInstanceUid: InstanceUid;
}

export interface ImageFrame {
  readonly place: FramePlace;
  /** What its bytes are made of, in order. */
  readonly chunks: readonly Chunk[];
}

export interface Image extends ImageFile {
  readonly studyUid: StudyUid;
  readonly seriesUid: SeriesUid;
  readonly sopClassUid: SopClassUid;
  readonly frameOfReferenceUid?: string;
  readonly patientId?: string;
  /** (0028,2110) Lossy Image Compression: it was compressed lossily some time. */
  readonly isLossy: boolean;
  readonly format: PixelFormat;
  /** In stored order. */
  readonly frames: readonly ImageFrame[];
}

export type ImageFault = "no-identity" | "segmentation" | PixelFault | PlaceFault;

export type ImageRead =
  | { readonly kind: "image"; readonly image: Image }
  | {
      readonly kind: "rejected";
      readonly reason: ImageFault;
      readonly at: InstanceUid;
      readonly detail: string;
    };

const TAG = {
  mediaStorageSopClassUid: 0x00020002,
  sopClassUid: tagOf("SOPClassUID"),
  studyUid: tagOf("StudyInstanceUID"),
  seriesUid: tagOf("SeriesInstanceUID"),
  frameOfReferenceUid: tagOf("FrameOfReferenceUID"),
  patientId: tagOf("PatientID"),
  lossy: tagOf("LossyImageCompression"),
} as const;

/** They have geometry and pixels like an image; no model wants them, least of all if they are our own. */
const LABELS: ReadonlySet<SopClassUid> = new Set([SOP_CLASS.SEGMENTATION, SOP_CLASS.LABEL_MAP_SEGMENTATION]);

/**
 * @returns one answer per file, in the order given
 * @throws  NodeError STORAGE_FAILED if a file cannot be read for a reason outside itself
 */
export async function readImages(files: readonly ImageFile[]): Promise<readonly ImageRead[]> {
  const read: ImageRead[] = [];
  for (const file of files) read.push(await readImage(file));
  return read;
}

async function readImage(file: ImageFile): Promise<ImageRead> {
  try {
    const header = await readPart10Header(file.path);
    using body = openBody(file.path, header.transferSyntaxUid);
    return imageOf(file, header, body);
  } catch (error) {
    if (!(error instanceof NodeError)) throw storageFailed(error);
    return { kind: "rejected", reason: "undecodable", at: file.sopInstanceUid, detail: error.message };
  }
}

function imageOf(file: ImageFile, header: Part10, body: Body): ImageRead {
  const { dataSet, meta } = header;
  const rejected = (fault: { readonly reason: ImageFault; readonly detail: string }): ImageRead => ({
    kind: "rejected",
    reason: fault.reason,
    at: file.sopInstanceUid,
    detail: fault.detail,
  });
  const pixels = readPixels(header, body);
  if (pixels.kind === "rejected") return rejected(pixels);
  const places = framePlaces(dataSet, pixels.frames.length);
  if (places.kind === "rejected") return rejected(places);
  const studyUid = parseUid<StudyUid>(stringOf(dataSet, TAG.studyUid));
  const seriesUid = parseUid<SeriesUid>(stringOf(dataSet, TAG.seriesUid));
  const sopClassUid = parseUid<SopClassUid>(
    stringOf(dataSet, TAG.sopClassUid) ?? stringOf(meta, TAG.mediaStorageSopClassUid),
  );
  if (!studyUid || !seriesUid || !sopClassUid)
    return rejected({ reason: "no-identity", detail: "study, series or SOP Class UID is missing" });
  if (LABELS.has(sopClassUid)) return rejected({ reason: "segmentation", detail: "labels, not intensities" });

  const frameOfReferenceUid = stringOf(dataSet, TAG.frameOfReferenceUid);
  const frames = places.places.map((place, at) => ({ place, chunks: pixels.frames[at]! }));
  const patientId = stringOf(dataSet, TAG.patientId);
  const image = {
    ...file,
    studyUid,
    seriesUid,
    sopClassUid,
    format: pixels.format,
    frames,
    isLossy: stringOf(dataSet, TAG.lossy) === "01",
    ...(frameOfReferenceUid && { frameOfReferenceUid }),
    ...(patientId && { patientId }),
  };
  return { kind: "image", image };
}

/** A failure of the file system with our code, which it would lose between threads; anything else as it is. */
export function storageFailed(error: unknown): unknown {
  if (!(error instanceof Error) || !("syscall" in error)) return error;
  return new NodeError("STORAGE_FAILED", `Reading the spool failed: ${error.message}`);
}

/**
 * Reading our own segmentations again, to show them: which segments, and which bits belong to which slice.
 *
 * In:   a BINARY segmentation of ours, uncompressed (seg.ts).
 * Out:  an index of it, made in a thread, for such an object has thousands of items; then single frames by it.
 * May:  read the file.
 */
import { open } from "node:fs/promises";
import { NodeError } from "../base/errors.ts";
import { type DataSet, itemsOf, numberOf, numbersOf, stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { readPart10Header } from "../dicom/part10.ts";
import { type Rgb, rgbOf } from "./colour.ts";

export interface SegIndex {
  readonly path: string;
  readonly rows: number;
  readonly columns: number;
  readonly segments: readonly ShownSegment[];
  readonly frames: readonly FrameOf[];
  /** Of the first frame in the file. */
  readonly offset: number;
}

export interface ShownSegment {
  readonly number: number;
  readonly label: string;
  readonly color: Rgb;
}

/** Frame n of the object lies on this image. */
interface FrameOf {
  readonly segment: number;
  readonly sopInstanceUid: string;
  /** Of an image with several frames, from 1. */
  readonly frameNumber?: number;
}

const TAG = {
  rows: tagOf("Rows"),
  columns: tagOf("Columns"),
  bitsAllocated: tagOf("BitsAllocated"),
  segments: tagOf("SegmentSequence"),
  number: tagOf("SegmentNumber"),
  label: tagOf("SegmentLabel"),
  color: tagOf("RecommendedDisplayCIELabValue"),
  perFrame: tagOf("PerFrameFunctionalGroupsSequence"),
  identification: tagOf("SegmentIdentificationSequence"),
  referenced: tagOf("ReferencedSegmentNumber"),
  derivation: tagOf("DerivationImageSequence"),
  source: tagOf("SourceImageSequence"),
  sop: tagOf("ReferencedSOPInstanceUID"),
  frame: tagOf("ReferencedFrameNumber"),
} as const;

/** A task of the worker pool. @throws NodeError SEG_INVALID for what is no such object */
export async function indexSegmentation(path: string): Promise<SegIndex> {
  const { dataSet, pixelData } = await readPart10Header(path);
  const [rows, columns] = [numberOf(dataSet, TAG.rows), numberOf(dataSet, TAG.columns)];
  if (!rows || !columns || !pixelData || numberOf(dataSet, TAG.bitsAllocated) !== 1)
    throw new NodeError("SEG_INVALID", "Segmentation: not a BINARY one, it cannot be shown");
  return {
    path,
    rows,
    columns,
    segments: itemsOf(dataSet, TAG.segments).map(segmentOf),
    frames: itemsOf(dataSet, TAG.perFrame).map(frameOf),
    offset: pixelData.offset,
  };
}

/** The pixels of one frame, a bit each, the first in the lowest bit of the first byte: PS3.5 8.1.1. */
export async function readFrame(
  { path, rows, columns, offset }: SegIndex,
  frame: number,
): Promise<Uint8Array> {
  const bits = rows * columns;
  const first = frame * bits;
  const shift = first % 8;
  const packed = new Uint8Array(Math.ceil((shift + bits) / 8) + 1);
  await using file = await open(path);
  await file.read(packed, 0, packed.length - 1, offset + Math.floor(first / 8));
  const aligned = new Uint8Array(Math.ceil(bits / 8));
  for (let at = 0; at < aligned.length; at++)
    aligned[at] = ((packed[at]! | (packed[at + 1]! << 8)) >> shift) & 0xff;
  return aligned;
}

function segmentOf(item: DataSet): ShownSegment {
  const [l = 0, a = 0x8080, b = 0x8080] = numbersOf(item, TAG.color);
  return {
    number: numberOf(item, TAG.number) ?? 0,
    label: stringOf(item, TAG.label) ?? "",
    color: rgbOf([l, a, b]),
  };
}

function frameOf(item: DataSet): FrameOf {
  const [identification] = itemsOf(item, TAG.identification);
  const [derivation] = itemsOf(item, TAG.derivation);
  const [source] = derivation ? itemsOf(derivation, TAG.source) : [];
  const frameNumber = source && numberOf(source, TAG.frame);
  return {
    segment: (identification && numberOf(identification, TAG.referenced)) ?? 0,
    sopInstanceUid: (source && stringOf(source, TAG.sop)) ?? "",
    ...(frameNumber !== undefined && { frameNumber }),
  };
}

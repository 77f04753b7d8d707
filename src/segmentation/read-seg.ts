/**
 * Reading a segmentation that other software wrote: what it is of, where its frames lie, and their pixels. Pure.
 *
 * In:   a whole Part 10 file in memory, native or RLE.
 * Out:  its identity, geometry, segments and frames; or why it cannot be read. Nothing is judged here: see
 *       gate-foreign.ts.
 *
 * Pixels are unpacked frame by frame when they are asked for: all at once may be eight times the file.
 */
import { NodeError } from "../base/errors.ts";
import { TRANSFER_SYNTAX } from "../dicom/constants.ts";
import { type DataSet, itemsOf, numberOf, stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { type Part10, readPart10 } from "../dicom/part10.ts";
import { parseUid, type SopClassUid } from "../dicom/uid.ts";
import { decodeFrame, type PixelFormat } from "../volume/decode.ts";
import { encapsulatedFrames } from "../volume/encapsulated.ts";
import { type FramePlace, framePlaces } from "../volume/frame-place.ts";
import type { Form } from "./input.ts";

export interface ForeignFrame {
  /** (0062,000B) Referenced Segment Number; 0 in a label map. */
  readonly segment: number;
  readonly place: FramePlace;
  /** The first source image, where the frame names one. */
  readonly source?: { readonly sopInstanceUid: string; readonly frameNumber?: number };
}

export interface ForeignSeg {
  readonly dataSet: DataSet;
  readonly sopClassUid: SopClassUid;
  readonly form: Form;
  readonly rows: number;
  readonly columns: number;
  /** (0062,0005) Segment Label by (0062,0004) Segment Number. */
  readonly segments: ReadonlyMap<number, string>;
  readonly frames: readonly ForeignFrame[];
  /**
   * Rows × columns: 0 or 1, label values, or stored fractions.
   *
   * @throws NodeError PIXELS_UNDECODABLE
   */
  readonly pixels: (frame: number) => Promise<Uint8Array | Uint16Array>;
}

export type SegRead =
  | { readonly kind: "seg"; readonly seg: ForeignSeg }
  | { readonly kind: "unreadable"; readonly detail: string };

const FORMS: Readonly<Record<string, { readonly form: Form; readonly bits: readonly number[] }>> = {
  BINARY: { form: "binary", bits: [1] },
  LABELMAP: { form: "labelmap", bits: [8, 16] },
  FRACTIONAL: { form: "fractional", bits: [8] },
};

/** @returns an answer, never an exception, whatever the bytes are */
export function readSegmentation(file: Uint8Array): SegRead {
  try {
    return read(readPart10(file));
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    return unreadable(error.message);
  }
}

function read(part10: Part10): SegRead {
  const { dataSet } = part10;
  const number = (keyword: string): number => numberOf(dataSet, tagOf(keyword)) ?? 0;
  const type = FORMS[stringOf(dataSet, tagOf("SegmentationType")) ?? ""];
  const sopClassUid = parseUid<SopClassUid>(stringOf(dataSet, tagOf("SOPClassUID")));
  if (!type || !sopClassUid) return unreadable("no SOP Class UID or Segmentation Type that is known");
  const [rows, columns, bits, count] = ["Rows", "Columns", "BitsAllocated", "NumberOfFrames"].map(number) as [
    number,
    number,
    number,
    number,
  ];
  if (!type.bits.includes(bits)) return unreadable(`${bits} bits in a segmentation of type ${type.form}`);
  const places = framePlaces(dataSet, count);
  if (places.kind === "rejected") return unreadable(places.detail);
  const groups = itemsOf(dataSet, tagOf("PerFrameFunctionalGroupsSequence"));
  const [shared] = itemsOf(dataSet, tagOf("SharedFunctionalGroupsSequence"));
  const frames = places.places.map((place, at) => frameOf(place, [groups[at], shared]));
  const pixels = pixelReader(part10, { rows, columns, bits, count });
  if (typeof pixels === "string") return unreadable(pixels);
  const segments = itemsOf(dataSet, tagOf("SegmentSequence")).map((item) => {
    const label = stringOf(item, tagOf("SegmentLabel")) ?? "";
    return [numberOf(item, tagOf("SegmentNumber")) ?? 0, label] as const;
  });
  const seg = { dataSet, sopClassUid, form: type.form, rows, columns, segments: new Map(segments) };
  return { kind: "seg", seg: { ...seg, frames, pixels } };
}

function frameOf(place: FramePlace, groups: readonly (DataSet | undefined)[]): ForeignFrame {
  const inside = (keyword: string, of: readonly (DataSet | undefined)[]): DataSet | undefined =>
    of.flatMap((group) => (group ? itemsOf(group, tagOf(keyword)) : []))[0];
  const identified = inside("SegmentIdentificationSequence", groups);
  const segment = (identified && numberOf(identified, tagOf("ReferencedSegmentNumber"))) ?? 0;
  const image = inside("SourceImageSequence", [inside("DerivationImageSequence", groups)]);
  const sopInstanceUid = image && stringOf(image, tagOf("ReferencedSOPInstanceUID"));
  if (!image || !sopInstanceUid) return { segment, place };
  const frameNumber = numberOf(image, tagOf("ReferencedFrameNumber"));
  return { segment, place, source: { sopInstanceUid, ...(frameNumber !== undefined && { frameNumber }) } };
}

interface Shape {
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  readonly count: number;
}

/** @returns in words why there are no pixels to read */
function pixelReader(
  { body, pixelData, transferSyntaxUid }: Part10,
  { rows, columns, bits, count }: Shape,
): ForeignSeg["pixels"] | string {
  if (!pixelData) return "no Pixel Data";
  const pixels = rows * columns;
  const format: PixelFormat = {
    transferSyntaxUid,
    rows,
    columns,
    bitsAllocated: bits === 16 ? 16 : 8,
    bitsStored: bits,
    highBit: bits - 1,
    signed: false,
    vr: pixelData.vr,
  };
  const { offset, length } = pixelData;
  if (length === undefined) {
    if (transferSyntaxUid !== TRANSFER_SYNTAX.RLE_LOSSLESS || bits === 1)
      return `transfer syntax ${transferSyntaxUid} with ${bits} bits`;
    const bytes = {
      length: body.length,
      read: (from: number, size: number) => body.subarray(from, from + size),
    };
    const chunks = encapsulatedFrames(bytes, { offset, frames: count });
    return async (at) => {
      const pieces = chunks[at]!.map((chunk) => body.subarray(chunk.offset, chunk.offset + chunk.length));
      return (await decodeFrame(Buffer.concat(pieces), format)).words;
    };
  }
  if (length < Math.ceil((count * pixels * bits) / 8) || offset + length > body.length)
    return `${length} bytes of Pixel Data for ${count} frames`;
  if (bits === 1) return async (at) => unpacked(body.subarray(offset, offset + length), at * pixels, pixels);
  const size = (pixels * bits) / 8;
  return async (at) =>
    (await decodeFrame(body.subarray(offset + at * size, offset + (at + 1) * size), format)).words;
}

/** PS3.5 annex D: bits of all frames in one stream, the least significant first. */
function unpacked(packed: Uint8Array, firstBit: number, count: number): Uint8Array {
  const pixels = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    const bit = firstBit + at;
    pixels[at] = (packed[Math.floor(bit / 8)]! >> (bit % 8)) & 1;
  }
  return pixels;
}

function unreadable(detail: string): SegRead {
  return { kind: "unreadable", detail };
}

/**
 * Pixel Data as the header describes it: its format, and where the bytes of each frame are.
 *
 * In:   a file's header and random access to its body.
 * Out:  a format that decode.ts can decode and the chunks of every frame, or the named reason why not.
 * Pure but for `Bytes.read`. Sizes are checked against the bytes there are; nothing is allocated by what the header
 * claims.
 */
import { NodeError } from "../base/errors.ts";
import { TRANSFER_SYNTAX } from "../dicom/constants.ts";
import { bytesOf, type DataSet, numberOf, numbersOf, stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import type { Part10 } from "../dicom/part10.ts";
import { isNative, type PixelFormat } from "./decode.ts";
import { type Bytes, type Chunk, encapsulatedFrames } from "./encapsulated.ts";

export type PixelFault = "no-pixels" | "colour" | "unsupported-pixels" | "undecodable";

export type PixelsRead =
  | {
      readonly kind: "pixels";
      readonly format: PixelFormat;
      /** One per frame, in stored order. */
      readonly frames: readonly (readonly Chunk[])[];
    }
  | { readonly kind: "rejected"; readonly reason: PixelFault; readonly detail: string };

const TAG = {
  rows: tagOf("Rows"),
  columns: tagOf("Columns"),
  samplesPerPixel: tagOf("SamplesPerPixel"),
  photometricInterpretation: tagOf("PhotometricInterpretation"),
  bitsAllocated: tagOf("BitsAllocated"),
  bitsStored: tagOf("BitsStored"),
  highBit: tagOf("HighBit"),
  pixelRepresentation: tagOf("PixelRepresentation"),
  numberOfFrames: tagOf("NumberOfFrames"),
  extendedOffsetTable: tagOf("ExtendedOffsetTable"),
} as const;

const LARGEST_SIDE = 0xffff;

/** @see PS3.3 C.7.6.3.1, PS3.5 8 and A.4 */
export function readPixels({ dataSet, pixelData, transferSyntaxUid }: Part10, bytes: Bytes): PixelsRead {
  if (!pixelData) return rejected("no-pixels", "no Pixel Data");
  const native = isNative(transferSyntaxUid);
  if (native === undefined)
    return rejected("undecodable", `transfer syntax ${transferSyntaxUid} is not decoded`);
  if (native !== (pixelData.length !== undefined))
    return rejected("undecodable", native ? "encapsulated in a native transfer syntax" : "not encapsulated");

  const described = describe(dataSet);
  if (described.kind === "rejected") return described;
  const format: PixelFormat = { ...described.format, transferSyntaxUid, vr: pixelData.vr };
  const frames = numberOfFrames(dataSet);
  if (frames === undefined)
    return rejected("unsupported-pixels", "Number of Frames is not a positive number");
  const fault = misfit(format);
  if (fault) return rejected("unsupported-pixels", fault);

  const { offset, length } = pixelData;
  if (length !== undefined)
    return nativePixels({ format, frames, offset, length: Math.min(length, bytes.length - offset) });
  const extendedOffsets = offsetsOf(dataSet);
  try {
    const pixels = { offset, frames, ...(extendedOffsets && { extendedOffsets }) };
    return { kind: "pixels", format, frames: encapsulatedFrames(bytes, pixels) };
  } catch (error) {
    if (error instanceof NodeError) return rejected("undecodable", error.message);
    throw error;
  }
}

/** (0028,0008) Number of Frames: 1 if absent; undefined if it is no count. */
function numberOfFrames(dataSet: DataSet): number | undefined {
  const [frames = 1] = numbersOf(dataSet, TAG.numberOfFrames);
  return Number.isSafeInteger(frames) && frames >= 1 ? frames : undefined;
}

type Described =
  | { readonly kind: "format"; readonly format: Omit<PixelFormat, "transferSyntaxUid" | "vr"> }
  | Extract<PixelsRead, { kind: "rejected" }>;

function describe(dataSet: DataSet): Described {
  const unsupported = (what: string): Described => rejected("unsupported-pixels", what);
  const photometric = stringOf(dataSet, TAG.photometricInterpretation) ?? "";
  const samples = numberOf(dataSet, TAG.samplesPerPixel);
  if (samples !== 1 || !photometric.startsWith("MONOCHROME"))
    return samples === undefined
      ? unsupported("no Samples per Pixel")
      : rejected("colour", `${photometric}, samples per pixel: ${samples}`);

  const rows = numberOf(dataSet, TAG.rows) ?? 0;
  const columns = numberOf(dataSet, TAG.columns) ?? 0;
  if (![rows, columns].every((side) => Number.isInteger(side) && side >= 1 && side <= LARGEST_SIDE))
    return unsupported(`${columns} columns, ${rows} rows`);

  const bitsAllocated = numberOf(dataSet, TAG.bitsAllocated);
  if (bitsAllocated !== 8 && bitsAllocated !== 16) return unsupported(`${bitsAllocated} bits allocated`);
  const bitsStored = numberOf(dataSet, TAG.bitsStored) ?? bitsAllocated;
  const highBit = numberOf(dataSet, TAG.highBit) ?? bitsStored - 1;
  if (!(bitsStored >= 1 && highBit >= bitsStored - 1 && highBit < bitsAllocated))
    return unsupported(`${bitsStored} bits stored, high bit ${highBit}, ${bitsAllocated} allocated`);
  const representation = numberOf(dataSet, TAG.pixelRepresentation);
  if (representation !== 0 && representation !== 1)
    return unsupported(`Pixel Representation ${representation}`);

  const signed = representation === 1;
  return { kind: "format", format: { rows, columns, bitsAllocated, bitsStored, highBit, signed } };
}

function misfit({ vr, transferSyntaxUid, bitsAllocated, rows, columns }: PixelFormat): string | undefined {
  if (vr === "OF" || vr === "OD") return "floating point pixels";
  // Bytes swapped in words do not line up with frames of odd length.
  const isSwapped = transferSyntaxUid === TRANSFER_SYNTAX.EXPLICIT_VR_BIG_ENDIAN && vr === "OW";
  if (isSwapped && bitsAllocated === 8 && (rows * columns) % 2)
    return "odd frames of bytes in big endian words";
  return undefined;
}

function nativePixels(pixels: {
  readonly format: PixelFormat;
  readonly frames: number;
  readonly offset: number;
  readonly length: number;
}): PixelsRead {
  const { format, frames, offset, length } = pixels;
  const frameBytes = (format.rows * format.columns * format.bitsAllocated) / 8;
  // The product of three numbers below 2^16, 2^16 and 2^53 may be inexact, but never small.
  if (frames * frameBytes > length)
    return rejected("undecodable", `${length} bytes of pixels where ${frames} × ${frameBytes} are needed`);
  if (length - frames * frameBytes >= Math.max(frameBytes, 2))
    return rejected("undecodable", `${length} bytes of pixels where ${frames} × ${frameBytes} are expected`);
  const chunks = Array.from({ length: frames }, (_, at) => [
    { offset: offset + at * frameBytes, length: frameBytes },
  ]);
  return { kind: "pixels", format, frames: chunks };
}

/** (7FE0,0001) Extended Offset Table: 64 bit, but no file is longer than a double can count. */
function offsetsOf(dataSet: DataSet): readonly number[] | undefined {
  const bytes = bytesOf(dataSet, TAG.extendedOffsetTable);
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, at) =>
    Number(view.getBigUint64(at * 8, true)),
  );
}

function rejected(reason: PixelFault, detail: string): Extract<PixelsRead, { kind: "rejected" }> {
  return { kind: "rejected", reason, detail };
}

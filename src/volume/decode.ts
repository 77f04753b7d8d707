/**
 * Decoding: the bytes of one frame to its stored samples, for every transfer syntax the node takes.
 *
 * In:   native or compressed bytes, and what the DICOM header says about them.
 * Out:  one word per pixel, little endian, and which of its bits mean something.
 * Runs in worker threads: a broken frame can keep a decoder busy for many seconds (volume/build.ts ends it).
 */
import { NodeError } from "../base/errors.ts";
import { TRANSFER_SYNTAX } from "../dicom/constants.ts";
import type { TransferSyntaxUid } from "../dicom/uid.ts";
import { decodeHtj2k } from "./codecs/htj2k.ts";
import { decodeJpeg } from "./codecs/jpeg.ts";
import { decodeJpeg2000 } from "./codecs/jpeg-2000.ts";
import { decodeJpegLs } from "./codecs/jpeg-ls.ts";
import { decodeRle } from "./codecs/rle.ts";
import { type Codestream, readCodestream } from "./codestream.ts";

/** Image Pixel Module, PS3.3 C.7.6.3: one sample per pixel, always. */
export interface PixelFormat {
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly rows: number;
  readonly columns: number;
  readonly bitsAllocated: 8 | 16;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
  /** VR of Pixel Data; big endian OW is swapped in words even if samples are bytes (PS3.5 A.3). */
  readonly vr: string;
}

export interface Samples {
  /** As many as pixels. */
  readonly words: Uint8Array | Uint16Array;
  /** The stored value is in `bits` bits of the word, above `shift` bits that mean nothing. */
  readonly bits: number;
  readonly shift: number;
}

interface Coding {
  readonly accepts: readonly Codestream["coding"][];
  readonly decode: (frame: Uint8Array, stream: Codestream) => Promise<Uint8Array>;
}

const JPEG_DCT: Coding = { accepts: ["jpeg-dct"], decode: decodeJpeg };
const JPEG_LOSSLESS: Coding = { accepts: ["jpeg-lossless"], decode: decodeJpeg };
const JPEG_LS: Coding = { accepts: ["jpeg-ls"], decode: decodeJpegLs };
const JPEG_2000: Coding = { accepts: ["jpeg-2000"], decode: decodeJpeg2000 };
const HTJ2K: Coding = { accepts: ["jpeg-2000"], decode: decodeHtj2k };

const CODINGS = new Map<TransferSyntaxUid, Coding | "native" | "rle">([
  [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN, "native"],
  [TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN, "native"],
  [TRANSFER_SYNTAX.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "native"],
  [TRANSFER_SYNTAX.EXPLICIT_VR_BIG_ENDIAN, "native"],
  [TRANSFER_SYNTAX.JPEG_BASELINE, JPEG_DCT],
  [TRANSFER_SYNTAX.JPEG_EXTENDED, JPEG_DCT],
  [TRANSFER_SYNTAX.JPEG_LOSSLESS, JPEG_LOSSLESS],
  [TRANSFER_SYNTAX.JPEG_LOSSLESS_SV1, JPEG_LOSSLESS],
  [TRANSFER_SYNTAX.JPEG_LS_LOSSLESS, JPEG_LS],
  [TRANSFER_SYNTAX.JPEG_LS_NEAR_LOSSLESS, JPEG_LS],
  [TRANSFER_SYNTAX.JPEG_2000_LOSSLESS, JPEG_2000],
  [TRANSFER_SYNTAX.JPEG_2000, JPEG_2000],
  [TRANSFER_SYNTAX.HTJ2K_LOSSLESS, HTJ2K],
  [TRANSFER_SYNTAX.HTJ2K_LOSSLESS_RPCL, HTJ2K],
  [TRANSFER_SYNTAX.HTJ2K, HTJ2K],
  [TRANSFER_SYNTAX.RLE_LOSSLESS, "rle"],
]);

/** Whether frames of this transfer syntax lie one after another, uncompressed; undefined if it is not decoded. */
export function isNative(transferSyntaxUid: TransferSyntaxUid): boolean | undefined {
  const coding = CODINGS.get(transferSyntaxUid);
  return coding && coding === "native";
}

/**
 * @param frame  may be overwritten (big endian is swapped in place) and must not be kept: words may be its bytes
 * @throws       NodeError PIXELS_UNDECODABLE
 */
export async function decodeFrame(frame: Uint8Array, format: PixelFormat): Promise<Samples> {
  const coding = CODINGS.get(format.transferSyntaxUid);
  if (!coding) throw wrong(`transfer syntax ${format.transferSyntaxUid} is not decoded`);
  if (coding === "native")
    return { words: wordsOf(littleEndian(frame, format), format), ...storedBits(format) };
  if (coding === "rle") {
    const bytes = decodeRle(frame, format.rows * format.columns, format.bitsAllocated / 8);
    return { words: wordsOf(bytes, format), ...storedBits(format) };
  }
  const stream = readCodestream(frame);
  checkAgainstHeader(stream, coding, format);
  const bytes = await coding.decode(frame, stream);
  // A decoder's words are as wide as its precision, and its values start at bit 0 whatever High Bit says.
  const words = wordsOf(bytes, { ...format, bitsAllocated: stream.precision > 8 ? 16 : 8 });
  return { words, bits: Math.min(stream.precision, format.bitsStored), shift: 0 };
}

function checkAgainstHeader(stream: Codestream, coding: Coding, format: PixelFormat): void {
  if (!coding.accepts.includes(stream.coding)) throw wrong(`${stream.coding} in ${format.transferSyntaxUid}`);
  if (stream.components !== 1) throw wrong(`${stream.components} components`);
  if (stream.columns !== format.columns || stream.rows !== format.rows)
    throw wrong(`${stream.columns} × ${stream.rows} in a frame of ${format.columns} × ${format.rows}`);
  if (stream.precision > format.bitsAllocated)
    throw wrong(`${stream.precision} bits in ${format.bitsAllocated} allocated`);
  if (stream.signed && !format.signed) throw wrong("signed samples under an unsigned Pixel Representation");
  // Both JPEG 2000 decoders return 0 for negative bytes (measured); their 16 bit output is right.
  if (stream.signed && stream.precision <= 8) throw wrong("signed bytes in a JPEG 2000 codestream");
}

function storedBits({ bitsStored, highBit }: PixelFormat): { readonly bits: number; readonly shift: number } {
  return { bits: bitsStored, shift: highBit + 1 - bitsStored };
}

function littleEndian(frame: Uint8Array, format: PixelFormat): Uint8Array {
  const isSwapped = format.transferSyntaxUid === TRANSFER_SYNTAX.EXPLICIT_VR_BIG_ENDIAN && format.vr === "OW";
  if (isSwapped) Buffer.from(frame.buffer, frame.byteOffset, frame.length & ~1).swap16();
  return frame;
}

function wordsOf(
  bytes: Uint8Array,
  { rows, columns, bitsAllocated }: Pick<PixelFormat, "rows" | "columns" | "bitsAllocated">,
): Uint8Array | Uint16Array {
  const pixels = rows * columns;
  if (bytes.length !== (pixels * bitsAllocated) / 8)
    throw wrong(`${bytes.length} bytes for ${columns} × ${rows} pixels of ${bitsAllocated} bits`);
  if (bitsAllocated === 8) return bytes;
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : Uint8Array.from(bytes);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, pixels);
}

function wrong(what: string): NodeError {
  return new NodeError("PIXELS_UNDECODABLE", `Frame: ${what}`);
}

/**
 * DICOM files, PS3.10 clause 7: preamble, File Meta Information, data set.
 *
 * In:   a whole file in memory, or a path of which only the head is read.
 * Out:  the meta elements, the data set up to Pixel Data, and where the pixels are.
 * May:  read the one file it is given.
 *
 * A file without preamble and meta information is refused: its transfer syntax would be a guess.
 */
import { type FileHandle, open } from "node:fs/promises";
import { constants, inflateRawSync } from "node:zlib";
import { NodeError } from "../base/errors.ts";
import { TRANSFER_SYNTAX } from "./constants.ts";
import { type DataSet, stringOf } from "./data-set.ts";
import { type Encoding, type PixelDataPlace, readDataSet, ShortRead } from "./read.ts";
import { parseUid, type TransferSyntaxUid } from "./uid.ts";

export interface Part10 {
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly meta: DataSet;
  /** Up to Pixel Data. */
  readonly dataSet: DataSet;
  /** What the offset of `pixelData` counts in: the file, or the data set inflated. */
  readonly body: Uint8Array;
  readonly pixelData?: PixelDataPlace;
  /** Where the data set begins in the file. */
  readonly dataSetOffset: number;
}

const FIRST_READ_BYTES = 64 * 1024;
const HEADER_LIMIT_BYTES = 64 * 1024 * 1024;
const INFLATED_LIMIT_BYTES = 1024 * 1024 * 1024;
const TRANSFER_SYNTAX_UID = 0x00020010;
const EXPLICIT: Encoding = { explicitVr: true, bigEndian: false };

/** @throws NodeError DATA_SET_INVALID */
export function readPart10(file: Uint8Array): Part10 {
  return whole(() => parse(file, INFLATED_LIMIT_BYTES, true));
}

/**
 * Reads as much of a file as its header needs; `body` holds only that.
 *
 * @throws NodeError DATA_SET_INVALID; what the file system throws
 */
export async function readPart10Header(path: string): Promise<Part10> {
  await using file = await open(path);
  const { size } = await file.stat();
  for (let length = FIRST_READ_BYTES; ; length *= 4) {
    const bytes = await head(file, Math.min(length, size));
    if (length >= size) return whole(() => parse(bytes, HEADER_LIMIT_BYTES, true));
    try {
      return parse(bytes, HEADER_LIMIT_BYTES, false);
    } catch (error) {
      if (!(error instanceof ShortRead)) throw error;
      if (length >= HEADER_LIMIT_BYTES)
        throw invalid(`header longer than ${HEADER_LIMIT_BYTES} bytes`, error);
    }
  }
}

/** The encoding of a data set by its transfer syntax, PS3.5 annex A. */
export function encodingOf(transferSyntaxUid: TransferSyntaxUid): Encoding {
  return {
    explicitVr: transferSyntaxUid !== TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN,
    bigEndian: transferSyntaxUid === TRANSFER_SYNTAX.EXPLICIT_VR_BIG_ENDIAN,
  };
}

/**
 * The head of a data set that is still arriving, without preamble and meta information.
 *
 * @returns undefined if the header is longer than the bytes given
 * @throws  NodeError DATA_SET_INVALID
 */
export function readDataSetHead(
  bytes: Uint8Array,
  transferSyntaxUid: TransferSyntaxUid,
): DataSet | undefined {
  try {
    const body = isDeflated(transferSyntaxUid) ? inflate(bytes, HEADER_LIMIT_BYTES, false) : bytes;
    return readDataSet(body, 0, encodingOf(transferSyntaxUid)).dataSet;
  } catch (error) {
    if (error instanceof ShortRead) return undefined;
    throw error;
  }
}

function parse(file: Uint8Array, inflatedLimit: number, complete: boolean): Part10 {
  if (file.length < 132) throw complete ? invalid("too short for a DICOM file") : new ShortRead("preamble");
  if (Buffer.from(file.subarray(128, 132)).toString("latin1") !== "DICM") throw invalid("no DICM prefix");
  const meta = readDataSet(file, 132, EXPLICIT, (tag) => tag >>> 16 !== 0x0002);
  const transferSyntaxUid = parseUid<TransferSyntaxUid>(stringOf(meta.dataSet, TRANSFER_SYNTAX_UID));
  if (!transferSyntaxUid) throw invalid("no Transfer Syntax UID (0002,0010)");
  const deflated = isDeflated(transferSyntaxUid);
  const body = deflated ? inflate(file.subarray(meta.end), inflatedLimit, complete) : file;
  const { dataSet, pixelData } = readDataSet(body, deflated ? 0 : meta.end, encodingOf(transferSyntaxUid));
  const read = { transferSyntaxUid, meta: meta.dataSet, dataSet, body, dataSetOffset: meta.end };
  return pixelData ? { ...read, pixelData } : read;
}

function isDeflated(transferSyntaxUid: TransferSyntaxUid): boolean {
  return transferSyntaxUid === TRANSFER_SYNTAX.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
}

function inflate(bytes: Uint8Array, maxOutputLength: number, complete: boolean): Uint8Array {
  try {
    const finishFlush = complete ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
    return inflateRawSync(bytes, { maxOutputLength, finishFlush });
  } catch (cause) {
    throw invalid("deflated data set cannot be inflated", cause);
  }
}

async function head(file: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(bytes, 0, length, 0);
  return bytes.subarray(0, bytesRead);
}

function whole(read: () => Part10): Part10 {
  try {
    return read();
  } catch (error) {
    if (error instanceof ShortRead) throw invalid("ends inside an element", error);
    throw error;
  }
}

function invalid(what: string, cause?: unknown): NodeError {
  return new NodeError("DATA_SET_INVALID", `DICOM file: ${what}`, { cause });
}

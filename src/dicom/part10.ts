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
import { type DataSet, stringOf, type Tag } from "./data-set.ts";
import { type Encoding, type PixelDataPlace, readDataSet, ShortRead, type Stream } from "./read.ts";
import { parseUid, type TransferSyntaxUid } from "./uid.ts";

export interface Part10Meta {
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly meta: DataSet;
  /** Where the data set begins in the file. */
  readonly dataSetOffset: number;
}

export interface Part10 extends Part10Meta {
  /** Up to Pixel Data. */
  readonly dataSet: DataSet;
  /** What the offset of `pixelData` counts in: the file, or the data set inflated. */
  readonly body: Uint8Array;
  readonly pixelData?: PixelDataPlace;
}

/** What is read of a header; undefined: all up to Pixel Data. */
export interface HeaderOptions {
  /** Elements above this tag may be missing from the answer. */
  readonly last?: Tag;
  /** More are refused: for who must not be held up. */
  readonly mostElements?: number;
  /** Of a file no more is read, 64 MiB by default. */
  readonly mostBytes?: number;
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly isPrefix: boolean;
}

const FIRST_READ_BYTES = 64 * 1024;
const HEADER_LIMIT_BYTES = 64 * 1024 * 1024;
const INFLATED_LIMIT_BYTES = 1024 * 1024 * 1024;
/** A kilobyte of a deflated stream can hold a megabyte of zeros: headers are inflated little by little. */
const FIRST_INFLATED_BYTES = 4 * 1024;
const INFLATED_HEADER_LIMIT_BYTES = 16 * 1024 * 1024;
const TRANSFER_SYNTAX_UID = 0x00020010;
const EXPLICIT: Encoding = { explicitVr: true, bigEndian: false };

/** @throws NodeError DATA_SET_INVALID */
export function readPart10(file: Uint8Array): Part10 {
  return whole(() => {
    const meta = parseMeta({ bytes: file, isPrefix: false });
    const { transferSyntaxUid, dataSetOffset } = meta;
    const encoding = encodingOf(transferSyntaxUid);
    if (!isDeflated(transferSyntaxUid)) return part10(meta, file, readDataSet(file, dataSetOffset, encoding));
    const body = inflate(file.subarray(dataSetOffset), INFLATED_LIMIT_BYTES, true);
    return part10(meta, body, readDataSet(body, 0, encoding));
  });
}

/**
 * Reads as much of a file as its header needs; `body` holds only that.
 *
 * @throws NodeError DATA_SET_INVALID; what the file system throws
 */
export async function readPart10Header(path: string, options: HeaderOptions = {}): Promise<Part10> {
  const { mostBytes, ...limits } = options;
  return readHead(path, mostBytes ?? HEADER_LIMIT_BYTES, (piece) => {
    const meta = parseMeta(piece);
    const { transferSyntaxUid, dataSetOffset } = meta;
    const encoding = encodingOf(transferSyntaxUid);
    if (!isDeflated(transferSyntaxUid)) {
      return part10(meta, piece.bytes, upTo(limits, piece, dataSetOffset, encoding));
    }
    const deflated = { bytes: piece.bytes.subarray(dataSetOffset), isPrefix: piece.isPrefix };
    const { body, stream } = inflatedHead(deflated, (inflated) => upTo(limits, inflated, 0, encoding));
    return part10(meta, body, stream);
  });
}

/**
 * What a file says of itself before its data set.
 *
 * @param head  its first bytes, 64 KiB or all it has
 * @throws      NodeError DATA_SET_INVALID
 */
export function readPart10Meta(head: Uint8Array): Part10Meta {
  return whole(() => parseMeta({ bytes: head, isPrefix: true }));
}

/** The encoding of a data set by its transfer syntax, PS3.5 annex A. */
export function encodingOf(transferSyntaxUid: TransferSyntaxUid): Encoding {
  return {
    explicitVr: transferSyntaxUid !== TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN,
    bigEndian: transferSyntaxUid === TRANSFER_SYNTAX.EXPLICIT_VR_BIG_ENDIAN,
  };
}

/**
 * The head of a data set, without preamble and meta information.
 *
 * @param options.isPrefix  more of the data set follows
 * @returns undefined if the header, or its part up to `last`, is longer than the bytes given
 * @throws  NodeError DATA_SET_INVALID
 */
export function readDataSetHead(
  bytes: Uint8Array,
  transferSyntaxUid: TransferSyntaxUid,
  options: HeaderOptions & { readonly isPrefix: boolean },
): DataSet | undefined {
  const encoding = encodingOf(transferSyntaxUid);
  const read = (piece: Piece): Stream => upTo(options, piece, 0, encoding);
  const piece = { bytes, isPrefix: options.isPrefix };
  try {
    return (isDeflated(transferSyntaxUid) ? inflatedHead(piece, read).stream : read(piece)).dataSet;
  } catch (error) {
    if (error instanceof ShortRead) return undefined;
    throw error;
  }
}

/** All of the header if it is there, else the part that `last` asks for: so elements out of order are seen. */
function upTo({ last, ...limits }: HeaderOptions, piece: Piece, start: number, encoding: Encoding): Stream {
  const { bytes, isPrefix } = piece;
  try {
    return readDataSet(bytes, start, encoding, { ...limits, isPrefix });
  } catch (error) {
    if (!(error instanceof ShortRead) || last === undefined) throw error;
    return readDataSet(bytes, start, encoding, { ...limits, isPrefix, stop: (tag) => tag > last });
  }
}

function parseMeta({ bytes, isPrefix }: Piece): Part10Meta {
  if (bytes.length < 132) throw new ShortRead(132, bytes.length);
  if (Buffer.from(bytes.subarray(128, 132)).toString("latin1") !== "DICM") throw invalid("no DICM prefix");
  const stop = (tag: Tag): boolean => tag >>> 16 !== 0x0002;
  const { dataSet: meta, end } = readDataSet(bytes, 132, EXPLICIT, { isPrefix, stop });
  const transferSyntaxUid = parseUid<TransferSyntaxUid>(stringOf(meta, TRANSFER_SYNTAX_UID));
  if (!transferSyntaxUid) throw invalid("no Transfer Syntax UID (0002,0010)");
  return { transferSyntaxUid, meta, dataSetOffset: end };
}

function part10(meta: Part10Meta, body: Uint8Array, { dataSet, pixelData }: Stream): Part10 {
  return { ...meta, dataSet, body, ...(pixelData && { pixelData }) };
}

/** The lengths in such a data set are those of the inflated one. */
export function isDeflated(transferSyntaxUid: TransferSyntaxUid): boolean {
  return transferSyntaxUid === TRANSFER_SYNTAX.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
}

/** @throws ShortRead if the bytes are too few */
function inflatedHead(
  { bytes, isPrefix }: Piece,
  read: (piece: Piece) => Stream,
): { readonly body: Uint8Array; readonly stream: Stream } {
  for (let length = FIRST_INFLATED_BYTES; ; length *= 4) {
    const isWhole = length >= bytes.length && !isPrefix;
    const body = inflate(bytes.subarray(0, length), INFLATED_HEADER_LIMIT_BYTES, isWhole);
    try {
      return { body, stream: read({ bytes: body, isPrefix: !isWhole }) };
    } catch (error) {
      if (!(error instanceof ShortRead)) throw error;
      if (length >= bytes.length) throw new ShortRead(0, bytes.length); // how many of these bytes, nobody knows
    }
  }
}

function inflate(bytes: Uint8Array, maxOutputLength: number, complete: boolean): Uint8Array {
  try {
    const finishFlush = complete ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
    return inflateRawSync(bytes, { maxOutputLength, finishFlush });
  } catch (cause) {
    throw invalid("deflated data set cannot be inflated", cause);
  }
}

/** Gives `read` more and more of a file, until it is enough. */
async function readHead<T>(path: string, mostBytes: number, read: (piece: Piece) => T): Promise<T> {
  await using file = await open(path);
  const { size } = await file.stat();
  for (let length = FIRST_READ_BYTES; ; ) {
    const bytes = await head(file, Math.min(length, size));
    if (length >= size) return whole(() => read({ bytes, isPrefix: false }));
    try {
      return read({ bytes, isPrefix: true });
    } catch (error) {
      if (!(error instanceof ShortRead)) throw error;
      if (error.needed > size) throw invalid("ends inside an element", error);
      if (length >= mostBytes || error.needed > mostBytes)
        throw invalid(`header longer than ${mostBytes} bytes`, error);
      length = Math.min(Math.max(length * 4, error.needed), mostBytes);
    }
  }
}

async function head(file: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(bytes, 0, length, 0);
  return bytes.subarray(0, bytesRead);
}

function whole<T>(read: () => T): T {
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

/**
 * One file of an answer, told by what it is: its header first, its numbers when they are asked for.
 *
 * In:   bytes, and what is declared of those that do not say it themselves.
 * Out:  an ImageHeader, and a function that makes the numbers, no more and no fewer than the header says.
 * Pure. Runs in a worker.
 *
 * The header is judged before anything is inflated; so the limit of the inflation is what the header says, which by
 * then is what was sent, or within what the config allows.
 */
import type { NodeError } from "../../base/errors.ts";
import type { Grid } from "../volume.ts";
import {
  isNpy,
  MAX_NPY_HEADER_BYTES,
  type ResponseFormat,
  rawHeader,
  readNpyHeader,
  type Tensor,
  tensorHeader,
} from "./array.ts";
import { gunzip, inflate, inflateHead, isGzip } from "./gzip.ts";
import {
  bytesPer,
  type Image,
  type ImageHeader,
  invalid,
  type NumberType,
  numbersIn,
  numbersOf,
  printable,
} from "./image.ts";
import { isMetaImage, MAX_META_HEADER_BYTES, readMetaImageHeader } from "./metaimage.ts";
import { niftiVersion, readNiftiHeader } from "./nifti.ts";
import { isNrrd, MAX_NRRD_HEADER_BYTES, readNrrdHeader } from "./nrrd.ts";
import { isZip, zipEntries } from "./zip.ts";

/** As the model sent it, taken out of what it was wrapped in. */
export interface AnswerFile {
  /** Of a part or an entry of an archive. */
  readonly name?: string;
  readonly bytes: Uint8Array;
  /** Bare numbers, little-endian, the last axis fastest. */
  readonly tensor?: Tensor;
}

/** A file whose bytes may still be in an archive. */
export interface Packed {
  readonly name?: string;
  readonly tensor?: Tensor;
  readonly head: () => Uint8Array;
  /** @throws MODEL_ANSWER_INVALID if it is damaged or holds more than `limit` bytes */
  readonly content: (limit: number) => Uint8Array;
}

export interface OpenImage {
  readonly header: ImageHeader;
  readonly image: () => Image;
}

interface Wanted {
  /** The grid of bare numbers. */
  readonly sent: Grid;
  readonly mostChannels: number;
}

/** In an archive of masks; TotalSegmentator has 117. */
const MOST_ENTRIES = 4096;

/** Every file, those in a zip (.npz) one by one. */
export function unzipped(files: readonly AnswerFile[]): readonly Packed[] {
  return files.flatMap((file): readonly Packed[] => {
    if (file.tensor || !isZip(file.bytes)) return [packed(file)];
    const entries = zipEntries(file.bytes, MOST_ENTRIES);
    if (entries.length === 0) throw invalid("Answer is an empty zip");
    return entries;
  });
}

/** @throws MODEL_ANSWER_INVALID: not an image, or one whose header is wrong */
export function openImage(file: Packed, format: ResponseFormat, wanted: Wanted): OpenImage {
  const { sent } = wanted;
  if (file.tensor) return openTensor(file, tensorHeader(file.tensor, format.layout, sent));
  if (format.raw) return openRaw(file, format.raw, format, wanted);
  const head = file.head();
  const header = readHeader(isGzip(head) ? inflateHead(head, "gzip") : head, format.layout, sent);
  return { header, image: () => imageOf(header, dataOf(file, isGzip(head), header)) };
}

function packed({ bytes, ...rest }: AnswerFile): Packed {
  return { ...rest, head: () => bytes, content: () => bytes };
}

function readHeader(head: Uint8Array, layout: string | undefined, sent: Grid): ImageHeader {
  if (isNrrd(head)) return readNrrdHeader(head.subarray(0, MAX_NRRD_HEADER_BYTES));
  if (isNpy(head)) return readNpyHeader(head.subarray(0, MAX_NPY_HEADER_BYTES), layout, sent);
  if (niftiVersion(head)) return readNiftiHeader(head);
  if (isMetaImage(head)) return readMetaImageHeader(head.subarray(0, MAX_META_HEADER_BYTES));
  if (head.length === 0) throw invalid("Answer is empty");
  if (isGzip(head)) throw invalid("Answer is gzip within gzip");
  if (isZip(head)) throw invalid("Answer is a zip within gzip or zip");
  const start = printable(Buffer.from(head.subarray(0, 40)).toString("latin1"));
  throw invalid(`Answer is none of NIfTI, NRRD, MetaImage, npy; it begins with "${start}"`);
}

/** The raw bytes of the voxels, no more and no less. */
function dataOf(file: Packed, isZipped: boolean, header: ImageHeader): Uint8Array {
  const wanted = numbersOf(header) * bytesPer(header.type);
  const { encoding, offset } = header;
  const stored = offset + (encoding === "raw" ? wanted : withOverhead(wanted));
  const bytes = file.content(isZipped ? withOverhead(stored) : stored);
  const rest = (isZipped ? inflate(bytes, "gzip", stored) : bytes).subarray(offset);
  const data = encoding === "raw" ? rest : inflate(rest, encoding, wanted);
  if (data.length !== wanted) throw wrongSize(header, data.length, wanted);
  return data;
}

function openTensor(file: Packed, header: ImageHeader): OpenImage {
  return {
    header,
    image() {
      const wanted = numbersOf(header) * bytesPer(header.type);
      const data = file.content(wanted);
      if (data.length !== wanted) throw wrongSize(header, data.length, wanted);
      return imageOf(header, data);
    },
  };
}

/** The type is declared, and the number of channels follows from the length. */
function openRaw(
  file: Packed,
  type: NumberType,
  format: ResponseFormat,
  { sent, mostChannels }: Wanted,
): OpenImage {
  const volume = sent.size[0] * sent.size[1] * sent.size[2] * bytesPer(type);
  const bytes = bareBytes(file, (length) => length > 0 && length % volume === 0, volume * mostChannels);
  const header = rawHeader(bytes.length, type, format, sent);
  return { header, image: () => imageOf(header, bytes) };
}

/**
 * Bytes without a header, gzipped or not: their length tells, since bare numbers may begin as gzip does.
 *
 * @param isLength  whether so many bytes can be what is wanted
 */
export function bareBytes(file: Packed, isLength: (bytes: number) => boolean, most: number): Uint8Array {
  const bytes = file.content(withOverhead(most));
  return isLength(bytes.length) || !isGzip(bytes) ? bytes : gunzip(bytes, most);
}

function imageOf(header: ImageHeader, data: Uint8Array): Image {
  return { ...header, numbers: numbersIn(data, header.type, header.littleEndian) };
}

/** What deflate may add to what it cannot make smaller (RFC 1951). */
function withOverhead(bytes: number): number {
  return Math.ceil(bytes + bytes / 1000 + 1024);
}

function wrongSize({ format, grid, channels, type }: ImageHeader, found: number, wanted: number): NodeError {
  const shape = `${grid.size.join("×")}${channels > 1 ? `×${channels}` : ""} ${type}`;
  const how =
    found < wanted ? `ends after ${found} of ${wanted} bytes` : `has ${found} bytes instead of ${wanted}`;
  return invalid(`${format} of ${shape} ${how}`);
}

/**
 * Data set to bytes: Explicit or Implicit VR Little Endian, PS3.5 7.1.2 and 7.1.3, and the file around it, PS3.10 7.1.
 * Pure.
 *
 * Sequences and items have defined lengths; values are padded to even length with the byte their VR asks for. A
 * value too long for its VR, which an implicit VR source can have, is written as UN (PS3.5 6.2.2, note 7).
 * Elements are written in ascending order of tag. The same data set gives the same bytes.
 */
import { IMPLEMENTATION } from "./constants.ts";
import type { DataSet, Element, Tag } from "./data-set.ts";
import type { TransferSyntaxUid } from "./uid.ts";

/** (7FE0,0010) Pixel Data; native, its chunks following each other. */
export interface PixelData {
  readonly vr: "OB" | "OW";
  readonly chunks: readonly Uint8Array[];
}

const LONG_LENGTH = new Set("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split(" "));
const PIXEL_DATA = 0x7fe00010;
const LARGEST_VALUE_BYTES = 0xfffffffe;
const HEAD_BYTES = 12;
const ITEM = 0xfffee000;
const UNDEFINED_LENGTH = 0xffffffff;

export function encodeDataSet(dataSet: DataSet): Uint8Array {
  const writer = new Writer(true);
  writer.dataSet(dataSet);
  return writer.done();
}

/** The same without value representations, PS3.5 A.1. */
export function encodeImplicit(dataSet: DataSet): Uint8Array {
  const writer = new Writer(false);
  writer.dataSet(dataSet);
  return writer.done();
}

/**
 * The same, up to and with the head of native Pixel Data.
 *
 * @param pixelBytes  length of the pixels, which follow what is returned
 */
export function encodeImplicitHead(dataSet: DataSet, pixelBytes: number): Uint8Array {
  const writer = new Writer(false);
  writer.dataSet(dataSet);
  writer.head(PIXEL_DATA, "OW", pixelBytes);
  return writer.done();
}

/**
 * A whole DICOM file, as chunks to be written one after another.
 *
 * @param dataSet   with SOP Class UID and SOP Instance UID, without Pixel Data
 * @throws          if the pixels are more than 2^32 − 2 bytes, the limit of a native value field
 */
export function encodePart10(
  transferSyntaxUid: TransferSyntaxUid,
  dataSet: DataSet,
  pixelData?: PixelData,
): Uint8Array[] {
  const data = encodeDataSet(dataSet);
  const file = [encodeMeta(transferSyntaxUid, dataSet), data];
  return pixelData ? [...file, ...encodePixelData(pixelData)] : file;
}

function encodePixelData({ vr, chunks }: PixelData): Uint8Array[] {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const padding = length % 2;
  return [pixelDataHead(vr, length + padding), ...chunks, ...(padding ? [new Uint8Array(1)] : [])];
}

/** The head of Pixel Data whose value follows; of undefined length if its frames are items (PS3.5 A.4). */
export function pixelDataHead(vr: "OB" | "OW", length: number | "undefined"): Uint8Array {
  if (length !== "undefined" && length > LARGEST_VALUE_BYTES)
    throw new Error(`bug: Pixel Data of ${length} bytes`);
  const writer = new Writer(true, HEAD_BYTES);
  writer.head(PIXEL_DATA, vr, length === "undefined" ? UNDEFINED_LENGTH : length);
  return writer.done();
}

/** The head of an item of encapsulated Pixel Data. */
export function itemHead(length: number): Uint8Array {
  const writer = new Writer(true, HEAD_BYTES);
  writer.item(length);
  return writer.done();
}

/** The sequence delimiter behind the last item of encapsulated Pixel Data. */
export function encapsulatedEnd(): Uint8Array {
  return Uint8Array.of(0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0);
}

/** Preamble, prefix and group 0002, its length first. */
export function encodeMeta(transferSyntaxUid: TransferSyntaxUid, identity: DataSet): Uint8Array {
  const ui = (text: string): Element => ({ vr: "UI", bytes: Buffer.from(text, "latin1") });
  const elements = new Map<Tag, Element>([
    [0x00020001, { vr: "OB", bytes: Uint8Array.of(0, 1) }],
    [0x00020002, identity.elements.get(0x00080016) ?? ui("")],
    [0x00020003, identity.elements.get(0x00080018) ?? ui("")],
    [0x00020010, ui(transferSyntaxUid)],
    [0x00020012, ui(IMPLEMENTATION.CLASS_UID)],
    [0x00020013, { vr: "SH", bytes: Buffer.from(IMPLEMENTATION.VERSION_NAME, "latin1") }],
  ]);
  const group = encodeDataSet({ characterSet: identity.characterSet, elements });
  const writer = new Writer(true);
  writer.raw(new Uint8Array(128));
  writer.raw(Buffer.from("DICM", "latin1"));
  writer.head(0x00020000, "UL", 4);
  writer.uint32(group.length);
  writer.raw(group);
  return writer.done();
}

/** A buffer that grows; lengths of sequences are filled in when their end is known. */
class Writer {
  readonly #isExplicit: boolean;
  #bytes: Buffer;
  #at = 0;

  constructor(isExplicit: boolean, bytes = 4096) {
    this.#isExplicit = isExplicit;
    this.#bytes = Buffer.allocUnsafe(bytes);
  }

  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  dataSet({ elements }: DataSet): void {
    for (const tag of [...elements.keys()].sort((a, b) => a - b)) this.#element(tag, elements.get(tag)!);
  }

  head(tag: Tag, vr: string, length: number): void {
    this.#tag(tag);
    if (!this.#isExplicit) return this.uint32(length);
    this.raw(Buffer.from(vr, "latin1"));
    if (LONG_LENGTH.has(vr)) {
      this.#uint16(0);
      this.uint32(length);
    } else {
      this.#uint16(length);
    }
  }

  item(length: number): void {
    this.#tag(ITEM);
    this.uint32(length);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#at = this.#bytes.writeUInt32LE(value, this.#at);
  }

  #element(tag: Tag, element: Element): void {
    if ("items" in element) return this.#sequence(tag, element.items);
    const { vr, bytes } = element;
    const odd = bytes.length % 2;
    const length = bytes.length + odd;
    this.head(tag, length > 0xffff && !LONG_LENGTH.has(vr) ? "UN" : vr, length);
    this.raw(bytes);
    if (odd) this.raw(Uint8Array.of(ZERO_PADDED.has(vr) ? 0 : 0x20));
  }

  #sequence(tag: Tag, items: readonly DataSet[]): void {
    this.head(tag, "SQ", 0);
    const start = this.#at;
    for (const item of items) {
      this.item(0);
      const inside = this.#at;
      this.dataSet(item);
      this.#bytes.writeUInt32LE(this.#at - inside, inside - 4);
    }
    this.#bytes.writeUInt32LE(this.#at - start, start - 4);
  }

  #tag(tag: Tag): void {
    this.#uint16(tag >>> 16);
    this.#uint16(tag & 0xffff);
  }

  #uint16(value: number): void {
    this.#reserve(2);
    this.#at = this.#bytes.writeUInt16LE(value, this.#at);
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

const ZERO_PADDED = new Set("UI OB OD OF OL OV OW UN".split(" "));

/**
 * Bytes to data set: the elements of a stream, up to Pixel Data. Pure.
 *
 * In:   a byte array and the transfer syntax's byte order and VR encoding.
 * Out:  elements with little endian values, and where Pixel Data begins.
 * Bounds: every length is checked against the bytes there are, and against the item it lies in; depth is limited.
 * A value that runs past the end of a prefix throws ShortRead, so that a caller who holds only the head of a file
 * can fetch more.
 *
 * Tolerated, because devices send it: group lengths, odd lengths, elements out of order, VR UN for standard
 * elements (the dictionary's VR is used), UN of undefined length (PS3.5 6.2.2, an implicit VR sequence). Compressed
 * pixels inside an item, those of an icon, are passed over: their element has no value.
 */
import { NodeError } from "../base/errors.ts";
import { type CharacterSet, DEFAULT_CHARACTER_SET, withoutPadding } from "./character-set.ts";
import { SEQUENCE_DEPTH_LIMIT } from "./constants.ts";
import type { DataSet, Element, Tag } from "./data-set.ts";
import { isAsPixels, vrOf } from "./dictionary.ts";

export interface Encoding {
  readonly explicitVr: boolean;
  readonly bigEndian: boolean;
}

/** Where the pixels are: offset of the first byte of the value field; undefined length is encapsulated. */
export interface PixelDataPlace {
  readonly vr: string;
  readonly offset: number;
  readonly length: number | undefined;
}

export interface Stream {
  readonly dataSet: DataSet;
  readonly pixelData?: PixelDataPlace;
  /** Offset behind the last element read. */
  readonly end: number;
}

/** The bytes end inside an element; more of the file may follow. */
export class ShortRead extends Error {
  override readonly name = "ShortRead";
  /** So many bytes from the beginning would be enough for this element. */
  readonly needed: number;

  constructor(needed: number, held: number) {
    super(`${needed} bytes needed, ${held} are there`);
    this.needed = needed;
  }
}

const UNDEFINED = 0xffffffff;
const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
const SPECIFIC_CHARACTER_SET = 0x00080005;
const PIXEL_REPRESENTATION = 0x00280103;
const LONGEST_TERMS_BYTES = 1024;
const NO_BYTES = new Uint8Array(0);
const PIXEL_DATA = new Set([0x7fe00008, 0x7fe00009, 0x7fe00010]);
/** A sequence that came as UN, whatever the rest of the data set is encoded in (PS3.5 6.2.2 note 2). */
const INSIDE_UNKNOWN: Encoding = { explicitVr: false, bigEndian: false };
/** Explicit VRs with a 2 byte length; all others have 2 reserved bytes and 4 bytes of length (PS3.5 7.1.2). */
const SHORT_LENGTH = new Set("AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split(" "));
/** AA, AB, … ZZ: also those of editions to come, which have 4 bytes of length. */
const REPRESENTATIONS = Array.from({ length: 26 * 26 }, (_, at) =>
  String.fromCharCode(0x41 + Math.floor(at / 26), 0x41 + (at % 26)),
);
const WORD_BYTES: Readonly<Record<string, number>> = {
  US: 2,
  SS: 2,
  OW: 2,
  AT: 2,
  UL: 4,
  SL: 4,
  FL: 4,
  OL: 4,
  OF: 4,
  FD: 8,
  OD: 8,
  SV: 8,
  UV: 8,
  OV: 8,
};

export interface ReadOptions {
  /** Ends the reading before this element. */
  readonly stop?: (tag: Tag) => boolean;
  /** More may follow: the end of the bytes is then not the end of the data set. */
  readonly isPrefix?: boolean;
  /** More elements, those in sequences included, are not read. */
  readonly mostElements?: number;
}

/**
 * Reads a data set from `start`, until Pixel Data, the end, or an element that `stop` names.
 *
 * @throws NodeError DATA_SET_INVALID; ShortRead
 */
export function readDataSet(
  bytes: Uint8Array,
  start: number,
  encoding: Encoding,
  options: ReadOptions = {},
): Stream {
  return new Reader(bytes, encoding, options).topLevel(start);
}

interface Level {
  readonly depth: number;
  readonly encoding: Encoding;
}

interface Head {
  readonly tag: Tag;
  readonly vr: string;
  readonly length: number;
  /** Offset of the value field. */
  readonly at: number;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #encoding: Encoding;
  readonly #options: ReadOptions;
  #signedPixels = false;
  #elements = 0;

  constructor(bytes: Uint8Array, encoding: Encoding, options: ReadOptions) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#encoding = encoding;
    this.#options = options;
  }

  topLevel(start: number): Stream {
    const elements = new Map<Tag, Element>();
    const level = { depth: 0, encoding: this.#encoding };
    let characterSet = DEFAULT_CHARACTER_SET;
    let at = start;
    while (at < this.#bytes.length || this.#options.isPrefix) {
      if (this.#options.stop?.(this.#tag(at, this.#encoding))) break;
      const head = this.#head(at, this.#encoding);
      if (PIXEL_DATA.has(head.tag)) {
        const length = head.length === UNDEFINED ? undefined : head.length;
        const pixelData = { vr: head.vr, offset: head.at, length };
        return { dataSet: { characterSet, elements }, pixelData, end: head.at };
      }
      const { element, next } = this.#element(head, characterSet, level);
      if (head.tag & 0xffff) elements.set(head.tag, element);
      if (head.tag === SPECIFIC_CHARACTER_SET) characterSet = characterSetOf(element);
      at = next;
    }
    return { dataSet: { characterSet, elements }, end: at };
  }

  #tag(at: number, { bigEndian }: Encoding): Tag {
    this.#need(at, 8);
    return this.#view.getUint16(at, !bigEndian) * 0x10000 + this.#view.getUint16(at + 2, !bigEndian);
  }

  #head(at: number, encoding: Encoding): Head {
    const little = !encoding.bigEndian;
    const tag = this.#tag(at, encoding);
    if (!encoding.explicitVr || tag >>> 16 === 0xfffe) {
      return { tag, vr: implicitVr(tag), length: this.#view.getUint32(at + 4, little), at: at + 8 };
    }
    const vr = REPRESENTATIONS[(this.#bytes[at + 4]! - 0x41) * 26 + this.#bytes[at + 5]! - 0x41];
    if (vr === undefined || !isLetter(this.#bytes[at + 5]!))
      throw invalid(`no value representation at ${at} for ${hex(tag)}`);
    if (SHORT_LENGTH.has(vr)) {
      return { tag, vr, length: this.#view.getUint16(at + 6, little), at: at + 8 };
    }
    this.#need(at, 12);
    return { tag, vr, length: this.#view.getUint32(at + 8, little), at: at + 12 };
  }

  #element(head: Head, set: CharacterSet, level: Level): { element: Element; next: number } {
    const { tag, length, at } = head;
    if (++this.#elements > (this.#options.mostElements ?? Infinity)) throw invalid("too many elements");
    if (tag >>> 16 === 0xfffe) throw invalid(`${hex(tag)} outside of a sequence`);
    const vr = this.#vrOf(head, level.encoding);
    if (length === UNDEFINED && (vr === "OB" || vr === "OW") && level.encoding.explicitVr) {
      return { element: { vr, bytes: NO_BYTES }, next: this.#behindFragments(head, level.encoding) };
    }
    if (vr === "SQ" || length === UNDEFINED) {
      if (vr !== "SQ" && vr !== "UN") throw invalid(`undefined length of ${hex(tag)} with VR ${vr}`);
      const unknown = head.vr === "UN" && level.encoding.explicitVr;
      const encoding = unknown ? INSIDE_UNKNOWN : level.encoding;
      return this.#sequence(head, set, { depth: level.depth + 1, encoding });
    }
    this.#need(at, length);
    if (tag === PIXEL_REPRESENTATION) this.#signedPixels = this.#bytes.subarray(at, at + length).includes(1);
    const stored = this.#bytes.subarray(at, at + length);
    const wordBytes = level.encoding.bigEndian ? (WORD_BYTES[vr] ?? 1) : 1;
    return { element: { vr, bytes: wordBytes > 1 ? swapped(stored, wordBytes) : stored }, next: at + length };
  }

  /** What is not said, or said to be unknown, the dictionary knows. */
  #vrOf({ tag, vr }: Head, { explicitVr }: Encoding): string {
    if (explicitVr && vr !== "UN") return vr;
    return this.#signedPixels && isAsPixels(tag) ? "SS" : (vrOf(tag) ?? vr);
  }

  #sequence(head: Head, set: CharacterSet, level: Level): { element: Element; next: number } {
    if (level.depth > SEQUENCE_DEPTH_LIMIT)
      throw invalid(`sequences nested more than ${SEQUENCE_DEPTH_LIMIT} deep`);
    const items: DataSet[] = [];
    const end = this.#endOf(head.at, head.length);
    let at = head.at;
    while (end === undefined || at < end) {
      const { tag, length, at: inside } = this.#head(at, level.encoding);
      if (tag === SEQUENCE_END && end === undefined) return { element: { vr: "SQ", items }, next: inside };
      if (tag !== ITEM) throw invalid(`${hex(tag)} instead of an item in ${hex(head.tag)}`);
      const item = this.#item(inside, length, set, level);
      items.push(item.dataSet);
      at = item.next;
    }
    if (at !== end) throw invalid(`an item longer than ${hex(head.tag)} that it lies in`);
    return { element: { vr: "SQ", items }, next: at };
  }

  #item(start: number, length: number, set: CharacterSet, level: Level): { dataSet: DataSet; next: number } {
    const elements = new Map<Tag, Element>();
    const end = this.#endOf(start, length);
    let characterSet = set;
    let at = start;
    while (end === undefined || at < end) {
      const head = this.#head(at, level.encoding);
      if (head.tag === ITEM_END && end === undefined)
        return { dataSet: { characterSet, elements }, next: head.at };
      const { element, next } = this.#element(head, characterSet, level);
      if (head.tag & 0xffff) elements.set(head.tag, element);
      if (head.tag === SPECIFIC_CHARACTER_SET) characterSet = characterSetOf(element);
      at = next;
    }
    if (at !== end) throw invalid(`an element longer than the item at ${start} that it lies in`);
    return { dataSet: { characterSet, elements }, next: at };
  }

  /** The end of an encapsulated value, PS3.5 A.4. */
  #behindFragments(head: Head, encoding: Encoding): number {
    for (let at = head.at; ; ) {
      const { tag, length, at: inside } = this.#head(at, encoding);
      if (tag === SEQUENCE_END) return inside;
      if (tag !== ITEM || length === UNDEFINED) throw invalid(`${hex(tag)} instead of a fragment`);
      this.#need(inside, length);
      at = inside + length;
    }
  }

  #endOf(at: number, length: number): number | undefined {
    if (length === UNDEFINED) return undefined;
    this.#need(at, length);
    return at + length;
  }

  #need(at: number, length: number): void {
    if (at + length > this.#bytes.length) throw new ShortRead(at + length, this.#bytes.length);
  }
}

/** Private creators are LO, other private elements unknown (PS3.5 7.8.1). */
function implicitVr(tag: Tag): string {
  if (!((tag >>> 16) & 1)) return vrOf(tag) ?? "UN";
  const element = tag & 0xffff;
  return element >= 0x10 && element <= 0xff ? "LO" : "UN";
}

function isLetter(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

function characterSetOf(element: Element): CharacterSet {
  if (!("bytes" in element)) return DEFAULT_CHARACTER_SET;
  const terms = element.bytes.subarray(0, LONGEST_TERMS_BYTES);
  const text = withoutPadding(Buffer.from(terms).toString("latin1"));
  return text === "" ? DEFAULT_CHARACTER_SET : { terms: text.split("\\").map((term) => term.trim()) };
}

function swapped(bytes: Uint8Array, wordBytes: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (let at = 0; at + wordBytes <= copy.length; at += wordBytes)
    copy.subarray(at, at + wordBytes).reverse();
  return copy;
}

function hex(tag: Tag): string {
  const digits = tag.toString(16).padStart(8, "0");
  return `(${digits.slice(0, 4)},${digits.slice(4)})`;
}

function invalid(what: string): NodeError {
  return new NodeError("DATA_SET_INVALID", `Data set: ${what}`);
}

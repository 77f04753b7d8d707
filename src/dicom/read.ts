/**
 * Bytes to data set: the elements of a stream, up to Pixel Data. Pure.
 *
 * In:   a byte array and the transfer syntax's byte order and VR encoding.
 * Out:  elements with little endian values, and where Pixel Data begins.
 * Bounds: every length is checked against the bytes there are; depth is limited. A value that runs past the end
 * of a prefix throws ShortRead, so that a caller who holds only the head of a file can fetch more.
 *
 * Tolerated, because devices send it: group lengths, odd lengths, elements out of order, VR UN for standard
 * elements (the dictionary's VR is used), UN of undefined length (PS3.5 6.2.2, an implicit VR sequence).
 */
import { NodeError } from "../base/errors.ts";
import { type CharacterSet, DEFAULT_CHARACTER_SET } from "./character-set.ts";
import type { DataSet, Element, Tag } from "./data-set.ts";
import { vrOf } from "./dictionary.ts";

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
}

const SEQUENCE_DEPTH_LIMIT = 128;
const UNDEFINED = 0xffffffff;
const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
const SPECIFIC_CHARACTER_SET = 0x00080005;
const PIXEL_DATA = new Set([0x7fe00008, 0x7fe00009, 0x7fe00010]);
/** Explicit VRs with a 2 byte length; all others have 2 reserved bytes and 4 bytes of length (PS3.5 7.1.2). */
const SHORT_LENGTH = new Set("AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split(" "));
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

/**
 * Reads a data set from `start`, until Pixel Data, the end, or an element that `stop` names.
 *
 * @throws NodeError DATA_SET_INVALID; ShortRead
 */
export function readDataSet(
  bytes: Uint8Array,
  start: number,
  encoding: Encoding,
  stop: (tag: Tag) => boolean = () => false,
): Stream {
  return new Reader(bytes, encoding, stop).topLevel(start);
}

interface Level {
  readonly depth: number;
  readonly explicitVr: boolean;
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
  readonly #stop: (tag: Tag) => boolean;

  constructor(bytes: Uint8Array, encoding: Encoding, stop: (tag: Tag) => boolean) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#encoding = encoding;
    this.#stop = stop;
  }

  topLevel(start: number): Stream {
    const elements = new Map<Tag, Element>();
    let characterSet = DEFAULT_CHARACTER_SET;
    let at = start;
    while (at < this.#bytes.length) {
      if (this.#stop(this.#tag(at))) break;
      const head = this.#head(at, this.#encoding.explicitVr);
      if (PIXEL_DATA.has(head.tag)) {
        const length = head.length === UNDEFINED ? undefined : head.length;
        const pixelData = { vr: head.vr, offset: head.at, length };
        return { dataSet: { characterSet, elements }, pixelData, end: head.at };
      }
      const { element, next } = this.#element(head, characterSet, {
        depth: 0,
        explicitVr: this.#encoding.explicitVr,
      });
      if (head.tag & 0xffff) elements.set(head.tag, element);
      if (head.tag === SPECIFIC_CHARACTER_SET) characterSet = characterSetOf(element);
      at = next;
    }
    return { dataSet: { characterSet, elements }, end: at };
  }

  #tag(at: number): Tag {
    this.#need(at, 8);
    const little = !this.#encoding.bigEndian;
    return this.#view.getUint16(at, little) * 0x10000 + this.#view.getUint16(at + 2, little);
  }

  #head(at: number, explicitVr: boolean): Head {
    const little = !this.#encoding.bigEndian;
    const tag = this.#tag(at);
    if (!explicitVr || tag >>> 16 === 0xfffe) {
      return { tag, vr: implicitVr(tag), length: this.#view.getUint32(at + 4, little), at: at + 8 };
    }
    const vr = String.fromCharCode(this.#bytes[at + 4]!, this.#bytes[at + 5]!);
    if (!/^[A-Z]{2}$/.test(vr)) throw invalid(`no value representation at ${at} for ${hex(tag)}`);
    if (SHORT_LENGTH.has(vr)) {
      return { tag, vr, length: this.#view.getUint16(at + 6, little), at: at + 8 };
    }
    this.#need(at, 12);
    return { tag, vr, length: this.#view.getUint32(at + 8, little), at: at + 12 };
  }

  #element(head: Head, set: CharacterSet, level: Level): { element: Element; next: number } {
    const { tag, length, at } = head;
    const known = head.vr === "UN" ? vrOf(tag) : undefined;
    const vr = known ?? head.vr;
    // A sequence that came as UN is in implicit VR, little endian, whatever the rest is (PS3.5 6.2.2 note 2).
    const explicitVr = level.explicitVr && head.vr !== "UN";
    if (vr === "SQ" || length === UNDEFINED) {
      if (vr !== "SQ" && vr !== "UN") throw invalid(`undefined length of ${hex(tag)} with VR ${vr}`);
      return this.#sequence(head, set, { depth: level.depth + 1, explicitVr });
    }
    this.#need(at, length);
    const stored = this.#bytes.subarray(at, at + length);
    const wordBytes = this.#encoding.bigEndian ? (WORD_BYTES[vr] ?? 1) : 1;
    return { element: { vr, bytes: wordBytes > 1 ? swapped(stored, wordBytes) : stored }, next: at + length };
  }

  #sequence(head: Head, set: CharacterSet, level: Level): { element: Element; next: number } {
    if (level.depth > SEQUENCE_DEPTH_LIMIT)
      throw invalid(`sequences nested more than ${SEQUENCE_DEPTH_LIMIT} deep`);
    const items: DataSet[] = [];
    const end = head.length === UNDEFINED ? undefined : head.at + head.length;
    if (end !== undefined) this.#need(head.at, head.length);
    let at = head.at;
    while (end === undefined || at < end) {
      const { tag, length, at: inside } = this.#head(at, false);
      if (tag === SEQUENCE_END && end === undefined) return { element: { vr: "SQ", items }, next: inside };
      if (tag !== ITEM) throw invalid(`${hex(tag)} instead of an item in ${hex(head.tag)}`);
      const item = this.#item(inside, length, set, level);
      items.push(item.dataSet);
      at = item.next;
    }
    return { element: { vr: "SQ", items }, next: at };
  }

  #item(start: number, length: number, set: CharacterSet, level: Level): { dataSet: DataSet; next: number } {
    const elements = new Map<Tag, Element>();
    const end = length === UNDEFINED ? undefined : start + length;
    if (end !== undefined) this.#need(start, length);
    let characterSet = set;
    let at = start;
    while (end === undefined || at < end) {
      const head = this.#head(at, level.explicitVr);
      if (head.tag === ITEM_END && end === undefined)
        return { dataSet: { characterSet, elements }, next: head.at };
      const { element, next } = this.#element(head, characterSet, level);
      elements.set(head.tag, element);
      if (head.tag === SPECIFIC_CHARACTER_SET) characterSet = characterSetOf(element);
      at = next;
    }
    return { dataSet: { characterSet, elements }, next: at };
  }

  #need(at: number, length: number): void {
    if (at + length > this.#bytes.length)
      throw new ShortRead(`${length} bytes at ${at} of ${this.#bytes.length}`);
  }
}

/** Private creators are LO, other private elements unknown (PS3.5 7.8.1). */
function implicitVr(tag: Tag): string {
  if (!((tag >>> 16) & 1)) return vrOf(tag) ?? "UN";
  const element = tag & 0xffff;
  return element >= 0x10 && element <= 0xff ? "LO" : "UN";
}

function characterSetOf(element: Element): CharacterSet {
  if (!("bytes" in element)) return DEFAULT_CHARACTER_SET;
  const text = Buffer.from(element.bytes)
    .toString("latin1")
    .replace(/[\0 ]+$/, "");
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

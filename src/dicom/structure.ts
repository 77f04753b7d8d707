/**
 * Is a data set whole? Its elements are followed while it arrives; nothing of it is held.
 *
 * In:   the fragments of a data set, in order.
 * Out:  what is wrong with it, or nothing: it ends where its lengths say, and nothing is longer than what it lies in.
 * Pure, and quick: a value is passed over, whatever is in it, and sequences are followed without recursion. Behind
 * Pixel Data nothing is looked at: some devices pad there.
 *
 *   elements ──sequence──▶ items ──item──▶ elements (one level deeper) ──its end──▶ items ──its end──▶ elements
 *   elements ──encapsulated pixels──▶ fragments ──their end──▶ elements
 *
 * Not looked into are items with a length in a sequence that came as UN: what is in them only its maker knows.
 */
import { SEQUENCE_DEPTH_LIMIT } from "./constants.ts";
import { vrOf } from "./dictionary.ts";
import type { Encoding } from "./read.ts";

const UNDEFINED = 0xffffffff;
const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
const PIXEL_DATA = new Set([0x7fe00008, 0x7fe00009, 0x7fe00010]);
const SHORT_LENGTH = new Set("AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split(" "));
/** A sequence that came as UN (PS3.5 6.2.2 note 2). */
const UNKNOWN: Encoding = { explicitVr: false, bigEndian: false };

/** Something that has begun and not ended. */
interface Open {
  readonly inside: "elements" | "items" | "unknown items" | "fragments";
  readonly encoding: Encoding;
  /** Where it ends by its length, counted from the beginning of the data set; undefined: a delimiter ends it. */
  readonly end: number | undefined;
  /** Nothing in it may end behind this: its own end, or that of what it lies in. */
  readonly bound: number;
}

export class StructureCheck {
  readonly #depthLimit: number;
  readonly #top: Open;
  readonly #open: Open[] = [];
  /** Sequences among those. */
  #depth = 0;
  /** Of the next byte, from the beginning of the data set. */
  #position = 0;
  /** The beginning of an element whose tag, VR and length are not all there yet. */
  readonly #head = Buffer.alloc(12);
  #headBytes = 0;
  /** Bytes of a value that are passed over. */
  #skip = 0;
  /** Pixel Data has begun; when nothing is open any more, the rest does not matter. */
  #last = false;
  #fault: string | undefined;

  constructor(encoding: Encoding, depthLimit = SEQUENCE_DEPTH_LIMIT) {
    this.#top = { inside: "elements", encoding, end: undefined, bound: Number.POSITIVE_INFINITY };
    this.#depthLimit = depthLimit;
  }

  write(fragment: Uint8Array): void {
    let at = 0;
    while (at < fragment.length && this.#fault === undefined) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, fragment.length - at);
        this.#skip -= passed;
        this.#position += passed;
        at += passed;
        if (this.#skip === 0) this.#leave();
      } else if (this.#last && this.#open.length === 0) {
        return;
      } else {
        this.#head[this.#headBytes++] = fragment[at++]!;
        this.#position += 1;
        if (this.#headBytes === this.#headLength()) this.#begin();
      }
    }
  }

  /** @returns what is wrong; undefined if the data set is whole */
  end(): string | undefined {
    if (this.#fault !== undefined) return this.#fault;
    return this.#skip > 0 || this.#headBytes > 0 || this.#open.length > 0
      ? "ends inside an element"
      : undefined;
  }

  get #level(): Open {
    return this.#open.at(-1) ?? this.#top;
  }

  /** 8 or 12; known when 8 bytes are there. */
  #headLength(): number {
    if (this.#headBytes < 8 || !this.#hasVr()) return 8;
    return SHORT_LENGTH.has(this.#vr()) ? 8 : 12;
  }

  #hasVr(): boolean {
    return this.#level.encoding.explicitVr && this.#tag() >>> 16 !== 0xfffe;
  }

  #vr(): string {
    return this.#head.toString("latin1", 4, 6);
  }

  #tag(): number {
    return this.#uint16(0) * 0x10000 + this.#uint16(2);
  }

  #length(): number {
    if (!this.#hasVr()) return this.#uint32(4);
    return this.#headBytes === 8 ? this.#uint16(6) : this.#uint32(8);
  }

  #uint16(at: number): number {
    return this.#level.encoding.bigEndian ? this.#head.readUInt16BE(at) : this.#head.readUInt16LE(at);
  }

  #uint32(at: number): number {
    return this.#level.encoding.bigEndian ? this.#head.readUInt32BE(at) : this.#head.readUInt32LE(at);
  }

  /** The head of an element or item is there. */
  #begin(): void {
    const level = this.#level;
    const tag = this.#tag();
    const length = this.#length();
    const vr = this.#hasVr() ? this.#vr() : undefined;
    this.#headBytes = 0;
    const end = length === UNDEFINED ? undefined : this.#position + length;
    if ((end ?? this.#position) > level.bound) this.#fault = "something longer than what it lies in";
    else if (level.inside !== "elements") this.#item(level, tag, end);
    else if (tag === ITEM_END && level !== this.#top && level.end === undefined) this.#close();
    else this.#element(tag, vr, end);
    if (this.#skip === 0) this.#leave();
  }

  #item({ inside, encoding, end: ofLevel }: Open, tag: number, end: number | undefined): void {
    if (tag === SEQUENCE_END && ofLevel === undefined) this.#close();
    else if (tag !== ITEM) this.#fault = "something else instead of an item";
    else if (inside === "fragments" && end === undefined) this.#fault = "a fragment without a length";
    else if (inside === "items" || end === undefined) this.#enter("elements", encoding, end);
    else this.#skip = end - this.#position;
  }

  #element(tag: number, vr: string | undefined, end: number | undefined): void {
    const { encoding } = this.#level;
    if (this.#open.length === 0 && PIXEL_DATA.has(tag)) this.#last = true;
    if (tag >>> 16 === 0xfffe) this.#fault = "a delimiter outside of a sequence";
    else if (vr !== undefined && !/^[A-Z]{2}$/.test(vr)) this.#fault = "an element without representation";
    else if (vr === "SQ" || (vr === undefined && vrOf(tag) === "SQ")) this.#enter("items", encoding, end);
    else if (end !== undefined) this.#skip = end - this.#position;
    else if (vr === "OB" || vr === "OW" || PIXEL_DATA.has(tag)) this.#enter("fragments", encoding, end);
    else if (vr === "UN") this.#enter("unknown items", UNKNOWN, end);
    else if (vr === undefined) this.#enter("unknown items", encoding, end);
    else this.#fault = `undefined length with VR ${vr}`;
  }

  #enter(inside: Open["inside"], encoding: Encoding, end: number | undefined): void {
    if (inside !== "elements") this.#depth += 1;
    if (this.#depth > this.#depthLimit) this.#fault = `sequences nested more than ${this.#depthLimit} deep`;
    const bound = Math.min(this.#level.bound, end ?? Number.POSITIVE_INFINITY);
    this.#open.push({ inside, encoding, end, bound });
  }

  /** Everything that ends here by its length has ended. */
  #leave(): void {
    while (this.#level.end === this.#position) this.#close();
  }

  #close(): void {
    if (this.#open.pop()?.inside !== "elements") this.#depth -= 1;
  }
}

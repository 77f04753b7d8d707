/**
 * Is a data set whole? Its elements are followed while it arrives; nothing of it is held.
 *
 * In:   the fragments of a data set, in order.
 * Out:  what is wrong with it, or nothing: it ends where its lengths say.
 * Pure, and quick: a value is passed over, whatever is in it; only what has no length is looked into. Behind Pixel
 * Data nothing is looked at: some devices pad there.
 *
 *   elements ──undefined length──▶ items ──item of undefined length──▶ elements (one level deeper)
 */
import type { Encoding } from "./read.ts";

const DEPTH_LIMIT = 128;
const UNDEFINED = 0xffffffff;
const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
const PIXEL_DATA = new Set([0x7fe00008, 0x7fe00009, 0x7fe00010]);
const SHORT_LENGTH = new Set("AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split(" "));
const ENCAPSULATING = new Set(["SQ", "UN", "OB", "OW"]);

/** Something without a length that has not ended; `items` also stands for the fragments of an image. */
interface Open {
  readonly inside: "items" | "elements";
  readonly encoding: Encoding;
}

export class StructureCheck {
  readonly #encoding: Encoding;
  readonly #open: Open[] = [];
  /** The beginning of an element whose tag, VR and length are not all there yet. */
  readonly #head = Buffer.alloc(12);
  #headBytes = 0;
  /** Bytes of a value that are passed over. */
  #skip = 0;
  /** Pixel Data has begun; when nothing is open any more, the rest does not matter. */
  #last = false;
  #fault: string | undefined;

  constructor(encoding: Encoding) {
    this.#encoding = encoding;
  }

  write(fragment: Uint8Array): void {
    let at = 0;
    while (at < fragment.length && this.#fault === undefined) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, fragment.length - at);
        this.#skip -= passed;
        at += passed;
      } else if (this.#last && this.#open.length === 0) {
        return;
      } else {
        this.#head[this.#headBytes++] = fragment[at++]!;
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
    return this.#open.at(-1) ?? { inside: "elements", encoding: this.#encoding };
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
    const { inside, encoding } = this.#level;
    const tag = this.#tag();
    const length = this.#length();
    const vr = this.#hasVr() ? this.#vr() : undefined;
    this.#headBytes = 0;
    if (inside === "items") this.#item(tag, length, encoding);
    else if (tag === ITEM_END && this.#open.length > 0) this.#open.pop();
    else this.#element(tag, vr, length);
  }

  #item(tag: number, length: number, encoding: Encoding): void {
    if (tag === SEQUENCE_END) this.#open.pop();
    else if (tag !== ITEM) this.#fault = "something else instead of an item";
    else if (length === UNDEFINED) this.#enter({ inside: "elements", encoding });
    else this.#skip = length;
  }

  #element(tag: number, vr: string | undefined, length: number): void {
    const topLevel = this.#open.length === 0;
    if (tag >>> 16 === 0xfffe) this.#fault = "a delimiter outside of a sequence";
    else if (vr !== undefined && !/^[A-Z]{2}$/.test(vr)) this.#fault = "an element without representation";
    else if (length !== UNDEFINED) this.#skip = length;
    else if (vr !== undefined && !ENCAPSULATING.has(vr)) this.#fault = `undefined length with VR ${vr}`;
    else this.#enter({ inside: "items", encoding: vr === "UN" ? UNKNOWN : this.#level.encoding });
    if (topLevel && PIXEL_DATA.has(tag)) this.#last = true;
  }

  #enter(level: Open): void {
    if (this.#open.length >= 2 * DEPTH_LIMIT) this.#fault = `sequences nested more than ${DEPTH_LIMIT} deep`;
    else this.#open.push(level);
  }
}

/** A sequence that came as UN (PS3.5 6.2.2 note 2). */
const UNKNOWN: Encoding = { explicitVr: false, bigEndian: false };

/**
 * Data sets by keyword: what we write reads like the standard. Pure.
 *
 * VRs come from the dictionary; text becomes UTF-8. Decimal strings are given as text, by `formatDs` or copied
 * from the source: a number would have to be rounded, and that is the caller's decision to make.
 */
import { isText, UTF_8 } from "./character-set.ts";
import { type DataSet, type Element, stringsOf, type Tag } from "./data-set.ts";
import { tagOf, vrOf } from "./dictionary.ts";

/** undefined: left out. "" or []: written with zero length. */
type KeywordValue =
  | undefined
  | string
  | number
  | readonly (string | number)[]
  | Uint8Array
  | readonly KeywordRecord[]
  | Element;

export interface KeywordRecord {
  readonly [keyword: string]: KeywordValue;
}

/** @throws Error("bug: …") on an unknown keyword or a value that does not fit its VR */
export function fromKeywords(record: KeywordRecord): DataSet {
  const elements = new Map<Tag, Element>();
  for (const [keyword, value] of Object.entries(record)) {
    if (value === undefined) continue;
    const tag = tagOf(keyword);
    elements.set(tag, elementOf(keyword, vrOf(tag) ?? "UN", value));
  }
  return { characterSet: UTF_8, elements: inOrder(elements) };
}

/** The same elements with all text re-encoded as UTF-8, sequences included; (0008,0005) is left out. */
export function toUtf8(dataSet: DataSet): DataSet {
  const elements = new Map<Tag, Element>();
  for (const [tag, element] of dataSet.elements) {
    if (tag === SPECIFIC_CHARACTER_SET) continue;
    if ("items" in element) elements.set(tag, { vr: "SQ", items: element.items.map(toUtf8) });
    else if (!isText(element.vr)) elements.set(tag, element);
    else elements.set(tag, { vr: element.vr, bytes: Buffer.from(stringsOf(dataSet, tag).join("\\")) });
  }
  return { characterSet: UTF_8, elements };
}

const SPECIFIC_CHARACTER_SET = 0x00080005;
const DS_LIMIT = 16;

/**
 * A number as decimal string of at most 16 characters (PS3.5 6.2), as exact as these allow: at least ten
 * significant digits for any double.
 *
 * @throws if the number is not finite
 */
export function formatDs(value: number): string {
  if (!Number.isFinite(value)) throw new Error(`bug: ${value} as a decimal string`);
  if (value === 0) return "0";
  const shortest = String(value);
  if (shortest.length <= DS_LIMIT) return shortest;
  for (let digits = DS_LIMIT; digits > 0; digits--) {
    const scientific = value.toExponential(digits - 1);
    const forms = [value.toPrecision(digits), scientific, withWholeMantissa(scientific)];
    const fitting = forms.map(tidy).find((text) => text.length <= DS_LIMIT);
    if (fitting !== undefined) return fitting;
  }
  throw new Error(`bug: ${value} has no decimal string`);
}

/** "-3.25e-101" as "-325e-103": without the point there is room for one digit more. */
function withWholeMantissa(scientific: string): string {
  const [mantissa = "", exponent = "0"] = scientific.split("e");
  const decimals = mantissa.split(".")[1]?.length ?? 0;
  return `${mantissa.replace(".", "")}e${Number(exponent) - decimals}`;
}

/** Without trailing zeros of the fraction and without the plus of an exponent. */
function tidy(text: string): string {
  const [mantissa = "", exponent] = text.split("e");
  const short = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return exponent === undefined ? short : `${short}e${exponent.replace("+", "")}`;
}

function elementOf(keyword: string, vr: string, value: Exclude<KeywordValue, undefined>): Element {
  if (isElement(value)) return value;
  if (value instanceof Uint8Array) return { vr, bytes: value };
  if (vr === "SQ") {
    if (!Array.isArray(value)) throw misfit(keyword, vr);
    return { vr: "SQ", items: (value as readonly KeywordRecord[]).map(fromKeywords) };
  }
  const values = (Array.isArray(value) ? value : value === "" ? [] : [value]) as readonly (string | number)[];
  const width = NUMBER_BYTES[vr];
  if (width === undefined) {
    if (vr === "DS" && values.some((one) => typeof one === "number")) throw misfit(keyword, vr);
    return { vr, bytes: Buffer.from(values.join("\\")) };
  }
  const bytes = Buffer.alloc(values.length * width);
  for (const [at, one] of values.entries()) {
    if (typeof one !== "number") throw misfit(keyword, vr);
    writeNumber(bytes, vr, one, at * width);
  }
  return { vr, bytes };
}

function isElement(value: Exclude<KeywordValue, undefined>): value is Element {
  return typeof value === "object" && "vr" in value && typeof value.vr === "string";
}

const NUMBER_BYTES: Readonly<Record<string, number>> = { US: 2, SS: 2, UL: 4, SL: 4, AT: 4, FL: 4, FD: 8 };

function writeNumber(bytes: Buffer, vr: string, value: number, at: number): void {
  if (vr === "US") bytes.writeUInt16LE(value, at);
  else if (vr === "SS") bytes.writeInt16LE(value, at);
  else if (vr === "UL") bytes.writeUInt32LE(value, at);
  else if (vr === "SL") bytes.writeInt32LE(value, at);
  else if (vr === "FL") bytes.writeFloatLE(value, at);
  else if (vr === "FD") bytes.writeDoubleLE(value, at);
  else {
    bytes.writeUInt16LE(value >>> 16, at);
    bytes.writeUInt16LE(value & 0xffff, at + 2);
  }
}

function inOrder(elements: ReadonlyMap<Tag, Element>): Map<Tag, Element> {
  return new Map([...elements].sort(([a], [b]) => a - b));
}

function misfit(keyword: string, vr: string): Error {
  return new Error(`bug: value of ${keyword} does not fit VR ${vr}`);
}

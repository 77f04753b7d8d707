/**
 * A data set in memory: elements by tag, values as bytes, text decoded on demand.
 *
 * Values are little endian whatever the transfer syntax was (the reader swaps). Bulk data never stands here:
 * reading stops at Pixel Data. Strings come out decoded by the character set that is in force at their level,
 * PS3.3 C.12.1.1.2, without padding.
 */
import { type CharacterSet, decodeText, withoutPadding } from "./character-set.ts";

/** Group in the upper, element in the lower 16 bits: 0x00100010 is (0010,0010) Patient's Name. */
export type Tag = number;

export interface Value {
  readonly vr: string;
  readonly bytes: Uint8Array;
}

interface Sequence {
  readonly vr: "SQ";
  readonly items: readonly DataSet[];
}

export type Element = Value | Sequence;

export interface DataSet {
  readonly characterSet: CharacterSet;
  /** In ascending order of tag when it was read from a stream or is to be written. */
  readonly elements: ReadonlyMap<Tag, Element>;
}

/** The value field of an element, or undefined if it is absent, empty or a sequence. */
export function bytesOf(dataSet: DataSet, tag: Tag): Uint8Array | undefined {
  const element = dataSet.elements.get(tag);
  return element && "bytes" in element && element.bytes.length > 0 ? element.bytes : undefined;
}

/** All values of a string element, padding removed; empty if absent. Text VRs are not split at backslashes. */
export function stringsOf(dataSet: DataSet, tag: Tag): readonly string[] {
  const element = dataSet.elements.get(tag);
  if (!element || !("bytes" in element) || element.bytes.length === 0) return [];
  const text = decodeText(element.bytes, element.vr, dataSet.characterSet);
  const values = UNSPLIT.has(element.vr) ? [text] : text.split("\\");
  return values.map((value) => trim(value, element.vr));
}

/** The first value of a string element; undefined if absent or empty. */
export function stringOf(dataSet: DataSet, tag: Tag): string | undefined {
  return stringsOf(dataSet, tag)[0] || undefined;
}

/** All values of a numeric element: DS, IS, US, SS, UL, SL, FL, FD. A text that is no number becomes NaN. */
export function numbersOf(dataSet: DataSet, tag: Tag): readonly number[] {
  const element = dataSet.elements.get(tag);
  if (!element || !("bytes" in element) || element.bytes.length === 0) return [];
  const binary = BINARY[element.vr];
  if (!binary) return stringsOf(dataSet, tag).map((text) => (text === "" ? Number.NaN : Number(text)));
  const { bytes } = element;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / binary.size) }, (_, at) =>
    binary.read(view, at * binary.size),
  );
}

/** The first value of a numeric element; undefined if absent, empty or not a finite number. */
export function numberOf(dataSet: DataSet, tag: Tag): number | undefined {
  const value = numbersOf(dataSet, tag)[0];
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

/** The items of a sequence; empty if absent. */
export function itemsOf(dataSet: DataSet, tag: Tag): readonly DataSet[] {
  const element = dataSet.elements.get(tag);
  return element && "items" in element ? element.items : [];
}

const UNSPLIT = new Set(["LT", "ST", "UT", "UR"]);

const BINARY: Readonly<
  Record<string, { readonly size: number; readonly read: (view: DataView, at: number) => number }>
> = {
  US: { size: 2, read: (view, at) => view.getUint16(at, true) },
  SS: { size: 2, read: (view, at) => view.getInt16(at, true) },
  UL: { size: 4, read: (view, at) => view.getUint32(at, true) },
  SL: { size: 4, read: (view, at) => view.getInt32(at, true) },
  AT: { size: 4, read: (view, at) => view.getUint16(at, true) * 0x10000 + view.getUint16(at + 2, true) },
  FL: { size: 4, read: (view, at) => view.getFloat32(at, true) },
  FD: { size: 8, read: (view, at) => view.getFloat64(at, true) },
};

/** Leading spaces mean something in LT, ST, UT (PS3.5 6.2); trailing padding never does. */
function trim(value: string, vr: string): string {
  const ended = withoutPadding(value);
  return UNSPLIT.has(vr) ? ended : ended.trimStart();
}

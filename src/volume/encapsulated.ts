/**
 * Encapsulated Pixel Data: where the bytes of each frame are.
 *
 * In:   random access to a body that holds items from a given offset (PS3.5 A.4), the number of frames, and the
 *       Extended Offset Table if there is one.
 * Out:  for every frame, the chunks whose bytes make its codestream, in order.
 * Pure but for `Bytes.read`; time linear in the number of items, which is bounded.
 *
 * Tables are believed only where they point at items. Without one, each item is a frame if the numbers agree;
 * otherwise a frame begins where a codestream begins (JPEG and JPEG-LS: SOI, JPEG 2000: SOC and SIZ).
 */
import { NodeError } from "../base/errors.ts";

/** Bytes that need not be in memory. */
export interface Bytes {
  readonly length: number;
  /** Fewer bytes than asked for where the end comes first. */
  read(offset: number, length: number): Uint8Array;
}

export interface Chunk {
  readonly offset: number;
  readonly length: number;
}

export interface Encapsulated {
  /** Of the first item, the Basic Offset Table. */
  readonly offset: number;
  readonly frames: number;
  /** (7FE0,0001) Extended Offset Table, PS3.3 C.7.6.3.1.8. */
  readonly extendedOffsets?: readonly number[];
}

const ITEM_LIMIT = 1_000_000;
const ITEM = 0xfffee000;
const SEQUENCE_END = 0xfffee0dd;
const ITEM_HEADER_BYTES = 8;

interface Fragment extends Chunk {
  /** From the first byte of the first item behind the Basic Offset Table to this item's tag. */
  readonly start: number;
  readonly beginsCodestream: boolean;
}

/** @throws NodeError PIXELS_UNDECODABLE on anything that does not add up */
export function encapsulatedFrames(bytes: Bytes, pixels: Encapsulated): readonly (readonly Chunk[])[] {
  const { table, fragments } = readItems(bytes, pixels.offset);
  const frames = group(fragments, firstsOf(fragments, pixels, table));
  const empty = frames.findIndex((chunks) => chunks.every(({ length }) => length === 0));
  if (empty >= 0) throw wrong(`frame ${empty + 1} has no bytes`);
  return frames;
}

/** Index of the first fragment of every frame. */
function firstsOf(
  fragments: readonly Fragment[],
  { frames, extendedOffsets }: Encapsulated,
  table: readonly number[],
): readonly number[] {
  if (fragments.length === 0) throw wrong("no fragments");
  if (frames === 1) return [0];
  const offsets = extendedOffsets?.length ? extendedOffsets : table;
  if (offsets.length > 0) return tabled(fragments, offsets, frames);
  if (fragments.length === frames) return fragments.map((_, at) => at);
  const firsts = fragments.flatMap(({ beginsCodestream }, at) => (beginsCodestream ? [at] : []));
  if (firsts.length !== frames || firsts[0] !== 0)
    throw wrong(`${fragments.length} fragments, ${firsts.length} codestreams for ${frames} frames`);
  return firsts;
}

function tabled(
  fragments: readonly Fragment[],
  offsets: readonly number[],
  frames: number,
): readonly number[] {
  if (offsets.length !== frames)
    throw wrong(`offset table of ${offsets.length} entries for ${frames} frames`);
  const byStart = new Map(fragments.map(({ start }, at) => [start, at]));
  if (offsets[0] !== 0) throw wrong("offset table does not begin with the first item");
  return offsets.map((offset, frame) => {
    const at = byStart.get(offset);
    if (at === undefined) throw wrong(`offset table points frame ${frame + 1} at no item`);
    return at;
  });
}

/** Offsets that go back leave a frame without chunks. */
function group(fragments: readonly Fragment[], firsts: readonly number[]): Chunk[][] {
  return firsts.map((first, frame) =>
    fragments.slice(first, firsts[frame + 1]).map(({ offset, length }) => ({ offset, length })),
  );
}

function readItems(
  bytes: Bytes,
  offset: number,
): { table: readonly number[]; fragments: readonly Fragment[] } {
  const { length: tableLength } = itemAt(bytes, offset) ?? none();
  if (tableLength > 4 * ITEM_LIMIT) throw wrong(`offset table of ${tableLength} bytes`);
  const table = uint32s(bytes.read(offset + ITEM_HEADER_BYTES, tableLength));
  const first = offset + ITEM_HEADER_BYTES + tableLength;
  const fragments: Fragment[] = [];
  for (let at = first; ; ) {
    const item = itemAt(bytes, at);
    if (!item) return { table, fragments };
    if (fragments.length >= ITEM_LIMIT) throw wrong(`more than ${ITEM_LIMIT} fragments`);
    const { length, beginsCodestream } = item;
    fragments.push({ offset: at + ITEM_HEADER_BYTES, length, start: at - first, beginsCodestream });
    at += ITEM_HEADER_BYTES + length;
  }
}

/** The item at an offset; undefined for the sequence delimiter. */
function itemAt(
  bytes: Bytes,
  offset: number,
): { readonly length: number; readonly beginsCodestream: boolean } | undefined {
  const head = bytes.read(offset, ITEM_HEADER_BYTES + 4);
  if (head.length < ITEM_HEADER_BYTES) throw wrong(`Pixel Data ends without its delimiter at ${offset}`);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const tag = view.getUint16(0, true) * 0x10000 + view.getUint16(2, true);
  const length = view.getUint32(4, true);
  if (tag === SEQUENCE_END) return undefined;
  if (tag !== ITEM) throw wrong(`no item at ${offset}`);
  if (offset + ITEM_HEADER_BYTES + length > bytes.length)
    throw wrong(`item of ${length} bytes at ${offset} runs past the end`);
  const begin = length >= 4 ? view.getUint32(ITEM_HEADER_BYTES) : 0;
  return { length, beginsCodestream: begin >>> 8 === 0xffd8ff || begin === 0xff4fff51 };
}

function uint32s(bytes: Uint8Array): readonly number[] {
  if (bytes.length % 4 !== 0) throw wrong(`offset table of ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, at) => view.getUint32(at * 4, true));
}

function none(): never {
  throw wrong("no Basic Offset Table item");
}

function wrong(what: string): NodeError {
  return new NodeError("PIXELS_UNDECODABLE", `Encapsulated Pixel Data: ${what}`);
}

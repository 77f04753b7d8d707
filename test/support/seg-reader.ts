/**
 * A reader of BINARY segmentations, written from the standard alone: it shares no code with src, so that a mistake
 * there cannot hide here.
 *
 * In:   an Explicit VR Little Endian Part 10 file (PS3.10 7.1, PS3.5 7.1.2).
 * Out:  the elements by tag as "ggggeeee", and the frames with their place, reference and unpacked pixels.
 */

export interface Item {
  readonly [tag: string]: RawElement | undefined;
}

interface RawElement {
  readonly vr: string;
  readonly bytes: Uint8Array;
  readonly items: readonly Item[];
}

interface SegFrame {
  /** (0062,000B) in (0062,000A) */
  readonly segment: number;
  /** (0020,9157) */
  readonly dimension: readonly number[];
  /** (0020,0032), as text */
  readonly position: readonly string[];
  /** (0008,1150), (0008,1155), (0008,1160) of the one source image. */
  readonly sourceClass: string;
  readonly sourceInstance: string;
  readonly sourceFrame: string | undefined;
  /** 0 or 1, rows × columns. */
  readonly pixels: Uint8Array;
}

export interface SegObject {
  readonly dataSet: Item;
  readonly rows: number;
  readonly columns: number;
  /** (0020,0037), as text */
  readonly orientation: readonly string[];
  /** (0028,0030), as text */
  readonly pixelSpacing: readonly string[];
  readonly segments: readonly Item[];
  readonly frames: readonly SegFrame[];
}

export function readSeg(file: Uint8Array): SegObject {
  const dataSet = readElements(file);
  const rows = uint(need(dataSet, "00280010"));
  const columns = uint(need(dataSet, "00280011"));
  if (uint(need(dataSet, "00280100")) !== 1) throw new Error("not one bit allocated");
  const count = Number(text(need(dataSet, "00280008")));
  const shared = items(dataSet, "52009229")[0] ?? {};
  const perFrame = items(dataSet, "52009230");
  if (perFrame.length !== count) throw new Error(`${perFrame.length} items for ${count} frames`);
  const pixelData = need(dataSet, "7fe00010").bytes;
  const pixels = rows * columns;
  const expected = Math.ceil((count * pixels) / 8);
  if (pixelData.length !== expected + (expected % 2)) throw new Error(`${pixelData.length} bytes of pixels`);
  const frames = perFrame.map((group, index) =>
    frameOf(group, shared, unpacked(pixelData, index * pixels, pixels)),
  );
  const orientation = items(shared, "00209116")[0] ?? items(perFrame[0] ?? {}, "00209116")[0] ?? {};
  const measures = items(shared, "00289110")[0] ?? items(perFrame[0] ?? {}, "00289110")[0] ?? {};
  return {
    dataSet,
    rows,
    columns,
    orientation: texts(need(orientation, "00200037")),
    pixelSpacing: texts(need(measures, "00280030")),
    segments: items(dataSet, "00620002"),
    frames,
  };
}

/** The data set of a file, meta information included. */
export function readElements(file: Uint8Array): Item {
  if (latin1(file.subarray(128, 132)) !== "DICM") throw new Error("no DICM");
  return elements(file.subarray(132));
}

/** The items of a sequence, none if it is absent. */
export function items(item: Item, tag: string): readonly Item[] {
  return item[tag]?.items ?? [];
}

/** The first item of sequences inside each other. */
export function inside(item: Item, ...tags: readonly string[]): Item {
  return tags.reduce<Item>((outer, tag) => {
    const [first] = items(outer, tag);
    if (!first) throw new Error(`no item in ${tag}`);
    return first;
  }, item);
}

/** The text of an element without padding, by UTF-8; undefined if absent. */
export function textAt(item: Item, tag: string): string | undefined {
  const element = item[tag];
  return element && text(element);
}

/** The numbers of a US element. */
export function wordsAt(item: Item, tag: string): readonly number[] {
  const { bytes } = need(item, tag);
  return Array.from({ length: bytes.length / 2 }, (_, at) => bytes[at * 2]! + bytes[at * 2 + 1]! * 256);
}

/**
 * Every frame laid on the slices it refers to; reference and position must name the same slice.
 *
 * @param slices    of the source, in the order of the wanted map
 * @param withinMm  how far the text of a position may be from the source's
 * @returns       segment numbers, slices × rows × columns
 * @throws        if a frame refers to no slice, lies elsewhere, or two segments share a voxel
 */
export function layOut(
  seg: SegObject,
  slices: readonly {
    readonly instance: string;
    readonly frame?: number;
    readonly position: readonly number[];
  }[],
  withinMm = 0,
): Uint16Array {
  const size = seg.rows * seg.columns;
  const map = new Uint16Array(size * slices.length);
  for (const frame of seg.frames) {
    const k = slices.findIndex(
      ({ instance, frame: number }) =>
        instance === frame.sourceInstance && String(number) === String(frame.sourceFrame),
    );
    const slice = slices[k];
    if (!slice) throw new Error(`no slice ${frame.sourceInstance}`);
    const apart = slice.position.map((mm, axis) => Math.abs(mm - Number(frame.position[axis])));
    if (apart.some((mm) => !(mm <= withinMm)))
      throw new Error(`slice ${k} is ${apart.join(", ")} mm elsewhere`);
    for (let at = 0; at < size; at++) {
      if (frame.pixels[at] === 0) continue;
      if (map[k * size + at] !== 0) throw new Error("two segments at one voxel");
      map[k * size + at] = frame.segment;
    }
  }
  return map;
}

function frameOf(group: Item, shared: Item, pixels: Uint8Array): SegFrame {
  const at = (sequence: string): Item => items(group, sequence)[0] ?? items(shared, sequence)[0] ?? {};
  const source = items(at("00089124"), "00082112")[0] ?? {};
  const { bytes } = need(at("00209111"), "00209157");
  return {
    segment: uint(need(at("0062000a"), "0062000b")),
    dimension: Array.from({ length: bytes.length / 4 }, (_, index) => long(bytes, index * 4)),
    position: texts(need(at("00209113"), "00200032")),
    sourceClass: textAt(source, "00081150") ?? "",
    sourceInstance: textAt(source, "00081155") ?? "",
    sourceFrame: textAt(source, "00081160"),
    pixels,
  };
}

/** PS3.5 8.1.1 and annex D: the first pixel is the least significant bit of the first byte; no gaps. */
function unpacked(packed: Uint8Array, firstBit: number, count: number): Uint8Array {
  const pixels = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    const bit = firstBit + at;
    const place = bit % 8;
    pixels[at] = (packed[(bit - place) / 8]! >> place) % 2;
  }
  return pixels;
}

const LONG_FORM = new Set("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split(" "));

function elements(bytes: Uint8Array): Item {
  const found: Record<string, RawElement> = {};
  let last = "";
  for (let at = 0; at < bytes.length; ) {
    const tag = tagAt(bytes, at);
    if (tag <= last) throw new Error(`${tag} after ${last}`);
    last = tag;
    const vr = latin1(bytes.subarray(at + 4, at + 6));
    const isLong = LONG_FORM.has(vr);
    const length = isLong ? long(bytes, at + 8) : bytes[at + 6]! + bytes[at + 7]! * 256;
    const start = at + (isLong ? 12 : 8);
    const end = length === 0xffffffff ? endOfUndefined(bytes, start) : start + length;
    if (end > bytes.length) throw new Error(`${tag} ends behind the data set`);
    if (length !== 0xffffffff && length % 2 === 1) throw new Error(`${tag} has odd length`);
    const value = bytes.subarray(start, end);
    found[tag] = { vr, bytes: value, items: vr === "SQ" ? itemsIn(value) : [] };
    at = end;
  }
  return found;
}

function itemsIn(bytes: Uint8Array): readonly Item[] {
  const found: Item[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = tagAt(bytes, at);
    if (tag === "fffee0dd") break;
    if (tag !== "fffee000") throw new Error(`${tag} among items`);
    const length = long(bytes, at + 4);
    const end = length === 0xffffffff ? endOfUndefined(bytes, at + 8) : at + 8 + length;
    const body = bytes.subarray(at + 8, length === 0xffffffff ? end - 8 : end);
    found.push(elements(body));
    at = end;
  }
  return found;
}

/** Behind the delimiter that closes a value or item of undefined length (PS3.5 7.5.2). */
function endOfUndefined(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const tag = tagAt(bytes, at);
    if (tag === "fffee0dd" || tag === "fffee00d") return at + 8;
    const isItem = tag === "fffee000";
    const isLong = !isItem && LONG_FORM.has(latin1(bytes.subarray(at + 4, at + 6)));
    const length = isItem
      ? long(bytes, at + 4)
      : isLong
        ? long(bytes, at + 8)
        : bytes[at + 6]! + bytes[at + 7]! * 256;
    const inner = at + (isLong ? 12 : 8);
    at = length === 0xffffffff ? endOfUndefined(bytes, inner) : inner + length;
  }
}

function need(item: Item, tag: string): RawElement {
  const element = item[tag];
  if (!element) throw new Error(`no ${tag}`);
  return element;
}

function text({ bytes }: RawElement): string {
  return Buffer.from(bytes)
    .toString("utf8")
    .replace(/[\0 ]+$/, "");
}

function texts(element: RawElement): readonly string[] {
  return text(element)
    .split("\\")
    .map((value) => value.trim());
}

function uint({ bytes }: RawElement): number {
  return bytes[0]! + bytes[1]! * 256;
}

function long(bytes: Uint8Array, at: number): number {
  return bytes[at]! + bytes[at + 1]! * 0x100 + bytes[at + 2]! * 0x10000 + bytes[at + 3]! * 0x1000000;
}

function tagAt(bytes: Uint8Array, at: number): string {
  if (at + 8 > bytes.length) throw new Error("ends inside an element");
  return [1, 0, 3, 2].map((offset) => bytes[at + offset]!.toString(16).padStart(2, "0")).join("");
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/**
 * A reader of segmentations of every type, written from the standard alone: it shares no code with src, so that a
 * mistake there cannot hide here.
 *
 * In:   a Part 10 file, Explicit VR Little Endian or RLE Lossless (PS3.10 7.1, PS3.5 7.1.2, A.4.2).
 * Out:  the elements by tag as "ggggeeee", and the frames with their place, reference and unpacked pixels.
 */

export interface Item {
  readonly [tag: string]: RawElement | undefined;
}

interface RawElement {
  readonly vr: string;
  readonly bytes: Uint8Array;
  readonly items: readonly Item[];
  /** Encapsulated Pixel Data: the offset table, then the fragments. */
  readonly fragments?: readonly Uint8Array[];
}

interface SegFrame {
  /** (0062,000B) in (0062,000A); 0 in a label map, which has none */
  readonly segment: number;
  /** (0020,9157) */
  readonly dimension: readonly number[];
  /** (0020,0032), as text */
  readonly position: readonly string[];
  /** (0008,1150), (0008,1155), (0008,1160) of the one source image. */
  readonly sourceClass: string;
  readonly sourceInstance: string;
  readonly sourceFrame: string | undefined;
  /** Rows × columns: 0 or 1 in BINARY, label values in LABELMAP, stored fractions in FRACTIONAL. */
  readonly pixels: Uint8Array | Uint16Array;
}

export interface SegObject {
  readonly dataSet: Item;
  /** (0062,0001) */
  readonly type: string;
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
  const type = text(need(dataSet, "00620001"));
  requireClass(dataSet, type);
  const count = Number(text(need(dataSet, "00280008")));
  const shared = items(dataSet, "52009229")[0] ?? {};
  const perFrame = items(dataSet, "52009230");
  if (perFrame.length !== count) throw new Error(`${perFrame.length} items for ${count} frames`);
  const pixels = framesIn(need(dataSet, "7fe00010"), {
    bits: uint(need(dataSet, "00280100")),
    isRle: textAt(dataSet, "00020010") === RLE_LOSSLESS,
    count,
    columns,
    pixels: rows * columns,
  });
  const frames = perFrame.map((group, index) => frameOf(group, shared, type, pixels(index)));
  const orientation = items(shared, "00209116")[0] ?? items(perFrame[0] ?? {}, "00209116")[0] ?? {};
  const measures = items(shared, "00289110")[0] ?? items(perFrame[0] ?? {}, "00289110")[0] ?? {};
  return {
    dataSet,
    type,
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
export function layOut(seg: SegObject, slices: readonly Slice[], withinMm = 0): Uint16Array {
  const size = seg.rows * seg.columns;
  const map = new Uint16Array(size * slices.length);
  for (const { frame, k } of placed(seg, slices, withinMm)) {
    for (let at = 0; at < size; at++) {
      const pixel = frame.pixels[at]!;
      if (pixel === 0) continue;
      if (map[k * size + at] !== 0) throw new Error("two segments at one voxel");
      map[k * size + at] = seg.type === "LABELMAP" ? pixel : frame.segment;
    }
  }
  return map;
}

/** As layOut, but a map for each segment, so that they may overlap: bits, or stored fractions. */
export function layOutEach(
  seg: SegObject,
  slices: readonly Slice[],
  withinMm = 0,
): ReadonlyMap<number, Uint8Array> {
  const size = seg.rows * seg.columns;
  const maps = new Map<number, Uint8Array>();
  for (const { frame, k } of placed(seg, slices, withinMm)) {
    const map = maps.get(frame.segment) ?? new Uint8Array(size * slices.length);
    if (map.subarray(k * size, (k + 1) * size).some((pixel) => pixel > 0)) throw new Error("a frame twice");
    map.set(frame.pixels, k * size);
    maps.set(frame.segment, map);
  }
  return maps;
}

interface Slice {
  readonly instance: string;
  readonly frame?: number;
  readonly position: readonly number[];
}

/** Every frame with the slice it refers to; reference and position must name the same one. */
function placed(
  seg: SegObject,
  slices: readonly Slice[],
  withinMm: number,
): readonly { readonly frame: SegFrame; readonly k: number }[] {
  return seg.frames.map((frame) => {
    const k = slices.findIndex(
      ({ instance, frame: number }) =>
        instance === frame.sourceInstance && String(number) === String(frame.sourceFrame),
    );
    const slice = slices[k];
    if (!slice) throw new Error(`no slice ${frame.sourceInstance}`);
    const apart = slice.position.map((mm, axis) => Math.abs(mm - Number(frame.position[axis])));
    if (apart.some((mm) => !(mm <= withinMm)))
      throw new Error(`slice ${k} is ${apart.join(", ")} mm elsewhere`);
    return { frame, k };
  });
}

/** PS3.3 C.8.20.2: which class and which bits go with a type. */
function requireClass(dataSet: Item, type: string): void {
  const [allocated = 0, stored, highBit, signed] = ["00280100", "00280101", "00280102", "00280103"].map(
    (tag) => uint(need(dataSet, tag)),
  );
  const found = `${text(need(dataSet, "00080016")).split(".").at(-1)} ${allocated}`;
  const allowed = { BINARY: ["4 1"], FRACTIONAL: ["4 8"], LABELMAP: ["7 8", "7 16"] }[type] ?? [];
  if (!allowed.includes(found)) throw new Error(`${type} of class and bits ${found}`);
  if (stored !== allocated || highBit !== allocated - 1 || signed !== 0)
    throw new Error("not all bits stored");
  const isFractional = type === "FRACTIONAL";
  for (const tag of ["00620010", "0062000e"])
    if ((dataSet[tag] !== undefined) !== isFractional) throw new Error(`${tag} in ${type}`);
}

const RLE_LOSSLESS = "1.2.840.10008.1.2.5";

interface PixelShape {
  readonly bits: number;
  readonly isRle: boolean;
  readonly count: number;
  readonly columns: number;
  readonly pixels: number;
}

function framesIn(
  { bytes, fragments }: RawElement,
  { bits, isRle, count, columns, pixels }: PixelShape,
): (index: number) => Uint8Array | Uint16Array {
  if ((fragments !== undefined) !== isRle) throw new Error("transfer syntax and pixels disagree");
  if (fragments) {
    requireTable(fragments, count);
    return (index) => fromPlanes(rleDecoded(fragments[index + 1]!, bits / 8, columns, pixels));
  }
  const expected = Math.ceil((count * pixels * bits) / 8);
  if (bytes.length !== expected + (expected % 2)) throw new Error(`${bytes.length} bytes of pixels`);
  if (bytes.length > expected && bytes.at(-1) !== 0) throw new Error("padded with something else than 00H");
  if (bits === 1) return (index) => unpacked(bytes, index * pixels, pixels);
  if (bits === 8) return (index) => bytes.subarray(index * pixels, (index + 1) * pixels);
  return (index) =>
    Uint16Array.from({ length: pixels }, (_, at) => {
      const low = (index * pixels + at) * 2;
      return bytes[low]! + bytes[low + 1]! * 256;
    });
}

/** PS3.5 A.4: the Basic Offset Table counts from behind itself to the item of each frame's first fragment. */
function requireTable([table, ...frames]: readonly Uint8Array[], count: number): void {
  if (frames.length !== count) throw new Error(`${frames.length} fragments for ${count} frames`);
  if (!table || table.length !== 4 * count) throw new Error("the offset table has not one entry per frame");
  let offset = 0;
  for (const [at, { length }] of frames.entries()) {
    if (long(table, 4 * at) !== offset) throw new Error(`frame ${at} is not at ${long(table, 4 * at)}`);
    offset += 8 + length;
  }
}

/**
 * PS3.5 annex G: one segment for each byte of a pixel, the most significant first.
 *
 * @throws if a segment is odd, or a run crosses the end of a row
 */
function rleDecoded(
  fragment: Uint8Array,
  width: number,
  columns: number,
  pixels: number,
): readonly Uint8Array[] {
  if (long(fragment, 0) !== width) throw new Error(`${long(fragment, 0)} segments`);
  const starts = Array.from({ length: 16 }, (_, at) => (at < 15 ? long(fragment, 4 * (at + 1)) : 0));
  if (starts[0] !== 64) throw new Error("the first segment is not behind the header");
  if (starts.slice(width).some((start) => start !== 0)) throw new Error("more offsets than segments");
  return starts.slice(0, width).map((start, plane) => {
    const end = plane + 1 < width ? starts[plane + 1]! : fragment.length;
    if (start % 2 === 1 || end % 2 === 1) throw new Error("a segment of odd length");
    const out: number[] = [];
    let at = start;
    while (out.length < pixels) {
      const count = fragment[at++]!;
      const run = count < 128 ? count + 1 : 257 - count;
      if (count === 128) continue;
      if ((out.length % columns) + run > columns) throw new Error("a run crosses the end of its row");
      for (let one = 0; one < run; one++) out.push(fragment[count < 128 ? at + one : at]!);
      at += count < 128 ? run : 1;
    }
    if (end - at > 1 || (end - at === 1 && fragment[at] !== 0)) throw new Error("bytes behind the last run");
    return Uint8Array.from(out);
  });
}

function fromPlanes([high, low]: readonly Uint8Array[]): Uint8Array | Uint16Array {
  if (!low) return high!;
  return Uint16Array.from(low, (byte, at) => byte + high![at]! * 256);
}

function frameOf(group: Item, shared: Item, type: string, pixels: Uint8Array | Uint16Array): SegFrame {
  const at = (sequence: string): Item => items(group, sequence)[0] ?? items(shared, sequence)[0] ?? {};
  const source = items(at("00089124"), "00082112")[0] ?? {};
  const { bytes } = need(at("00209111"), "00209157");
  return {
    segment: type === "LABELMAP" ? noSegment(group, shared) : uint(need(at("0062000a"), "0062000b")),
    dimension: Array.from({ length: bytes.length / 4 }, (_, index) => long(bytes, index * 4)),
    position: texts(need(at("00209113"), "00200032")),
    sourceClass: textAt(source, "00081150") ?? "",
    sourceInstance: textAt(source, "00081155") ?? "",
    sourceFrame: textAt(source, "00081160"),
    pixels,
  };
}

function noSegment(...groups: readonly Item[]): 0 {
  if (groups.some((group) => group["0062000a"])) throw new Error("a label map that names segments by frame");
  return 0;
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
    const isEncapsulated = length === 0xffffffff && vr !== "SQ";
    found[tag] = {
      vr,
      bytes: value,
      items: vr === "SQ" ? itemsIn(value) : [],
      ...(isEncapsulated && { fragments: fragmentsIn(value) }),
    };
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

function fragmentsIn(bytes: Uint8Array): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; tagAt(bytes, at) !== "fffee0dd"; ) {
    if (tagAt(bytes, at) !== "fffee000") throw new Error("no item in encapsulated pixels");
    const length = long(bytes, at + 4);
    if (length % 2 === 1) throw new Error("a fragment of odd length");
    found.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
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

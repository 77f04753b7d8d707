/**
 * Data sets written by hand, byte for byte, right or wrong: nothing here is shared with src/dicom/encode.ts.
 *
 * Tags are eight hexadecimal digits, "00100010". Values are given as bytes or Latin-1 text and are not padded.
 */
export type Bytes = Uint8Array | string;

const raw = (bytes: Bytes): Buffer =>
  typeof bytes === "string" ? Buffer.from(bytes, "latin1") : Buffer.from(bytes);
const LONG = new Set("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split(" "));
export const UNDEFINED = 0xffffffff;

function head(tag: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(Number.parseInt(tag.slice(0, 4), 16), 0);
  bytes.writeUInt16LE(Number.parseInt(tag.slice(4), 16), 2);
  return bytes;
}

export function u16(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [at, value] of values.entries()) bytes.writeUInt16LE(value, at * 2);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** An element in Explicit VR Little Endian; `length` may lie. */
export function explicit(tag: string, vr: string, value: Bytes, length = raw(value).length): Buffer {
  const size = LONG.has(vr) ? Buffer.concat([u16(0), u32(length)]) : u16(length);
  return Buffer.concat([head(tag), raw(vr), size, raw(value)]);
}

/** An element, item or delimiter in Implicit VR Little Endian; `length` may lie. */
export function implicit(tag: string, value: Bytes, length = raw(value).length): Buffer {
  return Buffer.concat([head(tag), u32(length), raw(value)]);
}

export function item(...elements: readonly Uint8Array[]): Buffer {
  return implicit("fffee000", Buffer.concat(elements));
}

/** An item of undefined length, with its delimiter. */
export function openItem(...elements: readonly Uint8Array[]): Buffer {
  return Buffer.concat([implicit("fffee000", "", UNDEFINED), ...elements, implicit("fffee00d", "")]);
}

/** A sequence of undefined length in Explicit VR, with its delimiter. */
export function openSequence(tag: string, ...items: readonly Uint8Array[]): Buffer {
  return Buffer.concat([explicit(tag, "SQ", "", UNDEFINED), ...items, implicit("fffee0dd", "")]);
}

/** A DICOM file around a data set. */
export function file(transferSyntaxUid: string, ...dataSet: readonly Uint8Array[]): Buffer {
  const uid = transferSyntaxUid + (transferSyntaxUid.length % 2 ? "\0" : "");
  const meta = explicit("00020010", "UI", uid);
  return Buffer.concat([
    Buffer.alloc(128),
    raw("DICM"),
    explicit("00020000", "UL", u32(meta.length)),
    meta,
    ...dataSet,
  ]);
}

export const IMPLICIT = "1.2.840.10008.1.2";
export const EXPLICIT = "1.2.840.10008.1.2.1";
export const DEFLATED = "1.2.840.10008.1.2.1.99";
export const BIG_ENDIAN = "1.2.840.10008.1.2.2";

/** A small image as a scanner would send it, in Explicit VR Little Endian; an override of "" leaves it out. */
export function ctImage(overrides: Readonly<Record<string, Uint8Array | "">> = {}): Buffer {
  const elements: Record<string, Uint8Array | ""> = {
    "00080008": explicit("00080008", "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
    "00080016": explicit("00080016", "UI", "1.2.840.10008.5.1.4.1.1.2\0"),
    "00080018": explicit("00080018", "UI", "1.2.3.4.5.1\0"),
    "00080060": explicit("00080060", "CS", "CT"),
    "00081140": openSequence(
      "00081140",
      openItem(explicit("00081155", "UI", "1.2.3.9\0")),
      item(explicit("00081155", "UI", "1.2.3.10")),
    ),
    "00100010": explicit("00100010", "PN", "Nobody^Known"),
    "0020000d": explicit("0020000d", "UI", "1.2.3.4\0"),
    "0020000e": explicit("0020000e", "UI", "1.2.3.4.5\0"),
    "00200032": explicit("00200032", "DS", "-10.5\\20\\-30.25 "),
    "00200037": explicit("00200037", "DS", "1\\0\\0\\0\\1\\0 "),
    "00280010": explicit("00280010", "US", u16(2)),
    "00280011": explicit("00280011", "US", u16(3)),
    "00280100": explicit("00280100", "US", u16(16)),
    "7fe00010": explicit("7fe00010", "OW", u16(1, 2, 3, 4, 5, 6)),
    ...overrides,
  };
  const inOrder = Object.entries(elements).sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.concat(inOrder.map(([, element]) => raw(element)));
}

/** Random numbers in [0, 1), the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

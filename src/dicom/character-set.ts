/**
 * (0008,0005) Specific Character Set: bytes of an element to text. Pure.
 *
 * One-byte sets, the ISO 2022 code extensions with their escape sequences (PS3.5 6.1.2.5, PS3.3 C.12.1.1.2), and
 * the sets without extensions (UTF-8, GB18030, GBK). Terms that devices misspell ("ISO-IR 100") are read as
 * meant; an unknown term reads as Latin-1, so that no byte is lost.
 */

export interface CharacterSet {
  /** The defined terms as written, value 1 first. */
  readonly terms: readonly string[];
}

export const DEFAULT_CHARACTER_SET: CharacterSet = { terms: [] };
export const UTF_8: CharacterSet = { terms: ["ISO_IR 192"] };

/** The representations whose text the character set applies to, PS3.5 6.1.2.3. */
const TEXT = new Set(["SH", "LO", "ST", "LT", "PN", "UC", "UT"]);

export function isText(vr: string): boolean {
  return TEXT.has(vr);
}

/** Without trailing NULs and spaces. Not by regular expression: on a megabyte of spaces that takes minutes. */
export function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === " " || text[end - 1] === "\0")) end--;
  return text.slice(0, end);
}

/** The text of a value field, padding and backslashes included. */
export function decodeText(bytes: Uint8Array, vr: string, set: CharacterSet): string {
  if (!isText(vr)) return decode("latin1", bytes);
  const initial = ENCODINGS[normalTerm(set.terms[0] ?? "")] ?? "latin1";
  if (!bytes.includes(ESC)) return decode(initial, bytes);
  return decodeWithExtensions(bytes, vr, initial);
}

/** The defined terms that are read, each with its ISO 2022 spelling where there is one. */
export function characterSets(): readonly string[] {
  return Object.keys(ENCODINGS).filter((term) => term !== "");
}

const ESC = 0x1b;

/** WHATWG encoding labels by defined term; code extensions have the same repertoire as the plain term. */
const ENCODINGS: Readonly<Record<string, string>> = {
  "": "latin1",
  "ISO_IR 6": "latin1",
  "ISO_IR 100": "latin1",
  "ISO_IR 101": "iso-8859-2",
  "ISO_IR 109": "iso-8859-3",
  "ISO_IR 110": "iso-8859-4",
  "ISO_IR 144": "iso-8859-5",
  "ISO_IR 127": "iso-8859-6",
  "ISO_IR 126": "iso-8859-7",
  "ISO_IR 138": "iso-8859-8",
  "ISO_IR 148": "windows-1254",
  "ISO_IR 203": "iso-8859-15",
  "ISO_IR 166": "windows-874",
  "ISO_IR 13": "shift_jis",
  // Not to be named first, but devices do, and leave the escape sequences out.
  "ISO_IR 149": "euc-kr",
  "ISO_IR 58": "gbk",
  "ISO_IR 192": "utf-8",
  GB18030: "gb18030",
  GBK: "gbk",
};

/** How the bytes of a designated set are decoded: as they stand, or moved into the upper half first. */
interface Designation {
  readonly half: "G0" | "G1";
  readonly encoding: string;
  /** Bytes per character and prefix for the decoder; a G0 set of two bytes is decoded as EUC, upper half. */
  readonly wide?: { readonly prefix: number | undefined };
}

/** Escape sequences by what follows ESC, PS3.3 Table C.12-3 and C.12-4. */
const ESCAPES: Readonly<Record<string, Designation>> = {
  "(B": { half: "G0", encoding: "latin1" },
  "(J": { half: "G0", encoding: "shift_jis" },
  ")I": { half: "G1", encoding: "shift_jis" },
  "-A": { half: "G1", encoding: "latin1" },
  "-B": { half: "G1", encoding: "iso-8859-2" },
  "-C": { half: "G1", encoding: "iso-8859-3" },
  "-D": { half: "G1", encoding: "iso-8859-4" },
  "-L": { half: "G1", encoding: "iso-8859-5" },
  "-G": { half: "G1", encoding: "iso-8859-6" },
  "-F": { half: "G1", encoding: "iso-8859-7" },
  "-H": { half: "G1", encoding: "iso-8859-8" },
  "-M": { half: "G1", encoding: "windows-1254" },
  "-b": { half: "G1", encoding: "iso-8859-15" },
  "-T": { half: "G1", encoding: "windows-874" },
  $B: { half: "G0", encoding: "euc-jp", wide: { prefix: undefined } },
  "$@": { half: "G0", encoding: "euc-jp", wide: { prefix: undefined } },
  "$(D": { half: "G0", encoding: "euc-jp", wide: { prefix: 0x8f } },
  "$)C": { half: "G1", encoding: "euc-kr" },
  "$)A": { half: "G1", encoding: "gbk" },
};

const ASCII: Designation = { half: "G0", encoding: "latin1" };

function decodeWithExtensions(bytes: Uint8Array, vr: string, initial: string): string {
  const start: Designation = { half: "G1", encoding: initial };
  const ascii = decode("latin1", bytes);
  const delimiters = vr === "PN" ? PN_DELIMITERS : TEXT_DELIMITERS;
  let g0 = ASCII;
  let g1 = start;
  let text = "";
  let from = 0;
  const flush = (to: number): void => {
    if (to > from) text += decodeRun(bytes.subarray(from, to), g0, g1);
  };
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === ESC) {
      flush(at);
      const three = ascii.slice(at + 1, at + 4);
      const name = three in ESCAPES ? three : three.slice(0, 2);
      const designation = ESCAPES[name];
      if (designation?.half === "G0") g0 = designation;
      if (designation?.half === "G1") g1 = designation;
      at += designation ? name.length : 0;
      from = at + 1;
    } else if (!g0.wide && delimiters.has(byte)) {
      flush(at + 1);
      from = at + 1;
      g0 = ASCII; // the sets of value 1 are in force again after a delimiter, PS3.5 6.1.2.5.3
      g1 = start;
    }
  }
  flush(bytes.length);
  return text;
}

/** Backslash, TAB, LF, FF, CR; in names also = and ^. */
const TEXT_DELIMITERS = new Set([0x5c, 0x09, 0x0a, 0x0c, 0x0d]);
const PN_DELIMITERS = new Set([...TEXT_DELIMITERS, 0x3d, 0x5e]);

function decodeRun(run: Uint8Array, g0: Designation, g1: Designation): string {
  if (!g0.wide) return decode(g1.encoding === "latin1" ? g0.encoding : g1.encoding, run);
  const { prefix } = g0.wide;
  const moved: number[] = [];
  for (const [at, byte] of run.entries()) {
    if (prefix !== undefined && at % 2 === 0) moved.push(prefix);
    moved.push(byte | 0x80);
  }
  return decode(g0.encoding, Uint8Array.from(moved));
}

const decoders = new Map<string, { decode(bytes: Uint8Array): string }>();

function decode(encoding: string, bytes: Uint8Array): string {
  if (encoding === "latin1")
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  let decoder = decoders.get(encoding);
  if (!decoder) decoders.set(encoding, (decoder = new TextDecoder(encoding, { ignoreBOM: true })));
  return decoder.decode(bytes);
}

/** "ISO-IR 100", "ISO_IR_100", "ISO 2022 IR 100" all name repertoire 100. */
function normalTerm(term: string): string {
  const trimmed = term.trim().toUpperCase();
  const number = /^ISO[-_ ](?:2022[-_ ])?IR[-_ ]?(\d+)$/.exec(trimmed)?.[1];
  return number ? `ISO_IR ${number}` : trimmed;
}

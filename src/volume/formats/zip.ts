/**
 * What is in a zip file: the masks of a model, or the arrays of a NumPy .npz.
 *
 * In:   the bytes of the whole file, and how many entries are allowed.
 * Out:  the entries, still deflated: what comes out of them is limited by whoever knows what it should be.
 * Pure.
 *
 * Read is the directory at the end, as the format wants it, and each entry where that says; so the sizes of an entry
 * are known before anything is inflated. Folders are passed over, encrypted and multi-volume files refused.
 *
 * @see APPNOTE.TXT 6.3.10, https://support.pkware.com/pkzip/appnote
 */
import { crc32 } from "node:zlib";
import { inflate, inflateHead } from "./gzip.ts";
import { invalid } from "./image.ts";

export interface ZipEntry {
  /** As written in the directory: a path with slashes. Never to be opened as one. */
  readonly name: string;
  /** What it comes to, by the directory. */
  readonly size: number;
  /** The first bytes of what is inside. */
  readonly head: () => Uint8Array;
  /** @throws MODEL_ANSWER_INVALID if it is damaged, or is of another size than said, or above `limit` bytes */
  readonly content: (limit: number) => Uint8Array;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const HEAD_BYTES = 64 * 1024;
const [STORED, DEFLATED] = [0, 8];
const ENCRYPTED = 1;
const NONE_32 = 0xffffffff;

export function isZip(bytes: Uint8Array): boolean {
  const second = bytes[2] ?? 0;
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (second === 3 || second === 5);
}

/** @throws MODEL_ANSWER_INVALID: damaged, cut, encrypted, or with more entries than `most` */
export function zipEntries(bytes: Uint8Array, most: number): readonly ZipEntry[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return entriesOf(file, most).filter(({ name }) => !name.endsWith("/"));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalid("Zip points past its end", error);
  }
}

function entriesOf(file: Buffer, most: number): readonly ZipEntry[] {
  let { count, at } = directoryOf(file);
  if (count > most) throw invalid(`Zip of ${count} entries, more than the ${most} expected`);
  const entries: ZipEntry[] = [];
  for (; count > 0; count -= 1) {
    if (file.readUInt32LE(at) !== CENTRAL) throw invalid("Zip with a damaged directory");
    const nameLength = file.readUInt16LE(at + 28);
    const extraLength = file.readUInt16LE(at + 30);
    const next = at + 46 + nameLength + extraLength + file.readUInt16LE(at + 32);
    if (next > file.length) throw invalid("Zip points past its end");
    entries.push(entryAt(file, at, nameLength, extraLength));
    at = next;
  }
  return entries;
}

function directoryOf(file: Buffer): { readonly count: number; readonly at: number } {
  const earliest = Math.max(0, file.length - END_BYTES - MAX_COMMENT_BYTES);
  for (let end = file.length - END_BYTES; end >= earliest; end -= 1) {
    if (file.readUInt32LE(end) !== END) continue;
    if (end >= 20 && file.readUInt32LE(end - 20) === LOCATOR_64) {
      const wide = Number(file.readBigUInt64LE(end - 12));
      if (file.readUInt32LE(wide) !== END_64) throw invalid("Zip64 with a damaged end");
      return { count: Number(file.readBigUInt64LE(wide + 32)), at: Number(file.readBigUInt64LE(wide + 48)) };
    }
    return { count: file.readUInt16LE(end + 10), at: file.readUInt32LE(end + 16) };
  }
  throw invalid("Zip without a directory: it is cut");
}

function entryAt(file: Buffer, at: number, nameLength: number, extraLength: number): ZipEntry {
  const name = file.toString("utf8", at + 46, at + 46 + nameLength);
  const method = file.readUInt16LE(at + 10);
  if (file.readUInt16LE(at + 8) & ENCRYPTED) throw invalid("Zip with an encrypted entry");
  if (method !== STORED && method !== DEFLATED) throw invalid(`Zip entry compressed by method ${method}`);
  const crc = file.readUInt32LE(at + 16);
  const extra = file.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
  const wide = wideFields(extra);
  const field = (offset: number): number => {
    const value = file.readUInt32LE(at + offset);
    return value === NONE_32 ? wide() : value;
  };
  const [size, packed, local] = [field(24), field(20), field(42)];
  const stored = (): Buffer => {
    if (file.readUInt32LE(local) !== LOCAL) throw invalid("Zip with a damaged entry");
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    if (start + packed > file.length) throw invalid("Zip points past its end");
    return file.subarray(start, start + packed);
  };
  return {
    name,
    size,
    head: () =>
      guarded(() =>
        method === STORED ? stored().subarray(0, HEAD_BYTES) : inflateHead(stored(), "deflate"),
      ),
    content(limit) {
      if (size > limit) throw invalid(`Zip entry of ${size} bytes, more than the ${limit} expected`);
      const content = guarded(() => (method === STORED ? stored() : inflate(stored(), "deflate", size)));
      if (content.length !== size || crc32(content) !== crc) throw invalid("Zip entry is damaged");
      return content;
    },
  };
}

/** Sizes and offsets above 4 GiB, one after another as they are needed (4.5.3). */
function wideFields(extra: Buffer): () => number {
  let [at, end] = [0, 0];
  for (let field = 0; field + 4 <= extra.length; field += 4 + extra.readUInt16LE(field + 2)) {
    if (extra.readUInt16LE(field) === 1) [at, end] = [field + 4, field + 4 + extra.readUInt16LE(field + 2)];
  }
  return () => {
    if (at + 8 > Math.min(end, extra.length)) throw invalid("Zip64 without its sizes");
    const value = Number(extra.readBigUInt64LE(at));
    at += 8;
    return value;
  };
}

function guarded<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalid("Zip points past its end", error);
  }
}

/**
 * The files in a zip archive that a model answered with (APPNOTE.TXT 4.3).
 *
 * In:   the bytes of the archive, which names are wanted, how much may come out.
 * Out:  names and contents; or MODEL_ANSWER_INVALID, MODEL_ANSWER_TOO_LARGE.
 * Pure. Runs in a worker; nothing is ever written under a name from the archive.
 *
 * An archive can lie in many ways: sizes, entries that lie upon each other, the same name twice, names that climb out
 * of a folder, links. All entries are held to be what they say before one is inflated.
 */
import { crc32, inflateRawSync } from "node:zlib";
import { NodeError } from "../base/errors.ts";
import { invalid } from "../volume/formats/image.ts";

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly stored: number;
  readonly size: number;
  readonly offset: number;
}

const MAX_ENTRIES = 10_000;
const [END_SIGNATURE, CENTRAL_SIGNATURE, LOCAL_SIGNATURE] = [0x06054b50, 0x02014b50, 0x04034b50];
const [END_BYTES, CENTRAL_BYTES, LOCAL_BYTES] = [22, 46, 30];
const LONGEST_COMMENT = 0xffff;
const ENCRYPTED = 0x1;
const FILE_TYPE = 0o170000 << 16;
const LINK = 0o120000 << 16;

export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** @param glob  with `*` for anything within a name; without a slash it is held against the last part of a name */
export function filesInZip(
  archive: Uint8Array,
  glob: string,
  limits: { readonly maxBytes: number; readonly ratio: number },
): readonly ZipFile[] {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const entries = entriesOf(archive, view);
  checkNames(entries);
  checkApart(entries, view);
  const wanted = entries.filter(({ name }) => !name.endsWith("/") && matches(glob, name));
  if (wanted.length === 0) throw invalid(`Zip of ${entries.length} entries has no ${glob}`);
  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  if (total > limits.maxBytes)
    throw tooLarge(`Zip holds ${total} bytes where ${limits.maxBytes} are allowed`);
  if (total > Math.max(limits.ratio * archive.length, SMALL))
    throw tooLarge(`Zip grows by more than ${limits.ratio}`);
  return wanted.map((entry) => ({ name: entry.name, bytes: contentOf(entry, archive, view) }));
}

/** Whatever its ratio, this is no bomb. */
const SMALL = 1024 * 1024;

function entriesOf(archive: Uint8Array, view: DataView): readonly Entry[] {
  const end = endOf(view);
  const count = view.getUint16(end + 10, true);
  const size = view.getUint32(end + 12, true);
  const from = view.getUint32(end + 16, true);
  if (count > MAX_ENTRIES) throw invalid(`Zip of ${count} entries`);
  if (from + size > end) throw invalid("Zip whose directory lies elsewhere");
  const entries: Entry[] = [];
  for (let at = from; entries.length < count; ) {
    if (at + CENTRAL_BYTES > end || view.getUint32(at, true) !== CENTRAL_SIGNATURE)
      throw invalid("Zip with a damaged directory");
    const flags = view.getUint16(at + 8, true);
    const nameLength = view.getUint16(at + 28, true);
    const next =
      at + CENTRAL_BYTES + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw invalid("Zip with a damaged directory");
    if (flags & ENCRYPTED) throw invalid("Zip with a password");
    if ((view.getUint32(at + 38, true) & FILE_TYPE) === LINK) throw invalid("Zip with a link in it");
    entries.push({
      name: nameOf(archive.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength)),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      stored: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    });
    at = next;
  }
  return entries;
}

function endOf(view: DataView): number {
  const first = Math.max(0, view.byteLength - END_BYTES - LONGEST_COMMENT);
  for (let at = view.byteLength - END_BYTES; at >= first; at -= 1) {
    if (
      view.getUint32(at, true) === END_SIGNATURE &&
      at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength
    )
      return at;
  }
  throw invalid("Answer is no zip, or one cut short");
}

function nameOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
  } catch (error) {
    throw invalid("Zip with a name that is not UTF-8", error);
  }
}

function checkNames(entries: readonly Entry[]): void {
  const seen = new Set<string>();
  for (const { name } of entries) {
    const climbs = name
      .split("/")
      .some((step, at, steps) => step === ".." || (step === "" && at < steps.length - 1));
    if (name === "" || climbs || /[\\:\p{Cc}]/u.test(name))
      throw invalid("Zip with a name that leads out of it");
    if (seen.has(name)) throw invalid("Zip with a name twice");
    seen.add(name);
  }
}

/** Many entries over the same bytes are how a small archive holds a petabyte. */
function checkApart(entries: readonly Entry[], view: DataView): void {
  let free = 0;
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset < free) throw invalid("Zip whose entries lie upon each other");
    free = dataFrom(entry, view) + entry.stored;
    if (free > view.byteLength) throw invalid("Zip with an entry past its end");
  }
}

function dataFrom({ offset }: Entry, view: DataView): number {
  if (offset + LOCAL_BYTES > view.byteLength || view.getUint32(offset, true) !== LOCAL_SIGNATURE)
    throw invalid("Zip with an entry that is not where it should be");
  return offset + LOCAL_BYTES + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
}

function contentOf(entry: Entry, archive: Uint8Array, view: DataView): Uint8Array {
  const from = dataFrom(entry, view);
  const stored = archive.subarray(from, from + entry.stored);
  const bytes = inflated(stored, entry);
  if (bytes.length !== entry.size) throw invalid("Zip whose sizes are not true");
  if (crc32(bytes) !== entry.crc) throw invalid("Zip with a damaged entry");
  return bytes;
}

function inflated(stored: Uint8Array, { method, size }: Entry): Uint8Array {
  if (method === 0) return stored;
  if (method !== 8) throw invalid(`Zip with compression method ${method}`);
  try {
    return inflateRawSync(stored, { maxOutputLength: Math.max(1, size) });
  } catch (error) {
    const isLonger = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw invalid(isLonger ? "Zip whose sizes are not true" : "Zip with a damaged entry", error);
  }
}

function matches(glob: string, name: string): boolean {
  const held = glob.includes("/") ? name : name.slice(name.lastIndexOf("/") + 1);
  const pattern = glob.split("*").map((text) => text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join("[^/]*")}$`, "s").test(held);
}

function tooLarge(what: string): NodeError {
  return new NodeError("MODEL_ANSWER_TOO_LARGE", what);
}

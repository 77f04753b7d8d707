/**
 * Gzip for volumes and label maps, in worker threads.
 *
 * What comes in may be a bomb: every inflation has a limit in bytes, taken from the header of the image inside. A
 * limit of the ratio would add nothing: deflate ends at 1032 : 1, and an honest empty label map comes close to that.
 */
import { constants, gunzipSync, inflateRawSync, inflateSync } from "node:zlib";
import { invalid } from "./image.ts";

/** Enough compressed bytes for the header of an image, and at most 17 MB when inflated. */
const HEAD_BYTES = 16 * 1024;
const PIECE_BYTES = 1024 * 1024;
const MIN_CHUNK_BYTES = 1024;
const LARGEST_CHUNK_BYTES = 1024 * 1024 * 1024;
/** Of deflate; rounded up. */
const LARGEST_RATIO = 1033;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Deflated bytes with the frame of gzip (RFC 1952), of zlib (RFC 1950), or with none (RFC 1951, in a zip). */
export type Deflated = "gzip" | "zlib" | "deflate";

const INFLATE = { gzip: gunzipSync, zlib: inflateSync, deflate: inflateRawSync } as const;

/** The first bytes of what is inside; as many as come out of the first 16 KiB. */
export function inflateHead(bytes: Uint8Array, form: Deflated): Uint8Array {
  try {
    return INFLATE[form](bytes.subarray(0, HEAD_BYTES), { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw invalid(`${named(form)} is damaged in its first bytes`, error);
  }
}

/**
 * For a limit that says nothing of the size: room is taken piece by piece.
 *
 * @throws MODEL_ANSWER_INVALID if it is damaged, cut, or holds more than `limit` bytes
 */
export function gunzip(bytes: Uint8Array, limit: number): Uint8Array {
  return inflated(bytes, "gzip", { maxOutputLength: limit, chunkSize: PIECE_BYTES });
}

/**
 * For a limit that is the size, by a header: room for it is taken at once where so much can come out, or everything
 * would stand there twice at the end.
 *
 * @throws MODEL_ANSWER_INVALID if it is damaged, cut, or holds more than `limit` bytes
 */
export function inflate(bytes: Uint8Array, form: Deflated, limit: number): Uint8Array {
  const possible = Math.min(limit, bytes.length * LARGEST_RATIO) + 1;
  const chunkSize = Math.max(MIN_CHUNK_BYTES, Math.min(possible, LARGEST_CHUNK_BYTES));
  return inflated(bytes, form, { maxOutputLength: limit, chunkSize });
}

function inflated(
  bytes: Uint8Array,
  form: Deflated,
  options: { readonly maxOutputLength: number; readonly chunkSize: number },
): Uint8Array {
  try {
    return INFLATE[form](bytes, options);
  } catch (error) {
    const tooLong = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    const what = named(form);
    const why = tooLong ? `holds more than the ${options.maxOutputLength} bytes expected` : "is damaged";
    throw invalid(`${what} ${why}`, error);
  }
}

function named(form: Deflated): string {
  return form === "gzip" ? "Gzip" : `Data (${form})`;
}

/** The same bytes in views of at most 1 MiB; nothing is copied. */
export function* piecesOf(parts: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) yield part.subarray(at, at + PIECE_BYTES);
  }
}

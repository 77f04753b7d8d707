/**
 * RLE Lossless of one frame, PS3.5 annex G. Pure.
 *
 * A header of 64 bytes, then one segment for each byte of a pixel, the most significant first. A row is coded for
 * itself (G.3.1), a segment is padded with 00H to an even length (G.3.1, G.5).
 */

const HEADER_BYTES = 64;
const LONGEST_RUN = 128;

interface Shape {
  readonly rows: number;
  readonly columns: number;
  /** Bytes of a pixel, little endian in memory. */
  readonly width: 1 | 2;
}

/** What a frame needs at worst: every row of literals, a count byte to every 128 of them, and padding. */
export function rleLimit({ rows, columns, width }: Shape): number {
  return HEADER_BYTES + width * (rows * (columns + Math.ceil(columns / LONGEST_RUN)) + 1);
}

/**
 * @param frame  the pixels, rows × columns × width bytes
 * @param out    at least `rleLimit` bytes
 * @returns      how many of them were written
 */
export function encodeRle(frame: Uint8Array, { rows, columns, width }: Shape, out: Uint8Array): number {
  const header = new DataView(out.buffer, out.byteOffset, HEADER_BYTES);
  out.fill(0, 0, HEADER_BYTES);
  header.setUint32(0, width, true);
  const copy = new Uint8Array(columns);
  let end = HEADER_BYTES;
  for (let plane = 0; plane < width; plane++) {
    header.setUint32(4 * (plane + 1), end, true);
    for (let j = 0; j < rows; j++) {
      const start = j * columns * width;
      const pixels = frame.subarray(start, start + columns * width);
      end = encodeRow(width === 1 ? pixels : planeOf(pixels, width - 1 - plane, copy), out, end);
    }
    if (end % 2 === 1) out[end++] = 0;
  }
  return end;
}

/** Every second byte of the pixels. */
function planeOf(pixels: Uint8Array, first: number, into: Uint8Array): Uint8Array {
  for (let i = 0; i < into.length; i++) into[i] = pixels[first + 2 * i]!;
  return into;
}

/**
 * Runs of two or more become a replicate run, the rest literal runs; a run of two inside literals stays literal,
 * where it would save nothing.
 */
function encodeRow(row: Uint8Array, out: Uint8Array, from: number): number {
  let end = from;
  let literal = 0; // where the literals not yet written begin
  for (let at = 0; at < row.length; ) {
    const run = runAt(row, at);
    if (run < 3 && !(run === 2 && literal === at)) {
      at += run;
      continue;
    }
    end = writeLiterals(row, [literal, at], out, end);
    out[end++] = 257 - run;
    out[end++] = row[at]!;
    at += run;
    literal = at;
  }
  return writeLiterals(row, [literal, row.length], out, end);
}

function runAt(row: Uint8Array, at: number): number {
  const last = Math.min(row.length, at + LONGEST_RUN);
  let next = at + 1;
  while (next < last && row[next] === row[at]) next++;
  return next - at;
}

function writeLiterals(
  row: Uint8Array,
  [from, to]: readonly [from: number, to: number],
  out: Uint8Array,
  start: number,
): number {
  let end = start;
  for (let at = from; at < to; ) {
    const stop = Math.min(to, at + LONGEST_RUN);
    out[end++] = stop - at - 1;
    while (at < stop) out[end++] = row[at++]!;
  }
  return end;
}

/**
 * RLE Lossless, PS3.5 annex G: a frame as byte planes, each packed.
 *
 * In:   the one fragment of a frame; its number of pixels and bytes per pixel.
 * Out:  the pixels, little endian.
 * Pure. Reads and writes stay within the segment and the plane, whatever the runs say.
 */
import { NodeError } from "../../base/errors.ts";

const HEADER_BYTES = 64;

/** @throws NodeError PIXELS_UNDECODABLE unless there is exactly one full plane per byte */
export function decodeRle(frame: Uint8Array, pixels: number, bytesPerPixel: number): Uint8Array {
  if (frame.length < HEADER_BYTES) throw wrong("no header");
  const header = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES);
  const segments = header.getUint32(0, true);
  if (segments !== bytesPerPixel) throw wrong(`${segments} segments for ${bytesPerPixel} bytes per pixel`);
  const out = new Uint8Array(pixels * bytesPerPixel);
  for (let segment = 0; segment < segments; segment++) {
    const start = header.getUint32(4 + 4 * segment, true);
    const end = segment + 1 < segments ? header.getUint32(8 + 4 * segment, true) : frame.length;
    if (start < HEADER_BYTES || start > end || end > frame.length) throw wrong("segment outside the frame");
    // The first segment holds the most significant bytes (G.2).
    const plane = { first: segments - 1 - segment, step: bytesPerPixel };
    unpack(frame.subarray(start, end), out, plane);
  }
  return out;
}

/** PackBits, G.3.2: n < 128 copies n + 1 bytes, n > 128 repeats one byte 257 − n times, 128 does nothing. */
function unpack(
  packed: Uint8Array,
  out: Uint8Array,
  plane: { readonly first: number; readonly step: number },
): void {
  const { step } = plane;
  let to = plane.first;
  let at = 0;
  while (to < out.length) {
    if (at >= packed.length) throw wrong("a segment ends before its plane");
    const code = packed[at++]!;
    if (code === 128) continue;
    const count = code < 128 ? code + 1 : 257 - code;
    if (to + (count - 1) * step >= out.length) throw wrong("a run past the end of its plane");
    const need = code < 128 ? count : 1;
    if (at + need > packed.length) throw wrong("a run past the end of its segment");
    if (code < 128) for (let n = 0; n < count; n++, to += step) out[to] = packed[at + n]!;
    else for (let n = 0; n < count; n++, to += step) out[to] = packed[at]!;
    at += need;
  }
}

function wrong(what: string): NodeError {
  return new NodeError("PIXELS_UNDECODABLE", `RLE frame: ${what}`);
}

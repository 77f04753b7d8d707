/**
 * The pixels of a BINARY segmentation. Pure.
 *
 * The bits of all frames are one stream, least significant bit first, with no padding between frames
 * (PS3.5 8.1.1, annex D.1); only its end is padded with 00H to an even length.
 *
 * Frames are stored by segment, but a map is read by slice. So a window of frames is packed at a time, in one pass
 * over the slices that it touches: memory stays small, and most results fit in one window.
 */
import type { Labels } from "../volume/volume.ts";
import type { Frame } from "./frames.ts";

/** A window holds whole bytes, so it has 8 frames or a multiple of them. */
const FRAMES_TO_A_BYTE = 8;
const WINDOW_BYTES = 32 * 1024 * 1024;
const LABEL_VALUES = 0x10000;

/** Length of the value field of Pixel Data for so many frames, padding included. */
export function packedBytes(frames: number, pixelsPerSlice: number): number {
  return 2 * Math.ceil((frames * pixelsPerSlice) / 16);
}

/**
 * @param layers       by label value, where its voxels stand
 * @param windowBytes  about how much is packed at a time
 * @returns            chunks that together are the value of Pixel Data; each is valid until the next is asked for
 */
export function* packFrames(
  layers: (value: number) => Labels,
  frames: readonly Frame[],
  pixelsPerSlice: number,
  windowBytes = WINDOW_BYTES,
): Generator<Uint8Array, undefined> {
  const eights = Math.max(1, Math.floor(windowBytes / pixelsPerSlice));
  const step = eights * FRAMES_TO_A_BYTE;
  let left = packedBytes(frames.length, pixelsPerSlice);
  for (let first = 0; first < frames.length; first += step) {
    const window = frames.slice(first, first + step);
    const bytes = Math.min(eights * pixelsPerSlice, left);
    left -= bytes;
    yield packWindow(layers, window, { pixelsPerSlice, bytes });
  }
  if (left > 0) yield new Uint8Array(left);
}

/** One pass over the slices that have frames, for all segments at once. */
function packWindow(
  layers: (value: number) => Labels,
  frames: readonly Frame[],
  { pixelsPerSlice, bytes }: { readonly pixelsPerSlice: number; readonly bytes: number },
): Uint8Array {
  const packed = new Uint8Array(bytes);
  const places = new Places();
  const placed = frames.map(({ value, k }, index) => ({ value, k, layer: layers(value), index }));
  for (const ofSlice of Map.groupBy(placed, ({ k }) => k).values())
    for (const [layer, ofLayer] of Map.groupBy(ofSlice, (frame) => frame.layer)) {
      for (const { value, index } of ofLayer) places.set(value, index * pixelsPerSlice);
      const start = ofLayer[0]!.k * pixelsPerSlice;
      packSlice(layer.subarray(start, start + pixelsPerSlice), places, packed);
      for (const { value } of ofLayer) places.clear(value);
    }
  return packed;
}

/** Where in the window the bits of each value begin; −1 for values that have no frame there. */
class Places {
  readonly byte = new Int32Array(LABEL_VALUES).fill(-1);
  readonly bit = new Uint8Array(LABEL_VALUES);

  set(value: number, bit: number): void {
    this.byte[value] = Math.floor(bit / 8);
    this.bit[value] = bit % 8;
  }

  clear(value: number): void {
    this.byte[value] = -1;
  }
}

function packSlice(slice: Labels, { byte, bit }: Places, packed: Uint8Array): void {
  for (let at = 0; at < slice.length; at++) {
    const value = slice[at]!;
    if (value === 0) continue;
    const first = byte[value]!;
    if (first < 0) continue;
    const place = at + bit[value]!;
    packed[first + (place >> 3)]! |= 1 << (place & 7);
  }
}

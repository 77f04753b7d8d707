/**
 * A label map as the frames of a BINARY segmentation: which there are, and their bits. Pure.
 *
 * The bits of all frames are one stream, least significant bit first, with no padding between frames
 * (PS3.5 8.1.1, annex D.1); only its end is padded with 00H to an even length. Positions without a voxel of a
 * segment have no frame.
 */
import type { Labels } from "../volume/volume.ts";

/** Label values other than 0, ascending, and the slices that hold them, ascending. */
export type Presence = ReadonlyMap<number, readonly number[]>;

export interface Frame {
  /** The label value in the map. */
  readonly value: number;
  /** (0062,000B) Referenced Segment Number: the rank of the value among those present, from 1. */
  readonly segment: number;
  /** The slice, from 0. */
  readonly k: number;
}

/** One pass over the map. */
export function findLabels(labels: Labels, pixelsPerSlice: number): Presence {
  const slices = new Map<number, number[]>();
  const lastSeen = new Int32Array(0x10000).fill(-1);
  for (let start = 0, k = 0; start < labels.length; start += pixelsPerSlice, k++) {
    const end = Math.min(start + pixelsPerSlice, labels.length);
    let before = 0;
    for (let at = start; at < end; at++) {
      const value = labels[at]!;
      if (value === before) continue;
      before = value;
      if (value === 0 || lastSeen[value] === k) continue;
      lastSeen[value] = k;
      const known = slices.get(value);
      if (known) known.push(k);
      else slices.set(value, [k]);
    }
  }
  return new Map([...slices].sort(([a], [b]) => a - b));
}

/** In the order they are stored: by segment, then by position (PS3.3 C.7.6.17). */
export function listFrames(presence: Presence): readonly Frame[] {
  return [...presence].flatMap(([value, slices], at) => slices.map((k) => ({ value, segment: at + 1, k })));
}

/** Length of the value field of Pixel Data for so many frames, padding included. */
export function packedBytes(frames: number, pixelsPerSlice: number): number {
  return 2 * Math.ceil((frames * pixelsPerSlice) / 16);
}

/**
 * One pass over the slices that have frames, for all segments at once.
 *
 * @param frames  all of the map's: every label but 0 needs its frame
 */
export function packFrames(labels: Labels, frames: readonly Frame[], pixelsPerSlice: number): Uint8Array {
  const packed = new Uint8Array(packedBytes(frames.length, pixelsPerSlice));
  const firstByte = new Float64Array(0x10000);
  const firstBit = new Uint8Array(0x10000);
  const placed = frames.map(({ value, k }, index) => ({ value, k, index }));
  for (const [k, ofSlice] of Map.groupBy(placed, (frame) => frame.k)) {
    for (const { value, index } of ofSlice) {
      firstByte[value] = Math.floor((index * pixelsPerSlice) / 8);
      firstBit[value] = (index * pixelsPerSlice) % 8;
    }
    const slice = labels.subarray(k * pixelsPerSlice, (k + 1) * pixelsPerSlice);
    for (let at = 0; at < slice.length; at++) {
      const value = slice[at]!;
      if (value === 0) continue;
      const bit = at + firstBit[value]!;
      packed[firstByte[value]! + (bit >> 3)]! |= 1 << (bit & 7);
    }
  }
  return packed;
}

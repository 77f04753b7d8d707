/**
 * Which frames a result has: the labels that a map holds, and the slices that hold them. Pure.
 *
 * Positions without a voxel of a segment have no frame.
 */
import type { Labels } from "../volume/volume.ts";

/** Label values other than 0, ascending, and the slices that hold them, ascending. */
export type Presence = ReadonlyMap<number, readonly number[]>;

export interface Frame {
  /** The label value in the map; 0 in a label map, whose frames hold all values. */
  readonly value: number;
  /** (0062,000B) Referenced Segment Number: the rank of the value among those described, from 1; 0 in a label map. */
  readonly segment: number;
  /** The slice of the grid, from 0. */
  readonly k: number;
}

const LABEL_VALUES = 0x10000;

/** One pass over the map. */
export function findLabels(labels: Labels, pixelsPerSlice: number): Presence {
  const slices = new Map<number, number[]>();
  const lastSeen = new Int32Array(LABEL_VALUES).fill(-1);
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

/** The slices in which a probability is not 0. */
export function findProbable(probabilities: Uint8Array, pixelsPerSlice: number): readonly number[] {
  const nothing = new Uint8Array(pixelsPerSlice);
  const found: number[] = [];
  for (let k = 0; k * pixelsPerSlice < probabilities.length; k++) {
    const slice = probabilities.subarray(k * pixelsPerSlice, (k + 1) * pixelsPerSlice);
    if (Buffer.compare(slice, nothing) !== 0) found.push(k);
  }
  return found;
}

/**
 * The frames of segments, in the order they are stored: by segment, then by position (PS3.3 C.7.6.17).
 *
 * @param presence  the values described; they are numbered from 1 in this order, those without a slice too
 */
export function listFrames(presence: Presence): readonly Frame[] {
  return [...presence].flatMap(([value, slices], at) => slices.map((k) => ({ value, segment: at + 1, k })));
}

/** The frames of a label map: one for each slice that holds any label. */
export function listSlices(presence: Presence): readonly Frame[] {
  const slices = new Set([...presence.values()].flat());
  return [...slices].sort((a, b) => a - b).map((k) => ({ value: 0, segment: 0, k }));
}

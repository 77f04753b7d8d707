/** Grey values: what scale they are on, and how to rid them of noise. Pure. */
import type { Scan } from "../scan.ts";

/**
 * hounsfield: air is near -1000, so tissues have known values.
 * relative: anything else, an MR for example; only darker and brighter mean something.
 */
export type Scale =
  | { readonly kind: "hounsfield" }
  | { readonly kind: "relative"; readonly dark: number; readonly bright: number };

const SAMPLES = 200_000;
const BINS = 128;
/** mm; larger voxels are means already. */
const COARSE = 0.6;

export function scaleOf({ values }: Scan): Scale {
  const step = Math.max(1, Math.floor(values.length / SAMPLES));
  const sample = Float32Array.from(
    { length: Math.floor(values.length / step) },
    (_, at) => values[at * step]!,
  );
  sample.sort();
  const low = sample[Math.floor(sample.length * 0.01)] ?? 0;
  const high = sample[Math.floor(sample.length * 0.995)] ?? 0;
  if (low < -400 && low >= -4096) return { kind: "hounsfield" };
  return { kind: "relative", ...twoThresholds(sample, low, high) };
}

/** Means over three voxels along each axis on which they are fine enough; the outermost slices keep their values. */
export function smoothed({ size: [columns, rows], spacing, values }: Scan): Scan["values"] {
  const area = columns * rows;
  let from = values;
  for (const [axis, step] of [1, columns, area].entries()) {
    if (spacing[axis]! > COARSE) continue;
    const to = values.slice();
    for (let at = area; at < values.length - area; at++) {
      to[at] = (from[at - step]! + from[at]! + from[at + step]!) / 3;
    }
    from = to;
  }
  return from;
}

/** Otsu's method for three classes: the thresholds that make the classes differ most. */
function twoThresholds(
  sorted: Float32Array,
  low: number,
  high: number,
): { readonly dark: number; readonly bright: number } {
  const counts = new Float64Array(BINS);
  const width = (high - low) / BINS || 1;
  for (const value of sorted) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor((value - low) / width)));
    counts[bin] = counts[bin]! + 1;
  }
  const weight = new Float64Array(BINS + 1);
  const moment = new Float64Array(BINS + 1);
  for (let bin = 0; bin < BINS; bin++) {
    weight[bin + 1] = weight[bin]! + counts[bin]!;
    moment[bin + 1] = moment[bin]! + counts[bin]! * bin;
  }
  const between = (from: number, to: number): number => {
    const w = weight[to]! - weight[from]!;
    return w > 0 ? (moment[to]! - moment[from]!) ** 2 / w : 0;
  };
  let best = { score: -1, dark: 0, bright: 0 };
  for (let a = 1; a < BINS - 1; a++) {
    for (let b = a + 1; b < BINS; b++) {
      const score = between(0, a) + between(a, b) + between(b, BINS);
      if (score > best.score) best = { score, dark: low + a * width, bright: low + b * width };
    }
  }
  return best;
}

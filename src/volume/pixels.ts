/**
 * Pixels: from stored samples to rescaled voxels.
 *
 * In:   samples of one frame, its Rescale Slope and Intercept (PS3.3 C.11.1.1.2, C.7.6.16.2.9).
 * Out:  values written into the voxels of a volume, and their range.
 * Pure. Padding values are rescaled like any other: where the scanner saw nothing is for the model to know.
 *
 * Whole numbers are written modulo 65536, so that one array serves as Int16Array or Uint16Array, as the range of the
 * whole series turns out to need. A header cannot tell: cone-beam scanners declare 16 unsigned bits and an
 * intercept of −1000, and use 12.
 */
import type { Samples } from "./decode.ts";
import type { Voxels } from "./volume.ts";

export interface Rescale {
  readonly slope: number;
  readonly intercept: number;
}

export interface Range {
  readonly least: number;
  readonly most: number;
}

/** Integers on purpose: with infinities the loop over all voxels takes three times as long. */
export const NO_RANGE: Range = { least: 0x7fffffff, most: -0x80000000 };

export function union(a: Range, b: Range): Range {
  return { least: Math.min(a.least, b.least), most: Math.max(a.most, b.most) };
}

const FLOAT32_MAX = 3.4028234663852886e38;
const LARGEST_SAMPLE = 0xffff;
/** Sums of a sample and an intercept stay 32 bit integers. */
const LARGEST_SHIFT = 2 ** 30;

/** Whether every rescaled value is a finite number, and not all of them the same. */
export function isUsable({ slope, intercept }: Rescale): boolean {
  const largest = Math.abs(slope) * LARGEST_SAMPLE + Math.abs(intercept);
  return slope !== 0 && largest <= FLOAT32_MAX; // false for NaN
}

/** Whether rescaled values are whole numbers for certain: the stored ones, shifted. */
export function isWhole({ slope, intercept }: Rescale): boolean {
  return slope === 1 && Number.isInteger(intercept) && Math.abs(intercept) <= LARGEST_SHIFT;
}

/** The array that can hold whole numbers of this range, over the same 16 bit words; undefined if there is none. */
export function wholeVoxels(words: SharedArrayBuffer, { least, most }: Range): Voxels | undefined {
  if (least >= -0x8000 && most <= 0x7fff) return new Int16Array(words);
  return least >= 0 && most <= 0xffff ? new Uint16Array(words) : undefined;
}

/** @param target  as long as the frame has pixels */
export function writeWhole(
  target: Uint16Array,
  samples: Samples,
  from: { readonly signed: boolean; readonly intercept: number },
): Range {
  const { words, shift } = samples;
  const { mask, sign } = twosComplement(samples, from.signed);
  const offset = (from.intercept - sign) | 0;
  const count = target.length;
  let { least, most } = NO_RANGE;
  for (let at = 0; at < count; at++) {
    const value = (((words[at]! >> shift) ^ sign) & mask) + offset;
    if (value < least) least = value;
    if (value > most) most = value;
    target[at] = value;
  }
  return { least, most };
}

/** @param target  as long as the frame has pixels */
export function writeFloat(
  target: Float32Array,
  samples: Samples,
  from: Rescale & { readonly signed: boolean },
): void {
  const { words, shift } = samples;
  const { mask, sign } = twosComplement(samples, from.signed);
  const { slope, intercept } = from;
  const count = target.length;
  for (let at = 0; at < count; at++) {
    target[at] = ((((words[at]! >> shift) ^ sign) & mask) - sign) * slope + intercept;
  }
}

/** With its sign bit flipped a sample is its value plus the weight of that bit; unsigned ones have none. */
function twosComplement(
  { bits }: Samples,
  signed: boolean,
): { readonly mask: number; readonly sign: number } {
  return { mask: 2 ** bits - 1, sign: signed ? 2 ** (bits - 1) : 0 };
}

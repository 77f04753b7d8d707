/**
 * Binary masks: which voxels one channel of an image marks.
 *
 * In:   an image, which of its channels, where its voxels belong.
 * Out:  runs of marked voxels on the source's grid, and how many marked voxels lie outside of it.
 * Pure. Runs in a worker: it visits every voxel.
 *
 * A mask has one value besides 0: 1, 255, true. Two such values are a label map, and a fraction is a probability:
 * both are refused, since to take "not 0" for "marked" would draw what nobody meant.
 */
import { type Image, invalid } from "./image.ts";
import { flawOf, type Values } from "./labels.ts";
import { Runs } from "./runs.ts";
import type { Sampling } from "./sampling.ts";

export interface Marked {
  readonly runs: Runs;
  readonly outside: number;
}

/** @throws MODEL_ANSWER_INVALID for what is no mask, `what` being its name */
export function maskOf(
  image: Image & { readonly numbers: Values },
  { channel, what }: { readonly channel: number; readonly what: string },
  sampling: Sampling,
): Marked {
  const { numbers, slope, intercept, strides } = image;
  if (sampling.inOrder && slope === 1 && intercept === 0) {
    const [columns, rows, slices] = image.grid.size;
    const own = numbers.subarray(channel * strides[3], channel * strides[3] + columns * rows * slices);
    return { runs: runsIn(own, what), outside: 0 };
  }
  requireBinary(image, channel, what);
  const base = channel * strides[3];
  const [columns, rows, slices] = sampling.source.size;
  const offsets = new Int32Array(columns);
  const runs = new Runs();
  for (let k = 0; k < slices; k += 1) {
    for (let j = 0; j < rows; j += 1) {
      if (!sampling.row(j, k, offsets)) continue;
      const to = (k * rows + j) * columns;
      let from = -1;
      for (let i = 0; i < columns; i += 1) {
        const offset = offsets[i] as number;
        const isMarked = offset >= 0 && (numbers[base + offset] as number) * slope + intercept !== 0;
        if (isMarked && from < 0) from = i;
        if (!isMarked && from >= 0) {
          runs.add(to + from, to + i);
          from = -1;
        }
      }
      if (from >= 0) runs.add(to + from, to + columns);
    }
  }
  return { runs, outside: countOutside(image, channel, sampling) };
}

/** Most of a mask is nothing: that is passed over four bytes at a time. */
function runsIn(values: Values, what: string): Runs {
  const runs = new Runs();
  const { length } = values;
  const words = wordsOf(values);
  const perWord = 4 / values.BYTES_PER_ELEMENT;
  let mark: number | undefined;
  let at = 0;
  while (at < length) {
    const value = values[at] as number;
    if (value === 0) {
      at += 1;
      if (words && at % perWord === 0) at = firstUsed(words, at / perWord) * perWord;
      continue;
    }
    if (value !== mark) mark = checked(value, mark, what);
    const from = at;
    while (at < length && values[at] === value) at += 1;
    runs.add(from, at);
  }
  return runs;
}

/** The same memory as whole numbers of four bytes, where its place allows; 0 is 0 in every type but for -0. */
function wordsOf({ buffer, byteOffset, byteLength, BYTES_PER_ELEMENT }: Values): Int32Array | undefined {
  if (byteOffset % 4 !== 0 || BYTES_PER_ELEMENT > 4) return undefined;
  return new Int32Array(buffer, byteOffset, Math.floor(byteLength / 4));
}

function firstUsed(words: Int32Array, from: number): number {
  let word = from;
  while (word < words.length && words[word] === 0) word += 1;
  return word;
}

/** @returns the one value that marks */
function checked(value: number, mark: number | undefined, what: string): number {
  if (!(Number.isInteger(value) && value > 0)) throw invalid(`${what} with a value that is ${flawOf(value)}`);
  if (mark !== undefined) throw invalid(`${what} with more than one value: it is a label map`);
  return value;
}

/** How many voxels that are not 0 lie where the source has none. */
export function countOutside(
  { grid, numbers, slope, intercept, strides }: Image & { readonly numbers: Values },
  channel: number,
  { isOutside }: Sampling,
): number {
  if (!isOutside) return 0;
  let count = 0;
  for (let k = 0; k < grid.size[2]; k += 1) {
    for (let j = 0; j < grid.size[1]; j += 1) {
      let at = channel * strides[3] + j * strides[1] + k * strides[2];
      for (let i = 0; i < grid.size[0]; i += 1, at += strides[0]) {
        if ((numbers[at] as number) * slope + intercept !== 0 && isOutside(i, j, k)) count += 1;
      }
    }
  }
  return count;
}

function requireBinary(
  { grid, numbers, slope, intercept, strides }: Image & { readonly numbers: Values },
  channel: number,
  what: string,
): void {
  let mark: number | undefined;
  for (let k = 0; k < grid.size[2]; k += 1) {
    for (let j = 0; j < grid.size[1]; j += 1) {
      let at = channel * strides[3] + j * strides[1] + k * strides[2];
      for (let i = 0; i < grid.size[0]; i += 1, at += strides[0]) {
        const stored = numbers[at] as number;
        const value = stored * slope + intercept;
        if (value === 0 || stored === mark) continue;
        checked(value, mark, what);
        mark = stored;
      }
    }
  }
}

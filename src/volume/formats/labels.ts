/**
 * Numbers of any type become label values, every one checked.
 *
 * In:   the numbers of an answer, where each belongs, and the labels the model has a meaning for.
 * Out:  one label per voxel on the source's grid, in a SharedArrayBuffer.
 * Pure. Runs in a worker: it visits every voxel.
 *
 * A whole number stored as a float is a label. 0.5 is not: it is a probability, or a label map that was
 * interpolated, and rounding it would draw a border where nobody saw one. All zeros is an answer: no finding.
 */
import { NodeError } from "../../base/errors.ts";
import type { Labels } from "../volume.ts";
import { type Image, invalid, type Numbers } from "./image.ts";
import { listed } from "./notes.ts";
import type { Sampling } from "./sampling.ts";

const MAX_LABEL = 0xffff;

/** What a label without a segment is: a reason to refuse the answer, or a label like any other. */
export type UnknownLabelPolicy = "refuse" | "generic";

/**
 * @returns with the labels, those that no segment has; none if they are refused
 * @throws MODEL_ANSWER_INVALID with how many voxels are no labels; LABEL_UNKNOWN with the values that have no meaning
 */
export function labelsOf(
  image: Image,
  sampling: Sampling,
  { labels: known, onUnknownLabel = "refuse" }: Known,
): { readonly labels: Labels; readonly unknown: readonly number[] } {
  const values = narrowed(image.numbers);
  const flaws = new Map<string, number>();
  const present = check(values, image, flaws);
  if (flaws.size > 0) {
    const counts = [...flaws].map(([flaw, voxels]) => `${voxels} ${flaw}`).join(", ");
    throw invalid(`Label map with voxels that are no labels: ${counts}, of ${values.length}`);
  }
  for (const label of [0, ...known]) present[label] = 0;
  const unknown = present.includes(1) ? [...present.keys()].filter((label) => present[label] === 1) : [];
  if (unknown.length > 0 && onUnknownLabel === "refuse") {
    throw new NodeError(
      "LABEL_UNKNOWN",
      `Label map with labels that are no segments of the model: ${listed(unknown)}; name them in segments, or set onUnknownLabel: generic`,
    );
  }
  return { labels: place(values, image, sampling, Math.max(0, ...known, ...unknown)), unknown };
}

interface Known {
  readonly labels: readonly number[];
  readonly onUnknownLabel?: UnknownLabelPolicy;
}

/** Room for one layer, all 0. */
export function emptyLayer(voxels: number, largestLabel: number): Labels {
  return largestLabel <= 0xff
    ? new Uint8Array(new SharedArrayBuffer(voxels))
    : new Uint16Array(new SharedArrayBuffer(voxels * 2));
}

export type Values = Exclude<Numbers, BigInt64Array | BigUint64Array>;

/** 64 bit numbers as 32 bit ones that are labels, or too large, or negative, as those were: a BigInt per voxel is slow. */
export function narrowed(numbers: Numbers): Values {
  const signed = numbers instanceof BigInt64Array;
  if (!signed && !(numbers instanceof BigUint64Array)) return numbers;
  const words = new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length * 2);
  const values = new Int32Array(numbers.length);
  for (let at = 0; at < values.length; at += 1) {
    const lower = words[2 * at] as number;
    const upper = words[2 * at + 1] as number;
    if (upper === 0 && lower >= 0) values[at] = lower;
    else values[at] = signed && upper < 0 ? -1 : 0x7fffffff;
  }
  return values;
}

/** Which labels there are. Label maps are made of long runs, so a value is looked at only where it changes. */
function check(values: Values, { slope, intercept }: Image, flaws: Map<string, number>): Uint8Array {
  const present = new Uint8Array(MAX_LABEL + 1);
  const { length } = values;
  let last = Number.NaN;
  for (let at = 0; at < length; at += 1) {
    const stored = values[at] as number;
    if (stored === last) continue;
    const value = stored * slope + intercept;
    const label = value & MAX_LABEL;
    if (label === value) {
      present[label] = 1;
      last = stored;
    } else {
      const flaw = flawOf(value);
      flaws.set(flaw, (flaws.get(flaw) ?? 0) + 1);
      last = Number.NaN; // every flaw is counted
    }
  }
  return present;
}

function place(values: Values, image: Image, sampling: Sampling, largest: number): Labels {
  const { slope, intercept } = image;
  const [columns, rows, slices] = sampling.source.size;
  const labels = emptyLayer(columns * rows * slices, largest);
  if (sampling.inOrder && slope === 1 && intercept === 0) {
    labels.set(values);
    return labels;
  }
  const offsets = new Int32Array(columns);
  for (let k = 0; k < slices; k += 1) {
    for (let j = 0; j < rows; j += 1) {
      if (!sampling.row(j, k, offsets)) continue;
      const to = (k * rows + j) * columns;
      for (let i = 0; i < columns; i += 1) {
        const offset = offsets[i] as number;
        if (offset >= 0) labels[to + i] = (values[offset] as number) * slope + intercept;
      }
    }
  }
  return labels;
}

export function flawOf(value: number): string {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return "infinite";
  if (value < 0) return "negative";
  return Number.isInteger(value) ? `above ${MAX_LABEL}` : "not whole";
}

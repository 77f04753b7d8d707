/**
 * Numbers of any type become label values, every one checked.
 *
 * In:   the voxels of an answer, where each belongs, and the labels the model has a meaning for.
 * Out:  one label per voxel on the source's grid, in a SharedArrayBuffer.
 * Pure. Runs in a worker: it visits every voxel.
 *
 * A whole number stored as a float is a label. 0.5 is not: it is a probability, or a label map that was
 * interpolated, and rounding it would draw a border where nobody saw one. All zeros is an answer: no finding.
 */
import { NodeError } from "../../base/errors.ts";
import type { LabelMap } from "../volume.ts";
import { invalid, type Numbers } from "./image.ts";
import type { Placement } from "./placement.ts";

export interface Stored {
  readonly size: readonly [columns: number, rows: number, slices: number];
  readonly numbers: Numbers;
  readonly slope: number;
  readonly intercept: number;
}

const MAX_LABEL = 0xffff;
const LISTED = 8;

/** @throws MODEL_ANSWER_INVALID with how many voxels are no labels; LABEL_UNKNOWN with the values that have no meaning */
export function labelsOf(stored: Stored, placement: Placement, known: readonly number[]): LabelMap["labels"] {
  const { numbers, slope, intercept } = stored;
  const [columns, rows, slices] = stored.size;
  const [perColumn, perRow, perSlice] = placement.steps;
  const length = columns * rows * slices;
  const labels = room(length, Math.max(0, ...known));
  const seen = new Uint32Array(MAX_LABEL + 1);
  const flaws = new Map<string, number>();
  const valueAt = readerOf(numbers);
  let from = 0;
  for (let k = 0; k < slices; k += 1) {
    for (let j = 0; j < rows; j += 1) {
      let to = placement.start + k * perSlice + j * perRow;
      for (let i = 0; i < columns; i += 1, from += 1, to += perColumn) {
        const value = valueAt(from) * slope + intercept;
        const label = value & MAX_LABEL;
        if (label === value) {
          labels[to] = label;
          seen[label] = (seen[label] ?? 0) + 1;
        } else {
          const flaw = flawOf(value);
          flaws.set(flaw, (flaws.get(flaw) ?? 0) + 1);
        }
      }
    }
  }
  if (flaws.size > 0) {
    const counts = [...flaws].map(([flaw, count]) => `${count} ${flaw}`).join(", ");
    throw invalid(`Label map with voxels that are no labels: ${counts}, of ${length}`);
  }
  refuseUnknown(seen, known);
  return labels;
}

function room(length: number, largest: number): LabelMap["labels"] {
  return largest <= 0xff
    ? new Uint8Array(new SharedArrayBuffer(length))
    : new Uint16Array(new SharedArrayBuffer(length * 2));
}

/** 64 bit numbers are read as two halves: a BigInt per voxel would take minutes. */
function readerOf(numbers: Numbers): (at: number) => number {
  if (numbers instanceof BigInt64Array || numbers instanceof BigUint64Array) {
    const halves = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length * 2);
    const upper =
      numbers instanceof BigInt64Array
        ? new Int32Array(numbers.buffer, numbers.byteOffset, numbers.length * 2)
        : halves;
    return (at) => (upper[2 * at + 1] ?? 0) * 2 ** 32 + (halves[2 * at] ?? 0);
  }
  return (at) => numbers[at] ?? Number.NaN;
}

function flawOf(value: number): string {
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return "infinite";
  if (value < 0) return "negative";
  return Number.isInteger(value) ? `above ${MAX_LABEL}` : "not whole";
}

function refuseUnknown(seen: Uint32Array, known: readonly number[]): void {
  const meant = new Set([0, ...known]);
  const foreign: string[] = [];
  for (let label = 0; label <= MAX_LABEL; label += 1) {
    const count = seen[label] ?? 0;
    if (count > 0 && !meant.has(label)) foreign.push(`${label} (${count} voxels)`);
  }
  if (foreign.length === 0) return;
  const listed = foreign.slice(0, LISTED).join(", ");
  const more = foreign.length > LISTED ? ` and ${foreign.length - LISTED} more` : "";
  throw new NodeError(
    "LABEL_UNKNOWN",
    `Label map with labels that are no segments of the model: ${listed}${more}`,
  );
}

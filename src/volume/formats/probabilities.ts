/**
 * Probabilities become labels, and where wanted are kept as bytes for a FRACTIONAL segmentation.
 *
 * In:   an image with a channel for each segment, perhaps one for the background; what to make of them.
 * Out:  layers, bytes by label, and how many voxels that got a label lie outside of the source.
 * Pure. Runs in a worker: it visits every number, a row of all channels at a time.
 *
 * A number that is no probability is refused, not clamped: it is a logit, and the config has to say so. Only what
 * float32 adds by rounding is let pass.
 *
 * @see PS3.3 C.8.20.2.3: a pixel of 255 means a probability of 1
 */
import type { Findings, Labels } from "../volume.ts";
import type { Channels } from "./channels.ts";
import { type Image, invalid } from "./image.ts";
import { emptyLayer, narrowed, type Values } from "./labels.ts";
import { Layers, Runs } from "./runs.ts";
import type { Sampling } from "./sampling.ts";

export interface ProbabilityShape {
  /** argmax: the most probable. threshold: every segment that reaches it, so that segments may overlap. */
  readonly reduce: "argmax" | "threshold";
  /** From 0 to 1; for argmax only where no channel is the background. */
  readonly threshold: number;
  /** What makes probabilities of the numbers: nothing, or the last layer of the network. */
  readonly activation: "none" | "sigmoid" | "softmax";
  /** Whether the probabilities themselves are kept. */
  readonly keep: boolean;
}

export interface Reduced extends Pick<Findings, "layers" | "probabilities"> {
  readonly outside: number;
}

interface Reading {
  readonly channels: Channels;
  readonly sampling: Sampling;
  /** Of the answer in its own order. */
  readonly own: Sampling;
}

const ROUNDING = 1e-5;
const FULL = 255;

/** @throws MODEL_ANSWER_INVALID with how many numbers are no probabilities */
export function reduceProbabilities(image: Image, shape: ProbabilityShape, reading: Reading): Reduced {
  const { channels, sampling } = reading;
  const [columns, rows, slices] = sampling.source.size;
  const voxels = columns * rows * slices;
  const flaws: Flaws = { nan: 0, below: 0, above: 0 };
  const row = rowReader(image, shape, flaws);
  const reduction = reductionOf(shape, channels, voxels);
  const kept = new Map<number, Uint8Array>();
  if (shape.keep)
    for (const { label } of channels)
      if (label > 0) kept.set(label, new Uint8Array(new SharedArrayBuffer(voxels)));

  const offsets = new Int32Array(columns);
  for (let k = 0; k < slices; k += 1) {
    for (let j = 0; j < rows; j += 1) {
      if (!sampling.row(j, k, offsets)) continue;
      const values = row(offsets);
      const to = (k * rows + j) * columns;
      reduction.row(values, columns, to);
      channels.forEach(({ label }, n) =>
        keepRow(values.subarray(n * columns, (n + 1) * columns), kept.get(label), to),
      );
    }
  }
  refuse(flaws, voxels * channels.length);
  return {
    layers: reduction.layers(),
    ...(shape.keep && { probabilities: kept }),
    outside: countOutside(image, shape, reading),
  };
}

interface Flaws {
  nan: number;
  below: number;
  above: number;
}

/** Channel after channel, `columns` numbers each; NaN where the answer has no voxel. */
type RowReader = (offsets: Int32Array) => Float64Array;

function rowReader(image: Image, { activation }: ProbabilityShape, flaws: Flaws): RowReader {
  const numbers: Values = narrowed(image.numbers);
  const { slope, intercept, strides, channels } = image;
  let values = new Float64Array(0);
  return (offsets) => {
    const columns = offsets.length;
    let isSound = true;
    if (values.length !== columns * channels) values = new Float64Array(columns * channels);
    for (let channel = 0, at = 0; channel < channels; channel += 1) {
      const base = channel * strides[3];
      for (let i = 0; i < columns; i += 1, at += 1) {
        const offset = offsets[i] as number;
        const value = offset < 0 ? Number.NaN : (numbers[base + offset] as number) * slope + intercept;
        values[at] = value;
        isSound &&= value >= 0 && value <= 1;
      }
    }
    if (activation === "sigmoid") sigmoid(values);
    if (activation === "softmax") softmax(values, columns);
    if (activation !== "none" || !isSound) check(values, offsets, flaws);
    return values;
  };
}

function sigmoid(values: Float64Array): void {
  for (let at = 0; at < values.length; at += 1) values[at] = 1 / (1 + Math.exp(-(values[at] as number)));
}

function softmax(values: Float64Array, columns: number): void {
  for (let i = 0; i < columns; i += 1) {
    let most = Number.NEGATIVE_INFINITY;
    for (let at = i; at < values.length; at += columns) most = Math.max(most, values[at] as number);
    let sum = 0;
    for (let at = i; at < values.length; at += columns) {
      const value = Math.exp((values[at] as number) - most);
      values[at] = value;
      sum += value;
    }
    for (let at = i; at < values.length; at += columns) values[at] = (values[at] as number) / sum;
  }
}

function check(values: Float64Array, offsets: Int32Array, flaws: Flaws): void {
  const columns = offsets.length;
  for (let at = 0, i = 0; at < values.length; at += 1, i = i + 1 === columns ? 0 : i + 1) {
    const value = values[at] as number;
    if (value >= 0 && value <= 1) continue;
    if ((offsets[i] as number) < 0) continue;
    if (value >= -ROUNDING && value <= 1 + ROUNDING) values[at] = Math.min(1, Math.max(0, value));
    else if (Number.isNaN(value)) flaws.nan += 1;
    else if (value < 0) flaws.below += 1;
    else flaws.above += 1;
  }
}

function refuse({ nan, below, above }: Flaws, all: number): void {
  if (nan + below + above === 0) return;
  const said = [
    [nan, "not a number"],
    [below, "below 0"],
    [above, "above 1"],
  ] as const;
  const counts = said.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : [])).join(", ");
  throw invalid(`Answer with numbers that are no probabilities: ${counts}, of ${all}`);
}

interface Reduction {
  /** @param to  the voxel that the first column is */
  readonly row: (values: Float64Array, columns: number, to: number) => void;
  readonly layers: () => readonly Labels[];
}

function reductionOf(shape: ProbabilityShape, channels: Channels, voxels: number): Reduction {
  const largest = Math.max(...channels.map(({ label }) => label));
  const floor = floorOf(shape, channels);
  if (shape.reduce === "argmax") {
    const labels = emptyLayer(voxels, largest);
    return {
      row: (values, columns, to) => mostProbable(values, channels, floor, labels.subarray(to, to + columns)),
      layers: () => [labels],
    };
  }
  const runs = channels.map(() => new Runs());
  return {
    row(values, columns, to) {
      channels.forEach(({ label }, n) => {
        if (label > 0) addRuns(values.subarray(n * columns, (n + 1) * columns), floor, to, runs[n] as Runs);
      });
    },
    layers() {
      const layers = new Layers(voxels, largest);
      channels.forEach(({ label }, n) => layers.add(label, runs[n] as Runs));
      return layers.all;
    },
  };
}

/** Of equals the first, as NumPy has it; 0 where none reaches `floor`. Channel by channel, as they lie in memory. */
function mostProbable(values: Float64Array, channels: Channels, floor: number, into: Labels): void {
  const columns = into.length;
  const most = new Float64Array(columns).fill(Number.NEGATIVE_INFINITY);
  into.fill(0);
  channels.forEach(({ label }, n) => {
    for (let i = 0, at = n * columns; i < columns; i += 1, at += 1) {
      const value = values[at] as number;
      if (value > (most[i] as number)) {
        most[i] = value;
        into[i] = label;
      }
    }
  });
  for (let i = 0; i < columns; i += 1) if (!((most[i] as number) >= floor)) into[i] = 0;
}

function addRuns(values: Float64Array, floor: number, to: number, runs: Runs): void {
  let from = -1;
  for (let i = 0; i < values.length; i += 1) {
    const isMarked = (values[i] as number) >= floor;
    if (isMarked && from < 0) from = i;
    if (!isMarked && from >= 0) {
      runs.add(to + from, to + i);
      from = -1;
    }
  }
  if (from >= 0) runs.add(to + from, to + values.length);
}

/** What a probability must reach: nothing, where the background has a channel to win in. */
function floorOf({ reduce, threshold }: ProbabilityShape, channels: Channels): number {
  if (reduce === "argmax" && channels.some(({ label }) => label === 0)) return Number.NEGATIVE_INFINITY;
  return Math.min(threshold, Math.fround(threshold)); // 0.7 written in a config is above the 0.7 of a float32
}

function keepRow(values: Float64Array, into: Uint8Array | undefined, to: number): void {
  if (!into) return;
  for (let i = 0; i < values.length; i += 1) into[to + i] = Math.round((values[i] as number) * FULL); // NaN becomes 0
}

/** The same reduction in the answer's own order, for the voxels that the source does not have. */
function countOutside(image: Image, shape: ProbabilityShape, { channels, sampling, own }: Reading): number {
  const { isOutside } = sampling;
  if (!isOutside) return 0;
  const [columns, rows, slices] = image.grid.size;
  const row = rowReader(image, shape, { nan: 0, below: 0, above: 0 });
  const floor = floorOf(shape, channels);
  const labels = new Uint16Array(columns);
  const isAbove = (values: Float64Array, i: number): boolean =>
    channels.some(({ label }, n) => label > 0 && (values[n * columns + i] as number) >= floor);
  const offsets = new Int32Array(columns);
  let count = 0;
  for (let k = 0; k < slices; k += 1) {
    for (let j = 0; j < rows; j += 1) {
      own.row(j, k, offsets);
      const values = row(offsets);
      if (shape.reduce === "argmax") mostProbable(values, channels, floor, labels);
      for (let i = 0; i < columns; i += 1) {
        const isLabelled = shape.reduce === "argmax" ? labels[i] !== 0 : isAbove(values, i);
        if (isLabelled && isOutside(i, j, k)) count += 1;
      }
    }
  }
  return count;
}

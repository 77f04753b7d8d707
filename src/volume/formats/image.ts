/**
 * What the header of an image file says, whatever the format: shape, place, and how its numbers are stored.
 *
 * Pure. The files read here are answers of models, so everything that is wrong with one is MODEL_ANSWER_INVALID.
 */
import { NodeError } from "../../base/errors.ts";
import type { Grid } from "../volume.ts";
import type { Note } from "./notes.ts";

export type NumberType = keyof typeof TYPES;

/** Numbers between neighbours along each axis, and from one channel to the next. */
export type Strides = readonly [perColumn: number, perRow: number, perSlice: number, perChannel: number];

export interface ImageHeader {
  readonly format: "NIfTI" | "NRRD" | "MetaImage" | "npy" | "raw" | "tensor";
  /** Of an array, which has no place of its own, the place that was sent. */
  readonly grid: Grid;
  /** Whether the file itself says where it lies. */
  readonly hasPlace: boolean;
  readonly channels: number;
  readonly strides: Strides;
  readonly notes: readonly Note[];
  readonly type: NumberType;
  readonly littleEndian: boolean;
  /** Where the data begin, in bytes from the start of the file. */
  readonly offset: number;
  readonly encoding: "raw" | "gzip" | "zlib";
  /** The value of a voxel is slope × stored + intercept. */
  readonly slope: number;
  readonly intercept: number;
}

export type Numbers = InstanceType<(typeof TYPES)[NumberType]>;

/** An image with its numbers; those of a voxel and channel stand at index · strides. */
export interface Image extends Pick<ImageHeader, "grid" | "channels" | "strides" | "slope" | "intercept"> {
  readonly numbers: Numbers;
}

const TYPES = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float16: Float16Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

export function bytesPer(type: NumberType): number {
  return TYPES[type].BYTES_PER_ELEMENT;
}

/** All voxels of all channels; exact for any size a header can hold, since at most 2^53 is asked. */
export function numbersOf({ grid: { size }, channels }: Pick<ImageHeader, "grid" | "channels">): number {
  return size[0] * size[1] * size[2] * channels;
}

/**
 * Where numbers stand that lie one after another.
 *
 * @param axes  from the fastest to the slowest: 0 columns, 1 rows, 2 slices, 3 channels, and how many
 */
export function packedStrides(axes: readonly (readonly [axis: 0 | 1 | 2 | 3, count: number])[]): Strides {
  const strides: [number, number, number, number] = [0, 0, 0, 0];
  let step = 1;
  for (const [axis, count] of axes) {
    strides[axis] = step;
    step *= count;
  }
  return strides;
}

/**
 * Raw bytes as numbers of this machine, which is little-endian as every platform of Node.js in use is.
 *
 * @returns a view where byte order and alignment allow it, otherwise a copy; `bytes` is never changed
 */
export function numbersIn(bytes: Uint8Array, type: NumberType, littleEndian: boolean): Numbers {
  const size = bytesPer(type);
  const swap = !littleEndian && size > 1;
  const usable = !swap && bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes); // slice() of a Buffer is no copy
  if (swap) swapBytes(usable, size);
  return new TYPES[type](
    usable.buffer as ArrayBuffer,
    usable.byteOffset,
    Math.floor(usable.byteLength / size),
  );
}

/** What a message may repeat of a foreign header. */
export function printable(value: string): string {
  return value.slice(0, 60).replaceAll(/[^\x20-\x7e]/g, "?");
}

/** @returns the error to throw; `what` was found in an answer of a model */
export function invalid(what: string, cause?: unknown): NodeError {
  return new NodeError("MODEL_ANSWER_INVALID", what, { cause });
}

function swapBytes(bytes: Uint8Array, size: number): void {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength - (bytes.byteLength % size));
  if (size === 2) view.swap16();
  else if (size === 4) view.swap32();
  else view.swap64();
}

/**
 * What the header of an image file says, whatever the format: shape, place, and how its numbers are stored.
 *
 * Pure. The files read here are answers of models, so everything that is wrong with one is MODEL_ANSWER_INVALID.
 */
import { NodeError } from "../../base/errors.ts";
import type { Grid } from "../volume.ts";

export type NumberType = keyof typeof TYPES;

export interface ImageHeader {
  readonly format: "NIfTI" | "NRRD";
  readonly grid: Grid;
  readonly type: NumberType;
  readonly littleEndian: boolean;
  /** Where the data begin, in bytes from the start of the file. */
  readonly offset: number;
  readonly encoding: "raw" | "gzip";
  /** The value of a voxel is slope × stored + intercept. */
  readonly slope: number;
  readonly intercept: number;
}

export type Numbers = InstanceType<(typeof TYPES)[NumberType]>;

const TYPES = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

export function bytesPer(type: NumberType): number {
  return TYPES[type].BYTES_PER_ELEMENT;
}

/** Bytes of the voxels of an image, uncompressed; exact for any size a header can hold, since at most 2^53 is asked. */
export function dataBytes(header: Pick<ImageHeader, "grid" | "type">): number {
  const [columns, rows, slices] = header.grid.size;
  return columns * rows * slices * bytesPer(header.type);
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

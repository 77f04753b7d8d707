/**
 * Numbers without a place: NumPy files (.npy), tensors, bare bytes. What their axes are is declared, not read.
 *
 * In:   the first bytes of a .npy file, or what is declared; the layout; the grid that was sent.
 * Out:  an ImageHeader on that grid: whether the shape is the same is for placement.ts to say.
 * Pure.
 *
 * A layout names the axes from the slowest to the fastest as NumPy prints a shape: Z slices, Y rows, X columns,
 * C channels, N an axis of 1. Without one it is …ZYX, an axis before these three is channels, and those before it
 * must be 1: what SimpleITK, PyTorch and Triton have. nibabel's arrays are XYZ, and a model that saves those has to
 * have that declared: a cube turned over has the same shape.
 *
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
import type { Grid } from "../volume.ts";
import { bytesPer, type ImageHeader, invalid, type NumberType, packedStrides, printable } from "./image.ts";

/** How the bytes of an answer are to be read where they do not say it themselves. */
export interface ResponseFormat {
  /** The body is nothing but numbers of this type. */
  readonly raw?: NumberType;
  /** Of raw numbers; little if left out. */
  readonly byteOrder?: "little" | "big";
  /** Axes of an array (raw, npy, tensor), slowest first. */
  readonly layout?: string;
}

export interface Tensor {
  readonly datatype: string;
  readonly shape: readonly number[];
}

/** The longest .npy header looked at, in bytes. */
export const MAX_NPY_HEADER_BYTES = 64 * 1024;

const AXES = { X: 0, Y: 1, Z: 2, C: 3 } as const;

const NPY_TYPES: ReadonlyMap<string, NumberType> = new Map<string, NumberType>([
  ["b1", "uint8"],
  ["u1", "uint8"],
  ["i1", "int8"],
  ["u2", "uint16"],
  ["i2", "int16"],
  ["u4", "uint32"],
  ["i4", "int32"],
  ["u8", "uint64"],
  ["i8", "int64"],
  ["f2", "float16"],
  ["f4", "float32"],
  ["f8", "float64"],
]);

/** Of the Open Inference Protocol, v2. */
const TENSOR_TYPES: ReadonlyMap<string, NumberType> = new Map<string, NumberType>([
  ["BOOL", "uint8"],
  ["UINT8", "uint8"],
  ["UINT16", "uint16"],
  ["UINT32", "uint32"],
  ["UINT64", "uint64"],
  ["INT8", "int8"],
  ["INT16", "int16"],
  ["INT32", "int32"],
  ["INT64", "int64"],
  ["FP16", "float16"],
  ["FP32", "float32"],
  ["FP64", "float64"],
]);

export function isNpy(head: Uint8Array): boolean {
  return text(head.subarray(0, 6)) === "\x93NUMPY";
}

/** @throws MODEL_ANSWER_INVALID with what is wrong in the header */
export function readNpyHeader(head: Uint8Array, layout: string | undefined, sent: Grid): ImageHeader {
  const version = head[6] ?? 0;
  if (!(version >= 1 && version <= 3)) throw invalid(`npy version ${version}`);
  const start = version === 1 ? 10 : 12;
  if (head.length < start) throw invalid(`npy header cut after ${head.length} bytes`);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const offset = start + length;
  if (offset > MAX_NPY_HEADER_BYTES) throw invalid(`npy header of ${length} bytes`);
  if (head.length < offset) throw invalid(`npy header cut after ${head.length} bytes`);
  const said = text(head.subarray(start, offset));
  const [, order, kind] = /'descr': '([<>|=])([a-z]\d+)'/.exec(said) ?? [];
  const type = NPY_TYPES.get(kind ?? "");
  if (!type) throw invalid(`npy is not an array of plain numbers: ${printable(said)}`);
  const fortran = /'fortran_order': (True|False)/.exec(said)?.[1];
  const shape = /'shape': \(([\d, ]*)\)/.exec(said)?.[1];
  if (!fortran || shape === undefined) throw invalid(`npy header cannot be read: ${printable(said)}`);
  const dimensions = shape
    .split(",")
    .map((n) => n.trim())
    .filter(Boolean)
    .map(Number);
  return {
    ...arrayHeader("npy", type, arranged(dimensions, layout, fortran === "True"), sent),
    littleEndian: order !== ">",
    offset,
  };
}

/** @throws MODEL_ANSWER_INVALID for a type that is no number, or a shape that is not the layout's */
export function tensorHeader(tensor: Tensor, layout: string | undefined, sent: Grid): ImageHeader {
  const type = TENSOR_TYPES.get(tensor.datatype);
  if (!type) throw invalid(`Tensor of ${printable(tensor.datatype)}, which is not a plain number`);
  return arrayHeader("tensor", type, arranged(tensor.shape, layout, false), sent);
}

/** @throws MODEL_ANSWER_INVALID if the bytes are no whole number of volumes */
export function rawHeader(
  bytes: number,
  type: NumberType,
  { byteOrder = "little", layout }: ResponseFormat,
  sent: Grid,
): ImageHeader {
  const voxels = sent.size[0] * sent.size[1] * sent.size[2];
  const channels = bytes / (voxels * bytesPer(type));
  if (!(Number.isInteger(channels) && channels >= 1)) {
    throw invalid(
      `Answer of ${bytes} bytes where ${sent.size.join("×")} ${type} have ${voxels * bytesPer(type)}`,
    );
  }
  const letters = layout ?? (channels === 1 ? "ZYX" : "CZYX");
  const counts: Readonly<Record<string, number>> = {
    N: 1,
    C: channels,
    Z: sent.size[2],
    Y: sent.size[1],
    X: sent.size[0],
  };
  const shape = Array.from(letters, (letter) => counts[letter] ?? 1);
  if (channels > 1 && !letters.includes("C")) throw invalid(`Answer holds ${channels} volumes, not one`);
  return {
    ...arrayHeader("raw", type, arranged(shape, letters, false), sent),
    littleEndian: byteOrder === "little",
  };
}

type Arranged = Pick<ImageHeader, "channels" | "strides"> & Pick<Grid, "size">;

function arranged(shape: readonly number[], layout: string | undefined, firstIsFastest: boolean): Arranged {
  const letters = layout ?? "CZYX".slice(-Math.max(3, shape.length)).padStart(shape.length, "N");
  const sound = shape.every((n) => Number.isSafeInteger(n) && n >= 1);
  if (!sound || shape.length !== letters.length) {
    throw invalid(`Array of shape ${shown(shape)} where ${letters} is wanted`);
  }
  const counts = new Map(Array.from(letters, (letter, at) => [letter, shape[at] as number] as const));
  if (Array.from(letters).some((letter, at) => letter === "N" && shape[at] !== 1)) {
    throw invalid(`Array of shape ${shown(shape)} is not one answer`);
  }
  const slowestFirst = Array.from(letters).flatMap((letter) =>
    letter === "N" ? [] : [[AXES[letter as keyof typeof AXES], counts.get(letter) as number] as const],
  );
  return {
    size: [counts.get("X") ?? 1, counts.get("Y") ?? 1, counts.get("Z") ?? 1],
    channels: counts.get("C") ?? 1,
    strides: packedStrides(firstIsFastest ? slowestFirst : slowestFirst.toReversed()),
  };
}

function arrayHeader(
  format: "npy" | "raw" | "tensor",
  type: NumberType,
  { size, channels, strides }: Arranged,
  { affine }: Grid,
): ImageHeader {
  return {
    format,
    grid: { size, affine },
    hasPlace: false,
    channels,
    strides,
    notes: [],
    type,
    littleEndian: true,
    offset: 0,
    encoding: "raw",
    slope: 1,
    intercept: 0,
  };
}

function shown(shape: readonly number[]): string {
  const more = shape.length > 8 ? `×… (${shape.length} dimensions)` : "";
  return (
    shape
      .slice(0, 8)
      .map((n) => printable(String(n)))
      .join("×") + more
  );
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

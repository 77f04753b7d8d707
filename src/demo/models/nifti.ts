/**
 * NIfTI-1 single files (.nii), plain or gzipped. Pure.
 *
 * @see https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
 */
import { gunzipSync, gzipSync } from "node:zlib";
import { BadRequest, type Image, type Placement, type Size, type Values, type Vector } from "./scan.ts";

/** What an answer repeats: header, and any extensions up to the voxels. */
export interface NiftiImage extends Image {
  readonly header: Uint8Array;
  readonly gzipped: boolean;
}

const HEADER_BYTES = 348;
/** Limit of what a .nii.gz may inflate to. */
const MAX_BYTES = 2 ** 31;
const UINT8 = 2;

interface Type {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): Values;
}
const TYPES: ReadonlyMap<number, Type> = new Map<number, Type>([
  [2, Uint8Array],
  [4, Int16Array],
  [8, Int32Array],
  [16, Float32Array],
  [64, Float64Array],
  [256, Int8Array],
  [512, Uint16Array],
]);

/** @throws BadRequest 400 or 415 */
export function readNifti(file: Uint8Array): NiftiImage {
  const gzipped = file[0] === 0x1f && file[1] === 0x8b;
  const bytes = gzipped ? inflate(file) : file;
  if (bytes.length < HEADER_BYTES + 4) throw new BadRequest(400, "too short for a NIfTI file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getInt32(0, true) !== HEADER_BYTES || String.fromCharCode(...bytes.subarray(344, 347)) !== "n+1") {
    throw new BadRequest(415, "not a little-endian NIfTI-1 file");
  }
  const dimensions = view.getInt16(40, true);
  const size = [42, 44, 46].map((at) => view.getInt16(at, true)) as unknown as Size;
  const more = [48, 50, 52, 54].slice(0, Math.max(0, dimensions - 3)).map((at) => view.getInt16(at, true));
  if (dimensions < 3 || size.some((n) => n < 1) || more.some((n) => n > 1)) {
    throw new BadRequest(400, "not a volume of three dimensions");
  }
  const type = TYPES.get(view.getInt16(70, true));
  if (!type) throw new BadRequest(415, `NIfTI datatype ${view.getInt16(70, true)} is not supported`);
  const offset = view.getFloat32(108, true);
  const count = size[0] * size[1] * size[2];
  const width = type.BYTES_PER_ELEMENT;
  if (!Number.isInteger(offset) || offset < HEADER_BYTES || offset + count * width > bytes.length) {
    throw new BadRequest(400, "the file ends before its voxels");
  }
  const copy = new Uint8Array(bytes.subarray(offset, offset + count * width));
  const stored = new type(copy.buffer);
  const slope = view.getFloat32(112, true);
  const intercept = view.getFloat32(116, true);
  const scaled = slope !== 0 && (slope !== 1 || intercept !== 0);
  return {
    size,
    placement: placementOf(view),
    values: scaled ? Float32Array.from(stored, (value) => value * slope + intercept) : stored,
    header: new Uint8Array(bytes.subarray(0, offset)),
    gzipped,
  };
}

/** A label map in the place of an image. */
export function writeNifti(image: NiftiImage, labels: Uint8Array): Uint8Array {
  const file = new Uint8Array(image.header.length + labels.length);
  file.set(image.header);
  const view = new DataView(file.buffer);
  view.setInt16(70, UINT8, true);
  view.setInt16(72, 8, true);
  view.setFloat32(112, 1, true);
  view.setFloat32(116, 0, true);
  file.set(labels, image.header.length);
  return image.gzipped ? gzipSync(file, { level: 1 }) : file;
}

function inflate(file: Uint8Array): Uint8Array {
  try {
    return gunzipSync(file, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw Object.assign(new BadRequest(400, "the gzip stream is damaged or too long"), { cause });
  }
}

/** sform if there is one, else qform; NIfTI counts in RAS, so x and y change their sign. */
function placementOf(view: DataView): Placement {
  const float = (at: number): number => view.getFloat32(at, true);
  const rows =
    view.getInt16(254, true) > 0
      ? [280, 296, 312].map((at) => [0, 4, 8, 12].map((more) => float(at + more)))
      : view.getInt16(252, true) > 0
        ? quaternionRows(float)
        : [0, 1, 2].map((row) => [0, 1, 2, 3].map((column) => (row === column ? float(80 + 4 * row) : 0)));
  const column = (at: number): Vector => [-rows[0]![at]!, -rows[1]![at]!, rows[2]![at]!];
  const steps = [column(0), column(1), column(2)] as const;
  if (steps.some((step) => !(Math.hypot(...step) > 0))) throw new BadRequest(400, "a voxel has no size");
  return { origin: column(3), steps };
}

function quaternionRows(float: (at: number) => number): readonly (readonly number[])[] {
  const [b, c, d] = [float(256), float(260), float(264)];
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
  const [dx, dy, dz] = [float(80), float(84), float(88) * (float(76) < 0 ? -1 : 1)];
  return [
    [(a * a + b * b - c * c - d * d) * dx, 2 * (b * c - a * d) * dy, 2 * (b * d + a * c) * dz, float(268)],
    [2 * (b * c + a * d) * dx, (a * a + c * c - b * b - d * d) * dy, 2 * (c * d - a * b) * dz, float(272)],
    [2 * (b * d - a * c) * dx, 2 * (c * d + a * b) * dy, (a * a + d * d - b * b - c * c) * dz, float(276)],
  ];
}

/**
 * The header of a single-file NIfTI-1 or NIfTI-2 image (.nii), in either byte order.
 *
 * In:   the first bytes of the file, uncompressed; 540 are enough.
 * Out:  an ImageHeader with its affine in LPS mm.
 * Pure. Nothing is allocated from what the header claims.
 *
 * The sform counts before the qform, as nibabel has it; that the two differ is noted. A header with neither does
 * not say where the image lies, and "method 1" of nifti1.h would be a guess: it is refused. A fourth axis, or a
 * fifth as ITK writes vectors, holds the channels.
 *
 * @see nifti1.h and nifti2.h, https://nifti.nimh.nih.gov
 */
import type { Affine, Grid } from "../volume.ts";
import { fromQform, fromRasRows, largestDistance, type Row, smallestStep } from "./affine.ts";
import { type ImageHeader, invalid, type NumberType, packedStrides } from "./image.ts";
import type { Note } from "./notes.ts";

/** Extensions between header and data; more is not a header but an attack. */
const MAX_OFFSET = 16 * 1024 * 1024;

const TYPES: Readonly<Record<number, NumberType>> = {
  2: "uint8",
  4: "int16",
  8: "int32",
  16: "float32",
  64: "float64",
  256: "int8",
  512: "uint16",
  768: "uint32",
  1024: "int64",
  1280: "uint64",
};

/** A file holds both affines in float32: what differs by less, in voxels, is the same. */
const SAME_WITHIN_VOXELS = 0.01;

/** Millimetres per unit, by the low three bits of xyzt_units; 0 is "unknown", which everybody reads as mm. */
const UNITS: Readonly<Record<number, number>> = { 0: 1, 1: 1000, 2: 1, 3: 0.001 };

/** What the two versions have in common. */
interface Fields {
  readonly littleEndian: boolean;
  readonly minOffset: number;
  readonly dim: readonly number[];
  readonly datatype: number;
  readonly bits: number;
  readonly pixdim: readonly number[];
  readonly offset: number;
  readonly slope: number;
  readonly intercept: number;
  readonly units: number;
  readonly qformCode: number;
  readonly sformCode: number;
  /** b, c, d, then the offset x, y, z. */
  readonly quaternion: readonly number[];
  /** Three rows of four. */
  readonly srow: readonly number[];
}

/** Which version a file begins as, if any; the length of the header says it, in one byte order or the other. */
export function niftiVersion(head: Uint8Array): 1 | 2 | undefined {
  if (head.length < 4) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const is = (size: number): boolean => view.getInt32(0, true) === size || view.getInt32(0, false) === size;
  if (is(348)) return 1;
  return is(540) ? 2 : undefined;
}

/** @throws MODEL_ANSWER_INVALID with the field that is wrong */
export function readNiftiHeader(head: Uint8Array): ImageHeader {
  const version = niftiVersion(head);
  if (!version) throw invalid("Not a NIfTI header");
  if (head.length < (version === 1 ? 348 : 540)) throw invalid(`NIfTI header cut after ${head.length} bytes`);
  const fields = version === 1 ? readVersion1(head) : readVersion2(head);
  const type = TYPES[fields.datatype];
  if (!type) throw invalid(`NIfTI datatype ${fields.datatype} is not a plain number`);
  const bits = Number(/\d+/.exec(type)?.[0]);
  if (fields.bits !== bits) throw invalid(`NIfTI bitpix ${fields.bits} where ${type} has ${bits}`);
  if (!Number.isInteger(fields.offset) || fields.offset < fields.minOffset || fields.offset > MAX_OFFSET) {
    throw invalid(`NIfTI vox_offset ${fields.offset} is not between ${fields.minOffset} and ${MAX_OFFSET}`);
  }
  if (!Number.isFinite(fields.slope) || !Number.isFinite(fields.intercept)) {
    throw invalid(`NIfTI scl_slope ${fields.slope}, scl_inter ${fields.intercept}`);
  }
  const scaled = fields.slope !== 0; // nifti1.h: a slope of 0 means "not scaled"
  const { size, channels } = shapeOf(fields.dim);
  const grid = { size, affine: affineOf(fields) };
  return {
    format: "NIfTI",
    grid,
    hasPlace: true,
    channels,
    strides: packedStrides([
      [0, size[0]],
      [1, size[1]],
      [2, size[2]],
      [3, channels],
    ]),
    notes: notesOn(grid, fields),
    type,
    littleEndian: fields.littleEndian,
    offset: fields.offset,
    encoding: "raw",
    slope: scaled ? fields.slope : 1,
    intercept: scaled ? fields.intercept : 0,
  };
}

function shapeOf(dim: readonly number[]): Pick<Grid, "size"> & { readonly channels: number } {
  const [count = 0, columns = 0, rows = 1, slices = 1] = dim;
  if (!(count >= 1 && count <= 7)) throw invalid(`NIfTI dim[0] is ${count}`);
  const size = [columns, count >= 2 ? rows : 1, count >= 3 ? slices : 1] as const;
  const more = dim.slice(4, count + 1);
  const sound = [...size, ...more].every((n) => n >= 1 && Number.isSafeInteger(n));
  const several = more.filter((n) => n !== 1);
  if (!sound || several.length > 1) {
    throw invalid(`NIfTI shape ${dim.slice(1, count + 1).join("×")} is not one image`);
  }
  return { size, channels: several[0] ?? 1 };
}

function affineOf(fields: Fields): Affine {
  const scale = UNITS[fields.units & 7];
  if (scale === undefined) throw invalid(`NIfTI xyzt_units ${fields.units} are not a length`);
  const affine = fields.sformCode > 0 ? sform(fields.srow, scale) : qform(fields, scale);
  if (!Object.values(affine).flat().every(Number.isFinite)) throw invalid("NIfTI affine is not finite");
  return affine;
}

function notesOn(grid: Grid, fields: Fields): readonly Note[] {
  if (fields.sformCode <= 0 || fields.qformCode <= 0) return [];
  const mm = largestDistance(grid, qform(fields, UNITS[fields.units & 7] ?? 1));
  const same = mm <= SAME_WITHIN_VOXELS * smallestStep(grid.affine);
  return same ? [] : [{ kind: "qform-differs", mm }];
}

function sform(srow: readonly number[], scale: number): Affine {
  const row = (at: number): Row => srow.slice(4 * at, 4 * at + 4).map((n) => n * scale) as unknown as Row;
  return fromRasRows([row(0), row(1), row(2)]);
}

function qform({ qformCode, quaternion, pixdim }: Fields, scale: number): Affine {
  if (qformCode <= 0)
    throw invalid("NIfTI header has neither sform nor qform: where the image lies is not said");
  const [b = 0, c = 0, d = 0, x = 0, y = 0, z = 0] = quaternion;
  const [side = 1, dx = 1, dy = 1, dz = 1] = pixdim;
  return fromQform({
    vector: [b, c, d],
    offset: [x * scale, y * scale, z * scale],
    spacing: [dx * scale, dy * scale, dz * scale],
    handedness: side < 0 ? -1 : 1,
  });
}

function readVersion1(head: Uint8Array): Fields {
  requireMagic(head, 344, "n+1\0");
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const littleEndian = view.getInt32(0, true) === 348;
  const short = (at: number): number => view.getInt16(at, littleEndian);
  const float = (at: number): number => view.getFloat32(at, littleEndian);
  return {
    littleEndian,
    minOffset: 352,
    dim: list(8, (n) => short(40 + 2 * n)),
    datatype: short(70),
    bits: short(72),
    pixdim: list(4, (n) => float(76 + 4 * n)),
    offset: float(108),
    slope: float(112),
    intercept: float(116),
    units: view.getUint8(123),
    qformCode: short(252),
    sformCode: short(254),
    quaternion: list(6, (n) => float(256 + 4 * n)),
    srow: list(12, (n) => float(280 + 4 * n)),
  };
}

function readVersion2(head: Uint8Array): Fields {
  requireMagic(head, 4, "n+2\0\r\n\x1a\n");
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const littleEndian = view.getInt32(0, true) === 540;
  const int = (at: number): number => view.getInt32(at, littleEndian);
  const long = (at: number): number => Number(view.getBigInt64(at, littleEndian));
  const double = (at: number): number => view.getFloat64(at, littleEndian);
  return {
    littleEndian,
    minOffset: 544,
    dim: list(8, (n) => long(16 + 8 * n)),
    datatype: view.getInt16(12, littleEndian),
    bits: view.getInt16(14, littleEndian),
    pixdim: list(4, (n) => double(104 + 8 * n)),
    offset: long(168),
    slope: double(176),
    intercept: double(184),
    units: int(500),
    qformCode: int(344),
    sformCode: int(348),
    quaternion: list(6, (n) => double(352 + 8 * n)),
    srow: list(12, (n) => double(400 + 8 * n)),
  };
}

function requireMagic(head: Uint8Array, at: number, magic: string): void {
  const found = Buffer.from(head.buffer, head.byteOffset + at, magic.length).toString("latin1");
  if (found === magic) return;
  const why = found.startsWith("ni") ? "its voxels are in another file" : "no NIfTI magic";
  throw invalid(`NIfTI header cannot be used: ${why}`);
}

function list(count: number, read: (n: number) => number): readonly number[] {
  return Array.from({ length: count }, (_, n) => read(n));
}

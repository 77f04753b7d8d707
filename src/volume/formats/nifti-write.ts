/**
 * The header of a NIfTI-1 file (.nii) around the voxels of a volume.
 *
 * In:   a grid in LPS and the voxels, which follow the header as they are, little-endian.
 * Out:  352 bytes: the header of 348 and an empty extension flag of 4.
 * Pure.
 *
 * The place of the volume is in the sform. Older ITK reads the qform first, so it is written as well, but only
 * where it says the same: a tilted stack is sheared, and near half a turn float32 quaternions lose the small angles.
 *
 * @see nifti1.h, https://nifti.nimh.nih.gov/nifti-1
 */
import type { Grid, Voxels } from "../volume.ts";
import { cornersOf, distance, fromQform, pointAt, toQform, toRasRows } from "./affine.ts";

const NIFTI_HEADER_BYTES = 352;

/** How far, in mm, the qform may place a corner from where the sform does. */
const QFORM_TOLERANCE_MM = 1e-3;
const MAX_SIZE = 32_767;
const SCANNER_ANATOMICAL = 1;
const MILLIMETRES = 2;
const MAGIC = [0x6e, 0x2b, 0x31, 0]; // "n+1"

/** @throws Error if an axis has more than 32767 voxels, which no series of slices has */
export function niftiHeader(grid: Grid, voxels: Voxels | Uint8Array): Uint8Array {
  if (grid.size.some((n) => n < 1 || n > MAX_SIZE))
    throw new Error(`bug: NIfTI-1 cannot hold ${grid.size.join("×")}`);
  const view = new DataView(new ArrayBuffer(NIFTI_HEADER_BYTES));
  const floats = (at: number, values: readonly number[]): void =>
    values.forEach((value, n) => view.setFloat32(at + 4 * n, value, true));
  const { affine } = grid;
  const { datatype, bits } = storageOf(voxels);
  const qform = toQform(affine);
  const placed = fromQform(qform);
  const agree = cornersOf(grid).every(
    (corner) => distance(pointAt(placed, corner), pointAt(affine, corner)) <= QFORM_TOLERANCE_MM,
  );

  view.setInt32(0, 348, true);
  [3, ...grid.size, 1, 1, 1, 1].forEach((n, at) => view.setInt16(40 + 2 * at, n, true));
  view.setInt16(70, datatype, true);
  view.setInt16(72, bits, true);
  floats(76, [agree ? qform.handedness : 1, ...qform.spacing]);
  floats(108, [NIFTI_HEADER_BYTES, 1]); // vox_offset, scl_slope; scl_inter is 0
  view.setUint8(123, MILLIMETRES);
  if (agree) view.setInt16(252, SCANNER_ANATOMICAL, true);
  if (agree) floats(256, [...qform.vector, ...qform.offset]);
  view.setInt16(254, SCANNER_ANATOMICAL, true);
  floats(280, toRasRows(affine).flat());
  MAGIC.forEach((byte, at) => view.setUint8(344 + at, byte));
  return new Uint8Array(view.buffer);
}

function storageOf(voxels: Voxels | Uint8Array): { readonly datatype: number; readonly bits: number } {
  if (voxels instanceof Uint8Array) return { datatype: 2, bits: 8 };
  if (voxels instanceof Int16Array) return { datatype: 4, bits: 16 };
  if (voxels instanceof Uint16Array) return { datatype: 512, bits: 16 };
  return { datatype: 16, bits: 32 };
}

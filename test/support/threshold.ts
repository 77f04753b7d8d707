/**
 * A model for tests, independent of the node's formats: NIfTI-1 int16 or float32 in, label 1 where a voxel is above
 * the threshold out, as NIfTI-1 uint8 with the header that came.
 */
import type { Reply } from "./model-double.ts";

const HEADER_BYTES = 352;

export function threshold(nifti: Uint8Array, above: number): Reply {
  const view = new DataView(nifti.buffer, nifti.byteOffset, nifti.byteLength);
  const datatype = view.getInt16(70, true);
  const width = datatype === 16 ? 4 : 2;
  const count = (nifti.length - HEADER_BYTES) / width;
  const body = new Uint8Array(HEADER_BYTES + count);
  body.set(nifti.subarray(0, HEADER_BYTES));
  const out = new DataView(body.buffer);
  out.setInt16(70, 2, true);
  out.setInt16(72, 8, true);
  for (let at = 0; at < count; at++) {
    const offset = HEADER_BYTES + at * width;
    const value =
      datatype === 16
        ? view.getFloat32(offset, true)
        : datatype === 512
          ? view.getUint16(offset, true)
          : view.getInt16(offset, true);
    body[HEADER_BYTES + at] = value > above ? 1 : 0;
  }
  return { kind: "answer", body };
}

/**
 * Masks with eight voxels in a byte, as numpy.packbits makes them: one stream, padded with zeros at its end alone.
 *
 * In:   bytes, how many voxels they hold, which bit comes first.
 * Out:  a byte for each voxel, 0 or 1.
 * Pure.
 */
import { invalid } from "./image.ts";

/** msb: the first voxel is the highest bit, NumPy's default; lsb: the lowest. */
export type BitOrder = "msb" | "lsb";

/** @throws MODEL_ANSWER_INVALID if it is not that many bits, or a padding bit is set */
export function unpackBits(bytes: Uint8Array, voxels: number, order: BitOrder): Uint8Array<ArrayBuffer> {
  const wanted = Math.ceil(voxels / 8);
  if (bytes.length !== wanted) {
    throw invalid(`Packed bits of ${voxels} voxels are ${wanted} bytes, and the answer has ${bytes.length}`);
  }
  const padded = wanted * 8;
  const bits = new Uint8Array(padded);
  for (let at = 0, byte = 0; byte < wanted; byte += 1) {
    const packed = bytes[byte] as number;
    if (packed === 0) {
      at += 8;
      continue;
    }
    for (let bit = 0; bit < 8; bit += 1, at += 1) {
      bits[at] = (order === "msb" ? packed >> (7 - bit) : packed >> bit) & 1;
    }
  }
  if (bits.subarray(voxels).includes(1))
    throw invalid("Packed bits are set beyond the last voxel: is it the other order?");
  return bits.subarray(0, voxels);
}

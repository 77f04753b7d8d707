/**
 * The header of a NumPy array file (.npy), version 1.0, C order.
 *
 * In:   shape, slowest axis first; the type of the numbers.
 * Out:  the bytes before the data, a multiple of 64.
 * Pure.
 *
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
const NAMES = { int16: "<i2", uint16: "<u2", float32: "<f4" } as const;
const PREFIX_BYTES = 10;

export function npyHeader(shape: readonly number[], type: keyof typeof NAMES): Uint8Array {
  const described = `{'descr': '${NAMES[type]}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const bytes = Math.ceil((PREFIX_BYTES + described.length + 1) / 64) * 64;
  const header = Buffer.alloc(bytes, " ");
  header.write("\x93NUMPY\x01\x00", 0, "latin1");
  header.writeUInt16LE(bytes - PREFIX_BYTES, 8);
  header.write(described, PREFIX_BYTES, "latin1");
  header.write("\n", bytes - 1, "latin1");
  return header;
}

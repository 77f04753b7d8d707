/**
 * A picture as a PNG file. Pure.
 *
 * @see https://www.w3.org/TR/png-3
 */
import { crc32, deflateSync } from "node:zlib";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
const RGB = 2;

/** @param pixels  red, green, blue, 8 bits each, rows from the top */
export function pngOf(columns: number, rows: number, pixels: Uint8Array): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(columns, 0);
  header.writeUInt32BE(rows, 4);
  header.set([8, RGB, 0, 0, 0], 8);
  const bytes = columns * 3;
  const lines = Buffer.alloc(rows * (bytes + 1)); // each begins with its filter, 0 for none
  for (let row = 0; row < rows; row++)
    lines.set(pixels.subarray(row * bytes, (row + 1) * bytes), row * (bytes + 1) + 1);
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(lines, { level: 6 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

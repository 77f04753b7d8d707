/**
 * A zip archive of stored files (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16). Pure.
 *
 * Stored, since images are noise to deflate; below 4 GiB, since more is no request.
 */
import { NodeError } from "../base/errors.ts";

interface Stored {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly crc: number;
}

const LIMIT_BYTES = 0xffff_0000;
const VERSION = 20;
/** 1 January 1980: the archive says nothing of when it was made. */
const DATE = 0x0021;

/** @throws MODEL_INPUT_UNSUITABLE for more than a plain zip holds */
export function zipOf(files: readonly Stored[]): readonly Uint8Array[] {
  const total = files.reduce((sum, { name, bytes }) => sum + bytes.length + 2 * name.length + 76, 22);
  if (total > LIMIT_BYTES || files.length > 0xffff)
    throw new NodeError("MODEL_INPUT_UNSUITABLE", `${files.length} images do not fit into one zip`);
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const file of files) {
    const name = Buffer.from(file.name, "latin1");
    const fields = fieldsOf(file, name.length);
    directory.push(centralHeader(fields, offset), name);
    const header = Buffer.concat([numbers([4, 0x04034b50]), fields]);
    chunks.push(header, name, file.bytes);
    offset += header.length + name.length + file.bytes.length;
  }
  const central = Buffer.concat(directory);
  const count = files.length;
  const end = numbers(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, central.length],
    [4, offset],
    [2, 0],
  );
  return [...chunks, central, end];
}

/** What local and central header share. */
function fieldsOf({ bytes: { length }, crc }: Stored, nameLength: number): Buffer {
  return numbers(
    [2, VERSION],
    [2, 0],
    [2, 0],
    [2, 0],
    [2, DATE],
    [4, crc],
    [4, length],
    [4, length],
    [2, nameLength],
    [2, 0],
  );
}

function centralHeader(fields: Buffer, offset: number): Buffer {
  const rest = numbers([2, 0], [2, 0], [2, 0], [4, 0], [4, offset]);
  return Buffer.concat([numbers([4, 0x02014b50], [2, VERSION]), fields, rest]);
}

/** Little-endian, each of its own width. */
function numbers(...fields: readonly (readonly [width: 2 | 4, value: number])[]): Buffer {
  return Buffer.concat(
    fields.map(([width, value]) => {
      const field = Buffer.alloc(width);
      field.writeUIntLE(value, 0, width);
      return field;
    }),
  );
}

/**
 * The header of a MetaImage file with its data inside (.mha).
 *
 * In:   the first bytes of the file, the whole text header among them.
 * Out:  an ImageHeader with its affine in LPS mm.
 * Pure.
 *
 * The space of a MetaImage is the patient's LPS, as ITK has it. TransformMatrix lists the direction of each axis
 * in turn; AnatomicalOrientation only tells a human what that comes to, and ITK never reads it. A header without a
 * matrix does not say how the image lies, and is refused.
 *
 * @see https://itk.org/Wiki/MetaIO/Documentation
 */
import type { Affine, Grid, Vector } from "../volume.ts";
import { type ImageHeader, invalid, type NumberType, packedStrides, printable } from "./image.ts";

/** The longest text header looked at, in bytes. */
export const MAX_META_HEADER_BYTES = 64 * 1024;

/** MET_LONG has four bytes everywhere, by the table of the library that defines the format. */
const TYPES: ReadonlyMap<string, NumberType> = new Map<string, NumberType>([
  ["MET_CHAR", "int8"],
  ["MET_UCHAR", "uint8"],
  ["MET_SHORT", "int16"],
  ["MET_USHORT", "uint16"],
  ["MET_INT", "int32"],
  ["MET_UINT", "uint32"],
  ["MET_LONG", "int32"],
  ["MET_ULONG", "uint32"],
  ["MET_LONG_LONG", "int64"],
  ["MET_ULONG_LONG", "uint64"],
  ["MET_FLOAT", "float32"],
  ["MET_DOUBLE", "float64"],
]);

/** Other names of the same field; the first is the usual one. */
const SYNONYMS = {
  matrix: ["TransformMatrix", "Rotation", "Orientation"],
  origin: ["Offset", "Position", "Origin"],
  bigEndian: ["BinaryDataByteOrderMSB", "ElementByteOrderMSB"],
} as const;

type Fields = ReadonlyMap<string, string>;

/** The first line of a MetaImage names its object type or, in some writers, its comment. */
export function isMetaImage(head: Uint8Array): boolean {
  return /^(ObjectType|Comment|NDims) *=/.test(text(head.subarray(0, 64)));
}

/** @throws MODEL_ANSWER_INVALID with the field that is wrong */
export function readMetaImageHeader(head: Uint8Array): ImageHeader {
  const { fields, offset } = fieldsOf(head);
  const object = fields.get("ObjectType") ?? "Image";
  if (object !== "Image") throw invalid(`MetaImage with ObjectType ${printable(object)}`);
  if (!flag(fields, ["BinaryData"], true)) throw invalid("MetaImage with its numbers as text");
  if ((fields.get("HeaderSize") ?? "0") !== "0") throw invalid("MetaImage with a HeaderSize");
  const element = required(fields, ["ElementType"]);
  const type = TYPES.get(element);
  if (!type) throw invalid(`MetaImage ElementType ${printable(element)} is not a plain number`);
  return {
    format: "MetaImage",
    ...shapeOf(fields),
    hasPlace: true,
    notes: [],
    type,
    littleEndian: !flag(fields, SYNONYMS.bigEndian, false),
    offset,
    encoding: flag(fields, ["CompressedData"], false) ? "zlib" : "raw",
    slope: 1,
    intercept: 0,
  };
}

function fieldsOf(head: Uint8Array): { readonly fields: Fields; readonly offset: number } {
  const all = text(head.subarray(0, MAX_META_HEADER_BYTES));
  const end = /^ElementDataFile *= *(.*?) *\r?\n/m.exec(all);
  if (!end) throw invalid(`MetaImage without ElementDataFile in its first ${MAX_META_HEADER_BYTES} bytes`);
  if (end[1] !== "LOCAL") throw invalid("MetaImage with its data in another file");
  const fields = new Map<string, string>();
  for (const line of all.slice(0, end.index).split(/\r?\n/)) {
    const field = /^(\w+) *= *(.*?) *$/.exec(line);
    if (!field) continue;
    const key = field[1] as string;
    if (fields.has(key)) throw invalid("MetaImage with the same field twice");
    fields.set(key, field[2] as string);
  }
  return { fields, offset: end.index + end[0].length };
}

/** Channels are interleaved; a fourth axis holds them one after another. */
function shapeOf(fields: Fields): Pick<ImageHeader, "grid" | "channels" | "strides"> {
  const dimensions = Number(required(fields, ["NDims"]));
  if (dimensions !== 3 && dimensions !== 4) throw invalid("MetaImage NDims is neither 3 nor 4");
  const sizes = vector(fields, ["DimSize"], dimensions);
  const interleaved = Number(fields.get("ElementNumberOfChannels") ?? "1");
  if (![...sizes, interleaved].every((n) => Number.isSafeInteger(n) && n >= 1)) {
    throw invalid("MetaImage DimSize or ElementNumberOfChannels are not whole numbers");
  }
  const [columns = 1, rows = 1, slices = 1, more = 1] = sizes;
  if (more > 1 && interleaved > 1) throw invalid("MetaImage with channels and a fourth dimension");
  const size: Grid["size"] = [columns, rows, slices];
  const spatial = [[0, columns] as const, [1, rows] as const, [2, slices] as const];
  return {
    grid: { size, affine: affineOf(fields, dimensions) },
    channels: more * interleaved,
    strides: packedStrides(
      interleaved > 1 ? [[3, interleaved], ...spatial] : [...spatial, [3, more] as const],
    ),
  };
}

function affineOf(fields: Fields, dimensions: 3 | 4): Affine {
  const matrix = vector(fields, SYNONYMS.matrix, dimensions * dimensions);
  const spacing = vector(fields, ["ElementSpacing"], dimensions);
  const [x = 0, y = 0, z = 0] = vector(fields, SYNONYMS.origin, dimensions);
  const step = (axis: number): Vector => {
    const direction = matrix.slice(axis * dimensions, axis * dimensions + dimensions);
    if (direction[3] !== undefined && direction[3] !== 0) {
      throw invalid("MetaImage whose fourth dimension is turned into space");
    }
    const [dx = 0, dy = 0, dz = 0] = direction.map((n) => n * (spacing[axis] ?? 0));
    return [dx, dy, dz];
  };
  return { origin: [x, y, z], perColumn: step(0), perRow: step(1), perSlice: step(2) };
}

function vector(fields: Fields, names: readonly string[], length: number): readonly number[] {
  const value = required(fields, names);
  const numbers = value.split(/\s+/).map(Number);
  if (numbers.length !== length || !numbers.every(Number.isFinite)) {
    throw invalid(`MetaImage ${names[0]} is not ${length} numbers`);
  }
  return numbers;
}

function flag(fields: Fields, names: readonly string[], otherwise: boolean): boolean {
  const value = valueOf(fields, names)?.toLowerCase();
  if (value === undefined) return otherwise;
  if (/^(true|t|1)$/.test(value)) return true;
  if (/^(false|f|0)$/.test(value)) return false;
  throw invalid(`MetaImage ${names[0]} is neither True nor False`);
}

function required(fields: Fields, names: readonly string[]): string {
  const value = valueOf(fields, names);
  if (value === undefined || value === "") throw invalid(`MetaImage without ${names[0]}`);
  return value;
}

function valueOf(fields: Fields, names: readonly string[]): string | undefined {
  const written = names.filter((name) => fields.has(name));
  if (written.length > 1) throw invalid(`MetaImage with ${written.join(" and ")}, which are the same`);
  return written[0] === undefined ? undefined : fields.get(written[0]);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

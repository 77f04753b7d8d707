/**
 * The header of an attached NRRD file (.nrrd), versions 1 to 5.
 *
 * In:   the first bytes of the file, the whole text header among them.
 * Out:  an ImageHeader with its affine in LPS mm.
 * Pure.
 *
 * Read is what ITK, 3D Slicer and pynrrd write: three axes of a named patient space, and perhaps one more of
 * channels at any place, raw or gzip. Everything else that NRRD can say is refused by its name. Detached data files are refused above all: the header
 * comes from outside, and it must not choose what is opened here.
 *
 * @see https://teem.sourceforge.net/nrrd/format.html
 */
import type { Affine, Grid, Vector } from "../volume.ts";
import { SIGNS, toLps } from "./affine.ts";
import { type ImageHeader, invalid, type NumberType, packedStrides, printable } from "./image.ts";

/** The longest text header looked at, in bytes. */
export const MAX_NRRD_HEADER_BYTES = 64 * 1024;

const MAGIC = /^NRRD000[1-5]$/;

/** By their names in the format's definition; spaces in a name are single. */
const NAMES: Readonly<Record<Exclude<NumberType, "float16">, readonly string[]>> = {
  int8: ["signed char", "int8", "int8_t"],
  uint8: ["uchar", "unsigned char", "uint8", "uint8_t"],
  int16: ["short", "short int", "signed short", "signed short int", "int16", "int16_t"],
  uint16: ["ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"],
  int32: ["int", "signed int", "int32", "int32_t"],
  uint32: ["uint", "unsigned int", "uint32", "uint32_t"],
  int64: [
    "longlong",
    "long long",
    "long long int",
    "signed long long",
    "signed long long int",
    "int64",
    "int64_t",
  ],
  uint64: ["ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"],
  float32: ["float"],
  float64: ["double"],
};

const SPACES: ReadonlyMap<string, Vector> = new Map<string, Vector>([
  ["left-posterior-superior", SIGNS.LPS],
  ["lps", SIGNS.LPS],
  ["right-anterior-superior", SIGNS.RAS],
  ["ras", SIGNS.RAS],
  ["left-anterior-superior", SIGNS.LAS],
  ["las", SIGNS.LAS],
]);

export function isNrrd(head: Uint8Array): boolean {
  return text(head.subarray(0, 4)) === "NRRD";
}

/** @throws MODEL_ANSWER_INVALID with the field that is wrong */
export function readNrrdHeader(head: Uint8Array): ImageHeader {
  const { fields, offset } = fieldsOf(head);
  if (fields.has("data file")) throw invalid("NRRD with its data in another file");
  for (const skip of ["line skip", "byte skip"]) {
    if ((fields.get(skip) ?? "0") !== "0") throw invalid(`NRRD with a ${skip}`);
  }
  const type = typeOf(required(fields, "type"));
  const endian = fields.get("endian");
  if (!type.endsWith("int8") && endian !== "little" && endian !== "big") {
    throw invalid(`NRRD endian ${printable(endian ?? "missing")}`);
  }
  return {
    format: "NRRD",
    ...shapeOf(fields),
    hasPlace: true,
    notes: [],
    type,
    littleEndian: endian !== "big",
    offset,
    encoding: encodingOf(required(fields, "encoding")),
    slope: 1,
    intercept: 0,
  };
}

function fieldsOf(head: Uint8Array): {
  readonly fields: ReadonlyMap<string, string>;
  readonly offset: number;
} {
  const all = text(head.subarray(0, MAX_NRRD_HEADER_BYTES));
  const blank = /\r?\n\r?\n/.exec(all);
  if (!blank) throw invalid(`NRRD header without an end in its first ${MAX_NRRD_HEADER_BYTES} bytes`);
  const [magic = "", ...lines] = all.slice(0, blank.index).split(/\r?\n/);
  if (!MAGIC.test(magic)) throw invalid("NRRD version unknown");
  const fields = new Map<string, string>();
  for (const line of lines) {
    const field = /^([^#:][^:]*): (.*)$/.exec(line); // "key:=value" pairs and "# comments" say nothing about the array
    if (!field) continue;
    const name = (field[1] ?? "").trim().toLowerCase();
    const key = name === "datafile" ? "data file" : name.replace(/^(line|byte)skip$/, "$1 skip");
    if (fields.has(key)) throw invalid("NRRD with the same field twice");
    fields.set(key, (field[2] ?? "").trim().toLowerCase());
  }
  return { fields, offset: blank.index + blank[0].length };
}

/** Channels are the axis whose direction is "none"; its kind, such as "vector" or "list", says no more. */
function shapeOf(fields: ReadonlyMap<string, string>): Pick<ImageHeader, "grid" | "channels" | "strides"> {
  const dimension = required(fields, "dimension");
  if (dimension !== "3" && dimension !== "4") throw invalid(`NRRD dimension ${printable(dimension)}`);
  const sizes = numbers(required(fields, "sizes"));
  if (sizes.length !== Number(dimension) || sizes.some((n) => !(Number.isSafeInteger(n) && n >= 1))) {
    throw invalid("NRRD sizes are not as many whole numbers as it has dimensions");
  }
  const units = fields.get("space units") ?? "";
  if (!/^("(mm)?"\s*)*$/.test(units)) throw invalid("NRRD space units other than mm");
  const directions = required(fields, "space directions").replaceAll("none", " none ");
  const channelAxis = sizes.length === 4 ? channelAxisOf(directions) : -1;
  const size = sizes.filter((_, axis) => axis !== channelAxis) as unknown as Grid["size"];
  let spatial: 0 | 1 | 2 | 3 = 0;
  const axes = sizes.map((count, axis) => {
    const at = axis === channelAxis ? 3 : spatial;
    if (axis !== channelAxis) spatial = (spatial + 1) as 1 | 2 | 3;
    return [at, count] as const;
  });
  const own = channelAxis < 0 ? directions : directions.replace("none", "");
  return {
    grid: { size, affine: affineOf(fields, own) },
    channels: sizes[channelAxis] ?? 1,
    strides: packedStrides(axes),
  };
}

function channelAxisOf(directions: string): number {
  const axes = directions.match(/none|\([^()]*\)/g) ?? [];
  const without = axes.flatMap((direction, axis) => (direction === "none" ? [axis] : []));
  if (axes.length !== 4 || without.length !== 1) {
    throw invalid("NRRD of four dimensions must have one axis without direction, that of its channels");
  }
  return without[0] as number;
}

function affineOf(fields: ReadonlyMap<string, string>, spaceDirections: string): Affine {
  const space = required(fields, "space");
  const signs = SPACES.get(space);
  if (!signs) throw invalid("NRRD space is not one of a patient, or one of time");
  const directions = vectorsOf(spaceDirections);
  const origin = vectorsOf(required(fields, "space origin"))[0];
  const [perColumn, perRow, perSlice] = directions;
  if (directions.length !== 3 || !perColumn || !perRow || !perSlice || !origin) {
    throw invalid("NRRD space directions or origin are not vectors of three numbers");
  }
  return {
    origin: toLps(origin, signs),
    perColumn: toLps(perColumn, signs),
    perRow: toLps(perRow, signs),
    perSlice: toLps(perSlice, signs),
  };
}

/** "(1,0,0) (0,1,0)": every vector of three finite numbers; anything else in between makes the whole list empty. */
function vectorsOf(value: string): readonly Vector[] {
  const parts = [...value.matchAll(/\(([^()]*)\)/g)].map((match) =>
    numbers((match[1] ?? "").replaceAll(",", " ")),
  );
  const rest = value.replaceAll(/\([^()]*\)/g, "").trim();
  const sound = rest === "" && parts.every((v) => v.length === 3 && v.every(Number.isFinite));
  return sound ? (parts as unknown as readonly Vector[]) : [];
}

function typeOf(name: string): NumberType {
  const single = name.replaceAll(/\s+/g, " ");
  const found = Object.entries(NAMES).find(([, names]) => names.includes(single));
  if (!found) throw invalid(`NRRD type ${printable(name)} is not a plain number`);
  return found[0] as NumberType;
}

function encodingOf(encoding: string): "raw" | "gzip" {
  if (encoding === "raw") return "raw";
  if (encoding === "gzip" || encoding === "gz") return "gzip";
  throw invalid(`NRRD encoding ${printable(encoding)}`);
}

function required(fields: ReadonlyMap<string, string>, name: string): string {
  const value = fields.get(name);
  if (value === undefined || value === "") throw invalid(`NRRD without ${name}`);
  return value;
}

function numbers(value: string): readonly number[] {
  return value.split(/\s+/).filter(Boolean).map(Number);
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

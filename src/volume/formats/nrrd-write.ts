/**
 * The header of an attached NRRD file, as ITK and 3D Slicer write it.
 *
 * In:   a grid in LPS mm, the type of the numbers, how the data after it are encoded.
 * Out:  the bytes before the data.
 * Pure.
 *
 * @see https://teem.sourceforge.net/nrrd/format.html
 */
import type { Grid, Vector } from "../volume.ts";

const NAMES = { int16: "int16", uint16: "uint16", float32: "float" } as const;

export function nrrdHeader(
  { size, affine }: Grid,
  data: { readonly type: keyof typeof NAMES; readonly encoding: "raw" | "gzip" },
): Uint8Array {
  const { perColumn, perRow, perSlice, origin } = affine;
  const lines = [
    "NRRD0004",
    `type: ${NAMES[data.type]}`,
    "dimension: 3",
    "space: left-posterior-superior",
    `sizes: ${size.join(" ")}`,
    `space directions: ${[perColumn, perRow, perSlice].map(vector).join(" ")}`,
    "kinds: domain domain domain",
    "endian: little",
    `encoding: ${data.encoding}`,
    `space origin: ${vector(origin)}`,
    "",
    "",
  ];
  return Buffer.from(lines.join("\n"), "latin1");
}

function vector(v: Vector): string {
  return `(${v.join(",")})`;
}

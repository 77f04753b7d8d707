/** Label maps as NRRD, the way ITK and 3D Slicer write them: gzip, LPS. Pure. */
import { gzipSync } from "node:zlib";
import type { Image, Vector } from "./scan.ts";

/** @see https://teem.sourceforge.net/nrrd/format.html */
export function writeNrrd({ size, placement }: Image, labels: Uint8Array): Uint8Array {
  const vector = (v: Vector): string => `(${v.join(",")})`;
  const header = [
    "NRRD0004",
    "type: unsigned char",
    "dimension: 3",
    "space: left-posterior-superior",
    `sizes: ${size.join(" ")}`,
    `space directions: ${placement.steps.map(vector).join(" ")}`,
    "kinds: domain domain domain",
    "encoding: gzip",
    `space origin: ${vector(placement.origin)}`,
    "",
    "",
  ].join("\n");
  return Buffer.concat([Buffer.from(header, "latin1"), gzipSync(labels, { level: 1 })]);
}

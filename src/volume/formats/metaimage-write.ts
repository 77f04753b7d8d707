/**
 * The header of a MetaImage file (.mha) with its data behind it, as ITK writes it.
 *
 * In:   a grid in LPS mm, the type of the numbers; of compressed data (zlib) their length.
 * Out:  the bytes before the data.
 * Pure.
 *
 * TransformMatrix holds the directions, one axis after another; MetaImage's own frame is LPS, as ITK reads it.
 *
 * @see https://itk.org/Wiki/ITK/MetaIO/Documentation
 */
import type { Grid } from "../volume.ts";

const NAMES = { int16: "MET_SHORT", uint16: "MET_USHORT", float32: "MET_FLOAT" } as const;

export function metaImageHeader(
  { size, affine }: Grid,
  data: { readonly type: keyof typeof NAMES; readonly compressedBytes?: number },
): Uint8Array {
  const steps = [affine.perColumn, affine.perRow, affine.perSlice];
  const spacing = steps.map((step) => Math.hypot(...step));
  const directions = steps.flatMap((step, axis) => step.map((component) => component / spacing[axis]!));
  const { compressedBytes } = data;
  const lines = [
    "ObjectType = Image",
    "NDims = 3",
    "BinaryData = True",
    "BinaryDataByteOrderMSB = False",
    `CompressedData = ${compressedBytes === undefined ? "False" : "True"}`,
    ...(compressedBytes === undefined ? [] : [`CompressedDataSize = ${compressedBytes}`]),
    `TransformMatrix = ${directions.join(" ")}`,
    `Offset = ${affine.origin.join(" ")}`,
    "CenterOfRotation = 0 0 0",
    `ElementSpacing = ${spacing.join(" ")}`,
    `DimSize = ${size.join(" ")}`,
    `ElementType = ${NAMES[data.type]}`,
    "ElementDataFile = LOCAL",
    "",
  ];
  return Buffer.from(lines.join("\n"), "latin1");
}

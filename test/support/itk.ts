/** ITK itself, as WebAssembly: label maps on any grid, written and read by other software than ours. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { readImageNode, writeImageNode } from "@itk-wasm/image-io";
import type { Grid, Vector } from "../../src/volume/volume.ts";

const COMPONENTS = {
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

export type Component = keyof typeof COMPONENTS;

type Image = Parameters<typeof writeImageNode>[0];

/** @returns the bytes of the file; channels are interleaved in `numbers` */
export async function writtenByItk(
  folder: string,
  {
    grid,
    numbers,
    type,
    channels = 1,
  }: { grid: Grid; numbers: ArrayLike<number>; type: Component; channels?: number },
  { ending, compressed = false }: { ending: "nii" | "nii.gz" | "nrrd" | "mha"; compressed?: boolean },
): Promise<Uint8Array> {
  const { origin, perColumn, perRow, perSlice } = grid.affine;
  const spacing = [perColumn, perRow, perSlice].map((step) => Math.hypot(...step));
  const axes = [perColumn, perRow, perSlice].map((step, axis) => step.map((mm) => mm / spacing[axis]!));
  const image = {
    imageType: {
      dimension: 3,
      componentType: type,
      pixelType: channels === 1 ? "Scalar" : "VariableLengthVector",
      components: channels,
    },
    name: "labels",
    origin: [...origin],
    spacing,
    // A matrix by rows, whose columns are the directions of the axes.
    direction: Float64Array.from([0, 1, 2].flatMap((row) => axes.map((axis) => axis[row]!))),
    size: [...grid.size],
    data: COMPONENTS[type].from(numbers),
    metadata: new Map(),
  };
  const path = join(folder, `labels-${type}-${channels}-${String(compressed)}.${ending}`);
  await writeImageNode(image as unknown as Image, path, { useCompression: compressed });
  return new Uint8Array(await readFile(path));
}

/** Where ITK places the image of a file. */
export async function placedByItk(path: string): Promise<Grid & { readonly numbers: ArrayLike<number> }> {
  const { origin, spacing, direction, size, data } = await readImageNode(path);
  const step = (axis: number): Vector =>
    [0, 1, 2].map((row) => Number(direction[3 * row + axis]) * spacing[axis]!) as unknown as Vector;
  return {
    size: size as unknown as Grid["size"],
    affine: { origin: origin as unknown as Vector, perColumn: step(0), perRow: step(1), perSlice: step(2) },
    numbers: data as unknown as ArrayLike<number>,
  };
}

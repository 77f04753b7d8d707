/**
 * What a segmentation tells of how it came to be: what was done to the model's answer, and whether its segments
 * may overlap. Pure.
 */
import type { Findings } from "../volume/volume.ts";
import type { Reduction, SegInput } from "./input.ts";
import type { Plan } from "./plan.ts";

/** What the gate found besides labels. */
export interface Lineage {
  readonly lostVoxels: number;
  /** Do voxels of two layers meet? */
  readonly layersMeet: boolean;
}

/** (0008,2111) Derivation Description; undefined where the answer was taken as it came. */
export function derivationDescription(
  { form }: Plan,
  { findings: { resampledFrom }, reduction }: SegInput,
  { lostVoxels }: Lineage,
): string | undefined {
  const said = [
    form !== "fractional" && reduction && REDUCTION[reduction.reduce](reduction.threshold),
    resampledFrom &&
      `Labels were found with voxels of ${resampledFrom.map((mm) => Number(mm.toFixed(4))).join(" x ")} mm and brought onto the grid of the source images by nearest neighbour.`,
    lostVoxels > 0 &&
      `${lostVoxels} labelled voxels lie on slices that are missing in the source series and are not shown.`,
  ].filter((sentence) => typeof sentence === "string");
  return said.length > 0 ? said.join(" ") : undefined;
}

const REDUCTION: Readonly<Record<Reduction["reduce"], (threshold: number) => string>> = {
  argmax: () => "A voxel belongs to the segment that is most probable there.",
  threshold: (threshold) =>
    `A voxel belongs to every segment whose probability there is ${threshold} or more.`,
};

/**
 * (0062,0013) Segments Overlap: "NO" lets a reader build one label map without looking.
 *
 * Probabilities of two segments nearly always share voxels, and which of them count is the reader's to say.
 */
export function overlapOf(
  plan: Plan,
  { layers }: Findings,
  { layersMeet }: Lineage,
): "YES" | "NO" | "UNDEFINED" {
  if (plan.form === "labelmap" || plan.numbers.size === 1) return "NO";
  if (plan.form === "fractional") return "UNDEFINED";
  return layers.length > 1 && layersMeet ? "YES" : "NO";
}

/** Is there a voxel that two layers label? */
export function doLayersMeet({ layers }: Findings): boolean {
  const [first, ...others] = layers;
  if (!first || others.length === 0) return false;
  const taken = new Uint8Array(first.length);
  for (const layer of layers)
    for (let voxel = 0; voxel < layer.length; voxel++) {
      if (layer[voxel] === 0) continue;
      if (taken[voxel] !== 0) return true;
      taken[voxel] = 1;
    }
  return false;
}

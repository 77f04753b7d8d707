/** How bone looks inside: a dense rind around a sponge. Pure. */
import type { Tint } from "./canvas.ts";
import { bumps } from "./texture.ts";
import { HU } from "./tissue.ts";

/** @param rind  thickness of the cortical bone, mm */
export function bone(z: number, rind: number): Tint {
  return (depth, x, y) =>
    depth < rind
      ? HU.cortical + 80 * bumps(x, y, z, 3)
      : HU.trabecular + 190 * bumps(x, y, z, 1.3) + 90 * bumps(x, y, z, 4);
}

/** Bone too thin to hold a sponge. */
export function plate(z: number): Tint {
  return (_, x, y) => HU.thinBone + 150 * bumps(x, y, z, 4);
}

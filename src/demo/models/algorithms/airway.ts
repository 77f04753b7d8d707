/**
 * Airway: the air inside the head, the maxillary sinuses apart where they are closed off.
 *
 * Out:  1 airway, 2 left and 3 right maxillary sinus. Without Hounsfield units what is dark and enclosed is 1: in an
 *       MR also dense bone.
 * Pure.
 */
import type { Scan } from "../scan.ts";
import { airOf, INSIDE } from "./body.ts";
import { type Component, componentsOf } from "./components.ts";
import { scaleOf } from "./grey.ts";

const AIRWAY = { airway: 1, sinusLeft: 2, sinusRight: 3 } as const;

/** mm³. */
const SMALLEST_POCKET = 60;
const SMALLEST_SINUS = 800;
/** mm from the middle of the airway. */
const SINUS_ASIDE = 12;

export function segmentAirway(scan: Scan): Uint8Array {
  const { size, spacing } = scan;
  const scale = scaleOf(scan);
  const air = airOf(scan, scale);
  for (let at = 0; at < air.length; at++) air[at] = air[at] === INSIDE ? 1 : 0;
  const voxel = spacing[0] * spacing[1] * spacing[2];
  const pockets = componentsOf(air, size);
  const kept = pockets.list.filter(({ voxels }) => voxels * voxel >= SMALLEST_POCKET);
  const labels = new Uint8Array(air.length);
  const airway = kept.toSorted((a, b) => score(b, size) - score(a, size))[0];
  if (!airway) return labels;
  pockets.paint(labels, (pocket) => {
    if (pocket === airway) return AIRWAY.airway;
    const volume = pocket.voxels * voxel;
    if (volume < SMALLEST_POCKET) return undefined;
    const aside = (pocket.centre[0] - airway.centre[0]) * spacing[0];
    if (Math.abs(aside) < SINUS_ASIDE) return AIRWAY.airway;
    const before = pocket.centre[1] < airway.centre[1];
    if (volume < SMALLEST_SINUS || !before || scale.kind !== "hounsfield") return undefined;
    return aside > 0 ? AIRWAY.sinusLeft : AIRWAY.sinusRight;
  });
  return labels;
}

/** Large, tall and in the middle. */
function score({ voxels, from, to, centre }: Component, size: Scan["size"]): number {
  const tall = (to[2] - from[2] + 1) / size[2];
  const aside = Math.abs(centre[0] / size[0] - 0.5);
  return voxels * tall * (aside < 0.12 ? 1 : 0.1);
}

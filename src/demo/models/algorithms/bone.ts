/**
 * Bone: threshold, gaps closed, pieces told apart by where they are.
 *
 * In:   a head, or anything else.
 * Out:  1 mandible, 2 maxilla and skull, 3 cervical spine, teeth with the jaw they stand in; or 4, bone, where the
 *       pieces hang together or are not those of a head.
 * Pure.
 */
import type { Scan, Size } from "../scan.ts";
import { type Component, componentsOf } from "./components.ts";
import { scaleOf, smoothed } from "./grey.ts";

const BONE = { mandible: 1, skull: 2, spine: 3, undivided: 4 } as const;

const BONE_ABOVE_HU = 400;
/** What the rind encloses in a slice: spongy bone, and marrow in small gaps of it. Holes are mm², at most. */
const SPONGE = { aboveHu: 110, largest: 8000 } as const;
const MARROW = { aboveHu: -60, largest: 30 } as const;
/** mm³, and as part of the largest piece: the rest is noise, or a head rest. */
const SMALLEST_PIECE = 300;
const SMALLEST_PART = 1 / 200;
/** mm. */
const JAW_BREADTH = 55;
const SPINE_HALF_BREADTH = 22;

export function segmentBone(scan: Scan): Uint8Array {
  const { size, spacing } = scan;
  const scale = scaleOf(scan);
  const values = smoothed(scan);
  const above = scale.kind === "hounsfield" ? BONE_ABOVE_HU : scale.bright;
  const mask = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) if (values[at]! > above) mask[at] = 1;
  for (const { aboveHu, largest } of scale.kind === "hounsfield" ? [SPONGE, MARROW] : []) {
    fillHoles(mask, values, { size, above: aboveHu, largest: largest / (spacing[0] * spacing[1]) });
  }
  const labels = new Uint8Array(values.length);
  const pieces = componentsOf(mask, size);
  const voxel = spacing[0] * spacing[1] * spacing[2];
  const largest = pieces.list.reduce((most, { voxels }) => Math.max(most, voxels), 0);
  const smallest = Math.max(SMALLEST_PIECE / voxel, SMALLEST_PART * largest);
  const kept = pieces.list.filter(({ voxels }) => voxels >= smallest);
  const name = scale.kind === "hounsfield" ? namesOf(kept, scan) : () => BONE.undivided;
  const wanted = new Set(kept);
  pieces.paint(labels, (piece) => (wanted.has(piece) ? name(piece) : undefined));
  return labels;
}

/** Holes in a slice of bone become bone, where they are not too large and dense enough. */
function fillHoles(
  mask: Uint8Array,
  values: Scan["values"],
  { size, above, largest }: { readonly size: Size; readonly above: number; readonly largest: number },
): void {
  const holes = mask.map((bone) => 1 - bone);
  componentsOf(holes, size, "slice").paint(holes, ({ voxels }) => (voxels <= largest ? 2 : undefined));
  for (let at = 0; at < mask.length; at++) if (holes[at] === 2 && values[at]! > above) mask[at] = 1;
}

/**
 * Two broad pieces at the front are the jaws, the lower one the mandible; what is narrow, at the back and in the
 * middle is spine; the rest belongs to the skull.
 */
function namesOf(pieces: readonly Component[], { spacing }: Scan): (piece: Component) => number {
  const breadth = ({ from, to }: Component): number => (to[0] - from[0]) * spacing[0];
  const front = Math.min(...pieces.map(({ from }) => from[1]));
  const back = Math.max(...pieces.map(({ to }) => to[1]));
  const jaws = pieces
    .filter((piece) => breadth(piece) > JAW_BREADTH && piece.from[1] < (front + back) / 2)
    .sort((a, b) => a.centre[2] - b.centre[2]);
  const [mandible, ...above] = jaws;
  if (!mandible || above.length === 0) return () => BONE.undivided;
  const middle = (mandible.from[0] + mandible.to[0]) / 2;
  return (piece) => {
    if (piece === mandible) return BONE.mandible;
    const aside = Math.abs(piece.centre[0] - middle) * spacing[0];
    const behind = piece.from[1] > mandible.centre[1];
    const narrow = breadth(piece) < 2 * JAW_BREADTH && aside < SPINE_HALF_BREADTH / 2;
    const low = piece.from[2] < mandible.to[2];
    return behind && narrow && low && !above.includes(piece) ? BONE.spine : BONE.skull;
  };
}

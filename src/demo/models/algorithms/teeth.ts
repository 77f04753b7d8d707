/**
 * Teeth: enamel shows the crowns, the arch orders them, everything as dense as dentin at their place is theirs.
 *
 * Out:  the FDI number of the tooth (ISO 3950) at each of its voxels; nothing where the two rows of crowns of a bite
 *       cannot be found, so nothing in an MR.
 * Pure.
 */
import type { Scan } from "../scan.ts";
import { type ArchMap, archOf } from "./arch.ts";
import { componentsOf } from "./components.ts";
import { scaleOf } from "./grey.ts";
import { LOWER_WIDTHS, type Profile, type ToothPlace, toothPlaces, UPPER_WIDTHS } from "./tooth-borders.ts";

const ENAMEL_HU = 2000;
const DENTIN_HU = 1380;
/** mm³; less enamel in one jaw is no row of teeth. */
const LEAST_ENAMEL = 800;
/** mm from the bite to the tips of the longest roots. */
const LONGEST_TOOTH = 30;
/** mm³ and mm²: smaller pieces are not teeth, smaller holes are pulp. */
const SMALLEST_TOOTH = 40;
const LARGEST_PULP = 30;
/** mm along the arch. */
const PROFILE_STEP = 0.4;

type JawName = "upper" | "lower";
/** Slices from `bottom` to `top` (not included). */
interface Jaw {
  readonly name: JawName;
  readonly bottom: number;
  readonly top: number;
}

export function segmentTeeth(scan: Scan): Uint8Array {
  const labels = new Uint8Array(scan.values.length);
  if (scaleOf(scan).kind !== "hounsfield") return labels;
  for (const jaw of jawsOf(scan)) labelJaw(scan, jaw, labels);
  return labels;
}

/** The bite is the emptiest slice between the two masses of enamel. */
function jawsOf({ size: [columns, rows, slices], spacing, values }: Scan): readonly Jaw[] {
  const area = columns * rows;
  const enamel = new Float64Array(slices);
  for (let at = 0; at < values.length; at++) {
    if (values[at]! > ENAMEL_HU) enamel[Math.floor(at / area)] = enamel[Math.floor(at / area)]! + 1;
  }
  const voxel = spacing[0] * spacing[1] * spacing[2];
  const total = enamel.reduce((sum, count) => sum + count, 0);
  const thick = Math.max(1, Math.round(1 / spacing[2]));
  let bite = -1;
  let emptiest = Number.POSITIVE_INFINITY;
  let below = 0;
  for (let k = 0; k < slices; k++) {
    below += enamel[k]!;
    if (below * voxel < LEAST_ENAMEL || (total - below) * voxel < LEAST_ENAMEL) continue;
    const around = enamel.slice(Math.max(0, k - thick), k + thick + 1);
    const mean = around.reduce((sum, count) => sum + count, 0) / around.length;
    if (mean < emptiest) [bite, emptiest] = [k, mean];
  }
  const fullest = Math.max(...enamel);
  if (bite < 0 || emptiest > 0.25 * fullest) return [];
  const reach = Math.round(LONGEST_TOOTH / spacing[2]);
  return [
    { name: "lower", bottom: Math.max(0, bite - reach), top: bite },
    { name: "upper", bottom: bite, top: Math.min(slices, bite + reach) },
  ];
}

function labelJaw(scan: Scan, jaw: Jaw, labels: Uint8Array): void {
  const { size, spacing, values } = scan;
  const [columns, rows] = size;
  const area = columns * rows;
  const counts = new Uint16Array(area);
  for (let at = jaw.bottom * area; at < jaw.top * area; at++) {
    if (values[at]! > ENAMEL_HU) counts[at % area] = counts[at % area]! + 1;
  }
  const arch = archOf({ columns, rows, spacing: [spacing[0], spacing[1]], counts });
  if (!arch) return;
  const places = toothPlaces(profileOf(arch, counts), jaw.name === "upper" ? UPPER_WIDTHS : LOWER_WIDTHS);
  const numbers = numbersOf(arch, places, jaw.name);
  const slab = new Uint8Array((jaw.top - jaw.bottom) * area);
  const offset = jaw.bottom * area;
  for (let at = 0; at < slab.length; at++) {
    if (values[offset + at]! > DENTIN_HU && numbers[at % area]! > 0) slab[at] = 1;
  }
  const slabSize = [columns, rows, jaw.top - jaw.bottom] as const;
  const voxel = spacing[0] * spacing[1] * spacing[2];
  const teeth = new Uint8Array(slab.length);
  componentsOf(slab, slabSize).paint(teeth, ({ voxels }) =>
    voxels * voxel >= SMALLEST_TOOTH ? 1 : undefined,
  );
  fillPulp(teeth, slabSize, LARGEST_PULP / (spacing[0] * spacing[1]));
  for (let at = 0; at < teeth.length; at++) if (teeth[at] !== 0) labels[offset + at] = numbers[at % area]!;
}

function profileOf(arch: ArchMap, counts: Uint16Array): Profile {
  const [right, left] = arch.ends;
  const zero = Math.round(-right / PROFILE_STEP);
  const amounts = new Float64Array(zero + Math.round(left / PROFILE_STEP) + 1);
  counts.forEach((count, at) => {
    if (count === 0 || Number.isNaN(arch.along[at]!)) return;
    const place = Math.round(arch.along[at]! / PROFILE_STEP) + zero;
    if (place >= 0 && place < amounts.length) amounts[place] = amounts[place]! + count;
  });
  return { amounts, step: PROFILE_STEP, zero };
}

/** The FDI number of the tooth that each pixel belongs to, if it is dense enough; 0 off the arch. */
function numbersOf(arch: ArchMap, places: readonly ToothPlace[], jaw: JawName): Uint8Array {
  const quadrant = { upper: { right: 10, left: 20 }, lower: { right: 40, left: 30 } }[jaw];
  const zero = Math.round(-arch.ends[0] / PROFILE_STEP);
  return Uint8Array.from(arch.along, (mm) => {
    const at = mm / PROFILE_STEP + zero;
    const tooth = places.find(({ from, to }) => at >= from && at < to);
    return tooth ? quadrant[tooth.side] + tooth.position : 0;
  });
}

/** Holes in a slice too small to be anything but pulp become tooth. */
function fillPulp(teeth: Uint8Array, size: readonly [number, number, number], largest: number): void {
  const holes = teeth.map((tooth) => 1 - tooth);
  componentsOf(holes, size, "slice").paint(teeth, ({ voxels }) => (voxels <= largest ? 1 : undefined));
}

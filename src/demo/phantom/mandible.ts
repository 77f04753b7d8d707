/**
 * The mandible: the body along the lower arch, the rami with coronoid processes, the condyles, the canal of the
 * inferior alveolar nerve.
 */
import { bone } from "./bone.ts";
import {
  along,
  type Canvas,
  millimetres,
  type Point,
  paint,
  sectionOf,
  segment,
  toSegment,
} from "./canvas.ts";
import type { CurveMap } from "./curve.ts";
import { HU, TISSUE } from "./tissue.ts";

export interface MandibleMaps {
  /** The curve along the lower border, through body and ramus. */
  readonly base: CurveMap;
  /** The curve of the lower teeth. */
  readonly arch: CurveMap;
}

export const MANDIBLE_BASE: readonly Point[] = [
  [0, -57],
  [9, -55],
  [18, -48.5],
  [26, -38],
  [34, -24],
  [41, -9],
  [46, 5],
  [50, 19],
  [53, 30],
];

/** Height of the alveolar crest, mm. */
const CREST_Z = 30;

const LOWER_BORDER = [
  [0, 3],
  [12, 3.5],
  [40, 6],
  [60, 8],
  [82, 13],
] as const;

/** (y, z) of the ramus seen from the side. */
const RAMUS: readonly Point[] = [
  [-12, 9],
  [-13, 29],
  [-8, 37],
  [-6.5, 50],
  [-6, 61],
  [-3.5, 66.5],
  [0, 63],
  [4, 56],
  [9, 53],
  [14, 55],
  [17.5, 62],
  [18.5, 71],
  [25.5, 71],
  [26, 62],
  [25.5, 48],
  [25, 34],
  [22.5, 23],
  [16, 14.5],
  [6, 10],
];

const CONDYLES = [{ at: [51.5, 22, 70.5], radii: [9.5, 4.6, 5] }] as const;

export function paintMandible(canvas: Canvas, maps: MandibleMaps): void {
  const { z } = canvas;
  const body = bodyAt(canvas, maps);
  const ramus = ramusAt(canvas, maps.base);
  const condyle = sectionOf(CONDYLES, z);
  const sponge = bone(z, 1.8);
  let pixel = 0;
  paint(
    canvas,
    { x: [-62, 62], y: [-66, 30] },
    {
      depth(x, y, at) {
        pixel = at;
        return Math.max(body(at), ramus(at), condyle ? condyle.depth(Math.abs(x), y) : 0);
      },
      tissue: TISSUE.mandible,
      tint(inside, x, y) {
        const canal = z < CREST_Z ? toCanal(maps, pixel, z) : Number.POSITIVE_INFINITY;
        if (canal < 1.2) return HU.cord;
        return canal < 1.8 ? HU.thinBone : sponge(inside, x, y);
      },
    },
  );
}

/** How far the teeth have drawn the body from the base to the tongue side, 0 to 1. */
function drawnInwards(backwards: number, z: number): number {
  return smooth((z - 8) / 16) * (1 - smooth((backwards - 60) / 20));
}

function bodyAt({ z }: Canvas, { base, arch }: MandibleMaps): (at: number) => number {
  if (z > CREST_Z + 0.5) return () => 0;
  return (at) => {
    const backwards = base.along[at]!;
    const outwards = base.across[at]!;
    if (backwards > 82 || Math.abs(outwards) > 28) return 0;
    const inwards = drawnInwards(backwards, z);
    const across = outwards + (arch.across[at]! - outwards) * inwards;
    if (Math.abs(across) > 8) return 0;
    const strength = 6.4 + inwards * (2.2 * smooth((backwards - 20) / 20) - 1.6);
    const half = strength * (1 - 0.35 * smooth((backwards - 62) / 20));
    const low = along(LOWER_BORDER, backwards);
    const middle = (CREST_Z + low) / 2;
    const tall = (z - middle) / (CREST_Z + 0.5 - middle);
    return (1 - Math.sqrt((across / half) ** 2 + tall ** 6)) * half;
  };
}

/** mm from the axis of the mandibular canal, from the mental foramen backwards. */
function toCanal({ base, arch }: MandibleMaps, at: number, z: number): number {
  const backwards = base.along[at]!;
  if (backwards < 31 || backwards > 80) return Number.POSITIVE_INFINITY;
  const across = base.across[at]! + (arch.across[at]! - base.across[at]!) * drawnInwards(backwards, z);
  const outwards = Math.max(0, 36 - backwards) * 1.2 - 1;
  const height = 14 + Math.max(0, backwards - 58) * 0.5;
  return Math.hypot(across - outwards, z - height);
}

function ramusAt({ z, rows, columns, spacing }: Canvas, base: CurveMap): (at: number) => number {
  const inside = Array.from({ length: rows }, (_, row) => depthIn(RAMUS, millimetres(row, rows, spacing), z));
  if (inside.every((depth) => depth <= 0)) return () => 0;
  return (at) => {
    const depth = inside[Math.floor(at / columns)]!;
    if (depth <= 0) return 0;
    const round = 1 - Math.min(1, depth / 4);
    return Math.min(depth, 3.7 * Math.sqrt(1 - round * round) - Math.abs(base.across[at]!));
  };
}

function smooth(t: number): number {
  const part = Math.min(1, Math.max(0, t));
  return part * part * (3 - 2 * part);
}

/** mm inside a polygon, negative outside. */
function depthIn(polygon: readonly Point[], x: number, y: number): number {
  let within = false;
  let distance = Number.POSITIVE_INFINITY;
  polygon.forEach((from, index) => {
    const to = polygon[(index + 1) % polygon.length]!;
    distance = Math.min(distance, toSegment(x, y, segment(from, to)));
    const [ax, ay] = from;
    const [bx, by] = to;
    if (ay > y !== by > y && x < ax + ((bx - ax) * (y - ay)) / (by - ay)) within = !within;
  });
  return within ? distance : -distance;
}

/**
 * Skin, fat and muscle of the lower face and neck: everything between the air around and the bones inside.
 */
import {
  along,
  type Canvas,
  inEllipse,
  millimetres,
  paint,
  paintBothSides,
  segment,
  toSegment,
} from "./canvas.ts";
import { bumps, fieldOf } from "./texture.ts";
import { HU, TISSUE } from "./tissue.ts";

/** y of the skin in the median plane, from under the chin to the bridge of the nose; the nose stands apart. */
const PROFILE = [
  [0, -50],
  [5, -63],
  [11, -68],
  [21, -65.5],
  [29, -70],
  [35, -71],
  [40, -67.5],
  [45, -71.5],
  [53, -68],
  [62, -67],
  [74, -64],
  [88, -62],
] as const;

/** Half of the greatest breadth. */
const BREADTH = [
  [0, 54],
  [12, 62],
  [32, 67],
  [52, 70],
  [88, 73],
] as const;

/** How far the head or the neck reaches behind y = 18. */
const LENGTH_BEHIND = [
  [0, 58],
  [40, 66],
  [70, 92],
] as const;

const NOSE_BASE_Z = 57;
const NOSE_TIP = [
  [57, 8],
  [62, 12],
  [68, 10],
  [88, 5],
] as const;
const NOSE_BREADTH = [
  [57, 15],
  [64, 16.5],
  [76, 11],
  [88, 9],
] as const;

const TONGUE_SEPTUM = segment([0, -44], [0, 4]);

const FATTY = { tint: HU.fat };
const GLAND = { tint: 5 };
const FIBRES = { tint: "fibres" } as const;

/** Heights, middle and half axes of what lies between skin and bone on both sides, mm. */
const PARTS = [
  { z: [38, 86], at: [38, -22], radii: [7, 13], ...FATTY }, // buccal fat pad
  { z: [16, 66], at: [53, 27], radii: [7, 9], ...GLAND }, // parotid gland
  { z: [-14, 14], at: [30, -2], radii: [9, 13], ...GLAND }, // submandibular gland
  { z: [6, 70], at: [55, 4], radii: [6, 14], ...FIBRES }, // masseter
  { z: [62, 100], at: [55, -2], radii: [6, 16], ...FIBRES }, // temporalis
  { z: [10, 58], at: [38, 12], radii: [4.5, 10], ...FIBRES }, // medial pterygoid
  { z: [56, 78], at: [34, 12], radii: [15, 5], ...FIBRES }, // lateral pterygoid
  { z: [-20, 74], at: [42, 44], radii: [7, 11], ...FIBRES }, // sternocleidomastoid
  { z: [-20, 90], at: [20, 64], radii: [17, 9], ...FIBRES }, // neck muscles
] as const;

export function paintFace(canvas: Canvas): void {
  paintOutline(canvas);
  const { hu } = canvas;
  const toSkin = distanceToSkin(canvas);
  const coarse = fieldOf(canvas, 11);
  const fine = fieldOf(canvas, 4);
  for (let at = 0; at < hu.length; at++) {
    if (toSkin[at]! > 1.6) hu[at] = flesh(toSkin[at]!, coarse[at]!, fine[at]!);
  }
  paintParts(canvas, toSkin);
  paintTongue(canvas);
}

function paintOutline(canvas: Canvas): void {
  const { z, rows, columns, spacing } = canvas;
  const breadth = along(BREADTH, z);
  const front = along(PROFILE, z);
  const behind = along(LENGTH_BEHIND, z);
  const halfBreadth = (y: number): number => {
    if (y >= 18) return breadth * Math.sqrt(Math.max(0, 1 - ((y - 18) / behind) ** 2));
    const forwards = (18 - y) / (18 - front);
    return forwards >= 1 ? 0 : breadth * (1 - forwards ** 2.5) ** 0.48;
  };
  for (let row = 0; row < rows; row++) {
    const half = Math.round(Math.min(halfBreadth(millimetres(row, rows, spacing)) / spacing, columns / 2));
    const middle = row * columns + columns / 2;
    canvas.hu.fill(HU.skin, middle - half, middle + half);
    canvas.tissue.fill(TISSUE.soft, middle - half, middle + half);
  }
  if (z < NOSE_BASE_Z) return;
  const tip = along(NOSE_TIP, z) + 4;
  const half = along(NOSE_BREADTH, z);
  const nose = (x: number, y: number): number => inEllipse(x, y - front - 4, half, tip);
  paint(
    canvas,
    { x: [-half, half], y: [-80, front + 4] },
    { depth: nose, tissue: TISSUE.soft, tint: HU.skin },
  );
}

/** Fat under the skin, muscle with planes of fat below. */
function flesh(depth: number, coarse: number, fine: number): number {
  if (depth < 4.5 + 2.5 * coarse) return HU.fat;
  return coarse > 0.42 ? HU.fat : HU.muscle + 22 * fine - 25 * Math.max(0, coarse);
}

function paintParts(canvas: Canvas, toSkin: Float32Array): void {
  const { z } = canvas;
  for (const part of PARTS) {
    const middle = (part.z[0] + part.z[1]) / 2;
    const t = (z - middle) / (part.z[1] - middle);
    if (Math.abs(t) >= 1) continue;
    const scale = Math.sqrt(1 - t ** 4);
    const [cx, cy] = part.at;
    const [rx, ry] = [part.radii[0] * scale, part.radii[1] * scale];
    const { tint } = part;
    paintBothSides(canvas, { x: [cx - rx, cx + rx], y: [cy - ry, cy + ry] }, () => ({
      depth: (x, y, at) => Math.min(inEllipse(x - cx, y - cy, rx, ry), toSkin[at]! - 4),
      tissue: undefined,
      tint: tint === "fibres" ? (_, x, y) => HU.muscle + 14 * bumps(x, y * 0.3, z, 2.5) : tint,
    }));
  }
}

function paintTongue(canvas: Canvas): void {
  const { z } = canvas;
  const high = Math.abs(z - 42) / 20;
  if (high >= 1) return;
  const half = 24 * Math.sqrt(1 - high ** 4);
  paint(
    canvas,
    { x: [-half, half], y: [-50, 14] },
    {
      depth: (x, y) => inEllipse(x, y + 18, half, 31),
      tissue: undefined,
      tint: (_, x, y) =>
        toSegment(x, y, TONGUE_SEPTUM) < 0.7 ? -30 : HU.muscle + 30 * bumps(x * 0.5, y, z * 0.7, 2.5),
    },
  );
}

/**
 * mm from every pixel of the body to the nearest one outside: a chamfer in two passes, 3 across and 4 askew,
 * over every second pixel.
 */
function distanceToSkin({ columns, rows, spacing, tissue }: Canvas): Float32Array {
  const across = (columns >> 1) + 2;
  const coarse = new Float32Array(across * ((rows >> 1) + 2));
  for (let row = 0; row < rows; row += 2) {
    const line = (1 + (row >> 1)) * across + 1;
    for (let column = 0; column < columns; column += 2) {
      if (tissue[row * columns + column] !== TISSUE.outside) coarse[line + (column >> 1)] = 1e6;
    }
  }
  const straight = spacing * 2;
  const skew = (straight * 4) / 3;
  const relax = (at: number, by: number): void => {
    if (coarse[at] === 0) return;
    coarse[at] = Math.min(
      coarse[at]!,
      coarse[at + by]! + straight,
      coarse[at + by * across]! + straight,
      coarse[at + by * (across + 1)]! + skew,
      coarse[at + by * (across - 1)]! + skew,
    );
  };
  const last = coarse.length - across - 2;
  for (let at = last; at > across; at--) relax(at, 1);
  for (let at = across + 1; at <= last; at++) relax(at, -1);
  const distance = new Float32Array(columns * rows);
  for (let row = 0, at = 0; row < rows; row++) {
    const line = (1 + (row >> 1)) * across + 1;
    for (let column = 0; column < columns; column++) distance[at++] = coarse[line + (column >> 1)]!;
  }
  return distance;
}

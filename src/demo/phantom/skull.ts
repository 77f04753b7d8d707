/**
 * The upper jaw and what of the skull the field of view holds: alveolar process, hard palate, walls of the
 * maxillary sinuses and of the nose, zygomas, pterygoid plates, temporal bones, skull base.
 */
import { bone, plate } from "./bone.ts";
import {
  along,
  type Canvas,
  type Ellipsoid,
  inEllipse,
  type Point,
  paint,
  paintBothSides,
  paintEllipsoids,
  type Side,
  segment,
  toSegment,
} from "./canvas.ts";
import type { CurveMap } from "./curve.ts";
import { TISSUE } from "./tissue.ts";

/** Lowest point of the upper alveolar bone, and the floor of the nose, mm. */
const CREST_Z = 50.5;
const NASAL_FLOOR_Z = 66;

const { skull } = TISSUE;

/** The air of the sinuses; the left one is the larger. */
const SINUS: Readonly<Record<Side, Ellipsoid>> = {
  1: { at: [27.5, -17, 78], radii: [12, 19, 14.5] },
  [-1]: { at: [27, -18, 78.5], radii: [11, 17, 13.5] },
};

const ZYGOMA = [{ at: [43, -27, 75], radii: [9, 7.5, 9] }] as const;
/** Eminence before the joint, roof over it, mastoid process behind, occipital condyle. */
const TEMPORAL: readonly Ellipsoid[] = [
  { at: [51, 8, 82], radii: [12, 10, 8.5] },
  { at: [51, 25, 88.5], radii: [14, 20, 10.4] },
  { at: [53, 42, 81], radii: [10, 13, 16] },
  { at: [17, 39, 81], radii: [6, 9, 5] },
];
/** The disc and the room around it keep the condyle off the skull. */
const JOINT = [{ at: [51.5, 22, 70.5], radii: [12, 7.2, 7.8] }] as const;

const PETROUS = segment([46, 32], [16, 22]);
const ZYGOMATIC_ARCH = [
  segment([47, -28], [58, -14]),
  segment([58, -14], [63, 0]),
  segment([63, 0], [60, 18]),
] as const;

/** mm inside the sinus enlarged by `by`, nearly. Seen from below it narrows towards the cheek. */
export function inSinus(side: Side, by: number, x: number, y: number, z: number): number {
  const { at, radii } = SINUS[side];
  const outwards = (x - at[0]) / (radii[0] + by);
  const a = Math.abs(outwards);
  const b = Math.abs(y - at[1]) / ((radii[1] + by) * (0.98 - 0.32 * outwards));
  const c = Math.abs(z - at[2]) / (radii[2] + by);
  if (a > 1 || b > 1 || c > 1) return -1;
  return (1 - Math.cbrt(a * a * a + b * b * b + c * c * c)) * (radii[0] + by);
}

/** Under surface of the hard palate, `inwards` mm from the line of the teeth. */
export function palateZ(inwards: number): number {
  return CREST_Z + 12.5 * (1 - Math.exp(-Math.max(0, inwards - 4.5) / 6));
}

/** Half of the breadth of the nasal cavity: a pear seen from the front, a spindle seen from below. */
export function nasalHalfBreadth(y: number, z: number): number {
  return NASAL_BREADTH(z) * (1 - 0.36 * ((y + 22) / 33) ** 2);
}

const NASAL_BREADTH = (z: number): number =>
  along(
    [
      [66, 12.5],
      [72, 13.6],
      [80, 11.5],
      [90, 7.5],
    ],
    z,
  );

export function paintSkull(canvas: Canvas, arch: CurveMap): void {
  const { z } = canvas;
  if (z > CREST_Z - 1 && z < 72) paintUpperJaw(canvas, arch);
  if (z > 60) paintSinusWalls(canvas);
  if (z > NASAL_FLOOR_Z - 1) paintNasalWalls(canvas);
  if (z > 57) paintPterygoids(canvas);
  paintEllipsoids(canvas, ZYGOMA, { tissue: skull, tint: bone(z, 1.6) });
  paintSides(canvas);
  if (z > 73) paintBase(canvas);
}

function paintUpperJaw(canvas: Canvas, arch: CurveMap): void {
  const { z } = canvas;
  const rounding = Math.sqrt(Math.min(1, Math.max(0, (z - CREST_Z) / 4)));
  const top = Math.sqrt(Math.min(1, Math.max(0, (72 - z) / 7)));
  const narrowing = 1 - Math.max(0, z - 56) / 60;
  paint(
    canvas,
    { x: [-40, 40], y: [-62, 8] },
    {
      depth: (_x, y, at) => {
        const across = arch.across[at]!;
        const s = arch.along[at]!;
        const end = Math.max(0, (s - 56) / 13);
        const half =
          end >= 1
            ? 0
            : (4.9 + Math.min(1.8, s / 20)) * Math.sqrt(1 - end * end) * rounding * top * narrowing;
        const process = half - Math.abs(across);
        if (across > 0 || y > 3) return process;
        return Math.max(process, Math.min(z - palateZ(-across), NASAL_FLOOR_Z - z, 3 - y));
      },
      tissue: skull,
      tint: bone(z, 1.1),
    },
  );
}

function paintSinusWalls(canvas: Canvas): void {
  const { z } = canvas;
  paintBothSides(canvas, { x: [12, 43], y: [-44, 10] }, (side) => ({
    depth: (x, y) => inSinus(side, 1.7, x, y, z),
    tissue: skull,
    tint: bone(z, 1.7),
  }));
}

function paintNasalWalls(canvas: Canvas): void {
  const { z } = canvas;
  paintBothSides(canvas, { x: [0, 16], y: [-53, 6] }, () => ({
    depth: (x, y) => {
      const outside = x - nasalHalfBreadth(y, z);
      return Math.min(1.7 - outside, outside, y + 53, 6 - y);
    },
    tissue: skull,
    tint: plate(z),
  }));
  // From the rim of the nose to the cheek; higher up the nasal bones close the ridge.
  const lean = (z - NASAL_FLOOR_Z) / 22;
  const rim: Point = [nasalHalfBreadth(-53, z) + 1.5, -53 - 2 * lean];
  const toCheek = segment(rim, [20, -37]);
  const toRidge = segment(rim, [2.5, -57 - 4 * lean]);
  paintBothSides(canvas, { x: [0, 24], y: [-66, -34] }, () => ({
    depth: (x, y) => Math.max(1.7 - toSegment(x, y, toCheek), z > 77 ? 1.2 - toSegment(x, y, toRidge) : 0),
    tissue: skull,
    tint: bone(z, 1.1),
  }));
}

function paintPterygoids(canvas: Canvas): void {
  const { z } = canvas;
  const spread = (88 - z) * 0.06;
  const lateral = segment([15, 1], [21 + spread, 12]);
  const medial = segment([15, 1], [14, 11 - spread]);
  paintBothSides(canvas, { x: [9, 30], y: [-2, 15] }, () => ({
    depth: (x, y) => 1.2 - Math.min(toSegment(x, y, lateral), toSegment(x, y, medial)),
    tissue: skull,
    tint: plate(z),
  }));
}

function paintSides(canvas: Canvas): void {
  const { z } = canvas;
  const arch = 2.4 * Math.sqrt(Math.max(0, 1 - ((z - 74.5) / 4.5) ** 2));
  if (arch > 0) {
    paintBothSides(canvas, { x: [42, 68], y: [-32, 24] }, () => ({
      depth: (x, y) =>
        arch -
        Math.min(
          toSegment(x, y, ZYGOMATIC_ARCH[0]),
          toSegment(x, y, ZYGOMATIC_ARCH[1]),
          toSegment(x, y, ZYGOMATIC_ARCH[2]),
        ),
      tissue: skull,
      tint: bone(z, 1.3),
    }));
  }
  paintEllipsoids(canvas, TEMPORAL, { tissue: skull, tint: bone(z, 1.8) });
  if (z > 50 && z < 76) {
    const [x0, y0] = [44 - (72 - z) * 0.35, 33 - (72 - z) * 0.3];
    paintBothSides(canvas, { x: [x0 - 2, x0 + 2], y: [y0 - 2, y0 + 2] }, () => ({
      depth: (x, y) => 1.6 - Math.hypot(x - x0, y - y0), // styloid process
      tissue: skull,
      tint: bone(z, 1.8),
    }));
  }
  paintEllipsoids(canvas, JOINT, { tissue: TISSUE.soft, tint: 60 });
}

/** Petrous ridges, clivus and occipital bone. */
function paintBase(canvas: Canvas): void {
  const { z } = canvas;
  const tint = bone(z, 1.6);
  if (z > 79) {
    const thick = 6.5 * Math.sqrt(1 - ((90 - z) / 11) ** 2);
    paintBothSides(canvas, { x: [8, 54], y: [14, 42] }, () => ({
      depth: (x, y) => thick - toSegment(x, y, PETROUS),
      tissue: skull,
      tint,
    }));
    const clivus = 25 + (90 - z) * 0.35;
    paint(
      canvas,
      { x: [-13, 13], y: [18, 40] },
      { depth: (x, y) => inEllipse(x, y - clivus, 13, 4.5), tissue: skull, tint },
    );
  }
  if (z < 73) return;
  const ring = 58 * Math.min(1, 0.7 + (z - 64) * 0.0125);
  paint(
    canvas,
    { x: [-64, 64], y: [48, 80] },
    {
      depth: (x, y) =>
        Math.min(3.2 - Math.abs(inEllipse(x, y - 18, ring, ring + 3)), (z - 73) * 1.5, (y - 48) * 0.5),
      tissue: skull,
      tint,
    },
  );
}

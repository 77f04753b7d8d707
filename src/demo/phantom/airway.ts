/**
 * Air inside the head: nostrils, nose with septum and turbinates, the gap over the tongue, pharynx, sinuses.
 */
import { plate } from "./bone.ts";
import { along, type Canvas, inEllipse, paint, paintBothSides } from "./canvas.ts";
import type { CurveMap } from "./curve.ts";
import { inSinus, nasalHalfBreadth, palateZ } from "./skull.ts";
import { HU, TISSUE } from "./tissue.ts";

const PHARYNX: readonly {
  readonly z: number;
  readonly y: number;
  readonly rx: number;
  readonly ry: number;
}[] = [
  { z: -1, y: 16, rx: 9, ry: 7 },
  { z: 14, y: 16, rx: 12, ry: 7.5 },
  { z: 30, y: 17, rx: 10.5, ry: 8 },
  { z: 44, y: 17, rx: 10, ry: 7.5 },
  { z: 56, y: 20, rx: 10, ry: 5 },
  { z: 64, y: 17, rx: 11, ry: 8.5 },
  { z: 78, y: 13, rx: 12, ry: 9.5 },
  { z: 90, y: 11, rx: 11, ry: 7 },
];

const pharynx = (what: "y" | "rx" | "ry", z: number): number =>
  along(
    PHARYNX.map((level) => [level.z, level[what]] as const),
    z,
  );

export function paintAirway(canvas: Canvas, upperArch: CurveMap): void {
  paintSinuses(canvas);
  paintNose(canvas);
  paintMouth(canvas, upperArch);
  const { z } = canvas;
  const centre = pharynx("y", z);
  const [rx, ry] = [pharynx("rx", z), pharynx("ry", z)];
  air(canvas, { x: [-13, 13], y: [2, 28] }, (x, y) => inEllipse(x, y - centre, rx, ry));
}

function air(
  canvas: Canvas,
  box: Parameters<typeof paint>[1],
  depth: (x: number, y: number, at: number) => number,
): void {
  paint(canvas, box, { depth, tissue: TISSUE.airway, tint: HU.air });
}

function paintSinuses(canvas: Canvas): void {
  const { z } = canvas;
  if (z < 62) return;
  for (const [by, tissue, tint] of [
    [0.8, TISSUE.soft, HU.mucosa],
    [0, undefined, HU.air],
  ] as const) {
    paintBothSides(canvas, { x: [13, 42], y: [-43, 9] }, (side) => ({
      depth: (x, y) => inSinus(side, by, x, y, z),
      tissue: tissue ?? (side > 0 ? TISSUE.sinusLeft : TISSUE.sinusRight),
      tint,
    }));
  }
}

function paintNose(canvas: Canvas): void {
  const { z } = canvas;
  if (z > 57 && z < 71) {
    const forwards = -67 + (z - 57) * 0.6;
    paintBothSides(canvas, { x: [0, 12], y: [-76, -48] }, () => ({
      depth: (x, y) => inEllipse(x - 6.2, y - forwards, 3.2, 4.6),
      tissue: TISSUE.airway,
      tint: HU.air,
    }));
  }
  if (z < 67.5) return;
  const front = -57 - Math.min(3, (z - 67.5) * 0.3);
  air(canvas, { x: [-15, 15], y: [-62, 9] }, (x, y) =>
    Math.min(nasalHalfBreadth(y, z) - 0.5 - Math.abs(x), y - front, 8 - y),
  );
  const inTurbinates = (x: number, y: number): number =>
    Math.max(
      turbinate(x - 10, (y + 23) / 23, z - 72.5, 3.2, 4.2),
      turbinate(x - 7.2, (y + 19) / 19, z - 83, 2.4, 3.6),
    );
  paintBothSides(canvas, { x: [4, 14], y: [-46, 1] }, () => ({
    depth: inTurbinates,
    tissue: TISSUE.soft,
    tint: HU.mucosa,
  }));
  paintBothSides(canvas, { x: [6, 13], y: [-44, -2] }, () => ({
    depth: (x, y) => inTurbinates(x, y) - 1.9,
    tissue: TISSUE.skull,
    tint: plate(z),
  }));
  const bend = (y: number): number => 1.6 * Math.sin((y + 30) / 14) * Math.sin((z - 64) / 9);
  for (const [thick, tissue, tint] of [
    [1.5, TISSUE.soft, HU.mucosa],
    [0.6, TISSUE.soft, HU.cartilage],
  ] as const) {
    paint(
      canvas,
      { x: [-5, 5], y: [-62, 4] },
      { depth: (x, y) => thick - Math.abs(x - bend(y)), tissue, tint },
    );
  }
}

/** A roll along the wall of the nose, thinner at both ends (`along` ±1). */
function turbinate(dx: number, along: number, dz: number, rx: number, rz: number): number {
  const taper = Math.sqrt(Math.max(0, 1 - along ** 4));
  return inEllipse(dx, dz, rx * taper, rz * taper);
}

/** A gap of 2.4 mm between tongue and palate, and on under the soft palate to the pharynx. */
function paintMouth(canvas: Canvas, arch: CurveMap): void {
  const { z } = canvas;
  if (z < 46 || z > 64) return;
  air(canvas, { x: [-24, 24], y: [-46, 16] }, (x, y, at) => {
    if (y <= 3) {
      const inwards = -arch.across[at]!;
      return inwards < 9.5 ? 0 : 1.2 - Math.abs(z - palateZ(inwards) + 2.7);
    }
    const height = 60.2 - (y - 3) * 1.35;
    const half = Math.min(12, 21 - (y - 3) * 1.2);
    return Math.min(1.2 - Math.abs(z - height) / 1.6, half - Math.abs(x));
  });
}

/**
 * The upper cervical spine: atlas, axis with its dens, third and fourth vertebra; the spinal canal stays soft.
 */
import { bone } from "./bone.ts";
import { type Canvas, inEllipse, paint, paintEllipsoids, segment, toSegment } from "./canvas.ts";
import { HU, TISSUE } from "./tissue.ts";

const { vertebra } = TISSUE;
const CANAL_Y = 52;

/** Middle and half of the height of each body, and how far back it stands. */
const BODIES = [
  { z: 8.5, half: 7, y: 39.5 },
  { z: 26, half: 7, y: 38.5 },
  { z: 45, half: 8.5, y: 39 },
] as const;

const PEDICLE = segment([8, 42], [16, 44]);
const LAMINA = segment([15, 50], [2, 61]);
const ATLAS_FRONT = segment([0, 30.6], [14, 36]);
const ATLAS_TRANSVERSE = segment([24, 44], [31, 46]);
const ATLAS_MASS = [{ at: [18, 42, 64], radii: [8, 9, 7.5] }] as const;

export function paintSpine(canvas: Canvas): void {
  const { z } = canvas;
  paintAtlas(canvas);
  for (const body of BODIES) paintVertebra(canvas, body);
  if (z > 50 && z < 75) {
    const half = 5.2 * Math.min(1, Math.sqrt((75 - z) / 4));
    paint(
      canvas,
      { x: [-6, 6], y: [32, 46] },
      { depth: (x, y) => half - Math.hypot(x, y - 39), tissue: vertebra, tint: bone(z, 1.4) },
    );
  }
  paint(
    canvas,
    { x: [-9, 9], y: [44, 60] },
    { depth: (x, y) => inEllipse(x, y - CANAL_Y, 8, 5.5), tissue: TISSUE.soft, tint: HU.cord },
  );
}

function paintVertebra(canvas: Canvas, body: (typeof BODIES)[number]): void {
  const t = (canvas.z - body.z) / body.half;
  if (Math.abs(t) >= 1) return;
  const round = Math.sqrt(1 - t ** 8);
  const size = (0.9 + 0.1 * t * t) * round;
  const arched = Math.abs(t) < 0.75;
  const process = segment([0, 61], [0, 69 - 4 * t]);
  paint(
    canvas,
    { x: [-26, 26], y: [28, 77] },
    {
      depth: (x, y) => {
        const ax = Math.abs(x);
        const corpus = inEllipse(x, y - body.y, 10 * size, 7.6 * size);
        const pillar = inEllipse(ax - 18, y - 45, 6 * round, 7 * round);
        if (!arched) return Math.max(corpus, pillar);
        const pedicle = 2.4 - toSegment(ax, y, PEDICLE);
        const lamina = 2.2 - toSegment(ax, y, LAMINA);
        const spine = t < 0.5 ? 2.8 - toSegment(x, y, process) : 0;
        return Math.max(corpus, pillar, pedicle, lamina, spine);
      },
      tissue: vertebra,
      tint: bone(canvas.z, 1.2),
    },
  );
}

function paintAtlas(canvas: Canvas): void {
  const { z } = canvas;
  const tint = bone(z, 1.4);
  const high = (z - 64) / 5.5;
  if (Math.abs(high) < 1) {
    const round = 3 * Math.sqrt(1 - high ** 4);
    paint(
      canvas,
      { x: [-34, 34], y: [24, 72] },
      {
        depth: (x, y) => {
          const ax = Math.abs(x);
          const front = round - toSegment(ax, y, ATLAS_FRONT);
          const back = y > 46 ? round - Math.abs(inEllipse(x, y - 48, 22, 18)) : 0;
          const transverse = round - toSegment(ax, y, ATLAS_TRANSVERSE);
          return Math.max(front, back, transverse);
        },
        tissue: vertebra,
        tint,
      },
    );
  }
  paintEllipsoids(canvas, ATLAS_MASS, { tissue: vertebra, tint });
}

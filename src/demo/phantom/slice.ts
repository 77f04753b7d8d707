/**
 * One slice of the phantom: the anatomy painted from the outside in, then what the device adds to it.
 *
 * In:   the shape of the volume, the curves of the jaws mapped once, the number of the slice.
 * Out:  Hounsfield units and tissues of that slice.
 * Pure: the same slice every time; the grain depends on the number of the slice only.
 */
import { paintAirway } from "./airway.ts";
import { type Canvas, millimetres } from "./canvas.ts";
import { type CurveMap, curveThrough, mapOf } from "./curve.ts";
import { paintFace } from "./face.ts";
import { MANDIBLE_BASE, paintMandible } from "./mandible.ts";
import { paintSkull } from "./skull.ts";
import { paintSpine } from "./spine.ts";
import { LOWER_ARCH, paintTeeth, UPPER_ARCH } from "./teeth.ts";
import { grain, hash } from "./texture.ts";
import { HU, TISSUE } from "./tissue.ts";

export interface Shape {
  readonly columns: number;
  readonly rows: number;
  readonly slices: number;
  /** mm, the same in all directions. */
  readonly spacing: number;
}

/** What all slices of a shape have in common. */
export interface Plan {
  readonly shape: Shape;
  readonly base: CurveMap;
  readonly lower: CurveMap;
  readonly upper: CurveMap;
  /** What the rings of the detector add at each pixel, HU. */
  readonly rings: Float32Array;
}

/** Radius of the field of view, mm; the device sees nothing outside. */
const FIELD_RADIUS = 79.5;
/** HU; one standard deviation of the grain. */
const GRAIN = 52;
const CURVE_REACH = 40;

export function planFor(shape: Shape): Plan {
  return {
    shape,
    base: mapOf(curveThrough(MANDIBLE_BASE), shape, CURVE_REACH),
    lower: mapOf(LOWER_ARCH, shape, CURVE_REACH),
    upper: mapOf(UPPER_ARCH, shape, CURVE_REACH),
    rings: ringsOf(shape),
  };
}

/**
 * @param hu  columns × rows of scratch; holds the Hounsfield units afterwards
 * @param tissue  columns × rows; holds the tissues (tissue.ts) afterwards
 */
export function paintSlice(plan: Plan, index: number, { hu, tissue }: Pick<Canvas, "hu" | "tissue">): void {
  const { columns, rows, spacing } = plan.shape;
  const canvas: Canvas = { columns, rows, spacing, z: (index + 0.5) * spacing, hu, tissue };
  hu.fill(HU.air);
  tissue.fill(TISSUE.outside);
  paintFace(canvas);
  paintSpine(canvas);
  paintSkull(canvas, plan.upper);
  paintMandible(canvas, { base: plan.base, arch: plan.lower });
  paintTeeth(canvas);
  paintAirway(canvas, plan.upper);
  expose(canvas, plan, index);
}

/** The device: a little blur, cupping towards the middle, weaker beams at both ends, rings, grain, its own edge. */
function expose(canvas: Canvas, plan: Plan, index: number): void {
  const { columns, rows, spacing, hu, tissue } = canvas;
  blur(hu, columns, rows);
  const noise = grain(hash(index + 1));
  const middle = plan.shape.slices / 2;
  const end = ((index - middle) / middle) ** 2 * 30;
  for (let row = 0, at = 0; row < rows; row++) {
    const y = millimetres(row, rows, spacing);
    for (let column = 0; column < columns; column++, at++) {
      const x = millimetres(column, columns, spacing);
      const radius = (x * x + y * y) / (FIELD_RADIUS * FIELD_RADIUS);
      const value = hu[at]! + plan.rings[at]! - 60 * (1 - radius) - end + GRAIN * noise();
      if (radius > 1) {
        hu[at] = HU.air;
        tissue[at] = TISSUE.outside;
      } else hu[at] = Math.min(3095, Math.max(-1000, Math.round(value)));
    }
  }
}

/** [0.2 0.6 0.2] along the rows and the columns: partial volume at every border. */
function blur(values: Float32Array, columns: number, rows: number): void {
  for (const [step, lines, length, stride] of [
    [1, rows, columns, columns],
    [columns, columns, rows, 1],
  ] as const) {
    for (let line = 0; line < lines; line++) {
      let before = values[line * stride]!;
      for (let i = 1, at = line * stride + step; i < length - 1; i++, at += step) {
        const here = values[at]!;
        values[at] = 0.6 * here + 0.2 * (before + values[at + step]!);
        before = here;
      }
    }
  }
}

function ringsOf({ columns, rows, spacing }: Shape): Float32Array {
  const rings = new Float32Array(columns * rows);
  for (let row = 0, at = 0; row < rows; row++) {
    const y = millimetres(row, rows, spacing);
    for (let column = 0; column < columns; column++, at++) {
      const radius = Math.hypot(millimetres(column, columns, spacing), y);
      rings[at] = (hash(Math.round(radius / 0.4)) / 0xffffffff - 0.5) * (radius < 8 ? 44 : 16);
    }
  }
  return rings;
}

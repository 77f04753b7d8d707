/**
 * A dental arch as a plane curve: for every pixel, how far from the curve and how far along it. Pure.
 *
 * The curve is given for the patient's left half, from the midline backwards, and mirrored.
 */
import { millimetres, type Point } from "./canvas.ts";

/** One half of an arch, sampled evenly. */
export interface Curve {
  readonly points: readonly Point[];
  /** mm between two points, along the curve. */
  readonly step: number;
}

/** Of every pixel of a slice, row by row. */
export interface CurveMap {
  /** mm from the curve; positive on the cheek side, negative on the tongue side. */
  readonly across: Float32Array;
  /** mm along the curve from the midline, the same on both sides. */
  readonly along: Float32Array;
}

const STEP = 0.25;
/** mm. */
const FAR = 99;

/** A smooth curve through the points (centripetal enough for evenly placed ones: Catmull and Rom). */
export function curveThrough(knots: readonly Point[]): Curve {
  const first = knots[0]!;
  const second = knots[1]!;
  const last = knots.at(-1)!;
  const before = knots.at(-2)!;
  const padded: Point[] = [
    [-second[0], second[1]],
    ...knots,
    [2 * last[0] - before[0], 2 * last[1] - before[1]],
  ];
  const fine: Point[] = [];
  for (let i = 1; i + 2 < padded.length; i++) {
    for (let t = 0; t < 1; t += 1 / 64) {
      fine.push([0, 1].map((axis) => spline(padded, i, axis as 0 | 1, t)) as unknown as Point);
    }
  }
  fine.push(last);
  return { points: evenly(first, fine), step: STEP };
}

/** The point `s` mm along the left half, and the direction there (unit length, backwards). */
export function at(curve: Curve, s: number): { readonly point: Point; readonly direction: Point } {
  const { points, step } = curve;
  const index = Math.min(Math.max(s / step, 0), points.length - 1.001);
  const low = Math.floor(index);
  const a = points[low]!;
  const b = points[low + 1]!;
  const t = index - low;
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
  return {
    point: [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t],
    direction: [(b[0] - a[0]) / length, (b[1] - a[1]) / length],
  };
}

/** @param reach  mm; farther pixels count as far outside */
export function mapOf(
  curve: Curve,
  slice: { readonly columns: number; readonly rows: number; readonly spacing: number },
  reach: number,
): CurveMap {
  const { columns, rows, spacing } = slice;
  const across = new Float32Array(columns * rows).fill(FAR);
  const alongIt = new Float32Array(columns * rows);
  const nearest = new Float32Array(columns * rows).fill(reach * reach);
  curve.points.forEach(([px, py], index) => {
    const { direction } = at(curve, index * curve.step);
    const fromRow = Math.max(0, Math.floor((py - reach) / spacing + (rows - 1) / 2));
    const toRow = Math.min(rows, Math.ceil((py + reach) / spacing + (rows - 1) / 2));
    const fromColumn = Math.floor(Math.max(0, px - reach) / spacing + (columns - 1) / 2);
    const toColumn = Math.min(columns, Math.ceil((px + reach) / spacing + (columns - 1) / 2));
    for (let row = fromRow; row < toRow; row++) {
      const dy = millimetres(row, rows, spacing) - py;
      for (let column = fromColumn; column < toColumn; column++) {
        const dx = Math.abs(millimetres(column, columns, spacing)) - px;
        const squared = dx * dx + dy * dy;
        const pixel = row * columns + column;
        if (squared >= nearest[pixel]!) continue;
        nearest[pixel] = squared;
        // Backwards along the left half, the cheek lies to the right-hand side of the direction turned outwards.
        const outside = dx * direction[1] - dy * direction[0] > 0;
        across[pixel] = outside ? Math.sqrt(squared) : -Math.sqrt(squared);
        alongIt[pixel] = index * curve.step;
      }
    }
  });
  mirror(across, columns);
  mirror(alongIt, columns);
  return { across, along: alongIt };
}

/** Only x ≥ 0 was mapped; the other half is the same. */
function mirror(values: Float32Array, columns: number): void {
  for (let row = 0; row < values.length; row += columns) {
    for (let column = 0; column < columns >> 1; column++) {
      values[row + column] = values[row + columns - 1 - column]!;
    }
  }
}

function spline(points: readonly Point[], i: number, axis: 0 | 1, t: number): number {
  const [a, b, c, d] = [points[i - 1]![axis], points[i]![axis], points[i + 1]![axis], points[i + 2]![axis]];
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

function evenly(first: Point, fine: readonly Point[]): readonly Point[] {
  const points: Point[] = [first];
  let [x, y] = first;
  for (const [px, py] of fine) {
    for (let gap = Math.hypot(px - x, py - y); gap >= STEP; gap = Math.hypot(px - x, py - y)) {
      x += ((px - x) * STEP) / gap;
      y += ((py - y) * STEP) / gap;
      points.push([x, y]);
    }
  }
  return points;
}

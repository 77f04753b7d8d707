/**
 * The curve on which the crowns of one jaw stand, and how far along it every pixel lies. Pure.
 *
 * Seen from a point between the rear teeth the crowns surround it; the mean distance in each direction is the curve.
 */

/** Seen from above: how many voxels of enamel each pixel holds, in all slices of one jaw. */
export interface Footprint {
  readonly columns: number;
  readonly rows: number;
  /** mm between columns, and between rows. */
  readonly spacing: readonly [x: number, y: number];
  readonly counts: Uint16Array;
}

/** Of every pixel near the curve; NaN elsewhere. */
export interface ArchMap {
  /** mm from the midline, positive to the patient's left. */
  readonly along: Float32Array;
  /** mm between the two ends of the curve, as `along` counts. */
  readonly ends: readonly [right: number, left: number];
}

type Point = readonly [x: number, y: number];

/** Degrees. */
const SECTOR = 3;
const WIDEST = 120;
/** mm: the point looked from lies this far before the end of the rear teeth. */
const BEFORE_END = 12;
const STEP = 0.4;
/** mm beside the curve, and beyond its ends. */
const REACH = 8;
const BEYOND = 6;

/** @returns undefined if the footprint is not that of a dental arch */
export function archOf(footprint: Footprint): ArchMap | undefined {
  const { columns, rows, spacing, counts } = footprint;
  const x = quantiles(counts, columns, (at) => at % columns);
  const y = quantiles(counts, rows, (at) => Math.floor(at / columns));
  const breadth = (x.high - x.low) * spacing[0];
  const length = (y.high - y.low) * spacing[1];
  if (breadth < 30 || breadth > 90 || length < 20 || length > 80) return undefined;
  const eye: Point = [((x.low + x.high) / 2) * spacing[0], y.high * spacing[1] - BEFORE_END];
  const radii = radiiFrom(eye, footprint);
  const seen = radii.flatMap((radius, sector) => (radius === undefined ? [] : [sector]));
  const [first, last] = [seen[0], seen.at(-1)];
  if (first === undefined || last === undefined || seen.length < (0.7 * 2 * 60) / SECTOR) return undefined;
  const curve = evenly(pointsOf(eye, smooth(filled(radii.slice(first, last + 1))), first));
  const middle = curve.reduce(
    (best, [px], at) => (Math.abs(px - eye[0]) < Math.abs(curve[best]![0] - eye[0]) ? at : best),
    0,
  );
  return mapOf(extended(curve), middle + BEYOND / STEP, footprint);
}

function quantiles(
  counts: Uint16Array,
  length: number,
  coordinate: (at: number) => number,
): { readonly low: number; readonly high: number } {
  const sums = new Float64Array(length);
  let total = 0;
  counts.forEach((count, at) => {
    sums[coordinate(at)] = sums[coordinate(at)]! + count;
    total += count;
  });
  const reach = (part: number): number => {
    let sum = 0;
    return sums.findIndex((count) => (sum += count) >= part * total);
  };
  return { low: reach(0.005), high: reach(0.995) };
}

/** Mean distance of the enamel in each direction, from -WIDEST (right) over the front to +WIDEST. */
function radiiFrom([ex, ey]: Point, { columns, spacing, counts }: Footprint): (number | undefined)[] {
  const sectors = (2 * WIDEST) / SECTOR + 1;
  const weight = new Float64Array(sectors);
  const moment = new Float64Array(sectors);
  counts.forEach((count, at) => {
    if (count === 0) return;
    const dx = (at % columns) * spacing[0] - ex;
    const dy = Math.floor(at / columns) * spacing[1] - ey;
    const sector = Math.round(((Math.atan2(dx, -dy) * 180) / Math.PI + WIDEST) / SECTOR);
    if (sector < 0 || sector >= sectors) return;
    weight[sector] = weight[sector]! + count;
    moment[sector] = moment[sector]! + count * Math.hypot(dx, dy);
  });
  return Array.from(weight, (w, sector) => (w > 0 ? moment[sector]! / w : undefined));
}

function filled(radii: readonly (number | undefined)[]): number[] {
  return radii.map((radius, at) => {
    if (radius !== undefined) return radius;
    let [before, after] = [at, at];
    while (radii[before] === undefined) before--;
    while (radii[after] === undefined) after++;
    return radii[before]! + ((radii[after]! - radii[before]!) * (at - before)) / (after - before);
  });
}

function smooth(values: readonly number[]): number[] {
  let out = [...values];
  for (let pass = 0; pass < 4; pass++) {
    out = out.map((value, at) =>
      at === 0 || at === out.length - 1 ? value : (out[at - 1]! + 2 * value + out[at + 1]!) / 4,
    );
  }
  return out;
}

function pointsOf([ex, ey]: Point, radii: readonly number[], first: number): Point[] {
  return radii.map((radius, at) => {
    const angle = (((first + at) * SECTOR - WIDEST) * Math.PI) / 180;
    return [ex + radius * Math.sin(angle), ey - radius * Math.cos(angle)];
  });
}

function evenly(points: readonly Point[]): Point[] {
  let [x, y] = points[0]!;
  const even: Point[] = [[x, y]];
  for (const [px, py] of points) {
    for (let gap = Math.hypot(px - x, py - y); gap >= STEP; gap = Math.hypot(px - x, py - y)) {
      x += ((px - x) * STEP) / gap;
      y += ((py - y) * STEP) / gap;
      even.push([x, y]);
    }
  }
  return even;
}

/** Straight on beyond both ends, so that the ends of the last teeth are on it too. */
function extended(curve: readonly Point[]): Point[] {
  const on = (from: Point, to: Point): Point[] => {
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    return Array.from({ length: BEYOND / STEP }, (_, at) => {
      const far = ((at + 1) * STEP) / length;
      return [to[0] + (to[0] - from[0]) * far, to[1] + (to[1] - from[1]) * far];
    });
  };
  const before = on(curve[Math.min(8, curve.length - 1)]!, curve[0]!).reverse();
  return [...before, ...curve, ...on(curve.at(-9) ?? curve[0]!, curve.at(-1)!)];
}

function mapOf(curve: readonly Point[], zero: number, { columns, rows, spacing }: Footprint): ArchMap {
  const along = new Float32Array(columns * rows).fill(Number.NaN);
  const nearest = new Float32Array(columns * rows).fill(REACH * REACH);
  const [sx, sy] = spacing;
  curve.forEach(([px, py], index) => {
    const last = Math.min(rows - 1, Math.floor((py + REACH) / sy));
    const lastColumn = Math.min(columns - 1, Math.floor((px + REACH) / sx));
    for (let row = Math.max(0, Math.ceil((py - REACH) / sy)); row <= last; row++) {
      for (let column = Math.max(0, Math.ceil((px - REACH) / sx)); column <= lastColumn; column++) {
        const squared = (column * sx - px) ** 2 + (row * sy - py) ** 2;
        const at = row * columns + column;
        if (squared >= nearest[at]!) continue;
        nearest[at] = squared;
        along[at] = (index - zero) * STEP;
      }
    }
  });
  return { along, ends: [-zero * STEP, (curve.length - 1 - zero) * STEP] };
}

/**
 * One axial slice while it is painted, in millimetres of the patient (LPS: x to the left, y to the back, z up).
 *
 * A shape is a function that says how deep a point lies inside it, in mm; what is not inside (≤ 0) stays as it was.
 * Later shapes cover earlier ones. Pure but for the canvas.
 */

export interface Canvas {
  readonly columns: number;
  readonly rows: number;
  /** mm; pixels are square and the slice is centred on x = y = 0. */
  readonly spacing: number;
  /** Height of the slice, mm. */
  readonly z: number;
  readonly hu: Float32Array;
  readonly tissue: Uint8Array;
}

/** In mm. */
export interface Box {
  readonly x: readonly [from: number, to: number];
  readonly y: readonly [from: number, to: number];
}

/** mm inside the shape; not inside if ≤ 0. */
export type Depth = (x: number, y: number, at: number) => number;
/** Hounsfield units at a point of the shape. */
export type Tint = (depth: number, x: number, y: number) => number;

/** @param tissue  undefined keeps the tissue and changes only the picture */
export function paint(
  canvas: Canvas,
  box: Box,
  shape: { readonly depth: Depth; readonly tissue: number | undefined; readonly tint: Tint | number },
): void {
  const { columns, rows, spacing, hu, tissue } = canvas;
  const [fromColumn, toColumn] = pixels(box.x, columns, spacing);
  const [fromRow, toRow] = pixels(box.y, rows, spacing);
  const { depth, tint } = shape;
  for (let row = fromRow; row < toRow; row++) {
    const y = millimetres(row, rows, spacing);
    for (let column = fromColumn; column < toColumn; column++) {
      const at = row * columns + column;
      const x = millimetres(column, columns, spacing);
      const inside = depth(x, y, at);
      if (!(inside > 0)) continue; // so that a shape of no size, NaN, paints nothing
      hu[at] = typeof tint === "number" ? tint : tint(inside, x, y);
      if (shape.tissue !== undefined) tissue[at] = shape.tissue;
    }
  }
}

/** The same on both sides: `depth` and `tint` see x as the distance from the median plane, and which side it is. */
export function paintBothSides(
  canvas: Canvas,
  box: Box,
  shape: (side: Side) => Parameters<typeof paint>[2],
): void {
  for (const side of SIDES) {
    const { depth, tissue, tint } = shape(side);
    paint(
      canvas,
      { x: side > 0 ? box.x : [-box.x[1], -box.x[0]], y: box.y },
      {
        depth: (x, y, at) => depth(side * x, y, at),
        tissue,
        tint: typeof tint === "number" ? tint : (inside, x, y) => tint(inside, side * x, y),
      },
    );
  }
}

/** +1 is the patient's left. */
export type Side = 1 | -1;
const SIDES: readonly Side[] = [1, -1];

/** Where the centre of pixel `index` of `count` lies, in mm. */
export function millimetres(index: number, count: number, spacing: number): number {
  return (index - (count - 1) / 2) * spacing;
}

/** Depth in an ellipse, nearly in mm. */
export function inEllipse(dx: number, dy: number, rx: number, ry: number): number {
  const f = Math.sqrt((dx * dx) / (rx * rx) + (dy * dy) / (ry * ry));
  return (1 - f) * Math.min(rx, ry);
}

/** Centre, on the patient's left, and half axes, mm. */
export interface Ellipsoid {
  readonly at: readonly [x: number, y: number, z: number];
  readonly radii: readonly [rx: number, ry: number, rz: number];
}

/** What a slice at height z cuts of the union of ellipsoids, if anything; depth nearly in mm. */
export function sectionOf(
  parts: readonly Ellipsoid[],
  z: number,
): { readonly box: Box; readonly depth: (x: number, y: number) => number } | undefined {
  const cut = parts.flatMap(({ at: [cx, cy, cz], radii: [rx, ry, rz] }) => {
    const high = ((z - cz) / rz) ** 2;
    const scale = Math.sqrt(Math.max(0, 1 - high));
    return high < 1
      ? [{ cx, cy, rx, ry, high, smallest: Math.min(rx, ry, rz), dx: rx * scale, dy: ry * scale }]
      : [];
  });
  if (cut.length === 0) return undefined;
  return {
    box: {
      x: [Math.min(...cut.map((e) => e.cx - e.dx)), Math.max(...cut.map((e) => e.cx + e.dx))],
      y: [Math.min(...cut.map((e) => e.cy - e.dy)), Math.max(...cut.map((e) => e.cy + e.dy))],
    },
    depth(x, y) {
      let deepest = -1;
      for (const { cx, cy, rx, ry, high, smallest } of cut) {
        const dx = (x - cx) / rx;
        const dy = (y - cy) / ry;
        deepest = Math.max(deepest, (1 - Math.sqrt(high + dx * dx + dy * dy)) * smallest);
      }
      return deepest;
    },
  };
}

/** The union of ellipsoids, on both sides. */
export function paintEllipsoids(
  canvas: Canvas,
  parts: readonly Ellipsoid[],
  material: { readonly tissue: number | undefined; readonly tint: Tint | number },
): void {
  const section = sectionOf(parts, canvas.z);
  if (section) paintBothSides(canvas, section.box, () => ({ depth: section.depth, ...material }));
}

/** Distance to a segment, mm. */
export function toSegment(x: number, y: number, segment: Segment): number {
  const { ax, ay, ux, uy } = segment;
  const along = Math.min(1, Math.max(0, ((x - ax) * ux + (y - ay) * uy) / (ux * ux + uy * uy)));
  const dx = x - ax - along * ux;
  const dy = y - ay - along * uy;
  return Math.sqrt(dx * dx + dy * dy);
}

/** A point, and the way from it to the other end. */
export interface Segment {
  readonly ax: number;
  readonly ay: number;
  readonly ux: number;
  readonly uy: number;
}

export function segment([ax, ay]: Point, [bx, by]: Point): Segment {
  return { ax, ay, ux: bx - ax, uy: by - ay };
}

export type Point = readonly [x: number, y: number];

/** Smooth interpolation in a table of (position, value), constant beyond its ends. */
export function along(table: readonly (readonly [at: number, value: number])[], at: number): number {
  const first = table[0]!;
  if (at <= first[0]) return first[1];
  for (let i = 1; i < table.length; i++) {
    const [to, high] = table[i]!;
    if (at > to) continue;
    const [from, low] = table[i - 1]!;
    const t = (at - from) / (to - from);
    return low + (high - low) * t * t * (3 - 2 * t);
  }
  return table.at(-1)![1];
}

function pixels(
  [from, to]: readonly [from: number, to: number],
  count: number,
  spacing: number,
): readonly [from: number, to: number] {
  const pixel = (mm: number): number => mm / spacing + (count - 1) / 2;
  return [Math.max(0, Math.floor(pixel(from))), Math.min(count, Math.ceil(pixel(to)) + 1)];
}

/**
 * Thirty teeth at their FDI positions: crowns with enamel, dentin and pulp, roots in their ligament.
 *
 * The upper right and the lower left third molar are missing, so that a labelling that mistakes left for right
 * or counts from the wrong end is found out.
 */
import { along, type Canvas, paint } from "./canvas.ts";
import { at, type Curve, curveThrough } from "./curve.ts";
import { HU } from "./tissue.ts";

export const UPPER_ARCH = curveThrough([
  [0, -54.5],
  [6, -53.5],
  [12, -50],
  [17, -45],
  [21, -38],
  [24, -30],
  [26.5, -20],
  [28.5, -10],
  [29.5, 0],
  [30, 10],
]);
export const LOWER_ARCH = curveThrough([
  [0, -51.5],
  [6, -50],
  [11, -46.5],
  [15.5, -41],
  [19, -34],
  [22, -26],
  [25, -14],
  [28, -3],
  [30.5, 8],
  [32, 16],
]);

/** Edges of the upper and lower crowns, mm: the patient bites on a block. */
const UPPER_EDGE_Z = 41.4;
const LOWER_EDGE_Z = 38.8;
const MISSING = new Set([18, 38]);

/** Everything in mm. */
interface Form {
  /** Along the arch, and across it. */
  readonly width: number;
  readonly breadth: number;
  readonly crown: number;
  readonly root: number;
  readonly kind: "incisor" | "canine" | "premolar" | "molar";
  /** Where the roots stand, as parts of the half width and breadth. */
  readonly roots: readonly (readonly [along: number, across: number])[];
  /** How far the crown leans towards the lips per mm of height. */
  readonly lean: number;
}

type Row = readonly [number, number, number, number, Form["kind"], Form["roots"], number];
const ONE: Form["roots"] = [[0, 0]];
const TWO: Form["roots"] = [
  [-0.5, 0],
  [0.5, 0],
];
const THREE: Form["roots"] = [
  [-0.45, 0.45],
  [0.45, 0.45],
  [0, -0.6],
];

const UPPER: readonly Form[] = (
  [
    [8.5, 7, 10.2, 12.5, "incisor", ONE, 0.26],
    [6.6, 6.2, 9, 12.5, "incisor", ONE, 0.24],
    [7.6, 8, 10, 15, "canine", ONE, 0.16],
    [
      7,
      9,
      8.6,
      13,
      "premolar",
      [
        [0, 0.45],
        [0, -0.45],
      ],
      0.06,
    ],
    [6.8, 9, 8.4, 13, "premolar", ONE, 0.03],
    [10.2, 11, 7.6, 12, "molar", THREE, 0],
    [9.6, 11, 7.2, 11.5, "molar", THREE, 0],
    [8.6, 10, 6.6, 10, "molar", THREE, 0.05],
  ] satisfies readonly Row[]
).map(form);

const LOWER: readonly Form[] = (
  [
    [5.2, 6, 8.8, 12, "incisor", ONE, 0.12],
    [5.7, 6.4, 9, 12.5, "incisor", ONE, 0.1],
    [6.9, 7.6, 10, 14.5, "canine", ONE, 0.06],
    [7, 7.6, 8.6, 13, "premolar", ONE, 0],
    [7.1, 8.2, 8.2, 13.2, "premolar", ONE, -0.04],
    [11, 10.3, 7.6, 13, "molar", TWO, -0.08],
    [10.4, 10, 7.2, 12.5, "molar", TWO, -0.1],
    [10, 9.5, 6.8, 11, "molar", TWO, -0.1],
  ] satisfies readonly Row[]
).map(form);

interface Tooth {
  readonly fdi: number;
  readonly form: Form;
  /** Neck of the tooth, and the directions towards the midline's far side and the cheek. */
  readonly x: number;
  readonly y: number;
  readonly neckZ: number;
  readonly up: 1 | -1;
  readonly distal: readonly [x: number, y: number];
  readonly cheek: readonly [x: number, y: number];
}

const TEETH: readonly Tooth[] = [
  ...row(UPPER_ARCH, UPPER, { left: 20, right: 10, up: -1 }),
  ...row(LOWER_ARCH, LOWER, { left: 30, right: 40, up: 1 }),
].filter((tooth) => !MISSING.has(tooth.fdi));

export function paintTeeth(canvas: Canvas): void {
  for (const tooth of TEETH) {
    const { form, fdi, x, y, distal, cheek } = tooth;
    const w = (canvas.z - tooth.neckZ) * tooth.up;
    if (w > form.crown || w < -form.root - 1) continue;
    const reach = form.breadth / 2 + 4;
    const box = { x: [x - reach, x + reach], y: [y - reach, y + reach] } as const;
    const depth = (px: number, py: number): number => {
      const u = (px - x) * distal[0] + (py - y) * distal[1];
      const v = (px - x) * cheek[0] + (py - y) * cheek[1] - form.lean * w;
      return w > 0 ? inCrown(form, u, v, w) : inRoots(form, u, v, -w);
    };
    if (w < -2) {
      paint(canvas, box, {
        depth: (px, py) => depth(px, py) + 0.45,
        tissue: undefined,
        tint: HU.ligament,
      });
    }
    paint(canvas, box, { depth, tissue: fdi, tint: (inside) => materialAt(form, inside, w) });
  }
}

function form([width, breadth, crown, root, kind, roots, lean]: Row): Form {
  return { width, breadth, crown, root, kind, roots, lean };
}

function row(
  curve: Curve,
  forms: readonly Form[],
  jaw: { readonly left: number; readonly right: number; readonly up: 1 | -1 },
): readonly Tooth[] {
  let s = 0;
  return forms.flatMap((form, index) => {
    s += form.width / 2;
    const { point, direction } = at(curve, s);
    s += form.width / 2;
    const neckZ = jaw.up > 0 ? LOWER_EDGE_Z - form.crown : UPPER_EDGE_Z + form.crown;
    return ([1, -1] as const).map((side) => ({
      fdi: (side > 0 ? jaw.left : jaw.right) + index + 1,
      form,
      x: side * point[0],
      y: point[1],
      neckZ,
      up: jaw.up,
      distal: [side * direction[0], direction[1]] as const,
      cheek: [side * direction[1], -direction[0]] as const,
    }));
  });
}

/** Breadth of the crown from neck (0) to edge (1), as part of the greatest: along the arch, across it. */
const CROWN = {
  incisor: {
    along: [
      [0, 0.74],
      [0.8, 0.98],
      [1, 0.93],
    ],
    across: [
      [0, 0.95],
      [0.25, 1],
      [0.7, 0.55],
      [1, 0.2],
    ],
  },
  canine: {
    along: [
      [0, 0.76],
      [0.65, 0.98],
      [0.85, 0.75],
      [1, 0.2],
    ],
    across: [
      [0, 0.95],
      [0.3, 1],
      [0.7, 0.65],
      [1, 0.2],
    ],
  },
  premolar: {
    along: [
      [0, 0.72],
      [0.6, 0.98],
      [1, 0.78],
    ],
    across: [
      [0, 0.88],
      [0.4, 1],
      [1, 0.62],
    ],
  },
  molar: {
    along: [
      [0, 0.86],
      [0.55, 0.98],
      [1, 0.86],
    ],
    across: [
      [0, 0.9],
      [0.4, 1],
      [1, 0.72],
    ],
  },
} as const;

function inCrown(form: Form, u: number, v: number, w: number): number {
  const high = w / form.crown;
  const half = (form.width / 2) * along(CROWN[form.kind].along, high);
  const broad = (form.breadth / 2) * along(CROWN[form.kind].across, high);
  const [a, b] = [Math.abs(u) / half, Math.abs(v) / broad];
  const round = form.kind === "molar" ? Math.cbrt(a * a * a + b * b * b) : Math.hypot(a, b);
  const side = (1 - round) * Math.min(half, broad);
  if (form.kind === "incisor" || form.kind === "canine") return side;
  // Cusps: the middle of the chewing surface lies lower, and in molars a second groove crosses it.
  const grooves =
    form.kind === "molar" ? Math.min(Math.abs(v) / 2.4, (Math.abs(u) + 0.8) / 2.4) : Math.abs(v) / 2;
  const cusp = form.crown - 1.7 * Math.max(0, 1 - grooves);
  return Math.min(side, cusp - w);
}

function inRoots(form: Form, u: number, v: number, deep: number): number {
  const q = deep / form.root;
  const neckHalf = (form.width / 2) * along(CROWN[form.kind].along, 0);
  const neckBroad = (form.breadth / 2) * along(CROWN[form.kind].across, 0);
  const taper = q >= 1 ? 0 : Math.sqrt(1 - q ** 2.2) * (1 - 0.35 * q);
  const single = form.roots.length === 1;
  const trunk = single ? taper : q < 0.3 ? 1 - 0.6 * q : 0;
  let depth =
    trunk > 0
      ? (1 - Math.hypot(u / (neckHalf * trunk), v / (neckBroad * trunk))) *
        Math.min(neckHalf, neckBroad) *
        trunk
      : -1;
  if (single || taper === 0) return depth;
  for (const [along, across] of form.roots) {
    const spread = 0.9 + 0.25 * q;
    const thick = (along === 0 ? 0.62 : 0.44) * taper;
    const broad = (across === 0 ? 0.78 : 0.46) * taper;
    const du = (u - along * neckHalf * spread) / (neckHalf * thick);
    const dv = (v - across * neckBroad * spread) / (neckBroad * broad);
    depth = Math.max(depth, (1 - Math.hypot(du, dv)) * Math.min(neckHalf * thick, neckBroad * broad));
  }
  return depth;
}

function materialAt(form: Form, inside: number, w: number): number {
  const high = w / form.crown;
  const enamel = w < 0 ? 0 : 0.35 + 1.1 * Math.min(1, high * 1.4);
  if (w > 0 && (inside < enamel || w > form.crown - 1.5)) return HU.enamel;
  const core = (Math.min(form.width, form.breadth) / 2) * 0.72;
  const canal = w < 0 ? core * (form.roots.length > 1 ? 0.62 : 0.8) * (1 + 0.55 * high) : core * 0.8;
  return high < 0.5 && inside > canal && canal > 0.5 ? HU.pulp : HU.dentin;
}

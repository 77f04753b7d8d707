/**
 * Answers on other grids than the one that was sent, held against the plainest reader there is: for each voxel of
 * the source, all voxels of the answer are measured.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { NodeError } from "../../../src/base/errors.ts";
import { type AnswerShape, type Interpreted, interpret } from "../../../src/volume/formats/interpret.ts";
import { niftiHeader } from "../../../src/volume/formats/nifti-write.ts";
import type { Affine, Grid, Vector } from "../../../src/volume/volume.ts";
import { allLabels, labelled, oblique } from "./fixtures.ts";

function nifti(grid: Grid, voxels: Uint8Array): Uint8Array {
  return Buffer.concat([niftiHeader(grid, voxels), voxels]);
}

function read(
  grid: Grid,
  voxels: Uint8Array,
  policy: NonNullable<AnswerShape["grid"]>,
  source: Grid = oblique,
): Interpreted {
  const shape = { as: "labelmap", grid: policy, maxBytes: 1e6 } as const;
  return interpret([{ bytes: nifti(grid, voxels) }], shape, { grid: source, labels: allLabels });
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof NodeError) return error.code;
    throw error;
  }
  return "accepted";
}

function point({ origin, perColumn, perRow, perSlice }: Affine, [i, j, k]: Vector): Vector {
  return [0, 1, 2].map(
    (at) => origin[at]! + i * perColumn[at]! + j * perRow[at]! + k * perSlice[at]!,
  ) as unknown as Vector;
}

function indices({ size: [columns, rows, slices] }: Grid): readonly Vector[] {
  const all: Vector[] = [];
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++) for (let i = 0; i < columns; i++) all.push([i, j, k]);
  return all;
}

function moved(grid: Grid, by: Vector, change: Partial<Grid> = {}): Grid {
  return { ...grid, affine: { ...grid.affine, origin: point(grid.affine, by) }, ...change };
}

function spaced(grid: Grid, size: Grid["size"], [a, b, c]: Vector, at: Vector): Grid {
  const { perColumn, perRow, perSlice } = grid.affine;
  const times = (v: Vector, n: number): Vector => [v[0] * n, v[1] * n, v[2] * n];
  return {
    size,
    affine: {
      origin: point(grid.affine, at),
      perColumn: times(perColumn, a),
      perRow: times(perRow, b),
      perSlice: times(perSlice, c),
    },
  };
}

/** The label of the answer's voxel whose centre is nearest in millimetres, where the source's centre lies in it. */
function nearest(answer: Grid, voxels: Uint8Array, source: Grid): { sure: (number | undefined)[] } {
  const centres = indices(answer).map((index) => point(answer.affine, index));
  const sure = indices(source).map((index) => {
    const centre = point(source.affine, index);
    const apart = centres.map((other) => Math.hypot(...other.map((n, at) => n - centre[at]!)));
    const order = [...apart.keys()].sort((a, b) => apart[a]! - apart[b]!);
    const [first, second] = [apart[order[0]!]!, apart[order[1]!]!];
    return second - first > 1e-3 ? voxels[order[0]!] : undefined;
  });
  return { sure };
}

const crop = moved(oblique, [1, 1, 1], { size: [3, 2, 2] });
const cropped = Uint8Array.from({ length: 12 }, (_, n) => n + 1);
const padded = moved(oblique, [-2, -1, -1], { size: [8, 7, 6] });

/** Labels by index on `oblique` of what lies on its lattice at an offset, written out by index arithmetic alone. */
function onLattice(size: Vector, voxels: Uint8Array, [a, b, c]: Vector): Uint8Array {
  return Uint8Array.from(indices(oblique), ([i, j, k]) => {
    const [x, y, z] = [i - a, j - b, k - c];
    const isIn = x >= 0 && x < size[0] && y >= 0 && y < size[1] && z >= 0 && z < size[2];
    return isIn ? voxels[x + size[0] * (y + size[1] * z)]! : 0;
  });
}

test("a part of the volume is placed by its affine where that is allowed, and refused where not", () => {
  const found = read(crop, cropped, "placed");
  expect(found.layers).toEqual([onLattice([3, 2, 2], cropped, [1, 1, 1])]);
  expect(found).toMatchObject({ grid: oblique, notes: [] });
  expect(found).not.toHaveProperty("resampledFrom");
  expect(codeOf(() => read(crop, cropped, "exact"))).toBe("LABEL_MAP_MISPLACED");
});

test("what has the shape that was sent and lies a voxel aside is placed by its affine, never by its index", () => {
  const aside = moved(oblique, [1, 0, -1]);
  expect(codeOf(() => read(aside, labelled, "exact"))).toBe("LABEL_MAP_MISPLACED");
  expect(read(aside, labelled, "placed").layers).toEqual([onLattice([5, 4, 3], labelled, [1, 0, -1])]);
});

test("what a margin holds is left out, and counted", () => {
  const voxels = Uint8Array.from({ length: 336 }, (_, n) => (n % 3 === 0 ? 1 + (n % 59) : 0));
  const found = read(padded, voxels, "placed");
  const wanted = onLattice([8, 7, 6], voxels, [-2, -1, -1]);
  expect(found.layers).toEqual([wanted]);
  const inside = wanted.filter((label) => label > 0).length;
  const all = voxels.filter((label) => label > 0).length;
  expect(found.notes).toEqual([{ kind: "outside", voxels: all - inside }]);
});

test("labels that lie outside alone are no finding that may pass", () => {
  const voxels = new Uint8Array(336).fill(1, 0, 3);
  expect(codeOf(() => read(padded, voxels, "placed"))).toBe("LABEL_MAP_MISPLACED");
  expect(read(padded, new Uint8Array(336), "placed").layers).toEqual([new Uint8Array(60)]);
});

test.each([
  ["by half a voxel", moved(oblique, [0.5, 0, 0])],
  ["by half a slice", moved(crop, [0, 0, 0.5])],
  ["by a twentieth of a voxel", moved(oblique, [0, 0.05, 0])],
  ["into another spacing", spaced(oblique, [3, 2, 2], [2, 2, 2], [0.5, 0.5, 0.5])],
])("what is shifted %s is on no lattice of the source: nearest alone takes it", (_, grid) => {
  const voxels = new Uint8Array(grid.size[0] * grid.size[1] * grid.size[2]).fill(3);
  expect(codeOf(() => read(grid, voxels, "exact"))).toBe("LABEL_MAP_MISPLACED");
  expect(codeOf(() => read(grid, voxels, "placed"))).toBe("LABEL_MAP_MISPLACED");
  expect(codeOf(() => read(grid, voxels, "nearest"))).toBe("accepted");
});

test.each(["placed", "nearest"] as const)("where no voxel is the source's, %s is refused", (policy) => {
  const grid = moved(oblique, [9, 0, 0]);
  expect(codeOf(() => read(grid, labelled, policy))).toBe("LABEL_MAP_MISPLACED");
});

test("half the resolution: each voxel is taken eight times, and the spacing it came with is said", () => {
  const half = spaced(oblique, [3, 2, 2], [2, 2, 2], [0.5, 0.5, 0.5]);
  const found = read(half, cropped, "nearest");
  const wanted = Uint8Array.from(
    indices(oblique),
    ([i, j, k]) => cropped[(i >> 1) + 3 * ((j >> 1) + 2 * (k >> 1))]!,
  );
  expect(found.layers).toEqual([wanted]);
  found.resampledFrom!.forEach((mm, axis) => expect(mm).toBeCloseTo([1.4, 2.2, 5][axis]!, 5));
});

test("twice the resolution: of eight voxels one is taken, the same one everywhere", () => {
  const fine = spaced(oblique, [10, 8, 6], [0.5, 0.5, 0.5], [0, 0, 0]);
  const voxels = Uint8Array.from(indices(fine), ([i, j, k]) =>
    i % 2 === 0 && j % 2 === 0 && k % 2 === 0 ? labelled[i / 2 + 5 * (j / 2 + 4 * (k / 2))]! : 59,
  );
  expect(read(fine, voxels, "nearest").layers).toEqual([labelled]);
});

test("a centre in the middle of two voxels goes to the higher, for every voxel alike, though the affine is rounded", () => {
  expect(read(moved(oblique, [0.5, 0, 0]), labelled, "nearest").layers).toEqual([labelled]);
  expect(read(moved(oblique, [0, 0, 0.5]), labelled, "nearest").layers).toEqual([labelled]);
});

test("an answer on the sent grid has nothing resampled, whatever is allowed", () => {
  for (const policy of ["exact", "placed", "nearest"] as const) {
    const found = read(oblique, labelled, policy);
    expect(found.layers).toEqual([labelled]);
    expect(found).not.toHaveProperty("resampledFrom");
  }
});

test("on a grid of its own, an answer may hold no more than the config takes", () => {
  const run = () =>
    interpret(
      [{ bytes: nifti(crop, cropped) }],
      { as: "labelmap", grid: "placed", maxBytes: 11 },
      {
        grid: oblique,
        labels: allLabels,
      },
    );
  expect(codeOf(run)).toBe("MODEL_ANSWER_TOO_LARGE");
});

const turn = fc.record({
  axes: fc.shuffledSubarray([0, 1, 2], { minLength: 3, maxLength: 3 }),
  signs: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
});
const size = fc.tuple(...[1, 2, 3].map(() => fc.integer({ min: 2, max: 6 }))) as unknown as fc.Arbitrary<
  Grid["size"]
>;
const angle = fc.double({ min: -3, max: 3, noNaN: true });
const spacing = fc.double({ min: 0.2, max: 4, noNaN: true });
const affine = fc
  .record({
    angles: fc.tuple(angle, angle, angle),
    steps: fc.tuple(spacing, spacing, spacing),
    origin: fc.tuple(...[1, 2, 3].map(() => fc.double({ min: -300, max: 300, noNaN: true }))),
    tilt: fc.double({ min: -0.4, max: 0.4, noNaN: true }),
  })
  .map(({ angles: [a, b, c], steps: [u, v, w], origin, tilt }): Affine => {
    const about = ([x, y, z]: Vector): Vector => {
      const [x1, y1] = [x * Math.cos(a) - y * Math.sin(a), x * Math.sin(a) + y * Math.cos(a)];
      const [y2, z2] = [y1 * Math.cos(b) - z * Math.sin(b), y1 * Math.sin(b) + z * Math.cos(b)];
      return [x1 * Math.cos(c) - z2 * Math.sin(c), y2, x1 * Math.sin(c) + z2 * Math.cos(c)];
    };
    return {
      origin: origin as unknown as Vector,
      perColumn: about([u, 0, 0]),
      perRow: about([0, v, 0]),
      perSlice: about([0, tilt * w, w]),
    };
  });

/** The same voxels in another order of the axes, by where they lie in the patient. */
function turned(
  grid: Grid,
  labels: Uint8Array,
  { axes, signs }: { axes: number[]; signs: boolean[] },
): [Grid, Uint8Array] {
  const steps = [grid.affine.perColumn, grid.affine.perRow, grid.affine.perSlice];
  const corner = axes.reduce<number[]>(
    (at, axis, n) => at.with(axis, signs[n] ? grid.size[axis]! - 1 : 0),
    [0, 0, 0],
  );
  const along = axes.map((axis, n) => steps[axis]!.map((mm) => (signs[n] ? -mm : mm)) as unknown as Vector);
  const [perColumn, perRow, perSlice] = along as [Vector, Vector, Vector];
  const other: Grid = {
    size: axes.map((axis) => grid.size[axis]!) as unknown as Grid["size"],
    affine: { origin: point(grid.affine, corner as unknown as Vector), perColumn, perRow, perSlice },
  };
  const voxels = Uint8Array.from(indices(other), (index) => {
    const at = [...corner];
    axes.forEach((axis, n) => (at[axis]! += (signs[n] ? -1 : 1) * index[n]!));
    return labels[at[0]! + grid.size[0] * (at[1]! + grid.size[1] * at[2]!)]!;
  });
  return [other, voxels];
}

test("any affine, any turn: the same voxels in another order are the same label map", () => {
  fc.assert(
    fc.property(size, affine, turn, (size, affine, turn) => {
      const source = { size, affine };
      const labels = Uint8Array.from({ length: size[0] * size[1] * size[2] }, (_, n) => n % 60);
      const [other, voxels] = turned(source, labels, turn);
      expect(read(other, voxels, "exact", source).layers).toEqual([labels]);
    }),
    { numRuns: 100 },
  );
});

test("any two grids: nearest is what measuring every pair of voxels finds", () => {
  const other = fc.record({
    size,
    turn,
    at: fc.tuple(...[1, 2, 3].map(() => fc.double({ min: -1.5, max: 1.5, noNaN: true }))),
    stretch: fc.tuple(spacing, spacing, spacing),
  });
  let compared = 0;
  fc.assert(
    fc.property(size, affine, other, (size, affine, { turn, at, stretch, ...other }) => {
      // Without a tilt, since there the nearest index is not the nearest centre.
      const source = { size, affine: { ...affine, perSlice: squared(affine) } };
      const straight = spaced(source, other.size, stretch, at as unknown as Vector);
      const voxels = Uint8Array.from(
        { length: other.size[0] * other.size[1] * other.size[2] },
        (_, n) => 1 + (n % 59),
      );
      const [grid, labels] = turned(straight, voxels, turn);
      if (codeOf(() => read(grid, labels, "nearest", source)) === "LABEL_MAP_MISPLACED") return;
      const [layer] = read(grid, labels, "nearest", source).layers;
      const { sure } = nearest(grid, labels, source);
      layer!.forEach((label, n) => {
        if (label === 0 || sure[n] === undefined) return;
        compared++;
        expect(label).toBe(sure[n]);
      });
    }),
    { numRuns: 100 },
  );
  expect(compared).toBeGreaterThan(200);
});

/** At right angles to the other two, as long as the step was. */
function squared({ perColumn: u, perRow: v, perSlice: w }: Affine): Vector {
  const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]] as const;
  const scale = Math.hypot(...w) / Math.hypot(...normal);
  return [normal[0] * scale, normal[1] * scale, normal[2] * scale];
}

test("a grid turned by an angle is read by nearest neighbour as measuring finds", () => {
  const around = (degrees: number, [x, y, z]: Vector): Vector => {
    const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
    return [x * c - y * s, x * s + y * c, z];
  };
  const source: Grid = {
    size: [9, 8, 4],
    affine: { origin: [-4, -4, 0], perColumn: [1, 0, 0], perRow: [0, 1.1, 0], perSlice: [0, 0, 2.5] },
  };
  for (const degrees of [1, 10, 33, 80]) {
    const { origin, perColumn, perRow, perSlice } = source.affine;
    const grid: Grid = {
      size: [8, 8, 5],
      affine: {
        origin: around(degrees, origin),
        perColumn: around(degrees, perColumn),
        perRow: around(degrees, perRow),
        perSlice: [perSlice[0], perSlice[1], perSlice[2] * 0.9],
      },
    };
    const voxels = Uint8Array.from({ length: 320 }, (_, n) => 1 + (n % 59));
    const [layer] = read(grid, voxels, "nearest", source).layers;
    const { sure } = nearest(grid, voxels, source);
    const differing = [...layer!.keys()].filter(
      (n) => layer![n] !== 0 && sure[n] !== undefined && layer![n] !== sure[n],
    );
    expect(differing).toEqual([]);
    expect(layer!.filter((label) => label > 0).length).toBeGreaterThan(150);
  }
});

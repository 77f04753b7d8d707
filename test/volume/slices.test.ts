import { expect, test } from "vitest";
import type { InstanceUid, SeriesUid } from "../../src/dicom/uid.ts";
import {
  type Arranged,
  arrange,
  type SliceFacts,
  type StackPolicy,
  stackEvidence,
} from "../../src/volume/slices.ts";
import type { Vector } from "../../src/volume/volume.ts";

const FACTS: Omit<SliceFacts, "sopInstanceUid" | "position"> = {
  seriesUid: "1.2.3" as SeriesUid,
  frameOfReferenceUid: "1.2.4",
  rows: 5,
  columns: 7,
  orientation: { row: [1, 0, 0], column: [0, 1, 0] },
  spacing: [0.7, 0.5],
  thickness: 2.5,
};

type Change = Partial<SliceFacts>;

/** Slices at the given positions; the UID of slice n is 1.2.n. */
function slicesAt(positions: readonly Vector[], change: Change = {}): SliceFacts[] {
  return positions.map((position, at) => Object.assign({ sopInstanceUid: uid(at), position }, FACTS, change));
}

/** Axial slices at the given heights. */
function axialAt(heights: readonly number[], change: Change = {}): SliceFacts[] {
  return slicesAt(
    heights.map((z): Vector => [-10, 20, z]),
    change,
  );
}

function uid(at: number): InstanceUid {
  return `1.2.${at}` as InstanceUid;
}

function reasonOf(arranged: Arranged): string {
  return arranged.kind === "rejected" ? `${arranged.reason} at ${arranged.at}` : arranged.kind;
}

test("slices of two patients form no stack, whatever their UIDs say, and none of them is named", () => {
  const [first, second] = axialAt([0, 1], { patientId: "P-1" });
  const arranged = arrange([first!, { ...second!, patientId: "P-2" }]);
  expect(arranged).toEqual({
    kind: "rejected",
    reason: "mixed-patient",
    at: uid(1),
    detail: "slices of two patients in one series",
  });
});

test("missing slices have their places in the grid where a policy asks for it, the others stay where they are", () => {
  const arranged = arrange(axialAt([8, 0, 12, 2, 4]), { missingSlices: "repeat", unevenSpacing: "refuse" });
  expect(arranged).toMatchObject({
    kind: "stack",
    order: [1, 3, 4, 0, 2],
    places: [0, 1, 2, 4, 6],
    grid: { size: [7, 5, 7], affine: { origin: [-10, 20, 0], perSlice: [0, 0, 2] } },
  });
});

test("uneven slices are shown with their mean step where a policy asks for it", () => {
  const arranged = arrange(axialAt([0, 2, 4, 7, 9]), { missingSlices: "refuse", unevenSpacing: "mean" });
  expect(arranged).toMatchObject({ kind: "stack", order: [0, 1, 2, 3, 4], grid: { size: [7, 5, 5] } });
  expect(arranged.kind === "stack" && arranged.grid.affine.perSlice).toEqual([0, 0, 2.25]);
  expect(arranged.kind === "stack" && arranged.places).toBeUndefined();
});

test("a policy for missing slices is none for uneven ones, and none of them takes slices off the line or twice", () => {
  const both = { missingSlices: "repeat", unevenSpacing: "mean" } as const;
  const reason = (heights: readonly number[], policy: StackPolicy): string =>
    reasonOf(arrange(axialAt(heights), policy));
  expect(reason([0, 2, 4, 7, 9], { missingSlices: "repeat", unevenSpacing: "refuse" })).toBe(
    "uneven-spacing at 1.2.2",
  );
  expect(reason([0, 2, 6], { missingSlices: "refuse", unevenSpacing: "mean" })).toBe("gap at 1.2.1");
  expect(reason([0, 2, 2, 4], both)).toBe("duplicate-position at 1.2.2");
  const sideways = axialAt([0, 2, 4, 7, 9]);
  sideways[2] = { ...sideways[2]!, position: [-9, 20, 4] };
  expect(reasonOf(arrange(sideways, both))).toBe("uneven-spacing at 1.2.2");
});

test("slices are sorted along the normal, whatever order they came in", () => {
  const arranged = arrange(axialAt([4, -2, 1, 7]));
  expect(arranged).toEqual({
    kind: "stack",
    order: [1, 2, 0, 3],
    grid: {
      size: [7, 5, 4],
      affine: { origin: [-10, 20, -2], perColumn: [0.5, 0, 0], perRow: [0, 0.7, 0], perSlice: [0, 0, 3] },
    },
    tiltDegrees: 0,
  });
});

test("the normal of a sagittal stack with rows to the back and columns to the feet points to the right", () => {
  const positions: Vector[] = [
    [-4, 0, 0],
    [0, 0, 0],
    [4, 0, 0],
  ];
  const slices = slicesAt(positions, { orientation: { row: [0, 1, 0], column: [0, 0, -1] } });
  const arranged = arrange(slices);
  expect(arranged.kind === "stack" && arranged.order).toEqual([2, 1, 0]);
  expect(arranged.kind === "stack" && arranged.grid.affine.perSlice).toEqual([-4, 0, 0]);
});

test("the slice step is measured; slice thickness does not matter", () => {
  const arranged = arrange(axialAt([0, 1.25], { thickness: 99 }));
  expect(arranged.kind === "stack" && arranged.grid.affine.perSlice).toEqual([0, 0, 1.25]);
});

test("a tilted stack is a stack, its step not along the normal", () => {
  const arranged = arrange(
    slicesAt([
      [0, 8, 6],
      [0, 0, 0],
      [0, 4, 3],
    ]),
  );
  expect(arranged.kind === "stack" && arranged.order).toEqual([1, 2, 0]);
  expect(arranged.kind === "stack" && arranged.grid.affine.perSlice).toEqual([0, 4, 3]);
  expect(arranged.kind === "stack" && arranged.tiltDegrees).toBeCloseTo(53.130102, 6);
});

test("one slice is a stack as thick as it says", () => {
  const arranged = arrange(axialAt([5]));
  expect(arranged.kind === "stack" && arranged.grid.affine.perSlice).toEqual([0, 0, 2.5]);
  expect(arranged.kind === "stack" && arranged.grid.size).toEqual([7, 5, 1]);
});

test.each([undefined, 0, -1])("one slice with thickness %s cannot be placed", (thickness) => {
  const { thickness: _, ...slice } = axialAt([5])[0]!;
  expect(reasonOf(arrange([thickness === undefined ? slice : { ...slice, thickness }]))).toBe(
    "no-geometry at 1.2.0",
  );
});

test("no slices are no stack", () => {
  expect(arrange([])).toEqual({ kind: "rejected", reason: "empty", detail: "no slices" });
});

test.each([
  ["one missing slice", [0, 1, 2, 4, 5], "gap at 1.2.2", "1 missing in steps of 1.000 mm"],
  ["three missing in two places", [0, 1, 4, 5, 6, 8, 9], "gap at 1.2.1", "3 missing in steps of 1.000 mm"],
  ["one of three", [0, 1, 3], "gap at 1.2.1", "1 missing in steps of 1.000 mm"],
  ["a missing slice among rounded positions", [0, 0.62, 1.25, 2.5, 3.12], "gap at 1.2.2", "1 missing"],
  ["a step and a half", [0, 1, 2, 3.5, 4.5], "uneven-spacing at 1.2.2", "a step of 1.500 mm among 1.000 mm"],
  ["half a step", [0, 1, 1.5, 2.5, 3.5], "uneven-spacing at 1.2.1", "a step of 0.500 mm among 1.000 mm"],
  ["steps that grow", [0, 1, 2.1, 3.3, 4.6], "uneven-spacing", "among"],
  [
    "steps each within the tolerance that drift",
    [0, 1, 2, 3, 4.09, 5.18, 6.27, 7.36],
    "uneven-spacing",
    "among",
  ],
  ["the same place twice", [0, 1, 1, 2], "duplicate-position at 1.2.2", "two slices at 1.000 mm"],
  ["nearly the same place twice", [0, 1, 1.005, 2], "duplicate-position at 1.2.2", "two slices"],
])("%s: refused by name", (_, heights, reason, detail) => {
  const arranged = arrange(axialAt(heights));
  expect(reasonOf(arranged)).toContain(reason);
  expect(arranged.kind === "rejected" && arranged.detail).toContain(detail);
});

test.each([
  ["a tenth of a millimetre", [0, 1.2, 2.5, 3.8, 5, 6.2, 7.5]],
  ["a hundredth of a millimetre", [0, 0.62, 1.25, 1.88, 2.5, 3.12]],
  ["seven digits", [-4.8000001907349, 0, 4.8000001907349, 9.6000003814697, 14.39999961853]],
])("even steps with positions rounded to %s are even", (_, heights) => {
  expect(arrange(axialAt(heights)).kind).toBe("stack");
});

test("a slice shifted within its plane is refused: it belongs to another field of view", () => {
  const arranged = arrange(
    slicesAt([
      [0, 0, 0],
      [0, 0, 1],
      [0.5, 0, 2],
      [0, 0, 3],
    ]),
  );
  expect(reasonOf(arranged)).toBe("not-collinear at 1.2.2");
});

test.each([
  ["another series", { seriesUid: "1.9" as SeriesUid }, "mixed-series"],
  ["another frame of reference", { frameOfReferenceUid: "1.9" }, "mixed-frame-of-reference"],
  ["another orientation", { orientation: { row: [0, 1, 0], column: [0, 0, -1] } }, "mixed-orientation"],
  ["another number of rows", { rows: 6 }, "mixed-size"],
  ["another number of columns", { columns: 8 }, "mixed-size"],
  ["pixel spacings swapped", { spacing: [0.5, 0.7] }, "mixed-pixel-spacing"],
  ["another stack", { stack: "2/" }, "several-stacks"],
] as const)("a slice of %s among the others is refused by name", (_, change, reason) => {
  const [first, second, third] = axialAt([0, 1, 2]);
  expect(reasonOf(arrange([first!, second!, { ...third!, ...change }]))).toBe(`${reason} at 1.2.2`);
});

test("two frames of one object at one place are several stacks, one object given twice is a duplicate", () => {
  const [a, b] = axialAt([0, 0]);
  const frames = [
    { ...a!, frameNumber: 1 },
    { ...b!, sopInstanceUid: uid(0), frameNumber: 2 },
  ];
  expect(reasonOf(arrange(frames))).toBe("several-stacks at 1.2.0");
  expect(reasonOf(arrange([a!, { ...b!, sopInstanceUid: uid(0) }]))).toBe("duplicate-position at 1.2.0");
});

const PLACED = (...heights: readonly number[]) =>
  heights.map((z) => ({ orientation: [1, 0, 0, 0, 1, 0], position: [0, 0, z] }));

test.each([
  ["an even stack", "gap-free", PLACED(2, 0, 1)],
  ["a stack with a hole", "gaps", PLACED(3, 0, 1)],
  ["an uneven stack", "gaps", PLACED(0, 1, 2.5, 3.5)],
  ["two slices, of which any pair is even", "unknown", PLACED(0, 300)],
  ["nothing", "unknown", []],
  ["slices twice at one place", "unknown", PLACED(0, 1, 1, 2)],
  [
    "a slice of another orientation",
    "unknown",
    [...PLACED(0, 1), { orientation: [0, 1, 0, 0, 0, -1], position: [0, 0, 2] }],
  ],
  [
    "a slice without a position",
    "unknown",
    [...PLACED(0, 1, 2), { orientation: [1, 0, 0, 0, 1, 0], position: [] }],
  ],
  [
    "slices without an orientation",
    "unknown",
    PLACED(0, 1, 2).map(({ position }) => ({ orientation: [], position })),
  ],
] as const)("evidence of %s: %s", (_, evidence, slices) => {
  expect(stackEvidence(slices)).toBe(evidence);
});

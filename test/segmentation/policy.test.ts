import { expect, test } from "vitest";
import { definitionOf, describedValues } from "../../src/segmentation/policy.ts";
import { segmentsFor } from "./series.ts";

const segments = segmentsFor([1, 2, 5]);

test("a label that is defined means what is defined, under either policy", () => {
  for (const policy of ["refuse", "generic"] as const)
    expect(definitionOf(2, segments, policy)).toEqual({ kind: "defined", definition: segments.get(2) });
});

test("a label that is not defined is refused, or becomes tissue named after its value", () => {
  expect(definitionOf(7, segments, "refuse")).toEqual({ kind: "undefined" });
  const tissue = { scheme: "SCT", value: "85756007", meaning: "Tissue" };
  expect(definitionOf(7, segments, "generic")).toEqual({
    kind: "generic",
    definition: { label: "Label 7", category: tissue, type: tissue },
  });
});

test("the background is never a segment", () => {
  const withZero = new Map([...segments, [0, segments.get(1)!]]);
  expect(definitionOf(0, withZero, "generic")).toEqual({ kind: "background" });
  expect(describedValues([0, 5], withZero, "describe")).toEqual([1, 2, 5]);
});

test("a segment without voxels is dropped, or described; what is present is described in any case", () => {
  expect(describedValues([5, 1, 300], segments, "drop")).toEqual([1, 5, 300]);
  expect(describedValues([300], segments, "describe")).toEqual([1, 2, 5, 300]);
  expect(describedValues([], segments, "drop")).toEqual([]);
});

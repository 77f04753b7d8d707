import { expect, test } from "vitest";
import { expectedMs, learn } from "../../src/inference/learn.ts";
import { dependentsOf, type NeedState, type Needs, pathMs, readiness } from "../../src/inference/needs.ts";

const skip: Needs = { a: { otherwise: "skip" }, b: { otherwise: "skip" } };
const found: NeedState = { kind: "found" };
const pending: NeedState = { kind: "pending" };
const missing: NeedState = { kind: "missing", why: "failed (MODEL_REJECTED)" };

function states(a: NeedState, b: NeedState): (model: string) => NeedState {
  return (model) => (model === "a" ? a : b);
}

test("a model starts when all it needs is there", () => {
  expect(readiness({}, states(pending, pending))).toEqual({ kind: "ready" });
  expect(readiness(skip, states(found, pending))).toEqual({ kind: "waits", for: "b" });
  expect(readiness(skip, states(found, found))).toEqual({ kind: "ready" });
});

test("a model whose need failed is left at once, with the reason, though another need is still open", () => {
  expect(readiness(skip, states(pending, missing))).toEqual({
    kind: "unmet",
    reason: "needs b, which failed (MODEL_REJECTED)",
  });
});

test("a model that says so runs without what it needs, but waits to know", () => {
  const needs: Needs = { a: { otherwise: "run" } };
  expect(readiness(needs, states(missing, found))).toEqual({ kind: "ready" });
  expect(readiness(needs, states(pending, found))).toEqual({ kind: "waits", for: "a" });
});

// a ─▶ b ─▶ d, a ─▶ c; e alone.
const models = new Map<string, { readonly needs: Needs }>([
  ["a", { needs: {} }],
  ["b", { needs: { a: { otherwise: "skip" } } }],
  ["c", { needs: { a: { otherwise: "skip" } } }],
  ["d", { needs: { b: { otherwise: "skip" } } }],
  ["e", { needs: {} }],
]);

test("the way of a model is its own time and the longest of those that follow", () => {
  const times: Readonly<Record<string, number>> = { a: 1, b: 20, c: 300, d: 4000, e: 50_000 };
  const path = (name: string): number => pathMs(name, models, (each) => times[each]!);
  expect(["a", "b", "c", "d", "e"].map(path)).toEqual([4021, 4020, 300, 4000, 50_000]);
  expect(dependentsOf("a", models)).toEqual(["b", "c"]);
});

test("what is expected comes from the config until a model has answered, then from its answers", () => {
  const size = { model: "a", voxels: 2 ** 20 };
  expect(expectedMs(new Map(), size, 5000)).toBe(5000);
  expect(expectedMs(new Map(), size, undefined)).toBe(60_000);
  let known = learn(new Map(), size, 1000);
  expect(expectedMs(known, size, 5000)).toBe(1000);
  known = learn(known, size, 2000);
  expect(expectedMs(known, size, 5000)).toBe(1300);
  expect(expectedMs(known, { ...size, model: "b" }, 5000)).toBe(5000);
});

test("a volume of a size not seen yet is expected in proportion to the nearest that was", () => {
  let known = learn(new Map(), { model: "a", voxels: 2 ** 20 }, 1000);
  known = learn(known, { model: "a", voxels: 2 ** 26 }, 10_000);
  expect(expectedMs(known, { model: "a", voxels: 2 ** 22 }, 1)).toBe(4000);
  expect(expectedMs(known, { model: "a", voxels: 2 ** 25 }, 1)).toBe(5000);
});

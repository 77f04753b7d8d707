import { expect, test } from "vitest";
import { svgOf } from "../../src/bench/chart.ts";
import { boundsOf, scenarios } from "../../src/bench/scenario.ts";

// By hand. 3 + 1.5 beside 2.5 + 2; and mandible, then canal, beside 2 s and 1.5 s.
test("the bounds are those of the best schedule", () => {
  expect(scenarios(1).map(boundsOf)).toEqual([
    { sumMs: 9000, lowerMs: 3000, optimumMs: 3000 },
    { sumMs: 9000, lowerMs: 4500, optimumMs: 4500 },
    { sumMs: 6500, lowerMs: 3000, optimumMs: 3000 },
  ]);
  const models = [3, 3, 2, 2, 2].map((serviceMs, at) => ({ name: `m${at}`, serviceMs }));
  expect(boundsOf({ name: "", models, slots: 2 })).toEqual({ sumMs: 12, lowerMs: 6, optimumMs: 6 });
});

test("the chart has a bar for each model that was asked, and is well-formed", () => {
  const asked = [
    { model: "a<b", from: 0, until: 500 },
    { model: "c", from: 0, until: 1000 },
  ];
  const svg = svgOf([
    {
      title: "two",
      models: [{ name: "a<b", serviceMs: 500 }],
      optimumMs: 900,
      panels: [{ title: "ours", asked, makespanMs: 1000 }],
    },
  ]);
  expect(svg.match(/<rect /g)).toHaveLength(2);
  expect(svg).toContain("a&lt;b");
  expect(svg).toMatch(/^<svg [^>]*>[\s\S]*<\/svg>\n$/);
});

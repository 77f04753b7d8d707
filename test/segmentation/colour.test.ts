import * as fc from "fast-check";
import { expect, test } from "vitest";
import { hueColour, paletteColour, type Rgb, storedLab } from "../../src/segmentation/colour.ts";

/** L*, a*, b* as numbers again. */
function lab(rgb: Rgb): readonly number[] {
  const [l, a, b] = storedLab(rgb);
  return [(l / 65535) * 100, (a / 65535) * 255 - 128, (b / 65535) * 255 - 128];
}

/** CIELab under D50 to sRGB; the inverse matrix as Lindbloom prints it, not computed from ours. */
function rgbOf([l = 0, a = 0, b = 0]: readonly number[]): readonly number[] {
  const fy = (l + 16) / 116;
  const share = (f: number): number => (f > 6 / 29 ? f ** 3 : 3 * (6 / 29) ** 2 * (f - 4 / 29));
  const [x, y, z] = [0.96422 * share(fy + a / 500), share(fy), 0.82521 * share(fy - b / 200)];
  return [
    3.1338561 * x - 1.6168667 * y - 0.4906146 * z,
    -0.9787684 * x + 1.9161415 * y + 0.033454 * z,
    0.0719453 * x - 0.2289914 * y + 1.4052427 * z,
  ].map((one) => 255 * (one <= 0.0031308 ? 12.92 * one : 1.055 * one ** (1 / 2.4) - 0.055));
}

// From Lindbloom's calculator: sRGB, Bradford to D50.
test.each([
  ["white", [255, 255, 255], [100, 0, 0]],
  ["black", [0, 0, 0], [0, 0, 0]],
  ["red", [255, 0, 0], [54.29, 80.81, 69.89]],
  ["green", [0, 255, 0], [87.82, -79.29, 80.99]],
  ["blue", [0, 0, 255], [29.57, 68.3, -112.03]],
] as const)("%s has the CIELab value it has under D50", (_, rgb, expected) => {
  for (const [at, value] of lab(rgb).entries()) expect(Math.abs(value - expected[at]!)).toBeLessThan(0.02);
});

test("white is stored as full lightness and the middle of both chroma axes", () => {
  const [l, a, b] = storedLab([255, 255, 255]);
  expect(l).toBe(65535);
  for (const chroma of [a, b]) expect(Math.abs(chroma - 32896)).toBeLessThanOrEqual(3);
});

test("every colour comes back within 2 of 255", () => {
  const channel = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.tuple(channel, channel, channel), (rgb) => {
      const back = rgbOf(lab(rgb));
      return back.every((value, at) => Math.abs(value - rgb[at]!) <= 2);
    }),
  );
});

test("a hue is a colour of the wheel", () => {
  expect([0, 60, 120, 180, 240, 300, 360].map((hue) => hueColour(hue, 1))).toEqual([
    [242, 0, 0],
    [242, 242, 0],
    [0, 242, 0],
    [0, 242, 242],
    [0, 0, 242],
    [242, 0, 242],
    [242, 0, 0],
  ]);
  expect(hueColour(200, 0)).toEqual([242, 242, 242]);
});

test("neighbours in the palette are told apart, where it starts again too", () => {
  for (let value = 1; value <= 40; value++) {
    const [a, b] = [lab(paletteColour(value)), lab(paletteColour(value + 1))];
    expect(Math.hypot(...a.map((one, at) => one - b[at]!)), `${value}`).toBeGreaterThan(40);
  }
});

test("a label without a colour keeps one of its own, and the palette starts again at its end", () => {
  expect(paletteColour(1)).toEqual([230, 25, 75]);
  expect(paletteColour(2)).toEqual([60, 180, 75]);
  expect(paletteColour(19)).toEqual(paletteColour(1));
  expect(paletteColour(65535)).toHaveLength(3);
});

/**
 * Decimal strings of 16 characters. What is possible: a sign and a point take two, an exponent up to five more
 * ("e-308"), so a number keeps at least ten significant digits and comes back within 1e-9 of itself, relatively.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatDs } from "../../src/dicom/build.ts";

const VALID = /^-?(\d+|\d+\.\d+)(e-?\d+)?$/;

function relativeError(value: number): number {
  const text = formatDs(value);
  expect(text).toMatch(VALID);
  expect(text.length).toBeLessThanOrEqual(16);
  return value === 0 ? Math.abs(Number(text)) : Math.abs((Number(text) - value) / value);
}

test("any double, subnormal ones and the last before infinity apart, comes back within 1e-9 of itself", () => {
  const normal = fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((value) => value === 0 || (Math.abs(value) > 2.3e-308 && Math.abs(value) < 1.79e308));
  fc.assert(
    fc.property(normal, (value) => relativeError(value) <= 1e-9),
    { numRuns: 5000 },
  );
});

test("the numbers of geometry, millimetres and cosines, come back within 1e-12", () => {
  const millimetres = fc
    .double({ min: -2000, max: 2000, noNaN: true })
    .filter((value) => Math.abs(value) >= 0.1);
  fc.assert(
    fc.property(millimetres, (value) => relativeError(value) <= 1e-12),
    { numRuns: 5000 },
  );
});

test("what fits is written out whole", () => {
  expect([0, -0, 0.7, -1024, 1e21, 0.1 + 0.2].map(formatDs)).toEqual([
    "0",
    "0",
    "0.7",
    "-1024",
    "1e+21",
    "0.3",
  ]);
});

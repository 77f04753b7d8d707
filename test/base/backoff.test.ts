import { expect, test } from "vitest";
import { backoffMs } from "../../src/base/backoff.ts";

const backoff = { firstMs: 1000, capMs: 60_000 };

test("the wait doubles with every try, up to the cap", () => {
  const longest = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => backoffMs(backoff, attempt, 0.999_999));
  expect(longest).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
});

test("chance spreads the wait over its upper half", () => {
  expect(backoffMs(backoff, 3, 0)).toBe(2000);
  expect(backoffMs(backoff, 3, 0.5)).toBe(3000);
});

test("after thousands of tries the wait is still the cap", () => {
  expect(backoffMs(backoff, 5000, 0.999_999)).toBe(60_000);
});

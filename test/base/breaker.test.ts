import { expect, test } from "vitest";
import { after, type Breaker, CLOSED, stateOf } from "../../src/base/breaker.ts";

const settings = { failuresToOpen: 3, firstMs: 1_000, capMs: 5_000 };
const at = (now: number) => ({ settings, now, random: 0.999_999 });
const down = (breaker: Breaker, now: number): Breaker => after(breaker, "down", at(now));

test("it opens at the third failure in a row, and not before", () => {
  const second = down(down(CLOSED, 100), 200);
  expect(stateOf(second, 200)).toBe("closed");
  const third = down(second, 300);
  expect(third).toEqual({ failures: 3, restsUntil: 1_300 });
  expect(stateOf(third, 1_299)).toBe("open");
  expect(stateOf(third, 1_300)).toBe("half-open");
});

test("an answer between two failures begins the count anew", () => {
  const between = after(down(down(CLOSED, 1), 2), "up", at(3));
  expect(stateOf(down(between, 4), 4)).toBe("closed");
});

test("each failed probe doubles the rest, up to the cap; an answered one closes it", () => {
  let breaker: Breaker = { failures: 2, restsUntil: 0 };
  const rests: number[] = [];
  for (let probe = 0, now = 10_000; probe < 5; probe++, now = breaker.restsUntil) {
    breaker = down(breaker, now);
    rests.push(breaker.restsUntil - now);
  }
  expect(rests).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
  expect(after(breaker, "up", at(99_000))).toEqual(CLOSED);
});

test("two peers that failed together are not asked again together", () => {
  const rest = (random: number): number =>
    after({ failures: 2, restsUntil: 0 }, "down", { settings, now: 0, random }).restsUntil;
  expect(rest(0)).toBe(500);
  expect(rest(0.5)).toBe(750);
});

import { expect, test } from "vitest";
import { barsOf, sumsOf, verdictOf, type Way } from "../../src/demo/timeline.ts";

const PLAIN = { width: 20, colour: false };

const bone: Way = {
  model: "bone",
  serviceMs: 4000,
  started: 1000,
  answered: 5000,
  ended: 6000,
  outcome: "delivered",
};
const teeth: Way = {
  model: "teeth",
  serviceMs: 2500,
  started: 5000,
  answered: 8000,
  ended: 10_000,
  outcome: "delivered",
};

test("a bar waits, works, encodes and ends where its times say, on one scale for all", () => {
  expect(barsOf([bone, teeth], 10_000, PLAIN)).toEqual([
    "  bone   ░░▓▓▓▓▓▓▓▓▒▒▏           6.0 s",
    "  teeth  ░░░░░░░░░░▓▓▓▓▓▓▒▒▒▒▏  10.0 s",
  ]);
});

test("what found nothing says so, and what did not end has no end and no time", () => {
  const nothing: Way = { ...bone, outcome: "no finding" };
  const lost: Way = { ...bone, ended: undefined, outcome: "missing" };
  expect(barsOf([nothing, lost], 10_000, PLAIN)).toEqual([
    "  bone  ░░▓▓▓▓▓▓▓▓▒▒▏           6.0 s  no finding",
    "  bone  ░░▓▓▓▓▓▓▓▓                     missing",
  ]);
});

test("what lies beyond the scale is cut, and every bar is as wide as the others", () => {
  const [inside, beyond] = barsOf([bone, { ...teeth, ended: 30_000 }], 10_000, PLAIN);
  expect(beyond).toHaveLength(inside!.length);
});

test("colours are there when wanted, and nowhere else", () => {
  expect(barsOf([bone], 10_000, PLAIN).join("")).not.toContain("\u001b");
  expect(barsOf([bone], 10_000, { width: 20, colour: true })[0]).toContain(
    "\u001b[36m▓▓▓▓▓▓▓▓\u001b[0m\u001b[33m▒▒\u001b[0m",
  );
});

test("several series get their number, and the time of a model counts for each of them", () => {
  const second: Way = { ...bone, series: 2 };
  expect(barsOf([second], 10_000, PLAIN)[0]).toMatch(/^ {2}bone 2 {2}/);
  expect(sumsOf([bone, second, teeth])).toEqual({ sumMs: 10_500, slowestMs: 8000, totalMs: 10_000 });
});

test("the verdict compares the totals with the sum and with the slowest", () => {
  const sequential = { sumMs: 30_000, slowestMs: 12_000, totalMs: 36_000 };
  const concurrent = { sumMs: 30_000, slowestMs: 12_000, totalMs: 15_000 };
  expect(verdictOf(sequential, concurrent)).toEqual([
    "one after another   36.0 s   the models alone: 30.0 s, the sum",
    "all at once         15.0 s   the slowest alone: 12.0 s, the maximum",
    "faster               2.40×   3.0 s (25 %) over the slowest model",
  ]);
});

import { expect, test } from "vitest";
import type { NodeEvent } from "../../src/demo/processes.ts";
import { keptOut, progressOf, waysOf } from "../../src/demo/ways.ts";

const at = (seconds: number): string => new Date(1_000_000 + seconds * 1000).toISOString();
const event = (seconds: number, name: string, fields: Partial<NodeEvent> = {}): NodeEvent => ({
  time: at(seconds),
  event: name,
  seriesUid: "1.2",
  ...fields,
});

const known = { sentAt: 1_000_000, received: new Set(["9.1"]), serviceMs: new Map([["bone", 3000]]) };
const done = [
  event(1, "inference.started", { model: "bone" }),
  event(4, "inference.done", { model: "bone" }),
  event(5, "segmentation.done", { model: "bone", sopInstanceUid: "9.1" }),
  event(6, "delivery.done", { model: "bone", sopInstanceUid: "9.1" }),
];

test("nothing is settled before every series was judged and every run has ended", () => {
  const assigned = event(0, "series.assigned", { count: 2 });
  expect(progressOf([], ["1.2"])).toEqual({ isSettled: false, ended: 0, expected: 0 });
  expect(progressOf([assigned, ...done], ["1.2"])).toEqual({ isSettled: false, ended: 1, expected: 2 });
  const nothing = event(7, "run.no-finding", { model: "teeth" });
  expect(progressOf([assigned, ...done, nothing], ["1.2"]).isSettled).toBe(true);
  expect(progressOf([assigned, ...done, nothing], ["1.2", "1.3"]).isSettled).toBe(false);
  const scout = event(7, "series.kept-out", { seriesUid: "1.3", reason: "a scout" });
  expect(progressOf([assigned, ...done, nothing, scout], ["1.2", "1.3"]).isSettled).toBe(true);
  expect(keptOut([assigned, scout])).toEqual(["a scout"]);
});

test("a delivery that was postponed is not the end of its run", () => {
  const assigned = event(0, "series.assigned", { count: 1 });
  const postponed = event(6, "delivery.postponed", { model: "bone" });
  expect(progressOf([assigned, ...done.slice(0, 3), postponed], ["1.2"]).isSettled).toBe(false);
});

test("the way of an answer is counted from the last image that was sent", () => {
  expect(waysOf(done, known)).toEqual([
    { model: "bone", serviceMs: 3000, started: 1000, answered: 4000, ended: 6000, outcome: "delivered" },
  ]);
});

test("after a second try the first one does not count", () => {
  const again = [event(2, "inference.started", { model: "bone" }), ...done.slice(1)];
  expect(waysOf([done[0]!, ...again], known)[0]).toMatchObject({ started: 2000, answered: 4000 });
});

test("a result that the node says is delivered and the PACS does not have is missing", () => {
  const way = waysOf(done, { ...known, received: new Set() })[0];
  expect(way).toMatchObject({ outcome: "missing", ended: undefined });
});

test("a failure keeps its reason, and series are told apart by number", () => {
  const failed = event(3, "run.ended", { model: "bone", seriesUid: "1.3", reason: "gone" });
  const ways = waysOf([...done, failed], known);
  expect(ways).toHaveLength(2);
  expect(ways[0]).toMatchObject({ series: 1, outcome: "delivered" });
  expect(ways[1]).toMatchObject({ series: 2, outcome: "failed", reason: "gone" });
});

import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { HandClock } from "../support/clock.ts";

test("a sleep that is aborted ends with the signal's own reason", async () => {
  const controller = new AbortController();
  const sleeping = systemClock.sleep(60_000, { signal: controller.signal });
  controller.abort(new Error("stopping"));
  await expect(sleeping).rejects.toThrow("stopping");
});

test("a callback that is disposed of is not called", async () => {
  const called: string[] = [];
  systemClock.after(1, () => called.push("disposed"))[Symbol.dispose]();
  await new Promise<void>((resolve) => systemClock.after(2, resolve));
  expect(called).toEqual([]);
});

test("the hand-moved clock fires in order of time, and shows each its own time", () => {
  const clock = new HandClock(5000);
  const fired: [string, number][] = [];
  clock.after(30, () => fired.push(["late", clock.now()]));
  clock.after(10, () => {
    fired.push(["early", clock.now()]);
    clock.after(10, () => fired.push(["from early", clock.now()]));
  });
  clock.after(99, () => fired.push(["never", 0]));
  clock.advance(40);
  expect(fired).toEqual([
    ["early", 5010],
    ["from early", 5020],
    ["late", 5030],
  ]);
  expect(clock.next).toBe(59);
});

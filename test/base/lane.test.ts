import { expect, test } from "vitest";
import { Lane } from "../../src/base/lane.ts";

/** A task that is ended by hand, and knows whether it has begun. */
function handTask() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const made = { begun: false, resolve, reject, run: () => ((made.begun = true), promise) };
  return made;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("so many tasks run at once, and no more", async () => {
  await using lane = new Lane(2);
  let running = 0;
  let most = 0;
  const one = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await settled();
    running--;
  };
  await Promise.all(Array.from({ length: 50 }, () => lane.run(one)));
  expect(most).toBe(2);
});

test("higher priority goes first, equals in the order they came", async () => {
  await using lane = new Lane(1);
  const first = handTask();
  const running = lane.run(first.run);
  const order: string[] = [];
  const note = (name: string) => async (): Promise<void> => void order.push(name);
  const rest = [
    lane.run(note("routine 1")),
    lane.run(note("stat 1"), { priority: 10 }),
    lane.run(note("routine 2")),
    lane.run(note("stat 2"), { priority: 10 }),
  ];
  expect(lane.waiting).toBe(4);
  first.resolve("done");
  await Promise.all([running, ...rest]);
  expect(order).toEqual(["stat 1", "stat 2", "routine 1", "routine 2"]);
});

test("a waiting task leaves the line when its signal aborts, with the signal's reason", async () => {
  await using lane = new Lane(1);
  const first = handTask();
  const second = handTask();
  const running = lane.run(first.run);
  const controller = new AbortController();
  const waiting = lane.run(second.run, { signal: controller.signal });
  controller.abort(new Error("no longer wanted"));
  await expect(waiting).rejects.toThrow("no longer wanted");
  expect(lane.waiting).toBe(0);
  first.resolve("done");
  await running;
  expect(second.begun).toBe(false);
});

test("a running task holds its place until it ends, whatever its signal says", async () => {
  await using lane = new Lane(1);
  const first = handTask();
  const second = handTask();
  const controller = new AbortController();
  const running = lane.run(first.run, { signal: controller.signal });
  const waiting = lane.run(second.run);
  controller.abort(new Error("no longer wanted"));
  await settled();
  expect(second.begun).toBe(false);
  first.resolve("ended all the same");
  expect(await running).toBe("ended all the same");
  second.resolve("done");
  await waiting;
});

test("a task that fails frees its place and tells its caller", async () => {
  await using lane = new Lane(1);
  const failed = lane.run(async () => {
    throw new Error("model on fire");
  });
  await expect(failed).rejects.toThrow("model on fire");
  expect(await lane.run(async () => "next")).toBe("next");
});

test("disposal lets what runs end and refuses what waits and what comes after", async () => {
  const lane = new Lane(1);
  const first = handTask();
  const second = handTask();
  const running = lane.run(first.run);
  const waiting = expect(lane.run(second.run)).rejects.toThrow("The node is stopping");
  let disposed = false;
  const disposal = lane[Symbol.asyncDispose]().then(() => (disposed = true));
  await waiting;
  await expect(lane.run(second.run)).rejects.toThrow("The node is stopping");
  expect(disposed).toBe(false);
  first.resolve("done");
  expect(await running).toBe("done");
  await disposal;
  expect(second.begun).toBe(false);
});

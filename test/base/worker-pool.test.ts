import { expect, test } from "vitest";
import { NodeError } from "../../src/base/errors.ts";
import { task, WorkerPool } from "../../src/base/worker-pool.ts";
import type * as tasks from "./tasks.ts";

const of = <F extends (input: never) => unknown>(name: string) => task<F>(import.meta.url, "./tasks", name);
const add = of<typeof tasks.add>("add");
const spin = of<typeof tasks.spin>("spin");
const leave = of<typeof tasks.leave>("leave");
const threadAfter = of<typeof tasks.threadAfter>("threadAfter");

function codeOf(error: unknown): string | undefined {
  return error instanceof NodeError ? error.code : undefined;
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it was fulfilled");
}

test("an exported function runs in a thread and its result comes back", async () => {
  await using pool = new WorkerPool(1);
  expect(await pool.run(add, { a: 2, b: 3 })).toBe(5);
});

test("a hundred tasks are done by two threads", async () => {
  await using pool = new WorkerPool(2);
  const sums = await Promise.all(Array.from({ length: 100 }, (_, at) => pool.run(add, { a: at, b: 1 })));
  expect(sums).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
  const threads = await Promise.all(Array.from({ length: 20 }, () => pool.run(threadAfter, 1)));
  expect(new Set(threads).size).toBe(2);
});

test("a task that takes too long is ended, and a new thread does the next one", async () => {
  await using pool = new WorkerPool(1);
  const late = pool.run(spin, undefined, { timeoutMs: 100 });
  const next = pool.run(add, { a: 1, b: 1 });
  expect(codeOf(await rejection(late))).toBe("WORKER_TIMED_OUT");
  expect(await next).toBe(2);
});

test("a thread that exits fails its own task only", async () => {
  await using pool = new WorkerPool(2);
  const others = Array.from({ length: 10 }, (_, at) => pool.run(add, { a: at, b: 0 }));
  const dead = pool.run(leave, 3);
  const after = Array.from({ length: 10 }, (_, at) => pool.run(add, { a: at, b: 0 }));
  expect(codeOf(await rejection(dead))).toBe("WORKER_DIED");
  expect(await Promise.all(others)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(await Promise.all(after)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a thread that runs out of memory fails its own task only", async () => {
  await using pool = new WorkerPool(1, { heapMb: 64 });
  const dead = pool.run(of<typeof tasks.fill>("fill"), undefined);
  expect(codeOf(await rejection(dead))).toBe("WORKER_DIED");
  expect(await pool.run(add, { a: 1, b: 1 })).toBe(2);
});

test("a thread that dies between two tasks is replaced", async () => {
  await using pool = new WorkerPool(1);
  expect(await pool.run(of<typeof tasks.failLater>("failLater"), undefined)).toBe("answered");
  // One may be given to the dying thread: then it fails, and only it.
  const failures: unknown[] = [];
  for (let n = 0; n < 20; n++)
    await pool.run(add, { a: n, b: 1 }).catch((error: unknown) => failures.push(codeOf(error)));
  expect(failures.filter((code) => code !== "WORKER_DIED")).toEqual([]);
  expect(failures.length).toBeLessThanOrEqual(1);
});

test("an error of the node keeps its code, its message and its cause across the thread", async () => {
  await using pool = new WorkerPool(1);
  const error = await rejection(pool.run(of<typeof tasks.refuse>("refuse"), undefined));
  expect(codeOf(error)).toBe("PIXELS_UNDECODABLE");
  expect(error).toMatchObject({ message: "Frame 3: not a JPEG", failure: "permanent" });
  expect((error as Error).cause).toMatchObject({ message: "bad marker" });
});

test("any other error comes back as it was, and the thread stays", async () => {
  await using pool = new WorkerPool(1);
  const before = await pool.run(threadAfter, 0);
  expect(await rejection(pool.run(of<typeof tasks.fail>("fail"), undefined))).toBeInstanceOf(TypeError);
  expect(await pool.run(threadAfter, 0)).toBe(before);
});

test("a result that cannot be cloned fails its task only", async () => {
  await using pool = new WorkerPool(1);
  const error = await rejection(pool.run(of<typeof tasks.uncloneable>("uncloneable"), undefined));
  expect(codeOf(error)).toBe("WORKER_DIED");
  expect(await pool.run(add, { a: 1, b: 1 })).toBe(2);
});

test("an input that cannot be cloned fails its task only, whichever task ended before it", async () => {
  await using pool = new WorkerPool(1);
  const first = pool.run(threadAfter, 10);
  const bad = pool.run(add, { a: 1, b: (() => 1) as unknown as number });
  const last = pool.run(add, { a: 1, b: 1 });
  await first;
  expect(await rejection(bad)).toMatchObject({ name: "DataCloneError" });
  expect(await last).toBe(2);
});

test("the signal ends a running task and its thread", async () => {
  await using pool = new WorkerPool(1);
  const controller = new AbortController();
  const marked = new Int32Array(new SharedArrayBuffer(4));
  const running = pool.run(of<typeof tasks.mark>("mark"), marked, { signal: controller.signal });
  await Atomics.waitAsync(marked, 0, 0).value;
  controller.abort(new Error("no longer wanted"));
  expect(await rejection(running)).toMatchObject({ message: "no longer wanted" });
  expect(await pool.run(add, { a: 1, b: 1 })).toBe(2);
});

test("the signal takes a waiting task out of the line at once, while the thread is busy", async () => {
  await using pool = new WorkerPool(1);
  const controller = new AbortController();
  const busy = pool.run(spin, undefined).catch(() => "ended");
  const waiting = pool.run(add, { a: 1, b: 1 }, { signal: controller.signal });
  controller.abort(new Error("no longer wanted"));
  expect(await rejection(waiting)).toMatchObject({ message: "no longer wanted" });
  await pool[Symbol.asyncDispose]();
  expect(await busy).toBe("ended");
});

test("a task whose signal has aborted already is not run", async () => {
  await using pool = new WorkerPool(1);
  const signal = AbortSignal.abort(new Error("no longer wanted"));
  expect(await rejection(pool.run(add, { a: 1, b: 1 }, { signal }))).toMatchObject({
    message: "no longer wanted",
  });
});

test("a buffer named in transfer goes to the thread without a copy", async () => {
  await using pool = new WorkerPool(1);
  const bytes = new Uint8Array(1000);
  const size = of<typeof tasks.sizeOf>("sizeOf");
  expect(await pool.run(size, bytes, { transfer: [bytes.buffer] })).toBe(1000);
  expect(bytes.byteLength).toBe(0);
});

test("disposal ends running tasks, refuses waiting ones, and says that the node is stopping", async () => {
  const pool = new WorkerPool(1);
  const running = rejection(pool.run(spin, undefined, { timeoutMs: 20_000 }));
  const waiting = rejection(pool.run(add, { a: 1, b: 1 }));
  await pool[Symbol.asyncDispose]();
  expect(await running).toMatchObject({ message: "The node is stopping" });
  expect(await waiting).toMatchObject({ message: "The node is stopping" });
  await expect(pool.run(add, { a: 1, b: 1 })).rejects.toThrow("bug:");
});

/** What threads do in worker-pool.test.ts. */
import { setTimeout as sleep } from "node:timers/promises";
import { threadId } from "node:worker_threads";
import { NodeError } from "../../src/base/errors.ts";

export function add({ a, b }: { readonly a: number; readonly b: number }): number {
  return a + b;
}

export async function threadAfter(ms: number): Promise<number> {
  await sleep(ms);
  return threadId;
}

export function spin(): never {
  for (;;);
}

export function leave(code: number): never {
  process.exit(code);
}

export function fill(): number {
  const kept: number[][] = [];
  for (;;) kept.push(Array.from({ length: 1_000_000 }, (_, at) => at + 0.5));
}

export function refuse(): never {
  throw new NodeError("PIXELS_UNDECODABLE", "Frame 3: not a JPEG", { cause: new Error("bad marker") });
}

export function fail(): never {
  throw new TypeError("not a function");
}

export function uncloneable(): unknown {
  return () => "a function cannot leave a thread";
}

/** Answers, and throws later, outside of any task. */
export function failLater(): string {
  setImmediate(() => {
    throw new Error("nobody waits for this");
  });
  return "answered";
}

export function sizeOf(bytes: Uint8Array): number {
  return bytes.byteLength;
}

export function mark(shared: Int32Array): void {
  Atomics.store(shared, 0, 1);
  Atomics.notify(shared, 0);
  spin();
}

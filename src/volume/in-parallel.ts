/** Work for many items on the threads of the pool: batches, and as many at once as keep all threads busy. */
import type { WorkerPool } from "../base/worker-pool.ts";

/**
 * Runs work for every item, as many at once as keep all threads busy without filling the pool's queue. Stops taking
 * items when one says false or throws; what runs then is waited for, as it may still write to shared memory.
 */
export async function inParallel<Item>(
  items: Iterable<Item>,
  { pool }: { readonly pool: WorkerPool },
  run: (item: Item) => Promise<boolean>,
): Promise<void> {
  const rest = shared(items);
  const lanes = Array.from({ length: 2 * pool.size }, async () => {
    for (const item of rest) if (!(await run(item))) return;
  });
  const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

/** Leaving any loop over a generator ends it for all. */
function* shared<Item>(items: Iterable<Item>): Generator<Item, undefined> {
  yield* items;
}

export function batchesOf<Item>(items: readonly Item[], size: number): Item[][] {
  const batches: Item[][] = [];
  for (let at = 0; at < items.length; at += size) batches.push(items.slice(at, at + size));
  return batches;
}

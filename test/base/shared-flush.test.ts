import { expect, test } from "vitest";
import { SharedFlush } from "../../src/base/shared-flush.ts";

/** A flush whose ends a test decides. */
function byHand() {
  const begun: PromiseWithResolvers<void>[] = [];
  const flush = new SharedFlush(() => {
    const one = Promise.withResolvers<void>();
    begun.push(one);
    return one.promise;
  });
  return { flush, begun };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("who comes while a flush is under way waits for the next, which all of them share", async () => {
  const { flush, begun } = byHand();
  const done: string[] = [];
  const first = flush.flushed().then(() => done.push("first"));
  const later = [flush.flushed(), flush.flushed()].map((one) => one.then(() => done.push("later")));
  expect(begun).toHaveLength(1);
  begun[0]?.resolve();
  await first;
  await turn();
  expect([begun.length, done]).toEqual([2, ["first"]]);
  begun[1]?.resolve();
  await Promise.all(later);
  expect([begun.length, done]).toEqual([2, ["first", "later", "later"]]);
});

test("who waits behind a flush that failed fails too; the next one to come is flushed", async () => {
  const { flush, begun } = byHand();
  const failing = [flush.flushed(), flush.flushed()];
  begun[0]?.reject(new Error("EIO"));
  for (const one of failing) await expect(one).rejects.toThrow("EIO");
  const next = flush.flushed();
  begun[1]?.resolve();
  await next;
  await flush.ended();
});

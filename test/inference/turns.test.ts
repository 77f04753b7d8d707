import { expect, test } from "vitest";
import { Turns } from "../../src/inference/turns.ts";
import { HandClock } from "../support/clock.ts";

/** Lets everything happen that needs no more than promises. */
async function settle(): Promise<void> {
  for (let n = 0; n < 50; n += 1) await Promise.resolve();
}

interface Waiting {
  readonly clock: HandClock;
  /** Names of those who may send, in order. */
  readonly begun: string[];
  readonly sent: (name: string) => Promise<void>;
}

async function waiting(...all: readonly (readonly [name: string, priority: number])[]): Promise<Waiting> {
  const clock = new HandClock();
  const turns = new Turns(clock);
  const begun: string[] = [];
  const open = new Map<string, Disposable>();
  for (const [name, priority] of all)
    void turns.begin(priority).then((turn) => {
      begun.push(name);
      open.set(name, turn);
    });
  await settle();
  return {
    clock,
    begun,
    async sent(name) {
      open.get(name)?.[Symbol.dispose]();
      await settle();
    },
  };
}

test("requests are sent one after another, the most important of those that wait first", async () => {
  const { begun, sent, clock } = await waiting(["first", 1], ["short", 2], ["long", 9]);
  expect(begun).toEqual(["first"]);
  await sent("first");
  expect(begun).toEqual(["first", "long"]);
  await sent("long");
  expect(begun).toEqual(["first", "long", "short"]);
  expect(clock.pending).toBe(0);
});

test("a server that does not take its request keeps nobody waiting for more than a second", async () => {
  const { begun, sent, clock } = await waiting(["stuck", 1], ["a", 1], ["b", 1]);
  clock.advance(999);
  await settle();
  expect(begun).toEqual(["stuck"]);
  clock.advance(1);
  await settle();
  expect(begun.toSorted()).toEqual(["a", "b", "stuck"]);
  await sent("stuck");
  await sent("a");
});

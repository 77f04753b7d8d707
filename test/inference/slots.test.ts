import { expect, test } from "vitest";
import { concurrencyOf, Slots } from "../../src/inference/slots.ts";
import { never } from "./support.ts";

interface Gate {
  readonly work: () => Promise<void>;
  readonly open: () => void;
}

function gate(onStart: () => void = () => {}): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    open: resolve,
    async work() {
      onStart();
      await promise;
    },
  };
}

/** Lets everything happen that needs no more than promises. */
async function settle(): Promise<void> {
  for (let n = 0; n < 50; n += 1) await Promise.resolve();
}

const routine = { priority: 0, signal: never };
const stat = { priority: 10, signal: never };

test("no more than its places run on a resource, whichever models they are of", async () => {
  await using slots = new Slots(
    { gpu0: 2 },
    ["a", "b", "c"].map((name) => ({ name, slots: { gpu0: 1 } })),
  );
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await settle();
    running -= 1;
  };
  await Promise.all(["a", "b", "c", "a", "b", "c", "a"].map((name) => slots.hold(name, routine, work)));
  expect(most).toBe(2);
});

test("a model without slots runs one at a time, and waits for no other", async () => {
  await using slots = new Slots({}, [
    { name: "a", slots: {} },
    { name: "b", slots: {} },
  ]);
  const started: string[] = [];
  const gates = ["a1", "a2", "b1"].map((name) => gate(() => started.push(name)));
  const all = gates.map((each, n) => slots.hold(n < 2 ? "a" : "b", routine, each.work));
  await settle();
  expect(started.toSorted()).toEqual(["a1", "b1"]);
  for (const each of gates) each.open();
  await Promise.all(all);
  expect(started).toContain("a2");
});

test("the higher priority starts first, among equals the first come", async () => {
  await using slots = new Slots({ gpu0: 1 }, [{ name: "a", slots: { gpu0: 1 } }]);
  const order: string[] = [];
  const first = gate();
  const blocking = slots.hold("a", routine, first.work);
  await settle();
  const rest = [
    ["routine 1", routine],
    ["routine 2", routine],
    ["stat", stat],
  ] as const;
  const all = rest.map(([name, options]) => slots.hold("a", options, async () => void order.push(name)));
  await settle();
  first.open();
  await Promise.all([blocking, ...all]);
  expect(order).toEqual(["stat", "routine 1", "routine 2"]);
});

test("a model of two places never shares a resource of two", async () => {
  const models = [
    { name: "large", slots: { gpu0: 2 } },
    { name: "small", slots: { gpu0: 1 } },
  ];
  await using slots = new Slots({ gpu0: 2 }, models);
  let used = 0;
  let most = 0;
  const work = (places: number) => async (): Promise<void> => {
    used += places;
    most = Math.max(most, used);
    await settle();
    used -= places;
  };
  const names = ["small", "large", "large", "small", "small", "large"] as const;
  await Promise.all(names.map((name) => slots.hold(name, routine, work(name === "large" ? 2 : 1))));
  expect(most).toBe(2);
});

// Named so that config order and the order of names differ: with the order of config these would lock each other.
test("models that need the same two resources, named in either order, do not lock each other", async () => {
  const models = [
    { name: "a", slots: { gpu1: 1, gpu0: 1 } },
    { name: "b", slots: { gpu0: 1, gpu1: 1 } },
    { name: "c", slots: { gpu1: 2 } },
    { name: "d", slots: { gpu0: 2, gpu1: 2 } },
  ];
  await using slots = new Slots({ gpu0: 2, gpu1: 2 }, models);
  const used = { gpu0: 0, gpu1: 0 };
  const names = Array.from({ length: 40 }, (_, n) => models[(n * 7) % 4] as (typeof models)[number]);
  const done = names.map(({ name, slots: needs }) =>
    slots.hold(name, routine, async () => {
      for (const key of ["gpu0", "gpu1"] as const) used[key] += needs[key] ?? 0;
      expect(Math.max(used.gpu0, used.gpu1)).toBeLessThanOrEqual(2);
      await settle();
      for (const key of ["gpu0", "gpu1"] as const) used[key] -= needs[key] ?? 0;
    }),
  );
  await expect(Promise.all(done)).resolves.toHaveLength(40);
});

test("who gives up while waiting leaves no place taken", async () => {
  await using slots = new Slots({ gpu0: 2 }, [
    { name: "large", slots: { gpu0: 2 } },
    { name: "small", slots: { gpu0: 1 } },
  ]);
  const first = gate();
  const blocking = slots.hold("small", routine, first.work);
  await settle();
  const impatience = new AbortController();
  const waiting = slots.hold("large", { priority: 0, signal: impatience.signal }, async () => {});
  await settle();
  impatience.abort(new Error("given up"));
  await expect(waiting).rejects.toThrow("given up");
  await slots.hold("small", routine, async () => {});
  first.open();
  await blocking;
  await slots.hold("large", routine, async () => {});
});

// The place belongs to the server's work; a caller who stops listening does not end that.
test("an abort while work runs does not free its place before the work ends", async () => {
  await using slots = new Slots({ gpu0: 1 }, [{ name: "a", slots: { gpu0: 1 } }]);
  const stop = new AbortController();
  const first = gate();
  const running = slots.hold("a", { priority: 0, signal: stop.signal }, first.work);
  await settle();
  let second = false;
  const next = slots.hold("a", routine, async () => {
    second = true;
  });
  stop.abort(new Error("stop"));
  await settle();
  expect(second).toBe(false);
  first.open();
  await Promise.all([running, next]);
  expect(second).toBe(true);
});

test("work that throws gives its place back", async () => {
  await using slots = new Slots({ gpu0: 1 }, [{ name: "a", slots: { gpu0: 1 } }]);
  const failing = slots.hold("a", routine, () => Promise.reject(new Error("broken")));
  await expect(failing).rejects.toThrow("broken");
  await slots.hold("a", routine, async () => {});
});

test("stopping refuses who waits and lets end what runs", async () => {
  const slots = new Slots({ gpu0: 1 }, [{ name: "a", slots: { gpu0: 1 } }]);
  let ended = false;
  const first = gate();
  const running = slots.hold("a", routine, first.work).then(() => {
    ended = true;
  });
  await settle();
  const waiting = slots.hold("a", routine, async () => {});
  const refused = expect(waiting).rejects.toThrow("stopping");
  const stopped = slots[Symbol.asyncDispose]().then(() => expect(ended).toBe(true));
  await refused;
  expect(ended).toBe(false);
  first.open();
  await Promise.all([running, stopped]);
});

test.each([
  ["a resource that is not there", { gpu9: 1 }, "none"],
  ["more places than there are", { gpu0: 3 }, "has 2"],
])("a model that needs %s is a mistake in the config", (_, needs, reason) => {
  const make = (): Slots => new Slots({ gpu0: 2 }, [{ name: "a", slots: needs }]);
  expect(make).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  expect(make).toThrow(reason);
});

test("the concurrency of a model is that of its scarcest resource", () => {
  const capacities = { gpu0: 5, gpu1: 3 };
  expect(concurrencyOf({ slots: {} }, capacities)).toBe(1);
  expect(concurrencyOf({ slots: { gpu0: 2 } }, capacities)).toBe(2);
  expect(concurrencyOf({ slots: { gpu0: 1, gpu1: 1 } }, capacities)).toBe(3);
});

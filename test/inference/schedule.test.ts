import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Capacities,
  NOTHING,
  next,
  PATIENCE_MS,
  type Request,
  type State,
} from "../../src/inference/schedule.ts";
import { makespan, optimum, type Ran, simulate, type Task } from "./simulation.ts";

function places(count: number, stat = 0): Capacities {
  return new Map([["gpu", { places: count, stat }]]);
}

function request(id: number, expectedMs: number, change: Partial<Request> = {}): Request {
  return {
    id,
    stat: false,
    seats: [{ replica: `model ${id}`, places: { gpu: 1 } }],
    expectedMs,
    pathMs: expectedMs,
    ...change,
  };
}

function task(id: number, ms: number, change: Partial<Task> & { readonly request?: Request } = {}): Task {
  return { request: request(id, ms), arrivesAt: 0, takesMs: ms, ...change };
}

function orderOf(ran: readonly Ran[]): readonly number[] {
  return ran.map(({ id }) => id);
}

test("four models on two places take as long as the best order does, longest first", () => {
  const ran = simulate(
    places(2),
    [3000, 2500, 2000, 1500].toReversed().map((ms, id) => task(id, ms)),
  );
  // The first two to come find both places free; the bench lets all four arrive before the first is begun.
  expect(makespan(ran)).toBeLessThanOrEqual(5000);
  const together = arriveTogether(places(2), [1500, 2000, 2500, 3000]);
  expect(together).toEqual([3, 2]);
});

/** Who starts first when all wait for the end of one that has all places. */
function arriveTogether(capacities: Capacities, ms: readonly number[]): readonly number[] {
  const all = capacities.get("gpu")!.places;
  const blocker = request(99, 1, { seats: [{ replica: "blocker", places: { gpu: all } }] });
  let { state } = next(capacities, NOTHING, { kind: "arrived", request: blocker }, 0);
  ms.forEach((each, id) => {
    ({ state } = next(capacities, state, { kind: "arrived", request: request(id, each) }, 1));
  });
  return next(capacities, state, { kind: "ended", id: 99, replica: "blocker" }, 2).starts.map(({ id }) => id);
}

test("the model that others wait for goes before a longer one that nobody needs", () => {
  const capacities = places(1);
  const needed = request(1, 1000, { pathMs: 4000 });
  let { state } = next(capacities, NOTHING, { kind: "arrived", request: request(0, 10) }, 0);
  ({ state } = next(capacities, state, { kind: "arrived", request: request(2, 3000) }, 1));
  ({ state } = next(capacities, state, { kind: "arrived", request: needed }, 1));
  expect(next(capacities, state, { kind: "ended", id: 0, replica: "model 0" }, 10).starts).toMatchObject([
    { id: 1 },
  ]);
});

test("STAT goes before what is longer and came before", () => {
  const ran = simulate(places(1), [
    task(0, 100),
    task(1, 5000, { arrivesAt: 1 }),
    task(2, 10, { request: request(2, 10, { stat: true }), arrivesAt: 50 }),
  ]);
  expect(orderOf(ran)).toEqual([0, 2, 1]);
});

test("routine work that has waited ten minutes does not let a newer STAT pass", () => {
  const ran = simulate(places(1), [
    task(0, PATIENCE_MS + 1000),
    task(1, 100, { arrivesAt: 1 }),
    task(2, 100, { request: request(2, 100, { stat: true }), arrivesAt: PATIENCE_MS + 500 }),
  ]);
  expect(orderOf(ran)).toEqual([0, 1, 2]);
});

test("a place kept for STAT is never taken by routine work, and STAT begins at once", () => {
  const ran = simulate(places(2, 1), [
    ...[0, 1, 2].map((id) => task(id, 1000)),
    task(3, 10, { request: request(3, 10, { stat: true }), arrivesAt: 500 }),
  ]);
  expect(ran.find(({ id }) => id === 3)?.at).toBe(500);
  expect(makespan(ran)).toBe(3000);
});

// Ends at 100 what began at 0; a large one waits for both places. 2 would end at 80, 3 at 190.
test("whoever is next keeps its places, but what ends before it can begin may use them meanwhile", () => {
  const ran = simulate(places(2), [
    task(0, 100),
    task(1, 50, { request: request(1, 50, { pathMs: 900, seats: seat("large", 2) }), arrivesAt: 1 }),
    task(3, 180, { arrivesAt: 10 }),
    task(2, 70, { arrivesAt: 10 }),
  ]);
  expect(ran.map(({ id, at }) => [id, at])).toEqual([
    [0, 0],
    [2, 10],
    [1, 100],
    [3, 150],
  ]);
});

function seat(replica: string, count: number): Request["seats"] {
  return [{ replica, places: { gpu: count } }];
}

// What is quick really takes ten times as long as expected, so that every promise to be gone in time is broken.
test("a stream of small work that lies about its length does not starve a large one", () => {
  const small = Array.from({ length: 120 }, (_, n) =>
    task(n, 60_000, { request: request(n, 100), arrivesAt: n * 20_000 }),
  );
  const large = task(9999, 1000, {
    request: request(9999, 1000, { seats: seat("large", 2) }),
    arrivesAt: 50,
  });
  const ran = simulate(places(2), [...small, large]);
  const started = ran.find(({ id }) => id === 9999)!.at;
  expect(started).toBeLessThanOrEqual(120_000);
});

test("who gives up while waiting is not started", () => {
  const capacities = places(1);
  let { state } = next(capacities, NOTHING, { kind: "arrived", request: request(0, 10) }, 0);
  ({ state } = next(capacities, state, { kind: "arrived", request: request(1, 10) }, 1));
  ({ state } = next(capacities, state, { kind: "withdrawn", id: 1 }, 2));
  expect(next(capacities, state, { kind: "ended", id: 0, replica: "model 0" }, 3)).toMatchObject({
    state: NOTHING,
    starts: [],
  });
});

const two = [
  { replica: "a 0", places: { gpu: 1 } },
  { replica: "a 1", places: { other: 1 } },
];
const both: Capacities = new Map([
  ["gpu", { places: 3, stat: 0 }],
  ["other", { places: 3, stat: 0 }],
]);

test("of two replicas the one with less in flight is asked", () => {
  let state: State = NOTHING;
  const asked: string[] = [];
  for (let id = 0; id < 4; id += 1) {
    const decided = next(both, state, { kind: "arrived", request: request(id, 10, { seats: two }) }, id);
    state = decided.state;
    asked.push(...decided.starts.map((start) => start.seat.replica));
  }
  expect(asked).toEqual(["a 0", "a 1", "a 0", "a 1"]);
});

test("what takes too long is asked again where nothing runs, once", () => {
  const slow = request(0, 100, { seats: two, hedgeAfterMs: 200 });
  const first = next(both, NOTHING, { kind: "arrived", request: slow }, 0);
  expect(first.lookAt).toBe(200);
  const early = next(both, first.state, { kind: "looked" }, 199);
  expect(early.starts).toEqual([]);
  const second = next(both, early.state, { kind: "looked" }, 200);
  expect(second).toMatchObject({ starts: [{ id: 0, seat: { replica: "a 1" }, hedge: true }] });
  expect(next(both, second.state, { kind: "looked" }, 900).starts).toEqual([]);
  const ended = next(both, second.state, { kind: "ended", id: 0, replica: "a 1" }, 1000);
  expect(ended.state.running).toMatchObject([{ id: 0, taken: [{ replica: "a 0" }] }]);
});

test("nothing is asked twice while its places are wanted by another", () => {
  const capacities: Capacities = new Map([...both, ["other", { places: 1, stat: 0 }]]);
  const slow = request(0, 100, { seats: two, hedgeAfterMs: 200 });
  let { state } = next(capacities, NOTHING, { kind: "arrived", request: slow }, 0);
  const needsBoth = request(1, 50, { seats: [{ replica: "b", places: { gpu: 3, other: 1 } }] });
  ({ state } = next(capacities, state, { kind: "arrived", request: needsBoth }, 10));
  expect(next(capacities, state, { kind: "looked" }, 300).starts).toEqual([]);
});

const duration = fc.integer({ min: 1, max: 50 });

// All arrive at once: the first decision is made when all are known, as after a series is complete.
function together(capacities: Capacities, tasks: readonly Task[]): number {
  const all = Object.fromEntries([...capacities].map(([name, each]) => [name, each.places]));
  const blocker = task(1000, 1, {
    request: request(1000, 1, { seats: [{ replica: "first", places: all }] }),
  });
  const later = tasks.map((each) => ({ ...each, arrivesAt: 0 }));
  return makespan(simulate(capacities, [blocker, ...later])) - 1;
}

// Graham 1969: 4/3 - 1/(3g) for longest first.
test("independent models end within Graham's bound of the optimum", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(duration, { minLength: 1, maxLength: 6 }),
      (g, ms) => {
        const tasks = ms.map((each, id) => task(id, each));
        const best = optimum(places(g), tasks);
        expect(together(places(g), tasks)).toBeLessThanOrEqual((4 / 3 - 1 / (3 * g)) * best + 1e-9);
      },
    ),
    { numRuns: 150 },
  );
});

/** Each task may need tasks before it; the path of each is known, as it is from the config. */
function chained(ms: readonly number[], needs: readonly (readonly boolean[])[]): readonly Task[] {
  const before = ms.map((_, id) => ms.map((_each, n) => n).filter((n) => n < id && needs[id]?.[n]));
  const paths: number[] = [];
  for (let id = ms.length - 1; id >= 0; id -= 1) {
    const later = ms.map((_, n) => n).filter((n) => before[n]!.includes(id));
    paths[id] = ms[id]! + Math.max(0, ...later.map((n) => paths[n]!));
  }
  return ms.map((each, id) => ({
    ...task(id, each),
    request: request(id, each, { pathMs: paths[id]! }),
    needs: before[id]!,
  }));
}

// Graham 1966: 2 - 1/g for any order of a list, needs or not.
test("models that need each other end within the bound of list scheduling", () => {
  const dag = fc.tuple(
    fc.integer({ min: 1, max: 3 }),
    fc.array(duration, { minLength: 1, maxLength: 6 }),
    fc.array(fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), { minLength: 6, maxLength: 6 }),
  );
  fc.assert(
    fc.property(dag, ([g, ms, needs]) => {
      const tasks = chained(ms, needs);
      expect(together(places(g), tasks)).toBeLessThanOrEqual((2 - 1 / g) * optimum(places(g), tasks) + 1e-9);
    }),
    { numRuns: 100 },
  );
});

test("on average the makespan of small cases is within 2 % of the optimum", () => {
  const sample = fc.sample(
    fc.tuple(fc.integer({ min: 1, max: 3 }), fc.array(duration, { minLength: 3, maxLength: 6 })),
    { numRuns: 120, seed: 7 },
  );
  const ratios = sample.map(([g, ms]) => {
    const tasks = ms.map((each, id) => task(id, each));
    return together(places(g), tasks) / optimum(places(g), tasks);
  });
  expect(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toBeLessThan(1.02);
});

const NAMES = ["gpu", "other"] as const;
const crowd = fc.record({
  capacities: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
  reserved: fc.boolean(),
  tasks: fc.array(
    fc.record({
      takesMs: fc.integer({ min: 1, max: 100_000 }),
      expectedMs: fc.integer({ min: 1, max: 100_000 }),
      arrivesAt: fc.integer({ min: 0, max: 1_000_000 }),
      stat: fc.boolean(),
      wants: fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 })), {
        minLength: 1,
        maxLength: 3,
      }),
      hedge: fc.boolean(),
    }),
    { minLength: 1, maxLength: 30 },
  ),
});

// simulate() itself holds every step against over-subscription, starting twice and standing still.
test("whatever comes, all of it runs, within the places there are, and waits no longer than it must", () => {
  fc.assert(
    fc.property(crowd, ({ capacities: counts, reserved, tasks }) => {
      const capacities: Capacities = new Map(
        NAMES.map((name, n) => [name, { places: counts[n]!, stat: reserved && counts[n]! > 1 ? 1 : 0 }]),
      );
      const most = (n: 0 | 1, stat: boolean): number =>
        counts[n] - (stat ? 0 : (capacities.get(NAMES[n])?.stat ?? 0));
      const all = tasks.map(({ takesMs, expectedMs, arrivesAt, stat, wants, hedge }, id): Task => {
        const seats = wants.map(([gpu, other], n) => ({
          replica: `${id} ${n}`,
          places: { gpu: Math.min(gpu, most(0, stat)), other: Math.min(other, most(1, stat)) },
        }));
        const change = { stat, seats, ...(hedge && { hedgeAfterMs: expectedMs }) };
        return { request: request(id, expectedMs, change), arrivesAt, takesMs };
      });
      const ran = simulate(capacities, all);
      const total = all.reduce((sum, { takesMs }) => sum + 2 * takesMs, 0);
      for (const { request: each, arrivesAt } of all) {
        const { at } = ran.find(({ id, hedge }) => id === each.id && !hedge)!;
        expect(at).toBeGreaterThanOrEqual(arrivesAt);
        expect(at - arrivesAt).toBeLessThanOrEqual(total);
      }
    }),
    { numRuns: 200 },
  );
});

// A lower bound that needs no search: all the work over all the places, and the longest.
test("a hundred models on eight places end within the bounds that a large number allows", () => {
  fc.assert(
    fc.property(fc.array(duration, { minLength: 100, maxLength: 100 }), (ms) => {
      const tasks = ms.map((each, id) => task(id, each));
      const work = ms.reduce((sum, each) => sum + each, 0) / 8;
      const bound = Math.max(work + (7 / 8) * Math.min(...ms), ...ms) * 1.02 + 2;
      expect(together(places(8), tasks)).toBeLessThanOrEqual(Math.max(bound, work + 50 / 8));
    }),
    { numRuns: 10 },
  );
});

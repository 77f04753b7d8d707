import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { Places } from "../../src/inference/places.ts";
import { capacitiesOf, concurrencyOf, serversOf, type Workload } from "../../src/inference/replicas.ts";
import type { Request, Seat } from "../../src/inference/schedule.ts";
import { HandClock } from "../support/clock.ts";
import { never } from "./support.ts";

interface Gate {
  readonly work: (seat: Seat, signal: AbortSignal) => Promise<string>;
  readonly open: () => void;
  readonly signal: () => AbortSignal | undefined;
}

function gate(name: string, onStart: (name: string) => void = () => {}): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  let given: AbortSignal | undefined;
  return {
    open: resolve,
    signal: () => given,
    async work(_, signal) {
      given = signal;
      onStart(name);
      await promise;
      return name;
    },
  };
}

/** Lets everything happen that needs no more than promises. */
async function settle(): Promise<void> {
  for (let n = 0; n < 50; n += 1) await Promise.resolve();
}

function request(change: Partial<Request> = {}): Omit<Request, "id"> {
  const seats = [{ replica: "a 0", places: { gpu0: 1 } }];
  return { stat: false, seats, expectedMs: 10, pathMs: 10, ...change };
}

const one = new Map([["gpu0", { places: 1, stat: 0 }]]);
const patient = { signal: never };

test("no more than its places run on a resource, and all get their turn", async () => {
  await using places = new Places(new Map([["gpu0", { places: 2, stat: 0 }]]), systemClock);
  let [running, most] = [0, 0];
  const work = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await settle();
    running -= 1;
  };
  await Promise.all(Array.from({ length: 7 }, () => places.hold(request(), work, patient)));
  expect(most).toBe(2);
});

test("who gives up while waiting leaves its turn to the next", async () => {
  await using places = new Places(one, systemClock);
  const first = gate("first");
  const running = places.hold(request(), first.work, patient);
  const impatience = new AbortController();
  const waiting = places.hold(request(), async () => "waiting", { signal: impatience.signal });
  const next = places.hold(request(), async () => "next", patient);
  impatience.abort(new Error("given up"));
  await expect(waiting).rejects.toThrow("given up");
  first.open();
  expect(await Promise.all([running, next])).toEqual(["first", "next"]);
});

// The place belongs to the server's work; a caller who stops listening does not end that.
test("an abort while work runs does not free its place before the work ends", async () => {
  await using places = new Places(one, systemClock);
  const stop = new AbortController();
  const first = gate("first");
  const running = places.hold(request(), first.work, { signal: stop.signal });
  let second = false;
  const next = places.hold(
    request(),
    async () => {
      second = true;
    },
    patient,
  );
  stop.abort(new Error("stop"));
  await settle();
  expect([second, first.signal()?.aborted]).toEqual([false, true]);
  first.open();
  await Promise.all([running, next]);
  expect(second).toBe(true);
});

test("work that throws gives its place back", async () => {
  await using places = new Places(one, systemClock);
  const failing = places.hold(request(), () => Promise.reject(new Error("broken")), patient);
  await expect(failing).rejects.toThrow("broken");
  expect(await places.hold(request(), async () => "next", patient)).toBe("next");
});

test("stopping refuses who waits and lets end what runs", async () => {
  const places = new Places(one, systemClock);
  let ended = false;
  const first = gate("first");
  const running = places.hold(request(), first.work, patient).then(() => {
    ended = true;
  });
  const waiting = places.hold(request(), async () => "never", patient);
  const refused = expect(waiting).rejects.toThrow("stopping");
  const stopped = places[Symbol.asyncDispose]().then(() => expect(ended).toBe(true));
  await refused;
  expect(ended).toBe(false);
  first.open();
  await Promise.all([running, stopped]);
  await expect(places.hold(request(), async () => "late", patient)).rejects.toThrow("stopping");
});

const twoServers = {
  capacities: new Map([
    ["gpu0", { places: 1, stat: 0 }],
    ["gpu1", { places: 1, stat: 0 }],
  ]),
  request: request({
    seats: [
      { replica: "a 0", places: { gpu0: 1 } },
      { replica: "a 1", places: { gpu1: 1 } },
    ],
    hedgeAfterMs: 500,
  }),
};

interface Hedged {
  readonly clock: HandClock;
  readonly places: Places;
  readonly gates: readonly Gate[];
  readonly started: string[];
  readonly asked: Promise<string>;
}

function hedged(fails: readonly string[] = []): Hedged {
  const clock = new HandClock();
  const places = new Places(twoServers.capacities, clock);
  const started: string[] = [];
  const gates = ["a 0", "a 1"].map((name) => gate(name, (each) => started.push(each)));
  const asked = places.hold(
    twoServers.request,
    async (seat, signal) => {
      const answer = await gates[seat.replica === "a 0" ? 0 : 1]!.work(seat, signal);
      if (fails.includes(answer)) throw new Error(`${answer} failed`);
      return answer;
    },
    patient,
  );
  return { clock, places, gates, started, asked };
}

test("a server that takes too long is joined by an idle one; the first answer counts and the other is stopped", async () => {
  const { clock, places, gates, started, asked } = hedged();
  clock.advance(499);
  expect(started).toEqual(["a 0"]);
  clock.advance(1);
  expect(started).toEqual(["a 0", "a 1"]);
  gates[1]!.open();
  expect(await asked).toBe("a 1");
  expect(gates[0]!.signal()?.aborted).toBe(true);
  // Its place stays taken until it has really stopped.
  let next = "";
  const after = places.hold(
    request({ seats: [twoServers.request.seats[0]!] }),
    async () => void (next = "in"),
    patient,
  );
  await settle();
  expect(next).toBe("");
  gates[0]!.open();
  await after;
  await places[Symbol.asyncDispose]();
});

test("where one of two tries fails the other decides; where both fail, that is the answer", async () => {
  const first = hedged(["a 0"]);
  first.clock.advance(500);
  first.gates[0]!.open();
  await settle();
  first.gates[1]!.open();
  expect(await first.asked).toBe("a 1");

  const both = hedged(["a 0", "a 1"]);
  both.clock.advance(500);
  for (const each of both.gates) each.open();
  await expect(both.asked).rejects.toThrow("failed");
});

function workload(change: Partial<Workload>): Workload {
  return { name: "a", url: "http://a/", slots: {}, replicas: [], needs: {}, cache: false, ...change };
}

test("each server of a model has its seat; one that names no resource has a place of its own", () => {
  const model = workload({ replicas: [{ url: "http://b/", slots: { gpu0: 2 } }] });
  expect(serversOf(model)).toEqual([
    { url: "http://a/", seat: { replica: "a 0", places: { "server a 0": 1 } } },
    { url: "http://b/", seat: { replica: "a 1", places: { gpu0: 2 } } },
  ]);
  const capacities = capacitiesOf({ gpu0: { places: 5, stat: 1 } }, [model]);
  expect(serversOf(model).map(({ seat }) => concurrencyOf(seat, capacities))).toEqual([1, 2]);
});

test.each([
  ["a resource that is not there", { gpu9: 1 }, "none"],
  ["more places than routine work may have", { gpu0: 3 }, "has 2"],
])("a model that needs %s is a mistake in the config", (_, slots, reason) => {
  const make = (): unknown => capacitiesOf({ gpu0: { places: 3, stat: 1 } }, [workload({ slots })]);
  expect(make).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  expect(make).toThrow(reason);
});

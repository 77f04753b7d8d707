import { expect, test, vi } from "vitest";
import type { Log, LogFields } from "../../src/base/log.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Job, JobRequest } from "../../src/ledger/port.ts";
import { recordInstance } from "../../src/ledger/series.ts";
import { instance, SERIES, type TestLedger, testLedger } from "./support.ts";

/** Jobs as they are given out; each is held until the test lets it go on. */
class Held {
  readonly given: Job[] = [];
  readonly #let = new Map<Job, () => void>();

  readonly handler = async (job: Job): Promise<void> => {
    this.given.push(job);
    await new Promise<void>((resolve) => this.#let.set(job, resolve));
  };

  get keys(): readonly string[] {
    return this.given.map(({ key }) => key);
  }

  /** Ends a job: done, or by returning without. */
  async end(at: number, how: "done" | "not done" = "done"): Promise<void> {
    const job = this.given[at]!;
    if (how === "done") await job.done();
    this.#let.get(job)?.();
  }
}

const until = (met: () => void): Promise<void> => vi.waitFor(met, { timeout: 5000, interval: 1 });
/** Long enough for whatever is under way without a timer. */
const quiet = async (): Promise<void> => {
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
};

async function enqueue(here: TestLedger, ...jobs: readonly Partial<JobRequest>[]): Promise<void> {
  const { store, queue } = here.ledger;
  await store.transaction(async (t) => {
    for (const job of jobs)
      await queue.enqueue(t, { queue: "infer", key: "run", runAt: here.clock.now(), ...job });
  });
  queue.wake();
}

async function rows(here: TestLedger): Promise<readonly unknown[]> {
  return here.ledger.store.db.query("SELECT key, state, attempt, run_at FROM job ORDER BY key, state", []);
}

test("a due job is given to its queue's handler and gone when done", async () => {
  await using here = await testLedger();
  const held = new Held();
  here.work("infer", { concurrency: 2 }, held.handler);
  await enqueue(here, { key: "a" }, { key: "b", queue: "deliver" });
  await until(() => expect(held.keys).toEqual(["a"]));
  expect(held.given[0]).toMatchObject({ attempt: 1 });
  await held.end(0);
  await quiet();
  expect(await rows(here)).toMatchObject([{ key: "b", state: "ready" }]);
});

test("a job waits for its time, by the clock of the node", async () => {
  await using here = await testLedger();
  const held = new Held();
  here.work("infer", { concurrency: 1 }, held.handler);
  await enqueue(here, { runAt: here.clock.now() + 5000 });
  await until(() => expect(here.clock.next).toBe(5000));
  here.clock.advance(4999);
  await quiet();
  expect(held.keys).toEqual([]);
  here.clock.advance(1);
  await until(() => expect(held.keys).toEqual(["run"]));
  await held.end(0);
});

test("a job of a transaction that was undone does not exist", async () => {
  await using here = await testLedger();
  const { store, queue } = here.ledger;
  const undone = store.transaction(async (t) => {
    await queue.enqueue(t, { queue: "infer", key: "a", runAt: 0 });
    throw new Error("undone");
  });
  await expect(undone).rejects.toThrow("undone");
  expect(await rows(here)).toEqual([]);
});

test("a key that waits already is one job, at the earlier of the two times", async () => {
  await using here = await testLedger();
  const now = here.clock.now();
  await enqueue(here, { runAt: now + 500 }, { runAt: now + 200 }, { runAt: now + 900 });
  expect(await rows(here)).toEqual([{ key: "run", state: "ready", attempt: 0, run_at: now + 200 }]);
});

test("a key asked for while it runs is given again after that run, never beside it", async () => {
  await using here = await testLedger();
  const held = new Held();
  here.work("infer", { concurrency: 4 }, held.handler);
  await enqueue(here, { key: "a" });
  await until(() => expect(held.keys).toEqual(["a"]));
  await enqueue(here, { key: "a" }, { key: "b" });
  await until(() => expect(held.keys).toEqual(["a", "b"]));
  await quiet();
  expect(held.keys).toEqual(["a", "b"]);
  await held.end(0);
  await until(() => expect(held.keys).toEqual(["a", "b", "a"]));
  await held.end(1);
  await held.end(2);
});

test("higher priority first, then the earlier time, then who came first", async () => {
  await using here = await testLedger();
  const now = here.clock.now();
  await enqueue(
    here,
    { key: "routine, late", runAt: now },
    { key: "routine, early", runAt: now - 10 },
    { key: "stat", runAt: now, priority: 10 },
    { key: "routine, late too", runAt: now },
  );
  const held = new Held();
  here.work("infer", { concurrency: 1 }, held.handler);
  for (let at = 0; at < 4; at++) {
    await until(() => expect(held.keys).toHaveLength(at + 1));
    await held.end(at);
  }
  expect(held.keys).toEqual(["stat", "routine, early", "routine, late", "routine, late too"]);
});

test("no more jobs run at once than the queue may, nor of one group than the group may", async () => {
  await using here = await testLedger();
  const jobs = ["a1", "a2", "a3", "b1", "b2", "c1"].map((key) => ({ key, group: key[0]! }));
  await enqueue(here, ...jobs);
  const held = new Held();
  here.work("infer", { concurrency: 3, perGroup: 1 }, held.handler);
  await until(() => expect(held.keys).toEqual(["a1", "b1", "c1"]));
  await held.end(1);
  await until(() => expect(held.keys).toEqual(["a1", "b1", "c1", "b2"]));
  await held.end(2);
  await held.end(3);
  await quiet();
  expect(held.keys).toHaveLength(4); // a1 holds the place of its group
  await held.end(0);
  await until(() => expect(held.keys.slice(4)).toEqual(["a2"]));
  await held.end(4);
  await until(() => expect(held.keys.slice(5)).toEqual(["a3"]));
  await held.end(5);
});

test("a job whose handler fails comes back after a back-off that doubles, and the failure is logged once", async () => {
  const errors: LogFields[] = [];
  const log: Log = { ...silentLog, error: (event, fields) => void errors.push({ ...fields, reason: event }) };
  await using here = await testLedger({ log });
  const attempts: [attempt: number, at: number][] = [];
  const started = here.clock.elapsed();
  here.work("infer", { concurrency: 1 }, async ({ attempt, done }) => {
    attempts.push([attempt, here.clock.elapsed() - started]);
    if (attempt < 4) throw new Error("model on fire");
    await done();
  });
  await enqueue(here, {});
  for (let attempt = 1; attempt < 4; attempt++) {
    await until(() => expect(attempts).toHaveLength(attempt));
    await until(() => expect(here.clock.next).toBeDefined());
    here.clock.advance(here.clock.next!);
  }
  await until(() => expect(attempts).toHaveLength(4));
  const waits = attempts.slice(1).map(([, at], index) => at - attempts[index]![1]);
  for (const [index, least] of [500, 1000, 2000].entries()) {
    expect(waits[index]).toBeGreaterThanOrEqual(least);
    expect(waits[index]).toBeLessThanOrEqual(2 * least);
  }
  expect(attempts.map(([attempt]) => attempt)).toEqual([1, 2, 3, 4]);
  expect(errors.map(({ reason }) => reason)).toEqual(Array.from({ length: 3 }, () => "queue.job-failed"));
});

test("a job whose handler returns without done() comes back", async () => {
  await using here = await testLedger();
  const held = new Held();
  here.work("infer", { concurrency: 1 }, held.handler);
  await enqueue(here, {});
  await until(() => expect(held.keys).toHaveLength(1));
  await held.end(0, "not done");
  await until(() => expect(here.clock.next).toBeDefined());
  here.clock.advance(1000);
  await until(() => expect(held.given[1]).toMatchObject({ key: "run", attempt: 2 }));
  await held.end(1);
});

test("what a job did is kept together with its end, or neither is", async () => {
  await using here = await testLedger();
  const { store, queue } = here.ledger;
  await store.db.query("CREATE TABLE note (attempt BIGINT)", []);
  here.work("infer", { concurrency: 1 }, async ({ attempt, done }) => {
    await done(async (t) => {
      await t.query("INSERT INTO note VALUES ($1)", [attempt]);
      await queue.enqueue(t, { queue: "deliver", key: `of attempt ${attempt}`, runAt: 0 });
      if (attempt === 1) throw new Error("undone");
    });
  });
  await enqueue(here, {});
  await until(() => expect(here.clock.next).toBeDefined());
  here.clock.advance(1000);
  await vi.waitFor(async () => expect(await rows(here)).toMatchObject([{ key: "of attempt 2" }]));
  expect(await store.db.query("SELECT attempt FROM note", [])).toEqual([{ attempt: 2 }]);
});

test("an end that comes twice, or after the job was taken away, changes nothing", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  await store.db.query("CREATE TABLE note (text TEXT)", []);
  const outcomes: unknown[] = [];
  const note = async (job: Job, text: string): Promise<void> => {
    try {
      await job.done(async (t) => void (await t.query("INSERT INTO note VALUES ($1)", [text])));
      outcomes.push("done");
    } catch (error) {
      outcomes.push((error as { code?: string }).code);
    }
  };
  here.work("infer", { concurrency: 1 }, async (job) => {
    if (job.key === "taken") await store.db.query("DELETE FROM job WHERE key = $1", [job.key]);
    await note(job, `${job.key}, first`);
    if (job.key === "twice") await note(job, "twice, second");
  });
  await enqueue(here, { key: "twice" }, { key: "taken" });
  await until(() => expect(outcomes).toEqual(["done", "LEASE_LOST", "LEASE_LOST"]));
  expect(await store.db.query("SELECT text FROM note", [])).toEqual([{ text: "twice, first" }]);
  expect(await rows(here)).toEqual([]);
});

test("stopping aborts the signal of what runs, waits for it, and gives it back at once", async () => {
  await using here = await testLedger();
  const ended: string[] = [];
  const workers = here.ledger.queue.work("infer", { concurrency: 1 }, async ({ signal }) => {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  await enqueue(here, { key: "a" }, { key: "b" });
  await vi.waitFor(async () =>
    expect(await rows(here)).toMatchObject([{ state: "active" }, { state: "ready" }]),
  );
  await workers[Symbol.asyncDispose]().then(() => ended.push("stopped"));
  expect(await rows(here)).toMatchObject([
    { key: "a", state: "ready", attempt: 1, run_at: here.clock.now() },
    { key: "b", state: "ready", attempt: 0 },
  ]);
  const held = new Held();
  here.work("infer", { concurrency: 2 }, held.handler);
  await until(() => expect(held.keys).toEqual(["a", "b"]));
  expect(held.given[0]).toMatchObject({ attempt: 2 });
  await held.end(0);
  await held.end(1);
});

test("a stop with grace lets what runs end, takes nothing new, and aborts what is late", async () => {
  await using here = await testLedger();
  const held = new Held();
  const options = { concurrency: 2, graceMs: 5000 };
  const workers = here.ledger.queue.work("infer", options, async (job) => {
    const late = new Promise((_, reject) =>
      job.signal.addEventListener("abort", () => reject(job.signal.reason)),
    );
    await Promise.race([held.handler(job), late]);
  });
  await enqueue(here, { key: "ends" }, { key: "late" });
  await until(() => expect(held.keys).toEqual(["ends", "late"]));
  await enqueue(here, { key: "new" });
  const stopped = workers[Symbol.asyncDispose]();
  await held.end(0);
  await quiet();
  expect(held.keys).toHaveLength(2);
  expect(held.given[1]?.signal.aborted).toBe(false);
  here.clock.advance(5000);
  await stopped;
  expect(await rows(here)).toMatchObject([
    { key: "late", state: "ready", attempt: 1, run_at: here.clock.now() },
    { key: "new", state: "ready", attempt: 0 },
  ]);
});

test("no job begins after the stop has begun, at whatever moment that is", async () => {
  for (let turns = 0; turns < 60; turns++) {
    await using here = await testLedger();
    let stopping = false;
    const begun: boolean[] = [];
    const workers = here.ledger.queue.work("infer", { concurrency: 1, graceMs: 1000 }, async (job) => {
      begun.push(stopping);
      await job.done();
    });
    await quiet();
    const enqueued = enqueue(here, {});
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    stopping = true;
    await workers[Symbol.asyncDispose]();
    await enqueued;
    expect(begun).not.toContain(true);
  }
});

test("what a process that died is ready again when the ledger is opened", async () => {
  await using here = await testLedger();
  await enqueue(here, { key: "died with it" }, { key: "asked for again while it ran" });
  await here.ledger.store.db.query("UPDATE job SET state = 'active', attempt = 3", []);
  await enqueue(here, { key: "asked for again while it ran" });
  expect(await rows(here)).toHaveLength(3);
  await here.reopen();
  expect(await rows(here)).toMatchObject([
    { key: "asked for again while it ran", state: "ready", attempt: 0 },
    { key: "died with it", state: "ready", attempt: 3 },
  ]);
});

// The hand-moved clock stands still, so no timer makes good for a wake-up that is lost.
test("a wake-up at any moment of a look is not lost", async () => {
  await using here = await testLedger();
  const { store, queue } = here.ledger;
  const done: string[] = [];
  here.work("infer", { concurrency: 3 }, async (job) => {
    await job.done();
    done.push(job.key);
  });
  for (let round = 0; round < 120; round++) {
    queue.wake();
    for (let turns = 0; turns < round; turns++) await Promise.resolve();
    const key = `job ${round}`;
    void store
      .transaction((t) => queue.enqueue(t, { queue: "infer", key, runAt: here.clock.now() }))
      .then(() => queue.wake());
    await until(() => expect(done).toContain(key));
  }
});

test("a ledger that fails while a job ends does not swallow the job: it is given back when the ledger is well", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  let attempts = 0;
  here.work("infer", { concurrency: 1 }, async (job) => {
    attempts++;
    if (attempts > 1) return job.done();
    await store.db.query(
      "CREATE TRIGGER sick BEFORE UPDATE ON job BEGIN SELECT RAISE(ABORT, 'disk full'); END",
      [],
    );
    throw new Error("cannot write");
  });
  await enqueue(here, {});
  await until(() => expect(here.clock.next).toBe(1000));
  here.clock.advance(1000);
  await quiet();
  expect(await rows(here)).toMatchObject([{ state: "active" }]);
  await store.db.query("DROP TRIGGER sick", []);
  await until(() => expect(here.clock.next).toBe(1000));
  here.clock.advance(1000); // given back
  await vi.waitFor(async () => expect(await rows(here)).toMatchObject([{ state: "ready" }]));
  await until(() => expect(here.clock.next).toBeDefined());
  here.clock.advance(1000); // its back-off
  await until(() => expect(attempts).toBe(2));
  await vi.waitFor(async () => expect(await rows(here)).toEqual([]));
});

test("a backlog of one group does not keep another group waiting", async () => {
  await using here = await testLedger();
  const dead = Array.from({ length: 5000 }, (_, at) => ({ key: `dead ${at}`, group: "dead" }));
  await enqueue(here, ...dead);
  const held = new Held();
  here.work("infer", { concurrency: 4, perGroup: 1 }, held.handler);
  await until(() => expect(held.keys).toHaveLength(1));
  const started = performance.now();
  await enqueue(here, { key: "alive", group: "alive" });
  await until(() => expect(held.keys).toContain("alive"));
  expect(performance.now() - started).toBeLessThan(1000);
  await here.ledger.store.db.query("DELETE FROM job WHERE state = 'ready'", []);
  await held.end(0);
  await held.end(1);
});

test("a group that rests begins no job until its time; another group goes on", async () => {
  await using here = await testLedger();
  const { queue, store } = here.ledger;
  const done: string[] = [];
  const first = Promise.withResolvers<void>();
  const all = Promise.withResolvers<void>();
  here.work("deliver", { concurrency: 4, perGroup: 1 }, async (job) => {
    await job.done();
    done.push(job.key);
    if (done.length === 1) first.resolve();
    if (done.length === 3) all.resolve();
  });
  const now = here.clock.now();
  queue.rest("deliver", "dead", now + 5_000);
  await store.transaction(async (t) => {
    for (const [key, group] of [
      ["a", "dead"],
      ["b", "dead"],
      ["c", "alive"],
    ] as const)
      await queue.enqueue(t, { queue: "deliver", key, runAt: now, group });
  });
  queue.wake();
  await first.promise;
  await until(() => expect(here.clock.next).toBe(5_000));
  here.clock.advance(4_999);
  await quiet();
  expect(done).toEqual(["c"]);
  here.clock.advance(1);
  await all.promise;
  expect(done).toEqual(["c", "a", "b"]);
});

test("what a group waits for can come earlier than it was asked for", async () => {
  await using here = await testLedger();
  const { queue, store } = here.ledger;
  const taken = Promise.withResolvers<string>();
  here.work("deliver", { concurrency: 1 }, async (job) => {
    await job.done();
    taken.resolve(job.key);
  });
  await store.transaction((t) =>
    queue.enqueue(t, { queue: "deliver", key: "a", runAt: here.clock.now() + 900_000, group: "pacs" }),
  );
  await queue.hasten("deliver", "other");
  await queue.hasten("deliver", "pacs");
  expect(await taken.promise).toBe("a");
});

test("a job whose handler fails for no passing reason is dead after twenty tries, until the next start", async () => {
  await using here = await testLedger();
  const { queue, store } = here.ledger;
  let tries = 0;
  here.work("infer", { concurrency: 1 }, async () => {
    tries++;
    throw new Error("a fault of ours");
  });
  await store.transaction((t) => queue.enqueue(t, { queue: "infer", key: "a", runAt: here.clock.now() }));
  queue.wake();
  const state = async () => (await store.db.query("SELECT state, code FROM job", []))[0];
  for (let at = 1; at < 20; at++) {
    await until(() => expect(here.clock.pending).toBe(1));
    expect(tries).toBe(at);
    while (tries === at) {
      here.clock.advance(60_000); // no timer is longer
      await quiet();
    }
  }
  await vi.waitFor(async () => expect(await state()).toEqual({ state: "dead", code: "UNEXPECTED" }));
  here.clock.advance(10_000_000);
  await quiet();
  expect(tries).toBe(20);
});

test("an obligation without a job gets one from the sweeper; one that has any is left alone", async () => {
  await using here = await testLedger();
  const { queue, store } = here.ledger;
  await store.transaction((t) => recordInstance(t, instance(1)));
  const jobs = () => store.db.query("SELECT queue, key, state FROM job", []);
  expect(await here.ledger.sweep()).toBe(1);
  expect(await jobs()).toEqual([{ queue: "close", key: SERIES, state: "ready" }]);
  expect(await here.ledger.sweep()).toBe(0);
  await store.transaction((t) => t.query("UPDATE job SET state = 'dead'", []));
  expect(await here.ledger.sweep()).toBe(0);
  await store.transaction((t) => t.query("DELETE FROM job", []));
  expect(await here.ledger.sweep()).toBe(1);
  queue.wake();
});

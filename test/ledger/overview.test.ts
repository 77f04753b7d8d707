import { expect, test } from "vitest";
import { countAttention, findStudy, STUDY_STATES, studiesOf } from "../../src/ledger/overview.ts";
import type { DeliveryId } from "../../src/ledger/records.ts";
import { recordAttempt } from "../../src/ledger/results.ts";
import { storyOf } from "../../src/ledger/story.ts";
import { closed, oneOfEachState, received, resultOf, runOf } from "./studies.ts";
import { testLedger } from "./support.ts";

test("studies are listed newest first, each with its state; a state finds those in it", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  await oneOfEachState(store);
  const { studies, next } = await studiesOf(store.db);
  expect(studies.map(({ studyUid, state }) => [studyUid, state])).toEqual([
    ["1.6", "no-work"],
    ["1.5", "done"],
    ["1.4", "delivering"],
    ["1.3", "working"],
    ["1.2", "receiving"],
    ["1.1", "attention"],
  ]);
  expect(new Set(studies.map(({ state }) => state))).toEqual(new Set(STUDY_STATES));
  expect(next).toBeUndefined();
  for (const { studyUid, state } of studies) {
    expect((await studiesOf(store.db, { state })).studies.map((study) => study.studyUid)).toEqual([studyUid]);
  }
  expect(await countAttention(store.db)).toBe(1);
});

test("a held result calls for attention; a run of an earlier revision does not", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  await oneOfEachState(store);
  const [pending] = await store.db.query("SELECT id FROM delivery WHERE state = 'pending'", []);
  await store.transaction((t) =>
    recordAttempt(t, String(pending?.["id"]) as DeliveryId, { state: "held", status: 0xa900, at: 9900 }),
  );
  await received(store, 1, 1, 8000);
  await closed(store, 1);
  expect(await findStudy(store.db, "1.4")).toMatchObject({ state: "attention" });
  expect(await findStudy(store.db, "1.1")).toMatchObject({ state: "no-work" });
});

test("studies are found by part of a UID, by model, destination and age", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  await oneOfEachState(store);
  await received(store, 6, 77);
  const uids = async (filter: Parameters<typeof studiesOf>[1]) =>
    (await studiesOf(store.db, filter)).studies.map(({ studyUid }) => studyUid);
  expect(await uids({ search: "6.77" })).toEqual(["1.6"]);
  expect(await uids({ search: "1.4" })).toEqual(["1.4"]);
  expect(await uids({ search: "%" })).toEqual([]);
  expect(await uids({ model: "canal" })).toEqual(["1.3", "1.1"]);
  expect(await uids({ destination: "archive" })).toEqual(["1.5"]);
  expect(await uids({ since: 5000 })).toEqual(["1.6", "1.5"]);
  expect(await uids({ before: 3000 })).toEqual(["1.2", "1.1"]);
  expect(await uids({ model: "canal", state: "attention", since: 1 })).toEqual(["1.1"]);
});

// Studies that come in between pages must neither be shown twice nor push one out.
test("pages follow each other without a gap, though studies arrive meanwhile", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  for (let n = 1; n <= 5; n += 1) await received(store, n, 1, 1000); // all at one instant
  await received(store, 3, 2, 1000);
  const first = await studiesOf(store.db, {}, { limit: 2 });
  await received(store, 9);
  const second = await studiesOf(store.db, {}, { limit: 2, after: first.next ?? "" });
  const third = await studiesOf(store.db, {}, { limit: 2, after: second.next ?? "" });
  const uids = [first, second, third].flatMap(({ studies }) => studies.map(({ studyUid }) => studyUid));
  expect(uids).toEqual(["1.5", "1.4", "1.3", "1.2", "1.1"]);
  expect(third.next).toBeUndefined();
});

test("a story tells what came, why it was complete, and what each model and destination said", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  await oneOfEachState(store);
  const story = await storyOf(store.db, "1.5");
  const run = runOf(5, "mandible");
  expect(story?.summary).toEqual({
    studyUid: "1.5",
    state: "done",
    firstAt: 5000,
    lastAt: 5000,
    series: 1,
    instances: 1,
    runs: { pending: 0, done: 1, "no-finding": 0, failed: 0, quarantined: 0, discarded: 0 },
    deliveries: { pending: 0, delivered: 1, held: 0, replaced: 0, discarded: 0 },
    models: ["mandible"],
    destinations: ["archive"],
  });
  const { runId, ...result } = resultOf(run);
  expect(runId).toBe(run.id);
  expect(story?.series).toEqual([
    {
      id: "1.5 1.5.1",
      seriesUid: "1.5.1",
      modality: "CT",
      state: "closed",
      revision: 1,
      firstAt: 5000,
      lastAt: 5000,
      instances: 1,
      unused: 0,
      bytes: 525_000,
      senders: [{ callingAeTitle: "CBCT1", peer: "127.0.0.1" }],
      closedAt: 5500,
      reason: "quiet",
      outcome: "assigned",
      outcomeReason: "dental CBCT",
      runs: [
        {
          id: run.id,
          revision: 1,
          rule: "dental CBCT",
          model: "mandible",
          modelVersion: "2.0",
          priority: 0,
          state: "done",
          timings: { serverMs: 12 },
          destinations: ["pacs"],
          createdAt: 5500,
          endedAt: 5600,
          results: [result],
          deliveries: [
            {
              id: expect.any(String),
              destination: "archive",
              form: "binary",
              part: 1,
              state: "delivered",
              tries: 1,
              status: 0,
              createdAt: 9000,
              endedAt: 9500,
            },
          ],
        },
      ],
    },
  ]);
});

test("a run that failed has its code and reason; one that waits, when it is tried next", async () => {
  await using here = await testLedger();
  const { store, queue } = here.ledger;
  await oneOfEachState(store);
  const { id: key } = runOf(3, "canal");
  await store.transaction((t) => queue.enqueue(t, { queue: "infer", key, runAt: 7777 }));
  expect((await storyOf(store.db, "1.1"))?.series[0]?.runs[0]).toMatchObject({
    code: "MODEL_REJECTED",
    reason: "Model canal: status 422",
    timings: {},
  });
  expect((await storyOf(store.db, "1.3"))?.series[0]?.runs[0]).toMatchObject({
    next: { at: 7777, isRunning: false },
  });
});

test("of a study that never came there is nothing to tell", async () => {
  await using here = await testLedger();
  expect(await storyOf(here.ledger.store.db, "1.2.3")).toBeUndefined();
  expect(await findStudy(here.ledger.store.db, "' OR 1=1 --")).toBeUndefined();
});

// A table scan would make the pages slower with every study that was ever received.
test("pages of studies are read from indexes alone", async () => {
  await using here = await testLedger();
  const asked: string[] = [];
  const { db } = here.ledger.store;
  await oneOfEachState(here.ledger.store);
  const spied = {
    query(sql: string, parameters: Parameters<typeof db.query>[1]) {
      asked.push(sql);
      return db.query(sql, parameters);
    },
  };
  await studiesOf(spied, { state: "attention", model: "canal", destination: "pacs", since: 1 });
  await studiesOf(spied, {}, { after: "5000 1.5" });
  await countAttention(spied);
  await storyOf(spied, "1.5");
  const scans = new Set<string>();
  for (const sql of asked) {
    const plan = await db.query(`EXPLAIN QUERY PLAN ${sql}`, []);
    for (const { detail } of plan)
      if (
        /^SCAN (?!found|s$|c USING (COVERING )?INDEX series_recent|series USING COVERING INDEX)/.test(
          String(detail),
        )
      )
        scans.add(`${detail}: ${sql}`);
  }
  expect(asked.length).toBeGreaterThan(10);
  expect([...scans]).toEqual([]);
});

test("a story tells whether a destination committed itself to keep a result", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  await oneOfEachState(store);
  const said = async () => (await storyOf(store.db, "1.5"))?.series[0]?.runs[0]?.deliveries[0]?.commitment;
  expect(await said()).toBeUndefined();
  const [delivery] = await store.db.query("SELECT id FROM delivery WHERE destination = 'archive'", []);
  const asked = (id: string, createdAt: number) =>
    store.db.query(
      `INSERT INTO commitment (id, transaction_uid, kind, peer, origin, state, instances, created_at)
       VALUES ($1, $1, 'asked', 'archive', $2, 'waiting', '[{"reason":274}]', $3)`,
      [id, String(delivery?.["id"]), createdAt],
    );
  await asked("2.25.7", 1);
  expect(await said()).toBe("waiting");
  await store.db.query("UPDATE commitment SET state = 'done'", []);
  expect(await said()).toBe("refused");
  await asked("2.25.8", 2);
  await store.db.query(
    `UPDATE commitment SET state = 'done', instances = '[{"reason":0}]' WHERE id = '2.25.8'`,
    [],
  );
  expect(await said()).toBe("committed");
});

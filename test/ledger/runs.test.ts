import { expect, test } from "vitest";
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../../src/dicom/uid.ts";
import type { ResultRecord, RunRecord } from "../../src/ledger/records.ts";
import {
  deliveryIdOf,
  findDelivery,
  insertDelivery,
  pendingDeliveries,
  recordAttempt,
  resultsOf,
} from "../../src/ledger/results.ts";
import { endRun, findRun, insertRun, pendingRuns, reopenRun, runIdOf } from "../../src/ledger/runs.ts";
import { recordInstance } from "../../src/ledger/series.ts";
import { instance, SERIES, testLedger } from "./support.ts";

const RUN: RunRecord = {
  id: runIdOf(SERIES, 1, "mandible", "2.0"),
  seriesId: SERIES,
  revision: 1,
  rule: "dental CBCT",
  model: "mandible",
  modelVersion: "2.0",
  priority: 10,
  destinations: ["pacs", "archive"],
  position: 0,
  state: "pending",
  createdAt: 1000,
};
const RESULT: ResultRecord = {
  runId: RUN.id,
  file: "run.binary1.dcm",
  form: "binary",
  part: 1,
  transferSyntaxUid: "1.2.840.10008.1.2.1" as TransferSyntaxUid,
  sopInstanceUid: "2.25.1" as InstanceUid,
  sopClassUid: "1.2.840.10008.5.1.4.1.1.66.4" as SopClassUid,
  sha256: "digest",
  bytes: 4711,
};

test("the same work has the same run, other work another", () => {
  const others = [
    runIdOf(SERIES, 2, "mandible", "2.0"),
    runIdOf(SERIES, 1, "canal", "2.0"),
    runIdOf(SERIES, 1, "mandible", "2.1"),
  ];
  expect(runIdOf(SERIES, 1, "mandible", "2.0")).toBe(RUN.id);
  expect(new Set([RUN.id, ...others]).size).toBe(4);
  expect(deliveryIdOf(RESULT, "pacs")).not.toBe(deliveryIdOf(RESULT, "archive"));
});

test("a run asked for twice is one run, and the second asking does not undo its end", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  await store.transaction((t) => insertRun(t, RUN));
  expect(await findRun(store.db, RUN.id)).toEqual(RUN);
  await store.transaction((t) => endRun(t, RUN.id, { state: "no-finding" }, 2000));
  await store.transaction((t) => insertRun(t, RUN));
  expect(await pendingRuns(store.db)).toEqual([]);
  expect(await findRun(store.db, RUN.id)).toMatchObject({ state: "no-finding" });
});

test("a run that is done says where its results are; ended again, only the new ones count", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  await store.transaction((t) => insertRun(t, RUN));
  const second = { ...RESULT, file: "run.binary2.dcm", part: 2, sopInstanceUid: "2.25.2" as InstanceUid };
  const end = { state: "done", results: [second, RESULT], timings: { inferMs: 12 } } as const;
  await store.transaction((t) => endRun(t, RUN.id, end, 2000));
  expect(await findRun(store.db, RUN.id)).toEqual({ ...RUN, state: "done" });
  expect(await resultsOf(store.db, RUN.id)).toEqual([RESULT, second]);
  await store.transaction((t) => endRun(t, RUN.id, { ...end, results: [RESULT] }, 3000));
  expect(await resultsOf(store.db, RUN.id)).toEqual([RESULT]);
});

test.each(["failed", "quarantined"] as const)(
  "a run that was %s can be opened again, once",
  async (state) => {
    await using here = await testLedger();
    const { store } = here.ledger;
    await store.transaction((t) => insertRun(t, RUN));
    const end = { state, code: "LABEL_UNKNOWN", reason: "label 7" };
    await store.transaction((t) => endRun(t, RUN.id, end, 2000));
    expect(await findRun(store.db, RUN.id)).toMatchObject({ state });
    expect(await store.transaction((t) => reopenRun(t, RUN.id, 3000))).toBe(true);
    expect(await findRun(store.db, RUN.id)).toEqual({ ...RUN, createdAt: 3000 });
    expect(await store.transaction((t) => reopenRun(t, RUN.id, 3000))).toBe(false);
  },
);

test("a delivery counts its tries until it is delivered", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  const id = await store.transaction((t) => insertDelivery(t, RESULT, "pacs", 1000));
  expect(await store.transaction((t) => insertDelivery(t, RESULT, "pacs", 5000))).toBe(id);
  await store.transaction((t) => recordAttempt(t, id, { state: "pending", status: 0xa700, at: 2000 }));
  expect(await pendingDeliveries(store.db)).toEqual([
    {
      id,
      runId: RUN.id,
      destination: "pacs",
      form: "binary",
      part: 1,
      state: "pending",
      tries: 1,
      createdAt: 1000,
    },
  ]);
  await store.transaction((t) => recordAttempt(t, id, { state: "delivered", status: 0, at: 3000 }));
  expect(await pendingDeliveries(store.db)).toEqual([]);
  expect(await findDelivery(store.db, id)).toMatchObject({ state: "delivered", tries: 2 });
});

// Rows are the obligations: the queue can be made again from them.
test("jobs that were lost are made again from the rows when the ledger is opened, due at once", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  await store.transaction(async (t) => {
    await recordInstance(t, instance(1));
    await insertRun(t, RUN);
    await insertRun(t, { ...RUN, id: runIdOf(SERIES, 1, "ended", "1") });
    await endRun(t, runIdOf(SERIES, 1, "ended", "1"), { state: "no-finding" }, 1);
    await insertDelivery(t, RESULT, "pacs", 1000);
  });
  const reopened = await here.reopen();
  const jobs = await reopened.store.db.query(
    "SELECT queue, key, grp, priority, run_at FROM job ORDER BY queue",
    [],
  );
  const run_at = here.clock.now();
  expect(jobs).toEqual([
    { queue: "close", key: SERIES, grp: "", priority: 0, run_at },
    { queue: "deliver", key: deliveryIdOf(RESULT, "pacs"), grp: "pacs", priority: 0, run_at },
    { queue: "infer", key: RUN.id, grp: "mandible", priority: 10, run_at },
  ]);
});

import { expect, test } from "vitest";
import type { SeriesUid, StudyUid } from "../../src/dicom/uid.ts";
import { accountKept, accountOf } from "../../src/ledger/account.ts";
import { carryOut } from "../../src/ledger/orders.ts";
import type { FileId, RunRecord } from "../../src/ledger/records.ts";
import { insertDelivery, recordAttempt } from "../../src/ledger/results.ts";
import { removable, removeRows } from "../../src/ledger/retention.ts";
import { endRun, insertRun, runIdOf } from "../../src/ledger/runs.ts";
import { closeSeries, findSeries, recordInstance, seriesIdOf } from "../../src/ledger/series.ts";
import { instance, type TestLedger, testLedger } from "./support.ts";

const KEEP = { doneMs: 1_000, failedMs: 10_000 };
const CLOSING = { at: 2_000, reason: "gap-free", outcome: "assigned", outcomeReason: "all" };

/** What a study has come to; each is a study of its own, with one image. */
type Fate =
  | "open"
  | "closed"
  | "running"
  | "done"
  | "failed"
  | "superseded"
  | "sending"
  | "held"
  | "delivered";

async function study(here: TestLedger, number: number, fate: Fate): Promise<StudyUid> {
  const studyUid = `1.9.${number}` as StudyUid;
  const seriesUid = `1.9.${number}.1` as SeriesUid;
  const id = seriesIdOf(studyUid, seriesUid);
  const { store } = here.ledger;
  await store.transaction(async (t) => {
    await recordInstance(t, instance(number, { id: `file-${number}` as FileId, studyUid, seriesUid }));
    if (fate === "open") return;
    await closeSeries(t, (await findSeries(t, id))!, CLOSING);
    if (fate === "closed") return;
    const run: RunRecord = {
      id: runIdOf(id, 1, "bone", "1"),
      seriesId: id,
      revision: 1,
      rule: "all",
      model: "bone",
      modelVersion: "1",
      priority: 0,
      destinations: ["pacs"],
      position: 0,
      state: "pending",
      createdAt: 2_000,
    };
    await insertRun(t, run);
    if (fate === "running") return;
    if (fate === "failed")
      return endRun(t, run.id, { state: "failed", code: "MODEL_REJECTED", reason: "400" }, 3_000);
    if (fate === "superseded")
      return endRun(t, run.id, { state: "failed", code: "SUPERSEDED", reason: "more came" }, 3_000);
    const result = {
      runId: run.id,
      file: `${run.id}.dcm`,
      form: "binary",
      part: 1,
      transferSyntaxUid: "1.2.840.10008.1.2.1",
      sopInstanceUid: `1.9.${number}.9`,
      sopClassUid: "1.2.840.10008.5.1.4.1.1.66.4",
      sha256: "abc",
      bytes: 7,
    } as unknown as Parameters<typeof insertDelivery>[1] & { readonly file: string };
    await endRun(t, run.id, { state: "done", results: [result as never], timings: { totalMs: 5 } }, 3_000);
    if (fate === "done") return;
    const delivery = await insertDelivery(t, result, "pacs", 3_000);
    if (fate === "held")
      await recordAttempt(t, delivery, { state: "held", status: 0xa900, reason: "no", at: 4_000 });
    if (fate === "delivered") await recordAttempt(t, delivery, { state: "delivered", status: 0, at: 4_000 });
  });
  return studyUid;
}

test("what is owed is never removed, however old; what is done goes first, what failed later", async () => {
  await using here = await testLedger();
  const { db } = here.ledger.store;
  const fates = [
    "open",
    "closed",
    "running",
    "done",
    "failed",
    "superseded",
    "sending",
    "held",
    "delivered",
  ] as const;
  const uids = new Map<string, string>();
  for (const [at, fate] of fates.entries()) uids.set(await study(here, at + 1, fate), fate);
  const goes = async (now: number) => (await removable(db, KEEP, now)).map((uid) => uids.get(uid));
  expect(await goes(3_000)).toEqual([]);
  expect(await goes(3_001)).toEqual(["closed"]);
  expect(await goes(4_001)).toEqual(["closed", "done", "superseded"]);
  expect(await goes(5_001)).toEqual(["closed", "done", "superseded", "delivered"]);
  expect(await goes(13_001)).toEqual(["closed", "done", "failed", "superseded", "delivered"]);
  expect(await goes(9e12)).toEqual(["closed", "done", "failed", "superseded", "delivered"]);
});

test("a study that goes leaves its account, and is new when it is sent again", async () => {
  await using here = await testLedger();
  const { store } = here.ledger;
  const uid = await study(here, 1, "delivered");
  const other = await study(here, 2, "delivered");
  const before = await accountOf(store.db, uid);
  const gone = await store.transaction((t) => removeRows(t, uid, 9_000));
  expect(gone).toEqual({
    instances: ["file-1"],
    results: [expect.stringMatching(/\.dcm$/)],
    runs: [expect.any(String)],
  });
  expect(await accountOf(store.db, uid)).toBeUndefined();
  expect(await accountKept(store.db, uid)).toEqual(before);
  expect(before?.series[0]?.runs[0]?.results[0]?.deliveries).toEqual([
    { destination: "pacs", state: "delivered", attempts: 1, status: "0000", at: "1970-01-01T00:00:04.000Z" },
  ]);
  expect((await accountOf(store.db, other))?.series[0]?.instances).toHaveLength(1);
  const again = instance(1, { studyUid: uid, seriesUid: "1.9.1.1" as SeriesUid, id: "new" as FileId });
  expect(await store.transaction((t) => recordInstance(t, again))).toBe("opened");
});

test("what failed or is held is due again by order, and given up by order", async () => {
  await using here = await testLedger();
  const { store, queue } = here.ledger;
  const failed = await study(here, 1, "failed");
  const held = await study(here, 2, "held");
  const superseded = await study(here, 3, "superseded");
  const order = (kind: "retry" | "discard", uid: string) =>
    store.transaction((t) => carryOut(t, { kind, study: uid }, { queue, now: 20_000 }));
  expect(await order("retry", failed)).toEqual({ runs: 1, deliveries: 0, jobs: 0, series: 0 });
  expect(await order("retry", held)).toEqual({ runs: 0, deliveries: 1, jobs: 0, series: 0 });
  expect(await order("retry", superseded)).toEqual({ runs: 0, deliveries: 0, jobs: 0, series: 0 });
  const jobs = await store.db.query("SELECT queue, grp, run_at FROM job ORDER BY queue", []);
  expect(jobs).toEqual([
    { queue: "deliver", grp: "pacs", run_at: 20_000 },
    { queue: "infer", grp: "bone", run_at: 20_000 },
  ]);
  expect(await order("discard", failed)).toMatchObject({ runs: 1 });
  expect(await order("discard", held)).toMatchObject({ deliveries: 1 });
  const account = await accountOf(store.db, held);
  expect(account).toMatchObject({ state: "discarded", reason: "discarded by the operator" });
  expect(account?.series[0]?.runs[0]?.results[0]?.deliveries[0]?.state).toBe("discarded");
  expect(account?.events.map(({ kind }) => kind)).toEqual(["order.retry", "order.discard"]);
  expect(await removable(store.db, KEEP, 40_000)).toEqual(expect.arrayContaining([failed, held]));
});

test("a study that was quarantined for its patients is looked at again by order", async () => {
  await using here = await testLedger();
  const { store, queue } = here.ledger;
  const named = (patient: string, number: number) => instance(number, { facts: { frames: 1, patient } });
  for (const [patient, number] of [
    ["a", 1],
    ["b", 2],
  ] as const)
    await store.transaction((t) => recordInstance(t, named(patient, number)));
  const id = seriesIdOf("1.2.3" as StudyUid, "1.2.3.4" as SeriesUid);
  const barred = { ...CLOSING, outcome: "quarantined", outcomeReason: "two" };
  await store.transaction(async (t) => closeSeries(t, (await findSeries(t, id))!, barred));
  const outcome = await store.transaction((t) =>
    carryOut(t, { kind: "retry", study: "1.2.3" }, { queue, now: 20_000 }),
  );
  expect(outcome).toEqual({ runs: 0, deliveries: 0, jobs: 0, series: 1 });
  expect(await accountOf(store.db, "1.2.3")).toMatchObject({ state: "ok", series: [{ state: "open" }] });
});

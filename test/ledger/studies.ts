/** A ledger with one study in each state. */
import type {
  InstanceUid,
  SeriesUid,
  SopClassUid,
  StudyUid,
  TransferSyntaxUid,
} from "../../src/dicom/uid.ts";
import type { Store } from "../../src/ledger/port.ts";
import type { DeliveryId, FileId, ResultRecord, RunRecord } from "../../src/ledger/records.ts";
import { insertDelivery, recordAttempt } from "../../src/ledger/results.ts";
import { endRun, insertRun, type RunEnd, runIdOf } from "../../src/ledger/runs.ts";
import { closeSeries, findSeries, recordInstance, seriesIdOf } from "../../src/ledger/series.ts";
import { instance } from "./support.ts";

/** One image of study 1.<n>, series 1.<n>.<series>, at the second n. */
export async function received(store: Store, n: number, series = 1, at = n * 1000): Promise<void> {
  const one = instance(1, {
    id: `file ${n} ${series} ${at}` as FileId,
    studyUid: `1.${n}` as StudyUid,
    seriesUid: `1.${n}.${series}` as SeriesUid,
    sopInstanceUid: `1.${n}.${series}.${at}` as InstanceUid,
    sha256: `${n} ${series} ${at}`,
    at,
  });
  await store.transaction((t) => recordInstance(t, one));
}

export async function closed(store: Store, n: number, outcome = "assigned", series = 1): Promise<void> {
  const id = seriesIdOf(`1.${n}` as StudyUid, `1.${n}.${series}` as SeriesUid);
  const found = await findSeries(store.db, id);
  if (!found) throw new Error("no such series");
  const closing = { at: n * 1000 + 500, reason: "quiet", outcome, outcomeReason: "dental CBCT" };
  await store.transaction((t) => closeSeries(t, found, closing));
}

export function runOf(n: number, model: string, revision = 1): RunRecord {
  const seriesId = seriesIdOf(`1.${n}` as StudyUid, `1.${n}.1` as SeriesUid);
  return {
    id: runIdOf(seriesId, revision, model, "2.0"),
    seriesId,
    revision,
    rule: "dental CBCT",
    model,
    modelVersion: "2.0",
    priority: 0,
    destinations: ["pacs"],
    position: 0,
    state: "pending",
    createdAt: n * 1000 + 500,
  };
}

export function resultOf(run: RunRecord): ResultRecord {
  return {
    runId: run.id,
    file: `${run.id}.dcm`,
    form: "binary",
    part: 1,
    transferSyntaxUid: "1.2.840.10008.1.2.1" as TransferSyntaxUid,
    sopInstanceUid: "2.25.1" as InstanceUid,
    sopClassUid: "1.2.840.10008.5.1.4.1.1.66.4" as SopClassUid,
    sha256: "digest",
    bytes: 4711,
  };
}

async function ran(store: Store, run: RunRecord, end?: RunEnd): Promise<void> {
  await store.transaction(async (t) => {
    await insertRun(t, run);
    if (end) await endRun(t, run.id, end, run.createdAt + 100);
  });
}

const FAILED: RunEnd = { state: "failed", code: "MODEL_REJECTED", reason: "Model canal: status 422" };

/** Study n in the state that stands at place n of the list. */
export async function oneOfEachState(store: Store): Promise<void> {
  for (let n = 1; n <= 6; n += 1) await received(store, n);
  for (const n of [1, 3, 4, 5]) await closed(store, n);
  await closed(store, 6, "no-rule");
  await ran(store, runOf(1, "canal"), FAILED);
  await ran(store, runOf(3, "canal"));
  for (const n of [4, 5]) {
    const run = runOf(n, "mandible");
    await ran(store, run, { state: "done", results: [resultOf(run)], timings: { serverMs: 12 } });
    await store.transaction((t) => insertDelivery(t, resultOf(run), n === 4 ? "pacs" : "archive", 9000));
  }
  const [delivery] = await store.db.query("SELECT id FROM delivery WHERE destination = 'archive'", []);
  await store.transaction((t) =>
    recordAttempt(t, String(delivery?.["id"]) as DeliveryId, { state: "delivered", status: 0, at: 9500 }),
  );
}

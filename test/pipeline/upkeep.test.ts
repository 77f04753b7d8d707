// What is done now and then: files go with their study, never while something is owed; orders and lost jobs are found.
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Outbox } from "../../src/delivery/outbox.ts";
import type { SeriesUid, StudyUid } from "../../src/dicom/uid.ts";
import { Spool } from "../../src/intake/spool.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import { leaveOrder } from "../../src/ledger/orders.ts";
import type { FileId } from "../../src/ledger/records.ts";
import { closeSeries, findSeries, recordInstance, seriesIdOf } from "../../src/ledger/series.ts";
import { Superseding } from "../../src/pipeline/superseding.ts";
import { startUpkeep } from "../../src/pipeline/upkeep.ts";
import { instance } from "../ledger/support.ts";
import { HandClock } from "../support/clock.ts";
import { Journal } from "../support/rig.ts";
import { tempFolder } from "../support/temp.ts";

const HOUR_MS = 3_600_000;
const CLEAN_EVERY_MS = 300_000;

async function rig() {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await tempFolder()).path;
  const [log, clock] = [new Journal(), new HandClock(0)];
  const ledger = parts.use(await openLedger(folder, { log, clock }));
  const spool = parts.use(await Spool.open(join(folder, "instances")));
  const outbox = parts.use(await Outbox.open(join(folder, "results")));
  const superseding = new Superseding();
  const retention = { doneMs: HOUR_MS, failedMs: 2 * HOUR_MS };
  parts.use(startUpkeep({ ledger, spool, outbox, superseding, retention, log, clock }));
  const release = parts.move();
  return {
    folder,
    log,
    clock,
    ledger,
    spool,
    superseding,
    files: () => readdir(join(folder, "instances")),
    /** Timers fire, and what they began comes to its end. */
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= CLEAN_EVERY_MS) {
        clock.advance(Math.min(left, CLEAN_EVERY_MS));
        await expect.poll(() => clock.pending).toBe(3);
      }
    },
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}

type Rig = Awaited<ReturnType<typeof rig>>;

async function study(here: Rig, number: number, isClosed: boolean): Promise<void> {
  const id = `file-${number}` as FileId;
  const [studyUid, seriesUid] = [`1.9.${number}` as StudyUid, `1.9.${number}.1` as SeriesUid];
  await writeFile(here.spool.pathOf(id), "an image");
  await here.ledger.store.transaction(async (t) => {
    await recordInstance(t, instance(number, { id, studyUid, seriesUid, at: 0 }));
    const series = (await findSeries(t, seriesIdOf(studyUid, seriesUid)))!;
    const closing = { at: 0, reason: "gap-free", outcome: "no-rule", outcomeReason: "" };
    if (isClosed) await closeSeries(t, series, closing);
  });
}

test("the files of a study go when its time is over; those of one that is open stay", async () => {
  await using here = await rig();
  await study(here, 1, true);
  await study(here, 2, false);
  await here.pass(HOUR_MS);
  expect(await here.files()).toHaveLength(2);
  await here.pass(CLEAN_EVERY_MS);
  await here.log.said("study.removed");
  expect(await here.files()).toEqual(["file-2.dcm"]);
  expect(here.log.of("study.removed")).toEqual([{ studyUid: "1.9.1", instances: 1, count: 1 }]);
});

test("an order that another process left is carried out, and ends what runs", async () => {
  await using here = await rig();
  await study(here, 1, false);
  using running = here.superseding.enter(seriesIdOf("1.9.1" as StudyUid, "1.9.1.1" as SeriesUid));
  const outcome = leaveOrder(here.folder, { kind: "discard", study: "1.9.1" }, 5);
  expect(outcome()).toBeUndefined();
  await here.pass(500);
  await expect.poll(outcome).toEqual({ runs: 0, deliveries: 0, jobs: 0, series: 1 });
  await expect.poll(() => running.signal.aborted).toBe(true);
});

test("a series whose job was lost gets one within a minute, and it is said", async () => {
  await using here = await rig();
  await study(here, 1, false);
  await here.pass(60_000);
  expect(await here.log.said("ledger.swept")).toEqual([{ count: 1 }]);
});

import { expect, test } from "vitest";
import type { SeriesUid, StudyUid } from "../../src/dicom/uid.ts";
import { eventsOf } from "../../src/ledger/events.ts";
import type { FileId, InstanceRecord, SeriesRecord } from "../../src/ledger/records.ts";
import {
  closeSeries,
  findSeries,
  hasFile,
  instancesOf,
  openSeries,
  type Recorded,
  recordInstance,
  studyBar,
} from "../../src/ledger/series.ts";
import { instance, SERIES, type TestLedger, testLedger } from "./support.ts";

const record = (here: TestLedger, one: InstanceRecord): Promise<Recorded> =>
  here.ledger.store.transaction((t) => recordInstance(t, one));
const series = async (here: TestLedger): Promise<SeriesRecord> =>
  (await findSeries(here.ledger.store.db, SERIES))!;
const closing = { at: 5000, reason: "quiet-period", outcome: "no-rule", outcomeReason: "" };
const close = (here: TestLedger, one: SeriesRecord): Promise<number | undefined> =>
  here.ledger.store.transaction((t) => closeSeries(t, one, closing));

test("the first instance opens its series, the next ones are added to it", async () => {
  await using here = await testLedger();
  expect(await record(here, instance(1))).toBe("opened");
  expect(await record(here, instance(2))).toBe("added");
  expect(await series(here)).toMatchObject({
    studyUid: "1.2.3",
    seriesUid: "1.2.3.4",
    state: "open",
    revision: 0,
    instances: 2,
    openedAt: 1001,
    lastAt: 1002,
  });
});

test("what was recorded of an instance is read back", async () => {
  await using here = await testLedger();
  const one = instance(1, {
    facts: { frames: 3, position: [1.25, -2, 3e-17], orientation: [1, 0, 0, 0, 1, 0] },
  });
  await record(here, one);
  await here.reopen();
  expect(await instancesOf(here.ledger.store.db, SERIES)).toEqual([one]);
  expect(await hasFile(here.ledger.store.db, one.id)).toBe(true);
  expect(await hasFile(here.ledger.store.db, "file-2" as FileId)).toBe(false);
});

test("the same bytes again are a duplicate and change nothing", async () => {
  await using here = await testLedger();
  await record(here, instance(1));
  const again = instance(1, { id: "another file" as FileId, at: 9000, peer: "10.0.0.2" });
  expect(await record(here, again)).toBe("duplicate");
  expect(await series(here)).toMatchObject({ instances: 1, lastAt: 1001 });
  expect(await hasFile(here.ledger.store.db, again.id)).toBe(false);
});

test("other bytes under the same UID are kept, and the first that came is used, at the same millisecond too", async () => {
  await using here = await testLedger();
  const first = instance(1, { id: "z" as FileId });
  await record(here, first);
  for (const id of ["a", "b"]) {
    const other = instance(1, { id: id as FileId, sha256: `other bytes ${id}` });
    expect(await record(here, other)).toBe("conflict");
    expect(await hasFile(here.ledger.store.db, other.id)).toBe(true);
  }
  expect(await instancesOf(here.ledger.store.db, SERIES)).toEqual([first]);
  expect(await series(here)).toMatchObject({ instances: 1 });
});

test("the same UIDs in another study are another series", async () => {
  await using here = await testLedger();
  await record(here, instance(1));
  const elsewhere = instance(1, { id: "b" as FileId, studyUid: "1.2.9" as StudyUid });
  expect(await record(here, elsewhere)).toBe("opened");
  expect(await record(here, instance(2, { seriesUid: "1.2.3.5" as SeriesUid }))).toBe("opened");
  expect(await openSeries(here.ledger.store.db)).toHaveLength(3);
});

test("instances come in order of arrival", async () => {
  await using here = await testLedger();
  for (const [number, at] of [
    [3, 10],
    [1, 20],
    [2, 15],
  ] as const)
    await record(here, instance(number, { at }));
  const read = await instancesOf(here.ledger.store.db, SERIES);
  expect(read.map(({ id }) => id)).toEqual(["file-3", "file-2", "file-1"]);
});

test("a series is closed once, and each closing is a new revision", async () => {
  await using here = await testLedger();
  await record(here, instance(1));
  const before = await series(here);
  expect(await close(here, before)).toBe(1);
  expect(await close(here, before)).toBeUndefined();
  expect(await series(here)).toMatchObject({ state: "closed", revision: 1 });
  expect(await openSeries(here.ledger.store.db)).toEqual([]);
});

test("a series to which an instance came since it was looked at is not closed", async () => {
  await using here = await testLedger();
  await record(here, instance(1));
  const before = await series(here);
  await record(here, instance(2));
  expect(await close(here, before)).toBeUndefined();
  expect(await series(here)).toMatchObject({ state: "open", revision: 0, instances: 2 });
});

test("an instance that comes after the closing opens the series again, with a new beginning", async () => {
  await using here = await testLedger();
  await record(here, instance(1));
  await close(here, await series(here));
  expect(await record(here, instance(2, { at: 8000 }))).toBe("reopened");
  expect(await series(here)).toMatchObject({ state: "open", revision: 1, instances: 2, openedAt: 8000 });
  expect(await close(here, await series(here))).toBe(2);
});

test("duplicates and conflicts do not open a closed series", async () => {
  await using here = await testLedger();
  await record(here, instance(1));
  await close(here, await series(here));
  await record(here, instance(1, { id: "again" as FileId }));
  await record(here, instance(1, { id: "other" as FileId, sha256: "other bytes" }));
  expect(await series(here)).toMatchObject({ state: "closed", revision: 1, instances: 1 });
});

test("by rule, an image after the closing is kept, noted and not used", async () => {
  await using here = await testLedger();
  await record(here, instance(1));
  await close(here, await series(here));
  const late = instance(2, { at: 8000 });
  const recorded = await here.ledger.store.transaction((t) => recordInstance(t, late, "note"));
  expect(recorded).toBe("late");
  expect(await hasFile(here.ledger.store.db, late.id)).toBe(true);
  expect(await instancesOf(here.ledger.store.db, SERIES)).toEqual([instance(1)]);
  expect(await series(here)).toMatchObject({ state: "closed", revision: 1, instances: 1 });
  const events = await eventsOf(here.ledger.store.db, "1.2.3");
  expect(events).toEqual([{ at: 8000, study: "1.2.3", kind: "instance.late", detail: "1.2.3.4.2" }]);
});

const patient = (id: string, number: number): InstanceRecord =>
  instance(number, { facts: { frames: 1, patient: id } });

test.each([
  ["another patient", "aa", "bb", true],
  ["the same one", "aa", "aa", false],
  ["the same id of another issuer", "aa 11", "aa 22", true],
  ["the same id, its issuer named once", "aa", "aa 22", false],
] as const)("images of one study that name %s: quarantined %s %s %s", async (_, one, other, quarantined) => {
  await using here = await testLedger();
  const { db } = here.ledger.store;
  await record(here, patient(one, 1));
  await record(here, instance(2)); // names none
  expect(await studyBar(db, "1.2.3" as StudyUid)).toBeUndefined();
  await record(here, patient(other, 3));
  const bar = quarantined ? "its images name two patients" : undefined;
  expect(await studyBar(db, "1.2.3" as StudyUid)).toBe(bar);
  await record(here, patient(one, 4));
  expect(await studyBar(db, "1.2.3" as StudyUid)).toBe(bar);
  expect((await eventsOf(db, "1.2.3")).map(({ kind }) => kind)).toEqual(
    quarantined ? ["study.quarantined"] : [],
  );
});

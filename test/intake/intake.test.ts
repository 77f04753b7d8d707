import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { readInstance } from "../../src/dicom/instance.ts";
import { readPart10, readPart10Meta } from "../../src/dicom/part10.ts";
import { settleOrphans } from "../../src/intake/orphans.ts";
import type { FileId } from "../../src/ledger/records.ts";
import { hasFile, instancesOf, openSeries } from "../../src/ledger/series.ts";
import {
  ctImage,
  DEFLATED,
  explicit,
  IMPLICIT,
  implicit,
  openItem,
  openSequence,
  seeded,
  UNDEFINED,
  u16,
} from "../support/bytes.ts";
import { HandClock } from "../support/clock.ts";
import { dataFiles, testWithData, testWithDataAnd } from "../support/data.ts";
import { dcmdump } from "../support/dcmdump.ts";
import { tempFolder } from "../support/temp.ts";
import { QUIET_MS, requestOf, SENDER, store, type TestIntake, testIntake } from "./support.ts";

const SUCCESS = 0x0000;
const OUT_OF_RESOURCES = 0xa700;
const MISMATCH = 0xa900;
const CANNOT_UNDERSTAND = 0xc000;
const SERIES = "1.2.3.4 1.2.3.4.5";

const ui = (tag: string, uid: string): Uint8Array => explicit(tag, "UI", uid + (uid.length % 2 ? "\0" : ""));
/** The n-th instance of the series. */
const image = (number: number, overrides: Parameters<typeof ctImage>[0] = {}): Uint8Array =>
  ctImage({ "00080018": ui("00080018", `1.2.3.4.5.${number}`), ...overrides });
const sendImage = (here: TestIntake, number: number, association = SENDER.id): Promise<number> =>
  store(here.intake, { dataSet: image(number), sopInstanceUid: `1.2.3.4.5.${number}`, association });

async function dataSetOnDisk(here: TestIntake, name: string): Promise<Buffer> {
  const path = here.spool.pathOf(name.replace(/\.dcm$/, "") as FileId);
  const { dataSetOffset } = readPart10Meta(await readFile(path));
  return (await readFile(path)).subarray(dataSetOffset);
}

async function jobs(here: TestIntake): Promise<readonly unknown[]> {
  return here.ledger.store.db.query("SELECT queue, key, run_at FROM job", []);
}

test("an instance is kept byte for byte, and recorded with who sent it and what it is", async () => {
  await using folder = await tempFolder();
  const clock = new HandClock();
  await using here = await testIntake(folder.path, { clock });
  const dataSet = ctImage();
  expect(await store(here.intake, { dataSet })).toBe(SUCCESS);
  const [name = ""] = await here.files();
  expect(await dataSetOnDisk(here, name)).toEqual(dataSet);
  const [series] = await openSeries(here.ledger.store.db);
  expect(series).toMatchObject({ id: SERIES, instances: 1, openedAt: clock.now() });
  expect(await instancesOf(here.ledger.store.db, series!.id)).toEqual([
    {
      id: name.replace(".dcm", ""),
      studyUid: "1.2.3.4",
      seriesUid: "1.2.3.4.5",
      sopInstanceUid: "1.2.3.4.5.1",
      sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
      transferSyntaxUid: "1.2.840.10008.1.2.1",
      sha256: createHash("sha256").update(dataSet).digest("hex"),
      bytes: dataSet.length,
      callingAeTitle: "CBCT1",
      calledAeTitle: "ISOCENTER",
      peer: "127.0.0.1",
      at: clock.now(),
      facts: { modality: "CT", frames: 1, position: [-10.5, 20, -30.25], orientation: [1, 0, 0, 0, 1, 0] },
    },
  ]);
});

test("an instance is the same however its fragments are cut", async () => {
  for (const fragmentBytes of [1, 7, 100, 65_536]) {
    await using folder = await tempFolder();
    await using here = await testIntake(folder.path);
    expect(await store(here.intake, { dataSet: ctImage(), fragmentBytes })).toBe(SUCCESS);
    const [name = ""] = await here.files();
    expect(await dataSetOnDisk(here, name)).toEqual(ctImage());
  }
});

test("the digest is that of the data set, however often the disk was waited for", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  const bytes = Buffer.from(Uint8Array.from({ length: 13_000_000 }, (_, at) => at % 251));
  const dataSet = ctImage({ "7fe00010": explicit("7fe00010", "OW", bytes) });
  expect(await store(here.intake, { dataSet, fragmentBytes: 60_001 })).toBe(SUCCESS);
  const [row] = await here.ledger.store.db.query("SELECT sha256 FROM instance", []);
  expect(row).toEqual({ sha256: createHash("sha256").update(dataSet).digest("hex") });
});

test("a deflated instance is kept deflated", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  const dataSet = deflateRawSync(ctImage());
  expect(await store(here.intake, { dataSet, transferSyntaxUid: DEFLATED })).toBe(SUCCESS);
  const [name = ""] = await here.files();
  expect(await dataSetOnDisk(here, name)).toEqual(dataSet);
});

test("the series is due a quiet period after its first instance, and at once when its last association ends", async () => {
  await using folder = await tempFolder();
  const clock = new HandClock();
  await using here = await testIntake(folder.path, { clock });
  const first = clock.now();
  await sendImage(here, 1, 7);
  clock.advance(1000);
  await sendImage(here, 2, 8);
  expect(await jobs(here)).toEqual([{ queue: "close", key: SERIES, run_at: first + QUIET_MS }]);
  expect(here.senders.of(SERIES as never)).toEqual({ sending: 2 });
  clock.advance(1000);
  here.intake.closed({ ...SENDER, id: 7 }, "released");
  await here.ledger.group.add(async () => {}); // whatever was asked of the ledger before is done
  expect(await jobs(here)).toEqual([{ queue: "close", key: SERIES, run_at: first + QUIET_MS }]);
  here.intake.closed({ ...SENDER, id: 8 }, "released");
  await here.ledger.group.add(async () => {});
  expect(await jobs(here)).toEqual([{ queue: "close", key: SERIES, run_at: clock.now() }]);
  expect(here.senders.of(SERIES as never)).toEqual({ sending: 0, releasedAt: clock.now() });
});

test("the same instance again is answered Success and kept once", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  expect(await sendImage(here, 1)).toBe(SUCCESS);
  const before = await here.files();
  expect(await sendImage(here, 1)).toBe(SUCCESS);
  expect(await here.files()).toEqual(before);
  expect((await openSeries(here.ledger.store.db))[0]).toMatchObject({ instances: 1 });
});

test("the same instance from many senders at the same moment is kept once", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  const statuses = await Promise.all(Array.from({ length: 20 }, (_, at) => sendImage(here, 1, at)));
  expect(new Set(statuses)).toEqual(new Set([SUCCESS]));
  expect(await here.files()).toHaveLength(1);
});

test("other bytes under the same UID are kept, said aloud, and not used", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  await sendImage(here, 1);
  const [used] = await here.files();
  const other = image(1, { "00100010": explicit("00100010", "PN", "Some^One") });
  expect(await store(here.intake, { dataSet: other })).toBe(SUCCESS);
  expect(await here.files()).toHaveLength(2);
  expect(here.logged.filter(([event]) => event === "intake.conflict")).toHaveLength(1);
  const [series] = await openSeries(here.ledger.store.db);
  const kept = await instancesOf(here.ledger.store.db, series!.id);
  expect(kept.map(({ id }) => `${id}.dcm`)).toEqual([used]);
});

test.each([
  ["another SOP Instance UID than the command", MISMATCH, { sopInstanceUid: "1.2.3.4.5.99" }],
  ["another SOP Class UID than the command", MISMATCH, { sopClassUid: "1.2.840.10008.5.1.4.1.1.4" }],
])("a data set with %s is refused with %i", async (_, status, request) => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  expect(await store(here.intake, { dataSet: ctImage(), ...request })).toBe(status);
  await nothingLeft(here);
});

async function nothingLeft(here: TestIntake): Promise<void> {
  expect(await here.files()).toEqual([]);
  expect(await openSeries(here.ledger.store.db)).toEqual([]);
  expect(await jobs(here)).toEqual([]);
}

const random = seeded(3);

test.each<[what: string, dataSet: Uint8Array]>([
  ["nothing", new Uint8Array(0)],
  ["random bytes", Uint8Array.from({ length: 3000 }, () => Math.floor(random() * 256))],
  ["a text", Buffer.from("GET / HTTP/1.1\r\nHost: isocenter\r\n\r\n".repeat(50))],
  ["no Study Instance UID", ctImage({ "0020000d": "" })],
  ["an empty Series Instance UID", ctImage({ "0020000e": explicit("0020000e", "UI", "") })],
  ["a path as Study Instance UID", ctImage({ "0020000d": explicit("0020000d", "UI", "../../etc/passwd") })],
  [
    "a study UID of 65 characters",
    ctImage({ "0020000d": explicit("0020000d", "UI", `1.${"2".repeat(63)}\0`) }),
  ],
  ["a header that is cut", ctImage().subarray(0, 150)],
  ["native pixels that are cut", ctImage().subarray(0, -3)],
  ["pixels that say they are 4 GB", ctImage({ "7fe00010": explicit("7fe00010", "OW", u16(1), 0xfffffffe) })],
  ["fragments that do not end", ctImage({ "7fe00010": explicit("7fe00010", "OB", "", UNDEFINED) })],
  ["stray delimiters", Buffer.concat([implicit("fffee00d", ""), implicit("fffee0dd", ""), ctImage()])],
  ["a meta header of a file", Buffer.concat([new Uint8Array(128), Buffer.from("DICM"), ctImage()])],
])("%s is refused, and nothing of it is left", async (_, dataSet) => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  expect(await store(here.intake, { dataSet })).toBe(CANNOT_UNDERSTAND);
  await nothingLeft(here);
  expect(here.logged.map(([event]) => event)).toEqual(["intake.refused"]);
  expect(await sendImage(here, 1)).toBe(SUCCESS);
});

test("implicit VR under the name of explicit, and the reverse, are refused", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  expect(await store(here.intake, { dataSet: ctImage(), transferSyntaxUid: IMPLICIT })).toBe(
    CANNOT_UNDERSTAND,
  );
  const inImplicit = Buffer.concat([
    implicit("00080016", "1.2.840.10008.5.1.4.1.1.2\0"),
    implicit("00080018", "1.2.3.4.5.1\0"),
  ]);
  expect(await store(here.intake, { dataSet: inImplicit })).toBe(CANNOT_UNDERSTAND);
  await nothingLeft(here);
});

test.each<[where: string, overrides: Parameters<typeof ctImage>[0]]>([
  ["before the UIDs", { "00090010": explicit("00090010", "UN", new Uint8Array(300_000)) }],
  ["between the UIDs", { "00110010": explicit("00110010", "UN", new Uint8Array(300_000)) }],
  ["behind what is looked at", { "00291010": explicit("00291010", "OB", new Uint8Array(300_000)) }],
  [
    "in a sequence",
    { "00089215": openSequence("00089215", openItem(explicit("00091010", "UN", new Uint8Array(300_000)))) },
  ],
])("a header longer than what is kept in memory is read, the length lying %s", async (_, overrides) => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  const dataSet = ctImage(overrides);
  expect(await store(here.intake, { dataSet, fragmentBytes: 16_000 })).toBe(SUCCESS);
  const [series] = await openSeries(here.ledger.store.db);
  const [only] = await instancesOf(here.ledger.store.db, series!.id);
  expect(only?.facts).toMatchObject({ position: [-10.5, 20, -30.25] });
});

test("a document of 80 MB is taken, though its content stands in the header", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  const document = explicit("00420011", "OB", new Uint8Array(80_000_000));
  expect(await store(here.intake, { dataSet: ctImage({ "00420011": document, "7fe00010": "" }) })).toBe(
    SUCCESS,
  );
});

test("an instance that is given up leaves nothing, at whatever moment", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  for (const fragments of [0, 1, 5, 200]) {
    const sink = here.intake.open(requestOf());
    if (typeof sink === "number") throw new Error("refused");
    for (let at = 0; at < fragments; at++) sink.write(new Uint8Array(60_000));
    await sink.discard();
    await sink.drained();
  }
  await nothingLeft(here);
});

test("a folder that has become unwritable is answered Out of Resources, and is used again when it is back", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  await rm(join(folder.path, "instances"), { recursive: true });
  expect(await sendImage(here, 1)).toBe(OUT_OF_RESOURCES);
  await writeFile(join(folder.path, "instances"), "a file in its place");
  expect(await sendImage(here, 1)).toBe(OUT_OF_RESOURCES);
  expect(await openSeries(here.ledger.store.db)).toEqual([]);
});

test("a ledger that fails is answered Out of Resources, and nothing is left", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  const { db } = here.ledger.store;
  await db.query(
    "CREATE TRIGGER sick BEFORE INSERT ON instance BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    [],
  );
  expect(await sendImage(here, 1)).toBe(OUT_OF_RESOURCES);
  await db.query("DROP TRIGGER sick", []);
  await nothingLeft(here);
  expect(await sendImage(here, 1)).toBe(SUCCESS);
});

test("below the reserve nothing is taken: associations are told to come later, instances are refused", async () => {
  await using folder = await tempFolder();
  const clock = new HandClock();
  await using here = await testIntake(folder.path, { clock, reserveBytes: Number.MAX_SAFE_INTEGER });
  here.intake.admit(); // the first question starts the look
  await expect.poll(() => here.intake.admit()).toBe("busy");
  expect(await sendImage(here, 1)).toBe(OUT_OF_RESOURCES);
  expect(here.logged.map(([event]) => event)).toEqual(["intake.full"]);
  await nothingLeft(here);
});

test("files without a row are of a process that died: half ones are removed, whole ones put aside", async () => {
  await using folder = await tempFolder();
  {
    await using here = await testIntake(folder.path);
    await sendImage(here, 1);
  }
  await writeFile(join(folder.path, "instances", "0b5c2f58-0000-4000-8000-000000000000.dcm"), "half an inst");
  await writeFile(join(folder.path, "instances", "README"), "not ours");
  await mkdir(join(folder.path, "instances", "folder.dcm"));
  await using here = await testIntake(folder.path);
  const known = (await here.files()).find((name) => !/^(0b5c|README|folder)/.test(name)) ?? "";
  const whole = "1b5c2f58-0000-4000-8000-000000000000.dcm";
  await copyFile(join(folder.path, "instances", known), join(folder.path, "instances", whole));
  const { db } = here.ledger.store;
  const aside = join(folder.path, "orphans");
  expect(await settleOrphans(here.spool, aside, (id) => hasFile(db, id))).toEqual({ removed: 1, parked: 1 });
  expect(await readdir(aside)).toEqual([whole]);
  expect(await here.files()).toEqual(expect.arrayContaining([known, "README", "folder.dcm"]));
  expect(await here.files()).toHaveLength(3);
  expect(await sendImage(here, 1)).toBe(SUCCESS);
  expect(await here.files()).toHaveLength(3);
});

test("nothing that the node says or names holds what is in the data set", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  const canary = {
    "00100010": explicit("00100010", "PN", "ZZCANARY^A"),
    "00100020": explicit("00100020", "LO", "ZZCANARY4711"),
  };
  await store(here.intake, { dataSet: ctImage(canary) });
  await store(here.intake, {
    dataSet: ctImage({ ...canary, "0020000d": explicit("0020000d", "UI", "ZZCANARY") }),
  });
  await store(here.intake, { dataSet: ctImage(canary).subarray(0, -5) });
  await store(here.intake, { dataSet: ctImage({ ...canary, "0020000d": "" }) });
  await store(here.intake, { dataSet: ctImage(canary), sopInstanceUid: "1.2.3" });
  const said = JSON.stringify(here.logged, (_, value: unknown) =>
    value instanceof Error ? `${value.stack} ${String(value.cause)}` : value,
  );
  expect(here.logged).toHaveLength(5);
  expect(said).not.toContain("CANARY");
  expect((await readdir(folder.path, { recursive: true })).join()).not.toContain("CANARY");
});

const withData = testWithData();

withData(
  "every real data set is kept byte for byte, or refused for a reason",
  async () => {
    await using folder = await tempFolder();
    await using here = await testIntake(folder.path);
    const refused: Record<string, number> = {};
    let kept = 0;
    for (const path of dataFiles()) {
      const file = readFileSync(path);
      let part10: ReturnType<typeof readPart10>;
      try {
        part10 = readPart10(file);
      } catch {
        continue; // not a DICOM file: no SCU could send it
      }
      const read = readInstance(part10.dataSet);
      const dataSet = file.subarray(part10.dataSetOffset);
      const { transferSyntaxUid } = part10;
      const identity = read.kind === "instance" ? read.instance : {};
      const before = new Set(await here.files());
      const status = await store(here.intake, { ...identity, dataSet, transferSyntaxUid });
      const why = here.logged.at(-1)?.[1].error;
      const reason = `${status.toString(16)} ${why instanceof Error ? why.message : ""}`;
      if (status !== SUCCESS) refused[reason] = (refused[reason] ?? 0) + 1;
      for (const name of await here.files()) {
        if (before.has(name)) continue;
        expect((await dataSetOnDisk(here, name)).equals(dataSet), path).toBe(true);
        kept++;
      }
    }
    expect(refused).toEqual({
      "c000 Data set: ends inside an element": 1,
      "c000 Data set: no valid SOPClassUID": 12,
      "c000 Data set: no valid StudyInstanceUID": 1,
    });
    expect(kept).toBeGreaterThan(170);
  },
  60_000,
);

testWithDataAnd("dcmdump")("DCMTK reads the files of the spool", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path);
  await sendImage(here, 1);
  const [name = ""] = await here.files();
  const path = join(folder.path, "instances", name);
  const elements = dcmdump([path]).get(path) ?? [];
  const valueOf = (tag: number): string | undefined => elements.find((one) => one.tag === tag)?.value;
  expect(valueOf(0x00020003)).toBe("1.2.3.4.5.1");
  expect(valueOf(0x00100010)).toBe("Nobody^Known");
});

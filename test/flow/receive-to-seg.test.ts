/** The whole node on loopback: instances in by C-STORE, a model's answer back as SEG. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { dataFiles, testWithData } from "../support/data.ts";
import { startModelDouble } from "../support/model-double.ts";
import { contents } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { Journal, ONE_SEGMENT, RAW_NIFTI, startRig } from "../support/rig.ts";
import { readSeg } from "../support/seg-reader.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";
import { ABOVE, pathsOf, sortedByPosition, stage } from "./stage.ts";

test("a series becomes a SEG in the PACS, voxel for voxel what the model said", async () => {
  await using rig = await stage();
  expect(await send(rig.paths, rig.port)).toEqual([0, 0, 0]);
  await rig.pacs.arrived(1);
  const [seg] = [...(await contents(rig.pacs)).values()];
  const read = readSeg(seg!);
  const expected = new Map<string, Uint8Array>();
  for (const path of rig.paths) {
    const { dataSet, pixelData, body } = readPart10(await readFile(path));
    const pixels = new DataView(body.buffer, body.byteOffset + pixelData!.offset, pixelData!.length);
    const mask = Uint8Array.from({ length: 16 * 12 }, (_, at) =>
      pixels.getUint16(2 * at, true) - 1024 > ABOVE ? 1 : 0,
    );
    if (mask.includes(1)) expected.set(stringOf(dataSet, tagOf("SOPInstanceUID"))!, mask);
  }
  expect(expected.size).toBeGreaterThan(0);
  const found = new Map(read.frames.map((frame) => [frame.sourceInstance, Uint8Array.from(frame.pixels)]));
  expect(found).toEqual(expected);
});

test("a model that fails leaves the others their results, and its reason", async () => {
  await using broken = await startModelDouble(() => ({ kind: "answer", status: 400, body: "no" }));
  await using good = await startModelDouble(({ body }) => threshold(body, ABOVE));
  await using rig = await stage({
    models: {
      broken: { url: broken.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` },
      good: { url: good.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` },
    },
  });
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  const [failure] = await rig.journal.said("run.ended");
  expect(failure).toMatchObject({ model: "broken", code: "MODEL_REJECTED" });
  expect(rig.journal.of("segmentation.done").map(({ model }) => model)).toEqual(["good"]);
});

test("a model that is away for a while is asked again when its own tries are used up", async () => {
  await using away = await startModelDouble(({ body }) => threshold(body, ABOVE), {
    early: (_, number) => (number === 0 ? { kind: "reset" } : undefined),
  });
  const models = { away: { url: away.origin, rest: `attempts: 1, ${RAW_NIFTI}, ${ONE_SEGMENT}` } };
  await using rig = await stage({ models });
  await send(rig.paths, rig.port);
  const [postponed] = await rig.journal.said("run.postponed");
  expect(postponed?.code).toBe("MODEL_UNAVAILABLE");
  await rig.pacs.arrived(1);
});

test("a PACS that refuses the association for now gets the result later", async () => {
  await using rig = await stage({ pacs: { busyAtFirst: 1 } });
  await send(rig.paths, rig.port);
  await rig.journal.said("delivery.postponed");
  await rig.pacs.arrived(1);
});

test("a result that the PACS has no room for now is sent again, the same object", async () => {
  await using rig = await stage({ pacs: { answer: (_, at) => (at === 0 ? 0xa700 : 0) } });
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  const [first, second] = rig.pacs.stored;
  expect([first?.status, second?.status]).toEqual([0xa700, 0]);
  expect(await readFile(second!.path)).toEqual(await readFile(first!.path));
});

test("a result that the PACS refuses is held, and said", async () => {
  await using rig = await stage({ pacs: { answer: () => 0xa900 } });
  await send(rig.paths, rig.port);
  const [held] = await rig.journal.said("delivery.held");
  expect(held).toMatchObject({ destination: "pacs", status: "a900" });
  expect(rig.pacs.stored).toHaveLength(1);
});

test("images that come after completion make a new revision with its own result", async () => {
  await using rig = await stage({ slices: 5 });
  const inOrder = await sortedByPosition(rig.paths);
  await send(inOrder.slice(0, 3), rig.port);
  await rig.pacs.arrived(1);
  await send(inOrder.slice(3), rig.port);
  await rig.pacs.arrived(2);
  expect(
    rig.journal.of("series.complete").map(({ revision, instances, reason }) => [revision, instances, reason]),
  ).toEqual([
    [1, 3, "gap-free"],
    [2, 5, "gap-free"],
  ]);
  const [one, two] = rig.pacs.stored;
  expect(one?.sopInstanceUid).not.toBe(two?.sopInstanceUid);
});

test("the same images sent again make no new work", async () => {
  await using rig = await stage();
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  expect(await send(rig.paths, rig.port)).toEqual([0, 0, 0]);
  await rig.journal.said("association.closed", 2);
  expect(rig.journal.of("intake.duplicate")).toHaveLength(3);
  expect(rig.journal.of("series.complete")).toHaveLength(1);
  expect(rig.model.requests).toHaveLength(1);
});

test("our own SEG, sent back to us, is kept and never enters a model", async () => {
  await using rig = await stage();
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  expect(await send([rig.pacs.stored[0]!.path], rig.port)).toEqual([0]);
  const [kept] = await rig.journal.said("series.kept-out");
  expect(kept?.reason).toMatch(/segmentation|derived/);
  expect(rig.model.requests).toHaveLength(1);
});

test("a stack with a hole is not sent to the model, and the reason is named", async () => {
  await using rig = await stage({
    slices: 6,
    assembly: "{ settle: 50ms, quietPeriod: 1s, maximumWait: 1m }",
  });
  const inOrder = await sortedByPosition(rig.paths);
  await send(
    inOrder.filter((_, at) => at !== 2),
    rig.port,
  );
  const [ended] = await rig.journal.said("run.ended");
  expect(ended?.code).toBe("VOLUME_GAP");
  expect(rig.journal.of("series.complete")[0]?.reason).toBe("quiet-period");
  expect(rig.model.requests).toHaveLength(0);
});

test("a series sent by two associations is one series, complete when both have ended", async () => {
  await using rig = await stage({
    slices: 6,
    assembly: "{ settle: 300ms, quietPeriod: 5s, maximumWait: 1m }",
  });
  const inOrder = await sortedByPosition(rig.paths);
  await Promise.all([
    send(
      inOrder.filter((_, at) => at % 2 === 0),
      rig.port,
      { calling: "CT1" },
    ),
    send(
      inOrder.filter((_, at) => at % 2 === 1),
      rig.port,
      { calling: "CT2" },
    ),
  ]);
  await rig.pacs.arrived(1);
  expect(rig.journal.of("series.complete").map(({ instances }) => instances)).toEqual([6]);
});

test("two series sent interleaved are two volumes", async () => {
  await using rig = await stage();
  const other = pathsOf(
    await writeSeries(join(rig.folder, "other"), { seed: "other", slices: 3, columns: 9, rows: 8 }),
  );
  await send(
    rig.paths.flatMap((path, at) => [path, other[at]!]),
    rig.port,
  );
  await rig.pacs.arrived(2);
  expect(rig.journal.of("volume.built").map(({ frames }) => frames)).toEqual([3, 3]);
  expect(new Set(rig.pacs.stored.map(({ sopInstanceUid }) => sopInstanceUid)).size).toBe(2);
});

test("a stop lets the inference that runs end, and its result leave", async () => {
  const asked = Promise.withResolvers<void>();
  await using slow = await startModelDouble(({ body }) => {
    asked.resolve();
    const reply = threshold(body, ABOVE);
    return reply.kind === "answer" ? { ...reply, afterMs: 700 } : reply;
  });
  const rig = await stage({ models: { slow: { url: slow.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` } } });
  await send(rig.paths, rig.port);
  await asked.promise;
  await rig[Symbol.asyncDispose]();
  expect(rig.journal.of("delivery.done")).toHaveLength(1);
});

test("a caller that is not listed, or calls us by another name, is refused", async () => {
  await using rig = await stage();
  await expect(send(rig.paths, rig.port, { called: "SOMEONE" })).rejects.toThrow(/reject/i);
});

const real = testWithData();

real(
  "the scout and the exam summary of a study come along and stay out of every volume",
  async () => {
    await using rig = await stage({ when: 'Modality == "CT"' });
    const files = ["ct-skull-philips", "ct-skull-philips-scout", "ct-skull-philips-summary"];
    const paths = files.flatMap((name) => dataFiles("series", name));
    expect(new Set(await send(paths, rig.port))).toEqual(new Set([0]));
    await rig.pacs.arrived(1);
    const outs = await rig.journal.said("series.kept-out", 2);
    expect(new Set(outs.map(({ reason }) => reason))).toEqual(new Set(["localizer", "secondary-capture"]));
    expect(rig.journal.of("volume.built").map(({ frames }) => frames)).toEqual([30]);
  },
  60_000,
);

test("a data folder whose ledger is gone is not touched: the node does not start", async () => {
  await using folder = await tempFolder();
  const kept = join(folder.path, "data", "instances", "kept.dcm");
  await mkdir(join(folder.path, "data", "instances"), { recursive: true });
  await writeFile(kept, "an instance");
  await expect(startRig(folder.path, new Journal(), { pacsPort: 1, models: {} })).rejects.toThrow(
    /nothing is touched/,
  );
  expect(await readFile(kept, "utf8")).toBe("an instance");
});

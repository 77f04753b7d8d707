/** Models that need other models, and results that wait for each other: the whole node on loopback. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Reply, startModelDouble } from "../support/model-double.ts";
import { contents, startPacs } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { Journal, ONE_SEGMENT, RAW_NIFTI, startRig } from "../support/rig.ts";
import { readElements, readSeg, textAt } from "../support/seg-reader.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";
import { ABOVE, pathsOf, stage } from "./stage.ts";

const REST = `${RAW_NIFTI}, ${ONE_SEGMENT}`;
const CROPPED = `needs: { seed: { crop: { label: 1, marginMm: 0 } } }, ${REST}`;

/** Label 1 in columns 5 to 9 and rows 3 to 6 of slices 1 and 2, and nothing elsewhere. */
function seed(body: Uint8Array): Reply {
  const reply = threshold(body, ABOVE);
  if (reply.kind !== "answer") throw new Error(reply.kind);
  const answer = Buffer.from(reply.body as Uint8Array).fill(0, 352);
  for (const k of [1, 2])
    for (let j = 3; j <= 6; j++) for (let i = 5; i <= 9; i++) answer[352 + (k * 12 + j) * 16 + i] = 1;
  return { ...reply, body: answer };
}

function sizeOf(nifti: Uint8Array): readonly number[] {
  const view = new DataView(nifti.buffer, nifti.byteOffset);
  return [42, 44, 46].map((at) => view.getInt16(at, true));
}

/** Series description to the pixels of each source image. */
async function segsOf(pacs: Parameters<typeof contents>[0]): Promise<ReadonlyMap<string, Frames>> {
  const files = [...(await contents(pacs)).values()];
  return new Map(
    files.map((file) => {
      const frames = readSeg(file).frames.map(
        ({ sourceInstance, pixels }) => [sourceInstance, Uint8Array.from(pixels)] as const,
      );
      return [textAt(readElements(file), "0008103e") ?? "", new Map(frames)];
    }),
  );
}

type Frames = ReadonlyMap<string, Uint8Array>;

test("a model asked about a part answers where it would have answered about the whole", async () => {
  await using needed = await startModelDouble(({ body }) => seed(body));
  await using finds = await startModelDouble(({ body }) => threshold(body, ABOVE));
  await using rig = await stage({
    slices: 4,
    models: {
      detail: { url: `${finds.origin}/detail`, rest: CROPPED },
      whole: { url: `${finds.origin}/whole`, rest: REST },
      seed: { url: needed.origin, rest: REST },
    },
  });
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(3);
  const detail = finds.requests.find(({ path }) => path === "/detail")!;
  expect(sizeOf(detail.body)).toEqual([5, 4, 2]);

  const segs = [...(await segsOf(rig.pacs)).entries()];
  const named = (name: string): Frames => segs.find(([description]) => description.includes(name))![1];
  let [inside, compared] = [0, 0];
  for (const [image, pixels] of named("whole")) {
    const part = named("detail").get(image);
    pixels.forEach((value, at) => {
      const [i, j] = [at % 16, Math.floor(at / 16)];
      const isIn = named("seed").has(image) && i >= 5 && i <= 9 && j >= 3 && j <= 6;
      expect(part?.[at] ?? 0).toBe(isIn ? value : 0);
      inside += isIn ? value : 0;
      compared += 1;
    });
  }
  expect(inside).toBeGreaterThan(5);
  expect(compared).toBeGreaterThan(500);
});

test("a model starts when what it needs has answered, while other models run on", async () => {
  const gate = Promise.withResolvers<void>();
  await using needed = await startModelDouble(async ({ body }) => {
    await gate.promise;
    return seed(body);
  });
  await using finds = await startModelDouble(({ body }) => threshold(body, ABOVE));
  await using rig = await stage({
    models: {
      detail: { url: `${finds.origin}/detail`, rest: CROPPED },
      other: { url: `${finds.origin}/other`, rest: REST },
      seed: { url: needed.origin, rest: REST },
    },
  });
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  expect(finds.requests.map(({ path }) => path)).toEqual(["/other"]);
  gate.resolve();
  await rig.pacs.arrived(3);
  expect(needed.requests).toHaveLength(1);
});

const refusing = { kind: "answer", status: 400, body: "no" } as const;

test("a model whose need failed is not asked, and says why; one that may runs on the whole", async () => {
  await using broken = await startModelDouble(() => refusing);
  await using finds = await startModelDouble(({ body }) => threshold(body, ABOVE));
  const otherwise = CROPPED.replace("marginMm: 0 }", "marginMm: 0 }, otherwise: run");
  await using rig = await stage({
    models: {
      strict: { url: `${finds.origin}/strict`, rest: CROPPED },
      lenient: { url: `${finds.origin}/lenient`, rest: otherwise },
      seed: { url: broken.origin, rest: REST },
    },
  });
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  const ended = await rig.journal.said("run.ended", 2);
  expect(ended.find(({ model }) => model === "strict")).toMatchObject({
    code: "NEED_UNMET",
    reason: "needs seed, which failed",
  });
  expect(finds.requests.map(({ path, body }) => [path, sizeOf(body)])).toEqual([["/lenient", [16, 12, 3]]]);
});

test("a need that found nothing leaves nothing to crop around", async () => {
  await using empty = await startModelDouble(({ body }) => threshold(body, 100_000));
  await using finds = await startModelDouble(({ body }) => threshold(body, ABOVE));
  await using rig = await stage({
    models: {
      strict: { url: `${finds.origin}/strict`, rest: CROPPED },
      after: { url: `${finds.origin}/after`, rest: `needs: { seed: {} }, ${REST}` },
      seed: { url: empty.origin, rest: REST },
    },
  });
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  const [ended] = await rig.journal.said("run.ended");
  expect(ended).toMatchObject({ model: "strict", code: "NEED_UNMET" });
  expect(finds.requests.map(({ path }) => path)).toEqual(["/after"]);
});

test("a node that stops between a model and the one that needs it goes on from there", async () => {
  let silent = true;
  await using needed = await startModelDouble(({ body }) => seed(body));
  await using finds = await startModelDouble(({ body }) =>
    silent ? { kind: "silence" } : threshold(body, ABOVE),
  );
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "pacs"));
  await using pacs = await startPacs(join(folder.path, "pacs"));
  const models = {
    detail: { url: finds.origin, rest: CROPPED },
    seed: { url: needed.origin, rest: REST },
  };
  const files = await writeSeries(join(folder.path, "source"), { slices: 3, columns: 16, rows: 12 });
  {
    await using node = await startRig(folder.path, new Journal(), { pacsPort: pacs.port, models });
    await send(pathsOf(files), node.port);
    await pacs.arrived(1);
    await finds.asked(1);
  }
  silent = false;
  await using again = await startRig(folder.path, new Journal(), { pacsPort: pacs.port, models });
  expect(again.port).toBeGreaterThan(0);
  await pacs.arrived(2);
  expect(new Set(pacs.stored.map(({ sopInstanceUid }) => sopInstanceUid)).size).toBe(2);
  expect(pacs.stored).toHaveLength(2); // the needed model was asked again, but its result was sent once
  expect(needed.requests).toHaveLength(2);
  expect(sizeOf(finds.requests.at(-1)!.body)).toEqual([5, 4, 2]);
});

test("results of a rule that waits for all are sent when the last model has ended, however it ended", async () => {
  const gate = Promise.withResolvers<void>();
  await using slow = await startModelDouble(async () => {
    await gate.promise;
    return refusing;
  });
  await using finds = await startModelDouble(({ body }) => threshold(body, ABOVE));
  await using rig = await stage({
    fanIn: "all",
    models: { quick: { url: finds.origin, rest: REST }, slow: { url: slow.origin, rest: REST } },
  });
  await send(rig.paths, rig.port);
  await rig.journal.said("run.done");
  await slow.asked(1);
  expect(rig.pacs.stored).toHaveLength(0);
  gate.resolve();
  await rig.pacs.arrived(1);
  expect(rig.journal.of("run.ended")).toMatchObject([{ model: "slow" }]);
});

test("what is there at the deadline of a rule is sent, and the rest when it is ready", async () => {
  const gate = Promise.withResolvers<void>();
  await using slow = await startModelDouble(async ({ body }) => {
    await gate.promise;
    return threshold(body, ABOVE);
  });
  await using finds = await startModelDouble(({ body }) => threshold(body, ABOVE));
  await using rig = await stage({
    fanIn: "{ partialAfter: 1s }",
    models: { quick: { url: finds.origin, rest: REST }, slow: { url: slow.origin, rest: REST } },
  });
  await send(rig.paths, rig.port);
  const [done] = await rig.journal.said("run.done");
  expect(done).toMatchObject({ model: "quick" });
  await rig.pacs.arrived(1);
  gate.resolve();
  await rig.pacs.arrived(2);
});

test("an inference about a series that got more images is ended, and its server let go", async () => {
  await using model = await startModelDouble(({ number, body }) =>
    number === 0 ? { kind: "silence" } : threshold(body, ABOVE),
  );
  await using rig = await stage({ slices: 5, models: { bone: { url: model.origin, rest: REST } } });
  const files = rig.paths.toSorted();
  await send(files.slice(0, 4), rig.port);
  await model.asked(1);
  await send(files.slice(4), rig.port);
  const [ended] = await rig.journal.said("run.ended");
  expect(ended).toMatchObject({ code: "SUPERSEDED" });
  await rig.pacs.arrived(1);
  expect([model.requests.length, model.lost]).toEqual([2, 1]);
});

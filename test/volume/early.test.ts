import { basename, join } from "node:path";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import type { InstanceUid } from "../../src/dicom/uid.ts";
import { type Built, buildVolume } from "../../src/volume/build.ts";
import { EarlyVolumes } from "../../src/volume/early.ts";
import { orderSlices } from "../../src/volume/order-slices.ts";
import type { ImageFile } from "../../src/volume/read-image.ts";
import { dataFiles, dataPath, testWithData } from "../support/data.ts";
import { type Phantom, shuffled, writeSeries } from "../support/phantom.ts";
import { tempFolder } from "../support/temp.ts";

const pool = new WorkerPool(2);
afterAll(() => pool[Symbol.asyncDispose]());

function filesOf(paths: readonly string[]): readonly ImageFile[] {
  return paths.map((path, at) => ({ path, sopInstanceUid: `1.2.${at + 1}` as InstanceUid }));
}

/** @param arriving  what comes before the series is complete */
async function early(
  files: readonly ImageFile[],
  arriving: readonly ImageFile[] = files,
): Promise<Built | undefined> {
  await using volumes = new EarlyVolumes(pool);
  for (const file of arriving) volumes.add("series", file);
  return volumes.finish("series", files);
}

function voxelsOf(built: Built | undefined): unknown {
  if (built?.kind !== "volume") throw new Error(built?.detail ?? "not built early");
  const { voxels } = built.volume;
  return [
    voxels.constructor.name,
    Buffer.from(voxels.buffer, voxels.byteOffset, voxels.byteLength).toString("base64"),
  ];
}

function expectSame(one: Built | undefined, other: Built): void {
  expect(voxelsOf(one)).toEqual(voxelsOf(other));
  if (one?.kind !== "volume" || other.kind !== "volume") return;
  expect(one.volume.grid).toEqual(other.volume.grid);
  expect(one.source).toEqual(other.source);
  expect(one.tiltDegrees).toBe(other.tiltDegrees);
}

async function phantom(folder: string, change: Partial<Phantom> = {}): Promise<readonly ImageFile[]> {
  const series = await writeSeries(folder, { slices: 9, columns: 16, rows: 12, ...change });
  return filesOf(series.map(({ path }) => path).toSorted());
}

test("slices that come in any order make the volume that is built at once", async () => {
  await using folder = await tempFolder();
  const files = await phantom(folder.path);
  const atOnce = await buildVolume(files, { pool });
  const orders = [files, files.toReversed(), shuffled(files.length).map((at) => files[at]!)];
  for (const order of orders) expectSame(await early(files, order), atOnce);
});

test("slices that nobody had announced are added at the end", async () => {
  await using folder = await tempFolder();
  const files = await phantom(folder.path);
  expectSame(await early(files, files.slice(2, 7)), await buildVolume(files, { pool }));
});

test("several series on their way do not mix; of too many the one that rests longest gives way", async () => {
  await using folder = await tempFolder();
  const all = await Promise.all(
    [1, 2, 3, 4, 5].map((uid) =>
      phantom(join(folder.path, String(uid)), {
        slices: 3 + uid,
        seed: `series ${uid}`,
      }),
    ),
  );
  await using volumes = new EarlyVolumes(pool);
  const [first] = all[0] ?? [];
  for (let slice = 0; slice < 8; slice += 1)
    all.forEach((files, series) => {
      const file = files[slice];
      if (series > 0 && file) volumes.add(String(series), file);
    });
  if (first) volumes.add("0", first);
  for (const [series, files] of all.entries()) {
    const built = await volumes.finish(String(series), files);
    if (series === 1) expect(built).toBeUndefined();
    else expectSame(built, await buildVolume(files, { pool }));
  }
});

test("what does not fit is left to be built from the beginning", async () => {
  await using folder = await tempFolder();
  const files = await phantom(join(folder.path, "a"));
  const others = await phantom(join(folder.path, "b"), { columns: 20 });
  const halves = await phantom(join(folder.path, "c"), { rescale: () => [0.5, -1000] });
  expect(await early([...files, ...others])).toBeUndefined(); // another size
  const whole = await buildVolume(files, { pool });
  const top = whole.kind === "volume" && whole.source.frames.at(-1)?.sopInstanceUid;
  const belonging = files.filter(({ sopInstanceUid }) => sopInstanceUid !== top);
  expect(belonging).toHaveLength(files.length - 1);
  expect(await early(belonging, files)).toBeUndefined(); // one does not belong to the series
  expect(await early(files.filter((_, at) => at !== 4))).toBeUndefined(); // a gap
  expect(await early([...files, ...filesOf([join(folder.path, "none")])])).toBeUndefined();
  expect(await early(files, [])).toBeUndefined(); // none came while the node was up
  expect(await early(halves)).toBeUndefined();
});

testWithData()("real series, shuffled, make the volumes that are built at once", async () => {
  for (const series of ["cbct-head-varian-obi", "ct-skull-philips", "ct-tilt-philips", "mr-t1-siemens"]) {
    const files = filesOf(dataFiles("series", series).filter((path) => !basename(path).startsWith("RS.")));
    expect(files.length, series).toBeGreaterThan(2);
    const arriving = shuffled(files.length).map((at) => files[at]!);
    expectSame(await early(files, arriving), await buildVolume(files, { pool }));
  }
});

testWithData()("a multi-frame object is not built early", async () => {
  expect(await early(filesOf([dataPath("multiframe", "legacy-ect-23x38x3.dcm")]))).toBeUndefined();
});

test("slices are put in any order in place", () => {
  const permutation = fc.integer({ min: 1, max: 40 }).chain((n) =>
    fc.shuffledSubarray(
      Array.from({ length: n }, (_, at) => at),
      { minLength: n, maxLength: n },
    ),
  );
  fc.assert(
    fc.property(permutation, (from) => {
      const words = new SharedArrayBuffer(from.length * 6);
      const bytes = new Uint8Array(words);
      bytes.forEach((_, at) => {
        bytes[at] = Math.floor(at / 6);
      });
      orderSlices({ words, sliceBytes: 6, from });
      expect([...bytes]).toEqual(from.flatMap((slice) => Array<number>(6).fill(slice)));
    }),
  );
});

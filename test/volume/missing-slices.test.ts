/** Volumes of series with missing or unevenly spaced slices, where a policy asks for them. */
import { afterAll, expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { buildVolume } from "../../src/volume/build.ts";
import { type Phantom, writeSeries } from "../support/phantom.ts";
import { tempFolder } from "../support/temp.ts";

const pool = new WorkerPool(1);
afterAll(() => pool[Symbol.asyncDispose]());

const REPEAT = { missingSlices: "repeat", unevenSpacing: "refuse" } as const;
const SHAPE: Partial<Phantom> = {
  columns: 4,
  rows: 3,
  slices: 11,
  bits: { allocated: 16, stored: 16, signed: false },
  rescale: undefined,
};

/** The first voxel of every slice, which the phantom makes 1009 × slice. */
function firsts(voxels: ArrayLike<number>, slices: number): readonly number[] {
  return Array.from({ length: slices }, (_, k) => voxels[k * 12]! / 1009);
}

test("a missing slice shows the one before it, and the source says which slices are real", async () => {
  await using folder = await tempFolder();
  const files = await writeSeries(folder.path, SHAPE);
  const all = await buildVolume(files, { pool });
  if (all.kind !== "volume") throw new Error(all.detail);
  const kept = all.source.frames.filter((_, k) => ![2, 5, 6].includes(k));
  const some = files.filter((file) => kept.some((frame) => frame.sopInstanceUid === file.sopInstanceUid));
  expect(await buildVolume(some, { pool })).toMatchObject({ kind: "rejected" });
  const built = await buildVolume(some, { pool, stack: REPEAT });
  if (built.kind !== "volume") throw new Error(built.detail);
  expect(built.source.slices).toEqual([0, 1, 3, 4, 7, 8, 9, 10]);
  expect(built.source.frames).toEqual(kept);
  expect(built.volume.grid).toEqual(all.volume.grid);
  expect(firsts(built.volume.voxels, 11)).toEqual([0, 1, 1, 3, 4, 4, 4, 7, 8, 9, 10]);
});

test("a whole series is the same volume under any policy", async () => {
  await using folder = await tempFolder();
  const files = await writeSeries(folder.path, SHAPE);
  const built = await buildVolume(files, { pool, stack: { missingSlices: "repeat", unevenSpacing: "mean" } });
  expect(built).toEqual(await buildVolume(files, { pool }));
  expect(built.kind === "volume" && "slices" in built.source).toBe(false);
});

/** The largest result that is planned for, in a worker, while the event loop is watched. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { encodeTask } from "../../src/segmentation/task.ts";
import { SHAPES } from "../bench/seg-shapes.ts";
import { layOut, readSeg } from "../support/seg-reader.ts";
import { tempFolder } from "../support/temp.ts";
import { BINARY, LABELMAP_RLE } from "./encoded.ts";
import { inputFor, labelMap, ranks, slicesOf, stack, writeSeries } from "./series.ts";

/**
 * What the thread of the event loop works during the whole encoding; nothing in it can have blocked for longer. Its
 * own time, not that of a clock: on a busy machine a loop that has nothing to do is late too.
 */
const THREAD_BUSY_AT_MOST_MS = 40;

test("600 slices of 401 × 401 with 40 labels come back, and nobody waits for them", {
  timeout: 300_000,
}, async () => {
  await using folder = await tempFolder();
  await using pool = new WorkerPool(1);
  const { stack: shape, label } = SHAPES["cbct"]!;
  const series = stack(shape);
  const [path = ""] = await writeSeries({ ...series, headers: series.headers.slice(0, 1) }, folder.path);
  const map = labelMap(series, label);
  const { sourceHeader: _, ...input } = inputFor(series, map);
  const outputPrefix = join(folder.path, "huge");
  const job = { ...input, source: { ...input.source, path }, wanted: [BINARY, LABELMAP_RLE], outputPrefix };
  await pool.run(encodeTask, { ...job, findings: { ...job.findings, layers: [] } }).catch(() => {}); // warm

  const before = process.threadCpuUsage();
  const started = performance.now();
  const made = await pool.run(encodeTask, job);
  const elapsedMs = performance.now() - started;
  const { user, system } = process.threadCpuUsage(before);
  expect(made).toMatchObject({ kind: "seg", objects: [{ segments: 40, frames: 3800 }, {}, {}] });
  expect((user + system) / 1000).toBeLessThan(THREAD_BUSY_AT_MOST_MS);
  expect(elapsedMs).toBeLessThan(60_000); // three files, on a machine that may be busy

  const slices = slicesOf(series);
  const binary = layOut(readSeg(await readFile(`${outputPrefix}.binary1.dcm.part`)), slices);
  expect(Buffer.compare(bytesOf(binary), bytesOf(ranks(map)))).toBe(0);
  const labels = layOut(readSeg(await readFile(`${outputPrefix}.labelmap1.rle.dcm.part`)), slices);
  expect(Buffer.compare(bytesOf(labels), bytesOf(Uint16Array.from(map.labels)))).toBe(0);
});

function bytesOf(values: Uint16Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

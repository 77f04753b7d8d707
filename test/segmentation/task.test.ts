import { createHash } from "node:crypto";
import { mkdtempDisposable, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { encodeSegmentation } from "../../src/segmentation/seg.ts";
import { type EncodeJob, encodeTask } from "../../src/segmentation/task.ts";
import { AXIAL, boxes, findingsOf, inputFor, labelMap, stack, writeSeries } from "./series.ts";

const series = stack({ columns: 21, rows: 18, slices: 5, orientation: AXIAL, step: [0, 0, 2] });
const { sourceHeader, ...input } = inputFor(series, labelMap(series, boxes(series.size, 3)));

async function jobIn(folder: string): Promise<EncodeJob> {
  const [path = ""] = await writeSeries(series, folder);
  return { ...input, source: { ...input.source, path }, wanted: [], outputPrefix: join(folder, "out") };
}

/** Where the one BINARY object of a job is written. */
function partOf({ outputPrefix }: EncodeJob): string {
  return `${outputPrefix}.binary1.dcm.part`;
}

test("a worker writes the file that the encoder makes, and tells its facts and hash", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  await using pool = new WorkerPool(1);
  const job = await jobIn(folder.path);
  const written = await pool.run(encodeTask, job);
  const expected = encodeSegmentation({ ...input, sourceHeader });
  if (expected.kind !== "seg") throw new Error(expected.kind);
  const { chunks, ...facts } = expected;
  const file = await readFile(partOf(job));
  expect(Buffer.concat(chunks).equals(file)).toBe(true);
  const { kind, absent, ...object } = facts;
  const sha256 = createHash("sha256").update(file).digest("hex");
  const about = {
    form: "binary",
    part: 1,
    name: "out.binary1.dcm",
    transferSyntaxUid: "1.2.840.10008.1.2.1",
  };
  expect(written).toEqual({ kind, absent, objects: [{ ...object, ...about, sha256 }] });
  expect(facts.bytes).toBe(file.length);
});

test("a second run over a file that a crash left half overwrites it", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  await using pool = new WorkerPool(1);
  const job = await jobIn(folder.path);
  await writeFile(partOf(job), Buffer.alloc(1_000_000, 7));
  const written = await pool.run(encodeTask, job);
  expect((await readFile(partOf(job))).length).toBe(written.kind === "seg" && written.objects[0]!.bytes);
});

test("no finding and a refusal leave no file", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  await using pool = new WorkerPool(1);
  const job = await jobIn(folder.path);
  expect(await pool.run(encodeTask, { ...job, findings: findingsOf(labelMap(series, () => 0)) })).toEqual({
    kind: "no-finding",
  });
  expect(await pool.run(encodeTask, { ...job, segments: new Map() })).toMatchObject({
    reason: "unknown-label",
  });
  expect((await readdir(folder.path)).filter((name) => name.startsWith("out"))).toEqual([]);
});

test("a disk without space fails as such, a missing folder as another fault of storage", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  await using pool = new WorkerPool(1);
  const job = await jobIn(folder.path);
  await symlink("/dev/full", partOf(job));
  const full = pool.run(encodeTask, job);
  await expect(full).rejects.toMatchObject({ code: "STORAGE_FULL" });
  const nowhere = pool.run(encodeTask, { ...job, outputPrefix: join(folder.path, "none", "out") });
  await expect(nowhere).rejects.toMatchObject({ code: "STORAGE_FAILED" });
});

test("what is no DICOM file fails by its code across the thread border", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  await using pool = new WorkerPool(1);
  const path = join(folder.path, "text");
  await writeFile(path, "not DICOM");
  const job = { ...(await jobIn(folder.path)), source: { ...input.source, path } };
  await expect(pool.run(encodeTask, job)).rejects.toMatchObject({ code: "DATA_SET_INVALID" });
});

import { createHash } from "node:crypto";
import { mkdtempDisposable, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { type EncodeJob, encodeTask } from "../../src/segmentation/task.ts";
import { BINARY, encodedAll, FRACTIONAL, LABELMAP, LABELMAP_RLE } from "./encoded.ts";
import { AXIAL, boxes, findingsOf, inputFor, labelMap, stack, writeSeries } from "./series.ts";

const series = stack({ columns: 21, rows: 18, slices: 5, orientation: AXIAL, step: [0, 0, 2] });
const { sourceHeader, ...input } = inputFor(series, labelMap(series, boxes(series.size, 3)));

async function jobIn(folder: string): Promise<EncodeJob> {
  const [path = ""] = await writeSeries(series, folder);
  return {
    ...input,
    source: { ...input.source, path },
    wanted: [BINARY],
    outputPrefix: join(folder, "run7"),
  };
}

test("a worker writes the files that the encoder makes, and tells their facts, names and hashes", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  await using pool = new WorkerPool(1);
  const wanted = [BINARY, LABELMAP, LABELMAP_RLE, FRACTIONAL];
  // In shared memory, as everything that goes to a worker.
  const shared = new Uint8Array(new SharedArrayBuffer(input.findings.layers[0]!.length));
  for (const at of shared.keys()) shared[at] = at < 900 ? 0 : at % 256;
  const findings = { ...input.findings, probabilities: new Map([[2, shared]]) };
  const written = await pool.run(encodeTask, { ...(await jobIn(folder.path)), findings, wanted });
  const expected = encodedAll({ ...input, sourceHeader, findings }, ...wanted);
  const names = ["binary1.dcm", "labelmap1.dcm", "labelmap1.rle.dcm", "fractional1.dcm"].map(
    (name) => `run7.${name}`,
  );
  expect(expected.objects[3]).toMatchObject({ form: "fractional", frames: 3 });
  for (const [at, { file, ...facts }] of expected.objects.entries()) {
    expect(facts.bytes).toBe(file.length);
    expect(file.equals(await readFile(join(folder.path, `${names[at]}.part`)))).toBe(true);
    const sha256 = createHash("sha256").update(file).digest("hex");
    expect(written).toMatchObject({ kind: "seg", absent: [], lostVoxels: 0 });
    expect(written.kind === "seg" && written.objects[at]).toEqual({ ...facts, name: names[at], sha256 });
  }
});

// 11 MB of pixels: more than is written at once, in pieces that end inside frames.
test("a file of many pieces is whole", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  await using pool = new WorkerPool(1);
  const large = stack({ columns: 511, rows: 509, slices: 41, orientation: AXIAL, step: [0, 0, 2] });
  const { sourceHeader, ...input } = inputFor(
    large,
    labelMap(large, (i, j, k) => (i * j + k) % 3),
  );
  const [path = ""] = await writeSeries(large, folder.path);
  const outputPrefix = join(folder.path, "large");
  const source = { ...input.source, path };
  await pool.run(encodeTask, { ...input, source, wanted: [LABELMAP], outputPrefix });
  const [expected] = encodedAll({ ...input, sourceHeader }, LABELMAP).objects;
  expect(expected!.file.equals(await readFile(`${outputPrefix}.labelmap1.dcm.part`))).toBe(true);
});

test("a second run over a file that a crash left half overwrites it", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  await using pool = new WorkerPool(1);
  const job = await jobIn(folder.path);
  const path = `${job.outputPrefix}.binary1.dcm.part`;
  await writeFile(path, Buffer.alloc(1_000_000, 7));
  const written = await pool.run(encodeTask, job);
  expect((await readFile(path)).length).toBe(written.kind === "seg" && written.objects[0]!.bytes);
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
  expect((await readdir(folder.path)).filter((name) => name.startsWith("run7"))).toEqual([]);
});

test("a disk without space fails as such, a missing folder as another fault of storage", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  await using pool = new WorkerPool(1);
  const job = await jobIn(folder.path);
  await symlink("/dev/full", join(folder.path, "full.binary1.dcm.part"));
  const full = pool.run(encodeTask, { ...job, outputPrefix: join(folder.path, "full") });
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

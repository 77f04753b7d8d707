/**
 * The demo itself, on a coarse phantom: models, PACS and node as processes, both runs. And what it leaves behind
 * when it is stopped or killed, which is nothing.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { runStudy } from "../../src/demo/one-run.ts";
import { TISSUE } from "../../src/demo/phantom/tissue.ts";
import { makePhantom, type Shape } from "../../src/demo/phantom.ts";
import { writePhantom } from "../../src/demo/phantom-dicom.ts";
import { startModel } from "../../src/demo/processes.ts";
import { demo } from "../../src/demo/run.ts";
import { screenOn } from "../../src/demo/screen.ts";
import { readFolder } from "../../src/demo/send.ts";
import { readSeg, textAt } from "../support/seg-reader.ts";
import { tempFolder } from "../support/temp.ts";

const SHAPE = { columns: 160, rows: 160, slices: 88, spacing: 1 };
/** Processes are started and ended; on a busy machine that takes its time. */
const TIMEOUT_MS = 120_000;

test("what arrives in the PACS lies in the patient where the phantom has it, left on the left", {
  timeout: TIMEOUT_MS,
}, async () => {
  await using folder = await tempFolder();
  const images = join(folder.path, "images");
  await mkdir(images);
  const phantom = await makePhantom(SHAPE);
  await writePhantom(phantom, images);
  await using parts = new AsyncDisposableStack();
  const models = await Promise.all(
    (["bone", "teeth", "airway", "softtissue"] as const).map(async (name) =>
      parts.use(await startModel(name, { thinkMs: 0 })),
    ),
  );
  const { files } = await readFolder(images);
  const screen = screenOn({ write: () => {} });
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const run = await runStudy({ slots: 4, models, files, folder: folder.path, screen, signal }, parts);
  expect(run.isSettled).toBe(true);
  const tissues = new Map([
    ["Mandible", [TISSUE.mandible, ...LOWER_TEETH]],
    ["Tooth 36", [36]],
    ["Tooth 46", [46]],
    ["Left maxillary sinus", [TISSUE.sinusLeft]],
    ["Right maxillary sinus", [TISSUE.sinusRight]],
    ["Soft tissue", [TISSUE.soft]],
  ]);
  for (const { path } of run.segmentations) {
    for (const [label, found] of maskByLabel(await readFile(path), SHAPE)) {
      const wanted = tissues.get(label);
      if (!wanted) continue;
      expect(dice(found, phantom.tissue, wanted), label).toBeGreaterThan(0.7);
      tissues.delete(label);
    }
  }
  expect([...tissues.keys()]).toEqual([]);
});

test("a study goes through both runs, and the lines say so", { timeout: TIMEOUT_MS }, async () => {
  await using folder = await tempFolder();
  await writePhantom(await makePhantom(SHAPE), folder.path);
  let text = "";
  const output = { write: (more: string) => (text += more) };
  const report = join(folder.path, "report.html");
  const code = await demo({ folder: folder.path, keep: false, think: 1, report, output });
  expect(text).toMatch(/^88 DICOM files of 1 series\.$/m);
  expect(text).toMatch(/^ {2}bone .*▓.*▏/m);
  expect(text).toMatch(/^faster +\d\.\d\d× /m);
  expect(text).toMatch(/^AI segmentation: teeth.* +stored \(0000H\)$/m);
  expect(text.match(/stored \(0000H\)/g)).toHaveLength(4);
  expect(text).toContain("Both runs made the same objects");
  expect(text).not.toContain("\u001b");
  expect(text).toContain(`Both runs as a page to look at: ${report}`);
  const page = await readFile(report, "utf8");
  expect(page.match(/<img /g)).toHaveLength(16);
  expect(page).toContain("Tooth 36");
  expect(page).not.toMatch(/\b(?:src|href)="(?!data:)/); // it needs nothing else
  expect(code).toBe(0);
});

test("a folder without DICOM files is said to be one, and the exit code is 1", async () => {
  await using folder = await tempFolder();
  let text = "";
  const code = await demo({ folder: folder.path, keep: false, output: { write: (more) => (text += more) } });
  expect(code).toBe(1);
  expect(text).toContain("no DICOM file");
});

test.for(["SIGINT", "SIGKILL"] as const)(
  "after %s no process is left",
  { timeout: TIMEOUT_MS },
  async (signal) => {
    await using folder = await tempFolder();
    const images = join(folder.path, "images");
    const temporary = join(folder.path, "tmp");
    await mkdir(images);
    await mkdir(temporary);
    await writePhantom(await makePhantom(SHAPE), images);
    const child = spawn(process.execPath, ["src/main.ts", "demo", images], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: temporary },
    });
    const exited = once(child, "exit");
    for await (const line of createInterface(child.stdout)) if (line.includes("images sent")) break;
    expect((await processesIn(temporary)).length).toBeGreaterThanOrEqual(6); // four models, a node, the demo
    child.kill(signal);
    expect(await exited).toEqual(signal === "SIGINT" ? [130, null] : [null, signal]);
    while ((await processesIn(temporary)).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    // SIGKILL gives nobody the chance to tidy up; the system clears its temporary folder.
    if (signal === "SIGINT") expect(await readdir(temporary)).toEqual([]);
  },
);

const LOWER_TEETH = [30, 40].flatMap((quadrant) => [1, 2, 3, 4, 5, 6, 7, 8].map((n) => quadrant + n));

/** The voxels of each segment on the phantom's grid, by the positions that the frames give. */
function maskByLabel(
  file: Uint8Array,
  { columns, rows, slices, spacing }: Shape,
): ReadonlyMap<string, Uint8Array> {
  const { segments, frames } = readSeg(file);
  const masks = new Map<string, Uint8Array>();
  for (const { segment, position, pixels } of frames) {
    const label = textAt(segments[segment - 1]!, "00620005") ?? "";
    const mask = masks.get(label) ?? new Uint8Array(columns * rows * slices);
    mask.set(pixels, Math.round(Number(position[2]) / spacing - 0.5) * columns * rows);
    masks.set(label, mask);
  }
  return masks;
}

/** Twice what both have, over what each has. */
function dice(found: Uint8Array, tissue: Uint8Array, wanted: readonly number[]): number {
  let both = 0;
  let each = 0;
  found.forEach((isFound, at) => {
    const isTrue = wanted.includes(tissue[at]!);
    each += isFound + Number(isTrue);
    if (isFound && isTrue) both += 1;
  });
  return (2 * both) / each;
}

/** Processes that were started with this temporary folder. */
async function processesIn(temporary: string): Promise<readonly string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/environ`, "utf8").catch(() => "")), // gone, or not ours
  );
  return ids.filter((_, at) => environments[at]!.includes(`TMPDIR=${temporary}`));
}

/** From files to volume to label map to file: the source that the builder describes is the one the encoder wants. */
import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10Header } from "../../src/dicom/part10.ts";
import type { InstanceUid } from "../../src/dicom/uid.ts";
import { encodeTask } from "../../src/segmentation/task.ts";
import { buildVolume } from "../../src/volume/build.ts";
import type { LabelMap } from "../../src/volume/volume.ts";
import { dataFiles } from "../support/data.ts";
import { readByOhif } from "../support/ohif.ts";
import { writeMultiFrame, writeSeries } from "../support/phantom.ts";
import { layOut, readSeg } from "../support/seg-reader.ts";
import { BINARY } from "./encoded.ts";
import { needing, said } from "./peers.ts";
import { inputFor, ohifSlices, ranks, type Series, slicesOf } from "./series.ts";

const pool = new WorkerPool(1);
afterAll(() => pool[Symbol.asyncDispose]());

const r = Math.SQRT1_2;
const size = { columns: 29, rows: 23, slices: 7 } as const;
const real = async (name: string): Promise<readonly string[]> =>
  dataFiles("series", name).filter((path) => !path.includes("/RS."));
const phantom = async (folder: string, change: object): Promise<readonly string[]> =>
  (await writeSeries(join(folder, "in"), { ...size, ...change })).map(({ path }) => path);

const cases: readonly (readonly [string, (folder: string) => Promise<readonly string[]>])[] = [
  ["an axial CT", (folder) => phantom(folder, {})],
  [
    "an oblique MR",
    (folder) =>
      phantom(folder, { modality: "MR", orientation: [r, r, 0, 0, 0, -1], step: [-3 * r, 3 * r, 0] }),
  ],
  ["a tilted stack", (folder) => phantom(folder, { step: [0, 0.5, 1.25] })],
  [
    "an Enhanced CT with its frames in any order",
    async (folder) => (await writeMultiFrame(join(folder, "in"), size)).files.map(({ path }) => path),
  ],
  ["the real tilted series", () => real("ct-tilt-philips")],
  ["the real MR", () => real("mr-t1-siemens")],
];

for (const [what, filesIn] of cases)
  needing("dciodvfy", ...(what.startsWith("the real") ? ["data"] : []))(
    `${what}: every voxel comes back`,
    { timeout: 30_000 },
    async () => {
      await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
      const paths = await filesIn(folder.path);
      const headers = await Promise.all(paths.map(async (path) => (await readPart10Header(path)).dataSet));
      const uidOf = (at: number) => stringOf(headers[at]!, tagOf("SOPInstanceUID")) as InstanceUid;
      const files = paths.map((path, at) => ({ path, sopInstanceUid: uidOf(at) }));
      const built = await buildVolume(files.toReversed(), { pool });
      if (built.kind !== "volume") throw new Error(built.detail);

      const { source, volume } = built;
      const labels = new Uint8Array(new SharedArrayBuffer(volume.voxels.length));
      for (let at = 0; at < labels.length; at++)
        labels[at] = Math.abs(volume.voxels[at]!) % 5 < 2 ? 1 + (at % 3) : 0;
      const map: LabelMap = { grid: volume.grid, labels };
      const series: Series = { source, header: headers[0]!, headers, size: volume.grid.size };
      const { sourceHeader: _, ...input } = inputFor(series, map);
      const outputPrefix = join(folder.path, "seg");
      const written = await pool.run(encodeTask, { ...input, outputPrefix, wanted: [BINARY] });
      expect(written).toMatchObject({ kind: "seg", objects: [{ segments: 3, name: "seg.binary1.dcm" }] });
      const outputPath = join(folder.path, "seg.binary1.dcm.part");

      const file = await readFile(outputPath);
      const expected = ranks(map);
      const found = layOut(readSeg(file), slicesOf(series));
      expect(Buffer.from(found.buffer).equals(Buffer.from(expected.buffer))).toBe(true);
      const { labels: byOhif } = await readByOhif(file, ohifSlices(series));
      expect(Buffer.from(Uint16Array.from(byOhif).buffer).equals(Buffer.from(expected.buffer))).toBe(true);
      const ofSource = new Set(await said("dciodvfy", "-new", source.path));
      const ofSeg = (await said("dciodvfy", "-new", outputPath)).filter((line) => !ofSource.has(line));
      expect(ofSeg).toEqual(["Segmentation"]);
    },
  );

/** Real series: what ITK writes on their grids comes back voxel for voxel. */
import { afterAll, expect } from "vitest";
import { WorkerPool } from "../../../src/base/worker-pool.ts";
import { stringOf } from "../../../src/dicom/data-set.ts";
import { tagOf } from "../../../src/dicom/dictionary.ts";
import { readPart10Header } from "../../../src/dicom/part10.ts";
import type { InstanceUid } from "../../../src/dicom/uid.ts";
import { buildVolume } from "../../../src/volume/build.ts";
import { interpret } from "../../../src/volume/formats/interpret.ts";
import { dataFiles, testWithData } from "../../support/data.ts";
import { writtenByItk } from "../../support/itk.ts";
import { tempFolder } from "../../support/temp.ts";

const pool = new WorkerPool(1);
afterAll(() => pool[Symbol.asyncDispose]());

for (const name of ["mr-t1-siemens", "cbct-head-varian-obi"])
  testWithData()(
    `${name}: a label map comes back from every format of ITK`,
    { timeout: 60_000 },
    async () => {
      const paths = dataFiles("series", name).filter((path) => !path.includes("/RS."));
      const files = await Promise.all(
        paths.map(async (path) => {
          const { dataSet } = await readPart10Header(path);
          return { path, sopInstanceUid: stringOf(dataSet, tagOf("SOPInstanceUID")) as InstanceUid };
        }),
      );
      const built = await buildVolume(files, { pool });
      if (built.kind !== "volume") throw new Error(built.detail);
      const { grid, voxels } = built.volume;
      const labels = Uint8Array.from(voxels, (value, at) => (Math.abs(value) % 5 < 2 ? 1 + (at % 3) : 0));
      await using folder = await tempFolder();
      for (const ending of ["nii", "nrrd", "mha"] as const) {
        const bytes = await writtenByItk(folder.path, { grid, numbers: labels, type: "uint8" }, { ending });
        const found = interpret([{ bytes }], { as: "labelmap", maxBytes: 1e9 }, { grid, labels: [1, 2, 3] });
        expect(found.notes).toEqual([]);
        expect(Buffer.from(found.layers[0]!.buffer as ArrayBuffer).equals(labels)).toBe(true);
      }
    },
  );

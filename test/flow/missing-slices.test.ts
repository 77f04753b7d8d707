/** A series with a hole, in a node whose config says that a model may see it all the same. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { numberOf, stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { contents } from "../support/pacs.ts";
import { readSeg } from "../support/seg-reader.ts";
import { send } from "../support/send.ts";
import { stage } from "./stage.ts";

test("the model's answer comes back on the slices there are, and what is lost is told", async () => {
  const assembly = "{ settle: 100ms, quietPeriod: 1s, maximumWait: 1m }";
  await using rig = await stage({ slices: 6, volume: "{ missingSlices: repeat }", assembly });
  const images = await Promise.all(
    rig.paths.map(async (path) => ({ path, ...readPart10(await readFile(path)) })),
  );
  // Instance Number 3 of 6 is slice 3; a hole is not at the ends.
  const kept = images.filter(({ dataSet }) => numberOf(dataSet, tagOf("InstanceNumber")) !== 3);
  await send(
    kept.map(({ path }) => path),
    rig.port,
  );
  await rig.pacs.arrived(1);
  const [seg] = [...(await contents(rig.pacs)).values()];
  const instances = new Set(kept.map(({ dataSet }) => stringOf(dataSet, tagOf("SOPInstanceUID"))));
  const { frames } = readSeg(seg!);
  expect(frames.length).toBeGreaterThan(0);
  expect(frames.filter(({ sourceInstance }) => !instances.has(sourceInstance as never))).toEqual([]);
  const [lost] = await rig.journal.said("segmentation.voxels-lost");
  expect(lost!.count).toBeGreaterThan(0);
});

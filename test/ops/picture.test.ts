/** The picture of a study: what it is drawn from is what came and what the PACS got. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { numbersOf, stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { rgbOf, storedLab } from "../../src/segmentation/colour.ts";
import { stage } from "../flow/stage.ts";
import { startModelDouble } from "../support/model-double.ts";
import { contents } from "../support/pacs.ts";
import { RAW_NIFTI } from "../support/rig.ts";
import { readSeg } from "../support/seg-reader.ts";
import { send } from "../support/send.ts";
import { threshold } from "../support/threshold.ts";

// 11 × 9 pixels: the frames of the segmentation do not begin at bytes.
const SHAPE = { columns: 11, rows: 9 };
const SEGMENT =
  'segments: { 1: { label: "<b>Bone</b>", category: "SCT:91723000:Anatomical structure", type: "SCT:3138006:Bone", color: [10, 200, 30] } }';

test("slices have the values that were received, and each segment the pixels that the PACS got", async () => {
  await using model = await startModelDouble(({ body }) => threshold(body, 0));
  const models = { bone: { url: model.origin, rest: `${RAW_NIFTI}, ${SEGMENT}` } };
  await using rig = await stage({ http: "{ listen: { port: 0 } }", models, series: SHAPE });
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  await rig.journal.said("delivery.done");
  const files = await Promise.all(rig.paths.map(async (path) => readPart10(await readFile(path))));
  const text = (at: number, keyword: string): string => stringOf(files[at]!.dataSet, tagOf(keyword))!;
  const base = `${rig.origin}/api/v1/studies/${text(0, "StudyInstanceUID")}/series/${text(0, "SeriesInstanceUID")}/picture`;
  const picture = await (await fetch(base)).json();
  expect(picture).toEqual({
    columns: 11,
    rows: 9,
    slices: 3,
    spacing: [0.5, 0.7, 1.25],
    modality: "CT",
    layers: [{ model: "bone", segments: [{ number: 1, label: "<b>Bone</b>", color: [10, 200, 30] }] }],
  });
  const seg = readSeg([...(await contents(rig.pacs)).values()][0]!);
  const height = (at: number): number => numbersOf(files[at]!.dataSet, tagOf("ImagePositionPatient"))[2]!;
  const order = files.map((_, at) => at).toSorted((a, b) => height(a) - height(b));
  for (const [slice, at] of order.entries()) {
    const values = new Int16Array(await (await fetch(`${base}/${slice}`)).arrayBuffer());
    const { pixelData, body } = files[at]!;
    const stored = new Uint16Array(
      Uint8Array.from(body.subarray(pixelData!.offset, pixelData!.offset + 2 * 99)).buffer,
    );
    expect(values).toEqual(Int16Array.from(stored, (value) => value - 1024));
    const masks = Buffer.from(await (await fetch(`${base}/${slice}/masks`)).arrayBuffer());
    const frame = seg.frames.find(({ sourceInstance }) => sourceInstance === text(at, "SOPInstanceUID"));
    if (!frame) {
      expect(masks.length).toBe(0);
      continue;
    }
    expect([masks.readUInt16LE(0), masks.readUInt16LE(2), masks.readUInt32LE(4), masks.length]).toEqual([
      0, 1, 13, 21,
    ]);
    const bits = Uint8Array.from({ length: 99 }, (_, pixel) => (masks[8 + (pixel >> 3)]! >> (pixel & 7)) & 1);
    expect(bits).toEqual(Uint8Array.from(frame.pixels));
  }
  expect(rig.journal.of("picture.opened")).toMatchObject([
    { user: "local", studyUid: text(0, "StudyInstanceUID") },
  ]);
  for (const path of [`${base}/3`, `${base}/3/masks`, base.replace(/[\d.]+\/picture/, "9.9/picture")])
    expect((await fetch(path)).status).toBe(404);
  expect((await fetch(`${base}/-1`)).status).toBe(400);
});

test("a colour that was stored is shown as it was given", () => {
  for (const rgb of [
    [255, 255, 255],
    [0, 0, 0],
    [10, 200, 30],
    [240, 16, 160],
  ] as const) {
    const shown = rgbOf(storedLab(rgb));
    for (const [channel, value] of shown.entries())
      expect(Math.abs(value - rgb[channel]!)).toBeLessThanOrEqual(1);
  }
});

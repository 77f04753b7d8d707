/** dicom3tools and DCMTK have nothing to say about our objects. */
import { mkdtempDisposable, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { LABEL_PRESETS, labelPreset } from "../../src/config/presets.ts";
import type { KeywordRecord } from "../../src/dicom/build.ts";
import type { SegInput } from "../../src/segmentation/input.ts";
import { dataPath } from "../support/data.ts";
import { encodedOne } from "./encoded.ts";
import { needing, said } from "./peers.ts";
import { AXIAL, boxes, inputFor, labelMap, readSeries, segmentsFor, stack, writeSeries } from "./series.ts";

const validated = needing("dciodvfy", "dcentvfy", "dcmdump");

async function write(input: SegInput, folder: string): Promise<string> {
  const path = join(folder, "seg.dcm");
  await writeFile(path, encodedOne(input).file);
  return path;
}

const everything = {
  modifier: { scheme: "SCT", value: "7771000", meaning: "Left" },
  anatomy: { scheme: "SCT", value: "866005003", meaning: "Mandibular right first molar tooth" },
  type: { scheme: "UMLS", value: "C0000000-C0000001-C0000002", meaning: "Lesion" },
  category: { scheme: "SCT", value: "49755003", meaning: "Morphologically Abnormal Structure" },
} as const;

const cases: readonly (readonly [string, KeywordRecord, Partial<SegInput>])[] = [
  ["a CT", {}, {}],
  ["a source without frame of reference", { FrameOfReferenceUID: undefined }, {}],
  ["a lossy source", { LossyImageCompression: "01", LossyImageCompressionRatio: "10" }, {}],
  ["a source with a time zone", { TimezoneOffsetFromUTC: "+0200" }, {}],
  [
    "modifier, anatomy and a long code",
    {},
    {
      segments: new Map(
        [...segmentsFor([1, 2, 3])].map(([value, one]) => [value, { ...one, ...everything }]),
      ),
    },
  ],
  [
    "a URN as code",
    {},
    {
      segments: new Map(
        [...segmentsFor([1, 2, 3])].map(([value, one]) => [
          value,
          { ...one, type: { scheme: "", value: "urn:oid:1.2.840.99.1", meaning: "Guide" } },
        ]),
      ),
    },
  ],
  [
    "the side of an anatomy and a tracking ID",
    {},
    {
      segments: new Map(
        [...segmentsFor([1, 2, 3])].map(([value, one]) => [
          value,
          { ...one, ...everything, anatomyModifier: everything.modifier, trackingId: `finding-${value}` },
        ]),
      ),
    },
  ],
  ["names that need cleaning", {}, { model: { name: "Zähne\\v2^β", version: "2.0 (β)" } }],
];

for (const [what, extra, changes] of cases)
  validated(`${what}: dciodvfy, dcentvfy and dcmdump are silent`, async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
    const series = stack({ columns: 21, rows: 18, slices: 5, orientation: AXIAL, step: [0, 0, 2], extra });
    const path = await write(inputFor(series, labelMap(series, boxes(series.size, 3)), changes), folder.path);
    expect(await said("dciodvfy", "-new", path)).toEqual(["Segmentation"]);
    expect(await said("dcentvfy", ...(await writeSeries(series, folder.path)), path)).toEqual([]);
    const dump = await said("dcmdump", "+L", path);
    expect(dump.filter((line) => /^[WEF]:|error|warning/i.test(line))).toEqual([]);
  });

for (const preset of LABEL_PRESETS)
  validated(`label preset ${preset}: dciodvfy and dcmdump are silent on every code of it`, async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
    const segments = labelPreset(preset);
    const values = [...segments.keys()];
    const series = stack({ columns: 21, rows: 18, slices: 2, orientation: AXIAL, step: [0, 0, 2] });
    const map = labelMap(series, (i, j, k) => values[i + 21 * j + 378 * k] ?? 0);
    const encoded = encodeSegmentation(inputFor(series, map, { segments }));
    expect(encoded).toMatchObject({ kind: "seg", segments: values.length });
    const path = await write(inputFor(series, map, { segments }), folder.path);
    expect(await said("dciodvfy", "-new", path)).toEqual(["Segmentation"]);
    const dump = await said("dcmdump", "+L", path);
    expect(dump.filter((line) => /^[WEF]:|error|warning/i.test(line))).toEqual([]);
  });

const real = needing("data", "dciodvfy", "dcentvfy");
for (const name of ["cbct-head-varian-obi", "ct-skull-philips", "ct-tilt-philips", "mr-t1-siemens"])
  real(`real series ${name}: the validators find nothing that is not the source's`, async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
    const series = await readSeries(dataPath(`series/${name}`));
    const path = await write(inputFor(series, labelMap(series, boxes(series.size, 4))), folder.path);
    const files = (await readdir(dataPath(`series/${name}`))).filter((file) => !file.startsWith("RS."));
    const images = files.map((file) => dataPath(`series/${name}/${file}`));
    const ofSource = new Set(await said("dciodvfy", "-new", images[0]!));
    const ofSeg = (await said("dciodvfy", "-new", path)).filter((line) => !ofSource.has(line));
    expect(ofSeg).toEqual(["Segmentation"]);
    const before = new Set(await said("dcentvfy", ...images));
    expect((await said("dcentvfy", ...images, path)).filter((line) => !before.has(line))).toEqual([]);
  });

/** dicom3tools and DCMTK have nothing to say about our objects. */
import { mkdtempDisposable, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { LABEL_PRESETS, labelPreset } from "../../src/config/presets.ts";
import type { KeywordRecord } from "../../src/dicom/build.ts";
import type { SegInput, Wanted } from "../../src/segmentation/input.ts";
import { dataPath } from "../support/data.ts";
import { readElements } from "../support/seg-reader.ts";
import {
  BINARY,
  encodedAll,
  encodedOne,
  FRACTIONAL,
  FRACTIONAL_RLE,
  LABELMAP,
  LABELMAP_RLE,
} from "./encoded.ts";
import { needing, said } from "./peers.ts";
import {
  AXIAL,
  boxes,
  findingsOf,
  inputFor,
  labelMap,
  readSeries,
  segmentsFor,
  stack,
  writeSeries,
} from "./series.ts";

const validated = needing("dciodvfy", "dcentvfy", "dcmdump");

async function write(input: SegInput, folder: string, wanted: Wanted = BINARY): Promise<string> {
  const path = join(folder, "seg.dcm");
  await writeFile(path, encodedOne(input, wanted).file);
  return path;
}

/** What dicom3tools of 2022 says of every label map, which the standard got two years later (PS3.3 A.51, 2024d). */
const OLDER_THAN_LABEL_MAPS = [
  "Error - </SegmentSequence(0062,0002)[1]/SegmentNumber(0062,0004)> - SegmentNumber not monotonically increasing from one by one - have SegmentSequence item number 1 (from one) with SegmentNumber of 0",
  "Error - Information Object Not found",
];

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
    expect(encodedOne(inputFor(series, map, { segments })).segments).toBe(values.length);
    const path = await write(inputFor(series, map, { segments }), folder.path);
    expect(await said("dciodvfy", "-new", path)).toEqual(["Segmentation"]);
    const dump = await said("dcmdump", "+L", path);
    expect(dump.filter((line) => /^[WEF]:|error|warning/i.test(line))).toEqual([]);
  });

/** What dcentvfy of that year says of a class that it does not know; a lost or changed value is told otherwise. */
const UNKNOWN_CLASS =
  /^Warning - (Unrecognized SOP Class - 1\.2\.840\.10008\.5\.1\.4\.1\.1\.66\.7 |Different information entities for attribute - Element=<\w+> IE <(Patient|Study)> versus <Unknown> )/;

const everyForm = [
  ["BINARY", BINARY, ["Segmentation"]],
  ["LABELMAP", LABELMAP, OLDER_THAN_LABEL_MAPS],
  ["LABELMAP in RLE", LABELMAP_RLE, OLDER_THAN_LABEL_MAPS],
  ["FRACTIONAL", FRACTIONAL, ["Segmentation"]],
  ["FRACTIONAL in RLE", FRACTIONAL_RLE, ["Segmentation"]],
] as const;

for (const [what, wanted, words] of everyForm)
  validated(`${what}: the validators say nothing but what they do not know yet`, async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
    const series = stack({ columns: 21, rows: 18, slices: 5, orientation: AXIAL, step: [0, 0, 2] });
    const map = labelMap(series, boxes(series.size, 3));
    const of = (value: number) =>
      Uint8Array.from(map.labels, (label, at) => (label === value ? at % 256 : 0));
    const probabilities = new Map([1, 2, 3].map((value) => [value, of(value)]));
    const resampledFrom = [1, 1, 4] as const;
    const findings = { ...findingsOf(map), probabilities, resampledFrom };
    const path = await write(inputFor(series, map, { findings }), folder.path, wanted);
    expect((await said("dciodvfy", "-new", path)).toSorted()).toEqual(words);
    const entities = await said("dcentvfy", ...(await writeSeries(series, folder.path)), path);
    const isNew = words === OLDER_THAN_LABEL_MAPS;
    expect(entities.filter((line) => !(isNew && UNKNOWN_CLASS.test(line)))).toEqual([]);
    const dump = await said("dcmdump", "+L", path);
    expect(dump.filter((line) => /^[WEF]:|error|warning/i.test(line))).toEqual([]);
  });

validated("overlapping segments, 300 segments and missing slices: dciodvfy is silent", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  const whole = stack({ columns: 21, rows: 18, slices: 5, orientation: AXIAL, step: [0, 0, 2] });
  const one = labelMap(whole, (i, j, k) => 1 + ((i + 21 * j + 378 * k) % 290), 16);
  const other = labelMap(whole, (i) => (i % 2) * (291 + (i % 10)), 16);
  const frames = whole.source.frames.filter((_, k) => k !== 2);
  const source = { ...whole.source, frames, slices: [0, 1, 3, 4] };
  const findings = { grid: one.grid, layers: [one.labels, other.labels] };
  const segments = segmentsFor(Array.from({ length: 300 }, (_, at) => at + 1));
  const { objects } = encodedAll(inputFor(whole, one, { source, findings, segments }), BINARY);
  expect(objects).toHaveLength(2);
  for (const { file, part } of objects) {
    const path = join(folder.path, `part-${part}.dcm`);
    await writeFile(path, file);
    expect(await said("dciodvfy", "-new", path)).toEqual(["Segmentation"]);
  }
});

needing("dcmdrle")("dcmdrle unpacks every RLE file into the pixels of the native one", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  const series = stack({ columns: 211, rows: 17, slices: 5, orientation: AXIAL, step: [0, 0, 2] });
  for (const factor of [1, 5000]) {
    const map = labelMap(series, (i, j, k) => factor * boxes(series.size, 9)(i, j, k), 16);
    const input = inputFor(series, map);
    const unpacked = join(folder.path, "unpacked.dcm");
    expect(await said("dcmdrle", await write(input, folder.path, LABELMAP_RLE), unpacked)).toEqual([]);
    const found = readElements(await readFile(unpacked))["7fe00010"]!.bytes;
    const expected = readElements(encodedOne(input, LABELMAP).file)["7fe00010"]!.bytes;
    expect(Buffer.compare(found, expected)).toBe(0);
  }
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

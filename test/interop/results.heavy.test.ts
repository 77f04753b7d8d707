/**
 * Real series through the node into Orthanc: the SEGs are listed there, come back as they were sent, carry every voxel
 * where the model put it, and satisfy the validators.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { numberOf, numbersOf, stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { needing, said } from "../segmentation/peers.ts";
import { dataFiles } from "../support/data.ts";
import { startModelDouble } from "../support/model-double.ts";
import { readByOhif } from "../support/ohif.ts";
import { startOrthanc } from "../support/orthanc.ts";
import { Journal, ONE_SEGMENT, RAW_NIFTI, startRig } from "../support/rig.ts";
import { layOut, readSeg } from "../support/seg-reader.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";

interface Slice {
  readonly instance: string;
  readonly seriesUid: string;
  readonly frameOfReferenceUid: string;
  readonly rows: number;
  readonly columns: number;
  readonly position: readonly number[];
  readonly orientation: readonly number[];
  readonly pixelSpacing: readonly number[];
  readonly mask: Uint8Array;
}

interface Listed {
  readonly ID: string;
  readonly MainDicomTags: { readonly SOPInstanceUID: string };
}

const SERIES = [
  { name: "ct-skull-philips", above: 250, besides: ["ct-skull-philips-scout", "ct-skull-philips-summary"] },
  { name: "cbct-head-varian-obi", above: 100, besides: [] },
  { name: "mr-t1-siemens", above: 120, besides: [] },
  { name: "ct-tilt-philips", above: 250, besides: [] },
] as const;

const testWithPeers = needing("Orthanc", "dciodvfy", "dcentvfy", "data");

for (const { name, above, besides } of SERIES) {
  testWithPeers(
    `${name}: the SEG is in Orthanc, right in every voxel`,
    async () => {
      await using folder = await tempFolder();
      await using orthanc = await startOrthanc(folder.path);
      await using model = await startModelDouble(({ body }) => threshold(body, above));
      const journal = new Journal();
      await using node = await startRig(folder.path, journal, {
        pacsPort: orthanc.dicomPort,
        models: { bone: { url: model.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` } },
        when: 'Modality in ["CT", "MR"]',
      });
      const paths = dataFiles("series", name);
      expect(
        new Set(await send([...paths, ...besides.flatMap((other) => dataFiles("series", other))], node.port)),
      ).toEqual(new Set([0]));
      const [delivered] = await journal.said("delivery.done");
      expect(delivered?.status).toBe("0000");

      const instances = (await orthanc.get("/instances?expand")) as readonly Listed[];
      expect(instances.map(({ MainDicomTags }) => MainDicomTags.SOPInstanceUID)).toEqual([
        delivered?.sopInstanceUid,
      ]);
      const seg = await orthanc.bytes(`/instances/${instances[0]?.ID}/file`);
      const path = join(folder.path, "seg.dcm");
      await writeFile(path, seg);

      const slices = await slicesOf(paths, above);
      const expected = Uint8Array.from(slices.flatMap(({ mask }) => [...mask]));
      expect(expected.includes(1)).toBe(true);
      expect(differences(layOut(readSeg(seg), slices), expected)).toBe(0);
      expect(differences((await readByOhif(seg, slices)).labels, expected)).toBe(0);
      expect((await said("dciodvfy", "-new", path)).filter((line) => !isOfTheSource(line))).toEqual([
        "Segmentation",
      ]);
      expect(await said("dcentvfy", ...paths.filter(isImage), path)).toEqual([]);
    },
    120_000,
  );
}

/** The phantoms' names come from the scanner. */
const isOfTheSource = (line: string): boolean => line.includes("PatientName");
/** The RTSTRUCT beside the CBCT disagrees with its own images about the study. */
const isImage = (path: string): boolean => !path.includes("/RS.");

function differences(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  let count = 0;
  for (let at = 0; at < expected.length; at++) if (found[at] !== expected[at]) count++;
  return count;
}

/** The images of a series along the normal, with what a threshold on their rescaled values gives; native 16 bits only. */
async function slicesOf(paths: readonly string[], above: number): Promise<readonly Slice[]> {
  const slices: Slice[] = [];
  for (const path of paths) {
    const { dataSet, pixelData, body } = readPart10(await readFile(path));
    if (!pixelData?.length) continue;
    const text = (keyword: string): string => stringOf(dataSet, tagOf(keyword)) ?? "";
    const numbers = (keyword: string): readonly number[] => numbersOf(dataSet, tagOf(keyword));
    const number = (keyword: string, otherwise: number): number =>
      numberOf(dataSet, tagOf(keyword)) ?? otherwise;
    const view = new DataView(body.buffer, body.byteOffset + pixelData.offset, pixelData.length);
    const signed = number("PixelRepresentation", 0) === 1;
    const [slope, intercept] = [number("RescaleSlope", 1), number("RescaleIntercept", 0)];
    const mask = new Uint8Array(number("Rows", 0) * number("Columns", 0));
    for (let at = 0; at < mask.length; at++) {
      const stored = signed ? view.getInt16(2 * at, true) : view.getUint16(2 * at, true);
      if (stored * slope + intercept > above) mask[at] = 1;
    }
    slices.push({
      instance: text("SOPInstanceUID"),
      seriesUid: text("SeriesInstanceUID"),
      frameOfReferenceUid: text("FrameOfReferenceUID"),
      rows: number("Rows", 0),
      columns: number("Columns", 0),
      position: numbers("ImagePositionPatient"),
      orientation: numbers("ImageOrientationPatient"),
      pixelSpacing: numbers("PixelSpacing"),
      mask,
    });
  }
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = slices[0]?.orientation ?? [];
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d];
  const along = ({ position }: Slice): number =>
    position.reduce((sum, mm, axis) => sum + mm * normal[axis]!, 0);
  return slices.toSorted((one, two) => along(one) - along(two));
}

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DENTAL_CBCT, makePhantom, type Phantom, paintSlab } from "../../src/demo/phantom.ts";
import { writePhantom } from "../../src/demo/phantom-dicom.ts";
import { numberOf, numbersOf, stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { needing, said } from "../segmentation/peers.ts";
import { tempFolder } from "../support/temp.ts";

const COARSE = { columns: 100, rows: 100, slices: 55, spacing: 1.6 };
const coarse = await makePhantom(COARSE);

/** What is at a place, in mm: to the left, backwards, upwards. */
function at(
  { shape, voxels, tissue }: Phantom,
  x: number,
  y: number,
  z: number,
): { hu: number; tissue: number } {
  const { columns, rows, spacing } = shape;
  const i = Math.round(x / spacing + (columns - 1) / 2);
  const j = Math.round(y / spacing + (rows - 1) / 2);
  const index = i + columns * (j + rows * Math.round(z / spacing - 0.5));
  return { hu: voxels[index]!, tissue: tissue[index]! };
}

test("the demo's volume is as large as a dental device makes it", () => {
  expect(DENTAL_CBCT.columns).toBe(400);
  expect(DENTAL_CBCT.rows).toBe(400);
  expect(DENTAL_CBCT.slices).toBeGreaterThanOrEqual(200);
});

test("one thread paints what several do, voxel for voxel", () => {
  const alone: Phantom = {
    shape: COARSE,
    voxels: new Int16Array(new SharedArrayBuffer(coarse.voxels.byteLength)),
    tissue: new Uint8Array(new SharedArrayBuffer(coarse.tissue.byteLength)),
  };
  paintSlab({ phantom: alone, first: 0, step: 1 });
  expect(Buffer.compare(Buffer.from(alone.voxels.buffer), Buffer.from(coarse.voxels.buffer))).toBe(0);
  expect(Buffer.compare(alone.tissue, coarse.tissue)).toBe(0);
});

test("landmarks of a head are where they belong, left on the left", () => {
  expect(at(coarse, 0, 16, 30).tissue).toBe(5); // oropharynx
  expect(at(coarse, 0, 39, 45).tissue).toBe(4); // body of the axis
  expect(at(coarse, 0, -56, 10).tissue).toBe(2); // chin
  expect(at(coarse, 50, 18, 40).tissue).toBe(2); // left ramus
  expect(at(coarse, -50, 18, 40).tissue).toBe(2); // right ramus
  expect(at(coarse, 27, -17, 77).tissue).toBe(6); // left maxillary sinus
  expect(at(coarse, -27, -17, 77).tissue).toBe(7); // right maxillary sinus
  expect(at(coarse, 0, -20, 40).tissue).toBe(1); // tongue
  expect(at(coarse, 79, 79, 40)).toEqual({ hu: -1000, tissue: 0 }); // corner outside the field of view
});

test("thirty teeth stand at their FDI numbers; the upper right and the lower left third molar are missing", () => {
  const found = new Map<number, { left: number; right: number; upper: number; lower: number }>();
  coarse.tissue.forEach((fdi, index) => {
    if (fdi < 11) return;
    const places = found.get(fdi) ?? { left: 0, right: 0, upper: 0, lower: 0 };
    places[index % 100 >= 50 ? "left" : "right"] += 1;
    places[Math.floor(index / 10_000) >= 25 ? "upper" : "lower"] += 1;
    found.set(fdi, places);
  });
  const wanted = [10, 20, 30, 40].flatMap((quadrant) => [1, 2, 3, 4, 5, 6, 7, 8].map((n) => quadrant + n));
  expect([...found.keys()].sort((a, b) => a - b)).toEqual(wanted.filter((fdi) => fdi !== 18 && fdi !== 38));
  for (const [fdi, { left, right, upper, lower }] of found) {
    const quadrant = Math.floor(fdi / 10);
    expect(left > 0, String(fdi)).toBe(quadrant === 2 || quadrant === 3);
    expect(right > 0, String(fdi)).toBe(quadrant === 1 || quadrant === 4);
    expect(upper > 0, String(fdi)).toBe(quadrant <= 2);
    expect(lower > 0, String(fdi)).toBe(quadrant >= 3);
  }
});

test("tissues have the Hounsfield units of their kind", () => {
  const mean = (tissue: number): number => {
    const values = coarse.voxels.filter((_, index) => coarse.tissue[index] === tissue);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  expect(mean(5)).toBeLessThan(-800);
  expect(mean(1)).toBeGreaterThan(-80);
  expect(mean(1)).toBeLessThan(80);
  expect(mean(2)).toBeGreaterThan(400);
  expect(mean(46)).toBeGreaterThan(1200);
});

test("the series on disk says where each slice lies and has the phantom's voxels in it", async () => {
  await using folder = await tempFolder();
  await writePhantom(coarse, folder.path);
  const names = (await readdir(folder.path)).sort();
  expect(names).toHaveLength(55);
  expect(names[0]).toBe("0001.dcm");
  const { dataSet, body, pixelData } = readPart10(await readFile(join(folder.path, "0031.dcm")));
  expect(numbersOf(dataSet, tagOf("ImagePositionPatient"))).toEqual([-79.2, -79.2, 48.8]);
  expect(numbersOf(dataSet, tagOf("ImageOrientationPatient"))).toEqual([1, 0, 0, 0, 1, 0]);
  expect(numberOf(dataSet, tagOf("ImagesInAcquisition"))).toBe(55);
  expect(stringOf(dataSet, tagOf("PatientName"))).toBe("Phantom^Dental");
  const stored = Uint8Array.from(body.subarray(pixelData!.offset, pixelData!.offset + pixelData!.length!));
  const hounsfield = Array.from(new Uint16Array(stored.buffer), (value) => value - 1000);
  expect(hounsfield).toEqual([...coarse.voxels.subarray(30 * 10_000, 31 * 10_000)]);
});

needing("dciodvfy")("dciodvfy has nothing to say about a slice", async () => {
  await using folder = await tempFolder();
  await writePhantom(coarse, folder.path);
  for (const name of ["0001.dcm", "0055.dcm"]) {
    expect(await said("dciodvfy", "-new", join(folder.path, name))).toEqual(["CTImage"]);
  }
});

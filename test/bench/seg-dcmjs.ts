/** The same BINARY segmentation by the derivation of dcmjs: read the source files, derive, write. */
import { readFile, writeFile } from "node:fs/promises";
import { data, derivations, log, normalizers } from "dcmjs";
import { findLabels } from "../../src/segmentation/frames.ts";
import type { LabelMap } from "../../src/volume/volume.ts";

/** @param paths  of the source, in the order of the slices */
export async function deriveWithDcmjs(
  paths: readonly string[],
  { grid, labels }: LabelMap,
  output: string,
): Promise<{ readonly elapsedMs: number; readonly frames: number }> {
  log.setLevel("silent");
  const { DicomMessage, DicomDict, DicomMetaDictionary } = data;
  const [columns, rows, slices] = grid.size;
  const pixels = columns * rows;
  const started = performance.now();
  const datasets: Record<string, unknown>[] = [];
  for (const path of paths) {
    const { dict } = DicomMessage.readFile(Uint8Array.from(await readFile(path)).buffer);
    const dataset = DicomMetaDictionary.naturalizeDataset(dict);
    const [pixelData] = dataset["PixelData"] as readonly ArrayBuffer[];
    datasets.push(Object.assign(dataset, { PixelData: pixelData, _meta: {} }));
  }
  const multiframe = normalizers.Normalizer.normalizeToDataset(datasets);
  const derived = new derivations.Segmentation([multiframe], { includeSliceSpacing: true });
  const presence = findLabels(labels, pixels);
  const frames = [...presence.values()].reduce((sum, of) => sum + of.length, 0);
  derived.setNumberOfFrames(frames);
  const code = { CodeValue: "91723000", CodingSchemeDesignator: "SCT", CodeMeaning: "Anatomical structure" };
  for (const [value, of] of presence) {
    // It sorts the slices the other way round.
    const descending = of.toReversed();
    const maps = descending.map((k) => (labels as Uint8Array).subarray(k * pixels, (k + 1) * pixels));
    const segment = {
      SegmentLabel: `Structure ${value}`,
      SegmentAlgorithmType: "AUTOMATIC",
      SegmentAlgorithmName: "model",
      SegmentedPropertyCategoryCodeSequence: code,
      SegmentedPropertyTypeCodeSequence: code,
    };
    const numbers = descending.map((k) => slices - k);
    derived.addSegmentFromLabelmap(segment, maps, value, numbers);
  }
  derived.bitPackPixelData();
  const file = new DicomDict({ "00020010": { vr: "UI", Value: ["1.2.840.10008.1.2.1"] } });
  file.dict = DicomMetaDictionary.denaturalizeDataset(derived.dataset);
  await writeFile(output, Buffer.from(file.write({ fragmentMultiframe: false })));
  return { elapsedMs: performance.now() - started, frames };
}

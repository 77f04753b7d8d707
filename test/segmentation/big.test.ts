import { expect, test } from "vitest";
import { encodeSegmentation } from "../../src/segmentation/seg.ts";
import { AXIAL, inputFor, labelMap, stack } from "./series.ts";

// The size other writers were measured on: 8 labels in 390 frames of 512 × 512; the best took 13.01 MB and 0.15 s.
test("200 slices of 512 × 512 with 8 labels are encoded within 2 s and 13.1 MB", { timeout: 30_000 }, () => {
  const series = stack({ columns: 512, rows: 512, slices: 200, orientation: AXIAL, step: [0, 0, 0.5] });
  const map = labelMap(series, (i, j, k) => {
    const label = 1 + Math.floor((i - 56) / 50);
    const first = label * 17;
    const isInside =
      label >= 1 && label <= 8 && j >= 100 && j < 412 && k >= first && k < first + 49 - (label > 6 ? 1 : 0);
    return isInside && (i * 7 + j * 13 + k * 3) % 3 !== 0 ? label : 0;
  });
  const input = inputFor(series, map);
  const started = performance.now();
  const encoded = encodeSegmentation(input);
  const elapsedMs = performance.now() - started;
  expect(encoded).toMatchObject({ kind: "seg", segments: 8, frames: 390 });
  expect(encoded.kind === "seg" && encoded.bytes).toBeLessThan(13.1e6);
  expect(elapsedMs).toBeLessThan(2000);
});

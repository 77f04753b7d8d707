/** The two results that writers of segmentations are measured on. */
import type { StackShape } from "../segmentation/series.ts";

interface Shape {
  readonly what: string;
  readonly stack: StackShape;
  readonly label: (i: number, j: number, k: number) => number;
}

const r = Math.SQRT1_2;

export const SHAPES: Readonly<Record<string, Shape>> = {
  big: {
    what: "oblique CT, 200 × 512×512, 8 labels in 390 frames, speckled",
    stack: { columns: 512, rows: 512, slices: 200, orientation: [r, r, 0, 0, 0, -1], step: [-r, r, 0] },
    label: (i, j, k) => {
      const label = 1 + Math.floor((i - 56) / 50);
      const first = label * 17;
      const isInside =
        label >= 1 && label <= 8 && j >= 100 && j < 412 && k >= first && k < first + 49 - (label > 6 ? 1 : 0);
      return isInside && (i * 7 + j * 13 + k * 3) % 3 !== 0 ? label : 0;
    },
  },
  cbct: {
    what: "CBCT, 600 × 401×401, 40 labels in 3,800 frames, speckled",
    stack: { columns: 401, rows: 401, slices: 600, orientation: [1, 0, 0, 0, 1, 0], step: [0, 0, 0.3] },
    label: (i, j, k) => {
      const label = 1 + Math.floor(i / 50) + 8 * Math.floor(j / 80);
      const first = ((label * 37) % 40) * 12;
      const isInside = label <= 40 && i < 400 && j < 400 && k >= first && k < first + 95;
      return isInside && (i * 7 + j * 13 + k * 3) % 3 !== 0 ? label : 0;
    },
  },
};

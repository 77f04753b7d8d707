/** Soft tissue: the body without its bone and its air. Out: 1. Pure. */
import type { Scan } from "../scan.ts";
import { componentsOf } from "./components.ts";
import { scaleOf, smoothed } from "./grey.ts";

const FROM_HU = -350;
const TO_HU = 215;

export function segmentSoftTissue(scan: Scan): Uint8Array {
  const scale = scaleOf(scan);
  const values = smoothed(scan);
  const [from, to] = scale.kind === "hounsfield" ? [FROM_HU, TO_HU] : [scale.dark, Number.POSITIVE_INFINITY];
  const mask = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) if (values[at]! > from && values[at]! <= to) mask[at] = 1;
  const labels = new Uint8Array(values.length);
  const pieces = componentsOf(mask, scan.size);
  const largest = pieces.list.reduce((most, { voxels }) => Math.max(most, voxels), 0);
  pieces.paint(labels, ({ voxels }) => (voxels >= largest / 20 ? 1 : undefined));
  return labels;
}

/**
 * The file a model answered with becomes a label map on the source's grid.
 *
 * In:   the bytes of a .nii, .nii.gz or .nrrd, recognised by what they are and not by a name.
 * Out:  a LabelMap whose grid is the source's own, never the rounded one of the file.
 * Pure. Runs in a worker.
 *
 * The place is checked from the header, before anything is inflated: so the limit of the inflation is the size
 * of the volume that was sent.
 */
import type { Grid, LabelMap } from "../volume.ts";
import { gunzip, gunzipHead, isGzip } from "./gzip.ts";
import { dataBytes, type ImageHeader, invalid, numbersIn } from "./image.ts";
import { labelsOf } from "./labels.ts";
import { niftiVersion, readNiftiHeader } from "./nifti.ts";
import { isNrrd, MAX_NRRD_HEADER_BYTES, readNrrdHeader } from "./nrrd.ts";
import { placementOf } from "./placement.ts";

/** What was sent, and which labels the model may answer with, without 0. */
export interface Expected {
  readonly grid: Grid;
  readonly labels: readonly number[];
}

/**
 * @throws MODEL_ANSWER_INVALID: not an image, damaged, cut, or not made of labels
 * @throws LABEL_MAP_MISPLACED: another shape, or another place
 * @throws LABEL_UNKNOWN: a label without a meaning
 */
export function readLabelMap(file: Uint8Array, expected: Expected): LabelMap {
  const header = readHeader(isGzip(file) ? gunzipHead(file) : file);
  const placement = placementOf(header.grid, expected.grid);
  const numbers = numbersIn(dataOf(file, header), header.type, header.littleEndian);
  const labels = labelsOf({ ...header, size: header.grid.size, numbers }, placement, expected.labels);
  return { grid: expected.grid, labels };
}

function readHeader(head: Uint8Array): ImageHeader {
  if (isNrrd(head)) return readNrrdHeader(head.subarray(0, MAX_NRRD_HEADER_BYTES));
  if (niftiVersion(head)) return readNiftiHeader(head);
  if (head.length === 0) throw invalid("Answer is empty");
  if (isGzip(head)) throw invalid("Answer is gzip within gzip");
  const start = Buffer.from(head.subarray(0, 40))
    .toString("latin1")
    .replaceAll(/[^\x20-\x7e]/g, "?");
  throw invalid(`Answer is neither NIfTI nor NRRD; it begins with "${start}"`);
}

/** The raw bytes of the voxels, no more and no less. */
function dataOf(file: Uint8Array, header: ImageHeader): Uint8Array {
  const wanted = dataBytes(header);
  // The data of a compressed NRRD are at most as long as they would be uncompressed, and what gzip adds (RFC 1951).
  const stored = header.encoding === "gzip" ? wanted + wanted / 1000 + 1024 : wanted;
  const whole = isGzip(file) ? gunzip(file, header.offset + Math.ceil(stored)) : file;
  const rest = whole.subarray(header.offset);
  const data = header.encoding === "gzip" ? gunzip(rest, wanted) : rest.subarray(0, wanted);
  if (data.length < wanted) {
    const [columns, rows, slices] = header.grid.size;
    throw invalid(
      `${header.format} of ${columns}×${rows}×${slices} ${header.type} ends after ${data.length} of ${wanted} bytes`,
    );
  }
  return data;
}

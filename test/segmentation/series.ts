/** Series for the segmentation tests: invented stacks of any orientation, and real ones from a folder. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatDs, fromKeywords, type KeywordRecord } from "../../src/dicom/build.ts";
import { TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { type DataSet, numberOf, stringOf, stringsOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { encodePart10 } from "../../src/dicom/encode.ts";
import { readPart10Header } from "../../src/dicom/part10.ts";
import type { InstanceUid, SeriesUid, SopClassUid, StudyUid } from "../../src/dicom/uid.ts";
import type { InstanceReference, SegInput } from "../../src/segmentation/input.ts";
import type { Segments } from "../../src/segmentation/segment.ts";
import type { Affine, Findings, LabelMap, Source } from "../../src/volume/volume.ts";
import type { OhifSlice } from "../support/ohif.ts";
import { PHANTOM, type Phantom, sliceHeader } from "../support/phantom.ts";

export interface Series {
  readonly source: Source;
  readonly header: DataSet;
  readonly headers: readonly DataSet[];
  readonly size: readonly [columns: number, rows: number, slices: number];
}

export interface StackShape
  extends Pick<Phantom, "columns" | "rows" | "slices">,
    Partial<Pick<Phantom, "seed" | "origin" | "orientation" | "step" | "pixelSpacing">> {
  /** Of each slice along z, mm, where the steps are not even. */
  readonly offsets?: readonly number[];
  readonly extra?: KeywordRecord;
}

export const AXIAL = [1, 0, 0, 0, 1, 0] as const;

/** What the phantom leaves out and the validators want, in a script of its own. */
const PATIENT = {
  PositionReferenceIndicator: "",
  StudyDate: "20250304",
  StudyTime: "101112",
  AccessionNumber: "A-4711",
  ReferringPhysicianName: "Überweiser^Änne",
  StudyID: "S1",
  StudyDescription: "Schädel",
  IssuerOfAccessionNumberSequence: [{ LocalNamespaceEntityID: "RIS" }],
  PatientName: "Müller^Jürgen",
  PatientID: "P-1",
  IssuerOfPatientID: "Klinik Süd",
  PatientBirthDate: "19700102",
  PatientSex: "M",
  PatientAge: "055Y",
  PatientSize: "1.8",
  PatientWeight: "80",
  Manufacturer: "Scanner Works",
  ManufacturerModelName: "CB 1",
  SoftwareVersions: ["3.1", "b"],
  StationName: "ROOM2",
  AcquisitionNumber: "1",
  BodyPartExamined: "HEAD",
  PatientPosition: "HFS",
  KVP: "90",
} as const;

/** A CT series, complete enough for the validators; slice k of the stack has Instance Number slices − k. */
export function stack({ offsets, extra, ...shape }: StackShape): Series {
  const phantom = { ...PHANTOM, ...shape };
  const { columns, rows, slices, origin } = phantom;
  const headers = Array.from({ length: slices }, (_, k) => {
    const height = offsets && formatDs(origin[2] + offsets[k]!);
    return fromKeywords({
      ...sliceHeader(phantom, k),
      ...PATIENT,
      ...(height && { ImagePositionPatient: [formatDs(origin[0]), formatDs(origin[1]), height] }),
      ...extra,
    });
  });
  return { source: sourceOf(headers, ""), headers, header: headers[0]!, size: [columns, rows, slices] };
}

/**
 * The single-frame images of one series in a folder, sorted along the normal.
 *
 * @param columns  of the images wanted, where those of other series lie beside them
 */
export async function readSeries(folder: string, columns?: number): Promise<Series> {
  const names = await readdir(folder);
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      return { path, dataSet: (await readPart10Header(path)).dataSet };
    }),
  );
  const images = files.filter(
    ({ dataSet }) =>
      numberOf(dataSet, tagOf("Rows")) !== undefined &&
      stringOf(dataSet, tagOf("Modality")) !== "SEG" &&
      (columns === undefined || numberOf(dataSet, tagOf("Columns")) === columns),
  );
  const height = ({ dataSet }: { dataSet: DataSet }): number => {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = texts(dataSet, "ImageOrientationPatient").map(Number);
    const [x = 0, y = 0, z = 0] = texts(dataSet, "ImagePositionPatient").map(Number);
    return x * (b * f - c * e) + y * (c * d - a * f) + z * (a * e - b * d);
  };
  images.sort((a, b) => height(a) - height(b));
  const headers = images.map(({ dataSet }) => dataSet);
  const [first] = headers;
  const size = [
    numberOf(first!, tagOf("Columns"))!,
    numberOf(first!, tagOf("Rows"))!,
    headers.length,
  ] as const;
  return { source: sourceOf(headers, images[0]!.path), headers, header: first!, size };
}

function sourceOf(headers: readonly DataSet[], path: string): Source {
  const header = headers[0]!;
  const [betweenRows = "", betweenColumns = ""] = texts(header, "PixelSpacing");
  const thickness = stringOf(header, tagOf("SliceThickness"));
  const frameOfReferenceUid = stringOf(header, tagOf("FrameOfReferenceUID"));
  const patientId = stringOf(header, tagOf("PatientID"));
  return {
    studyUid: stringOf(header, tagOf("StudyInstanceUID")) as StudyUid,
    seriesUid: stringOf(header, tagOf("SeriesInstanceUID")) as SeriesUid,
    path,
    frames: headers.map((one) => {
      const [x = "", y = "", z = ""] = texts(one, "ImagePositionPatient");
      return {
        sopClassUid: stringOf(one, tagOf("SOPClassUID")) as SopClassUid,
        sopInstanceUid: stringOf(one, tagOf("SOPInstanceUID")) as InstanceUid,
        position: [x, y, z],
      };
    }),
    orientation: texts(header, "ImageOrientationPatient"),
    pixelSpacing: [betweenRows, betweenColumns],
    ...(thickness === undefined ? {} : { sliceThickness: thickness }),
    ...(frameOfReferenceUid === undefined ? {} : { frameOfReferenceUid }),
    ...(patientId === undefined ? {} : { patientId }),
  };
}

function texts(dataSet: DataSet, keyword: string): readonly string[] {
  return stringsOf(dataSet, tagOf(keyword));
}

/** The affine of an even stack, by Equation C.7.6.2.1-1, from the source's text. */
function affineOf({ frames, orientation, pixelSpacing }: Source): Affine {
  const [rx = 0, ry = 0, rz = 0, cx = 0, cy = 0, cz = 0] = orientation.map(Number);
  const [rows, columns] = pixelSpacing.map(Number) as [number, number];
  const [x0 = 0, y0 = 0, z0 = 0] = frames[0]!.position.map(Number);
  const [x1 = 0, y1 = 0, z1 = 0] = frames.at(-1)!.position.map(Number);
  const steps = Math.max(frames.length - 1, 1);
  return {
    origin: [x0, y0, z0],
    perColumn: [rx * columns, ry * columns, rz * columns],
    perRow: [cx * rows, cy * rows, cz * rows],
    perSlice: [(x1 - x0) / steps, (y1 - y0) / steps, (z1 - z0) / steps],
  };
}

/** A map on the series' grid; `label` is asked for every voxel. */
export function labelMap(
  { source, size }: Series,
  label: (i: number, j: number, k: number) => number,
  bits: 8 | 16 = 8,
): LabelMap {
  const [columns, rows, slices] = size;
  const buffer = new SharedArrayBuffer((columns * rows * slices * bits) / 8);
  const labels = bits === 8 ? new Uint8Array(buffer) : new Uint16Array(buffer);
  let at = 0;
  for (let k = 0; k < slices; k++)
    for (let j = 0; j < rows; j++) for (let i = 0; i < columns; i++) labels[at++] = label(i, j, k);
  return { grid: { size, affine: affineOf(source) }, labels };
}

/** Boxes of different size in every axis, each label in its own slices, the outermost voxels included. */
export function boxes([columns, rows, slices]: Series["size"], count: number) {
  return (i: number, j: number, k: number): number => {
    if (i === 0 && j === 0 && k === 0) return 1;
    if (i === columns - 1 && j === rows - 1 && k === slices - 1) return count;
    const label = 1 + (Math.floor((i * count) / columns) % count);
    const isInside = j >= label && j < rows - 2 * (label % 3) - 1 && (k + label) % 3 !== 0;
    return isInside && (i + 2 * j + k) % 7 !== 0 ? label : 0;
  };
}

const NAMES = ["Mandible", "Maxilla", "Airway", "Tooth 36", "Tooth 37", "Skull", "Tongue", "Hyoid"];

export function segmentsFor(values: readonly number[]): Segments {
  return new Map(
    values.map((value, at) => [
      value,
      {
        label: NAMES[at] ?? `Structure ${value}`,
        category: { scheme: "SCT", value: "91723000", meaning: "Anatomical structure" },
        type: { scheme: "SCT", value: "91609006", meaning: "Mandible" },
      },
    ]),
  );
}

/** What a model that answers with one label map found. */
export function findingsOf({ grid, labels }: LabelMap): Findings {
  return { grid, layers: [labels] };
}

export function inputFor(series: Series, labels: LabelMap, changes: Partial<SegInput> = {}): SegInput {
  const values = valuesOf(labels);
  return {
    source: series.source,
    sourceHeader: series.header,
    allInstances: references(series),
    findings: findingsOf(labels),
    segments: segmentsFor(values),
    onUnknownLabel: "refuse",
    absentSegments: "drop",
    model: { name: "mandible", version: "1.2.0" },
    revision: 1,
    resultAt: Date.UTC(2025, 2, 4, 10, 20, 30, 456),
    seriesNumber: 9001,
    product: { manufacturer: "Isocenter", model: "Isocenter", version: "0.1.0", serial: "node-1" },
    ...changes,
  };
}

function references({ source }: Series): readonly InstanceReference[] {
  return source.frames.map(({ sopClassUid, sopInstanceUid }) => ({ sopClassUid, sopInstanceUid }));
}

/** What the readers must give back: ranks instead of values. */
export function ranks(map: LabelMap): Uint16Array {
  const table = new Uint16Array(0x10000);
  for (const [at, value] of valuesOf(map).entries()) table[value] = at + 1;
  const found = new Uint16Array(map.labels.length);
  for (let at = 0; at < found.length; at++) found[at] = table[map.labels[at]!]!;
  return found;
}

function valuesOf({ labels }: LabelMap): readonly number[] {
  const seen = new Uint8Array(0x10000);
  for (let at = 0; at < labels.length; at++) seen[labels[at]!] = 1;
  return [...seen.keys()].filter((value) => value !== 0 && seen[value] === 1);
}

export function slicesOf({ source }: Series) {
  return source.frames.map(({ sopInstanceUid, frameNumber, position }) => ({
    instance: sopInstanceUid,
    ...(frameNumber === undefined ? {} : { frame: frameNumber }),
    position: position.map(Number),
  }));
}

export function ohifSlices({ source, headers, size }: Series): readonly OhifSlice[] {
  return source.frames.map(({ sopInstanceUid, frameNumber, position }, k) => {
    const frameOfReferenceUid = stringOf(headers[k] ?? headers[0]!, tagOf("FrameOfReferenceUID"));
    return {
      seriesUid: source.seriesUid,
      instance: sopInstanceUid,
      ...(frameNumber === undefined ? {} : { frame: frameNumber }),
      ...(frameOfReferenceUid === undefined ? {} : { frameOfReferenceUid }),
      rows: size[1],
      columns: size[0],
      position: position.map(Number),
      orientation: source.orientation.map(Number),
      pixelSpacing: source.pixelSpacing.map(Number),
    };
  });
}

/** Writes the series as files, pixels of zero, and returns their paths in the order of the slices. */
export async function writeSeries(series: Series, folder: string): Promise<readonly string[]> {
  const [columns, rows] = series.size;
  return Promise.all(
    series.headers.map(async (header, k) => {
      const path = join(folder, `image-${k}.dcm`);
      const pixelData = { vr: "OW", chunks: [new Uint8Array(columns * rows * 2)] } as const;
      await writeFile(path, encodePart10(TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN, header, pixelData));
      return path;
    }),
  );
}

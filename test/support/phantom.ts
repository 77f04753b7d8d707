/**
 * Invented CT and MR series with known geometry and known voxels, written as DICOM files.
 *
 * Defaults are chosen so that every mistake shows: columns, rows and slices differ and are odd, pixels are not
 * square, the step is neither, and no two neighbouring voxels have the same value.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatDs, fromKeywords, type KeywordRecord } from "../../src/dicom/build.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { encodePart10 } from "../../src/dicom/encode.ts";
import { derivedUid, type InstanceUid, type TransferSyntaxUid } from "../../src/dicom/uid.ts";

export type Triple = readonly [x: number, y: number, z: number];

export interface Phantom {
  /** Names the series: other seeds give other UIDs. */
  readonly seed: string;
  readonly modality: "CT" | "MR";
  readonly columns: number;
  readonly rows: number;
  readonly slices: number;
  /** Along a row, then down a column. */
  readonly orientation: readonly [...row: Triple, ...column: Triple];
  readonly origin: Triple;
  /** From slice to slice; not along the normal: a tilted gantry. */
  readonly step: Triple;
  readonly pixelSpacing: readonly [betweenRows: number, betweenColumns: number];
  readonly bits: { readonly allocated: 8 | 16; readonly stored: number; readonly signed: boolean };
  /** undefined: the attributes are absent, as in most MR. */
  readonly rescale: ((slice: number) => readonly [slope: number, intercept: number]) | undefined;
  /** The stored value. */
  readonly value: (column: number, row: number, slice: number) => number;
  /** Added to every data set, or to the one of a slice. */
  readonly extra: KeywordRecord | ((slice: number) => KeywordRecord);
}

export interface PhantomFile {
  readonly path: string;
  readonly sopInstanceUid: InstanceUid;
}

export const PHANTOM: Phantom = {
  seed: "phantom",
  modality: "CT",
  columns: 7,
  rows: 5,
  slices: 3,
  orientation: [1, 0, 0, 0, 1, 0],
  origin: [-31.25, 12.5, 100.125],
  step: [0, 0, 1.25],
  pixelSpacing: [0.7, 0.5],
  bits: { allocated: 16, stored: 12, signed: false },
  rescale: () => [1, -1024],
  value: (column, row, slice) => 7 * column + 131 * row + 1009 * slice,
  extra: {},
};

/** Writes one single-frame file per slice, named so that the order of names is not that of slices. */
export async function writeSeries(
  folder: string,
  change: Partial<Phantom> = {},
): Promise<readonly PhantomFile[]> {
  const phantom = { ...PHANTOM, ...change };
  await mkdir(folder, { recursive: true });
  const files = shuffled(phantom.slices).map(async (slice, at) => {
    const path = join(folder, `${String(at).padStart(4, "0")}.dcm`);
    await writeFile(path, Buffer.concat(sliceFile(phantom, slice)));
    return { path, sopInstanceUid: instanceUid(phantom, slice) };
  });
  return Promise.all(files);
}

/** @returns the chunks of the file of one slice */
export function sliceFile(phantom: Phantom, slice: number): Uint8Array[] {
  return encodePart10(TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN, fromKeywords(sliceHeader(phantom, slice)), {
    vr: "OW",
    chunks: [sliceBytes(phantom, slice)],
  });
}

/** The header of the image of one slice, without Pixel Data. */
export function sliceHeader(phantom: Phantom, slice: number): KeywordRecord {
  const { extra } = phantom;
  return {
    ...commonHeader(phantom),
    SOPClassUID: phantom.modality === "CT" ? SOP_CLASS.CT_IMAGE : SOP_CLASS.MR_IMAGE,
    SOPInstanceUID: instanceUid(phantom, slice),
    InstanceNumber: phantom.slices - slice,
    SliceThickness: "2.5",
    ...planePosition(phantom, slice),
    ...planeOrientation(phantom),
    PixelSpacing: phantom.pixelSpacing.map(formatDs),
    ...rescaleOf(phantom, slice),
    ...(typeof extra === "function" ? extra(slice) : extra),
  };
}

/**
 * Writes the whole stack as one Enhanced CT or MR image, frames in shuffled order.
 *
 * @returns the file, and which slice each frame is
 */
export async function writeMultiFrame(
  folder: string,
  change: Partial<Phantom> = {},
): Promise<{ readonly files: readonly [PhantomFile]; readonly slices: readonly number[] }> {
  const phantom = { ...PHANTOM, ...change };
  await mkdir(folder, { recursive: true });
  const slices = shuffled(phantom.slices);
  const path = join(folder, "multi-frame.dcm");
  const file = encodePart10(
    TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN,
    fromKeywords(multiFrameHeader(phantom, slices)),
    { vr: "OW", chunks: slices.map((slice) => sliceBytes(phantom, slice)) },
  );
  await writeFile(path, Buffer.concat(file));
  return { files: [{ path, sopInstanceUid: instanceUid(phantom, -1) }], slices };
}

/** Orientation and pixel measures shared; position, rescale and frame content per frame. */
export function multiFrameHeader(phantom: Phantom, slices: readonly number[]): KeywordRecord {
  const measures = { SliceThickness: "2.5", PixelSpacing: phantom.pixelSpacing.map(formatDs) };
  const { extra } = phantom;
  return {
    ...commonHeader(phantom),
    SOPClassUID: phantom.modality === "CT" ? SOP_CLASS.ENHANCED_CT_IMAGE : SOP_CLASS.ENHANCED_MR_IMAGE,
    SOPInstanceUID: instanceUid(phantom, -1),
    InstanceNumber: 1,
    NumberOfFrames: slices.length,
    SharedFunctionalGroupsSequence: [
      { PlaneOrientationSequence: [planeOrientation(phantom)], PixelMeasuresSequence: [measures] },
    ],
    PerFrameFunctionalGroupsSequence: slices.map((slice) => ({
      FrameContentSequence: [
        { StackID: "1", InStackPositionNumber: slice + 1, ...(typeof extra === "function" && extra(slice)) },
      ],
      PlanePositionSequence: [planePosition(phantom, slice)],
      ...(phantom.rescale && { PixelValueTransformationSequence: [rescaleOf(phantom, slice)] }),
    })),
    ...(typeof extra === "object" && extra),
  };
}

/**
 * A file with encapsulated Pixel Data, items exactly as given (PS3.5 A.4): the first is the offset table.
 *
 * @param items  not padded: an odd one is written odd
 */
export function encapsulatedFile(
  transferSyntaxUid: TransferSyntaxUid,
  header: KeywordRecord,
  items: readonly Uint8Array[],
): Buffer {
  const element = Buffer.from("e07f10004f420000ffffffff", "hex");
  return Buffer.concat([
    ...encodePart10(transferSyntaxUid, fromKeywords(header)),
    element,
    ...items.flatMap((item) => [itemHeader(item.length), item]),
    Buffer.from("feffdde000000000", "hex"),
  ]);
}

export function instanceUid(phantom: Phantom, slice: number): InstanceUid {
  return derivedUid<InstanceUid>("phantom image", phantom.seed, String(slice));
}

/** The pixels of one slice, little endian. */
export function sliceBytes({ columns, rows, bits, value }: Phantom, slice: number): Uint8Array {
  const width = bits.allocated / 8;
  const bytes = Buffer.alloc(columns * rows * width);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = (row * columns + column) * width;
      const word = value(column, row, slice) & (2 ** bits.allocated - 1);
      if (width === 2) bytes.writeUInt16LE(word, at);
      else bytes.writeUInt8(word, at);
    }
  }
  return bytes;
}

/** 0 … n − 1 in an order that is neither ascending nor descending from n = 3 on; the same every time. */
export function shuffled(n: number): readonly number[] {
  const stride = [7, 5, 3, 2].find((prime) => n % prime !== 0 && prime % n !== 1) ?? 1;
  return Array.from({ length: n }, (_, at) => (at * stride + 1) % n);
}

function commonHeader(phantom: Phantom): KeywordRecord {
  const { bits } = phantom;
  return {
    SpecificCharacterSet: "ISO_IR 192",
    ImageType: ["ORIGINAL", "PRIMARY", "AXIAL"],
    StudyDate: "20260102",
    StudyTime: "030405",
    Modality: phantom.modality,
    PatientName: "Phantom^Invented",
    PatientID: "PHANTOM",
    StudyInstanceUID: derivedUid("phantom study", phantom.seed),
    SeriesInstanceUID: derivedUid("phantom series", phantom.seed),
    FrameOfReferenceUID: derivedUid("phantom frame of reference", phantom.seed),
    SeriesNumber: 2,
    SamplesPerPixel: 1,
    PhotometricInterpretation: "MONOCHROME2",
    Rows: phantom.rows,
    Columns: phantom.columns,
    BitsAllocated: bits.allocated,
    BitsStored: bits.stored,
    HighBit: bits.stored - 1,
    PixelRepresentation: bits.signed ? 1 : 0,
  };
}

function planePosition({ origin, step }: Phantom, slice: number): KeywordRecord {
  return { ImagePositionPatient: origin.map((mm, axis) => formatDs(mm + slice * step[axis]!)) };
}

function planeOrientation({ orientation }: Phantom): KeywordRecord {
  return { ImageOrientationPatient: orientation.map(formatDs) };
}

function rescaleOf({ rescale }: Phantom, slice: number): KeywordRecord {
  if (!rescale) return {};
  const [slope, intercept] = rescale(slice);
  return { RescaleSlope: formatDs(slope), RescaleIntercept: formatDs(intercept), RescaleType: "HU" };
}

function itemHeader(length: number): Buffer {
  const header = Buffer.from("feff00e000000000", "hex");
  header.writeUInt32LE(length, 4);
  return header;
}

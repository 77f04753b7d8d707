/**
 * The phantom as a DICOM series: CT images, one file per slice, as a dental cone-beam device writes them.
 *
 * In:   a phantom, an empty folder.
 * Out:  0001.dcm and so on, from the lowest slice to the highest; the same bytes at every run.
 *
 * Pixels are unsigned 12 bit with intercept -1000, like most dental devices have them. Nothing in the header could
 * belong to a patient: the names say what it is, the dates are that of the first X-ray image.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatDs, fromKeywords, type KeywordRecord } from "../dicom/build.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../dicom/constants.ts";
import { encodePart10 } from "../dicom/encode.ts";
import { derivedUid, type InstanceUid, type SeriesUid, type StudyUid, type Uid } from "../dicom/uid.ts";
import { millimetres } from "./phantom/canvas.ts";
import type { Phantom, Shape } from "./phantom.ts";

const INTERCEPT = -1000;
const LARGEST_STORED = 4095;
const DATE = "18951222";

/** @throws what the file system throws */
export async function writePhantom(phantom: Phantom, folder: string): Promise<void> {
  const { columns, rows, slices } = phantom.shape;
  const area = columns * rows;
  for (let slice = 0; slice < slices; slice++) {
    const pixels = new Uint16Array(area);
    const voxels = phantom.voxels.subarray(slice * area, (slice + 1) * area);
    voxels.forEach((value, at) => {
      pixels[at] = Math.min(LARGEST_STORED, Math.max(0, value - INTERCEPT));
    });
    const file = encodePart10(
      TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN,
      fromKeywords(headerOf(phantom.shape, slice)),
      { vr: "OW", chunks: [new Uint8Array(pixels.buffer)] },
    );
    await writeFile(join(folder, `${String(slice + 1).padStart(4, "0")}.dcm`), Buffer.concat(file));
  }
}

function headerOf(shape: Shape, slice: number): KeywordRecord {
  const { columns, rows, spacing } = shape;
  const identity = [JSON.stringify(shape)];
  const uid = <Kind extends Uid>(...parts: string[]): Kind =>
    derivedUid<Kind>("isocenter demo", ...identity, ...parts);
  const height = (slice + 0.5) * spacing;
  return {
    SpecificCharacterSet: "ISO_IR 192",
    ...studyAttributes(uid<StudyUid>("study")),
    ...seriesAttributes(uid<SeriesUid>("series"), uid<Uid>("frame of reference")),
    SOPClassUID: SOP_CLASS.CT_IMAGE,
    SOPInstanceUID: uid<InstanceUid>("instance", String(slice)),
    ImageType: ["ORIGINAL", "PRIMARY", "AXIAL"],
    ContentDate: DATE,
    ContentTime: "120000",
    AcquisitionDate: DATE,
    AcquisitionTime: "120000",
    AcquisitionNumber: 1,
    InstanceNumber: slice + 1,
    ImagesInAcquisition: shape.slices,
    ImagePositionPatient: [
      formatDs(millimetres(0, columns, spacing)),
      formatDs(millimetres(0, rows, spacing)),
      formatDs(Math.round(height * 1e6) / 1e6),
    ],
    ImageOrientationPatient: ["1", "0", "0", "0", "1", "0"],
    SliceThickness: formatDs(spacing),
    SliceLocation: formatDs(Math.round(height * 1e6) / 1e6),
    PixelSpacing: [formatDs(spacing), formatDs(spacing)],
    SamplesPerPixel: 1,
    PhotometricInterpretation: "MONOCHROME2",
    Rows: rows,
    Columns: columns,
    BitsAllocated: 16,
    BitsStored: 12,
    HighBit: 11,
    PixelRepresentation: 0,
    RescaleIntercept: formatDs(INTERCEPT),
    RescaleSlope: "1",
    RescaleType: "HU",
    WindowCenter: ["600", "40"],
    WindowWidth: ["3200", "400"],
    BurnedInAnnotation: "NO",
    LossyImageCompression: "00",
  };
}

function studyAttributes(studyUid: StudyUid): KeywordRecord {
  return {
    PatientName: "Phantom^Dental",
    PatientID: "ISOCENTER-DEMO",
    PatientBirthDate: "",
    PatientSex: "O",
    PatientComments: "Synthetic: no such person",
    StudyInstanceUID: studyUid,
    StudyDate: DATE,
    StudyTime: "120000",
    StudyID: "DEMO",
    AccessionNumber: "",
    ReferringPhysicianName: "",
    StudyDescription: "Synthetic dental CBCT",
  };
}

function seriesAttributes(seriesUid: SeriesUid, frameOfReferenceUid: Uid): KeywordRecord {
  return {
    Modality: "CT",
    SeriesInstanceUID: seriesUid,
    SeriesNumber: 1,
    SeriesDate: DATE,
    SeriesTime: "120000",
    SeriesDescription: "Dental CBCT 0.4 mm",
    BodyPartExamined: "JAW",
    PatientPosition: "HFS",
    FrameOfReferenceUID: frameOfReferenceUid,
    PositionReferenceIndicator: "",
    Manufacturer: "Isocenter demo",
    ManufacturerModelName: "Synthetic dental CBCT",
    DeviceSerialNumber: "1",
    SoftwareVersions: "1",
    KVP: "90",
    XRayTubeCurrent: 8,
    ExposureTime: 12000,
  };
}

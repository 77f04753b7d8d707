/**
 * A label map as DICOM Segmentation (PS3.3 A.51), type BINARY: the form that every viewer reads. Pure.
 *
 * In:   a label map on the source's own grid, what its labels mean, and the header of a source instance.
 * Out:  a whole Part 10 file as chunks; or that there is nothing to send; or why it may not leave.
 *
 * Nothing is taken from the clock or the machine: the same input gives the same bytes. A segment that the map
 * does not hold is left out, and the rest is numbered from 1 without gaps, as BINARY demands (C.8.20.2.3).
 */
import { formatDs, fromKeywords, type KeywordRecord } from "../dicom/build.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../dicom/constants.ts";
import { type DataSet, numbersOf, stringOf, stringsOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { encodePart10 } from "../dicom/encode.ts";
import { parseUid } from "../dicom/uid.ts";
import { CODE, codeItem } from "./codes.ts";
import { assertConformant } from "./conformance.ts";
import { segmentItems } from "./description.ts";
import { listFrames, packFrames } from "./frames.ts";
import { gate } from "./gate.ts";
import { dimensions, perFrameGroups, referencedSeries, sharedGroups } from "./groups.ts";
import { type Identity, identityOf } from "./identity.ts";
import type { Encoded, SegInput } from "./input.ts";
import { type Moment, momentOf } from "./moment.ts";
import { patientAndStudy } from "./patient.ts";
import { codeString, longString, personName, shortString } from "./text.ts";

/** @throws NodeError SEG_INVALID if what came out is no conformant object */
export function encodeSegmentation(input: SegInput): Encoded {
  const passed = gate(input);
  if (passed.kind !== "pass") return passed;
  const [columns, rows] = input.findings.grid.size;
  const values = [...passed.presence.keys()];
  const frames = listFrames(passed.presence);
  const packed = packFrames(input.findings.layers[0]!, frames, columns * rows);
  const identity = identityOf(input, frames, packed);
  const moment = momentOf(input.resultAt, input.sourceHeader);
  const own = fromKeywords({
    ...common(input, identity, moment),
    ...series(input, identity, moment),
    ...frameOfReference(input.sourceHeader),
    ...image(input, values, moment),
    ...pixels(rows, columns, frames.length),
    ...dimensions(identity.dimensionOrganizationUid),
    SegmentSequence: segmentItems(values, input),
    SharedFunctionalGroupsSequence: [sharedGroups(input.source)],
    PerFrameFunctionalGroupsSequence: perFrameGroups(frames, input.source),
    ReferencedSeriesSequence: [referencedSeries(input.source, input.allInstances)],
  });
  const elements = new Map([...patientAndStudy(input.sourceHeader), ...own.elements]);
  const dataSet: DataSet = { characterSet: own.characterSet, elements };
  assertConformant(dataSet, packed.length);
  const chunks = encodePart10(TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN, dataSet, {
    vr: "OB",
    chunks: [packed],
  });
  return {
    kind: "seg",
    sopClassUid: SOP_CLASS.SEGMENTATION,
    sopInstanceUid: identity.sopInstanceUid,
    seriesUid: identity.seriesUid,
    segments: values.length,
    frames: frames.length,
    absent: [...input.segments.keys()].filter((value) => value > 0 && !passed.presence.has(value)),
    bytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    chunks,
  };
}

/** SOP Common and Enhanced General Equipment, C.12.1 and C.7.5.2. */
function common(
  { sourceHeader, model, product }: SegInput,
  identity: Identity,
  moment: Moment,
): KeywordRecord {
  return {
    SpecificCharacterSet: "ISO_IR 192",
    SOPClassUID: SOP_CLASS.SEGMENTATION,
    SOPInstanceUID: identity.sopInstanceUid,
    TimezoneOffsetFromUTC: moment.offset,
    Manufacturer: longString(product.manufacturer),
    ManufacturerModelName: longString(product.model),
    DeviceSerialNumber: longString(product.serial),
    SoftwareVersions: longString(product.version),
    ContributingEquipmentSequence: [
      ...scannerItems(sourceHeader),
      {
        PurposeOfReferenceCodeSequence: [codeItem(CODE.PROCESSING_EQUIPMENT)],
        Manufacturer: "Unknown", // type 1, and the config does not say who made a model
        ManufacturerModelName: longString(model.name),
        SoftwareVersions: longString(model.version),
        ContributionDateTime: moment.dateTime,
        ContributionDescription: "Segmentation by an AI model",
      },
    ],
  };
}

/** The acquisition device; a source that does not name its manufacturer, type 1 here, gets no item. */
function scannerItems(header: DataSet): readonly KeywordRecord[] {
  const text = (keyword: string): string => longString(stringOf(header, tagOf(keyword)) ?? "");
  const manufacturer = text("Manufacturer");
  if (manufacturer === "") return [];
  return [
    {
      PurposeOfReferenceCodeSequence: [codeItem(CODE.ACQUISITION_EQUIPMENT)],
      Manufacturer: manufacturer,
      InstitutionName: text("InstitutionName") || undefined,
      StationName: shortString(text("StationName")) || undefined,
      ManufacturerModelName: text("ManufacturerModelName") || undefined,
      DeviceSerialNumber: text("DeviceSerialNumber") || undefined,
      SoftwareVersions: filled(stringsOf(header, tagOf("SoftwareVersions")).map(longString)),
    },
  ];
}

/** Undefined, so that no empty element is written, if no value is left. */
function filled(values: readonly string[]): readonly string[] | undefined {
  const some = values.filter((value) => value !== "");
  return some.length > 0 ? some : undefined;
}

/** General Series and Segmentation Series, C.7.3.1 and C.8.20.1. */
function series(
  { sourceHeader, model, seriesNumber }: SegInput,
  identity: Identity,
  moment: Moment,
): KeywordRecord {
  const laterality = stringOf(sourceHeader, tagOf("Laterality"));
  return {
    Modality: "SEG",
    SeriesInstanceUID: identity.seriesUid,
    SeriesNumber: String(seriesNumber),
    SeriesDate: moment.date,
    SeriesTime: moment.time,
    SeriesDescription: longString(`AI segmentation: ${model.name} (version ${model.version})`),
    BodyPartExamined: codeString(stringOf(sourceHeader, tagOf("BodyPartExamined")) ?? "", "") || undefined,
    Laterality: laterality === "R" || laterality === "L" ? laterality : undefined,
  };
}

/** Copied, or left out with a source that has none: C.7.4.1 is conditional where the source images are named. */
function frameOfReference(header: DataSet): KeywordRecord {
  const uid = parseUid(stringOf(header, tagOf("FrameOfReferenceUID")));
  const indicator = stringOf(header, tagOf("PositionReferenceIndicator")) ?? "";
  return uid ? { FrameOfReferenceUID: uid, PositionReferenceIndicator: longString(indicator) } : {};
}

/** General Image and Segmentation Image, C.7.6.1 and C.8.20.2. */
function image(
  { sourceHeader, segments, model }: SegInput,
  values: readonly number[],
  moment: Moment,
): KeywordRecord {
  const isLossy = stringOf(sourceHeader, tagOf("LossyImageCompression")) === "01";
  return {
    InstanceNumber: "1",
    ImageType: ["DERIVED", "PRIMARY"],
    ContentDate: moment.date,
    ContentTime: moment.time,
    ContentLabel: codeString(model.name, "SEGMENTATION"),
    ContentDescription: longString(values.map((value) => segments.get(value)!.label).join(", ")),
    ContentCreatorName: `${personName(model.name)}^AI`,
    LossyImageCompression: isLossy ? "01" : "00",
    ...(isLossy ? lossyDetails(sourceHeader) : {}),
    SegmentationType: "BINARY",
    SegmentsOverlap: "NO",
  };
}

/** Ratio and method of the source's compression, which this object inherits with its pixels' origin. */
function lossyDetails(header: DataSet): KeywordRecord {
  const ratios = numbersOf(header, tagOf("LossyImageCompressionRatio")).filter(Number.isFinite);
  const methods = stringsOf(header, tagOf("LossyImageCompressionMethod"));
  return {
    LossyImageCompressionRatio: filled(ratios.map(formatDs)),
    LossyImageCompressionMethod: filled(methods.map((method) => codeString(method, ""))),
  };
}

/** Image Pixel and Multi-frame, fixed for BINARY by C.8.20.2.1. */
function pixels(rows: number, columns: number, frames: number): KeywordRecord {
  return {
    SamplesPerPixel: 1,
    PhotometricInterpretation: "MONOCHROME2",
    NumberOfFrames: String(frames),
    Rows: rows,
    Columns: columns,
    BitsAllocated: 1,
    BitsStored: 1,
    HighBit: 0,
    PixelRepresentation: 0,
  };
}

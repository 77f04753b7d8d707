/**
 * The header of a segmentation: all modules of PS3.3 A.51 but its functional groups and segments. Pure.
 *
 * Nothing is taken from the clock or the machine: the same input gives the same bytes.
 */
import { formatDs, type KeywordRecord } from "../dicom/build.ts";
import { SOP_CLASS } from "../dicom/constants.ts";
import { type DataSet, numbersOf, stringOf, stringsOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { parseUid, type SopClassUid } from "../dicom/uid.ts";
import { CODE, codeItem } from "./codes.ts";
import { derivationDescription, type Lineage, overlapOf } from "./derivation.ts";
import type { Identity } from "./identity.ts";
import type { SegInput } from "./input.ts";
import type { Moment } from "./moment.ts";
import type { Plan } from "./plan.ts";
import { codeString, longString, personName, shortString } from "./text.ts";

export interface HeaderInput extends Lineage {
  readonly input: SegInput;
  readonly plan: Plan;
  readonly identity: Identity;
  readonly moment: Moment;
}

/** Both are one IOD; its type decides which class it is (PS3.3 A.51, C.8.20.2). */
export function sopClassOf({ form }: Plan): SopClassUid {
  return form === "labelmap" ? SOP_CLASS.LABEL_MAP_SEGMENTATION : SOP_CLASS.SEGMENTATION;
}

export function headerOf(header: HeaderInput): KeywordRecord {
  return {
    ...common(header),
    ...series(header),
    ...frameOfReference(header.input.sourceHeader),
    ...image(header),
    ...pixels(header),
  };
}

/** SOP Common and Enhanced General Equipment, C.12.1 and C.7.5.2. */
function common({ input, plan, identity, moment }: HeaderInput): KeywordRecord {
  const { sourceHeader, model, product } = input;
  return {
    SpecificCharacterSet: "ISO_IR 192",
    SOPClassUID: sopClassOf(plan),
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
function series({ input, plan, identity, moment }: HeaderInput): KeywordRecord {
  const { sourceHeader, model, seriesNumber } = input;
  const laterality = stringOf(sourceHeader, tagOf("Laterality"));
  return {
    Modality: "SEG",
    SeriesInstanceUID: identity.seriesUid,
    SeriesNumber: String(seriesNumber),
    SeriesDate: moment.date,
    SeriesTime: moment.time,
    SeriesDescription: longString(`${partOf(plan)}AI segmentation: ${model.name} (version ${model.version})`),
    BodyPartExamined: codeString(stringOf(sourceHeader, tagOf("BodyPartExamined")) ?? "", "") || undefined,
    Laterality: laterality === "R" || laterality === "L" ? laterality : undefined,
  };
}

/** In front, where a long name of a model does not push it out. */
function partOf({ part, parts }: Plan): string {
  return parts > 1 ? `${part}/${parts} ` : "";
}

/** Copied, or left out with a source that has none: C.7.4.1 is conditional where the source images are named. */
function frameOfReference(header: DataSet): KeywordRecord {
  const uid = parseUid(stringOf(header, tagOf("FrameOfReferenceUID")));
  const indicator = stringOf(header, tagOf("PositionReferenceIndicator")) ?? "";
  return uid ? { FrameOfReferenceUID: uid, PositionReferenceIndicator: longString(indicator) } : {};
}

/** General Image and Segmentation Image, C.7.6.1 and C.8.20.2. */
function image({ input, plan, moment, ...lineage }: HeaderInput): KeywordRecord {
  const { sourceHeader, segments, model, findings } = input;
  const isLossy = stringOf(sourceHeader, tagOf("LossyImageCompression")) === "01";
  const labels = [...plan.numbers.keys()].map((value) => segments.get(value)!.label).join(", ");
  return {
    InstanceNumber: "1",
    ImageType: ["DERIVED", "PRIMARY"],
    ContentDate: moment.date,
    ContentTime: moment.time,
    ContentLabel: codeString(model.name, "SEGMENTATION"),
    ContentDescription: longString(`${findings.resampledFrom ? "Resampled: " : ""}${labels}`),
    ContentCreatorName: personName(model.name, "AI"),
    DerivationDescription: derivationDescription(plan, input, lineage),
    LossyImageCompression: isLossy ? "01" : "00",
    ...(isLossy ? lossyDetails(sourceHeader) : {}),
    SegmentationType: plan.form.toUpperCase(),
    ...(plan.form === "fractional" ? FRACTIONAL : {}),
    SegmentsOverlap: overlapOf(plan, findings, lineage),
  };
}

/** (0062,0010) and (0062,000E); a pixel is the probability times the second, rounded. */
const FRACTIONAL = { SegmentationFractionalType: "PROBABILITY", MaximumFractionalValue: 255 } as const;

/** Ratio and method of the source's compression, which this object inherits with its pixels' origin. */
function lossyDetails(header: DataSet): KeywordRecord {
  const ratios = numbersOf(header, tagOf("LossyImageCompressionRatio")).filter(Number.isFinite);
  const methods = stringsOf(header, tagOf("LossyImageCompressionMethod"));
  return {
    LossyImageCompressionRatio: filled(ratios.map(formatDs)),
    LossyImageCompressionMethod: filled(methods.map((method) => codeString(method, ""))),
  };
}

/** Image Pixel and Multi-frame, as C.8.20.2.1 fixes them for each type. */
function pixels({ input, plan }: HeaderInput): KeywordRecord {
  const [columns, rows] = input.findings.grid.size;
  return {
    SamplesPerPixel: 1,
    PhotometricInterpretation: "MONOCHROME2",
    NumberOfFrames: String(plan.frames.length),
    Rows: rows,
    Columns: columns,
    BitsAllocated: plan.bits,
    BitsStored: plan.bits,
    HighBit: plan.bits - 1,
    PixelRepresentation: 0,
    ...(plan.form === "labelmap" ? { PixelPaddingValue: BACKGROUND_VALUE } : {}),
  };
}

/** (0028,0120) has the representation of a pixel: US, since ours are never negative. */
const BACKGROUND_VALUE = { vr: "US", bytes: Uint8Array.of(0, 0) } as const;

/**
 * The strict writer's last look: what is not a conformant segmentation is not returned. Pure.
 *
 * Type 1 attributes are present with a value, type 2 are present (PS3.3 A.51, module by module), and every value
 * of ours fits its representation (PS3.5 6.2). Attributes repeated from the source are the source's: a patient
 * identifier that is too long would otherwise keep a result from its study.
 */
import { NodeError } from "../base/errors.ts";
import {
  type DataSet,
  type Element,
  itemsOf,
  numberOf,
  stringOf,
  stringsOf,
  type Tag,
} from "../dicom/data-set.ts";
import { keywordOf, tagOf } from "../dicom/dictionary.ts";
import { packedBytes } from "./bits.ts";
import { isOfPatientOrStudy, MAY_BE_EMPTY } from "./patient.ts";

/** Type 1 by keyword; the attributes under a sequence are those of each of its items. */
interface Required {
  readonly [keyword: string]: Required;
}

const all = (...keywords: readonly string[]): Required =>
  Object.fromEntries(keywords.map((keyword) => [keyword, {}]));

/** And a code: see requireCode. */
const CODED = all("CodeMeaning");

const TYPE_1: Required = {
  ...all("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet"),
  ...all(
    "Modality",
    "SeriesNumber",
    "InstanceNumber",
    "ImageType",
    "ContentLabel",
    "ContentDate",
    "ContentTime",
  ),
  ...all("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"),
  ...all("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored"),
  ...all("HighBit", "PixelRepresentation", "LossyImageCompression", "SegmentationType", "NumberOfFrames"),
  ReferencedSeriesSequence: {
    ...all("SeriesInstanceUID"),
    ReferencedInstanceSequence: all("ReferencedSOPClassUID", "ReferencedSOPInstanceUID"),
  },
  DimensionOrganizationSequence: all("DimensionOrganizationUID"),
  DimensionIndexSequence: all("DimensionOrganizationUID", "DimensionIndexPointer", "FunctionalGroupPointer"),
  SegmentSequence: {
    ...all("SegmentNumber", "SegmentLabel", "SegmentAlgorithmType", "SegmentAlgorithmName"),
    SegmentedPropertyCategoryCodeSequence: CODED,
    SegmentedPropertyTypeCodeSequence: CODED,
    SegmentationAlgorithmIdentificationSequence: {
      ...all("AlgorithmName", "AlgorithmVersion"),
      AlgorithmFamilyCodeSequence: CODED,
    },
  },
  SharedFunctionalGroupsSequence: {
    PlaneOrientationSequence: all("ImageOrientationPatient"),
    PixelMeasuresSequence: all("PixelSpacing"),
  },
  PerFrameFunctionalGroupsSequence: {
    FrameContentSequence: all("DimensionIndexValues"),
    PlanePositionSequence: all("ImagePositionPatient"),
    DerivationImageSequence: {
      DerivationCodeSequence: CODED,
      SourceImageSequence: {
        ...all("ReferencedSOPClassUID", "ReferencedSOPInstanceUID"),
        PurposeOfReferenceCodeSequence: CODED,
      },
    },
  },
  ContributingEquipmentSequence: { ...all("Manufacturer"), PurposeOfReferenceCodeSequence: CODED },
};

/** What is there or is not by (0062,0001) Segmentation Type, C.8.20.2. */
const OF_TYPE: Readonly<Record<string, Required>> = {
  BINARY: {
    PerFrameFunctionalGroupsSequence: { SegmentIdentificationSequence: all("ReferencedSegmentNumber") },
    SegmentSequence: all("TrackingID", "TrackingUID"),
  },
  FRACTIONAL: {
    ...all("SegmentationFractionalType", "MaximumFractionalValue"),
    PerFrameFunctionalGroupsSequence: { SegmentIdentificationSequence: all("ReferencedSegmentNumber") },
    SegmentSequence: all("TrackingID", "TrackingUID"),
  },
  LABELMAP: all("PixelPaddingValue"),
};

const TYPE_2 = [...MAY_BE_EMPTY, tagOf("ContentDescription")];
const CODE_VALUES = [tagOf("CodeValue"), tagOf("LongCodeValue")];
const URN_CODE_VALUE = tagOf("URNCodeValue");
const CODING_SCHEME = tagOf("CodingSchemeDesignator");

/** What one value of a representation may be, backslashes apart. */
const VALUE: Readonly<Record<string, RegExp>> = {
  CS: /^[A-Z0-9 _]{1,16}$/,
  DA: /^\d{8}$/,
  TM: /^\d{6}(\.\d{1,6})?$/,
  DS: /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/,
  IS: /^[+-]?\d{1,11}$/,
  LO: /^\P{Cc}{1,64}$/u,
  PN: /^\P{Cc}{1,64}$/u,
  SH: /^\P{Cc}{1,16}$/u,
  UC: /^\P{Cc}+$/u,
  // Components with a leading zero come from scanners; a reference has to repeat them.
  UI: /^\d[\d.]{0,63}$/,
  UT: /^\P{Cc}+$/u,
};

const DECIMAL_STRING = 16;

/** @throws NodeError SEG_INVALID naming the first attribute that is wrong; no value is told */
export function assertConformant(dataSet: DataSet, pixelBytes: number): void {
  requirePresent(dataSet, TYPE_1, "");
  const type = stringOf(dataSet, tagOf("SegmentationType")) ?? "";
  requirePresent(dataSet, OF_TYPE[type] ?? all(`SegmentationType`), "");
  const absent = TYPE_2.find((tag) => !dataSet.elements.has(tag));
  if (absent !== undefined) throw invalid(`${keywordOf(absent)} is absent`);
  requireFitting(dataSet, isOfPatientOrStudy, "");
  const frames = numberOf(dataSet, tagOf("NumberOfFrames"))!;
  const items = itemsOf(dataSet, tagOf("PerFrameFunctionalGroupsSequence")).length;
  if (frames !== items) throw invalid(`NumberOfFrames is ${frames}, described are ${items}`);
  const pixels = numberOf(dataSet, tagOf("Rows"))! * numberOf(dataSet, tagOf("Columns"))!;
  const bits = numberOf(dataSet, tagOf("BitsAllocated"))!;
  if (pixelBytes !== (bits === 1 ? packedBytes(frames, pixels) : (frames * pixels * bits) / 8))
    throw invalid(`PixelData of ${pixelBytes} bytes`);
}

function requirePresent(dataSet: DataSet, required: Required, path: string): void {
  for (const [keyword, inside] of Object.entries(required)) {
    const element = dataSet.elements.get(tagOf(keyword));
    if (!element || isEmpty(element)) throw invalid(`${path}${keyword} has no value`);
    if (!("items" in element)) continue;
    for (const item of element.items) requirePresent(item, inside, `${path}${keyword} > `);
  }
  if (required === CODED) requireCode(dataSet, path);
}

/** One of Code Value and Long Code Value, with its scheme; or a URN, which needs none (PS3.3 8.8). */
function requireCode({ elements }: DataSet, path: string): void {
  if (!isEmpty(elements.get(URN_CODE_VALUE))) return;
  if (CODE_VALUES.every((tag) => isEmpty(elements.get(tag)))) throw invalid(`${path}CodeValue has no value`);
  if (isEmpty(elements.get(CODING_SCHEME))) throw invalid(`${path}CodingSchemeDesignator has no value`);
}

function requireFitting(dataSet: DataSet, isExcused: (tag: Tag) => boolean, path: string): void {
  for (const [tag, element] of dataSet.elements) {
    if (isExcused(tag)) continue;
    const name = `${path}${keywordOf(tag)}`;
    if ("items" in element) {
      for (const item of element.items) requireFitting(item, () => false, `${name} > `);
      continue;
    }
    const rule = VALUE[element.vr];
    if (!rule || element.bytes.length === 0) continue;
    const limit = element.vr === "DS" ? DECIMAL_STRING : Number.POSITIVE_INFINITY;
    if (!stringsOf(dataSet, tag).every((value) => rule.test(value) && value.length <= limit))
      throw invalid(`${name} does not fit VR ${element.vr}`);
  }
}

function isEmpty(element: Element | undefined): boolean {
  return !element || ("items" in element ? element.items.length : element.bytes.length) === 0;
}

function invalid(what: string): NodeError {
  return new NodeError("SEG_INVALID", `Segmentation: ${what}`);
}

/**
 * The loop guard: what never enters a model, whatever the rules say. Pure.
 *
 * In:   the header of one instance.
 * Out:  why the series is kept out, or undefined.
 *
 * Decided by SOP Class first: a Secondary Capture may say Modality CT and even carry an image position. Only what
 * cannot be a stack of scanner images is kept out; a reformatted CT is DERIVED and may well be segmented.
 */
import { SOP_CLASS } from "../dicom/constants.ts";
import { type DataSet, numberOf, stringOf, stringsOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";

export type KeptOutReason =
  | "derived-by-us"
  | "segmentation"
  | "structured-report"
  | "presentation-state"
  | "radiotherapy"
  | "secondary-capture"
  | "no-sop-class"
  | "not-an-image"
  | "localizer"
  | "color";

export function keepOut(header: DataSet): KeptOutReason | undefined {
  const text = (keyword: string) => stringOf(header, tagOf(keyword)) ?? "";
  const imageType = stringsOf(header, tagOf("ImageType")).map((value) => value.toUpperCase());
  if (text("Manufacturer").toLowerCase() === OUR_NAME && imageType[0] === "DERIVED") return "derived-by-us";

  const sopClass = text("SOPClassUID");
  const family = FAMILIES.find(([, root]) => sopClass === root || sopClass.startsWith(`${root}.`));
  const kind = family?.[0] ?? MODALITIES[text("Modality")];
  if (kind) return kind;
  if (sopClass === "") return "no-sop-class";
  if (!numberOf(header, tagOf("Rows")) || !numberOf(header, tagOf("Columns"))) return "not-an-image";

  if (imageType.includes("LOCALIZER")) return "localizer"; // PS3.3 C.8.2.1.1.1 and C.8.3.1.1.1
  return text("PhotometricInterpretation").startsWith("MONOCHROME") ? undefined : "color";
}

/** (0008,0070) Manufacturer of what this node makes. */
const OUR_NAME = "isocenter";

/** PS3.4 B.5: the SOP Class UIDs of a family begin alike, those that the standard will still add too. */
const FAMILIES: readonly (readonly [KeptOutReason, string])[] = [
  ["secondary-capture", SOP_CLASS.SECONDARY_CAPTURE_IMAGE],
  ["segmentation", SOP_CLASS.SEGMENTATION],
  ["segmentation", "1.2.840.10008.5.1.4.1.1.66.5"], // Surface Segmentation
  ["segmentation", SOP_CLASS.LABEL_MAP_SEGMENTATION],
  ["structured-report", "1.2.840.10008.5.1.4.1.1.88"], // and Key Object Selection
  ["presentation-state", "1.2.840.10008.5.1.4.1.1.11"],
  ["radiotherapy", "1.2.840.10008.5.1.4.1.1.481"],
  ["not-an-image", "1.2.840.10008.5.1.4.1.1.104"], // Encapsulated documents and models
];

/** For a private or unknown SOP Class that still says what it is. */
const MODALITIES: Readonly<Record<string, KeptOutReason | undefined>> = {
  SEG: "segmentation",
  SR: "structured-report",
  KO: "structured-report",
  PR: "presentation-state",
  RTSTRUCT: "radiotherapy",
  RTPLAN: "radiotherapy",
  RTDOSE: "radiotherapy",
  RTRECORD: "radiotherapy",
  DOC: "not-an-image",
};

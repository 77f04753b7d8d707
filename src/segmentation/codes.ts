/**
 * Coded concepts, PS3.3 8: the short form of the config, the codes a segmentation always carries, and the items
 * they are written as. Pure.
 *
 * Retired SNOMED-RT codes (scheme SRT) are refused rather than mapped: a table of ours would age, and every SRT
 * code of the standard has its SCT identifier in PS3.16 annex O.
 */
import type { KeywordRecord } from "../dicom/build.ts";
import type { Code } from "./segment.ts";
import { hasControls } from "./text.ts";

export type ParsedCode =
  | { readonly kind: "code"; readonly code: Code }
  | { readonly kind: "wrong"; readonly reason: string };

/** Codes of PS3.16 that PS3.3 A.51.5.1, C.8.20.2 and C.7.6.16.2.6 ask for by value. */
export const CODE = {
  SEGMENTATION: { scheme: "DCM", value: "113076", meaning: "Segmentation" },
  SOURCE_IMAGE: {
    scheme: "DCM",
    value: "121322",
    meaning: "Source Image for Image Processing Operation",
  },
  ARTIFICIAL_INTELLIGENCE: { scheme: "DCM", value: "123110", meaning: "Artificial Intelligence" },
  ACQUISITION_EQUIPMENT: { scheme: "DCM", value: "109101", meaning: "Acquisition Equipment" },
  PROCESSING_EQUIPMENT: { scheme: "DCM", value: "109102", meaning: "Processing Equipment" },
} as const satisfies Record<string, Code>;

const SHORT_STRING = 16;
const LONG_STRING = 64;
const RETIRED_SCHEMES = new Set(["SRT", "SNM3", "99SDM"]);

/** Reads `scheme:value:meaning`, for example `SCT:91609006:Mandible`; the meaning may hold colons. */
export function parseCode(text: string): ParsedCode {
  const [scheme = "", value = "", ...rest] = text.split(":");
  const code: Code = { scheme: scheme.trim(), value: value.trim(), meaning: rest.join(":").trim() };
  const reason = rest.length === 0 ? `"${text}" is not scheme:value:meaning` : faultOf(code);
  return reason === undefined ? { kind: "code", code } : { kind: "wrong", reason };
}

/** Why a code cannot be written, or undefined if it can. */
function faultOf({ scheme, value, meaning }: Code): string | undefined {
  if (!/^[\x21-\x5b\x5d-\x7e]{1,16}$/.test(scheme))
    return `coding scheme "${scheme}" is not 1 to ${SHORT_STRING} characters without spaces`;
  if (RETIRED_SCHEMES.has(scheme)) return `coding scheme ${scheme} is retired: give the SCT identifier`;
  if (!/^[\x20-\x5b\x5d-\x7e]+$/.test(value)) return `code value "${value}" is empty or not plain ASCII`;
  if (scheme === "SCT" && !/^\d{6,18}$/.test(value))
    return `"${value}" is no SNOMED CT identifier: 6 to 18 digits`;
  if (meaning === "") return "the code meaning is empty";
  if (Array.from(meaning).length > LONG_STRING)
    return `the code meaning is longer than ${LONG_STRING} characters`;
  if (meaning.includes("\\") || hasControls(meaning))
    return "the code meaning holds a backslash or a control character";
  return undefined;
}

/**
 * An item of a Code Sequence; a value of more than 16 characters goes into Long Code Value.
 *
 * @see PS3.3 Table 8.8-1
 */
export function codeItem({ scheme, value, meaning }: Code): KeywordRecord {
  return {
    ...(value.length > SHORT_STRING ? { LongCodeValue: value } : { CodeValue: value }),
    CodingSchemeDesignator: scheme,
    CodeMeaning: meaning,
  };
}

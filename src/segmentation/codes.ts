/**
 * Coded concepts, PS3.3 8: the short form of the config, the codes a segmentation always carries, and the items
 * they are written as. Pure.
 *
 * Retired SNOMED-RT codes (scheme SRT) are refused rather than mapped: what leaves under another code than the config
 * says would surprise. The refusal names the SCT code where the vocabulary knows it.
 */
import type { KeywordRecord } from "../dicom/build.ts";
import type { Code } from "./segment.ts";
import { hasControls } from "./text.ts";
import { SUCCESSORS } from "./vocabulary/retired.ts";
import { isConceptId } from "./vocabulary/sct.ts";
import { termOfCode } from "./vocabulary.ts";

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

/**
 * Reads `scheme:value:meaning`, for example `SCT:91609006:Mandible`; the meaning may hold colons. A URN or URL takes
 * the place of scheme and value: `urn:oid:1.2.3:Mandible`; here the meaning is what follows the last colon.
 */
export function parseCode(text: string): ParsedCode {
  const parts = /^\s*((?:urn|https?):.+):([^:]*)$/i.exec(text)?.slice(1);
  const [scheme = "", value = "", ...rest] = parts ? ["", ...parts] : text.split(":");
  const code: Code = { scheme: scheme.trim(), value: value.trim(), meaning: rest.join(":").trim() };
  const reason = rest.length === 0 ? `"${text}" is not scheme:value:meaning` : faultOf(code, Boolean(parts));
  return reason === undefined ? { kind: "code", code } : { kind: "wrong", reason };
}

/** Why a code cannot be written, or undefined if it can. */
function faultOf({ scheme, value, meaning }: Code, isUrn: boolean): string | undefined {
  if (!isUrn && !/^[\x21-\x5b\x5d-\x7e]{1,16}$/.test(scheme))
    return `coding scheme "${scheme}" is not 1 to ${SHORT_STRING} characters without spaces`;
  if (RETIRED_SCHEMES.has(scheme)) return `coding scheme ${scheme} is retired: ${successorOf(value)}`;
  if (isUrn && !URN.test(value)) return `"${value}" is no URN or URL: plain ASCII without spaces`;
  if (!/^[\x20-\x5b\x5d-\x7e]+$/.test(value)) return `code value "${value}" is empty or not plain ASCII`;
  if (scheme === "SCT" && !/^\d{6,18}$/.test(value)) {
    const hint = SUCCESSORS.has(value) ? `; ${successorOf(value)}` : "";
    return `"${value}" is no SNOMED CT identifier: 6 to 18 digits${hint}`;
  }
  if (scheme === "SCT" && !isConceptId(value))
    return `"${value}" is no SNOMED CT concept: its check digit says that a digit is wrong`;
  if (meaning === "") return "the code meaning is empty";
  if (Array.from(meaning).length > LONG_STRING)
    return `the code meaning is longer than ${LONG_STRING} characters`;
  if (meaning.includes("\\") || hasControls(meaning))
    return "the code meaning holds a backslash or a control character";
  return undefined;
}

const URN = /^[\x21-\x5b\x5d-\x7e]+$/;

/** What to write in place of a SNOMED-RT code. */
function successorOf(retired: string): string {
  const value = SUCCESSORS.get(retired.trim());
  if (value === undefined) return "give the SCT identifier";
  const term = termOfCode({ scheme: "SCT", value, meaning: "" });
  return `write SCT:${value}${term ? `:${term.type.meaning}` : ""}`;
}

/**
 * An item of a Code Sequence; a value of more than 16 characters goes into Long Code Value, one without a scheme is
 * a URN.
 *
 * @see PS3.3 Table 8.8-1
 */
export function codeItem({ scheme, value, meaning }: Code): KeywordRecord {
  if (scheme === "") return { URNCodeValue: value, CodeMeaning: meaning };
  return {
    ...(value.length > SHORT_STRING ? { LongCodeValue: value } : { CodeValue: value }),
    CodingSchemeDesignator: scheme,
    CodeMeaning: meaning,
  };
}

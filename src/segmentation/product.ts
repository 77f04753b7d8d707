/** What a result says it was made by (PS3.3 C.7.5.2). */
import { IMPLEMENTATION } from "../dicom/constants.ts";

export const PRODUCT = {
  manufacturer: "Isocenter",
  model: "Isocenter",
  version: IMPLEMENTATION.VERSION_NAME,
  serial: "1",
} as const;

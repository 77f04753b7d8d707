/** UIDs and numbers of the standard that the node decides by, under the standard's names (PS3.6 annex A). */
import type { SopClassUid, TransferSyntaxUid } from "./uid.ts";

const sopClass = (uid: string): SopClassUid => uid as SopClassUid;
const syntax = (uid: string): TransferSyntaxUid => uid as TransferSyntaxUid;

export const SOP_CLASS = {
  VERIFICATION: sopClass("1.2.840.10008.1.1"),
  STORAGE_COMMITMENT: sopClass("1.2.840.10008.1.20.1"),
  CT_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.2"),
  ENHANCED_CT_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.2.1"),
  LEGACY_CONVERTED_ENHANCED_CT_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.2.2"),
  MR_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.4"),
  ENHANCED_MR_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.4.1"),
  LEGACY_CONVERTED_ENHANCED_MR_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.4.4"),
  PET_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.128"),
  ENHANCED_PET_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.130"),
  LEGACY_CONVERTED_ENHANCED_PET_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.128.1"),
  XRAY_3D_CRANIOFACIAL_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.13.1.2"),
  SECONDARY_CAPTURE_IMAGE: sopClass("1.2.840.10008.5.1.4.1.1.7"),
  SEGMENTATION: sopClass("1.2.840.10008.5.1.4.1.1.66.4"),
  LABEL_MAP_SEGMENTATION: sopClass("1.2.840.10008.5.1.4.1.1.66.7"),
} as const;

export const TRANSFER_SYNTAX = {
  IMPLICIT_VR_LITTLE_ENDIAN: syntax("1.2.840.10008.1.2"),
  EXPLICIT_VR_LITTLE_ENDIAN: syntax("1.2.840.10008.1.2.1"),
  DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: syntax("1.2.840.10008.1.2.1.99"),
  EXPLICIT_VR_BIG_ENDIAN: syntax("1.2.840.10008.1.2.2"),
  JPEG_BASELINE: syntax("1.2.840.10008.1.2.4.50"),
  JPEG_EXTENDED: syntax("1.2.840.10008.1.2.4.51"),
  /** Retired; kept and sent on, never decoded. */
  JPEG_FULL_PROGRESSION: syntax("1.2.840.10008.1.2.4.55"),
  JPEG_LOSSLESS: syntax("1.2.840.10008.1.2.4.57"),
  JPEG_LOSSLESS_SV1: syntax("1.2.840.10008.1.2.4.70"),
  JPEG_LS_LOSSLESS: syntax("1.2.840.10008.1.2.4.80"),
  JPEG_LS_NEAR_LOSSLESS: syntax("1.2.840.10008.1.2.4.81"),
  JPEG_2000_LOSSLESS: syntax("1.2.840.10008.1.2.4.90"),
  JPEG_2000: syntax("1.2.840.10008.1.2.4.91"),
  HTJ2K_LOSSLESS: syntax("1.2.840.10008.1.2.4.201"),
  HTJ2K_LOSSLESS_RPCL: syntax("1.2.840.10008.1.2.4.202"),
  HTJ2K: syntax("1.2.840.10008.1.2.4.203"),
  RLE_LOSSLESS: syntax("1.2.840.10008.1.2.5"),
} as const;

/** The one instance of Storage Commitment Push Model, PS3.4 J.3.5. */
export const COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1";

/** Statuses and failure reasons the node gives or acts on, PS3.4 B.2.3 and J.3.5, PS3.7 annex C, PS3.3 C.14.1.1. */
export const STATUS = {
  SUCCESS: 0x0000,
  PROCESSING_FAILURE: 0x0110,
  DUPLICATE_SOP_INSTANCE: 0x0111,
  NO_SUCH_SOP_INSTANCE: 0x0112,
  NO_SUCH_EVENT_TYPE: 0x0113,
  INVALID_ARGUMENT_VALUE: 0x0115,
  INVALID_SOP_INSTANCE: 0x0117,
  NO_SUCH_SOP_CLASS: 0x0118,
  CLASS_INSTANCE_CONFLICT: 0x0119,
  NO_SUCH_ACTION_TYPE: 0x0123,
  NOT_AUTHORIZED: 0x0124,
  DUPLICATE_TRANSACTION_UID: 0x0131,
  RESOURCE_LIMITATION: 0x0213,
  SOP_CLASS_NOT_SUPPORTED: 0x0122,
  UNRECOGNIZED_OPERATION: 0x0211,
  OUT_OF_RESOURCES: 0xa700,
  DATA_SET_DOES_NOT_MATCH_SOP_CLASS: 0xa900,
  CANNOT_UNDERSTAND: 0xc000,
} as const;

/** Ours: (0002,0012) Implementation Class UID and (0002,0013) Implementation Version Name. */
export const IMPLEMENTATION = {
  CLASS_UID: "2.25.331486118733287342144704344924726841765",
  VERSION_NAME: "ISOCENTER_0_1",
} as const;

/** Sequences in sequences: deeper ones are refused wherever a data set is read. */
export const SEQUENCE_DEPTH_LIMIT = 256;

/**
 * The one door to dcmjs-dimse: the numbers of the protocol, under its names (PS3.8 9.3.4, 9.3.8, 9.3.3.2; PS3.7 E.1).
 *
 * Nothing of its network code is used, because its receive and send paths cannot be bounded from outside. It sets
 * its logger to TRACE when it is loaded; here it is silenced before anyone else runs.
 */
import dimse from "dcmjs-dimse";

dimse.log.setLevel("silent", false);

/** Storage SOP Classes by name; not all there are. */
export const STORAGE_CLASS_NAMES: Readonly<Record<string, string>> = dimse.constants.StorageClass;

export const {
  AbortReason,
  AbortSource,
  PresentationContextResult,
  Priority,
  RejectReason,
  RejectResult,
  RejectSource,
} = dimse.constants;

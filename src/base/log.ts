/**
 * What the node may say about its work.
 *
 * An event name (`stage.event`) and fields from a closed list: UIDs, counts, durations, codes. No field can hold
 * a name, a patient id, a date or an accession number. The edge that prints lines is ops/logger.ts.
 */

export interface LogFields {
  readonly studyUid?: string;
  readonly seriesUid?: string;
  readonly sopInstanceUid?: string;
  readonly sopClassUid?: string;
  readonly transferSyntaxUid?: string;
  readonly transactionUid?: string;
  readonly association?: number;
  readonly callingAeTitle?: string;
  readonly calledAeTitle?: string;
  readonly peer?: string;
  /** Of the HTTP door: a login name of the config. */
  readonly user?: string;
  readonly host?: string;
  readonly port?: number;
  readonly rule?: string;
  readonly model?: string;
  readonly destination?: string;
  readonly queue?: string;
  /** Name of a notification in the config. */
  readonly subscription?: string;
  readonly attempt?: number;
  readonly status?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly signal?: string;
  readonly instances?: number;
  readonly frames?: number;
  readonly segments?: number;
  readonly revision?: number;
  readonly bytes?: number;
  /** Of a segmentation: binary, labelmap or fractional. */
  readonly form?: string;
  readonly count?: number;
  readonly elapsedMs?: number;
  readonly waitMs?: number;
  readonly path?: string;
  /** The name of a setting, such as dicom.tls. */
  readonly setting?: string;
  readonly daysLeft?: number;
  readonly error?: unknown;
}

export interface Log {
  debug(event: string, fields: LogFields): void;
  info(event: string, fields: LogFields): void;
  warn(event: string, fields: LogFields): void;
  error(event: string, fields: LogFields): void;
}

/** Says nothing; for tests and for commands whose output is their own. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

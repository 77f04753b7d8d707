/**
 * Every way the node can fail, and whether trying again can help.
 *
 * Retries, DIMSE statuses and alarms are decided from the code, never from a message. Expected bad input
 * (a scout, a gap, a foreign label) is not an error: those are answers, unions with a `kind`.
 */

/** transient: try again. permanent: never. ambiguous: the peer may have acted already. */
export type Failure = "transient" | "permanent" | "ambiguous";

const FAILURES = {
  CONFIG_INVALID: "permanent",
  DATA_FOLDER_UNUSABLE: "permanent",
  DATA_FOLDER_IN_USE: "permanent",
  LISTEN_FAILED: "permanent",
  TLS_FILES_UNUSABLE: "permanent",

  STORAGE_FULL: "transient",
  STORAGE_FAILED: "transient",
  LEDGER_FAILED: "transient",
  LEDGER_NOT_FLUSHED: "ambiguous",
  LEASE_LOST: "transient",
  /** What lies on the disk is not what was put there. */
  STORED_DAMAGED: "permanent",

  DATA_SET_INVALID: "permanent",
  INSTANCE_MISMATCH: "permanent",
  PIXELS_UNDECODABLE: "permanent",
  WORKER_DIED: "transient",
  WORKER_TIMED_OUT: "permanent",

  SECRET_MISSING: "transient",
  SUPERSEDED: "permanent",
  NEED_UNMET: "permanent",
  MODEL_UNKNOWN: "permanent",
  MODEL_UNAVAILABLE: "transient",
  MODEL_BUSY: "transient",
  MODEL_TIMED_OUT: "ambiguous",
  MODEL_REJECTED: "permanent",
  MODEL_FAILED: "ambiguous",
  MODEL_INPUT_UNSUITABLE: "permanent",
  MODEL_ANSWER_INVALID: "permanent",
  MODEL_ANSWER_TOO_LARGE: "permanent",
  LABEL_MAP_MISPLACED: "permanent",
  LABEL_UNKNOWN: "permanent",

  SEG_INVALID: "permanent",

  ASSOCIATION_FAILED: "transient",
  ASSOCIATION_REJECTED_TRANSIENT: "transient",
  ASSOCIATION_REJECTED_PERMANENT: "permanent",
  CONTEXT_REFUSED: "permanent",
  STORE_REFUSED_RESOURCES: "transient",
  STORE_REFUSED: "permanent",
  STORE_UNANSWERED: "ambiguous",
} as const satisfies Record<string, Failure>;

export type ErrorCode = keyof typeof FAILURES;

export class NodeError extends Error {
  override readonly name = "NodeError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get failure(): Failure {
    return FAILURES[this.code];
  }
}

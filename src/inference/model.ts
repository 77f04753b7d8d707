/**
 * What the node must know of a model to call it: one entry under `models` in the config, durations in ms.
 */

export interface Model {
  readonly name: string;
  /** Part of the identity of its results: another version, another SEG. */
  readonly version: string;
  readonly url: string;
  /** How many places of which resource one inference takes, for example { gpu0: 1 }. */
  readonly slots: Readonly<Record<string, number>>;
  /** From the first byte sent to the last byte received. */
  readonly deadlineMs: number;
  /** Tries in all, for answers and failures that trying again can help. */
  readonly attempts: number;
  readonly request: RequestShape;
  readonly response: ResponseShape;
}

export type RequestShape = NiftiRequest | KserveRequest;

export interface NiftiRequest {
  readonly format: "nifti";
  readonly compression: "none" | "gzip";
  /** gzip level, 1 (fast) to 9. */
  readonly level: number;
  readonly body:
    | { readonly kind: "raw" }
    | { readonly kind: "multipart"; readonly field: string; readonly filename: string };
}

/** Open Inference Protocol v2 with the binary tensor extension; shape [1, 1, slices, rows, columns]. */
export interface KserveRequest {
  readonly format: "kserve";
  readonly input: string;
  readonly datatype: "INT16" | "FP32";
  /** Names of optional inputs that carry the geometry. */
  readonly spacing?: string;
  readonly affine?: string;
}

export interface ResponseShape {
  readonly as: "labelmap";
  /** Name of the output tensor; only for a KServe model. */
  readonly output?: string;
  readonly maxBytes: number;
}

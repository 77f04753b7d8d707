/**
 * What the node must know of a model to call it: one entry under `models` in the config, durations in ms.
 */
import type { AnswerShape } from "../volume/formats/interpret.ts";

export interface Model {
  readonly name: string;
  /** Part of the identity of its results: another version, another SEG. */
  readonly version: string;
  /** http or https; called as it is, redirects are not followed. */
  readonly url: string;
  /** Sent with every request, such as `authorization`; the values are secrets and are never logged. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How many places of which resource one inference takes, for example { gpu0: 1 }; {}: one at a time. */
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
  /** Name of an optional input, FP32 [1, 3]: mm from column to column, row to row, slice to slice. */
  readonly spacing?: string;
  /** Name of an optional input, FP32 [1, 4, 4]: (column, row, slice) to RAS mm, the affine of a NIfTI file. */
  readonly affine?: string;
}

export interface ResponseShape extends AnswerShape {
  /** Name of the output tensor; only for a KServe model, and only needed where it has several. */
  readonly output?: string;
  /** Limit of the answer, as received and after its Content-Encoding. */
  readonly maxBytes: number;
}

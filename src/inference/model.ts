/**
 * What the node must know of a model to call it: one entry under `models` in the config, durations in ms.
 *
 * A model is a request (which file, in which body), a transport (which exchanges, in which order) and a response
 * (how the answer is unwrapped, and what it is then). Texts may hold placeholders, see template.ts; nothing here
 * is code.
 */
import type { AnswerShape } from "../volume/formats/interpret.ts";

export interface Model {
  readonly name: string;
  /** Part of the identity of its results: another version, another SEG. */
  readonly version: string;
  /** What its settings were completed from. */
  readonly preset?: string;
  /** http://…, https://… or unix:/socket:/path; redirects are not followed. */
  readonly url: string;
  /** Sent with every request to the model's own origin; texts with placeholders, whose secrets are never logged. */
  readonly headers: Readonly<Record<string, string>>;
  readonly auth?: Auth;
  readonly tls?: TlsFiles;
  /** Values for `${param:NAME}`. */
  readonly params: Readonly<Record<string, Json>>;
  /** How many places of which resource one inference takes, for example { gpu0: 1 }; {}: one at a time. */
  readonly slots: Readonly<Record<string, number>>;
  /** From the first byte sent to the last byte received. */
  readonly deadlineMs: number;
  /** How long the server may work on after a lost connection; so long its slot stays taken. */
  readonly lingerMs: number;
  /** Tries in all, for answers and failures that trying again can help. */
  readonly attempts: number;
  readonly request: RequestShape;
  readonly transport: Transport;
  readonly statuses: Statuses;
  readonly response: ResponseShape;
  readonly limits: Limits;
  readonly health?: Health;
  /** One folder under two names: ours, and the one inside the model's container. */
  readonly sharedFolder?: { readonly node: string; readonly model: string };
  /** Origins besides its own that an exchange may go to: stores that results are fetched from. */
  readonly origins: readonly string[];
  /** Prefixes of URLs as the server says them, and what the node asks instead: { "s3://b/": "https://…/" }. */
  readonly urlMap: Readonly<Record<string, string>>;
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export type Auth =
  | { readonly kind: "bearer"; readonly token: string }
  | {
      readonly kind: "sigv4";
      readonly region: string;
      readonly service: string;
      readonly accessKey: string;
      readonly secretKey: string;
      readonly sessionToken?: string;
    };

/** Paths of PEM files. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

export type RequestShape = FileRequest | KserveRequest;

export type Orientation = "native" | "LPS" | "RAS";
export type DataType = "int16" | "uint16" | "float32";

/** How the volume is written, whatever carries it. */
export interface FileShape {
  readonly format: "nifti" | "nrrd" | "metaimage" | "npy" | "raw" | "dicom-zip";
  readonly compression: "none" | "gzip" | "zstd";
  /** 1 (fast) to 9 (small). */
  readonly level: number;
  /** Without it, the type the volume is held in. */
  readonly dtype?: DataType;
  /** Of npy and raw: the axes, slowest first, for example NCZYX; N and C have one entry. */
  readonly layout: string;
  readonly orientation: Orientation;
}

export interface FileRequest extends FileShape {
  readonly body: BodyShape;
}

export type BodyShape =
  | { readonly kind: "raw" }
  | { readonly kind: "multipart"; readonly parts: readonly PartShape[] }
  | { readonly kind: "json"; readonly template: Json }
  | { readonly kind: "none" };

export interface PartShape {
  readonly name: string;
  readonly filename?: string;
  readonly type?: string;
  /** Text with placeholders; `${volume.bytes}` alone is the file. */
  readonly data: string;
}

/** Open Inference Protocol v2 with the binary tensor extension; shape [1, 1, slices, rows, columns]. */
export interface KserveRequest {
  readonly format: "kserve";
  readonly input: string;
  readonly datatype: "INT16" | "UINT16" | "FP32";
  readonly layout: string;
  readonly orientation: Orientation;
  /** Name of an optional input, FP32 [1, 3]: mm from column to column, row to row, slice to slice. */
  readonly spacing?: string;
  /** Name of an optional input, FP32 [1, 4, 4]: (column, row, slice) to RAS mm, the affine of a NIfTI file. */
  readonly affine?: string;
  /** More `parameters` of the request, such as { priority: 1 }. */
  readonly parameters: Readonly<Record<string, Json>>;
}

export type Transport =
  | { readonly kind: "sync" }
  | {
      readonly kind: "poll";
      readonly submit: Exchange;
      readonly status: Waiting;
      /** Without it the last answer to `status` is the result. */
      readonly result?: Exchange;
      readonly cancel?: Exchange;
    }
  | {
      readonly kind: "webhook";
      readonly submit: Exchange;
      /** What the call back must say; without it, any call back is the result. */
      readonly state?: States;
      /** Asked now and then, for a call back that was lost. */
      readonly status?: Waiting;
      readonly result?: Exchange;
      readonly cancel?: Exchange;
    }
  | { readonly kind: "steps"; readonly steps: readonly Step[] };

/** One request and its answer. */
export interface Exchange {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** A reference to be seen from the model's url: "status", "/jobs/${id}", "" for the url itself. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Without it, `request.body` for the first POST or PUT of a transport, and none for the rest. */
  readonly body?: BodyShape;
  /** Statuses besides those of the model that are an answer here. */
  readonly ok: readonly number[];
  /** Placeholders for what follows, each the value at a JSON Pointer of the answer. */
  readonly capture: Readonly<Record<string, string>>;
  /** For sigv4: another service than that of the model. */
  readonly service?: string;
}

/** An exchange that is repeated until the server says that it is done. */
export interface Waiting extends Exchange {
  readonly everyMs: number;
  /** Without it: done with the first 200, not yet with 202, 403 or 404 (an object that is still to appear). */
  readonly state?: States;
  /** Without `state`: a reference that exists once the work has failed. */
  readonly failedExists?: string;
}

export interface States {
  readonly pointer: string;
  readonly done: readonly string[];
  readonly failed: readonly string[];
}

export type Step = Exchange | Waiting;

interface Statuses {
  readonly ok: readonly number[];
  readonly busy: readonly number[];
}

/** A value in a JSON answer, and which ones mean it. */
export interface Predicate {
  readonly pointer: string;
  readonly is: readonly string[];
}

interface ResponseShape extends AnswerShape {
  /** Name of the output tensor; only for a KServe model, and only needed where it has several. */
  readonly output?: string;
  readonly unwrap: readonly Unwrap[];
  /** The way to a JSON document of measurements in the same answer, kept as it is. */
  readonly measurements?: readonly Unwrap[];
  /** What a JSON answer must repeat of its request, by JSON Pointer; texts with placeholders. */
  readonly echoes: Readonly<Record<string, string>>;
  /** A JSON answer with this says that there is no result, whatever its status. */
  readonly failedIf?: Predicate;
  readonly busyIf?: Predicate;
  /** Limit of the answer, as received and after its Content-Encoding, and of every step of unwrapping. */
  readonly maxBytes: number;
}

/** One step from an answer to the files in it. */
export type Unwrap =
  | { readonly kind: "part"; readonly name: string }
  | { readonly kind: "pointer"; readonly pointer: string }
  | { readonly kind: "zip"; readonly glob: string }
  | { readonly kind: "tensor"; readonly name?: string }
  | { readonly kind: "json" | "base64" | "dataurl" | "gzip" | "zstd" | "fetch" | "file" };

interface Limits {
  /** Largest request sent; a larger one fails before a byte leaves. */
  readonly requestBytes?: number;
  /** What a compressed answer may grow by. */
  readonly ratio: number;
  /** The longest Retry-After that is honoured. */
  readonly retryAfterMs: number;
}

/** How `isocenter check --live` asks whether the model is there. */
interface Health {
  readonly path: string;
  readonly ready: readonly number[];
  readonly state?: {
    readonly pointer: string;
    readonly ready: readonly string[];
    readonly busy: readonly string[];
  };
}

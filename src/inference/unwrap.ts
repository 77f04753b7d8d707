/**
 * From an answer to the files in it, one step after another.
 *
 * In:   the bytes of an answer with its headers, the steps of the config.
 * Out:  files; or references that have to be fetched or read first, and the steps that are left.
 * Pure. Runs in a worker; every step has a limit for what comes out of it, in bytes and in growth.
 */
import { constants, gunzipSync, zstdDecompressSync } from "node:zlib";
import { NodeError } from "../base/errors.ts";
import type { AnswerFile } from "../volume/formats/answer.ts";
import { invalid } from "../volume/formats/image.ts";
import { jsonAt, textOf } from "./json.ts";
import { JSON_LENGTH_HEADER, tensorIn } from "./kserve.ts";
import type { Unwrap } from "./model.ts";
import { partNamed } from "./multipart.ts";
import { filesInZip } from "./zip.ts";

export interface Wrapped {
  readonly files: readonly AnswerFile[];
  readonly headers: ReadonlyMap<string, string>;
}

export interface UnwrapLimits {
  readonly maxBytes: number;
  readonly ratio: number;
}

export type Unwrapped =
  | { readonly kind: "files"; readonly files: readonly AnswerFile[] }
  | {
      readonly kind: "outside";
      readonly how: "fetch" | "file";
      readonly references: readonly string[];
      readonly rest: readonly Unwrap[];
    };

/** Whatever its ratio, this is no bomb. */
const SMALL = 1024 * 1024;
const MAX_REFERENCE_BYTES = 8 * 1024;
/** Of a string with escapes, which has to become a string of V8 once. */
const MAX_ESCAPED_BYTES = 256 * 1024 * 1024;
const MAX_REFERENCES = 1000;
const QUARTETS = 4 * 256 * 1024;

/** @throws MODEL_ANSWER_INVALID, MODEL_ANSWER_TOO_LARGE */
export function unwrap(wrapped: Wrapped, steps: readonly Unwrap[], limits: UnwrapLimits): Unwrapped {
  let { files } = wrapped;
  for (const [at, step] of steps.entries()) {
    if (step.kind === "fetch" || step.kind === "file") {
      if (files.length > MAX_REFERENCES) throw invalid(`Answer with ${files.length} references`);
      const references = files.map(({ bytes }) => referenceOf(bytes));
      return { kind: "outside", how: step.kind, references, rest: steps.slice(at + 1) };
    }
    files = files.flatMap((file) => applied(step, file, wrapped.headers, limits));
  }
  return { kind: "files", files };
}

/** We ask for no encoding. One layer of gzip is undone all the same; a chain of them is how bombs are made. */
export function withoutEncoding(
  bytes: Uint8Array,
  encoding: string | undefined,
  limits: UnwrapLimits,
): Uint8Array {
  const name = (encoding ?? "identity").trim().toLowerCase();
  if (name === "identity" || name === "") return bytes;
  if (name !== "gzip" && name !== "x-gzip") throw invalid("Answer with a Content-Encoding other than gzip");
  return grown("Answer", bytes, limits, (maxOutputLength) => gunzipSync(bytes, { maxOutputLength }));
}

function applied(
  step: Unwrap,
  file: AnswerFile,
  headers: ReadonlyMap<string, string>,
  limits: UnwrapLimits,
): readonly AnswerFile[] {
  const { bytes } = file;
  switch (step.kind) {
    case "part": {
      const { filename, bytes: data } = partNamed(bytes, headers.get("content-type"), step.name);
      return [{ ...(filename !== undefined && { name: filename }), bytes: data }];
    }
    case "pointer":
      return [{ bytes: valueAt(bytes, step.pointer) }];
    case "json":
      jsonAt(bytes, "");
      return [file];
    case "base64":
      return [{ ...file, bytes: fromBase64(bytes) }];
    case "dataurl":
      return [{ ...file, bytes: fromDataUrl(bytes) }];
    case "gzip":
      return [
        {
          ...file,
          bytes: grown("Gzip", bytes, limits, (maxOutputLength) => gunzipSync(bytes, { maxOutputLength })),
        },
      ];
    case "zstd":
      return [
        { ...file, bytes: grown("Zstd", bytes, limits, (maxOutputLength) => unZstd(bytes, maxOutputLength)) },
      ];
    case "zip":
      return filesInZip(bytes, step.glob, limits);
    case "tensor":
      return [tensorIn(bytes, { jsonLength: headers.get(JSON_LENGTH_HEADER), output: step.name })];
    case "fetch":
    case "file":
      throw new Error("bug: this step leaves the worker");
  }
}

/** A frame may ask for a window of gigabytes before it says anything. */
function unZstd(bytes: Uint8Array, maxOutputLength: number): Uint8Array {
  const params = { [constants.ZSTD_d_windowLogMax]: 27 };
  return zstdDecompressSync(bytes, { maxOutputLength, params });
}

function grown(
  what: string,
  { length }: Uint8Array,
  { maxBytes, ratio }: UnwrapLimits,
  inflate: (maxOutputLength: number) => Uint8Array,
): Uint8Array {
  const most = Math.min(maxBytes, Math.max(ratio * length, SMALL));
  try {
    return inflate(most);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE")
      throw invalid(`${what} is damaged`, cause);
    const message = `${what} inflates to more than ${most} bytes`;
    throw new NodeError("MODEL_ANSWER_TOO_LARGE", message, { cause });
  }
}

function valueAt(document: Uint8Array, pointer: string): Uint8Array {
  const value = jsonAt(document, pointer);
  if (!value || (value.type === "literal" && Buffer.from(value.bytes).toString("latin1") === "null"))
    throw invalid(`Answer has nothing at ${pointer}`);
  if (value.type !== "string" || !value.bytes.includes(0x5c)) return value.bytes;
  if (value.bytes.length > MAX_ESCAPED_BYTES)
    throw invalid(`Answer has a text of ${value.bytes.length} bytes with escapes`);
  return Buffer.from(textOf(value.bytes));
}

/** RFC 4648, with + and / or - and _; line ends between are nothing. Anything else is no base64. */
function fromBase64(characters: Uint8Array): Uint8Array {
  const text = Buffer.from(characters.buffer, characters.byteOffset, characters.byteLength);
  const bytes = Buffer.allocUnsafe(Math.ceil((characters.length * 3) / 4));
  let length = 0;
  let rest = "";
  for (let at = 0; at < text.length; at += QUARTETS) {
    const piece = rest + text.toString("latin1", at, at + QUARTETS).replaceAll(/[\r\n]/g, "");
    const isLast = at + QUARTETS >= text.length;
    const whole = isLast ? piece.length : piece.length - (piece.length % 4);
    const taken = piece.slice(0, whole);
    if (!(isLast ? /^[\w+/-]*={0,2}$/ : /^[\w+/-]*$/).test(taken)) throw invalid("Answer is not base64");
    length += bytes.write(taken, length, "base64");
    rest = piece.slice(whole);
  }
  return bytes.subarray(0, length);
}

function fromDataUrl(characters: Uint8Array): Uint8Array {
  const head = Buffer.from(characters.subarray(0, 256)).toString("latin1");
  const comma = head.indexOf(",");
  if (!/^data:[^,]*;base64$/i.test(head.slice(0, Math.max(comma, 0))))
    throw invalid("Answer is not a data URL in base64");
  return fromBase64(characters.subarray(comma + 1));
}

function referenceOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, MAX_REFERENCE_BYTES + 1))
    .toString("utf8")
    .trim();
  if (text === "" || text.length > MAX_REFERENCE_BYTES || /\p{Cc}/u.test(text))
    throw invalid("Answer is neither URL nor path where one is wanted");
  return text;
}

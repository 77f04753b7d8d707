/**
 * The body of a request: which bytes, in which order, and the headers that describe them.
 *
 * In:   a file or tensor as views over shared memory.
 * Out:  a Body, which can be sent any number of times and knows its length before.
 * Pure, but for the random boundary of a multipart body.
 *
 * Multipart is written by hand. FormData copies the file and took eight times as long in measurement.
 */
import { randomUUID } from "node:crypto";
import { piecesOf } from "../volume/formats/gzip.ts";
import type { NiftiRequest } from "./model.ts";

export interface Body {
  /** Lower case, without content-length. */
  readonly headers: Readonly<Record<string, string>>;
  /** In bytes. */
  readonly length: number;
  /** The same bytes each time it is called, in pieces of at most 1 MiB. */
  chunks(): Iterable<Uint8Array>;
}

/** @param file  the parts of a .nii or .nii.gz, in order; nothing of them is copied */
export function niftiBody(file: readonly Uint8Array[], request: NiftiRequest): Body {
  const type = request.compression === "gzip" ? "application/gzip" : "application/octet-stream";
  if (request.body.kind === "raw") return bodyOf(file, { "content-type": type });
  const boundary = `isocenter-${randomUUID()}`;
  const { field, filename } = request.body;
  const head =
    `--${boundary}\r\n` +
    `content-disposition: form-data; name="${quoted(field)}"; filename="${quoted(filename)}"\r\n` +
    `content-type: ${type}\r\n\r\n`;
  const parts = [Buffer.from(head), ...file, Buffer.from(`\r\n--${boundary}--\r\n`)];
  return bodyOf(parts, { "content-type": `multipart/form-data; boundary=${boundary}` });
}

export function bodyOf(parts: readonly Uint8Array[], headers: Readonly<Record<string, string>>): Body {
  return {
    headers,
    length: parts.reduce((sum, part) => sum + part.length, 0),
    chunks: () => piecesOf(parts),
  };
}

/** As browsers write a name into a header (HTML, multipart/form-data encoding algorithm). */
function quoted(name: string): string {
  return name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/**
 * One part of a multipart answer (RFC 2046 5.1, RFC 7578).
 *
 * In:   the bytes of the answer, its Content-Type, the name of the part.
 * Out:  the part, as a view; or MODEL_ANSWER_INVALID.
 * Pure. Runs in a worker. A file name in it is a name and never a path.
 */
import { invalid } from "../volume/formats/image.ts";

const MAX_PARTS = 1000;
const MAX_HEAD_BYTES = 16 * 1024;

export interface Part {
  readonly filename?: string;
  readonly bytes: Uint8Array;
}

export function partNamed(answer: Uint8Array, contentType: string | undefined, name: string): Part {
  const body = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength);
  const found = [...partsOf(body, boundaryOf(contentType))].filter((part) => part.name === name);
  const [only, second] = found;
  if (!only) throw invalid(`Answer without a part ${name}`);
  if (second) throw invalid(`Answer with ${found.length} parts ${name}`);
  return only;
}

function boundaryOf(contentType = ""): string {
  const [, quoted, plain] =
    /^multipart\/[\w-]+\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw invalid("Answer is not multipart, or without a boundary");
  return boundary;
}

function* partsOf(
  body: Buffer,
  boundary: string,
): Generator<Part & { readonly name: string | undefined }, undefined> {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  let at = body.indexOf(delimiter.subarray(2)) + delimiter.length - 2;
  if (at < delimiter.length - 2) throw invalid("Answer without its own boundary");
  for (let count = 0; ; count += 1) {
    if (body.subarray(at, at + 2).equals(END)) return;
    if (count === MAX_PARTS) throw invalid(`Answer of more than ${MAX_PARTS} parts`);
    const head = body.indexOf("\r\n", at) + 2;
    const data = body.subarray(head - 2, head + MAX_HEAD_BYTES).indexOf("\r\n\r\n");
    const next = data < 0 ? -1 : body.indexOf(delimiter, head - 2 + data + 2);
    if (head < 2 || data < 0 || next < 0) throw invalid("Answer with a part that has no end");
    const from = head - 2 + data + 4;
    const disposition = dispositionIn(body.toString("latin1", head - 2, from));
    yield { ...disposition, bytes: body.subarray(Math.min(from, next), next) };
    at = next + delimiter.length;
  }
}

const END = Buffer.from("--");

function dispositionIn(head: string): { readonly name: string | undefined; readonly filename?: string } {
  const line = /^content-disposition:(.*)$/im.exec(head)?.[1] ?? "";
  const value = (key: string): string | undefined =>
    new RegExp(`;\\s*${key}="?([^";]*)"?`, "i").exec(line)?.[1];
  const filename = value("filename");
  return { name: value("name"), ...(filename !== undefined && { filename }) };
}

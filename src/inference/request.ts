/**
 * The body of a request: which bytes, in which order, and the headers that describe them.
 *
 * In:   the shape of the body, the encoded file, the values of the placeholders.
 * Out:  a Body, which can be sent any number of times and knows its length before.
 * Pure, but for the random boundary of a multipart body.
 *
 * Multipart is written by hand, and base64 is made on the way out, piece by piece. FormData copies the file and took
 * eight times as long in measurement; and a volume as one base64 text is longer than a string of V8 can be.
 */
import { randomUUID } from "node:crypto";
import { piecesOf } from "../volume/formats/gzip.ts";
import type { BodyShape, Json, PartShape } from "./model.ts";
import { filled, filledValue, namesIn, piecesIn, type Values } from "./template.ts";

/** Bytes of known length that can be read any number of times. */
export interface Bytes {
  readonly length: number;
  /** The same bytes each time it is called, in pieces of at most 1 MiB, or somewhat more as base64. */
  chunks(): Iterable<Uint8Array>;
}

export interface Body extends Bytes {
  /** Lower case, without content-length. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The volume in the format that the model wants. */
export interface EncodedFile extends Bytes {
  readonly mediaType: string;
}

/** Base64 of pieces of this size has no padding within. */
const TRIPLES = 3 * 256 * 1024;

/** @returns undefined for a request without a body */
export function bodyFor(shape: BodyShape, file: EncodedFile, values: Values): Body | undefined {
  switch (shape.kind) {
    case "none":
      return undefined;
    case "raw":
      return withHeaders([file], { "content-type": file.mediaType });
    case "multipart":
      return multipartBody(shape.parts, file, values);
    case "json":
      return withHeaders(jsonPieces(shape.template, file, values), { "content-type": "application/json" });
  }
}

/** Whether sending this needs the volume's bytes. */
export function carriesFile(shape: BodyShape): boolean {
  switch (shape.kind) {
    case "none":
      return false;
    case "raw":
      return true;
    case "multipart":
      return shape.parts.some(({ data }) => namesIn(data).includes("volume.bytes"));
    case "json":
      return templateNames(shape.template).some(
        (name) => name === "volume.base64" || name === "volume.dataurl",
      );
  }
}

export function bytesOf(parts: readonly Uint8Array[]): Bytes {
  return { length: parts.reduce((sum, part) => sum + part.length, 0), chunks: () => piecesOf(parts) };
}

export function bodyOf(parts: readonly Uint8Array[], headers: Readonly<Record<string, string>>): Body {
  return { headers, ...bytesOf(parts) };
}

export function withHeaders(pieces: readonly Bytes[], headers: Readonly<Record<string, string>>): Body {
  return {
    headers,
    length: pieces.reduce((sum, { length }) => sum + length, 0),
    *chunks() {
      for (const piece of pieces) yield* piece.chunks();
    },
  };
}

function multipartBody(parts: readonly PartShape[], file: EncodedFile, values: Values): Body {
  const boundary = `isocenter-${randomUUID()}`;
  const pieces = parts.flatMap(({ name, filename, type, data }): Bytes[] => {
    const isFile = data === FILE;
    const mediaType = type ?? (isFile ? file.mediaType : undefined);
    const head = [
      `--${boundary}\r\ncontent-disposition: form-data; name="${quoted(filled(name, values))}"`,
      filename === undefined ? "" : `; filename="${quoted(filled(filename, values))}"`,
      mediaType === undefined ? "" : `\r\ncontent-type: ${mediaType}`,
      "\r\n\r\n",
    ].join("");
    return [text(head), isFile ? file : text(filled(data, values)), text("\r\n")];
  });
  const type = `multipart/form-data; boundary=${boundary}`;
  return withHeaders([...pieces, text(`--${boundary}--\r\n`)], { "content-type": type });
}

const FILE = "${volume.bytes}"; // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config

/** A template as JSON text, with the file where it wants it; nothing of the file is held as text. */
function jsonPieces(template: Json, file: EncodedFile, values: Values): readonly Bytes[] {
  const pieces: (string | Bytes)[] = [];
  const write = (value: Json): void => {
    if (typeof value === "string") pieces.push(...stringPieces(value, file, values));
    else if (Array.isArray(value)) list("[", value as readonly Json[], "]", write);
    else if (typeof value === "object" && value !== null) {
      list("{", Object.entries(value), "}", ([key, inner]) => {
        pieces.push(`${JSON.stringify(key)}:`);
        write(inner);
      });
    } else pieces.push(JSON.stringify(value));
  };
  const list = <Item>(
    open: string,
    items: readonly Item[],
    close: string,
    each: (item: Item) => void,
  ): void => {
    pieces.push(open);
    items.forEach((item, at) => {
      if (at > 0) pieces.push(",");
      each(item);
    });
    pieces.push(close);
  };
  write(template);
  return pieces.map((piece) => (typeof piece === "string" ? text(piece) : piece));
}

function stringPieces(template: string, file: EncodedFile, values: Values): readonly (string | Bytes)[] {
  if (!namesIn(template).some(isFileText)) return [JSON.stringify(filledValue(template, values))];
  const within = piecesIn(template).flatMap((piece): (string | Bytes)[] => {
    if ("text" in piece) return [escaped(piece.text)];
    if (piece.name === "volume.base64") return [base64(file)];
    if (piece.name === "volume.dataurl") return [`data:${file.mediaType};base64,`, base64(file)];
    return [escaped(filled(`\${${piece.name}}`, values))];
  });
  return ['"', ...within, '"'];
}

function isFileText(name: string): boolean {
  return name === "volume.base64" || name === "volume.dataurl";
}

function templateNames(template: Json): readonly string[] {
  if (typeof template === "string") return namesIn(template);
  if (typeof template !== "object" || template === null) return [];
  return Object.values(template).flatMap((inner) => templateNames(inner));
}

function base64(file: Bytes): Bytes {
  return {
    length: 4 * Math.ceil(file.length / 3),
    *chunks() {
      let rest = Buffer.alloc(0);
      for (const chunk of file.chunks()) {
        const bytes = Buffer.concat([rest, chunk]);
        const whole = bytes.length - (bytes.length % 3);
        for (let at = 0; at < whole; at += TRIPLES)
          yield Buffer.from(bytes.toString("base64", at, Math.min(whole, at + TRIPLES)), "latin1");
        rest = bytes.subarray(whole);
      }
      if (rest.length > 0) yield Buffer.from(rest.toString("base64"), "latin1");
    },
  };
}

function text(characters: string): Bytes {
  return bytesOf([Buffer.from(characters)]);
}

/** As it stands between the quotes of a JSON string. */
function escaped(characters: string): string {
  return JSON.stringify(characters).slice(1, -1);
}

/** As browsers write a name into a header (HTML, multipart/form-data encoding algorithm). */
function quoted(name: string): string {
  return name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

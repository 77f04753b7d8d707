/**
 * Placeholders: the fixed words a config may put into paths, headers and bodies.
 *
 * In:   a text such as "status?task_id=${id}", and values by name.
 * Out:  its pieces, or the text with the values in their places.
 * Pure. No expressions: a placeholder is a name and nothing else.
 */
import type { Json } from "./model.ts";

/** Text, or the name of a placeholder. */
export type Piece = { readonly text: string } | { readonly name: string };

/** What a file placeholder becomes; these stand in bodies, where they are streamed, and nowhere else. */
export const FILE_PLACEHOLDERS = ["volume.bytes", "volume.base64", "volume.dataurl"] as const;

/** Known before the first exchange, whatever the model. */
export const VALUE_PLACEHOLDERS = [
  "volume.url",
  "volume.path",
  "job.id",
  "job.dir",
  "webhook.url",
  "study.uid",
  "series.uid",
  "shape",
  "spacing",
  "affine",
] as const;

/** `${secret:NAME}` and `${param:NAME}`. */
export const PREFIXES = ["secret:", "param:"] as const;

/** Names of secrets are also names of files, so nothing in them may leave their folder. */
export const SECRET_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}$/;

export type Values = (name: string) => Json | undefined;

const PLACEHOLDER = /\$\{([^{}$]*)\}/g;

export function piecesIn(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const found of text.matchAll(PLACEHOLDER)) {
    if (found.index > at) pieces.push({ text: text.slice(at, found.index) });
    pieces.push({ name: found[1] ?? "" });
    at = found.index + found[0].length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at) });
  return pieces;
}

export function namesIn(text: string): readonly string[] {
  return piecesIn(text).flatMap((piece) => ("name" in piece ? [piece.name] : []));
}

/** All texts of a template, keys left out. */
export function textsIn(template: unknown): readonly string[] {
  if (typeof template === "string") return [template];
  if (typeof template !== "object" || template === null) return [];
  return Object.values(template).flatMap(textsIn);
}

/** @param as  what is done to each value before it stands in the text */
export function filled(text: string, values: Values, as: (value: string) => string = String): string {
  return piecesIn(text)
    .map((piece) => ("text" in piece ? piece.text : as(plain(valueOf(piece.name, values)))))
    .join("");
}

/** A text that is one placeholder and nothing else takes the value's own type, as numbers and lists have. */
export function filledValue(text: string, values: Values): Json {
  const [only, ...more] = piecesIn(text);
  return only && "name" in only && more.length === 0 ? valueOf(only.name, values) : filled(text, values);
}

function valueOf(name: string, values: Values): Json {
  const value = values(name);
  if (value === undefined) throw new Error(`bug: no value for \${${name}}`);
  return value;
}

function plain(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * YAML text as a value and the places of all that is in it. Pure.
 *
 * In:   text, at most SIZE_LIMIT_BYTES.
 * Out:  plain data, and for every path where its key and value stand; or what is wrong with the text.
 *
 * YAML 1.2 core: no tags but its own, no merge keys. The value is built here rather than by the library, since a
 * duplicate key is then found in linear time and aliases count what they expand to.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";

export type Path = readonly PropertyKey[];

export interface Place {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

interface Misplaced extends Place {
  readonly message: string;
}

export type Source =
  | {
      readonly kind: "source";
      readonly value: unknown;
      /** Where a path stands, or what of it there is; `at` counts characters of a text value. */
      readonly locate: (path: Path, part: "key" | "value", at?: number) => Place;
    }
  | { readonly kind: "invalid"; readonly problems: readonly Misplaced[] };

/** The worst file of this size is refused within a second (measured); real ones have a tenth. */
export const SIZE_LIMIT_BYTES = 96 * 1024;
const YAML = {
  version: "1.2",
  schema: "core",
  merge: false,
  resolveKnownTags: false,
  uniqueKeys: false,
  prettyErrors: false,
} as const;
const DEPTH_LIMIT = 16;
const VALUES_LIMIT = 20_000;

export function parseSource(text: string): Source {
  if (Buffer.byteLength(text) > SIZE_LIMIT_BYTES) {
    return { kind: "invalid", problems: [{ line: 1, column: 1, message: tooLarge }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { ...YAML, lineCounter: lines });
  const reader = new Reader(text);
  for (const { pos, message } of [...document.errors, ...document.warnings])
    reader.refuse(pos[0], said(message));
  const value =
    reader.faults.length === 0 && document.contents ? reader.read(document.contents, []) : undefined;
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (reader.faults.length > 0) {
    const problems = reader.faults.map(({ offset, message }) => ({ ...place(offset), message }));
    return { kind: "invalid", problems };
  }
  return { kind: "source", value, locate: (path, part, at) => place(reader.offsetOf(path, part, at)) };
}

export const tooLarge = `the file is larger than ${SIZE_LIMIT_BYTES / 1024} KiB`;

interface Span {
  readonly key: number;
  readonly value: number;
  /** Where the characters of a text value begin, if they stand there as they are. */
  readonly characters?: number;
}

interface Fault {
  readonly offset: number;
  readonly message: string;
}

/** Walks the document once; what it may cost is bounded by depth and number of values. */
class Reader {
  readonly faults: Fault[] = [];
  readonly #text: string;
  readonly #spans = new Map<string, Span>();
  readonly #anchors = new Map<string, Node>();
  #values = 0;

  constructor(text: string) {
    this.#text = text;
  }

  refuse(offset: number, message: string): undefined {
    this.faults.push({ offset, message });
  }

  read(node: Node, path: Path, keyAt?: number): unknown {
    const offset = node.range?.[0] ?? keyAt ?? 0;
    const key = keyAt ?? offset;
    if (!this.#spans.has(keyOf(path))) this.#spans.set(keyOf(path), this.#spanOf(node, key, offset));
    if (path.length > DEPTH_LIMIT) return this.refuse(offset, `nested deeper than ${DEPTH_LIMIT} levels`);
    if (++this.#values > VALUES_LIMIT) {
      if (this.#values === VALUES_LIMIT + 1)
        this.refuse(offset, `more than ${VALUES_LIMIT} values, aliases expanded`);
      return undefined;
    }
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      return target ? this.read(target, path, offset) : this.refuse(offset, `unknown alias *${node.source}`);
    }
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return node.value;
    if (isSeq(node)) return node.items.map((item, at) => this.read(item as Node, [...path, at]));
    return isMap(node) ? this.#readMap(node.items as readonly Entry[], path, offset) : undefined;
  }

  offsetOf(path: Path, part: "key" | "value", at?: number): number {
    const span = this.#spans.get(keyOf(path));
    if (!span) return path.length === 0 ? 0 : this.offsetOf(path.slice(0, -1), "key");
    if (part === "key") return span.key;
    return at === undefined || span.characters === undefined ? span.value : span.characters + at;
  }

  #readMap(items: readonly Entry[], path: Path, offset: number): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const { key, value } of items) {
      const at = key?.range?.[0] ?? offset;
      const name = isScalar(key) ? String(key.value) : undefined;
      if (name === undefined) this.refuse(at, "a key has to be a plain name or number");
      else if (name === "__proto__") this.refuse(at, "__proto__ is not allowed as a key");
      else if (Object.hasOwn(result, name)) this.refuse(at, `${name} stands here a second time`);
      else result[name] = value ? this.read(value, [...path, name], at) : this.#absent([...path, name], at);
    }
    return result;
  }

  /** `{ key }` without a value. */
  #absent(path: Path, at: number): null {
    this.#spans.set(keyOf(path), { key: at, value: at });
    return null;
  }

  #spanOf(node: Node, key: number, value: number): Span {
    if (!isScalar(node) || typeof node.value !== "string") return { key, value };
    const quotes = ['"', "'"].includes(this.#text[value] ?? "") ? 1 : 0;
    const isVerbatim = this.#text.startsWith(node.value, value + quotes);
    return { key, value, ...(isVerbatim && { characters: value + quotes }) };
  }
}

interface Entry {
  readonly key: Node | null;
  readonly value: Node | null;
}

function keyOf(path: Path): string {
  return path.join("\n");
}

function said(message: string): string {
  return message.startsWith("Maximum call stack") ? "nested too deeply" : message;
}

/**
 * One value in a JSON document, without building the rest of it.
 *
 * In:   the bytes of a document, of any size, and a JSON Pointer (RFC 6901).
 * Out:  where the value stands in the bytes; or MODEL_ANSWER_INVALID.
 * Pure. Runs in a worker where documents are large.
 *
 * An answer may carry a volume as base64: more than the longest string of V8, and JSON.parse would hold it twice.
 * The whole document is checked all the same; depth is bounded, and a key that stands twice is refused, since two
 * readers would see two documents.
 */
import { invalid } from "../volume/formats/image.ts";

export interface JsonValue {
  readonly type: "string" | "number" | "object" | "array" | "literal";
  /** The value as it is written; of a string, what stands between the quotes. */
  readonly bytes: Uint8Array;
}

/** Deeper than any answer, and no stack is used for it. */
const MAX_DEPTH = 64;
/** Keys of one object that are remembered to find a second one. */
const MAX_KEYS = 10_000;
const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const LITERALS = new Set(["true", "false", "null"]);

/** @returns undefined if the document is sound and has no such value */
export function jsonAt(document: Uint8Array, pointer: string): JsonValue | undefined {
  const scanner = new Scanner(document, stepsOf(pointer));
  return scanner.scan();
}

/** A text, a number, true, false or null as text; undefined for what has parts, or is not there. */
export function scalarAt(document: Uint8Array, pointer: string): string | undefined {
  const value = jsonAt(document, pointer);
  if (!value || value.type === "object" || value.type === "array") return undefined;
  return value.type === "string" ? textOf(value.bytes) : utf8(value.bytes);
}

/** The characters of a string as it is written between its quotes. */
export function textOf(written: Uint8Array): string {
  const text = utf8(written);
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch (error) {
    throw invalid("Answer is JSON with a wrong escape", error);
  }
}

/** @returns undefined if it is no pointer */
export function parsePointer(pointer: string): readonly string[] | undefined {
  if (pointer !== "" && !pointer.startsWith("/")) return undefined;
  if (/~(?![01])/.test(pointer)) return undefined;
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function stepsOf(pointer: string): readonly string[] {
  const steps = parsePointer(pointer);
  if (!steps) throw new Error(`bug: ${pointer} is no JSON Pointer`);
  return steps;
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch (error) {
    throw invalid("Answer is JSON that is not UTF-8", error);
  }
}

interface Level {
  readonly closing: number;
  readonly keys: Set<string> | undefined;
  /** Members read so far. */
  count: number;
  /** Whether the pointer leads through this value, down to `depth` of it. */
  readonly onPath: boolean;
}

class Scanner {
  readonly #bytes: Buffer;
  readonly #steps: readonly string[];
  readonly #levels: Level[] = [];
  #at = 0;
  #found: JsonValue | undefined;
  /** Where the value that the pointer names begins, while it is open; and how deep it is. */
  #open: { readonly from: number; readonly depth: number; readonly type: "object" | "array" } | undefined;

  constructor(document: Uint8Array, steps: readonly string[]) {
    this.#bytes = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
    this.#steps = steps;
  }

  scan(): JsonValue | undefined {
    this.#value(this.#steps.length === 0, true);
    while (this.#levels.length > 0) this.#member();
    this.#space();
    if (this.#at < this.#bytes.length) throw this.#wrong("goes on after its end");
    return this.#found;
  }

  /** Reads a scalar, or opens an object or array. */
  #value(isWanted: boolean, onPath: boolean): void {
    this.#space();
    const from = this.#at;
    const first = this.#bytes[from];
    if (first === OPEN_BRACE || first === OPEN_BRACKET) {
      if (this.#levels.length >= MAX_DEPTH) throw this.#wrong(`is nested deeper than ${MAX_DEPTH} levels`);
      const isObject = first === OPEN_BRACE;
      if (isWanted) this.#open = { from, depth: this.#levels.length, type: isObject ? "object" : "array" };
      this.#at += 1;
      this.#levels.push({
        closing: isObject ? CLOSE_BRACE : CLOSE_BRACKET,
        keys: isObject ? new Set() : undefined,
        count: 0,
        onPath: onPath && !isWanted,
      });
      return;
    }
    const bytes = first === QUOTE ? this.#string() : this.#word();
    if (!isWanted) return;
    const isWord = first !== QUOTE;
    const type = isWord ? (LITERALS.has(bytes.toString("latin1")) ? "literal" : "number") : "string";
    this.#found = { type, bytes };
  }

  /** The next member of the innermost object or array, or its end. */
  #member(): void {
    const level = this.#levels.at(-1)!;
    this.#space();
    if (this.#bytes[this.#at] === level.closing) return this.#close();
    if (level.count > 0) this.#expect(COMMA);
    this.#space();
    const key = level.keys ? this.#key(level.keys) : String(level.count);
    level.count += 1;
    const depth = this.#levels.length;
    const onPath = level.onPath && this.#steps[depth - 1] === key;
    this.#value(onPath && depth === this.#steps.length, onPath);
  }

  #close(): void {
    this.#at += 1;
    this.#levels.pop();
    if (this.#open?.depth !== this.#levels.length) return;
    const { from, type } = this.#open;
    this.#found = { type, bytes: this.#bytes.subarray(from, this.#at) };
    this.#open = undefined;
  }

  #key(keys: Set<string>): string {
    if (this.#bytes[this.#at] !== QUOTE) throw this.#wrong("has something other than a key");
    const key = textOf(this.#string());
    if (keys.has(key)) throw this.#wrong("has a key twice");
    if (keys.size >= MAX_KEYS) throw this.#wrong(`has an object of more than ${MAX_KEYS} keys`);
    keys.add(key);
    this.#space();
    this.#expect(COLON);
    return key;
  }

  /** What stands between the quotes; long strings are searched natively for their end. */
  #string(): Buffer {
    const from = this.#at + 1;
    let end = this.#bytes.indexOf(QUOTE, from);
    while (end > 0 && this.#isEscaped(from, end)) end = this.#bytes.indexOf(QUOTE, end + 1);
    if (end < 0) throw this.#wrong("ends within a string");
    this.#at = end + 1;
    return this.#bytes.subarray(from, end);
  }

  #isEscaped(from: number, quote: number): boolean {
    let backslashes = 0;
    while (quote - 1 - backslashes >= from && this.#bytes[quote - 1 - backslashes] === BACKSLASH)
      backslashes += 1;
    return backslashes % 2 === 1;
  }

  #word(): Buffer {
    const from = this.#at;
    while (this.#at < this.#bytes.length && isWordByte(this.#bytes[this.#at]!)) this.#at += 1;
    const bytes = this.#bytes.subarray(from, this.#at);
    const word = bytes.subarray(0, 400).toString("latin1");
    if (word === "" || bytes.length > 400 || !(LITERALS.has(word) || isNumber(word)))
      throw this.#wrong(from >= this.#bytes.length ? "ends too early" : "has what is no value");
    return bytes;
  }

  #expect(byte: number): void {
    if (this.#bytes[this.#at] !== byte) throw this.#wrong(`lacks a "${String.fromCodePoint(byte)}"`);
    this.#at += 1;
  }

  #space(): void {
    while (isSpace(this.#bytes[this.#at])) this.#at += 1;
  }

  #wrong(what: string) {
    return invalid(`Answer is no JSON: at byte ${this.#at} it ${what}`);
  }
}

/** 1e400 is a number by its grammar, and none that anyone can hold. */
function isNumber(word: string): boolean {
  return NUMBER.test(word) && Number.isFinite(Number(word));
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isWordByte(byte: number): boolean {
  return !isSpace(byte) && byte !== COMMA && byte !== COLON && byte !== CLOSE_BRACE && byte !== CLOSE_BRACKET;
}

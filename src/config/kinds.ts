/**
 * Kinds of settings: what may stand in the config, and what is said when something else does. Pure, over zod.
 *
 * Every message says what was found and what is allowed; the same words are the `title` of the setting in the
 * JSON Schema and its value column in the README.
 */
import { isIP } from "node:net";
import * as z from "zod";
import { type AeTitle, parseAeTitle } from "../dicom/ae-title.ts";
import { suggestion } from "../routing/nearest.ts";
import { DURATION_PATTERN, parseDuration, parseSize, SIZE_PATTERN } from "./units.ts";

/** Says what is wrong, with the index of the character if it is known. */
export type Refuse = (message: string, at?: number) => undefined;

type Raw = { readonly input?: unknown };

/** A message for zod. A file has no undefined: where zod sees that, the setting is missing. */
export function expected(allowed: string): (issue: Raw) => string {
  return ({ input }) => (input === undefined ? `is missing: ${allowed}` : found(input, allowed));
}

export function found(input: unknown, allowed: string): string {
  const text = input === null ? "nothing" : JSON.stringify(input);
  const short = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  return `found ${short}, allowed: ${allowed}`;
}

const SHOWN = 60;

/** A group of settings; any other key is an error. Several unknown keys give one line of the message each. */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape);
  const missing = expected(`the settings ${known.join(", ")}`);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => unknownKey(key, known)).join("\n")
        : missing(issue),
  });
}

function unknownKey(key: string, known: readonly string[]): string {
  const hint = suggestion(key, known) || `; allowed: ${known.join(", ")}`;
  return `unknown key ${JSON.stringify(key)}${hint}`;
}

/** A choice that is made by its key: exactly one of these, and what else may stand beside it. */
export function oneOf<Shape extends z.core.$ZodLooseShape>(shape: Shape, choices = Object.keys(shape)) {
  const words = choices.join(", ");
  const chosen = (written: object) => choices.filter((key) => key in written);
  return section(shape).refine((written) => chosen(written).length === 1, {
    error: ({ input }) => found(chosen(input as object), `exactly one of ${words}`),
  });
}

/** Entries under names of the user's choice. */
export function named<Value extends z.core.SomeType>(what: string, value: Value) {
  return z.record(NAME, value, { error: expected(`${what} by name`) });
}

const NAME_WORDS = "a name of 1 to 63 letters, digits, - and _, starting with a letter";
const NAME = z
  .string()
  .regex(/^(?!(?:constructor|toString|valueOf|hasOwnProperty)$)[A-Za-z][A-Za-z0-9_-]{0,62}$/, {
    error: expected(NAME_WORDS),
  })
  .meta({ title: "name" });

/** Text that `parse` reads; without a complaint of its own, undefined is answered with what is allowed. */
export function text<Value>(
  allowed: string,
  parse: (text: string, refuse: Refuse) => Value | undefined,
  pattern?: RegExp,
) {
  return z
    .string({ error: expected(allowed) })
    .meta({ title: allowed, ...(pattern && { pattern: pattern.source }) })
    .transform((written, context): Value => {
      let complaints = 0;
      const value = parse(written, (message, at) => {
        complaints++;
        context.addIssue({ code: "custom", message, params: { at } });
        return undefined;
      });
      if (value !== undefined) return value;
      if (complaints === 0) context.addIssue({ code: "custom", message: found(written, allowed) });
      return z.NEVER;
    });
}

export function whole(min: number, max: number) {
  const error = expected(`a whole number from ${min} to ${max}`);
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function flag() {
  return z.boolean({ error: expected("true or false") });
}

export function choice<const Values extends readonly string[]>(...values: Values) {
  return z.enum(values, { error: expected(values.join(" or ")) });
}

/** A list with at least one entry. */
export function listOf<Value extends z.core.SomeType>(what: string, value: Value) {
  const error = expected(`a list of ${what}, at least one`);
  return z.array(value, { error }).min(1, { error });
}

/** In milliseconds once read. */
export function duration(min: string, max: string) {
  const [least, most] = [parseDuration(min), parseDuration(max)];
  if (least === undefined || most === undefined) throw new Error(`bug: ${min} to ${max} is no range`);
  return text(
    `a duration from ${min} to ${max}`,
    (written) => {
      const ms = parseDuration(written);
      return ms !== undefined && ms >= least && ms <= most ? ms : undefined;
    },
    DURATION_PATTERN,
  );
}

/** In bytes once read. */
export function bytes(min: string, max: string) {
  const [least, most] = [parseSize(min), parseSize(max)];
  if (least === undefined || most === undefined) throw new Error(`bug: ${min} to ${max} is no range`);
  return text(
    `a size from ${min} to ${max}`,
    (written) => {
      const size = parseSize(written);
      return size !== undefined && size >= least && size <= most ? size : undefined;
    },
    SIZE_PATTERN,
  );
}

/** One line of text without control characters. */
export function line(limit: number) {
  return text(`text of 1 to ${limit} characters`, (written) =>
    written.length <= limit && /^[^\p{Cc}]+$/u.test(written) ? written : undefined,
  );
}

/** Of a file; a relative one is seen from the config file. */
export function path() {
  return line(1024);
}

export function aeTitle() {
  return text<AeTitle>("an AE title of 1 to 16 characters", parseAeTitle);
}

export function host() {
  return text("a host name or an IP address", (written) =>
    isIP(written) > 0 || (written.length <= 253 && HOST.test(written)) ? written : undefined,
  );
}

const HOST = /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/;

export function url() {
  return text("a URL that begins with http:// or https://", (written, refuse) => {
    const parsed = URL.parse(written);
    if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:") return undefined;
    if (parsed.username !== "" || parsed.password !== "")
      return refuse("a URL with a user or password would be logged");
    return written;
  });
}

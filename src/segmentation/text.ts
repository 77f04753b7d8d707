/**
 * Names from the config, made fit for the value representations they go into (PS3.5 6.2). Pure.
 *
 * A backslash would make two values of one, a control character is not allowed: both become a space. Limits
 * count characters, not bytes, so a Japanese label may use all 64.
 */

const LONG_STRING = 64;
const SHORT_STRING = 16;
const CODE_STRING = 16;

export function hasControls(text: string): boolean {
  return CONTROLS.test(text);
}

/** LO: one value, at most 64 characters; may come out empty. */
export function longString(text: string): string {
  return clean(text, LONG_STRING);
}

/** SH: one value, at most 16 characters; may come out empty. */
export function shortString(text: string): string {
  return clean(text, SHORT_STRING);
}

/** CS: A to Z, 0 to 9, space and underscore, at most 16 characters; `otherwise` if none of it fits. */
export function codeString(text: string, otherwise: string): string {
  const upper = text.toUpperCase().replace(/[^A-Z0-9_ ]+/g, "_");
  const short = upper.slice(0, CODE_STRING).replace(/^[_ ]+|[_ ]+$/g, "");
  return short === "" ? otherwise : short;
}

/** PN of 64 characters, delimiters included: the family name is cut to leave room; in it ^ and = are taken out. */
export function personName(family: string, given: string): string {
  return `${clean(family.replace(/[\^=]/g, " "), LONG_STRING - given.length - 1)}^${given}`;
}

/**
 * Segment Labels: LO, not empty, no two alike.
 *
 * @param labels  by label value
 * @see           PS3.3 C.8.20.4, (0062,0005)
 */
export function segmentLabels(labels: ReadonlyMap<number, string>): ReadonlyMap<number, string> {
  const taken = new Set<string>();
  const unique = new Map<number, string>();
  for (const [value, label] of labels) {
    const cleaned = longString(label) || `Label ${value}`;
    let own = cleaned;
    for (let suffix = ` (${value})`; taken.has(own); suffix += `(${value})`)
      own = clean(cleaned, LONG_STRING - suffix.length) + suffix;
    taken.add(own);
    unique.set(value, own);
  }
  return unique;
}

const CONTROLS = /\p{Cc}/u;

function clean(text: string, limit: number): string {
  const spaced = text.replace(/[\p{Cc}\\]+/gu, " ").trim();
  return Array.from(spaced).slice(0, limit).join("").trimEnd();
}

/**
 * Application Entity titles, PS3.5 6.2 (VR AE): 1 to 16 characters of the default repertoire, no backslash, no
 * control characters; leading and trailing spaces do not count.
 */

declare const kind: unique symbol;
export type AeTitle = string & { readonly [kind]: "AeTitle" };

export function parseAeTitle(text: string): AeTitle | undefined {
  const trimmed = text.replace(/^ +/, "").replace(/(?<! ) +$/, "");
  return /^[\x20-\x5b\x5d-\x7e]{1,16}$/.test(trimmed) ? (trimmed as AeTitle) : undefined;
}

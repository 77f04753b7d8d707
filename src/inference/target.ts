/**
 * Where an exchange goes: a reference of the config, or of an answer, as a URL that may be asked.
 *
 * In:   a model and a reference, its placeholders filled.
 * Out:  the URL, and the unix socket if the model is behind one; or why it may not be asked.
 * Pure.
 *
 * An answer can name any address. Only origins that the config names are asked, compared as whole origins: whatever
 * spelling of a link-local address, other port or file: a server comes up with, it is none of them.
 */
import { NodeError } from "../base/errors.ts";
import type { Model } from "./model.ts";

export interface Target {
  readonly url: URL;
  readonly socketPath?: string;
  /** Of the model itself; elsewhere its headers and credentials are not sent. */
  readonly isOwn: boolean;
}

type Place = Pick<Model, "name" | "url" | "origins" | "urlMap">;

const UNIX = /^unix:(\/[^:?#]+):(\/[^\s]*)$/;

/** @returns undefined if it is neither http, https nor unix:/socket:/path */
export function parseModelUrl(written: string): Omit<Target, "isOwn"> | undefined {
  const [, socketPath, path] = UNIX.exec(written) ?? [];
  if (socketPath !== undefined) return { url: new URL(`http://localhost${path}`), socketPath };
  const url = URL.parse(written);
  return url?.protocol === "http:" || url?.protocol === "https:" ? { url } : undefined;
}

/**
 * @param reference  "" and "?…" are the model's url; "/…" is seen from the root of its server; another one is seen
 *                   from the url as from a folder
 * @throws MODEL_ANSWER_INVALID if it leads elsewhere than the config allows
 */
export function targetOf(model: Place, reference: string): Target {
  const own = parseModelUrl(model.url);
  if (!own) throw new Error(`bug: ${model.url} is no URL of a model`);
  const url = URL.parse(mapped(model.urlMap, reference), baseFor(own.url, reference).href);
  if (!url || url.username !== "" || url.password !== "") throw elsewhere(model);
  if (url.origin === own.url.origin && url.protocol === own.url.protocol) return { ...own, url, isOwn: true };
  if (!allowedOrigins(model).has(url.origin)) throw elsewhere(model, url);
  return { url, isOwn: false };
}

function allowedOrigins({ origins, urlMap }: Place): ReadonlySet<string> {
  const written = [...origins, ...Object.values(urlMap)];
  return new Set(
    written.map((each) => URL.parse(each)?.origin ?? "").filter((origin) => /^https?:/.test(origin)),
  );
}

function mapped(urlMap: Place["urlMap"], reference: string): string {
  const prefix = Object.keys(urlMap).find((each) => reference.startsWith(each));
  return prefix === undefined ? reference : `${urlMap[prefix]}${reference.slice(prefix.length)}`;
}

function baseFor(own: URL, reference: string): URL {
  if (reference === "" || reference.startsWith("?") || own.pathname.endsWith("/")) return own;
  const folder = new URL(own);
  folder.pathname += "/";
  return folder;
}

/** What the server named is not repeated in full: its path or query could hold anything. */
function elsewhere({ name }: Place, url?: URL): NodeError {
  const where = url ? `${url.protocol}//${url.host}` : "what is no URL";
  return new NodeError(
    "MODEL_ANSWER_INVALID",
    `Model ${name}: answer points to ${where.slice(0, 120)}, which is not among its origins`,
  );
}

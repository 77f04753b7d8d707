/**
 * Styles and scripts of the pages, read once at the start. Each is served under a name that holds its hash, so that
 * browsers keep it for good and never use an old one. Only what is in the list is served: no path is ever looked up.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { FastifyInstance } from "fastify";

const SCRIPT = "text/javascript; charset=utf-8";
const own = (name: string): string => new URL(`../pages/assets/${name}`, import.meta.url).href;

const ASSETS = {
  "style.css": { type: "text/css; charset=utf-8", at: own("style.css") },
  "live.js": { type: SCRIPT, at: own("live.js") },
  "picture.js": { type: SCRIPT, at: own("picture.js") },
  "picture-3d.js": { type: SCRIPT, at: own("picture-3d.js") },
  "mark.svg": { type: "image/svg+xml", at: own("mark.svg") },
  /** The bundle that is published: it evaluates no text and reaches for nothing elsewhere, so the policy need not be opened. */
  "niivue.js": {
    type: SCRIPT,
    at: new URL("../../dist/index.js", import.meta.resolve("@niivue/niivue")).href,
  },
} as const;

export interface Assets {
  /** @throws Error for a name that is none: a bug of a page */
  pathOf(name: string): string;
}

/** Under /assets, for everybody: the log-in needs them, and they tell nothing. */
export const ASSET_ROUTE = "/assets/:name";

export async function serveAssets(app: FastifyInstance): Promise<Assets> {
  const paths = new Map<string, string>();
  const contents = new Map<string, { readonly type: string; readonly body: Buffer }>();
  for (const [name, { type, at }] of Object.entries(ASSETS)) {
    const body = await readFile(new URL(at));
    const hash = createHash("sha256").update(body).digest("base64url").slice(0, 12);
    const hashed = name.replace(/\.(?=\w+$)/, `.${hash}.`);
    paths.set(name, `/assets/${hashed}`);
    contents.set(hashed, { type, body });
  }
  app.get<{ Params: { readonly name: string } }>(ASSET_ROUTE, (request, reply) => {
    const asset = contents.get(request.params.name);
    if (!asset) return reply.code(404).send({ error: "there is no such thing" });
    return reply
      .type(asset.type)
      .header("cache-control", "public, max-age=31536000, immutable")
      .send(asset.body);
  });
  return {
    pathOf(name) {
      const path = paths.get(name);
      if (path === undefined) throw new Error(`bug: no asset ${name}`);
      return path;
    },
  };
}

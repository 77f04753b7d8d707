/**
 * The node's HTTP door: health, readiness, metrics; and what others hang on it (pages, API).
 *
 * In:   where to listen, who may come in, what to tell.
 * Out:  a listening server; disposing ends it, open event streams too.
 *
 * Every answer carries headers that let a browser load nothing from elsewhere and frame nothing. /healthz and /readyz
 * are for supervisors and tell nothing of patients, so they ask for no credentials; everything else does.
 */
import cookie from "@fastify/cookie";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Clock } from "../../base/clock.ts";
import { NodeError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Desk } from "../desk.ts";
import { loginPage } from "../pages/login.ts";
import { Access, type AccessSettings, type Caller, isFromOurPage } from "./access.ts";
import { serveApi } from "./api.ts";
import { ASSET_ROUTE, type Assets, serveAssets } from "./assets.ts";
import type { LiveEvents } from "./events.ts";
import { send, servePages } from "./pages.ts";
import { type PictureSource, servePictures } from "./picture.ts";

export interface HttpSettings extends AccessSettings {
  readonly host: string;
  readonly port: number;
}

/** One thing that has to be well for the node to take studies. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What is wrong. */
  readonly detail?: string;
}

export interface HttpParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly checks: () => Promise<readonly Check[]>;
  readonly desk: Desk;
  readonly live: LiveEvents;
  readonly pictures: PictureSource;
  readonly version: string;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Set before any handler but those of /healthz, /readyz and /login runs. */
    caller: Caller | undefined;
  }
}

const SESSION_COOKIE = "isocenter-session";
const BODY_BYTES = 64 * 1024;
const REQUESTS_PER_MINUTE = 600;
const LOGINS_PER_MINUTE = 10;
const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/login", ASSET_ROUTE]);

/** @throws NodeError LISTEN_FAILED */
export async function startHttp(settings: HttpSettings, parts: HttpParts): Promise<HttpServer> {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES,
    forceCloseConnections: true,
    trustProxy: false,
  });
  const access = new Access(settings, parts.clock);
  await app.register(helmet, { contentSecurityPolicy: { useDefaults: false, directives: POLICY } });
  await app.register(cookie);
  await app.register(rateLimit, { max: REQUESTS_PER_MINUTE, timeWindow: "1 minute" });
  app.decorateRequest("caller");
  app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  );
  app.addHook("onRequest", (request, reply) => admit(request, reply, access, parts.log));
  app.addHook("preClose", async () => parts.live[Symbol.dispose]());
  app.setErrorHandler((error: { readonly statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) parts.log.error("http.failed", { path: request.routeOptions.url ?? "", error });
    void reply.code(status).send({ error: status >= 500 ? "internal error" : (error as Error).message });
  });
  health(app, parts);
  const assets = await serveAssets(app);
  login(app, access, { log: parts.log, assets });
  serveApi(app, parts);
  servePictures(app, parts);
  servePages(app, { desk: parts.desk, assets, isOpen: access.isOpen });
  try {
    await app.listen({ host: settings.host, port: settings.port });
  } catch (cause) {
    await app.close();
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new NodeError(
      "LISTEN_FAILED",
      `HTTP on ${settings.host}:${settings.port}: cannot listen (${code})`,
      {
        cause,
      },
    );
  }
  const address = app.server.address();
  const port = typeof address === "object" && address ? address.port : settings.port;
  return { port, [Symbol.asyncDispose]: () => app.close() };
}

/** Nothing from elsewhere, nothing inline. */
const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", "data:", "blob:"],
  connectSrc: ["'self'"],
  formAction: ["'self'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
};

async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  access: Access,
  log: Log,
): Promise<unknown> {
  const { headers, method, cookies } = request;
  const isSafe = method === "GET" || method === "HEAD";
  // Links from elsewhere may lead to a page; what scripts ask for, streams among it, is for pages of ours alone.
  const isForScripts = request.routeOptions.url?.startsWith("/api/") ?? false;
  if ((!isSafe || isForScripts) && !isFromOurPage(headers))
    return reply.code(403).send({ error: "not from a page of this node" });
  if (OPEN_PATHS.has(request.routeOptions.url ?? "")) return undefined;
  request.caller = access.callerOf({
    host: headers.host,
    authorization: headers.authorization,
    session: cookies[SESSION_COOKIE],
  });
  if (!request.caller) {
    if (access.isOpen)
      return reply.code(403).send({ error: "only this machine may ask; configure http.users" });
    if (isSafe && wantsPage(headers.accept)) return reply.redirect("/login", 303);
    return reply.code(401).header("www-authenticate", "Bearer").send({ error: "log in first" });
  }
  if (!isSafe && request.caller.role !== "operator" && request.routeOptions.url !== "/logout") {
    log.warn("http.action-refused", {
      user: request.caller.name,
      peer: request.ip,
      path: request.routeOptions.url ?? "",
    });
    return reply.code(403).send({ error: "this takes the role operator" });
  }
  return undefined;
}

/** A person with a browser, not a program. */
function wantsPage(accept: string | undefined): boolean {
  return accept?.startsWith("text/html") ?? false;
}

function health(app: FastifyInstance, { checks, metrics }: HttpParts): void {
  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", async (_, reply) => {
    const all = await checks();
    const isReady = all.every(({ ok }) => ok);
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? "ready" : "not ready", checks: all });
  });
  app.get("/metrics", async (_, reply) => {
    const text = await metrics.text();
    return reply.type(metrics.contentType).send(text);
  });
}

const CREDENTIALS = {
  type: "object",
  required: ["name", "password"],
  properties: {
    name: { type: "string", minLength: 1, maxLength: 64 },
    password: { type: "string", minLength: 1, maxLength: 256 },
  },
} as const;

function login(
  app: FastifyInstance,
  access: Access,
  { log, assets }: { readonly log: Log; readonly assets: Assets },
): void {
  const page = (isWrong: boolean): string => loginPage({ asset: (name) => assets.pathOf(name) }, isWrong);
  app.get("/login", (_, reply) => (access.isOpen ? reply.redirect("/", 303) : send(reply, page(false))));
  const options = {
    schema: { body: CREDENTIALS },
    config: { rateLimit: { max: LOGINS_PER_MINUTE, timeWindow: "1 minute" } },
  };
  app.post<{ Body: { readonly name: string; readonly password: string } }>(
    "/login",
    options,
    async (request, reply) => {
      const { name: user, password } = request.body;
      const session = await access.login(user, password);
      // What was typed as a name may be a password: only names of the config are told.
      if (session === undefined) log.warn("http.login-refused", { peer: request.ip });
      else log.info("http.login", { user, peer: request.ip });
      const isForm = wantsPage(request.headers.accept);
      if (session === undefined && isForm) return send(reply.code(401), page(true));
      if (session === undefined) return reply.code(401).send({ error: "name or password is wrong" });
      const secure = request.protocol === "https";
      void reply.setCookie(SESSION_COOKIE, session, {
        httpOnly: true,
        sameSite: "strict",
        path: "/",
        secure,
      });
      return isForm ? reply.redirect("/", 303) : reply.send({ status: "ok" });
    },
  );
  app.post("/logout", async (request, reply) => {
    const session = request.cookies[SESSION_COOKIE];
    if (session !== undefined) access.logout(session);
    log.info("http.logout", { user: request.caller?.name ?? "unknown", peer: request.ip });
    void reply.clearCookie(SESSION_COOKIE, { path: "/" });
    return wantsPage(request.headers.accept) ? reply.redirect("/login", 303) : reply.send({ status: "ok" });
  });
}

/**
 * The API of the node, /api/v1, and its description as OpenAPI 3.1: both made of the one list ROUTES.
 *
 * Who asks is known by then (server.ts): GET takes a viewer, POST an operator. A form of a page may also be posted
 * here; it is answered by a way back to that page.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { StudyFilter } from "../../ledger/overview.ts";
import type { Desk, Outcome } from "../desk.ts";
import type { LiveEvents } from "./events.ts";
import { PARAMETERS, SCHEMAS, STUDY_QUERY } from "./shapes.ts";

interface Asked {
  readonly params: Readonly<Record<"uid" | "id" | "name", string>>;
  readonly query: StudyFilter & { readonly limit?: number; readonly after?: string };
  readonly user: string;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly summary: string;
  readonly parameter?: keyof typeof PARAMETERS;
  readonly query?: typeof STUDY_QUERY;
  readonly answer: keyof typeof SCHEMAS;
  /** @returns undefined for what is not there */
  readonly handle: (desk: Desk, asked: Asked) => Promise<object | undefined>;
}

type Order = (desk: Desk, asked: Asked) => Promise<Outcome>;

const order = (path: string, parameter: "id" | "name", summary: string, handle: Order): Route => ({
  method: "POST",
  path,
  parameter,
  summary,
  answer: "Done",
  handle,
});

const ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/studies",
    summary: "Studies, the one with the newest image first.",
    query: STUDY_QUERY,
    answer: "StudyPage",
    handle: (desk, { query: { limit, after, ...filter } }) =>
      desk.studies(filter, { ...(limit !== undefined && { limit }), ...(after !== undefined && { after }) }),
  },
  {
    method: "GET",
    path: "/studies/:uid",
    parameter: "uid",
    summary: "All that happened to one study, and why.",
    answer: "StudyStory",
    handle: (desk, { params }) => desk.story(params.uid),
  },
  {
    method: "GET",
    path: "/models",
    summary: "Models: what waits, how the last runs went.",
    answer: "Models",
    handle: async (desk) => ({ models: await desk.models() }),
  },
  {
    method: "GET",
    path: "/destinations",
    summary: "Destinations: what waits for each, and what it said last.",
    answer: "Destinations",
    handle: async (desk) => ({ destinations: await desk.destinations() }),
  },
  order(
    "/runs/:id/retry",
    "id",
    "Asks the model again: a run that failed, was quarantined or discarded.",
    (desk, a) => desk.retryRun(a.params.id, a.user),
  ),
  order("/runs/:id/discard", "id", "Gives up a run that failed or was quarantined.", (desk, a) =>
    desk.discardRun(a.params.id, a.user),
  ),
  order(
    "/deliveries/:id/retry",
    "id",
    "Sends a result now: one that waits, is held or was discarded.",
    (desk, a) => desk.retryDelivery(a.params.id, a.user),
  ),
  order("/deliveries/:id/discard", "id", "Gives up a delivery that waits or is held.", (desk, a) =>
    desk.discardDelivery(a.params.id, a.user),
  ),
  order("/destinations/:name/pause", "name", "Sends nothing to it until resumed; results wait.", (desk, a) =>
    desk.pause(a.params.name, a.user),
  ),
  order("/destinations/:name/resume", "name", "Sends to it again, at once.", (desk, a) =>
    desk.resume(a.params.name, a.user),
  ),
];

const BASE = "/api/v1";
/** Where a form may lead back to: pages of ours, nothing else. */
const BACK = /^\/(?:studies\/[0-9.]{1,64}|destinations|models)?$/;

export function serveApi(
  app: FastifyInstance,
  { desk, live, version }: { readonly desk: Desk; readonly live: LiveEvents; readonly version: string },
): void {
  for (const route of ROUTES) {
    const params = route.parameter && {
      type: "object",
      properties: { [route.parameter]: PARAMETERS[route.parameter] },
    };
    app.route({
      method: route.method,
      url: BASE + route.path,
      schema: { ...(params && { params }), ...(route.query && { querystring: route.query }) },
      handler: (request, reply) => answered(route, desk, request, reply),
    });
  }
  app.get(`${BASE}/openapi.json`, () => describedApi(version));
  app.get(`${BASE}/events`, (_, reply) => {
    const headers = reply.getHeaders();
    if (!live.add(reply.raw, headers))
      return reply.code(503).send({ error: "too many pages listen already" });
    reply.hijack();
    return undefined;
  });
}

async function answered(
  { method, handle }: Route,
  desk: Desk,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const answer = await handle(desk, {
    params: request.params as Asked["params"],
    query: request.query as Asked["query"],
    user: request.caller?.name ?? "unknown",
  });
  if (method === "GET") return answer ?? reply.code(404).send({ error: "there is no such thing" });
  const outcome = answer as Outcome;
  if (outcome.kind === "unknown") return reply.code(404).send({ error: "there is no such thing" });
  if (outcome.kind === "impossible") return reply.code(409).send({ error: outcome.why });
  const { back } = (request.body ?? {}) as { readonly back?: unknown };
  if (typeof back === "string" && BACK.test(back)) return reply.redirect(back, 303);
  return { status: "ok" };
}

function describedApi(version: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, summary, parameter, query, answer } of ROUTES) {
    const parameters = [
      ...(parameter ? [{ name: parameter, in: "path", required: true, schema: PARAMETERS[parameter] }] : []),
      ...Object.entries(query?.properties ?? {}).map(([name, schema]) => ({ name, in: "query", schema })),
    ];
    const operation = {
      summary,
      operationId: `${method.toLowerCase()}${path.replaceAll(/[/:]+(\w)/g, (_, first: string) => first.toUpperCase())}`,
      ...(parameters.length > 0 && { parameters }),
      responses: {
        200: json("What was asked for; or that it is done.", answer),
        401: json("Nobody known asks.", "Error"),
        403: json("Whoever asks may not.", "Error"),
        ...(parameter && { 404: json("There is no such thing.", "Error") }),
        ...(method === "POST" && { 409: json("It is not in a state for that.", "Error") }),
      },
    };
    (paths[BASE + path.replaceAll(/:(\w+)/g, "{$1}")] ??= {})[method.toLowerCase()] = operation;
  }
  paths[`${BASE}/events`] = {
    get: {
      summary:
        "What changes, as server-sent events named `change`; their data name study, series, model, destination.",
      operationId: "getEvents",
      responses: { 200: { description: "A stream that goes on.", content: { "text/event-stream": {} } } },
    },
  };
  return {
    openapi: "3.1.0",
    info: {
      title: "Isocenter",
      version,
      description: "Studies, models and destinations of one node. Times are milliseconds since 1970.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    security: [{ token: [] }, { session: [] }, {}],
    paths,
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        session: { type: "apiKey", in: "cookie", name: "isocenter-session" },
      },
    },
  };
}

function json(description: string, schema: keyof typeof SCHEMAS): object {
  return {
    description,
    content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } },
  };
}

/** The pages of the node for people: what is asked for in the address, shown by the templates of ops/pages. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { STUDY_STATES, type StudyFilter, type StudyState } from "../../ledger/overview.ts";
import type { Desk } from "../desk.ts";
import { destinationsPage } from "../pages/destinations.ts";
import type { Around } from "../pages/layout.ts";
import { faultPage } from "../pages/login.ts";
import { modelsPage } from "../pages/models.ts";
import { pictureOf } from "../pages/picture.ts";
import { AGES, type StudiesView, studiesPage } from "../pages/studies.ts";
import { studyPage } from "../pages/study.ts";
import type { Assets } from "./assets.ts";

export interface PagesParts {
  readonly desk: Desk;
  readonly assets: Assets;
  /** Nobody has to log in. */
  readonly isOpen: boolean;
}

export function servePages(app: FastifyInstance, { desk, assets, isOpen }: PagesParts): void {
  const around = async ({ caller }: FastifyRequest): Promise<Around> => ({
    asset: (name) => assets.pathOf(name),
    caller,
    isOpen,
    attention: await desk.attention(),
    now: desk.now,
  });

  app.get("/", async (request, reply) => {
    const asked = askedOf(request.query);
    const after = textOf(request.query, "after");
    const found = await desk.studies(filterOf(asked, desk.now), after === "" ? {} : { after });
    return send(
      reply,
      studiesPage(await around(request), { found, asked, names: desk.names, isFirst: after === "" }),
    );
  });
  app.get<{ Params: { readonly uid: string } }>("/studies/:uid", async (request, reply) => {
    const story = await desk.story(request.params.uid);
    if (story)
      return send(
        reply,
        studyPage(
          await around(request),
          story,
          pictureOf(story, (name) => assets.pathOf(name)),
        ),
      );
    const where = { asset: (name: string) => assets.pathOf(name) };
    return send(
      reply.code(404),
      faultPage(where, "No such study", "Nothing of this study came to this node."),
    );
  });
  app.get("/models", async (request, reply) =>
    send(reply, modelsPage(await around(request), await desk.models())),
  );
  app.get("/destinations", async (request, reply) =>
    send(reply, destinationsPage(await around(request), await desk.destinations())),
  );
}

/** A page may hold what another user must not find in a cache. */
export function send(reply: FastifyReply, page: string): FastifyReply {
  return reply.type("text/html; charset=utf-8").header("cache-control", "no-store").send(page);
}

function askedOf(query: unknown): StudiesView["asked"] {
  const of = (name: string): string => textOf(query, name);
  return {
    search: of("search"),
    state: of("state"),
    model: of("model"),
    destination: of("destination"),
    age: of("age"),
  };
}

function textOf(query: unknown, name: string): string {
  const value = (query as Readonly<Record<string, unknown>>)[name];
  return typeof value === "string" ? value.trim().slice(0, 256) : "";
}

/** What is no filter filters nothing. */
function filterOf(
  { search, state, model, destination, age }: StudiesView["asked"],
  now: number,
): StudyFilter {
  const within = Object.hasOwn(AGES, age) ? AGES[age] : undefined;
  return {
    ...(search !== "" && { search }),
    ...(STUDY_STATES.some((one) => one === state) && { state: state as StudyState }),
    ...(model !== "" && { model }),
    ...(destination !== "" && { destination }),
    ...(within && { since: now - within.ms }),
  };
}

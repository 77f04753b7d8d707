/**
 * Whether a model is there and is what the config takes it for; nothing of a patient is sent.
 *
 * In:   a model.
 * Out:  ready, busy, or what is wrong.
 *
 * Where the config names a health path, its answer counts; else it is only told that something speaks HTTP there. A
 * server of the Open Inference Protocol also says what its tensors are called, and is held to that.
 */
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import { ModelClient, type Reply } from "./client.ts";
import { Conversation } from "./conversation.ts";
import { scalarAt } from "./json.ts";
import type { Exchange, KserveRequest, Model } from "./model.ts";
import { bytesOf } from "./request.ts";
import { type SecretSettings, Secrets } from "./secrets.ts";
import { parseModelUrl } from "./target.ts";

export interface Probed {
  readonly kind: "ready" | "busy" | "not-ready" | "unfit" | "away";
  /** For people. */
  readonly detail: string;
  readonly elapsedMs: number;
}

/** Whoever is well answers a question about its health sooner. */
const TIMEOUT_MS = 10_000;
const ANY_STATUS = Array.from({ length: 400 }, (_, n) => 200 + n);
const NOTHING = { ...bytesOf([]), mediaType: "application/octet-stream" };

export async function probeModel(
  model: Model,
  { clock, secrets }: { readonly clock: Clock; readonly secrets: SecretSettings },
): Promise<Probed> {
  await using client = new ModelClient(new Map(), clock);
  const topic = { model: { ...model, deadlineMs: TIMEOUT_MS }, file: NOTHING, values: new Map() };
  const signal = new AbortController().signal;
  const talk = new Conversation(topic, { client, secrets: new Secrets(secrets), clock }, { signal });
  const started = clock.elapsed();
  try {
    const found = await asked(model, talk);
    return { ...found, elapsedMs: Math.round(clock.elapsed() - started) };
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    const detail = error.message.replace(`Model ${model.name}: `, "");
    return { kind: "away", detail, elapsedMs: Math.round(clock.elapsed() - started) };
  }
}

type Found = Omit<Probed, "elapsedMs">;

async function asked(model: Model, talk: Conversation): Promise<Found> {
  const { health, request } = model;
  const reply = await talk.look(getOf(health?.path ?? "/"), { ok: ANY_STATUS });
  if (reply.status === 401 || reply.status === 403)
    return { kind: "unfit", detail: `HTTP ${reply.status}, credentials refused` };
  if (!health)
    return {
      kind: "ready",
      detail: `answers HTTP; without health in the config that is all there is to know`,
    };
  if (!health.ready.includes(reply.status)) return { kind: "not-ready", detail: `HTTP ${reply.status}` };
  const found = stateOf(reply, health.state);
  if (found.kind !== "ready" || request.format !== "kserve") return found;
  return (await unfit(model, request, talk)) ?? found;
}

function stateOf(reply: Reply, state: NonNullable<Model["health"]>["state"]): Found {
  if (!state) return { kind: "ready", detail: `HTTP ${reply.status}` };
  const value = scalarAt(reply.bytes, state.pointer);
  const detail = value === undefined ? `answer without ${state.pointer}` : `is ${value.slice(0, 40)}`;
  if (value !== undefined && state.ready.includes(value)) return { kind: "ready", detail };
  return { kind: value !== undefined && state.busy.includes(value) ? "busy" : "not-ready", detail };
}

interface Metadata {
  readonly inputs?: readonly {
    readonly name?: unknown;
    readonly datatype?: unknown;
    readonly shape?: unknown;
  }[];
  readonly outputs?: readonly { readonly name?: unknown }[];
}

/** Servers need not publish what their tensors are; one that does is held to it. */
async function unfit(model: Model, request: KserveRequest, talk: Conversation): Promise<Found | undefined> {
  const [, path] = /^(.*)\/infer\/?$/.exec(parseModelUrl(model.url)?.url.pathname ?? "") ?? [];
  if (path === undefined) return undefined;
  const reply = await talk.look(getOf(path), { ok: [200] });
  if (reply.status !== 200) return undefined;
  const { inputs = [], outputs = [] } = metadataIn(reply) ?? {};
  const names = (tensors: readonly { readonly name?: unknown }[]): string =>
    tensors.map(({ name }) => String(name)).join(", ");
  const wanted = [request.input, request.spacing, request.affine].filter((name) => name !== undefined);
  const missing = wanted.find((name) => !inputs.some((input) => input.name === name));
  if (missing !== undefined)
    return { kind: "unfit", detail: `has no input ${missing}, but ${names(inputs)}` };
  const image = inputs.find(({ name }) => name === request.input);
  if (image?.datatype !== request.datatype)
    return {
      kind: "unfit",
      detail: `input ${request.input} is ${String(image?.datatype)}, not ${request.datatype}`,
    };
  if (Array.isArray(image.shape) && image.shape.length !== request.layout.length)
    return {
      kind: "unfit",
      detail: `input ${request.input} has ${image.shape.length} axes, not ${request.layout}`,
    };
  const { output } = model.response;
  if (output !== undefined && !outputs.some(({ name }) => name === output))
    return { kind: "unfit", detail: `has no output ${output}, but ${names(outputs)}` };
  return undefined;
}

function metadataIn({ bytes }: Reply): Metadata | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as Metadata;
  } catch {
    return undefined; // it speaks another dialect; its health was all that was asked for
  }
}

function getOf(path: string): Exchange {
  return { method: "GET", path, headers: {}, ok: [], capture: {} };
}

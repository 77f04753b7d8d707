/**
 * All exchanges with one model about one volume: what was learnt in one is known in the next.
 *
 * In:   exchanges of a transport.
 * Out:  replies that are answers; what is none is thrown with its reason.
 *
 * Whoever runs a transport (transport.ts) needs nothing else: placeholders, credentials, limits, statuses and the
 * deadline are all dealt with here. A 401 is answered once with the secrets read anew, since tokens are rotated.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import { Lost, type ModelClient, type Reply } from "./client.ts";
import { scalarAt } from "./json.ts";
import type { BodyShape, Exchange, Json, Model } from "./model.ts";
import { type Body, bodyFor, carriesFile, type EncodedFile } from "./request.ts";
import type { Secrets } from "./secrets.ts";
import { EMPTY_HASH, signature } from "./sigv4.ts";
import { type Target, targetOf } from "./target.ts";
import { filled, namesIn, textsIn, type Values } from "./template.ts";
import { retryAfterMs, says, verdictOn } from "./verdict.ts";

/** The answer to a submission, a status, a step: not a result. */
const MAX_CONTROL_BYTES = 1024 * 1024;
/** How much of a refusal is repeated; cut once the secrets are out of it. */
const EXCERPT_CHARACTERS = 160;
/** A cancellation is a courtesy; it does not hold anybody up for longer. */
const CANCEL_TIMEOUT_MS = 10_000;
/** Answers to what is not the one synchronous call. */
const STEP_OK = [200, 201, 202, 204];

export interface Topic {
  readonly model: Model;
  readonly file: EncodedFile;
  /** Instead of what bodies say: the request of a protocol with a body of its own. */
  readonly ownBody?: Body;
  readonly values: ReadonlyMap<string, Json>;
}

export interface Means {
  readonly client: ModelClient;
  readonly secrets: Secrets;
  readonly clock: Clock;
}

/** A server that said when to come back. */
export class Busy extends NodeError {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(model: Model, status: number, retryAfterMs: number | undefined) {
    super("MODEL_BUSY", `Model ${model.name}: HTTP ${status}, busy`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface SayOptions {
  /** Which statuses are answers here, besides those of the model. */
  readonly ok?: readonly number[];
  /** The answer may be the result, and as large as one. */
  readonly isResult?: boolean;
  /** Less than the model may answer with. */
  readonly maxBytes?: number;
  /** Instead of the caller's, for what is said after it gave up. */
  readonly signal?: AbortSignal;
}

export class Conversation {
  readonly model: Model;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly deadline: AbortSignal;
  readonly #topic: Topic;
  readonly #means: Means;
  readonly #onSent: (() => void) | undefined;
  readonly #captured = new Map<string, Json>();
  #bytesSent = 0;
  #sendMs = 0;

  /** @param options.onSent  called whenever a body has been handed to the socket */
  constructor(
    topic: Topic,
    means: Means,
    options: { readonly signal: AbortSignal; readonly onSent?: () => void },
  ) {
    this.#onSent = options.onSent;
    this.model = topic.model;
    this.clock = means.clock;
    this.signal = options.signal;
    this.deadline = AbortSignal.timeout(topic.model.deadlineMs);
    this.#topic = topic;
    this.#means = means;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** Of the exchanges that carried the volume. */
  get sendMs(): number {
    return this.#sendMs;
  }

  /** @throws Busy; the codes of the client; MODEL_REJECTED; MODEL_INPUT_UNSUITABLE; SECRET_MISSING */
  async say(exchange: Exchange, options: SayOptions = {}): Promise<Reply> {
    const ok = [...(options.ok ?? STEP_OK), ...this.model.statuses.ok, ...exchange.ok];
    const reply = await this.#sendWithNewSecrets(exchange, { ...options, ok });
    const verdict = verdictOn(reply.status, { ok, busy: this.model.statuses.busy });
    if (verdict.kind === "busy") throw this.#busy(reply);
    if (verdict.kind === "failed") {
      const said =
        reply.said === "" ? "" : `: ${this.#means.secrets.redacted(reply.said).slice(0, EXCERPT_CHARACTERS)}`;
      throw this.#failure(verdict.code, `HTTP ${reply.status}, ${verdict.why}${said}`);
    }
    const { busyIf, failedIf } = this.model.response;
    if (says(reply.bytes, busyIf)) throw this.#busy(reply);
    if (says(reply.bytes, failedIf))
      throw this.#failure("MODEL_FAILED", `HTTP ${reply.status}, but its answer says that it failed`);
    this.#capture(exchange, reply);
    return reply;
  }

  /** Like `say`, but any status is told and nothing of it judged. */
  async look(exchange: Exchange, options: SayOptions = {}): Promise<Reply> {
    return this.#sendWithNewSecrets(exchange, options);
  }

  /** A text with what is known by now in it; of secrets nothing is. */
  text(template: string): string {
    return filled(template, (name) => this.#value(name));
  }

  /** What an answer refers to; headers and credentials go along to the model's own origin only. */
  async fetch(reference: string, maxBytes: number): Promise<Reply> {
    const exchange = { method: "GET", path: "${reference}", headers: {}, ok: [], capture: {} } as const;
    this.#captured.set("reference", reference);
    return this.say(exchange, { ok: [200], isResult: true, maxBytes });
  }

  /** Tells the server that nobody waits any more; @returns once it said so, or would not. */
  async cancel(exchange: Exchange | undefined): Promise<void> {
    if (!exchange) return;
    const signal = AbortSignal.timeout(CANCEL_TIMEOUT_MS);
    await this.#send(exchange, { signal }).catch(() => undefined); // it may have ended by itself
  }

  /** @throws Lost MODEL_TIMED_OUT, or the caller's reason, once there is no time left */
  checkTime(): void {
    this.signal.throwIfAborted();
    if (!this.deadline.aborted) return;
    const message = `Model ${this.model.name}: no answer within ${this.model.deadlineMs} ms`;
    throw new Lost("MODEL_TIMED_OUT", message, { mayWork: true });
  }

  async #sendWithNewSecrets(exchange: Exchange, options: SayOptions): Promise<Reply> {
    const reply = await this.#send(exchange, options);
    if (reply.status !== 401) return reply;
    const changed = await this.#means.secrets.reload(secretsOf(this.model));
    return changed ? this.#send(exchange, options) : reply;
  }

  async #send(exchange: Exchange, options: SayOptions): Promise<Reply> {
    const { client, secrets } = this.#means;
    const named = await Promise.all(
      secretsOf(this.model).map(async (name) => [`secret:${name}`, await secrets.valueOf(name)] as const),
    );
    const hidden = new Map<string, string>(named);
    const values: Values = (name) => this.#value(name) ?? hidden.get(name);
    const target = targetOf(this.model, pathOf(exchange.path, values));
    const body = this.#bodyOf(exchange, values);
    const largest = this.model.limits.requestBytes;
    if (body && largest !== undefined && body.length > largest)
      throw this.#failure("MODEL_INPUT_UNSUITABLE", `request of ${body.length} bytes, it takes ${largest}`);
    const headers = this.#headersFor(exchange, { target, values, body });
    const { model, deadline } = this;
    const reply = await client.exchange({
      model,
      target,
      method: exchange.method,
      headers,
      body: body && this.#onSent ? followed(body, this.#onSent) : body,
      maxBytes: Math.min(
        options.maxBytes ?? Infinity,
        options.isResult ? Infinity : MAX_CONTROL_BYTES,
        model.response.maxBytes,
      ),
      isWanted: (status) => options.ok?.includes(status) ?? status === 200,
      signal: options.signal ?? this.signal,
      deadline: options.signal ?? deadline,
    });
    this.#bytesSent += body?.length ?? 0;
    this.#sendMs += body ? reply.sendMs : 0;
    return reply;
  }

  #value(name: string): Json | undefined {
    const { values } = this.#topic;
    if (name.startsWith("param:")) return this.model.params[name.slice("param:".length)];
    return values.get(name) ?? this.#captured.get(name);
  }

  #bodyOf(exchange: Exchange, values: Values): Body | undefined {
    const { file, ownBody } = this.#topic;
    const shape: BodyShape = exchange.body ?? { kind: "none" };
    return ownBody && carriesFile(shape) ? ownBody : bodyFor(shape, file, values);
  }

  #headersFor(
    exchange: Exchange,
    to: { readonly target: Target; readonly values: Values; readonly body: Body | undefined },
  ): Readonly<Record<string, string>> {
    const { target, values, body } = to;
    const { auth, headers } = this.model;
    const written = { ...(target.isOwn && headers), ...exchange.headers };
    const own = Object.fromEntries(
      Object.entries(written).map(([name, value]) => [name.toLowerCase(), filled(value, values)]),
    );
    if (auth?.kind === "bearer" && target.isOwn)
      return { ...own, authorization: `Bearer ${filled(auth.token, values)}` };
    if (auth?.kind !== "sigv4") return own;
    const { accessKey, secretKey, sessionToken, region } = auth;
    const credentials = {
      accessKey: filled(accessKey, values),
      secretKey: filled(secretKey, values),
      ...(sessionToken !== undefined && { sessionToken: filled(sessionToken, values) }),
      region,
      service: exchange.service ?? auth.service,
    };
    const all = { ...body?.headers, ...own };
    const isLarge = body !== undefined && carriesFile(exchange.body ?? { kind: "none" });
    const hash = body ? (isLarge ? undefined : hashOf(body)) : EMPTY_HASH;
    const request = {
      method: exchange.method,
      url: target.url,
      headers: all,
      ...(hash !== undefined && { payloadHash: hash }),
    };
    return { ...own, ...signature(request, credentials, this.clock.now()) };
  }

  #capture({ capture }: Exchange, reply: Reply): void {
    for (const [name, pointer] of Object.entries(capture)) {
      const value = scalarAt(reply.bytes, pointer);
      if (value === undefined) throw this.#failure("MODEL_ANSWER_INVALID", `answer without ${pointer}`);
      this.#captured.set(name, value);
    }
  }

  #busy({ status, headers }: Reply): Busy {
    const asked = retryAfterMs(headers.get("retry-after"), this.clock.now());
    const capped = asked === undefined ? undefined : Math.min(asked, this.model.limits.retryAfterMs);
    return new Busy(this.model, status, capped);
  }

  #failure(code: NodeError["code"], what: string): NodeError {
    return new NodeError(code, `Model ${this.model.name}: ${what}`);
  }
}

/** Whole captured URLs stay as they are; values within a path are encoded. */
function pathOf(path: string, values: Values): string {
  const isWhole = /^\$\{[^{}]*\}$/.test(path);
  return filled(path, values, isWhole ? String : encodeURIComponent);
}

/** By name, all that a model may need. */
function secretsOf({ headers, auth, request, transport }: Model): readonly string[] {
  const names = textsIn([headers, auth, request, transport]).flatMap(namesIn);
  const secrets = names
    .filter((name) => name.startsWith("secret:"))
    .map((name) => name.slice("secret:".length));
  return [...new Set(secrets)];
}

function followed(body: Body, onSent: () => void): Body {
  return {
    ...body,
    *chunks() {
      yield* body.chunks();
      onSent();
    },
  };
}

function hashOf(body: Body): string {
  const hash = createHash("sha256");
  for (const chunk of body.chunks()) hash.update(chunk);
  return hash.digest("hex");
}

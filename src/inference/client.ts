/**
 * One POST to one model, from the first byte sent to the last byte received. The only owner of undici.
 *
 * In:   a model, a body.
 * Out:  the bytes of the answer, "busy", or a NodeError that says what went wrong.
 *
 * Each origin has its own pool, always named explicitly: undici's global dispatcher may be another undici. The
 * time-outs of undici count silence, not the whole, and a model is silent for minutes; so they are off, and the
 * deadline of the model stands for all. A connection is used once: servers close idle ones after 2 to 5 s,
 * and a POST that meets such a close is lost, while a new connection costs nothing beside an inference.
 */
import { Readable } from "node:stream";
import { Pool } from "undici";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { Model } from "./model.ts";
import type { Body } from "./request.ts";
import { retryAfterMs, verdictOn } from "./verdict.ts";

export interface Answer {
  readonly kind: "answered";
  /** In a SharedArrayBuffer. */
  readonly bytes: Uint8Array;
  /** One value per header, lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** From the start to the last piece handed to the socket. */
  readonly sendMs: number;
  /** From there to the last byte of the answer. */
  readonly serverMs: number;
}

export type Outcome =
  | Answer
  | { readonly kind: "busy"; readonly status: number; readonly retryAfterMs: number | undefined };

const CONNECT_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 64 * 1024;
/** How much of a refusal is read, and repeated in the message. */
const EXCERPT_BYTES = 1024;
const EXCERPT_CHARACTERS = 160;

export class ModelClient implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #pools: ReadonlyMap<string, Pool>;

  /** @param connections  by origin, how many requests may be under way at once */
  constructor(connections: ReadonlyMap<string, number>, clock: Clock) {
    this.#clock = clock;
    this.#pools = new Map(
      [...connections].map(([origin, count]) => [
        origin,
        new Pool(origin, {
          connections: count,
          pipelining: 1,
          allowH2: false,
          headersTimeout: 0,
          bodyTimeout: 0,
          maxHeaderSize: MAX_HEADER_BYTES,
          connect: { timeout: CONNECT_TIMEOUT_MS },
        }),
      ]),
    );
  }

  /**
   * Settles when the answer is read or the connection is closed, so a slot held around it is not freed too early.
   *
   * @throws MODEL_UNAVAILABLE, MODEL_TIMED_OUT, MODEL_REJECTED, MODEL_ANSWER_INVALID, MODEL_ANSWER_TOO_LARGE
   * @throws the signal's reason
   */
  async post(model: Model, body: Body, options: { readonly signal: AbortSignal }): Promise<Outcome> {
    const url = new URL(model.url);
    const pool = this.#pools.get(url.origin);
    if (!pool) throw new Error(`bug: no connections for model ${model.name}`);
    const started = this.#clock.elapsed();
    const sent = { bytes: 0, ms: 0 };
    const clock = this.#clock;
    function* counted(): Generator<Uint8Array> {
      for (const chunk of body.chunks()) {
        sent.bytes += chunk.length;
        sent.ms = clock.elapsed() - started;
        yield chunk;
      }
    }
    const deadline = AbortSignal.timeout(model.deadlineMs);
    const signal = AbortSignal.any([options.signal, deadline]);
    try {
      const response = await pool.request({
        method: "POST",
        path: url.pathname + url.search,
        headers: {
          accept: "*/*",
          "accept-encoding": "identity",
          ...model.headers,
          ...body.headers,
          "content-length": String(body.length),
        },
        body: Readable.from(counted(), { objectMode: false }),
        reset: true,
        signal,
      });
      const headers = singleValues(response.headers);
      const verdict = verdictOn(response.statusCode);
      if (verdict.kind === "answered") {
        const bytes = await readAll(response.body, headers, model);
        if (sent.bytes < body.length)
          throw failure(model, "MODEL_ANSWER_INVALID", "answered before it had the volume");
        return {
          kind: "answered",
          bytes,
          headers,
          sendMs: sent.ms,
          serverMs: clock.elapsed() - started - sent.ms,
        };
      }
      const said = await excerpt(response.body);
      if (verdict.kind === "failed") {
        throw failure(model, verdict.code, `HTTP ${response.statusCode}, ${verdict.why}${said}`);
      }
      const wait = retryAfterMs(headers.get("retry-after"), clock.now());
      return { kind: "busy", status: response.statusCode, retryAfterMs: wait };
    } catch (error) {
      options.signal.throwIfAborted(); // the node is stopping; the model is not to blame
      if (error instanceof NodeError) throw error;
      if (deadline.aborted)
        throw failure(model, "MODEL_TIMED_OUT", `no answer within ${model.deadlineMs} ms`, error);
      throw networkFailure(
        model,
        error,
        sent.bytes < body.length ? `${sent.bytes} of ${body.length} bytes sent` : "",
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }
}

/** Memory grows with what arrives, not with what is announced; growing in place, nothing is copied twice. */
async function readAll(
  body: Readable,
  headers: ReadonlyMap<string, string>,
  model: Model,
): Promise<Uint8Array> {
  const { maxBytes } = model.response;
  const announced = headers.get("content-length");
  if (Number(announced) > maxBytes) throw tooLarge(body, model, `announces ${announced}`);
  const most = announced === undefined ? maxBytes : Number(announced);
  const shared = new SharedArrayBuffer(0, { maxByteLength: most });
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    const needed = length + chunk.length;
    if (needed > maxBytes) throw tooLarge(body, model, "has more");
    if (needed > shared.byteLength) shared.grow(Math.min(most, Math.max(needed, 2 * shared.byteLength)));
    new Uint8Array(shared, length, chunk.length).set(chunk);
    length = needed;
  }
  return new Uint8Array(shared, 0, length);
}

function tooLarge(body: Readable, model: Model, what: string): NodeError {
  body.destroy();
  return failure(
    model,
    "MODEL_ANSWER_TOO_LARGE",
    `answer ${what} bytes where ${model.response.maxBytes} are allowed`,
  );
}

/**
 * The beginning of what a server says with a refusal, for the person who has to find out why. It is the server's
 * own text: what was sent holds no patient data that it could repeat, and only printable ASCII passes.
 */
async function excerpt(body: Readable): Promise<string> {
  let text = "";
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk.subarray(0, EXCERPT_BYTES)).toString("latin1");
    if (text.length >= EXCERPT_BYTES) break; // leaving the loop destroys the body and its connection
  }
  const line = text.replaceAll(/[^\x21-\x7e]+/g, " ").trim();
  return line === "" ? "" : `: ${line.slice(0, EXCERPT_CHARACTERS)}`;
}

function networkFailure(model: Model, error: unknown, progress: string): NodeError {
  const { code = "", message = "unknown" } = error as { readonly code?: string; readonly message?: string };
  if (code.startsWith("HPE_")) return failure(model, "MODEL_ANSWER_INVALID", `not HTTP (${code})`, error);
  const hint = progress === "" ? "" : `; ${progress}, the server may refuse bodies of this size`;
  const name = code === "" ? message : code;
  return failure(model, "MODEL_UNAVAILABLE", `connection failed (${name})${hint}`, error);
}

function failure(model: Model, code: NodeError["code"], what: string, cause?: unknown): NodeError {
  return new NodeError(code, `Model ${model.name}: ${what}`, { cause });
}

function singleValues(headers: Record<string, string | string[] | undefined>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value] as const],
    ),
  );
}

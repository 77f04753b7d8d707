/**
 * One request to one model, from the first byte sent to the last byte received. The only owner of undici.
 *
 * In:   a model, where to, a body.
 * Out:  status, headers and bytes of the answer, or a NodeError that says what went wrong.
 * May:  read the files of the model's TLS settings.
 *
 * Each model has its own pool per origin, always named explicitly: undici's global dispatcher may be another undici.
 * The time-outs of undici count silence, not the whole, and a model is silent for minutes; so they are off, and the
 * deadline of the caller stands for all. A connection is used once: servers close idle ones after 2 to 5 s,
 * and a POST that meets such a close is lost, while a new connection costs nothing beside an inference.
 */
import { readFile, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { Pool } from "undici";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { Exchange, Model, TlsFiles } from "./model.ts";
import type { Body } from "./request.ts";
import type { Target } from "./target.ts";

export interface Call {
  readonly model: Model;
  readonly target: Target;
  readonly method: Exchange["method"];
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body | undefined;
  /** Largest answer taken. */
  readonly maxBytes: number;
  /** Whether the body of an answer with this status is wanted; of others a line is kept. */
  readonly isWanted: (status: number) => boolean;
  /** Of the caller; its reason is thrown. */
  readonly signal: AbortSignal;
  /** The end of the time that the model has. */
  readonly deadline: AbortSignal;
}

export interface Reply {
  readonly status: number;
  /** One value per header, lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** In a SharedArrayBuffer; empty where it was not wanted. */
  readonly bytes: Uint8Array;
  /** The beginning of what was not wanted, one printable line. */
  readonly said: string;
  /** From the start to the last piece handed to the socket. */
  readonly sendMs: number;
  /** From there to the last byte of the answer. */
  readonly serverMs: number;
}

/** A connection that broke, or a deadline that passed. */
export class Lost extends NodeError {
  /** The server had the whole request, and may still be at work. */
  readonly mayWork: boolean;

  constructor(
    code: NodeError["code"],
    message: string,
    options: ErrorOptions & { readonly mayWork: boolean },
  ) {
    super(code, message, options);
    this.mayWork = options.mayWork;
  }
}

const CONNECT_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 64 * 1024;
/** How much of a refusal is read. */
const EXCERPT_BYTES = 1024;

export class ModelClient implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #connections: ReadonlyMap<string, number>;
  readonly #pools = new Map<string, Promise<Pool>>();

  /** @param connections  by model, how many requests may be under way at once; 4 if it says nothing */
  constructor(connections: ReadonlyMap<string, number>, clock: Clock) {
    this.#clock = clock;
    this.#connections = connections;
  }

  /**
   * Settles when the answer is read or the connection is closed, so a slot held around it is not freed too early.
   *
   * @throws MODEL_UNAVAILABLE, MODEL_TIMED_OUT, MODEL_ANSWER_INVALID, MODEL_ANSWER_TOO_LARGE; SECRET_MISSING
   * @throws the signal's reason
   */
  async exchange(call: Call): Promise<Reply> {
    const { model, target, method, body, headers: own } = call;
    const pool = await this.#poolFor(model, target);
    const started = this.#clock.elapsed();
    const elapsed = (): number => this.#clock.elapsed() - started;
    const sent = { bytes: 0, ms: 0, length: body?.length ?? 0 };
    const signal = AbortSignal.any([call.signal, call.deadline]);
    try {
      const response = await pool.request({
        method,
        path: target.url.pathname + target.url.search,
        headers: {
          accept: "*/*",
          "accept-encoding": "identity",
          ...body?.headers,
          ...own,
          ...(body && { "content-length": String(body.length) }),
        },
        body: body ? Readable.from(counted(body, sent, elapsed), { objectMode: false }) : null,
        reset: true,
        signal,
      });
      const { statusCode: status } = response;
      const headers = singleValues(response.headers);
      if (!call.isWanted(status)) {
        const said = await excerpt(response.body);
        return { status, headers, bytes: NOTHING, said, sendMs: sent.ms, serverMs: elapsed() - sent.ms };
      }
      const bytes = await readAll(response.body, headers, call);
      if (sent.bytes < sent.length)
        throw failure(model, "MODEL_ANSWER_INVALID", "answered before it had the volume");
      return { status, headers, bytes, said: "", sendMs: sent.ms, serverMs: elapsed() - sent.ms };
    } catch (error) {
      call.signal.throwIfAborted(); // the node is stopping; the model is not to blame
      if (error instanceof NodeError) throw error;
      const isWhole = sent.bytes >= sent.length;
      if (call.deadline.aborted)
        throw new Lost("MODEL_TIMED_OUT", `Model ${model.name}: no answer within ${model.deadlineMs} ms`, {
          cause: error,
          mayWork: isWhole,
        });
      throw networkFailure(model, error, isWhole ? undefined : `${sent.bytes} of ${sent.length} bytes sent`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pools = await Promise.allSettled(this.#pools.values());
    await Promise.all(pools.flatMap((made) => (made.status === "fulfilled" ? [made.value.close()] : [])));
  }

  /** Another pool once a certificate on disk is another: they are renewed while the node runs. */
  async #poolFor({ name, tls }: Model, { url, socketPath }: Target): Promise<Pool> {
    const files = url.protocol === "https:" ? tls : undefined;
    const key = [name, url.origin, socketPath, ...(await writtenAt(name, files))].join(" ");
    const known = this.#pools.get(key);
    if (known) return known;
    const made = this.#open(name, url.origin, { files, socketPath });
    this.#pools.set(key, made);
    made.catch(() => this.#pools.delete(key));
    return made;
  }

  async #open(
    name: string,
    origin: string,
    { files, socketPath }: { readonly files: TlsFiles | undefined; readonly socketPath: string | undefined },
  ): Promise<Pool> {
    const pem = await pemOf(name, files);
    return new Pool(origin, {
      connections: this.#connections.get(name) ?? 4,
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEADER_BYTES,
      connect: { timeout: CONNECT_TIMEOUT_MS, ...pem, ...(socketPath !== undefined && { socketPath }) },
    });
  }
}

const NOTHING = new Uint8Array(new SharedArrayBuffer(0));

function* counted(
  body: Body,
  sent: { bytes: number; ms: number },
  elapsed: () => number,
): Generator<Uint8Array> {
  for (const chunk of body.chunks()) {
    sent.bytes += chunk.length;
    sent.ms = elapsed();
    yield chunk;
  }
}

async function writtenAt(name: string, files: TlsFiles | undefined): Promise<readonly number[]> {
  if (!files) return [];
  const paths = [files.ca, files.cert, files.key].filter((path) => path !== undefined);
  return Promise.all(paths.map(async (path) => (await orUnreadable(name, stat(path))).mtimeMs));
}

async function pemOf(name: string, files: TlsFiles | undefined) {
  if (!files) return {};
  const { servername } = files;
  const read = async (path: string | undefined) =>
    path === undefined ? undefined : orUnreadable(name, readFile(path));
  const [ca, cert, key] = await Promise.all([read(files.ca), read(files.cert), read(files.key)]);
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), ...(servername && { servername }) };
}

async function orUnreadable<T>(model: string, read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (cause) {
    const { code = "unknown" } = cause as NodeJS.ErrnoException;
    const message = `Model ${model}: a file of its tls settings cannot be read (${code})`;
    throw new NodeError("SECRET_MISSING", message, { cause });
  }
}

/** Memory grows with what arrives, not with what is announced; growing in place, nothing is copied twice. */
async function readAll(
  body: Readable,
  headers: ReadonlyMap<string, string>,
  { model, maxBytes }: Call,
): Promise<Uint8Array> {
  const announced = headers.get("content-length");
  if (Number(announced) > maxBytes) throw tooLarge(body, model, { what: `announces ${announced}`, maxBytes });
  const most = announced === undefined ? maxBytes : Number(announced);
  const shared = new SharedArrayBuffer(0, { maxByteLength: most });
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    const needed = length + chunk.length;
    if (needed > maxBytes) throw tooLarge(body, model, { what: "has more", maxBytes });
    if (needed > shared.byteLength) shared.grow(Math.min(most, Math.max(needed, 2 * shared.byteLength)));
    new Uint8Array(shared, length, chunk.length).set(chunk);
    length = needed;
  }
  return new Uint8Array(shared, 0, length);
}

function tooLarge(
  body: Readable,
  model: Model,
  { what, maxBytes }: { readonly what: string; readonly maxBytes: number },
): NodeError {
  body.destroy();
  return failure(model, "MODEL_ANSWER_TOO_LARGE", `answer ${what} bytes where ${maxBytes} are allowed`);
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
  return text.replaceAll(/[^\x21-\x7e]+/g, " ").trim();
}

function networkFailure(model: Model, error: unknown, progress: string | undefined): NodeError {
  const { code = "", message = "unknown" } = error as { readonly code?: string; readonly message?: string };
  if (code.startsWith("HPE_")) return failure(model, "MODEL_ANSWER_INVALID", `not HTTP (${code})`, error);
  const hint = progress === undefined ? "" : `; ${progress}, the server may refuse bodies of this size`;
  const mayWork = progress === undefined && !NEVER_CONNECTED.has(code);
  const what = `Model ${model.name}: connection failed (${code === "" ? message : code})${hint}`;
  return new Lost("MODEL_UNAVAILABLE", what, { cause: error, mayWork });
}

const NEVER_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "ENOENT",
]);

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

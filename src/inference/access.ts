/**
 * What models may reach at the node: files to fetch, and a place to call back to. Off unless a model needs it.
 *
 * In:   an address to listen on, files, waits for a call back.
 * Out:  URLs, each for one file or one call back of one job.
 * May:  listen on that address and nowhere else.
 *
 * A URL holds 256 random bits and is forgotten with its job, or when its time is over; so it needs no signature, and
 * a copy of it is worth nothing later. Whatever else is asked for is 404: nobody learns what there was.
 *
 *   GET, HEAD  /volume/TOKEN/NAME   the file, whole or one range of it (RFC 9110 14.2)
 *   POST, PUT  /call-back/TOKEN     taken once it is read whole
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { EncodedFile } from "./request.ts";
import type { Hook } from "./transport.ts";

export interface AccessSettings {
  readonly host: string;
  readonly port: number;
  /** How models reach that address; by default http://host:port. */
  readonly url?: string;
}

export interface Link extends Disposable {
  readonly url: string;
}

interface Terms {
  readonly lifetimeMs: number;
}

interface Published {
  readonly file: EncodedFile;
  readonly until: number;
}

interface Awaited {
  readonly until: number;
  readonly maxBytes: number;
  readonly received: (body: Uint8Array) => void;
}

/** A call back with a result in it takes as long as its upload. */
const REQUEST_TIMEOUT_MS = 3_600_000;
const MAX_CONNECTIONS = 256;
/** Call backs that nobody has looked at yet; servers repeat themselves. */
const MAX_WAITING = 16;

export class ModelAccess implements AsyncDisposable {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #url: string;
  readonly #published = new Map<string, Published>();
  readonly #awaited = new Map<string, Awaited>();

  private constructor(server: Server, url: string, clock: Clock) {
    this.#server = server;
    this.#url = url;
    this.#clock = clock;
  }

  /** @throws NodeError LISTEN_FAILED */
  static async open(settings: AccessSettings, clock: Clock): Promise<ModelAccess> {
    const { host } = settings;
    const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS });
    server.maxConnections = MAX_CONNECTIONS;
    server.listen(settings.port, host);
    await once(server, "listening").catch((cause: unknown) => {
      const { code = "unknown" } = cause as NodeJS.ErrnoException;
      throw new NodeError("LISTEN_FAILED", `Model access on ${host}:${settings.port}: ${code}`, { cause });
    });
    const { port } = server.address() as AddressInfo;
    const named = host.includes(":") ? `[${host}]` : host;
    const url = settings.url ?? `http://${named}:${port}`;
    const access = new ModelAccess(server, url.replace(/\/$/, ""), clock);
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      response.on("error", () => {}); // the model went away; that is its own business
      access.#answer(request, response).catch(() => response.destroy());
    });
    return access;
  }

  /** @param name  of the file; some models choose the reader by its ending */
  publish(file: EncodedFile, { name, lifetimeMs }: Terms & { readonly name: string }): Link {
    const token = newToken();
    this.#published.set(token, { file, until: this.#clock.elapsed() + lifetimeMs });
    return {
      url: `${this.#url}/volume/${token}/${name}`,
      [Symbol.dispose]: () => void this.#published.delete(token),
    };
  }

  expectCallBack({
    lifetimeMs,
    maxBytes,
  }: Terms & { readonly maxBytes: number }): Link & { readonly hook: Hook } {
    const token = newToken();
    const bodies: Uint8Array[] = [];
    let wake: (() => void) | undefined;
    const received = (body: Uint8Array): void => {
      if (bodies.length < MAX_WAITING) bodies.push(body);
      wake?.();
    };
    this.#awaited.set(token, { until: this.#clock.elapsed() + lifetimeMs, maxBytes, received });
    const next: Hook["next"] = async ({ signal }) => {
      for (;;) {
        signal.throwIfAborted();
        const body = bodies.shift();
        if (body) return body;
        const called = Promise.withResolvers<void>();
        wake = called.resolve;
        signal.addEventListener("abort", wake, { once: true });
        await called.promise;
        signal.removeEventListener("abort", wake);
      }
    };
    return {
      url: `${this.#url}/call-back/${token}`,
      hook: { next },
      [Symbol.dispose]: () => void this.#awaited.delete(token),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, kind, token = "", ...rest] = (request.url ?? "").split("?")[0]!.split("/");
    const now = this.#clock.elapsed();
    if (kind === "volume" && rest.length === 1) {
      const published = this.#published.get(token);
      if (published && now < published.until) return serve(published.file, request, response);
    }
    if (kind === "call-back" && rest.length === 0) {
      const awaited = this.#awaited.get(token);
      if (awaited && now < awaited.until) return take(awaited, request, response);
    }
    refuse(response, 404);
  }
}

async function serve(file: EncodedFile, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD")
    return refuse(response, 405, { allow: "GET, HEAD" });
  const range = rangeOf(request.headers.range, file.length);
  if (range === "unsatisfiable") return refuse(response, 416, { "content-range": `bytes */${file.length}` });
  const { from, to } = range ?? { from: 0, to: file.length };
  response.writeHead(range ? 206 : 200, {
    "content-type": file.mediaType,
    "content-length": to - from,
    "accept-ranges": "bytes",
    "cache-control": "no-store",
    ...(range && { "content-range": `bytes ${from}-${to - 1}/${file.length}` }),
  });
  if (request.method === "HEAD") return void response.end();
  await pipeline(Readable.from(cut(file, from, to), { objectMode: false }), response);
}

async function take(awaited: Awaited, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== "POST" && request.method !== "PUT")
    return refuse(response, 405, { allow: "POST, PUT" });
  const { maxBytes } = awaited;
  if (Number(request.headers["content-length"]) > maxBytes) return refuse(response, 413);
  const shared = new SharedArrayBuffer(0, { maxByteLength: maxBytes });
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    const needed = length + chunk.length;
    if (needed > maxBytes) return refuse(response, 413);
    if (needed > shared.byteLength) shared.grow(Math.min(maxBytes, Math.max(needed, 2 * shared.byteLength)));
    new Uint8Array(shared, length, chunk.length).set(chunk);
    length = needed;
  }
  awaited.received(new Uint8Array(shared, 0, length));
  response.writeHead(200, { "content-length": 0 }).end();
}

function refuse(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-length": 0, connection: "close", ...headers }).end();
}

/** One range; several at once may be answered with the whole (RFC 9110 14.2). */
function rangeOf(
  header: string | undefined,
  length: number,
): { readonly from: number; readonly to: number } | "unsatisfiable" | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const from = first === "" ? Math.max(0, length - Number(last)) : Number(first);
  const to = first === "" || last === "" ? length : Math.min(length, Number(last) + 1);
  return from < to ? { from, to } : "unsatisfiable";
}

function* cut(file: EncodedFile, from: number, to: number): Generator<Uint8Array> {
  let at = 0;
  for (const chunk of file.chunks()) {
    const piece = chunk.subarray(Math.max(0, from - at), Math.max(0, to - at));
    at += chunk.length;
    if (piece.length > 0) yield piece;
    if (at >= to) return;
  }
}

function newToken(): string {
  return randomBytes(32).toString("base64url");
}

/**
 * Stands for a model: an HTTP server on 127.0.0.1 that does what a script says, request by request.
 *
 * It remembers every request with the sha256 of its body, how many were under way at once, and when a client
 * went away. It never sleeps: an answer that comes late waits for a promise or, for a service time, for `afterMs`.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

interface Received {
  /** From 0, in order of arrival. */
  readonly number: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: number;
  readonly sha256: string;
  /** Empty where the double was told not to keep bodies. */
  readonly body: Uint8Array;
  readonly arrivedMs: number;
}

export type Reply =
  /** A whole answer; `afterMs` stands for the time an inference takes. */
  | {
      readonly kind: "answer";
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array | string;
      readonly afterMs?: number;
    }
  /** Reads the request, then says nothing. */
  | { readonly kind: "silence" }
  /** Headers of a 200, then nothing. */
  | { readonly kind: "headers-only" }
  /** Headers of a 200, then a byte now and then for ever. */
  | { readonly kind: "trickle"; readonly everyMs: number }
  /** Headers of a 200 that announce all of `body`, the first `bytes` of it, then the connection breaks. */
  | { readonly kind: "cut"; readonly body: Uint8Array; readonly bytes: number; readonly chunked?: boolean }
  /** A 200 whose body goes on for as long as it is read, at most `bytes`. */
  | { readonly kind: "endless"; readonly bytes: number }
  /** These bytes on the wire, whether they are HTTP or not; then the end. */
  | { readonly kind: "wire"; readonly bytes: string };

/** What to do before any of the body is read; undefined: read it and ask the script. */
type Early = (path: string, number: number) => Reply | { readonly kind: "reset" } | undefined;

export type Script = (request: Received) => Reply | Promise<Reply>;

export interface ModelDouble extends AsyncDisposable {
  /** http://127.0.0.1:port */
  readonly origin: string;
  readonly requests: readonly Received[];
  /** Requests between their first byte and the end of their answer or connection. */
  readonly running: number;
  readonly mostAtOnce: number;
  /** Connections that ended before their answer was complete. */
  readonly lost: number;
  /** Resolves when a script has been asked so often. */
  asked(times: number): Promise<void>;
  /** Resolves when no request is under way. */
  idle(): Promise<void>;
}

export interface DoubleOptions {
  readonly early?: Early;
  readonly keepBodies?: boolean;
  /** Ms after which an idle connection is closed; default 5 s as in uvicorn. */
  readonly keepAliveMs?: number;
}

export async function startModelDouble(script: Script, options: DoubleOptions = {}): Promise<ModelDouble> {
  const requests: Received[] = [];
  const waiters: { readonly times: number; readonly resolve: () => void }[] = [];
  const idlers: (() => void)[] = [];
  const stopped = new AbortController();
  let arrivals = 0;
  let running = 0;
  let mostAtOnce = 0;
  let lost = 0;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const number = arrivals;
    arrivals += 1;
    running += 1;
    mostAtOnce = Math.max(mostAtOnce, running);
    response.once("close", () => {
      running -= 1;
      if (!response.writableFinished) lost += 1;
      if (running === 0) for (const resolve of idlers.splice(0)) resolve();
    });
    const path = request.url ?? "/";
    const early = options.early?.(path, number);
    if (early?.kind === "reset") return void request.socket.resetAndDestroy();
    if (early) return answer(early, response, stopped.signal);
    const received = await receive(request, number, options.keepBodies ?? true);
    requests.push(received);
    for (const { resolve } of waiters.filter(({ times }) => requests.length >= times)) resolve();
    await answer(await script(received), response, stopped.signal);
  }

  const server = createServer({ requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
    response.on("error", () => {});
    handle(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = options.keepAliveMs ?? 5000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  return {
    origin: `http://127.0.0.1:${port}`,
    requests,
    get running() {
      return running;
    },
    get mostAtOnce() {
      return mostAtOnce;
    },
    get lost() {
      return lost;
    },
    async asked(times) {
      if (requests.length >= times) return;
      await new Promise<void>((resolve) => waiters.push({ times, resolve }));
    },
    async idle() {
      if (running > 0) await new Promise<void>((resolve) => idlers.push(resolve));
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function receive(request: IncomingMessage, number: number, keep: boolean): Promise<Received> {
  const arrivedMs = performance.now();
  const hash = createHash("sha256");
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    bytes += chunk.length;
    if (keep) chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const { method = "", headers, url = "/" } = request;
  return { number, method, path: url, headers, bytes, sha256: hash.digest("hex"), body, arrivedMs };
}

async function answer(reply: Reply, response: ServerResponse, signal: AbortSignal): Promise<void> {
  switch (reply.kind) {
    case "answer": {
      if (reply.afterMs) await delay(reply.afterMs, undefined, { signal });
      const body =
        typeof reply.body === "string" ? Buffer.from(reply.body) : (reply.body ?? new Uint8Array());
      response.writeHead(reply.status ?? 200, { "content-length": body.length, ...reply.headers });
      response.end(body);
      return;
    }
    case "silence":
      return;
    case "headers-only":
      response.writeHead(200, { "content-length": 1000 });
      response.flushHeaders();
      return;
    case "trickle":
      response.writeHead(200);
      while (!response.destroyed) {
        response.write("x");
        await delay(reply.everyMs, undefined, { signal });
      }
      return;
    case "cut": {
      const length = reply.chunked ? {} : { "content-length": reply.body.length };
      response.writeHead(200, length);
      response.write(reply.body.subarray(0, reply.bytes), () => response.socket?.end());
      return;
    }
    case "endless": {
      response.writeHead(200);
      const piece = Buffer.alloc(64 * 1024);
      for (let sent = 0; sent < reply.bytes && !response.destroyed; sent += piece.length) {
        if (!response.write(piece)) await Promise.race([once(response, "drain"), once(response, "close")]);
      }
      response.end();
      return;
    }
    case "wire":
      response.socket?.end(reply.bytes);
      return;
  }
}

/**
 * One demo model as a process of its own, with the REST API of its kind.
 *
 *   node src/demo/models/server.ts --model bone [--port 0] [--host 127.0.0.1] [--think 8000]
 *
 * Says {"model":…,"port":…} on standard output when it is ready. It computes for real, which takes a second or
 * three; but it answers --think ms after a request's turn has come, as long as the graphics card of a real model would
 * be busy. Ends on SIGTERM and SIGINT, and when its standard input does, so that it never outlives who started it.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { constants, setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { isModelName, MODELS, type ModelName } from "./models.ts";
import { BadRequest } from "./scan.ts";
import type { Outcome, Work } from "./segment.ts";

/** Larger requests are answered 413. */
const MAX_BODY_BYTES = 1024 * 1024 * 1024;
/** One at a time, like a card with room for one volume; so many may wait, the rest is answered 503. */
const MAX_WAITING = 4;
/** Of our modules: source, or compiled for a package. */
const EXTENSION = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "0" },
    think: { type: "string", default: "0" },
  },
});
const { model } = options;
if (model === undefined || !isModelName(model)) {
  process.stderr.write(`--model must be one of ${Object.keys(MODELS).join(", ")}\n`);
  process.exit(2);
}
// A real model computes on another machine; here it must not take the node's share of the cores.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
await serve(model, { host: options.host, port: Number(options.port), thinkMs: Number(options.think) });

async function serve(
  name: ModelName,
  { host, port, thinkMs }: { readonly host: string; readonly port: number; readonly thinkMs: number },
): Promise<void> {
  let busy = Promise.resolve();
  let pending = 0;
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    void handle(request, response).catch((error: unknown) => fail(response, error));
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, documents } = MODELS[name];
    const asked = new URL(request.url ?? "/", "http://localhost").pathname;
    const document = asked === "/health" ? { status: "ok", model: name, pending } : documents[asked];
    if (document) return json(response, 200, document);
    if (asked !== path) throw new BadRequest(404, "no such path");
    if (request.method !== "POST") throw new BadRequest(405, "POST is needed");
    if (pending > MAX_WAITING) {
      response.setHeader("retry-after", "1");
      throw new BadRequest(503, "busy");
    }
    pending += 1;
    const before = busy;
    const turn = Promise.withResolvers<void>();
    busy = turn.promise;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      const body = await bodyOf(request);
      await before;
      const arrived = performance.now();
      const outcome = await inThread({ model: name, body, headers: request.headers }, gone.signal);
      if (outcome.kind === "bad") throw new BadRequest(outcome.status, outcome.message);
      const rest = Math.max(0, arrived + thinkMs - performance.now());
      await sleep(rest, undefined, { signal: gone.signal });
      const { reply } = outcome;
      response.writeHead(200, {
        ...reply.headers,
        "content-type": reply.type,
        "content-length": reply.body.length,
      });
      response.end(reply.body);
    } finally {
      pending -= 1;
      void before.then(turn.resolve);
    }
  }

  server.listen(port, host);
  await once(server, "listening");
  process.stdout.write(`${JSON.stringify({ model: name, port: (server.address() as AddressInfo).port })}\n`);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(0));
  process.stdin.resume().once("end", () => process.exit(0));
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new BadRequest(413, `more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  // In shared memory, so that the thread gets it without a copy.
  const body = new Uint8Array(new SharedArrayBuffer(bytes));
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

/** A client that goes away ends the work it asked for. */
async function inThread(work: Work, signal: AbortSignal): Promise<Outcome> {
  signal.throwIfAborted();
  const worker = new Worker(new URL(`./segment${EXTENSION}`, import.meta.url), { workerData: work });
  try {
    const [outcome] = (await once(worker, "message", { signal })) as [Outcome];
    return outcome;
  } finally {
    await worker.terminate();
  }
}

function fail(response: ServerResponse, error: unknown): void {
  if (!(error instanceof BadRequest)) process.stderr.write(`${String(error)}\n`);
  if (response.headersSent) return void response.destroy();
  if (error instanceof BadRequest) return json(response, error.status, { error: error.message });
  json(response, 500, { error: "inference failed" });
}

function json(response: ServerResponse, status: number, document: object): void {
  const body = JSON.stringify(document);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

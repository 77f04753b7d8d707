import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { ModelAccess } from "../../src/inference/access.ts";
import { bytesOf, type EncodedFile } from "../../src/inference/request.ts";
import { never } from "./support.ts";

let elapsed = 0;
const clock = { ...systemClock, elapsed: () => elapsed };
let access: ModelAccess;

beforeAll(async () => {
  access = await ModelAccess.open({ host: "127.0.0.1", port: 0 }, clock);
});
afterAll(() => access[Symbol.asyncDispose]());

const content = Buffer.from(Array.from({ length: 3_000_001 }, (_, n) => (n * 31) ^ (n >> 9)));
const file: EncodedFile = {
  ...bytesOf([content.subarray(0, 352), content.subarray(352)]),
  mediaType: "application/gzip",
};
const terms = { name: "volume.nii.gz", lifetimeMs: 60_000 };

async function get(url: string, headers: Readonly<Record<string, string>> = {}, method = "GET") {
  const response = await fetch(url, { headers, method });
  return {
    status: response.status,
    headers: response.headers,
    body: Buffer.from(await response.arrayBuffer()),
  };
}

test("a file is served whole, with its length and type, under a name that ends as it should", async () => {
  using link = access.publish(file, terms);
  expect(link.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/volume\/[\w-]{43}\/volume\.nii\.gz$/);
  const { status, headers, body } = await get(link.url);
  expect(status).toBe(200);
  expect([headers.get("content-length"), headers.get("content-type"), headers.get("cache-control")]).toEqual([
    "3000001",
    "application/gzip",
    "no-store",
  ]);
  const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  expect(hash(body)).toBe(hash(content));
});

test("HEAD says what GET would, and sends nothing", async () => {
  using link = access.publish(file, terms);
  const { status, headers, body } = await get(link.url, {}, "HEAD");
  expect([status, headers.get("content-length"), headers.get("accept-ranges"), body.length]).toEqual([
    200,
    "3000001",
    "bytes",
    0,
  ]);
});

test.each([
  ["bytes=0-0", 0, 1],
  ["bytes=350-359", 350, 360],
  ["bytes=2999990-", 2_999_990, 3_000_001],
  ["bytes=-7", 2_999_994, 3_000_001],
  ["bytes=1048000-1050000", 1_048_000, 1_050_001],
  ["bytes=2999999-99999999999", 2_999_999, 3_000_001],
])("the range %s is that part of the file", async (range, from, to) => {
  using link = access.publish(file, terms);
  const { status, headers, body } = await get(link.url, { range });
  expect([status, headers.get("content-range")]).toEqual([206, `bytes ${from}-${to - 1}/3000001`]);
  expect(body.equals(content.subarray(from, to))).toBe(true);
});

test("a range past the end is refused; one that is no range is the whole file", async () => {
  using link = access.publish(file, terms);
  const past = await get(link.url, { range: "bytes=3000001-" });
  expect([past.status, past.headers.get("content-range")]).toEqual([416, "bytes */3000001"]);
  for (const range of ["bytes=1-2,5-6", "bytes=-", "lines=1-2"])
    expect((await get(link.url, { range })).status).toBe(200);
});

test("a link is worth nothing once its job or its time is over, and no other path is worth anything", async () => {
  const link = access.publish(file, terms);
  const root = new URL(link.url).origin;
  expect((await get(`${link.url}/more`)).status).toBe(404);
  expect((await get(link.url.replace(/volume\/./, "volume/_"))).status).toBe(404);
  for (const path of [
    "/",
    "/volume",
    "/volume/",
    "/volume//a",
    "/volume/../etc/passwd",
    "/call-back/x",
    "/%2e%2e/x",
  ])
    expect((await get(root + path)).status).toBe(404);
  expect((await get(link.url, {}, "POST")).status).toBe(405);
  elapsed += 60_000;
  expect((await get(link.url)).status).toBe(404);
  elapsed -= 60_000;
  expect((await get(link.url)).status).toBe(200);
  link[Symbol.dispose]();
  expect((await get(link.url)).status).toBe(404);
});

test("a model that goes away in the middle harms nobody", async () => {
  using link = access.publish(file, terms);
  const { port, pathname } = new URL(link.url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.write(`GET ${pathname} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await once(socket, "data");
  socket.resetAndDestroy();
  expect((await get(link.url)).status).toBe(200);
});

async function callBack(
  url: string,
  body: string,
  method: "POST" | "PUT" | "DELETE" = "POST",
): Promise<number> {
  const { status } = await fetch(url, { method, body });
  return status;
}

test("call backs are given in order, each once, and later ones wait", async () => {
  using called = access.expectCallBack({ lifetimeMs: 60_000, maxBytes: 1000 });
  const first = called.hook.next({ signal: never });
  expect(await callBack(called.url, "one")).toBe(200);
  expect(await callBack(called.url, "two", "PUT")).toBe(200);
  expect(Buffer.from(await first).toString()).toBe("one");
  expect(Buffer.from(await called.hook.next({ signal: never })).toString()).toBe("two");
});

test("a call back has a limit, announced or not, and only two methods", async () => {
  using called = access.expectCallBack({ lifetimeMs: 60_000, maxBytes: 1000 });
  expect(await callBack(called.url, "a".repeat(1001))).toBe(413);
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let n = 0; n < 11; n += 1) controller.enqueue(Buffer.alloc(100));
      controller.close();
    },
  });
  const chunked = await fetch(called.url, { method: "POST", body: stream, duplex: "half" });
  expect(chunked.status).toBe(413);
  expect(await callBack(called.url, "a", "DELETE")).toBe(405);
  expect(await callBack(called.url, "a".repeat(1000))).toBe(200);
  expect(await called.hook.next({ signal: never })).toHaveLength(1000);
});

test("a call back to nobody, or to a job that is over, is 404", async () => {
  const called = access.expectCallBack({ lifetimeMs: 60_000, maxBytes: 1000 });
  called[Symbol.dispose]();
  expect(await callBack(called.url, "a")).toBe(404);
});

test("whoever waits for a call back can give up", async () => {
  using called = access.expectCallBack({ lifetimeMs: 60_000, maxBytes: 1000 });
  const stop = new AbortController();
  const waiting = called.hook.next({ signal: stop.signal });
  stop.abort(new Error("superseded"));
  await expect(waiting).rejects.toThrow("superseded");
});

test("models may reach the node under another name; a port that is taken is told", async () => {
  await using named = await ModelAccess.open(
    { host: "127.0.0.1", port: 0, url: "http://node.example:8080/" },
    clock,
  );
  using link = named.publish(file, terms);
  expect(link.url).toMatch(/^http:\/\/node\.example:8080\/volume\//);
  using other = access.publish(file, terms);
  const port = Number(new URL(other.url).port);
  await expect(ModelAccess.open({ host: "127.0.0.1", port }, clock)).rejects.toMatchObject({
    code: "LISTEN_FAILED",
    message: `Model access on 127.0.0.1:${port}: EADDRINUSE`,
  });
});

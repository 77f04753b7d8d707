import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { type Call, ModelClient, type Reply } from "../../src/inference/client.ts";
import { bodyOf } from "../../src/inference/request.ts";
import { targetOf } from "../../src/inference/target.ts";
import { type Script, startModelDouble } from "../support/model-double.ts";
import { model, never } from "./support.ts";

const body = bodyOf([Buffer.from("volume")], { "content-type": "application/octet-stream" });

function callTo(origin: string, signal: AbortSignal = never): Call {
  const asked = model(origin);
  return {
    model: asked,
    target: targetOf(asked, ""),
    method: "POST",
    headers: {},
    body,
    maxBytes: 1_000_000,
    isWanted: (status) => status === 200,
    signal,
    deadline: AbortSignal.timeout(20_000),
  };
}

async function withClient<T>(
  script: Script,
  use: (client: ModelClient, origin: string) => Promise<T>,
): Promise<T> {
  await using server = await startModelDouble(script);
  await using client = new ModelClient(new Map(), systemClock);
  return await use(client, server.origin);
}

function replyOf(script: Script): Promise<Reply> {
  return withClient(script, (client, origin) => client.exchange(callTo(origin)));
}

test("an answer is given with its bytes in shared memory and its headers", async () => {
  const reply = await replyOf(() => ({ kind: "answer", body: "labels", headers: { "X-Model": "7" } }));
  expect(Buffer.from(reply.bytes).toString()).toBe("labels");
  expect(reply.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(reply.headers.get("x-model")).toBe("7");
});

test("a status that is not wanted comes with its headers and without its body", async () => {
  const headers = { "retry-after": "7" };
  const reply = await replyOf(() => ({ kind: "answer", status: 409, headers, body: "later" }));
  expect(reply).toMatchObject({ status: 409, said: "later", bytes: { length: 0 } });
  expect(reply.headers.get("retry-after")).toBe("7");
});

test("the caller's abort rejects with the caller's reason and closes the connection", async () => {
  await using server = await startModelDouble(() => ({ kind: "silence" }));
  await using client = new ModelClient(new Map(), systemClock);
  const stop = new AbortController();
  const posted = client.exchange(callTo(server.origin, stop.signal));
  await server.asked(1);
  const reason = new Error("superseded");
  stop.abort(reason);
  await expect(posted).rejects.toBe(reason);
  await server.idle();
  expect(server.lost).toBe(1);
});

test("every request has a connection of its own, so none is lost to a server that closes idle ones", async () => {
  await withClient(
    () => ({ kind: "answer", body: "labels" }),
    async (client, origin) => {
      for (let n = 0; n < 3; n += 1) {
        const reply = await client.exchange(callTo(origin));
        expect(reply.headers.get("connection")).toBe("close");
      }
    },
  );
});

test("what a server says with a refusal is kept as one printable line", async () => {
  const said = `bad\u0007 shape\n${"x".repeat(100_000)}`;
  const reply = await replyOf(() => ({ kind: "answer", status: 422, body: said }));
  expect(reply.said).toMatch(/^bad shape x{100,}$/);
});

import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { ModelClient } from "../../src/inference/client.ts";
import { bodyOf } from "../../src/inference/request.ts";
import { type Script, startModelDouble } from "../support/model-double.ts";
import { model, never } from "./support.ts";

const body = bodyOf([Buffer.from("volume")], { "content-type": "application/octet-stream" });

async function withClient<T>(
  script: Script,
  use: (client: ModelClient, origin: string) => Promise<T>,
): Promise<T> {
  await using server = await startModelDouble(script);
  await using client = new ModelClient(new Map([[server.origin, 2]]), systemClock);
  return await use(client, server.origin);
}

test("an answer is given with its bytes in shared memory and its headers", async () => {
  const script: Script = () => ({ kind: "answer", body: "labels", headers: { "X-Model": "7" } });
  const outcome = await withClient(script, (client, origin) =>
    client.post(model(origin), body, { signal: never }),
  );
  if (outcome.kind !== "answered") throw new Error("It was busy");
  expect(Buffer.from(outcome.bytes).toString()).toBe("labels");
  expect(outcome.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect(outcome.headers.get("x-model")).toBe("7");
});

test("busy is an answer of its own, with the wait the server asked for", async () => {
  const script: Script = () => ({ kind: "answer", status: 409, headers: { "retry-after": "7" } });
  const outcome = await withClient(script, (client, origin) =>
    client.post(model(origin), body, { signal: never }),
  );
  expect(outcome).toEqual({ kind: "busy", status: 409, retryAfterMs: 7000 });
});

test("the caller's abort rejects with the caller's reason and closes the connection", async () => {
  await using server = await startModelDouble(() => ({ kind: "silence" }));
  await using client = new ModelClient(new Map([[server.origin, 1]]), systemClock);
  const stop = new AbortController();
  const posted = client.post(model(server.origin), body, { signal: stop.signal });
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
        const outcome = await client.post(model(origin), body, { signal: never });
        expect(outcome).toMatchObject({ kind: "answered" });
        if (outcome.kind === "answered") expect(outcome.headers.get("connection")).toBe("close");
      }
    },
  );
});

test("what a server says with a refusal is repeated in one short printable line", async () => {
  const script: Script = () => ({
    kind: "answer",
    status: 422,
    body: `bad\u0007 shape\n${"x".repeat(100_000)}`,
  });
  const posted = withClient(script, (client, origin) => client.post(model(origin), body, { signal: never }));
  await expect(posted).rejects.toThrow(/^Model mandible: HTTP 422, request refused: bad shape x{100,160}$/);
});

/** The API as a program uses it, over a real ledger with one study in each state. */
import { connect } from "node:net";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { newToken } from "../../src/ops/http/secret.ts";
import { SCHEMAS } from "../../src/ops/http/shapes.ts";
import { oneOfEachState, runOf } from "../ledger/studies.ts";
import { type TestDoor, testDoor } from "./door.ts";

const API = "/api/v1";
const JSON_TYPE = { "content-type": "application/json" };

async function filled(access?: Parameters<typeof testDoor>[0]): Promise<TestDoor> {
  const door = await testDoor(access);
  await oneOfEachState(door.here.ledger.store);
  return door;
}

async function deliveryOf(door: TestDoor, destination: string): Promise<string> {
  const [row] = await door.here.ledger.store.db.query("SELECT id FROM delivery WHERE destination = $1", [
    destination,
  ]);
  return String(row?.["id"]);
}

test("the description of the API is a valid OpenAPI 3.1 document that names every route", async () => {
  await using door = await testDoor();
  const described = (await (await door.get(`${API}/openapi.json`)).json()) as {
    readonly openapi: string;
    readonly paths: Record<string, object>;
  };
  const { valid, errors } = await new Validator().validate(described);
  expect(errors ?? []).toEqual([]);
  expect([valid, described.openapi]).toEqual([true, "3.1.0"]);
  expect(Object.keys(described.paths).toSorted()).toEqual([
    "/api/v1/deliveries/{id}/discard",
    "/api/v1/deliveries/{id}/retry",
    "/api/v1/destinations",
    "/api/v1/destinations/{name}/pause",
    "/api/v1/destinations/{name}/resume",
    "/api/v1/events",
    "/api/v1/models",
    "/api/v1/runs/{id}/discard",
    "/api/v1/runs/{id}/retry",
    "/api/v1/studies",
    "/api/v1/studies/{uid}",
  ]);
});

test("answers are what the description says, field by field", async () => {
  await using door = await filled();
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  ajv.addSchema({ $id: "api", components: { schemas: SCHEMAS } });
  const faults = async (path: string, name: keyof typeof SCHEMAS): Promise<unknown> => {
    const answer = await door.get(API + path);
    expect(answer.status).toBe(200);
    const isRight = ajv.compile({ $ref: `api#/components/schemas/${name}` });
    return isRight(await answer.json()) ? [] : isRight.errors;
  };
  expect(await faults("/studies?limit=2", "StudyPage")).toEqual([]);
  for (let n = 1; n <= 6; n += 1) expect(await faults(`/studies/1.${n}`, "StudyStory")).toEqual([]);
  expect(await faults("/models", "Models")).toEqual([]);
  expect(await faults("/destinations", "Destinations")).toEqual([]);
});

test("studies are asked for by state, part of a UID, page by page; what is no filter is refused by name", async () => {
  await using door = await filled();
  const uids = async (query: string) => {
    const { studies } = (await (await door.get(`${API}/studies?${query}`)).json()) as {
      readonly studies: readonly { readonly studyUid: string }[];
    };
    return studies.map(({ studyUid }) => studyUid);
  };
  expect(await uids("state=attention")).toEqual(["1.1"]);
  expect(await uids("search=1.3")).toEqual(["1.3"]);
  expect(await uids("limit=2")).toEqual(["1.6", "1.5"]);
  const refused = await door.get(`${API}/studies?state=bored`);
  expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining("state")]);
  expect((await door.get(`${API}/studies/9.9.9`)).status).toBe(404);
  expect((await door.get(`${API}/studies/..%2f..%2fetc`)).status).toBe(400);
});

test("a run that failed is asked again, once, and the log says by whom", async () => {
  await using door = await filled();
  const { id } = runOf(1, "canal");
  expect((await door.post(`${API}/runs/${id}/retry`)).status).toBe(200);
  expect((await door.post(`${API}/runs/${id}/retry`)).status).toBe(409);
  expect((await door.post(`${API}/runs/1.2.3/retry`)).status).toBe(404);
  const { db } = door.here.ledger.store;
  expect(await db.query("SELECT queue, key, grp FROM job", [])).toContainEqual({
    queue: "infer",
    key: id,
    grp: "canal",
  });
  expect(door.journal.of("run.retry-asked")).toEqual([
    { user: "local", studyUid: "1.1", seriesUid: "1.1.1", model: "canal" },
  ]);
});

test("a run that is discarded wants no attention; it can still be asked again", async () => {
  await using door = await filled();
  const { id } = runOf(1, "canal");
  expect((await door.post(`${API}/runs/${id}/discard`)).status).toBe(200);
  expect(await (await door.get(`${API}/studies/1.1`)).json()).toMatchObject({ summary: { state: "done" } });
  expect((await door.post(`${API}/runs/${id}/retry`)).status).toBe(200);
});

test("a run is not asked again once more images came", async () => {
  await using door = await filled();
  const { id } = runOf(1, "canal");
  await door.here.ledger.store.db.query("UPDATE series SET revision = 2 WHERE study = '1.1'", []);
  const answer = await door.post(`${API}/runs/${id}/retry`);
  expect([answer.status, await answer.json()]).toEqual([
    409,
    { error: expect.stringContaining("more images came") },
  ]);
});

test("a delivery is discarded, and taken up again; one that arrived is neither", async () => {
  await using door = await filled();
  const [waiting, arrived] = [await deliveryOf(door, "pacs"), await deliveryOf(door, "archive")];
  expect((await door.post(`${API}/deliveries/${waiting}/discard`)).status).toBe(200);
  expect((await door.post(`${API}/deliveries/${waiting}/retry`)).status).toBe(200);
  expect((await door.post(`${API}/deliveries/${arrived}/retry`)).status).toBe(409);
  expect((await door.post(`${API}/deliveries/${arrived}/discard`)).status).toBe(409);
});

test("a destination is paused and resumed; its waiting deliveries are then due", async () => {
  await using door = await filled();
  expect((await door.post(`${API}/destinations/pacs/pause`)).status).toBe(200);
  expect(await (await door.get(`${API}/destinations`)).json()).toMatchObject({
    destinations: [
      { name: "pacs", isPaused: true, pending: 1 },
      { name: "archive", isPaused: false, lastDeliveredAt: 9500 },
    ],
  });
  expect((await door.post(`${API}/destinations/pacs/resume`)).status).toBe(200);
  const { db } = door.here.ledger.store;
  expect(await db.query("SELECT key FROM job WHERE queue = 'deliver'", [])).toEqual([
    { key: await deliveryOf(door, "pacs") },
  ]);
  expect((await door.post(`${API}/destinations/nowhere/pause`)).status).toBe(404);
});

test("a viewer sees everything and changes nothing; his attempt is told", async () => {
  const viewer = newToken();
  const tokens = [{ name: "grafana", role: "viewer", hash: viewer.hash }] as const;
  await using door = await filled({ tokens });
  const asViewer = { authorization: `Bearer ${viewer.token}` };
  expect((await door.get(`${API}/studies`, asViewer)).status).toBe(200);
  for (const path of [`runs/${runOf(1, "canal").id}/retry`, "destinations/pacs/pause"])
    expect((await door.post(`${API}/${path}`, asViewer)).status).toBe(403);
  expect(door.journal.of("http.action-refused")).toContainEqual(
    expect.objectContaining({ user: "grafana", path: `${API}/runs/:id/retry` }),
  );
  for (const path of [
    "studies",
    "studies/1.1",
    "models",
    "destinations",
    "events",
    "openapi.json",
    "nothing",
  ])
    expect([path, (await door.get(`${API}/${path}`)).status]).toEqual([path, 401]);
});

test("a page of another site can neither act nor listen, nor can one that renamed itself to this machine", async () => {
  await using door = await filled();
  const foreign = { ...JSON_TYPE, origin: "https://evil.example" };
  expect((await door.post(`${API}/destinations/pacs/pause`, foreign, "{}")).status).toBe(403);
  expect((await door.post(`${API}/destinations/pacs/pause`, { "sec-fetch-site": "cross-site" })).status).toBe(
    403,
  );
  for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }])
    for (const path of ["events", "studies", "studies/1.1/series/1.1.1/picture"])
      expect((await door.get(`${API}/${path}`, headers)).status).toBe(403);
  const raw = await new Promise<string>((resolve) => {
    const socket = connect(Number(new URL(door.origin).port), "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => (text += String(chunk))).on("close", () => resolve(text));
    socket.write(`GET ${API}/events HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`);
  });
  expect(raw).toMatch(/^HTTP\/1.1 403 /);
});

test("whoever listens is told what changes, and no more than names and UIDs", async () => {
  await using door = await filled();
  const answer = await door.get(`${API}/events`);
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader.read()).value).toContain("retry:");
  await door.post(`${API}/runs/${runOf(1, "canal").id}/discard`);
  expect((await reader.read()).value).toBe(
    `event: change\ndata: {"event":"run.discarded","studyUid":"1.1","seriesUid":"1.1.1","model":"canal"}\n\n`,
  );
  await reader.cancel();
});

// One that never reads would otherwise hold everything ever said to it in our memory.
test("a listener that does not read is let go, and there are only so many", async () => {
  await using door = await filled();
  const deaf = connect(Number(new URL(door.origin).port), "127.0.0.1");
  deaf.write(`GET ${API}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  await new Promise((resolve) => deaf.once("data", resolve));
  deaf.pause();
  const fields = { studyUid: "1.2.3", model: "x".repeat(60_000) };
  for (let n = 0; n < 500 && door.live.clients > 0; n += 1) {
    door.live.observe({ level: "info", event: "run.done", fields });
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(door.live.clients).toBe(0);
  deaf.destroy();
  const all = await Promise.all(Array.from({ length: 65 }, () => door.get(`${API}/events`)));
  expect(all.filter(({ status }) => status === 503).length).toBe(1);
  for (const { body } of all) await body?.cancel();
});

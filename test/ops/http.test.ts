/** The HTTP door of a whole node, asked as a supervisor, a browser and a stranger would. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { parseConfig } from "../../src/config/load.ts";
import { startNode } from "../../src/node.ts";
import { hashPassword, newToken } from "../../src/ops/http/secret.ts";
import { hasProgram, testIf } from "../support/data.ts";
import { Journal } from "../support/rig.ts";
import { tempFolder } from "../support/temp.ts";

const PASSWORD = "correct horse battery";
const hash = await hashPassword(PASSWORD);
const viewer = newToken();

interface Door extends AsyncDisposable {
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

const CLOSED = `
  users: [{ name: ann, role: operator, password: "${hash}" }]
  tokens: [{ name: grafana, hash: "${viewer.hash}" }]`;

async function door(access = "", reserve = "1MiB"): Promise<Door> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await tempFolder()).path;
  const loaded = parseConfig(
    `
node: { aeTitle: ISOCENTER, dataDir: ${join(folder, "data")}, reserve: ${reserve} }
dicom: { listen: { port: 0 }, callers: [{ aeTitle: "*", from: 127.0.0.1 }] }
http:
  listen: { port: 0 }${access}
`,
    "node.yaml",
  );
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  const node = parts.use(await startNode(loaded.config, { log: new Journal(), clock: systemClock }));
  const origin = `http://127.0.0.1:${node.httpPort}`;
  const release = parts.move();
  return {
    get: (path, headers = {}) => fetch(origin + path, { headers }),
    post: (path, body, headers = {}) =>
      fetch(origin + path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers },
      }),
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}

test("a supervisor learns that the node lives and is ready", async () => {
  await using at = await door();
  expect(await (await at.get("/healthz")).json()).toEqual({ status: "ok" });
  const ready = await at.get("/readyz");
  expect(ready.status).toBe(200);
  expect(await ready.json()).toMatchObject({
    status: "ready",
    checks: [{ name: "disk" }, { name: "ledger" }],
  });
});

test("a node without disk space says that it is not ready, and why", async () => {
  await using at = await door("", "1TiB");
  await expect.poll(async () => (await at.get("/readyz")).status).toBe(503);
  expect(await (await at.get("/readyz")).json()).toMatchObject({
    status: "not ready",
    checks: [
      { name: "disk", ok: false, detail: "less than node.reserve is free" },
      { name: "ledger", ok: true },
    ],
  });
});

test("with users or tokens strangers get health and nothing else", async () => {
  await using at = await door(CLOSED);
  expect((await at.get("/healthz")).status).toBe(200);
  expect((await at.get("/metrics")).status).toBe(401);
  expect((await at.get("/metrics", { authorization: `Bearer ${viewer.hash}` })).status).toBe(401);
  expect((await at.get("/metrics", { authorization: `Bearer ${viewer.token}` })).status).toBe(200);
  expect((await at.get("/no-such-page")).status).toBe(401);
});

test("a user logs in, sees, and logs out; the cookie is for this site and no script", async () => {
  await using at = await door(CLOSED);
  expect((await at.post("/login", { name: "ann", password: "wrong password" })).status).toBe(401);
  const login = await at.post("/login", { name: "ann", password: PASSWORD });
  const set = login.headers.get("set-cookie") ?? "";
  expect(set).toMatch(/HttpOnly/);
  expect(set).toMatch(/SameSite=Strict/);
  const cookie = set.split(";")[0] ?? "";
  expect((await at.get("/metrics", { cookie })).status).toBe(200);
  await at.post("/logout", {}, { cookie });
  expect((await at.get("/metrics", { cookie })).status).toBe(401);
});

test("a page of another site can change nothing, a viewer neither", async () => {
  await using at = await door(CLOSED);
  const foreign = await at.post(
    "/login",
    { name: "ann", password: PASSWORD },
    { "sec-fetch-site": "cross-site" },
  );
  expect(foreign.status).toBe(403);
  const asViewer = await at.post(
    "/api/v1/destinations/pacs/pause",
    {},
    { authorization: `Bearer ${viewer.token}` },
  );
  expect(asViewer.status).toBe(403);
});

test("passwords cannot be tried without end", async () => {
  await using at = await door(CLOSED);
  const statuses: number[] = [];
  for (let n = 0; n < 12; n++)
    statuses.push((await at.post("/login", { name: "nobody", password: "guess" })).status);
  expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
  expect(statuses.slice(10)).toEqual([429, 429]);
});

test("browsers are told to load nothing from elsewhere and to frame nothing", async () => {
  await using at = await door();
  const { headers } = await at.get("/healthz");
  expect(headers.get("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  expect(headers.get("x-content-type-options")).toBe("nosniff");
});

testIf(hasProgram("promtool"), "promtool")(
  "Prometheus' own linter finds nothing wrong with the metrics",
  async () => {
    await using at = await door();
    const metrics = await (await at.get("/metrics")).text();
    for (const name of ["isocenter_runs_total", "isocenter_jobs_waiting", "isocenter_disk_free_bytes"])
      expect(metrics).toContain(`# TYPE ${name} `);
    const lint = spawn("promtool", ["check", "metrics"], { stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    for (const out of [lint.stdout, lint.stderr])
      out.on("data", (chunk: Buffer) => (said += chunk.toString()));
    lint.stdin.end(metrics);
    const [code] = (await once(lint, "close")) as [number];
    expect([code, said.trim()]).toEqual([0, ""]);
  },
);

/** The pages as a browser gets them, over a real ledger; and the drawing of a study's way. */
import { connect } from "node:net";
import { expect, test } from "vitest";
import type { StudyStory } from "../../src/ledger/story.ts";
import { hashPassword } from "../../src/ops/http/secret.ts";
import { ganttOf } from "../../src/ops/pages/gantt.ts";
import { html } from "../../src/ops/pages/html.ts";
import { duration } from "../../src/ops/pages/words.ts";
import { oneOfEachState, runOf } from "../ledger/studies.ts";
import { testDoor } from "./door.ts";

const CANARY = `<img src=x onerror=alert(1)>"'{{7*7}}`;

test("what is put into a template is text, also in attributes and lists; only templates are markup", () => {
  const inner = html`<b>${"<i>"}</b>`;
  expect(String(html`<p title="${CANARY}">${[inner, CANARY]}${false}${undefined}${0}</p>`)).toBe(
    `<p title="&lt;img src=x onerror=alert(1)&gt;&quot;&#39;{{7*7}}"><b>&lt;i&gt;</b>&lt;img src=x onerror=alert(1)&gt;&quot;&#39;{{7*7}}0</p>`,
  );
});

test("names of peers, answers of models and reasons of destinations are shown as text", async () => {
  await using door = await testDoor();
  const { db } = door.here.ledger.store;
  await oneOfEachState(door.here.ledger.store);
  for (const [table, column] of [
    ["instance", "calling"],
    ["instance", "peer"],
    ["series", "reason"],
    ["series", "outcome_reason"],
    ["run", "reason"],
    ["run", "code"],
    ["run", "rule"],
    ["run", "model_version"],
    ["delivery", "reason"],
  ] as const)
    await db.query(`UPDATE ${table} SET ${column} = $1`, [CANARY]);
  await db.query("UPDATE run SET model = $1 WHERE model <> 'canal'", [CANARY]);
  await db.query("UPDATE delivery SET destination = $1 WHERE destination <> 'pacs'", [CANARY]);
  for (const path of [
    "/",
    `/?search=${encodeURIComponent(CANARY)}`,
    "/models",
    "/destinations",
    "/studies/1.1",
    "/studies/1.4",
    "/studies/1.5",
  ]) {
    const page = await (await door.get(path)).text();
    expect(page).not.toContain("<img");
  }
  const page = await (await door.get("/studies/1.1")).text();
  expect(page).toContain("&lt;img src=x onerror=alert(1)&gt;");
});

test("no page holds a script or a style of its own: the policy allows neither", async () => {
  await using door = await testDoor();
  await oneOfEachState(door.here.ledger.store);
  for (const path of ["/", "/models", "/destinations", "/studies/1.1", "/studies/1.4", "/studies/none"]) {
    const answer = await door.get(path);
    const page = await answer.text();
    expect(answer.headers.get("content-security-policy")).toContain("script-src 'self'");
    expect(page).not.toMatch(/\s(?:on\w+|style)=/);
    expect(page).not.toMatch(/<style|<script(?! type="module" src="\/assets\/)/);
  }
});

test("a list says which studies want a person; filters stay as they were asked", async () => {
  await using door = await testDoor();
  await oneOfEachState(door.here.ledger.store);
  const all = await (await door.get("/")).text();
  expect([...all.matchAll(/href="\/studies\/([\d.]+)"/g)].map(([, uid]) => uid)).toEqual([
    "1.6",
    "1.5",
    "1.4",
    "1.3",
    "1.2",
    "1.1",
  ]);
  const some = await (await door.get("/?state=attention&search=1.")).text();
  expect([...some.matchAll(/href="\/studies\/([\d.]+)"/g)].map(([, uid]) => uid)).toEqual(["1.1"]);
  expect(some).toContain('<option value="attention" selected>');
  expect(some).toContain('value="1."');
  expect(await (await door.get("/?state=bored&age=constructor")).text()).toContain("/studies/1.6");
  expect(await (await door.get("/?search=9.9")).text()).toContain("No study is like that");
});

test("a form without a script leads back to its page, and to no other place", async () => {
  await using door = await testDoor();
  await oneOfEachState(door.here.ledger.store);
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const back = await door.post(`/api/v1/runs/${runOf(1, "canal").id}/discard`, form, "back=/studies/1.1");
  expect([back.status, back.headers.get("location")]).toEqual([303, "/studies/1.1"]);
  for (const elsewhere of ["//evil.example", "https://evil.example", "/\\evil.example", "/studies/../../x"]) {
    const answer = await door.post(
      "/api/v1/destinations/pacs/pause",
      form,
      `back=${encodeURIComponent(elsewhere)}`,
    );
    expect([answer.status, answer.headers.get("location")]).toEqual([200, null]);
  }
});

test("with users a browser is led to the log-in, and from there to the studies; the log-out ends it", async () => {
  const users = [{ name: "ann", role: "viewer", password: await hashPassword("correct horse") }] as const;
  await using door = await testDoor({ users });
  await oneOfEachState(door.here.ledger.store);
  const browser = { accept: "text/html,application/xhtml+xml" };
  const form = { ...browser, "content-type": "application/x-www-form-urlencoded" };
  const stranger = await door.get("/studies/1.1", browser);
  expect([stranger.status, stranger.headers.get("location")]).toEqual([303, "/login"]);
  for (const path of [
    "/",
    "/models",
    "/destinations",
    "/studies/1.1",
    "/metrics",
    "/nowhere",
    "/api/v1/studies/1.1/series/1.1.1/picture/0",
  ])
    expect([path, (await door.get(path)).status]).toEqual([path, 401]);
  const wrong = await door.post("/login", form, "name=ann&password=wrong");
  expect([wrong.status, await wrong.text()]).toEqual([
    401,
    expect.stringContaining("Name or password is wrong"),
  ]);
  const right = await door.post("/login?next=//evil.example", form, "name=ann&password=correct+horse");
  expect([right.status, right.headers.get("location")]).toEqual([303, "/"]);
  const cookie = right.headers.get("set-cookie")!.split(";")[0]!;
  const page = await (await door.get("/studies/1.1", { ...browser, cookie })).text();
  expect(page).toContain("Log out");
  expect(page).not.toContain("data-order"); // a viewer has no buttons
  expect((await door.post("/logout", { ...form, cookie }, "")).headers.get("location")).toBe("/login");
  expect((await door.get("/", { ...browser, cookie })).status).toBe(303);
});

test("assets are served under the name that holds their hash, and no file else", async () => {
  await using door = await testDoor();
  const page = await (await door.get("/")).text();
  const assets = [...page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
  expect(assets.length).toBe(3);
  for (const path of assets) {
    const answer = await door.get(path);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([
      200,
      "public, max-age=31536000, immutable",
    ]);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  }
  const raw = (path: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(Number(new URL(door.origin).port), "127.0.0.1");
      let text = "";
      socket.on("data", (chunk) => (text += String(chunk))).on("close", () => resolve(text));
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    });
  for (const path of [
    "/assets/../server.ts",
    "/assets/..%2f..%2fserver.ts",
    "/assets/%252e%252e%252fserver.ts",
    "/assets/style.css",
    "/assets/style.css%00",
    "//etc/passwd",
    "/studies/..%2f..%2f",
    "/assets/__proto__",
    "/assets//etc/passwd",
  ])
    expect([path, await raw(path)]).toEqual([path, expect.stringMatching(/^HTTP\/1\.1 40[04] /)]);
});

/** Complete after 2 s; two models at work at once for 3 and 5 s; one PACS. */
function story(): StudyStory {
  const run = (model: string, serverMs: number) => ({
    id: "1.2" as never,
    revision: 1,
    rule: "r",
    model,
    modelVersion: "1",
    priority: 0,
    state: "done" as const,
    timings: { serverMs: serverMs - 500, encodeMs: 500 },
    destinations: ["pacs"],
    createdAt: 12_000,
    endedAt: 12_000 + serverMs,
    results: [],
    deliveries: [
      {
        id: "1.3" as never,
        destination: "pacs",
        form: "binary" as const,
        part: 1,
        state: "delivered" as const,
        tries: 1,
        createdAt: 0,
        endedAt: 12_200 + serverMs,
      },
    ],
  });
  return {
    summary: { firstAt: 10_000 } as never,
    series: [
      {
        id: "s" as never,
        seriesUid: "1" as never,
        state: "closed",
        revision: 1,
        firstAt: 10_000,
        lastAt: 11_000,
        instances: 2,
        unused: 0,
        bytes: 1,
        senders: [],
        closedAt: 12_000,
        runs: [run("bone", 3000), run("teeth", 5000)],
      },
    ],
  };
}

test("a study's way is drawn from its first image to each delivery, and what one by one would have taken", () => {
  const gantt = ganttOf(story(), 99_000);
  expect([gantt.from, gantt.to]).toEqual([10_000, 20_000]);
  expect(gantt.gain).toEqual({ togetherMs: 5000, oneByOneMs: 8000 });
  expect(gantt.bars.map(({ name, endMs }) => [name, endMs])).toEqual([
    ["images", 2000],
    ["bone", 5200],
    ["teeth", 7200],
    ["one by one", 10_000],
  ]);
  expect(gantt.bars[1]?.pieces.filter(({ from, to }) => to > from)).toEqual([
    { kind: "asks", from: 12_000, to: 14_500 },
    { kind: "encodes", from: 14_500, to: 15_000 },
    { kind: "delivers", from: 15_000, to: 15_200 },
  ]);
});

// An archive that is away for days would press all the rest into a line.
test("what goes on is drawn beside the rest, not over it", () => {
  const waiting = story();
  Object.assign(waiting.series[0]!.runs[0]!.deliveries[0]!, { state: "pending", endedAt: undefined });
  const gantt = ganttOf(waiting, 900_000_000);
  expect(gantt.to).toBe(21_500); // all else ends after 10 s
  expect(gantt.bars[1]?.endMs).toBeUndefined();
  expect(gantt.bars[1]?.pieces.at(-1)).toMatchObject({ kind: "waits", to: 21_500 });
});

test("durations are said as people say them", () => {
  expect([480, 1500, 99_400, 150_000, 7_200_000, 400_000_000].map(duration)).toEqual([
    "480 ms",
    "1.5 s",
    "99.4 s",
    "3 min",
    "2 h",
    "5 days",
  ]);
});

import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import { email } from "../../src/ops/notify/email.ts";
import { type Notification, notificationOf, textOf } from "../../src/ops/notify/events.ts";
import { type Deliver, type Message, Notifier } from "../../src/ops/notify/notifier.ts";
import { webhook } from "../../src/ops/notify/webhook.ts";
import type { LogEvent } from "../../src/ops/observed-log.ts";
import { HandClock } from "../support/clock.ts";

const held = (destination: string): LogEvent => ({
  level: "error",
  event: "delivery.held",
  fields: { destination, studyUid: "1.2.3", sopInstanceUid: "1.2.3.4", peer: "10.0.0.1", reason: "refused" },
});
const SUBSCRIPTION = { name: "on call", events: ["delivery-held"], batchMs: 60_000 } as const;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function told(fail: (tries: number) => boolean = () => false) {
  const messages: Message[] = [];
  let tries = 0;
  const deliver: Deliver = async (message) => {
    if (fail(++tries)) throw new Error("away");
    messages.push(message);
  };
  const clock = new HandClock();
  const notifier = new Notifier(SUBSCRIPTION, deliver, { log: silentLog, clock });
  return { notifier, messages, clock, tries: () => tries };
}

test("a notification says kind, time, study, names and reason, and nothing else of the event", () => {
  expect(notificationOf(held("pacs"), Date.UTC(2026, 0, 2))).toEqual({
    kind: "delivery-held",
    at: "2026-01-02T00:00:00.000Z",
    studyUid: "1.2.3",
    destination: "pacs",
    reason: "refused",
  });
  expect(notificationOf({ level: "info", event: "volume.built", fields: {} }, 0)).toBeUndefined();
});

test("what happens within the time of a batch is told at once, and only what was asked for", async () => {
  const { notifier, messages, clock } = told();
  notifier.observe(held("a"));
  clock.advance(59_999);
  notifier.observe(held("b"));
  notifier.observe({ level: "info", event: "delivery.done", fields: { destination: "c" } });
  await settled();
  expect(messages).toEqual([]);
  clock.advance(1);
  await settled();
  expect(messages.map(({ batch }) => batch.map(({ destination }) => destination))).toEqual([["a", "b"]]);
  notifier.observe(held("d"));
  clock.advance(60_000);
  await settled();
  expect(messages).toHaveLength(2);
  await notifier[Symbol.asyncDispose]();
});

test("who cannot be reached is tried again, and then told of all that came meanwhile", async () => {
  const { notifier, messages, clock, tries } = told((n) => n <= 2);
  notifier.observe(held("a"));
  clock.advance(60_000);
  await settled();
  notifier.observe(held("b"));
  for (let turn = 0; turn < 4 && messages.length === 0; turn++) {
    clock.advance(20_000);
    await settled();
  }
  expect(tries()).toBe(3);
  expect(messages.map(({ batch }) => batch.length)).toEqual([2]);
  await notifier[Symbol.asyncDispose]();
});

test("more than a thousand that wait drop the oldest, and that is told too", async () => {
  const { notifier, messages, clock } = told();
  for (let n = 0; n < 1_003; n++) notifier.observe(held(String(n)));
  clock.advance(60_000);
  await settled();
  expect(messages[0]?.dropped).toBe(3);
  expect(messages[0]?.batch[0]?.destination).toBe("3");
  await notifier[Symbol.asyncDispose]();
});

test("a stop gives what waits once more", async () => {
  const { notifier, messages } = told();
  notifier.observe(held("a"));
  await notifier[Symbol.asyncDispose]();
  expect(messages).toHaveLength(1);
});

const BATCH: readonly Notification[] = [
  { kind: "delivery-held", at: "2026-01-02T00:00:00.000Z", destination: "pacs", reason: "refused" },
  { kind: "disk-full", at: "2026-01-02T00:00:01.000Z" },
];
const options = { signal: AbortSignal.timeout(20_000) };

test("a webhook gets JSON that it can check by its secret; a refusal is an error", async () => {
  const got: { body: string; signature: unknown }[] = [];
  const server = createHttp((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      got.push({ body, signature: request.headers["x-isocenter-signature"] });
      response.writeHead(got.length === 1 ? 204 : 500).end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    process.env["TEST_HOOK_SECRET"] = "shared";
    const deliver = webhook({ url, secretEnv: "TEST_HOOK_SECRET" }, "ISOCENTER");
    await deliver({ batch: BATCH, dropped: 1 }, options);
    const { body = "", signature } = got[0] ?? {};
    expect(JSON.parse(body)).toEqual({ node: "ISOCENTER", dropped: 1, notifications: BATCH });
    expect(signature).toBe(`sha256=${createHmac("sha256", "shared").update(body).digest("hex")}`);
    await expect(deliver({ batch: BATCH, dropped: 0 }, options)).rejects.toThrow("HTTP 500");
    await expect(
      webhook({ url, secretEnv: "NOT_SET_ANYWHERE" }, "ISOCENTER")({ batch: BATCH, dropped: 0 }, options),
    ).rejects.toThrow("NOT_SET_ANYWHERE is not set");
    expect(got).toHaveLength(2);
  } finally {
    delete process.env["TEST_HOOK_SECRET"];
    server.close();
  }
});

/** Speaks as much of RFC 5321 as it takes to be given one message. */
async function smtpServer() {
  const mail: string[] = [];
  const said: string[] = [];
  const server = createServer((socket) => {
    let isData = false;
    let data = "";
    socket.write("220 test ESMTP\r\n");
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      if (isData) {
        data += chunk.toString();
        if (!data.endsWith("\r\n.\r\n")) return;
        mail.push(data);
        isData = false;
        socket.write("250 queued\r\n");
        return;
      }
      const [verb = ""] = chunk.toString().trim().split(" ");
      said.push(verb);
      if (verb === "EHLO") socket.write("250-test\r\n250 8BITMIME\r\n");
      else if (verb === "DATA") {
        isData = true;
        socket.write("354 go on\r\n");
      } else if (verb === "QUIT") socket.end("221 bye\r\n");
      else socket.write("250 ok\r\n");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    mail,
    said,
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]: () => void server.close(),
  };
}

const MAIL = {
  host: "127.0.0.1",
  tls: false,
  from: "node@example.org",
  to: ["a@example.org", "b@example.org"],
};

test("an e-mail has one line for each thing that happened", async () => {
  using server = await smtpServer();
  await email({ ...MAIL, port: server.port }, "ISOCENTER")({ batch: BATCH, dropped: 2 }, options);
  const [mail = ""] = server.mail;
  expect(mail).toMatch(/^Subject: ISOCENTER: delivery-held and 1 more\r$/m);
  expect(mail).toMatch(/^To: a@example\.org, b@example\.org\r$/m);
  expect(mail).toContain("2 earlier notifications were dropped.");
  expect(mail).toMatch(
    /2026-01-02T00:00:00\.000Z {2}delivery-held {2}destination=3?D?pacs {2}reason=3?D?refused/,
  );
});

test("a password is not given to a server without TLS", async () => {
  using server = await smtpServer();
  process.env["TEST_SMTP_PASSWORD"] = "secret";
  const settings = { ...MAIL, port: server.port, user: "node", passwordEnv: "TEST_SMTP_PASSWORD" };
  await expect(email(settings, "ISOCENTER")({ batch: BATCH, dropped: 0 }, options)).rejects.toThrow();
  delete process.env["TEST_SMTP_PASSWORD"];
  expect(server.said).toContain("STARTTLS");
  expect(server.said).not.toContain("AUTH");
});

test("a batch for people is a line each", () => {
  expect(textOf(BATCH)).toBe(
    "2026-01-02T00:00:00.000Z  delivery-held  destination=pacs  reason=refused\n2026-01-02T00:00:01.000Z  disk-full\n",
  );
});

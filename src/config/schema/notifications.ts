/** Settings of notifications: who is told what, how, how often. */
import * as z from "zod";
import { NOTIFICATION_KINDS } from "../../ops/notify/events.ts";
import { choice, duration, expected, flag, host, line, listOf, section, text, url, whole } from "../kinds.ts";

function environmentVariable() {
  return text("the name of an environment variable", (written) =>
    /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(written) ? written : undefined,
  );
}

function address() {
  return text("an e-mail address", (written) =>
    /^[^\s@<>"]+@[^\s@<>"]+$/.test(written) ? written : undefined,
  );
}

const webhook = section({
  url: url().describe("Where the batch is sent by POST, as JSON."),
  secretEnv: z
    .exactOptional(environmentVariable())
    .describe("Environment variable with the secret that signs it (x-isocenter-signature, HMAC-SHA-256)."),
});

const email = section({
  host: host().describe("SMTP server."),
  port: whole(1, 65535).prefault(587).describe("Its port."),
  tls: flag()
    .prefault(false)
    .describe("TLS from the first byte, as on port 465; else STARTTLS where it is offered."),
  user: z.exactOptional(line(256)).describe("Name to log in with; then STARTTLS or tls is required."),
  passwordEnv: z.exactOptional(environmentVariable()).describe("Environment variable with its password."),
  from: address().describe("Sender."),
  to: listOf("e-mail addresses", address()).meta({ title: "e-mail addresses" }).describe("Who is told."),
});

const notification = section({
  name: line(64).describe("Its name in the log."),
  events: listOf("events", choice(...NOTIFICATION_KINDS))
    .meta({ title: `some of ${NOTIFICATION_KINDS.join(", ")}` })
    .describe("What is told."),
  batch: duration("1s", "24h").prefault("1m").describe("What happens within this time is told at once."),
  webhook: z.exactOptional(webhook),
  email: z.exactOptional(email),
}).transform(({ batch, ...rest }) => ({ ...rest, batchMs: batch }));

export const notifications = z.array(notification, { error: expected("a list of notifications") });

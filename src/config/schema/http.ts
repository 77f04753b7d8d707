/** Settings of the HTTP door: where it listens, and who may come in. */

import * as z from "zod";
import { isPasswordHash, isTokenHash } from "../../ops/http/secret.ts";
import { choice, expected, host, line, section, text, whole } from "../kinds.ts";

const role = () =>
  choice("viewer", "operator").prefault("viewer").describe("A viewer sees; an operator also acts.");

const user = section({
  name: line(64).describe("Login name."),
  role: role(),
  password: text("what `isocenter password` prints", (written) =>
    isPasswordHash(written) ? written : undefined,
  ).describe("Not the password: its hash."),
});

const token = section({
  name: line(64).describe("Whose token it is; stands in the audit trail."),
  role: role(),
  hash: text("what `isocenter token` prints", (written) =>
    isTokenHash(written) ? written : undefined,
  ).describe("Not the token: its hash."),
});

export const http = section({
  listen: section({
    host: host()
      .prefault("127.0.0.1")
      .describe("Address of health, metrics, API and pages; another than loopback takes users or tokens."),
    port: whole(0, 65535).prefault(11180).describe("TCP port; 0 takes any that is free."),
  }).prefault({}),
  users: z.array(user, { error: expected("a list of users") }).prefault([]),
  tokens: z.array(token, { error: expected("a list of tokens") }).prefault([]),
}).transform(({ listen, users, tokens }) => ({ ...listen, users, tokens }));

/** Settings of a model: where it is, how to ask it, what it answers, what its labels mean. */
import * as z from "zod";
import { parseModelUrl } from "../../inference/target.ts";
import { choice, duration, expected, flag, line, named, section, text, whole } from "../kinds.ts";
import {
  answerStatuses,
  auth,
  headers,
  health,
  limits,
  origins,
  params,
  sharedFolder,
  tls,
  urlMap,
} from "./reach.ts";
import { request } from "./request.ts";
import { response } from "./response.ts";
import { segments } from "./segments.ts";
import { transport } from "./transport.ts";

function modelUrl() {
  return text("a URL that begins with http:// or https://, or unix:/socket:/path", (written, refuse) => {
    const parsed = parseModelUrl(written);
    if (parsed && (parsed.url.username !== "" || parsed.url.password !== ""))
      return refuse("a URL with a user or password would be logged");
    return parsed ? written : undefined;
  });
}

/** Places of resources that one inference takes. */
function places() {
  return named(
    "numbers of places",
    whole(1, 1000).describe("Places of that slot which one inference takes."),
  ).prefault({});
}

const replica = section({
  url: modelUrl().describe(
    "Another server with the same model in the same version; the one with the least to do is asked.",
  ),
  slots: places(),
});

const LABEL_NUMBER = "a label value, or a list of them";
const cropLabels = z
  .union([whole(1, 65535), z.array(whole(1, 65535)).min(1)], { error: expected(LABEL_NUMBER) })
  .meta({ title: LABEL_NUMBER })
  .transform((labels) => (typeof labels === "number" ? [labels] : labels));

const crop = section({
  label: z
    .exactOptional(cropLabels)
    .describe("Only the part of the volume around these labels is sent; by default around all of them."),
  marginMm: z
    .number({ error: expected("a number of mm from 0 to 1000") })
    .min(0, { error: expected("a number of mm from 0 to 1000") })
    .max(1000, { error: expected("a number of mm from 0 to 1000") })
    .meta({ title: "a number of mm from 0 to 1000" })
    .describe("How far the part reaches around them."),
}).transform(({ label: labels, marginMm }) => (labels ? { labels, marginMm } : { marginMm }));

const need = section({
  crop: z.exactOptional(crop),
  otherwise: choice("skip", "run")
    .prefault("skip")
    .describe("When the needed model fails or finds nothing: leave this one too, or run it uncropped."),
});

const model = section({
  preset: z
    .exactOptional(line(63))
    .describe("Kind of server, one of config/presets/servers: what follows from it need not be written."),
  url: modelUrl().describe("Where the model is; called as it is, redirects are not followed."),
  version: line(64)
    .prefault("1")
    .describe("Part of the identity of its results: another version, another SEG."),
  slots: places(),
  replicas: z.array(replica, { error: expected("a list of servers") }).prefault([]),
  hedge: z
    .exactOptional(whole(2, 100))
    .describe(
      "After so many times the expected duration an idle replica is asked too; the first answer counts.",
    ),
  expect: z
    .exactOptional(duration("100ms", "24h"))
    .describe("How long an answer usually takes; used until the node has learnt it."),
  needs: named("needed models", need)
    .prefault({})
    .describe("Models that must have answered before this one is asked."),
  cache: flag()
    .prefault(false)
    .describe("Whether an answer serves again, in memory, for the same voxels of the same study."),
  deadline: duration("1s", "24h")
    .prefault("15m")
    .describe("How long one call may take, from first byte to last."),
  linger: duration("0s", "24h")
    .prefault("0s")
    .describe("How long the server works on after a lost connection; so long its slot stays taken."),
  attempts: whole(1, 20).prefault(4).describe("Calls in all, where trying again can help."),
  headers,
  auth: z.exactOptional(auth),
  tls: z.exactOptional(tls),
  params,
  request,
  transport: transport.prefault("sync"),
  statuses: answerStatuses.prefault({}),
  response: response.prefault({}),
  onEmpty: choice("no-finding", "quarantine")
    .prefault("no-finding")
    .describe("What an answer without any segment is: no finding, or a fault to be looked at."),
  limits: limits.prefault({}),
  health: z.exactOptional(health),
  sharedFolder: z.exactOptional(sharedFolder),
  origins,
  urlMap,
  segments,
  onUnknownLabel: choice("refuse", "generic")
    .prefault("refuse")
    .describe(
      "A label value without a segment: the result stays here, or leaves as tissue named after the value.",
    ),
  absentSegments: choice("drop", "describe")
    .prefault("drop")
    .describe("A segment that the answer has no voxel of: left out of the object, or described in it."),
}).transform(({ deadline, linger, expect, ...rest }) => ({
  ...rest,
  deadlineMs: deadline,
  lingerMs: linger,
  ...(expect !== undefined && { expectMs: expect }),
}));

export const models = named("models", model);

/** The answers of the API as JSON Schema (2020-12, the dialect of OpenAPI 3.1). */

export type Schema = Readonly<Record<string, unknown>>;

const text: Schema = { type: "string" };
const uid: Schema = { type: "string", pattern: "^[0-9.]{1,64}$" };
const count: Schema = { type: "integer", minimum: 0 };
const flag: Schema = { type: "boolean" };
const time: Schema = { type: "integer", description: "Milliseconds since 1970." };
const list = (items: Schema): Schema => ({ type: "array", items });
const choice = (...values: readonly string[]): Schema => ({ type: "string", enum: values });
const counts = (...names: readonly string[]): Schema =>
  record(Object.fromEntries(names.map((name) => [name, count])));
const named = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

function record(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return {
    type: "object",
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false,
  };
}

const RUN_STATES = ["pending", "done", "no-finding", "failed", "quarantined", "discarded"] as const;
const DELIVERY_STATES = ["pending", "delivered", "held", "replaced", "discarded"] as const;
const next = record({ at: time, isRunning: flag });
const form = choice("binary", "labelmap", "fractional");
const commitment = choice("waiting", "committed", "refused", "unknown");
const failure = record({ reason: text, at: time }, { code: text });

export const SCHEMAS = {
  Done: record({ status: choice("ok") }),
  Error: record({ error: text }, { statusCode: count, code: text, message: text }),
  StudySummary: record({
    studyUid: uid,
    state: choice("attention", "receiving", "working", "delivering", "done", "no-work"),
    firstAt: time,
    lastAt: time,
    series: count,
    instances: count,
    runs: counts(...RUN_STATES),
    deliveries: counts(...DELIVERY_STATES),
    models: list(text),
    destinations: list(text),
  }),
  StudyPage: record(
    { studies: list(named("StudySummary")) },
    { next: { type: "string", description: "Ask for the next page with it as `after`." } },
  ),
  StudyStory: record({ summary: named("StudySummary"), series: list(named("Series")) }),
  Series: record(
    {
      id: text,
      seriesUid: uid,
      state: choice("open", "closed"),
      revision: count,
      firstAt: time,
      lastAt: time,
      instances: count,
      unused: count,
      bytes: count,
      senders: list(record({ callingAeTitle: text, peer: text })),
      runs: list(named("Run")),
    },
    { modality: text, closedAt: time, reason: text, outcome: text, outcomeReason: text },
  ),
  Run: record(
    {
      id: uid,
      revision: count,
      rule: text,
      model: text,
      modelVersion: text,
      priority: { type: "integer" },
      state: choice(...RUN_STATES),
      timings: { type: "object", additionalProperties: { type: "number" } },
      destinations: list(text),
      createdAt: time,
      results: list(named("Result")),
      deliveries: list(named("Delivery")),
    },
    { code: text, reason: text, endedAt: time, next },
  ),
  Result: record({
    file: text,
    form,
    part: count,
    transferSyntaxUid: uid,
    sopInstanceUid: uid,
    sopClassUid: uid,
    sha256: text,
    bytes: count,
  }),
  Delivery: record(
    {
      id: uid,
      destination: text,
      form,
      part: count,
      state: choice(...DELIVERY_STATES),
      tries: count,
      createdAt: time,
    },
    { status: count, reason: text, transferSyntaxUid: uid, endedAt: time, next, commitment },
  ),
  Model: record(
    {
      name: text,
      version: text,
      host: text,
      slots: { type: "object", additionalProperties: count },
      waiting: count,
      running: count,
      outcomes: { type: "object", additionalProperties: count },
    },
    { serverMs: record({ median: count, slowest: count }), lastFailure: failure },
  ),
  Destination: record(
    {
      name: text,
      aeTitle: text,
      host: text,
      port: count,
      isPaused: flag,
      pending: count,
      held: count,
    },
    { oldestAt: time, lastDeliveredAt: time, lastFailure: failure },
  ),
  Models: record({ models: list(named("Model")) }),
  Destinations: record({ destinations: list(named("Destination")) }),
} as const satisfies Record<string, Schema>;

export const PARAMETERS = {
  uid: { ...uid, description: "Study Instance UID." },
  id: { ...uid, description: "As the story of a study tells it." },
  name: { type: "string", minLength: 1, maxLength: 64, description: "As in the config." },
} as const;

export const STUDY_QUERY = {
  type: "object",
  additionalProperties: false,
  properties: {
    search: { type: "string", maxLength: 64, description: "Part of a study or series UID." },
    state: choice("attention", "receiving", "working", "delivering", "done", "no-work"),
    model: { type: "string", maxLength: 64 },
    destination: { type: "string", maxLength: 64 },
    since: { ...time, description: "Newest image at this time or later, milliseconds since 1970." },
    before: { ...time, description: "Newest image before this time." },
    limit: { type: "integer", minimum: 1, maximum: 500, default: 50 },
    after: { type: "string", maxLength: 256, description: "`next` of the page before." },
  },
} as const;

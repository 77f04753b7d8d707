/** Settings of a transport: in how many exchanges, and which, a model is asked. */
import * as z from "zod";
import { parsePointer } from "../../inference/json.ts";
import type { Exchange, States, Transport, Waiting } from "../../inference/model.ts";
import { duration, expected, line, listOf, named, oneOf, section, text, whole } from "../kinds.ts";
import { body } from "./request.ts";

export function pointer() {
  return text('a JSON Pointer such as /status or ""', (written) =>
    parsePointer(written) ? written : undefined,
  );
}

export function statuses() {
  return z
    .array(whole(200, 599), { error: expected("a list of HTTP statuses") })
    .meta({ title: "HTTP statuses" });
}

/** A value in JSON, which YAML may have written as a number or a flag. */
const value = z
  .union([z.string(), z.number(), z.boolean()], { error: expected("text, a number, true or false") })
  .transform(String);

export function values(least: 0 | 1) {
  const error = expected(least === 0 ? "a list of values" : "a list of values, at least one");
  return z.array(value, { error }).min(least, { error }).meta({ title: "values" });
}

/** What a JSON state may be, by its pointer. */
const state = section({
  pointer: pointer().describe("Where the state stands in the answer."),
  done: values(1).describe("States in which the result is there."),
  failed: values(0)
    .prefault([])
    .describe("States in which there will be none; what is neither is waited for."),
}).transform((written): States => written);

const METHODS: ("get" | "post" | "put" | "delete")[] = ["get", "post", "put", "delete"];

function reference() {
  return z
    .string({ error: expected("a path, seen from the url of the model") })
    .max(2048)
    .meta({ title: "path" });
}

const exchangeShape = {
  get: z
    .exactOptional(reference())
    .describe("Path of a GET: from the root with /, else from the url; may hold placeholders."),
  post: z.exactOptional(reference()).describe("The same of a POST; one of the four is needed."),
  put: z.exactOptional(reference()).describe("The same of a PUT."),
  delete: z.exactOptional(reference()).describe("The same of a DELETE."),
  headers: named("headers", line(4096))
    .prefault({})
    .meta({ title: "headers by name" })
    .describe("More headers of this exchange."),
  body: z
    .exactOptional(body)
    .meta({ title: "a body as in request" })
    .describe("Its body; the first POST or PUT carries that of request, the rest none."),
  ok: statuses().prefault([]).describe("Statuses that are an answer besides 200, 201, 202 and 204."),
  capture: named("JSON Pointers", pointer())
    .prefault({})
    .meta({ title: "JSON Pointers by name" })
    .describe("Values of the answer that become placeholders of what follows."),
  service: z.exactOptional(line(64)).describe("For sigv4: the service, where it is not that of the model."),
} as const;

type Written = z.output<z.ZodObject<typeof exchangeShape>>;

function toExchange(written: Written): Exchange {
  const method = METHODS.find((each) => written[each] !== undefined) ?? "get";
  const { headers, ok, capture, body, service } = written;
  return {
    method: method.toUpperCase() as Exchange["method"],
    path: written[method] ?? "",
    headers,
    ok,
    capture,
    ...(body !== undefined && { body }),
    ...(service !== undefined && { service }),
  };
}

const exchange = oneOf(exchangeShape, METHODS).transform(toExchange);

const waitingShape = {
  every: duration("10ms", "1h").prefault("2s").describe("How long between two of them."),
  state: z.exactOptional(state),
  failedExists: z
    .exactOptional(reference())
    .describe("Without a state, done is what answers 200; a path that answers 200 once the work has failed."),
} as const;

const waiting = oneOf({ ...exchangeShape, ...waitingShape }, METHODS).transform(toWaiting);

type WrittenWaiting = Written & {
  readonly every: number;
  readonly state?: States;
  readonly failedExists?: string;
};

function toWaiting({ every, state, failedExists, ...rest }: WrittenWaiting): Waiting {
  return {
    ...toExchange(rest),
    everyMs: every,
    ...(state !== undefined && { state }),
    ...(failedExists !== undefined && { failedExists }),
  };
}

const step = oneOf(
  {
    ...exchangeShape,
    ...waitingShape,
    every: z
      .exactOptional(duration("10ms", "1h"))
      .describe("Repeats the step so often, until its state is done or it answers 200."),
  },
  METHODS,
).transform(({ every, ...rest }): Exchange | Waiting =>
  every === undefined ? toExchange(rest) : toWaiting({ ...rest, every }),
);

const AS_STEP = "one exchange, as in transport.steps";
const submit = exchange
  .meta({ title: AS_STEP })
  .describe("Submits the job; what its answer says of it is captured.");
const required = waiting
  .meta({ title: `${AS_STEP}, repeated` })
  .describe("Asked every 2s, or every so often, until its state is done.");
const result = z
  .exactOptional(exchange.meta({ title: AS_STEP }))
  .describe("Gets the result; without it, it is in the answer that said done.");
const cancel = z
  .exactOptional(exchange.meta({ title: AS_STEP }))
  .describe("Tells the server that nobody waits any more, after a time-out or when the work was superseded.");

const WORDS = "sync, or { poll: … }, { webhook: … } or { steps: … }";

export const transport = z
  .union(
    [
      z
        .literal("sync")
        .meta({ title: "sync, or poll, webhook or steps as below" })
        .describe("One POST, whose answer is the result; or a job that is submitted and waited for."),
      oneOf(
        {
          poll: z.exactOptional(section({ submit, status: required, result, cancel })),
          webhook: z.exactOptional(
            section({
              submit,
              state: z.exactOptional(state),
              status: z.exactOptional(required),
              result,
              cancel,
            }),
          ),
          steps: z.exactOptional(listOf("exchanges", step)),
        },
        ["poll", "webhook", "steps"],
      ),
    ],
    { error: expected(WORDS) },
  )
  .transform((form): Transport => {
    if (form === "sync") return { kind: "sync" };
    const { poll, webhook, steps } = form;
    if (poll) return { kind: "poll", ...poll };
    return webhook ? { kind: "webhook", ...webhook } : { kind: "steps", steps: steps ?? [] };
  });

/**
 * The ways in which a model is asked: one call, or a job that is submitted and then waited for.
 *
 *   sync      POST ─▶ the answer
 *   poll      submit ─▶ status … status ─▶ result
 *   webhook   submit ─▶ its call back, or a status that says done ─▶ result, or the call back itself
 *   steps     one exchange after another; a step may be repeated until it says done; the last answer is the result
 *
 * In:   a conversation (conversation.ts), which judges every answer and knows the deadline.
 * Out:  the reply that holds the result.
 *
 * A job that the server does not know any more (it was restarted) is submitted once more, under the same id. Who
 * gives up tells the server so, where it has a word for that, and waits for its answer: only then is it free.
 */
import { NodeError } from "../base/errors.ts";
import type { Reply } from "./client.ts";
import type { Conversation } from "./conversation.ts";
import { jsonAt, scalarAt } from "./json.ts";
import type { BodyShape, Exchange, States, Step, Transport, Waiting } from "./model.ts";

/** A call back of the server, if it comes. */
export interface Hook {
  /** Resolves with the body of the first call back that is asked for. */
  next(options: { readonly signal: AbortSignal }): Promise<Uint8Array>;
}

interface Job {
  readonly talk: Conversation;
  /** Of the model's request; carried by the first exchange that sends anything. */
  readonly body: BodyShape;
  readonly hook: Hook | undefined;
}

/** What a server answers for a job that it does not know. */
const UNKNOWN_JOB = new Set([404, 410]);
/** An object that is still to appear; S3 says 403 to who may not list. */
const NOT_YET = new Set([202, 204, 403, 404]);

const POST: Exchange = { method: "POST", path: "", headers: {}, ok: [], capture: {} };

/** @throws what the conversation throws; MODEL_FAILED if the server says that the job failed */
export async function converse(transport: Transport, job: Job): Promise<Reply> {
  const { talk, body } = job;
  switch (transport.kind) {
    case "sync":
      return talk.say({ ...POST, body }, { ok: [200], isResult: true });
    case "poll":
      return cancelling(transport.cancel, talk, () => twice(talk, () => polled(transport, job)));
    case "webhook":
      return cancelling(transport.cancel, talk, () => twice(talk, () => calledBack(transport, job)));
    case "steps":
      return stepped(transport.steps, job);
  }
}

async function polled(
  { submit, status, result }: Extract<Transport, { kind: "poll" }>,
  { talk, body }: Job,
): Promise<Reply> {
  await talk.say({ ...submit, body: submit.body ?? body });
  const last = await untilDone(status, talk);
  return result ? talk.say(result, RESULT) : last;
}

async function calledBack(
  { submit, state, status, result }: Extract<Transport, { kind: "webhook" }>,
  { talk, body, hook }: Job,
): Promise<Reply> {
  if (!hook) throw new Error("bug: a webhook without a place to call back to");
  const over = new AbortController();
  const signal = AbortSignal.any([talk.signal, talk.deadline, over.signal]);
  try {
    const submitted = await talk.say({ ...submit, body: submit.body ?? body });
    const called = untilCalled(hook, state, { talk, signal, submitted });
    const seen = status ? untilDone(status, talk, signal) : undefined;
    seen?.catch(() => undefined); // the one that is told first counts
    called.catch(() => undefined);
    const last = await (seen ? Promise.race([called, seen]) : called);
    return result ? await talk.say(result, RESULT) : last;
  } catch (error) {
    talk.checkTime();
    throw error;
  } finally {
    over.abort();
  }
}

/** A call back is as good as an answer of a status; it is judged by the same words. */
async function untilCalled(
  hook: Hook,
  state: States | undefined,
  {
    talk,
    signal,
    submitted,
  }: { readonly talk: Conversation; readonly signal: AbortSignal; readonly submitted: Reply },
): Promise<Reply> {
  for (;;) {
    const bytes = await hook.next({ signal });
    if (!state || judged(bytes, state, talk) === "done")
      return { ...submitted, status: 200, headers: new Map(), bytes };
  }
}

/** A DELETE puts away what the others left, also when they failed; its answer is never the result. */
async function stepped(steps: readonly Step[], { talk, body }: Job): Promise<Reply> {
  const isWork = ({ method }: Step): boolean => method !== "DELETE";
  const work = steps.filter(isWork);
  try {
    let carried = false;
    let last: Reply | undefined;
    for (const [at, step] of work.entries()) {
      const isFirst: boolean = !carried && step.body === undefined && step.method !== "GET";
      carried ||= isFirst || step.body !== undefined;
      const exchange: Step = isFirst ? { ...step, body } : step;
      const options = at === work.length - 1 ? RESULT : {};
      last = "everyMs" in exchange ? await untilDone(exchange, talk) : await talk.say(exchange, options);
    }
    if (!last) throw new Error("bug: a transport without steps");
    return last;
  } finally {
    for (const step of steps) if (!isWork(step)) await talk.cancel(step);
  }
}

const RESULT = { isResult: true } as const;

/** A server that stumbles while it is asked how far it is loses nothing; it is asked again until the deadline. */
async function untilDone(waiting: Waiting, talk: Conversation, stop?: AbortSignal): Promise<Reply> {
  const signal = AbortSignal.any([talk.signal, talk.deadline, ...(stop ? [stop] : [])]);
  for (;;) {
    await paused(waiting, talk, signal);
    const reply = await talk
      .look(waiting, { ...RESULT, ok: [200, ...waiting.ok] })
      .catch((error: unknown) => {
        talk.checkTime();
        if (error instanceof NodeError && error.failure === "transient" && error.code !== "SECRET_MISSING")
          return undefined;
        throw error;
      });
    if (!reply) continue;
    const isDone = waiting.state
      ? isAnswer(reply, waiting, talk) && judged(reply.bytes, waiting.state, talk) === "done"
      : await hasAppeared(reply, waiting, talk);
    if (isDone) return reply;
  }
}

async function paused({ everyMs }: Waiting, talk: Conversation, signal: AbortSignal): Promise<void> {
  talk.checkTime();
  await talk.clock.sleep(everyMs, { signal }).catch((error: unknown) => {
    talk.checkTime();
    throw error;
  });
}

/** @returns false for a stumble; @throws Unknown, MODEL_REJECTED */
function isAnswer(reply: Reply, waiting: Waiting, { model }: Conversation): boolean {
  const { status } = reply;
  if (status === 200 || waiting.ok.includes(status)) return true;
  if (UNKNOWN_JOB.has(status)) throw new UnknownJob(model.name, status);
  if (status >= 500 || model.statuses.busy.includes(status)) return false;
  throw new NodeError("MODEL_REJECTED", `Model ${model.name}: HTTP ${status} for the status of its job`);
}

async function hasAppeared(
  reply: Reply,
  { failedExists, ...waiting }: Waiting,
  talk: Conversation,
): Promise<boolean> {
  if (reply.status === 200) return true;
  const { name } = talk.model;
  if (!NOT_YET.has(reply.status) && reply.status < 500)
    throw new NodeError("MODEL_REJECTED", `Model ${name}: HTTP ${reply.status} for its result`);
  if (failedExists === undefined) return false;
  const failed = await talk.look({ ...waiting, path: failedExists }).catch(() => undefined);
  if (failed?.status === 200)
    throw new NodeError("MODEL_FAILED", `Model ${name}: it put down a failure instead of a result`);
  return false;
}

function judged(
  answer: Uint8Array,
  { pointer, done, failed }: States,
  { model }: Conversation,
): "done" | "not yet" {
  const state = scalarAt(answer, pointer);
  if (state === undefined && jsonAt(answer, pointer) === undefined)
    throw new NodeError("MODEL_ANSWER_INVALID", `Model ${model.name}: answer without ${pointer}`);
  if (state !== undefined && failed.includes(state))
    throw new NodeError("MODEL_FAILED", `Model ${model.name}: its job is ${state.slice(0, 40)}`);
  return state !== undefined && done.includes(state) ? "done" : "not yet";
}

class UnknownJob extends NodeError {
  constructor(model: string, status: number) {
    super("MODEL_UNAVAILABLE", `Model ${model}: HTTP ${status}, it does not know its job any more`);
  }
}

async function twice(talk: Conversation, run: () => Promise<Reply>): Promise<Reply> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof UnknownJob)) throw error;
    talk.checkTime();
    return run();
  }
}

async function cancelling(
  cancel: Exchange | undefined,
  talk: Conversation,
  run: () => Promise<Reply>,
): Promise<Reply> {
  try {
    return await run();
  } catch (error) {
    if (talk.signal.aborted || talk.deadline.aborted) await talk.cancel(cancel);
    throw error;
  }
}

/**
 * Asks models: one call of `infer` is one model's answer about one volume, or the reason why there is none.
 *
 * In:   the models and slots of the config; volumes.
 * Out:  findings on the volume's grid, with the times it took.
 *
 * A caller starts all models of a rule at once; nothing is shared between them but the encoded volume and the
 * places, so a failure stays with its model. A place is held while a request is under way, not while its body is
 * built, its answer decoded, or a new try waited for. Whatever a new try can help is tried again, a time-out too:
 * an inference that ran twice harms nobody.
 */
import { randomUUID } from "node:crypto";
import { type Backoff, backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { counted } from "../base/counted.ts";
import { NodeError } from "../base/errors.ts";
import type { Log, LogFields } from "../base/log.ts";
import type { WorkerPool } from "../base/worker-pool.ts";
import { told } from "../volume/formats/notes.ts";
import type { Findings, Volume } from "../volume/volume.ts";
import type { ModelAccess } from "./access.ts";
import { type Answered, Asker, type Asking, type LabelledModel, type Read } from "./ask.ts";
import { AnswerCache, answerKey } from "./cache.ts";
import { type Learnt, learn } from "./learn.ts";
import type { NeedFacts } from "./needs.ts";
import { Places } from "./places.ts";
import { type PreparedVolume, type PrepareOptions, prepareVolume } from "./prepare.ts";
import { capacitiesOf, concurrencyOf, requestFor, type Slots, serversOf, type Workload } from "./replicas.ts";
import type { Capacities, Seat } from "./schedule.ts";
import type { SecretSettings } from "./secrets.ts";
import { Turns } from "./turns.ts";

interface Callable extends LabelledModel, Workload {
  readonly url: string;
  readonly slots: Workload["slots"];
}

export interface InferenceSettings {
  /** By name; of the segments only the label values and their names are used here. */
  readonly models: ReadonlyMap<string, Callable>;
  readonly secrets: SecretSettings;
  /** How many places each resource has. */
  readonly slots: Slots;
}

export interface InferenceSystem {
  readonly log: Log;
  readonly clock: Clock;
  readonly pool: WorkerPool;
  /** Where models fetch volumes and call back, if any of them does. */
  readonly access?: ModelAccess | undefined;
}

export interface InferOptions {
  readonly signal: AbortSignal;
  /** Above 0 it is STAT. */
  readonly priority: number;
  /** Of models that it needs and that have answered. */
  readonly needs?: Readonly<Record<string, NeedFacts>>;
  /** What the log lines are about. */
  readonly about?: Pick<LogFields, "studyUid" | "seriesUid">;
}

export interface Answer {
  readonly findings: Findings;
  /** As it came from the model: evidence, should the findings not be fit to leave. */
  readonly received: Uint8Array;
  /** JSON as the model wrote it, where it measures too. */
  readonly measurements?: string;
  /** Wall time when the last byte had arrived, ms since 1970. */
  readonly receivedAtMs: number;
  readonly timings: Timings;
}

/** Of the try that succeeded, but for `attempts`. */
interface Timings {
  readonly queuedMs: number;
  readonly sendMs: number;
  readonly serverMs: number;
  readonly decodeMs: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly attempts: number;
  /** 1 if the answer was not asked for again but kept from before. */
  readonly cached?: number;
  /** Which of several servers answered, from 0. */
  readonly replica?: number;
}

export interface Inference extends AsyncDisposable {
  /** The encoded forms of a volume, shared by all models that are asked about it; dispose it after the last. */
  prepare(volume: Volume, options?: PrepareOptions): PreparedVolume;
  /** @throws NodeError with one of the MODEL_ or LABEL_ codes; the signal's reason */
  infer(model: string, volume: PreparedVolume, options: InferOptions): Promise<Answer>;
}

/** One try: what it is about. */
interface Job {
  readonly model: Callable;
  readonly volume: PreparedVolume;
  readonly options: InferOptions;
  readonly about: LogFields;
}

interface Asked {
  readonly outcome: Answered;
  readonly timings: Omit<Timings, "decodeMs" | "bytesReceived">;
}

const FROM_CACHE = { timings: { queuedMs: 0, sendMs: 0, serverMs: 0, bytesSent: 0, attempts: 0 } } as const;
const BACKOFF: Backoff = { firstMs: 1000, capMs: 30_000 };

/** @throws CONFIG_INVALID if a model needs slots that are not there */
export function createInference(settings: InferenceSettings, system: InferenceSystem): Inference {
  const { log, clock, pool } = system;
  const models = [...settings.models.values()];
  const capacities = capacitiesOf(settings.slots, models);
  const places = new Places(capacities, clock);
  const turns = new Turns(clock);
  const servers = new Map(models.flatMap(serversOf).map(({ seat, url }) => [seat.replica, url]));
  const { secrets } = settings;
  const asker = new Asker({
    clock,
    pool,
    access: system.access,
    secrets,
    connections: connectionsOf(models, capacities),
  });
  const cache = new AnswerCache<Answered>();
  const stop = new AbortController();
  const underWay = new Set<Promise<Answer>>();
  let learnt: Learnt = new Map();

  async function attempt(
    name: string,
    volume: PreparedVolume,
    options: InferOptions,
    { n, jobId }: { readonly n: number; readonly jobId: string },
  ): Promise<Answer> {
    const model = modelNamed(settings, name);
    const about = { ...options.about, model: name, attempt: n };
    await using asking = await asker.prepare(model, volume, { ...options.about, jobId });
    const key = await answerKey(model, volume);
    const kept = key === undefined ? undefined : cache.get(key);
    const asked = kept
      ? { ...FROM_CACHE, outcome: kept }
      : await ask(asking, { model, volume, options, about });
    const { outcome } = asked;
    const receivedAtMs = clock.now();
    const decodedFrom = clock.elapsed();
    const { findings: interpreted, measurements, bytesReceived } = await read(asking, outcome, options);
    const { notes, ...findings } = interpreted;
    findings.layers.forEach(counted);
    for (const note of notes) log.warn("inference.noted", { ...about, reason: told(note) });
    const decodeMs = clock.elapsed() - decodedFrom;
    const timings = {
      ...asked.timings,
      decodeMs,
      bytesReceived,
      ...(kept ? { cached: 1 } : { attempts: n }),
    };
    const elapsedMs = Math.round(
      asked.timings.queuedMs + asked.timings.sendMs + asked.timings.serverMs + decodeMs,
    );
    log.info(kept ? "inference.cached" : "inference.done", { ...about, bytes: bytesReceived, elapsedMs });
    const received = outcome.reply.bytes;
    if (key !== undefined) cache.put(key, outcome, received.length);
    return { findings, received, receivedAtMs, timings, ...(measurements !== undefined && { measurements }) };
  }

  /** The part that needs places. */
  async function ask(asking: Asking, { model, volume, options, about }: Job): Promise<Asked> {
    const voxels = volume.volume.voxels.length;
    const request = requestFor(model, settings.models, { learnt, voxels, isStat: options.priority > 0 });
    const queuedAt = clock.elapsed();
    let queuedMs: number | undefined;
    const send = async ({ replica }: Seat, signal: AbortSignal) => {
      using turn = await turns.begin(request.pathMs);
      const startedAt = clock.elapsed();
      queuedMs ??= startedAt - queuedAt;
      log.info("inference.started", {
        ...about,
        bytes: asking.bytes,
        waitMs: Math.round(startedAt - queuedAt),
      });
      const onSent = (): void => turn[Symbol.dispose]();
      const outcome = await asking.send({ signal, url: servers.get(replica)!, onSent });
      if (outcome.kind === "busy") throw new Busy(model.name, outcome.status, outcome.retryAfterMs);
      return { outcome, replica, tookMs: clock.elapsed() - startedAt };
    };
    const { outcome, replica, tookMs } = await places.hold(request, send, options);
    learnt = learn(learnt, { model: model.name, voxels }, tookMs);
    const { sendMs, serverMs, bytesSent } = outcome;
    const which = model.replicas.length > 0 ? { replica: Number(replica.split(" ")[1]) } : {};
    return {
      outcome,
      timings: { queuedMs: queuedMs ?? 0, sendMs, serverMs, bytesSent, attempts: 0, ...which },
    };
  }

  /** What is wrong with an answer itself is told with the answer. */
  async function read(asking: Asking, answered: Answered, options: InferOptions): Promise<Read> {
    try {
      return await asking.read(answered, options);
    } catch (error) {
      if (!(error instanceof NodeError) || error.failure !== "permanent") throw error;
      const { bytes: received } = answered.reply;
      throw new AnswerRefused(error.code, error.message, { cause: error, received });
    }
  }

  async function untilAnswered(name: string, volume: PreparedVolume, options: InferOptions): Promise<Answer> {
    const { attempts } = modelNamed(settings, name);
    const signal = AbortSignal.any([options.signal, stop.signal]);
    const jobId = randomUUID();
    for (let n = 1; ; n += 1) {
      try {
        return await attempt(name, volume, options, { n, jobId });
      } catch (error) {
        options.signal.throwIfAborted(); // we were told to stop; the model did not fail
        if (!(error instanceof NodeError)) throw error;
        const again = error.failure !== "permanent" && n < attempts;
        const wait = again ? { waitMs: waitBefore(n + 1, error) } : {};
        const about = { ...options.about, model: name, attempt: n, code: error.code, reason: error.message };
        log.warn("inference.failed", { ...about, ...wait });
        if (wait.waitMs === undefined) throw error;
        await clock.sleep(wait.waitMs, { signal });
      }
    }
  }

  return {
    prepare: (volume, options) => prepareVolume(volume, pool, options),
    async infer(name, volume, options) {
      const asked = untilAnswered(name, volume, options);
      underWay.add(asked);
      try {
        return await asked;
      } finally {
        underWay.delete(asked);
      }
    },
    /** Refuses who waits for a place or a next try; lets requests under way end and their answers be decoded. */
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("The node is stopping"));
      asker.stop();
      await places[Symbol.asyncDispose]();
      await Promise.allSettled(underWay);
      await asker[Symbol.asyncDispose]();
    },
  };
}

/** A model answered, and what it said is no findings about the volume. */
export class AnswerRefused extends NodeError {
  readonly received: Uint8Array;

  constructor(
    code: NodeError["code"],
    message: string,
    options: ErrorOptions & { readonly received: Uint8Array },
  ) {
    super(code, message, options);
    this.received = options.received;
  }
}

/** A server that said when to come back. */
class Busy extends NodeError {
  readonly retryAfterMs: number | undefined;

  constructor(model: string, status: number, retryAfterMs: number | undefined) {
    super("MODEL_BUSY", `Model ${model}: HTTP ${status}, busy`);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Never sooner than our own back-off: a Retry-After of 0 from a server that is down would be a hammer. */
function waitBefore(attempt: number, error: NodeError): number {
  const own = backoffMs(BACKOFF, attempt - 1, Math.random());
  return Math.max(own, error instanceof Busy ? (error.retryAfterMs ?? 0) : 0);
}

/** One more for what is asked about a job while others run. */
function connectionsOf(models: readonly Callable[], capacities: Capacities): ReadonlyMap<string, number> {
  return new Map(
    models.map((model) => {
      const each = serversOf(model).map(({ seat }) => concurrencyOf(seat, capacities));
      return [model.name, 2 * each.reduce((sum, count) => sum + count, 0) + 1];
    }),
  );
}

function modelNamed(settings: InferenceSettings, name: string): Callable {
  const model = settings.models.get(name);
  if (!model) throw new Error(`bug: no model ${name}`);
  return model;
}

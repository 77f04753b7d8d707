/**
 * Asks models: one call of `infer` is one model's answer about one volume, or the reason why there is none.
 *
 * In:   the models and slots of the config; volumes.
 * Out:  findings on the volume's grid, with the times it took.
 *
 * A caller starts all models of a rule at once; nothing is shared between them but the encoded volume and the
 * slots, so a failure stays with its model. A slot is held while a request is under way, not while its body is
 * built, its answer decoded, or a new try waited for. Whatever a new try can help is tried again, a time-out too:
 * an inference that ran twice harms nobody.
 */
import { type Backoff, backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { Log, LogFields } from "../base/log.ts";
import { task, type WorkerPool } from "../base/worker-pool.ts";
import type { Interpreted } from "../volume/formats/interpret.ts";
import type { UnknownLabelPolicy } from "../volume/formats/labels.ts";
import type { SegmentNames } from "../volume/formats/mask-names.ts";
import { told } from "../volume/formats/notes.ts";
import type { Findings, Volume } from "../volume/volume.ts";
import { ModelClient, type Answer as Received } from "./client.ts";
import type { decodeAnswer } from "./decode.ts";
import type { Model } from "./model.ts";
import { type PreparedVolume, prepareVolume } from "./prepare.ts";
import { concurrencyOf, Slots } from "./slots.ts";

interface LabelledModel extends Model {
  readonly segments: SegmentNames;
  readonly onUnknownLabel?: UnknownLabelPolicy;
}

export interface InferenceSettings {
  /** By name; of the segments only the label values and their names are used here. */
  readonly models: ReadonlyMap<string, LabelledModel>;
  /** How many places each resource has. */
  readonly slots: Readonly<Record<string, number>>;
}

export interface InferenceSystem {
  readonly log: Log;
  readonly clock: Clock;
  readonly pool: WorkerPool;
}

interface InferOptions {
  readonly signal: AbortSignal;
  /** Higher first. */
  readonly priority: number;
  /** What the log lines are about. */
  readonly about?: Pick<LogFields, "studyUid" | "seriesUid">;
}

export interface Answer {
  readonly findings: Findings;
  /** As it came from the model: evidence, should the findings not be fit to leave. */
  readonly received: Uint8Array;
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
}

export interface Inference extends AsyncDisposable {
  /** The encoded forms of a volume, shared by all models that are asked about it; dispose it after the last. */
  prepare(volume: Volume): PreparedVolume;
  /** @throws NodeError with one of the MODEL_ or LABEL_ codes; the signal's reason */
  infer(model: string, volume: PreparedVolume, options: InferOptions): Promise<Answer>;
}

const BACKOFF: Backoff = { firstMs: 1000, capMs: 30_000 };
/** The longest a server's Retry-After is waited for here; longer is the business of whoever plans the next try. */
const RETRY_AFTER_CAP_MS = 60_000;
/** Half a minute for 10^9 voxels would be slow; what takes longer hangs. */
const DECODE_TIMEOUT_MS = 120_000;

const DECODE = task<typeof decodeAnswer>(import.meta.url, "./decode", "decodeAnswer");

/** @throws CONFIG_INVALID if a model needs slots that are not there */
export function createInference(settings: InferenceSettings, system: InferenceSystem): Inference {
  const { log, clock, pool } = system;
  const models = [...settings.models.values()];
  const slots = new Slots(settings.slots, models);
  const client = new ModelClient(connectionsOf(models, settings.slots), clock);
  const stop = new AbortController();
  const underWay = new Set<Promise<Answer>>();

  async function attempt(
    name: string,
    volume: PreparedVolume,
    options: InferOptions,
    n: number,
  ): Promise<Answer> {
    const model = modelNamed(settings, name);
    const about = { ...options.about, model: name, attempt: n };
    const body = await volume.body(model.request);
    const queuedAt = clock.elapsed();
    let queuedMs = 0;
    const outcome = await slots.hold(name, options, () => {
      queuedMs = clock.elapsed() - queuedAt;
      log.info("inference.started", { ...about, bytes: body.length, waitMs: Math.round(queuedMs) });
      return client.post(model, body, options);
    });
    if (outcome.kind === "busy") throw new Busy(name, outcome.status, outcome.retryAfterMs);
    const receivedAtMs = clock.now();
    const decodedFrom = clock.elapsed();
    const { notes, ...findings } = await decode(model, volume.volume, outcome, options.signal);
    for (const note of notes) log.warn("inference.noted", { ...about, reason: told(note) });
    const timings = {
      queuedMs,
      sendMs: outcome.sendMs,
      serverMs: outcome.serverMs,
      decodeMs: clock.elapsed() - decodedFrom,
      bytesSent: body.length,
      bytesReceived: outcome.bytes.length,
      attempts: n,
    };
    const elapsedMs = Math.round(clock.elapsed() - queuedAt);
    log.info("inference.done", { ...about, bytes: outcome.bytes.length, elapsedMs });
    return { findings, received: outcome.bytes, receivedAtMs, timings };
  }

  async function decode(
    model: LabelledModel,
    volume: Volume,
    { bytes, headers }: Received,
    signal: AbortSignal,
  ): Promise<Interpreted> {
    const { request, response, segments, onUnknownLabel = "refuse" } = model;
    const labels = [...segments.keys()];
    const expected = { grid: volume.grid, labels, names: segments, onUnknownLabel };
    const input = { bytes, headers, format: request.format, response, expected };
    try {
      return await pool.run(DECODE, input, { signal, timeoutMs: DECODE_TIMEOUT_MS });
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      throw new AnswerRefused(error.code, `Model ${model.name}: ${error.message}`, {
        cause: error,
        received: bytes,
      });
    }
  }

  async function untilAnswered(name: string, volume: PreparedVolume, options: InferOptions): Promise<Answer> {
    const { attempts } = modelNamed(settings, name);
    const signal = AbortSignal.any([options.signal, stop.signal]);
    for (let n = 1; ; n += 1) {
      try {
        return await attempt(name, volume, options, n);
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
    prepare: (volume) => prepareVolume(volume, pool),
    async infer(name, volume, options) {
      const asked = untilAnswered(name, volume, options);
      underWay.add(asked);
      try {
        return await asked;
      } finally {
        underWay.delete(asked);
      }
    },
    /** Refuses who waits for a slot or a next try; lets requests under way end and their answers be decoded. */
    async [Symbol.asyncDispose]() {
      stop.abort(new Error("The node is stopping"));
      await slots[Symbol.asyncDispose]();
      await Promise.allSettled(underWay);
      await client[Symbol.asyncDispose]();
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
  const asked = error instanceof Busy ? (error.retryAfterMs ?? 0) : 0;
  return Math.max(own, Math.min(asked, RETRY_AFTER_CAP_MS));
}

function connectionsOf(
  models: readonly Model[],
  slots: InferenceSettings["slots"],
): ReadonlyMap<string, number> {
  const connections = new Map<string, number>();
  for (const model of models) {
    const { origin } = new URL(model.url);
    connections.set(origin, (connections.get(origin) ?? 0) + concurrencyOf(model, slots));
  }
  return connections;
}

function modelNamed(settings: InferenceSettings, name: string): LabelledModel {
  const model = settings.models.get(name);
  if (!model) throw new Error(`bug: no model ${name}`);
  return model;
}

/**
 * Asking one model about one volume, in three parts, of which only the middle one needs the model's slots.
 *
 *   prepare   the body is built, a link is published, a file is put into the shared folder
 *   send      the exchange; it settles when the server has really ended, as far as that can be known
 *   read      what was answered is fetched, unwrapped and interpreted
 *
 * In:   a model, a prepared volume.
 * Out:  its findings, what else it measured, and the times it took.
 *
 * Whoever schedules needs to know nothing of transports. A server that does not notice a lost connection works on:
 * its slot stays taken for `lingerMs` then.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { WorkerPool } from "../base/worker-pool.ts";
import { toRasRows } from "../volume/formats/affine.ts";
import type { Interpreted } from "../volume/formats/interpret.ts";
import type { UnknownLabelPolicy } from "../volume/formats/labels.ts";
import type { SegmentNames } from "../volume/formats/mask-names.ts";
import type { ModelAccess } from "./access.ts";
import { arrangementOf, shapeOf, spacingOf } from "./arrange.ts";
import { Lost, ModelClient, type Reply } from "./client.ts";
import { Busy, Conversation, type Topic } from "./conversation.ts";
import { kserveBody } from "./kserve.ts";
import type { Json, Model } from "./model.ts";
import type { PreparedVolume } from "./prepare.ts";
import { Reader } from "./read.ts";
import { type Offered, offer } from "./reference.ts";
import type { EncodedFile } from "./request.ts";
import type { SecretSettings } from "./secrets.ts";
import { Secrets } from "./secrets.ts";
import { converse } from "./transport.ts";

/** A model, and what its answers may hold. */
export interface LabelledModel extends Model {
  readonly segments: SegmentNames;
  readonly onUnknownLabel?: UnknownLabelPolicy;
}

export interface Answered {
  readonly kind: "answered";
  readonly reply: Reply;
  readonly sendMs: number;
  readonly serverMs: number;
  readonly bytesSent: number;
}

export type Outcome =
  | Answered
  | { readonly kind: "busy"; readonly status: number; readonly retryAfterMs: number | undefined };

export interface Read {
  readonly findings: Interpreted;
  /** JSON as the model wrote it. */
  readonly measurements?: string;
  readonly bytesReceived: number;
}

export interface SendOptions {
  readonly signal: AbortSignal;
  /** Of another server of the same model. */
  readonly url?: string;
  /** Called once the body is sent, and at the latest when all is over; perhaps more than once. */
  readonly onSent?: () => void;
}

export interface Asking extends AsyncDisposable {
  /** Of the body that carries the volume, or of the file that is referred to. */
  readonly bytes: number;
  /** @throws NodeError with a MODEL_ code; the signal's reason */
  send(options: SendOptions): Promise<Outcome>;
  /** @throws NodeError with a MODEL_ or LABEL_ code; the signal's reason */
  read(answered: Answered, options: { readonly signal: AbortSignal }): Promise<Read>;
}

export interface AskerSystem {
  readonly clock: Clock;
  readonly pool: WorkerPool;
  readonly access: ModelAccess | undefined;
  readonly secrets: SecretSettings;
  /** By model, how many requests may be under way at once. */
  readonly connections: ReadonlyMap<string, number>;
}

interface About {
  /** The same in every try of the same work: servers that know it do not work twice. */
  readonly jobId?: string;
  readonly studyUid?: string | undefined;
  readonly seriesUid?: string | undefined;
}

export class Asker implements AsyncDisposable {
  readonly #system: AskerSystem;
  readonly #client: ModelClient;
  readonly #secrets: Secrets;
  readonly #reader: Reader;
  readonly #stop = new AbortController();

  constructor(system: AskerSystem) {
    this.#system = system;
    this.#client = new ModelClient(system.connections, system.clock);
    this.#secrets = new Secrets(system.secrets);
    this.#reader = new Reader(system);
  }

  /** @throws MODEL_INPUT_UNSUITABLE, STORAGE_FAILED, STORAGE_FULL, WORKER_DIED */
  async prepare(model: LabelledModel, volume: PreparedVolume, about: About = {}): Promise<Asking> {
    const jobId = about.jobId ?? randomUUID();
    const { request } = model;
    const { grid } = arrangementOf(volume.volume.grid, request);
    const file = await fileOf(model, volume);
    const offered = await offer(model, file, { access: this.#system.access, now: this.#system.clock.now() });
    const known: readonly (readonly [string, Json | undefined])[] = [
      ...offered.values,
      ["job.id", jobId],
      ["study.uid", about.studyUid],
      ["series.uid", about.seriesUid],
      ["shape", shapeOf(grid, layoutOf(model))],
      ["spacing", spacingOf(grid)],
      ["affine", [...toRasRows(grid.affine), [0, 0, 0, 1]]],
    ];
    const values = new Map(known.filter((entry): entry is readonly [string, Json] => entry[1] !== undefined));
    const topic: Topic =
      request.format === "kserve"
        ? { model, file, values, ownBody: kserveBody({ grid, voxels: file }, request) }
        : { model, file, values };
    return {
      bytes: topic.ownBody?.length ?? file.length,
      send: (options) => this.#send(topic, offered, options),
      read: (answered, options) => {
        const talk = new Conversation(topic, this.#means, options);
        return this.#reader.read(answered.reply, { talk, grid, source: volume.volume.grid, model, offered });
      },
      [Symbol.asyncDispose]: () => offered[Symbol.asyncDispose](),
    };
  }

  /** Ends the waiting for servers that nobody listens to any more. */
  stop(): void {
    this.#stop.abort(new Error("The node is stopping"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#client[Symbol.asyncDispose]();
  }

  get #means() {
    return { client: this.#client, secrets: this.#secrets, clock: this.#system.clock };
  }

  async #send(asked: Topic, offered: Offered, options: SendOptions): Promise<Outcome> {
    const model = { ...asked.model, url: options.url ?? asked.model.url };
    const topic = { ...asked, model };
    const { clock } = this.#system;
    const started = clock.elapsed();
    const talk = new Conversation(topic, this.#means, options);
    const body = model.request.format === "kserve" ? ({ kind: "raw" } as const) : model.request.body;
    try {
      const reply = await converse(model.transport, { talk, body, hook: offered.hook });
      const { bytesSent, sendMs } = talk;
      return { kind: "answered", reply, bytesSent, sendMs, serverMs: clock.elapsed() - started - sendMs };
    } catch (error) {
      if (error instanceof Busy)
        return { kind: "busy", status: error.status, retryAfterMs: error.retryAfterMs };
      const mayWork = options.signal.aborted || (error instanceof Lost && error.mayWork);
      if (mayWork && model.lingerMs > 0)
        await clock.sleep(model.lingerMs, { signal: this.#stop.signal }).catch(() => undefined);
      throw error;
    } finally {
      options.onSent?.();
    }
  }
}

async function fileOf(model: Model, volume: PreparedVolume): Promise<EncodedFile> {
  const { request } = model;
  try {
    if (request.format !== "kserve") return await volume.file(request);
    const dtype = ({ INT16: "int16", UINT16: "uint16", FP32: "float32" } as const)[request.datatype];
    const { layout, orientation } = request;
    return {
      ...(await volume.voxels({ dtype, layout, orientation })),
      mediaType: "application/octet-stream",
    };
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    throw new NodeError(error.code, `Model ${model.name}: ${error.message}`, { cause: error });
  }
}

/** Only bare numbers have a layout; files have axes of their own. */
function layoutOf({ request }: Model): string {
  const isBare = request.format === "kserve" || request.format === "npy" || request.format === "raw";
  return isBare ? request.layout : "ZYX";
}

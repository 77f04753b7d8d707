/**
 * Reading an answer: what lies elsewhere is fetched, the rest is done in a worker.
 *
 * In:   the reply of a transport.
 * Out:  findings on the grid of the source, and the measurements beside it.
 *
 * The worker takes as many steps of unwrapping as it can; where a step names a URL or a file, it hands back the
 * names, and goes on with what came of them.
 */
import { NodeError } from "../base/errors.ts";
import { task, type WorkerPool } from "../base/worker-pool.ts";
import type { AnswerFile } from "../volume/formats/answer.ts";
import { invalid } from "../volume/formats/image.ts";
import type { AnswerShape } from "../volume/formats/interpret.ts";
import type { Grid } from "../volume/volume.ts";
import type { LabelledModel, Read } from "./ask.ts";
import type { Reply } from "./client.ts";
import type { Conversation } from "./conversation.ts";
import type { Decoded, decodeAnswer } from "./decode.ts";
import type { Model, Unwrap } from "./model.ts";
import type { Offered } from "./reference.ts";

/** Half a minute for 10^9 voxels would be slow; what takes longer hangs. */
const DECODE_TIMEOUT_MS = 120_000;
/** A URL in an archive behind a URL is as far as it goes. */
const MAX_ROUNDS = 4;

const DECODE = task<typeof decodeAnswer>(import.meta.url, "./decode", "decodeAnswer");

export interface Reading {
  readonly talk: Conversation;
  readonly model: LabelledModel;
  /** As it was sent, and as the source has it. */
  readonly grid: Grid;
  readonly source: Grid;
  readonly offered: Offered;
}

interface Round {
  readonly files: readonly AnswerFile[];
  readonly headers: ReadonlyMap<string, string>;
  readonly steps: readonly Unwrap[];
  readonly measurements?: readonly Unwrap[];
  readonly echoes: Readonly<Record<string, string>>;
}

export class Reader {
  readonly #pool: WorkerPool;

  constructor({ pool }: { readonly pool: WorkerPool }) {
    this.#pool = pool;
  }

  /** @throws NodeError with a MODEL_ or LABEL_ code; the signal's reason */
  async read(reply: Reply, reading: Reading): Promise<Read> {
    const { response, name } = reading.model;
    const { measurements: path } = response;
    let round: Round = {
      files: [{ bytes: reply.bytes }],
      headers: reply.headers,
      steps: stepsOf(reading.model),
      echoes: Object.fromEntries(
        Object.entries(response.echoes).map(([pointer, text]) => [pointer, reading.talk.text(text)]),
      ),
      ...(path && { measurements: path }),
    };
    let bytesReceived = reply.bytes.length;
    let measurements: string | undefined;
    try {
      for (let n = 0; n < MAX_ROUNDS; n += 1) {
        const decoded = await this.#decode(round, reading);
        measurements ??= decoded.measurements;
        if (decoded.kind === "findings") {
          const { findings } = decoded;
          return { findings, bytesReceived, ...(measurements !== undefined && { measurements }) };
        }
        round = await this.#outside(decoded, reading);
        bytesReceived += round.files.reduce((sum, { bytes }) => sum + bytes.length, 0);
      }
    } catch (error) {
      if (!(error instanceof NodeError) || error.message.startsWith(`Model ${name}: `)) throw error;
      throw new NodeError(error.code, `Model ${name}: ${error.message}`, { cause: error });
    }
    throw invalid(`Model ${name}: answer refers to more than ${MAX_ROUNDS} places in turn`);
  }

  #decode(round: Round, { talk, model, grid, source }: Reading): Promise<Decoded> {
    const limits = { maxBytes: model.response.maxBytes, ratio: model.limits.ratio };
    const { segments: names, onUnknownLabel = "refuse", response } = model;
    const expected = { grid: source, sent: grid, labels: [...names.keys()], names, onUnknownLabel };
    const input = { ...round, limits, shape: shapeOf(response, model.request), expected };
    return this.#pool.run(DECODE, input, { signal: talk.signal, timeoutMs: DECODE_TIMEOUT_MS });
  }

  async #outside(
    { how, references, rest }: Extract<Decoded, { kind: "outside" }>,
    { talk, model, offered }: Reading,
  ): Promise<Round> {
    const files: AnswerFile[] = [];
    let headers: ReadonlyMap<string, string> = new Map();
    let room = model.response.maxBytes;
    for (const reference of references) {
      const name = nameIn(reference);
      if (how === "file") {
        if (!offered.folder) throw new Error(`bug: model ${model.name} has no shared folder`);
        files.push({ name, bytes: await offered.folder.read(reference, room) });
      } else {
        const reply = await talk.fetch(reference, room);
        ({ headers } = reply);
        files.push({ name, bytes: reply.bytes });
      }
      room -= files.at(-1)!.bytes.length;
    }
    return { files, headers, steps: rest, echoes: {} };
  }
}

/** A bare answer has its axes in the order of a bare request, unless something else is said. */
function shapeOf(response: Model["response"], request: Model["request"]): AnswerShape {
  const { as, format, grid, maxBytes } = response;
  const layout = "layout" in request ? request.layout : "ZYX";
  const isOther = request.format !== "nifti" && layout.replaceAll(/[NC]/g, "") !== "ZYX";
  const how = isOther ? { layout, ...format } : format;
  return { as, maxBytes, ...(grid && { grid }), ...(how && { format: how }) };
}

/** A tensor is what answers of that protocol are, unless something else is said. */
function stepsOf({ request, response }: LabelledModel): readonly Unwrap[] {
  const { unwrap, output } = response;
  if (request.format !== "kserve" || unwrap.length > 0) return unwrap;
  return [{ kind: "tensor", ...(output !== undefined && { name: output }) }];
}

/** Of a URL or path; it tells masks apart and is never opened. */
function nameIn(reference: string): string {
  const path = reference.split(/[?#]/)[0] ?? "";
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * Asks models that need each other, about one volume.
 *
 * In:   the volume with its encoded forms; what the config says of needs.
 * Out:  findings on the whole grid, also of a model that was asked about a part of it.
 *
 * What a needed model found is kept for as long as the volume stands in memory. After a restart, or when memory was
 * wanted meanwhile, that model is asked once more: a result in the outbox is for the PACS, and is not read back.
 */
import { NodeError } from "../base/errors.ts";
import { task, type WorkerPool } from "../base/worker-pool.ts";
import type { Findings } from "../volume/volume.ts";
import type { Cropped, cropAround, pasteBack } from "./crop.ts";
import type { Answer, Inference, InferOptions } from "./dispatch.ts";
import { dependentsOf, type Need, type NeedFacts, type Needs } from "./needs.ts";
import type { PreparedVolume } from "./prepare.ts";

interface ChainSystem {
  readonly models: ReadonlyMap<string, { readonly needs: Needs }>;
  readonly inference: Inference;
  readonly pool: WorkerPool;
}

interface ChainOptions extends InferOptions {
  /** Needed models that will not answer: those who may run without them do. */
  readonly missing: ReadonlySet<string>;
}

type Crop = NonNullable<Need["crop"]>;

const CROP = task<typeof cropAround>(import.meta.url, "./crop", "cropAround");
const PASTE = task<typeof pasteBack>(import.meta.url, "./crop", "pasteBack");
/** Both go once over the volume. */
const TIMEOUT_MS = 60_000;

export class Chain {
  readonly #volume: PreparedVolume;
  readonly #system: ChainSystem;
  /** Of models that others need; a promise, so that two who need the same one ask it once. */
  readonly #found = new Map<string, Promise<Findings>>();

  constructor(volume: PreparedVolume, system: ChainSystem) {
    this.#volume = volume;
    this.#system = system;
  }

  /** Whether it has answered and its findings are still here. */
  has(model: string): boolean {
    return this.#found.has(model);
  }

  /** @throws as Inference.infer; NEED_UNMET */
  async infer(model: string, options: ChainOptions): Promise<Answer> {
    const answer = await this.#ask(model, options);
    if (this.#isWanted(model)) this.#found.set(model, Promise.resolve(answer.findings));
    return answer;
  }

  async #ask(model: string, options: ChainOptions): Promise<Answer> {
    const { inference, pool } = this.#system;
    const cropped = await this.#partFor(model, options);
    if (cropped.kind === "nothing") return inference.infer(model, this.#volume, options);
    const { volume, box, needs } = cropped;
    const { study } = this.#volume;
    using part = inference.prepare(volume, study === undefined ? {} : { study });
    const answer = await inference.infer(model, part, { ...options, needs });
    const { grid } = this.#volume.volume;
    const input = { findings: answer.findings, box, grid };
    const findings = await pool.run(PASTE, input, { signal: options.signal, timeoutMs: TIMEOUT_MS });
    return { ...answer, findings };
  }

  async #partFor(
    model: string,
    options: ChainOptions,
  ): Promise<
    | (Extract<Cropped, { kind: "part" }> & { readonly needs: Readonly<Record<string, NeedFacts>> })
    | { readonly kind: "nothing" }
  > {
    const { models, pool } = this.#system;
    const needs = Object.entries(models.get(model)?.needs ?? {});
    const crops = needs.flatMap(([name, { crop, otherwise }]) =>
      crop && !options.missing.has(name) ? [{ name, crop, otherwise }] : [],
    );
    if (crops.length === 0) return { kind: "nothing" };
    const around = await Promise.all(
      crops.map(async ({ name, crop }) => aroundOf(await this.#findingsOf(name, options), crop)),
    );
    const input = { volume: this.#volume.volume, around };
    const cropped = await pool.run(CROP, input, { signal: options.signal, timeoutMs: TIMEOUT_MS });
    if (cropped.kind === "part") {
      const facts = crops.map(({ name }, at) => [name, { box: cropped.found[at]! }] as const);
      return { ...cropped, needs: Object.fromEntries(facts) };
    }
    if (crops.every(({ otherwise }) => otherwise === "run")) return cropped;
    const names = crops.map(({ name }) => name).join(" and ");
    throw new NodeError("NEED_UNMET", `Model ${model}: needs ${names}, which found nothing to crop around`);
  }

  #findingsOf(model: string, options: ChainOptions): Promise<Findings> {
    const known = this.#found.get(model);
    if (known) return known;
    const asked = this.#ask(model, options).then(({ findings }) => findings);
    this.#found.set(model, asked);
    asked.catch(() => this.#found.delete(model));
    return asked;
  }

  #isWanted(model: string): boolean {
    const { models } = this.#system;
    return dependentsOf(model, models).some((name) => models.get(name)?.needs[model]?.crop);
  }
}

function aroundOf(
  findings: Findings,
  { labels, marginMm }: Crop,
): Parameters<typeof cropAround>[0]["around"][number] {
  return { findings, marginMm, ...(labels && { labels }) };
}

/**
 * Places on shared resources: so many inferences at once on a GPU, whichever models they are of.
 *
 * A model says how many places of which resource one inference takes, { gpu0: 1 }; one that says nothing has a
 * place of its own, and so runs one inference at a time. All places are held until the work settles.
 *
 * No deadlock: resources are taken in one order for all, by name; and of those who need several places of one
 * resource, only one at a time collects them (the gate). Whoever holds something waits only for holders further on.
 */
import { NodeError } from "../base/errors.ts";
import { Lane } from "../base/lane.ts";
import type { Model } from "./model.ts";

export interface SlotOptions {
  /** Higher first; among equals, first come first served. */
  readonly priority: number;
  /** Ends the waiting; work that has begun is not touched. */
  readonly signal: AbortSignal;
}

interface Resource {
  readonly places: Lane;
  readonly gate: Lane;
}

interface Need {
  readonly resource: Resource;
  readonly count: number;
}

export class Slots implements AsyncDisposable {
  readonly #resources = new Map<string, Resource>();
  readonly #needs: ReadonlyMap<string, readonly Need[]>;
  readonly #stop = new AbortController();

  /** @throws CONFIG_INVALID if a model needs a resource that is not there, or more places than it has */
  constructor(
    capacities: Readonly<Record<string, number>>,
    models: readonly Pick<Model, "name" | "slots">[],
  ) {
    for (const [name, capacity] of Object.entries(capacities)) this.#add(name, capacity);
    this.#needs = new Map(models.map((model) => [model.name, this.#needsOf(model, capacities)]));
  }

  /** Runs `work` once all places of the model are free; @throws what `work` throws, or the signal's reason */
  async hold<T>(model: string, options: SlotOptions, work: () => Promise<T>): Promise<T> {
    const needs = this.#needs.get(model);
    if (!needs) throw new Error(`bug: no slots for model ${model}`);
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    using places = new DisposableStack();
    for (const need of needs) await take(need, places, { ...options, signal });
    signal.throwIfAborted();
    return await work();
  }

  /** Refuses who waits, and resolves when all that runs has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("The node is stopping"));
    for (const { places, gate } of this.#resources.values()) {
      await gate[Symbol.asyncDispose]();
      await places[Symbol.asyncDispose]();
    }
  }

  #add(name: string, capacity: number): Resource {
    const resource = { places: new Lane(capacity), gate: new Lane(1) };
    this.#resources.set(name, resource);
    return resource;
  }

  #needsOf(
    model: Pick<Model, "name" | "slots">,
    capacities: Readonly<Record<string, number>>,
  ): readonly Need[] {
    const wanted = Object.entries(model.slots).sort(([a], [b]) => (a < b ? -1 : 1));
    if (wanted.length === 0) return [{ resource: this.#add(`model ${model.name}`, 1), count: 1 }];
    return wanted.map(([name, count]) => {
      const resource = this.#resources.get(name);
      if (resource && count <= (capacities[name] ?? 0)) return { resource, count };
      const has = resource ? `${capacities[name]}` : "none";
      throw new NodeError(
        "CONFIG_INVALID",
        `Model ${model.name} needs ${count} slots of ${name}, which has ${has}`,
      );
    });
  }
}

/** How many inferences of a model can run at once. */
export function concurrencyOf(
  model: Pick<Model, "slots">,
  capacities: Readonly<Record<string, number>>,
): number {
  const each = Object.entries(model.slots).map(([name, count]) =>
    Math.floor((capacities[name] ?? 0) / count),
  );
  return each.length === 0 ? 1 : Math.max(1, Math.min(...each));
}

async function take({ resource, count }: Need, places: DisposableStack, options: SlotOptions): Promise<void> {
  if (count === 1) {
    places.use(await place(resource.places, options));
    return;
  }
  using gate = new DisposableStack();
  gate.use(await place(resource.gate, options));
  for (let n = 0; n < count; n += 1) places.use(await place(resource.places, options));
}

/** One place of a lane, held until it is disposed. */
async function place(lane: Lane, options: SlotOptions): Promise<Disposable> {
  const released = Promise.withResolvers<void>();
  await new Promise<void>((resolve, reject) => {
    const hold = (): Promise<void> => {
      resolve();
      return released.promise;
    };
    lane.run(hold, options).catch(reject);
  });
  return { [Symbol.dispose]: () => released.resolve() };
}

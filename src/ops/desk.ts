/**
 * What the pages and the API see and do: the node's work as a person steers it.
 *
 * In:   the ledger and its queue; which models and destinations the config has.
 * Out:  what there is; and orders, each carried out or refused with the reason, each logged with who gave it.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { countAttention, type StudyFilter, type StudyPage, studiesOf } from "../ledger/overview.ts";
import { pauseDestination, resumeDestination } from "../ledger/pauses.ts";
import type { Db, Job } from "../ledger/port.ts";
import type { DeliveryRecord, RunRecord } from "../ledger/records.ts";
import { discardDelivery, findDelivery, reopenDelivery } from "../ledger/results.ts";
import { discardRun, findRun, reopenRun } from "../ledger/runs.ts";
import { findSeries } from "../ledger/series.ts";
import { type StudyStory, storyOf } from "../ledger/story.ts";
import {
  type DestinationTraffic,
  destinationTraffic,
  type ModelTraffic,
  modelTraffic,
} from "../ledger/traffic.ts";

/** What the config says of a model, as far as a person at the node wants to know it. */
export interface ModelFacts {
  readonly name: string;
  readonly version: string;
  readonly host: string;
  /** Places one inference takes of each resource. */
  readonly slots: Readonly<Record<string, number>>;
}

export interface DestinationFacts {
  readonly name: string;
  readonly aeTitle: string;
  readonly host: string;
  readonly port: number;
}

export interface DeskParts {
  readonly ledger: Pick<Ledger, "store" | "queue">;
  readonly models: readonly ModelFacts[];
  readonly destinations: readonly DestinationFacts[];
  readonly log: Log;
  readonly clock: Clock;
}

/** unknown: there is no such thing. impossible: it is not in a state for that. */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "unknown" }
  | { readonly kind: "impossible"; readonly why: string };

const DONE: Outcome = { kind: "done" };
const UNKNOWN: Outcome = { kind: "unknown" };

export class Desk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  get now(): number {
    return this.#parts.clock.now();
  }

  get names(): { readonly models: readonly string[]; readonly destinations: readonly string[] } {
    const { models, destinations } = this.#parts;
    return { models: models.map(({ name }) => name), destinations: destinations.map(({ name }) => name) };
  }

  studies(
    filter: StudyFilter,
    page: { readonly limit?: number; readonly after?: string },
  ): Promise<StudyPage> {
    return studiesOf(this.#db, filter, page);
  }

  story(studyUid: string): Promise<StudyStory | undefined> {
    return storyOf(this.#db, studyUid);
  }

  attention(): Promise<number> {
    return countAttention(this.#db);
  }

  async models(): Promise<readonly (ModelFacts & ModelTraffic)[]> {
    const { models } = this.#parts;
    return Promise.all(
      models.map(async (model) => Object.assign(await modelTraffic(this.#db, model.name), model)),
    );
  }

  async destinations(): Promise<readonly (DestinationFacts & DestinationTraffic)[]> {
    const { destinations } = this.#parts;
    return Promise.all(
      destinations.map(async (one) => Object.assign(await destinationTraffic(this.#db, one.name), one)),
    );
  }

  async retryRun(id: string, user: string): Promise<Outcome> {
    const run = await findRun(this.#db, id);
    if (!run) return UNKNOWN;
    const series = await findSeries(this.#db, run.seriesId);
    if (series?.state !== "closed" || series.revision !== run.revision)
      return { kind: "impossible", why: "more images came; the series is judged anew" };
    const { model: group, priority } = run;
    const isOpen = await this.#order(async (t) => {
      const reopened = await reopenRun(t, run.id, this.now);
      if (reopened) await this.#enqueue(t, { queue: "infer", key: id, group, priority });
      return reopened;
    });
    return this.#told(isOpen, "run.retry-asked", user, run);
  }

  async discardRun(id: string, user: string): Promise<Outcome> {
    const run = await findRun(this.#db, id);
    if (!run) return UNKNOWN;
    return this.#told(await this.#order((t) => discardRun(t, id)), "run.discarded", user, run);
  }

  async retryDelivery(id: string, user: string): Promise<Outcome> {
    const delivery = await findDelivery(this.#db, id);
    if (!delivery) return UNKNOWN;
    const { destination: group } = delivery;
    const isOpen = await this.#order(async (t) => {
      const isWaiting = delivery.state === "pending"; // then it need not wait for its time
      const isDue = isWaiting || (await reopenDelivery(t, delivery.id, this.now));
      if (isDue) await this.#enqueue(t, { queue: "deliver", key: id, group });
      return isDue;
    });
    return this.#told(isOpen, "delivery.retry-asked", user, await this.#runOf(delivery), group);
  }

  async discardDelivery(id: string, user: string): Promise<Outcome> {
    const delivery = await findDelivery(this.#db, id);
    if (!delivery) return UNKNOWN;
    const isDone = await this.#order((t) => discardDelivery(t, delivery.id, this.now));
    const run = await this.#runOf(delivery);
    return this.#told(isDone, "delivery.discarded", user, run, delivery.destination);
  }

  async pause(destination: string, user: string): Promise<Outcome> {
    if (!this.names.destinations.includes(destination)) return UNKNOWN;
    await this.#order((t) => pauseDestination(t, destination, this.now));
    this.#parts.log.info("destination.paused", { destination, user });
    return DONE;
  }

  async resume(destination: string, user: string): Promise<Outcome> {
    if (!this.names.destinations.includes(destination)) return UNKNOWN;
    await this.#order(async (t) => {
      for (const key of await resumeDestination(t, destination))
        await this.#enqueue(t, { queue: "deliver", key, group: destination });
    });
    this.#parts.log.info("destination.resumed", { destination, user });
    return DONE;
  }

  get #db(): Db {
    return this.#parts.ledger.store.db;
  }

  async #order<T>(work: (t: Db) => Promise<T>): Promise<T> {
    const { store, queue } = this.#parts.ledger;
    const answer = await store.transaction(work);
    queue.wake();
    return answer;
  }

  #enqueue(
    t: Db,
    job: { queue: "infer" | "deliver"; key: Job["key"]; group: string; priority?: number },
  ): Promise<void> {
    return this.#parts.ledger.queue.enqueue(t, { ...job, runAt: this.now });
  }

  #runOf({ runId }: DeliveryRecord): Promise<RunRecord | undefined> {
    return findRun(this.#db, runId);
  }

  #told(
    isDone: boolean,
    event: string,
    user: string,
    run: RunRecord | undefined,
    destination?: string,
  ): Outcome {
    if (!isDone) return { kind: "impossible", why: "it is not in a state for that (any more)" };
    const [studyUid = "", seriesUid = ""] = run?.seriesId.split(" ") ?? [];
    const about = run && { studyUid, seriesUid, model: run.model };
    this.#parts.log.info(event, { ...about, ...(destination !== undefined && { destination }), user });
    return DONE;
  }
}

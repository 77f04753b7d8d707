/**
 * Where a model can be asked: its servers, and the places that an inference takes on each.
 *
 * In:   models and resources of the config.
 * Out:  seats for the scheduler, and the URL behind each.
 * Pure.
 *
 * A server that names no resource has a place of its own, and so runs one inference of its model at a time.
 */
import { NodeError } from "../base/errors.ts";
import { expectedMs, type Learnt } from "./learn.ts";
import { type Needs, pathMs } from "./needs.ts";
import type { Capacities, Capacity, Request, Seat } from "./schedule.ts";

/** Another server with the same model in the same version. */
interface Replica {
  readonly url: string;
  readonly slots: Readonly<Record<string, number>>;
}

/** What the scheduler must know of a model, besides how to ask it. */
export interface Workload {
  readonly name: string;
  readonly url: string;
  readonly slots: Readonly<Record<string, number>>;
  readonly replicas: readonly Replica[];
  /** How long it takes, until the node has learnt it. */
  readonly expectMs?: number;
  /** After so many times the expected duration an idle replica is asked too. */
  readonly hedge?: number;
  readonly needs: Needs;
  /** An answer serves again for the same voxels of the same study. */
  readonly cache: boolean;
}

export type Slots = Readonly<Record<string, Capacity>>;

/** Of one server of a model. */
export interface Server {
  readonly seat: Seat;
  readonly url: string;
}

export function serversOf({ name, url, slots, replicas }: Workload): readonly Server[] {
  return [{ url, slots }, ...replicas].map((server, at) => {
    const replica = `${name} ${at}`;
    const places = Object.keys(server.slots).length === 0 ? { [ownPlace(replica)]: 1 } : server.slots;
    return { url: server.url, seat: { replica, places } };
  });
}

/**
 * All resources: those of the config, and a place for each server that names none.
 *
 * @throws CONFIG_INVALID if a model needs a resource that is not there, or more places than it has for routine work
 */
export function capacitiesOf(slots: Slots, models: readonly Workload[]): Capacities {
  const capacities = new Map(Object.entries(slots));
  for (const model of models) {
    for (const { seat } of serversOf(model)) {
      for (const [name, count] of Object.entries(seat.places)) {
        if (name === ownPlace(seat.replica)) capacities.set(name, { places: 1, stat: 0 });
        const { places = 0, stat = 0 } = capacities.get(name) ?? {};
        if (count > places - stat) throw tooFew(model, { name, count, has: places - stat });
      }
    }
  }
  return capacities;
}

/** How many inferences can run at once on a server. */
export function concurrencyOf({ places }: Seat, capacities: Capacities): number {
  const each = Object.entries(places).map(([name, count]) =>
    Math.floor((capacities.get(name)?.places ?? 0) / count),
  );
  return Math.max(1, Math.min(...each));
}

interface Asking {
  readonly learnt: Learnt;
  readonly voxels: number;
  readonly isStat: boolean;
}

/** What the scheduler is told of one inference. */
export function requestFor(
  model: Workload,
  models: ReadonlyMap<string, Workload>,
  { learnt, voxels, isStat }: Asking,
): Omit<Request, "id"> {
  const expected = (name: string): number =>
    expectedMs(learnt, { model: name, voxels }, models.get(name)?.expectMs);
  const own = expected(model.name);
  return {
    stat: isStat,
    seats: serversOf(model).map(({ seat }) => seat),
    expectedMs: own,
    pathMs: pathMs(model.name, models, expected),
    ...(model.hedge !== undefined && { hedgeAfterMs: model.hedge * own }),
  };
}

/** No name of a resource in a config has a blank. */
function ownPlace(replica: string): string {
  return `server ${replica}`;
}

function tooFew(
  { name: model }: Workload,
  { name, count, has }: { readonly name: string; readonly count: number; readonly has: number },
): NodeError {
  const found = has === 0 ? "none" : String(has);
  return new NodeError(
    "CONFIG_INVALID",
    `Model ${model} needs ${count} slots of ${name}, which has ${found}`,
  );
}

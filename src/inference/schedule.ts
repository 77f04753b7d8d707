/**
 * Who runs next, and where: places on shared resources, given to the inferences that wait.
 *
 * In:   what each resource holds; the state; an event with its time.
 * Out:  the next state, who starts on which replica, and when to look again.
 * Pure.
 *
 *   waiting ──start──▶ running on one seat ──hedge──▶ on two ──ended (each seat)──▶ gone
 *      └──withdrawn──▶ gone
 *
 * Order: STAT, and whoever has waited PATIENCE_MS, goes before the rest; then who has the longest way still to go,
 * its own time and that of the models that need it, counted from when it began to wait: so the longest first, and
 * among equals the first come. All its places are taken at once, so there is no deadlock.
 *
 * Whoever is next and does not fit has its places set aside. Others may use them only if they are expected to have
 * ended before it could begin ("EASY backfilling"). That time never moves away by what they do, and what is late is
 * expected to end at once: nobody starves.
 */

/** Places of a resource, such as a GPU; `stat` of them are kept for STAT work. */
export interface Capacity {
  readonly places: number;
  readonly stat: number;
}

export type Capacities = ReadonlyMap<string, Capacity>;

/** Where an inference can run: one replica of its model, and the places that it takes there. */
export interface Seat {
  /** Unique among the seats of all models. */
  readonly replica: string;
  readonly places: Readonly<Record<string, number>>;
}

export interface Request {
  readonly id: number;
  readonly stat: boolean;
  /** In order of preference; the one with the least in flight is taken. */
  readonly seats: readonly Seat[];
  /** How long it is expected to run. */
  readonly expectedMs: number;
  /** Until the last of the models that need it has ended: expectedMs or more. */
  readonly pathMs: number;
  /** After so long it is asked a second time, where another replica has nothing to do. */
  readonly hedgeAfterMs?: number;
}

interface Waiting extends Request {
  readonly since: number;
}

interface Running extends Request {
  readonly startedAt: number;
  readonly taken: readonly Seat[];
  /** Was asked a second time; there is no third. */
  readonly hedged: boolean;
}

/** All ids are different. Of no resource are more places taken than it has. */
export interface State {
  readonly waiting: readonly Waiting[];
  readonly running: readonly Running[];
}

export type Event =
  | { readonly kind: "arrived"; readonly request: Request }
  /** Of work on a seat: the server has really ended it. */
  | { readonly kind: "ended"; readonly id: number; readonly replica: string }
  | { readonly kind: "withdrawn"; readonly id: number }
  | { readonly kind: "looked" };

export interface Start {
  readonly id: number;
  readonly seat: Seat;
  /** A second time, beside the one that runs. */
  readonly hedge: boolean;
}

export interface Decided {
  readonly state: State;
  readonly starts: readonly Start[];
  /** When something may have to be done without an event. */
  readonly lookAt?: number;
}

export const NOTHING: State = { waiting: [], running: [] };

/** Nobody goes before an inference that has waited so long. */
export const PATIENCE_MS = 10 * 60_000;

/** @param now  ms of the clock that all events are told by */
export function next(capacities: Capacities, state: State, event: Event, now: number): Decided {
  const { waiting, running } = after(state, event, now);
  const hall = new Hall(capacities, running, now);
  const starts: Start[] = [];
  const left: Waiting[] = [];
  for (const request of inOrder(waiting, now)) {
    const seat = hall.seatFor(request);
    if (seat) {
      hall.sit(request, seat);
      starts.push({ id: request.id, seat, hedge: false });
    } else {
      hall.setAside(request);
      left.push(request);
    }
  }
  for (const request of hall.running.filter(({ hedged }) => !hedged)) {
    if (!(now - request.startedAt >= (request.hedgeAfterMs ?? Infinity))) continue;
    const seat = hall.idleSeatFor(request);
    if (!seat) continue;
    hall.join(request, seat);
    starts.push({ id: request.id, seat, hedge: true });
  }
  const lookAt = nextHedge(hall.running, now);
  return {
    state: { waiting: left, running: hall.running },
    starts,
    ...(lookAt !== undefined && { lookAt }),
  };
}

function after({ waiting, running }: State, event: Event, now: number): State {
  switch (event.kind) {
    case "arrived":
      return { waiting: [...waiting, { ...event.request, since: now }], running };
    case "withdrawn":
      return { waiting: waiting.filter(({ id }) => id !== event.id), running };
    case "ended": {
      const still = running.map((request) =>
        request.id === event.id
          ? { ...request, taken: request.taken.filter(({ replica }) => replica !== event.replica) }
          : request,
      );
      return { waiting, running: still.filter(({ taken }) => taken.length > 0) };
    }
    case "looked":
      return { waiting, running };
  }
}

function inOrder(waiting: readonly Waiting[], now: number): readonly Waiting[] {
  const rank = (request: Waiting): number => (request.stat || isPatient(request, now) ? 0 : 1);
  return waiting.toSorted(
    (a, b) => rank(a) - rank(b) || a.since - a.pathMs - (b.since - b.pathMs) || a.id - b.id,
  );
}

function isPatient({ since }: Waiting, now: number): boolean {
  return now - since >= PATIENCE_MS;
}

function nextHedge(running: readonly Running[], now: number): number | undefined {
  const times = running
    .filter(({ hedged, seats }) => !hedged && seats.length > 1)
    .map(({ startedAt, hedgeAfterMs }) => startedAt + (hedgeAfterMs ?? Infinity))
    .filter((time) => time > now && time < Infinity);
  return times.length > 0 ? Math.min(...times) : undefined;
}

/** Of one resource, taken by all and by what is not STAT. */
interface Use {
  all: number;
  routine: number;
}

/** Places of one resource kept for those who wait and come first. */
interface Aside {
  count: number;
  /** When the first of them could begin; nobody who ends later may use them. */
  from: number;
}

/** Who sits where while one decision is made. */
class Hall {
  readonly #capacities: Capacities;
  readonly #now: number;
  /** Sums of #running. */
  readonly #used = new Map<string, Use>();
  readonly #aside = new Map<string, Aside>();
  /** By replica, until somebody sits down. */
  readonly #freeAt = new Map<string, number>();
  #running: readonly Running[];

  constructor(capacities: Capacities, running: readonly Running[], now: number) {
    this.#capacities = capacities;
    this.#running = running;
    this.#now = now;
    for (const { stat, taken } of running) for (const seat of taken) add(this.#used, seat, stat);
  }

  get running(): readonly Running[] {
    return this.#running;
  }

  sit(request: Waiting, seat: Seat): void {
    this.#running = [...this.#running, { ...request, startedAt: this.#now, taken: [seat], hedged: false }];
    this.#took(seat, request.stat);
  }

  join(request: Running, seat: Seat): void {
    const both = { ...request, taken: [...request.taken, seat], hedged: true };
    this.#running = this.#running.map((each) => (each.id === request.id ? both : each));
    this.#took(seat, request.stat);
  }

  seatFor({ stat, seats, expectedMs }: Waiting): Seat | undefined {
    const endsAt = this.#now + expectedMs;
    const fitting = seats.filter(({ places }) =>
      Object.entries(places).every(([name, count]) => {
        const { count: kept = 0, from = 0 } = this.#aside.get(name) ?? {};
        return count <= this.#free(name, stat, this.#used.get(name), endsAt > from ? kept : 0);
      }),
    );
    return fitting.toSorted((a, b) => this.#inFlight(a) - this.#inFlight(b))[0];
  }

  /** Another replica on which nothing runs, and whose places nobody waits for. */
  idleSeatFor({ stat, seats, taken }: Running): Seat | undefined {
    return seats.find(
      (seat) =>
        !taken.some(({ replica }) => replica === seat.replica) &&
        this.#inFlight(seat) === 0 &&
        Object.entries(seat.places).every(
          ([name, count]) =>
            !this.#aside.has(name) && count <= this.#free(name, stat, this.#used.get(name), 0),
        ),
    );
  }

  /** On the seat where it can begin first. */
  setAside(request: Waiting): void {
    const [first] = request.seats
      .map((seat) => ({ seat, at: this.#freeFrom(seat, request.stat) }))
      .toSorted((a, b) => a.at - b.at);
    if (!first) throw new Error("bug: a request without seats");
    for (const [name, count] of Object.entries(first.seat.places)) {
      const aside = this.#aside.get(name);
      this.#aside.set(name, {
        count: count + (aside?.count ?? 0),
        from: Math.min(first.at, aside?.from ?? Infinity),
      });
    }
  }

  #took(seat: Seat, stat: boolean): void {
    add(this.#used, seat, stat);
    this.#freeAt.clear();
  }

  #inFlight({ replica }: Seat): number {
    return this.#running.filter(({ taken }) => taken.some((seat) => seat.replica === replica)).length;
  }

  /** Places set aside are common ones: those for STAT stay open to STAT. */
  #free(name: string, stat: boolean, used: Use = { all: 0, routine: 0 }, aside: number): number {
    const { places, stat: reserved } = this.#capacities.get(name) ?? { places: 0, stat: 0 };
    const free = places - used.all;
    if (stat) return Math.min(free, Math.max(free - aside, reserved - (used.all - used.routine)));
    return Math.min(free, places - reserved - used.routine) - aside;
  }

  /** When the seat is free, if all that runs ends when it is expected to. */
  #freeFrom(seat: Seat, stat: boolean): number {
    const key = `${stat} ${seat.replica}`;
    const known = this.#freeAt.get(key);
    if (known !== undefined) return known;
    const at = freeWhen(this.#running, this.#now, (used) =>
      Object.entries(seat.places).every(
        ([name, count]) => count <= this.#free(name, stat, used.get(name), 0),
      ),
    );
    this.#freeAt.set(key, at);
    return at;
  }
}

function freeWhen(
  running: readonly Running[],
  now: number,
  fits: (used: ReadonlyMap<string, Use>) => boolean,
): number {
  const ends = (request: Running): number => Math.max(now, request.startedAt + request.expectedMs);
  const still = running.toSorted((a, b) => ends(b) - ends(a));
  for (let ended = still.pop(); ended; ended = still.pop()) {
    const used = new Map<string, Use>();
    for (const { stat, taken } of still) for (const seat of taken) add(used, seat, stat);
    if (fits(used)) return ends(ended);
  }
  return now;
}

function add(used: Map<string, Use>, { places }: Seat, stat: boolean): void {
  for (const [name, count] of Object.entries(places)) {
    const use = used.get(name) ?? { all: 0, routine: 0 };
    use.all += count;
    if (!stat) use.routine += count;
    used.set(name, use);
  }
}

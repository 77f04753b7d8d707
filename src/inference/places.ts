/**
 * Places on shared resources, held by those who were let in: schedule.ts decides, here it is done.
 *
 * In:   requests, and the work of each.
 * Out:  what the work gives; its place is free when the work on it has really ended.
 * May:  set a timer, for the next look of the scheduler.
 *
 * Work that is asked a second time (hedge) answers once: the first answer counts, and the other try is told to stop.
 * Its place is free only when it has.
 */
import type { Clock } from "../base/clock.ts";
import {
  type Capacities,
  type Event,
  NOTHING,
  next,
  type Request,
  type Seat,
  type Start,
} from "./schedule.ts";

type Work<T> = (seat: Seat, signal: AbortSignal) => Promise<T>;

interface Guest {
  readonly begin: (start: Start) => void;
  readonly refuse: (reason: unknown) => void;
}

export class Places implements AsyncDisposable {
  readonly #capacities: Capacities;
  readonly #clock: Clock;
  /** Those that wait or run. */
  readonly #guests = new Map<number, Guest>();
  readonly #running = new Set<Promise<void>>();
  #state = NOTHING;
  #ids = 0;
  #timer: Disposable | undefined;
  #stopping: Error | undefined;

  constructor(capacities: Capacities, clock: Clock) {
    this.#capacities = capacities;
    this.#clock = clock;
  }

  /**
   * Runs `work` on one of the request's seats. The signal ends the waiting; work that has begun has it too.
   *
   * @throws what the work throws; the signal's reason
   */
  async hold<T>(
    request: Omit<Request, "id">,
    work: Work<T>,
    options: { readonly signal: AbortSignal },
  ): Promise<T> {
    const { signal } = options;
    signal.throwIfAborted();
    if (this.#stopping) throw this.#stopping;
    const id = this.#ids++;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const decided = new AbortController();
    let tries = 0;
    const attempt = async ({ seat }: Start): Promise<void> => {
      tries += 1;
      try {
        resolve(await work(seat, AbortSignal.any([signal, decided.signal])));
        decided.abort(new Error("Another replica has answered"));
      } catch (error) {
        if (tries === 1) reject(error); // with another try under way, that one decides
      } finally {
        tries -= 1;
        this.#tell({ kind: "ended", id, replica: seat.replica });
      }
    };
    const giveUp = (): void => {
      this.#tell({ kind: "withdrawn", id });
      reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    this.#guests.set(id, {
      begin: (start) => {
        signal.removeEventListener("abort", giveUp);
        const running = attempt(start).finally(() => this.#running.delete(running));
        this.#running.add(running);
      },
      refuse: reject,
    });
    this.#tell({ kind: "arrived", request: { ...request, id } });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
      this.#guests.delete(id);
    }
  }

  /** Refuses who waits, and resolves when all that runs has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = new Error("The node is stopping");
    this.#timer?.[Symbol.dispose]();
    const { waiting } = this.#state;
    this.#state = { ...this.#state, waiting: [] };
    for (const { id } of waiting) this.#guests.get(id)?.refuse(this.#stopping);
    await Promise.all(this.#running);
  }

  #tell(event: Event): void {
    this.#timer?.[Symbol.dispose]();
    const now = this.#clock.elapsed();
    const { state, starts, lookAt } = next(this.#capacities, this.#state, event, now);
    this.#state = state;
    for (const start of starts) this.#guests.get(start.id)?.begin(start);
    if (lookAt !== undefined && !this.#stopping)
      this.#timer = this.#clock.after(lookAt - now, () => this.#tell({ kind: "looked" }));
  }
}

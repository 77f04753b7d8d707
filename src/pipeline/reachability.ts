/**
 * Which destinations answer: one breaker for each. A destination that is down costs one try now and then, and one
 * line when it goes down and one when it is back; then all that waited for it is due at once.
 */
import { after, type Breaker, CLOSED, stateOf } from "../base/breaker.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Queue } from "../ledger/port.ts";

const SETTINGS = { failuresToOpen: 3, firstMs: 5_000, capMs: 5 * 60_000 } as const;

export class Reachability {
  readonly #queue: Queue;
  readonly #system: { readonly log: Log; readonly clock: Clock };
  readonly #breakers = new Map<string, Breaker>();

  constructor(queue: Queue, system: { log: Log; clock: Clock }) {
    this.#queue = queue;
    this.#system = system;
  }

  stateOf(destination: string): "closed" | "open" | "half-open" {
    return stateOf(this.#breakers.get(destination) ?? CLOSED, this.#system.clock.now());
  }

  /** Call after each try, once what it came to is in the ledger. */
  async told(destination: string, outcome: "up" | "down"): Promise<void> {
    const { log, clock } = this.#system;
    const now = clock.now();
    const before = this.#breakers.get(destination) ?? CLOSED;
    const breaker = after(before, outcome, { settings: SETTINGS, now, random: Math.random() });
    this.#breakers.set(destination, breaker);
    const wasDown = before.restsUntil > 0;
    const isDown = breaker.restsUntil > 0;
    if (isDown) this.#queue.rest("deliver", destination, breaker.restsUntil);
    if (isDown && !wasDown) log.error("destination.down", { destination, waitMs: breaker.restsUntil - now });
    if (wasDown && !isDown) {
      log.info("destination.up", { destination });
      await this.#queue.hasten("deliver", destination);
    }
  }
}

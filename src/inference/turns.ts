/**
 * Who sends first: requests that begin together are sent one after another, the one with the longest way first.
 *
 * In:   requests that are about to be sent.
 * Out:  the moment at which each may begin.
 *
 * Sent side by side they would share the link, and all of them would arrive late; one after another the first model
 * begins early, and only the one that has time to spare waits. Nobody waits longer than WAIT_MS: a server that is
 * slow to take its request holds up nobody else.
 */
import type { Clock } from "../base/clock.ts";
import { Lane } from "../base/lane.ts";

const WAIT_MS = 1000;

export class Turns {
  readonly #lane = new Lane(1);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @param priority  higher first
   * @returns         to be disposed when the request is sent, or has failed
   */
  async begin(priority: number): Promise<Disposable> {
    const begun = Promise.withResolvers<void>();
    const sent = Promise.withResolvers<void>();
    const late = new AbortController();
    using _ = this.#clock.after(WAIT_MS, () => late.abort(new Error("waited long enough")));
    const send = (): Promise<void> => {
      begun.resolve();
      return sent.promise;
    };
    this.#lane.run(send, { priority, signal: late.signal }).catch(() => begun.resolve());
    await begun.promise;
    return { [Symbol.dispose]: () => sent.resolve() };
  }
}

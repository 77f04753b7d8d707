/**
 * Ends work that nobody wants any more: inferences about a series that got more images since.
 *
 * In:   a series that was opened again, from the intake or by an order.
 * Out:  the signals of those who work on it abort, with SUPERSEDED.
 */
import { NodeError } from "../base/errors.ts";
import type { SeriesId } from "../ledger/records.ts";

export class Superseding {
  readonly #running = new Map<SeriesId, Set<AbortController>>();

  /** Its signal aborts when the series is opened again, until it is disposed. */
  enter(series: SeriesId): { readonly signal: AbortSignal } & Disposable {
    const controller = new AbortController();
    const all = this.#running.get(series) ?? new Set();
    this.#running.set(series, all.add(controller));
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        all.delete(controller);
        if (all.size === 0) this.#running.delete(series);
      },
    };
  }

  reopened(series: SeriesId): void {
    for (const controller of this.#running.get(series) ?? []) controller.abort(superseded());
  }
}

export function superseded(): NodeError {
  return new NodeError("SUPERSEDED", "more images came after the series was judged complete");
}

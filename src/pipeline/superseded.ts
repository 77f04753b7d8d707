/**
 * Ends work that nobody wants any more: inferences about a series that got more images since.
 *
 * In:   a new revision of a series.
 * Out:  the signal of those who work on an older one aborts, with SUPERSEDED.
 */
import { NodeError } from "../base/errors.ts";
import type { SeriesId } from "../ledger/records.ts";

interface Work extends Disposable {
  readonly signal: AbortSignal;
}

export class Superseded {
  /** Who works now. */
  readonly #working = new Map<AbortController, { readonly series: SeriesId; readonly revision: number }>();

  /** Dispose it when the work has ended. */
  working(series: SeriesId, revision: number): Work {
    const controller = new AbortController();
    this.#working.set(controller, { series, revision });
    return { signal: controller.signal, [Symbol.dispose]: () => void this.#working.delete(controller) };
  }

  by(series: SeriesId, revision: number): void {
    for (const [controller, work] of this.#working) {
      if (work.series === series && work.revision < revision) controller.abort(superseded());
    }
  }
}

export function superseded(): NodeError {
  return new NodeError("SUPERSEDED", "more images came after the series was judged complete");
}

/**
 * Which associations send to which series right now, and how the last one of each ended.
 *
 * In memory only: after a restart nothing is known, and a series is complete by quiet. An entry lives until its
 * series is closed (`forget`) and the last association has ended.
 */
import type { SeriesId } from "../ledger/records.ts";

interface Sending {
  readonly open: Set<number>;
  /** One of those that sent at the same time was aborted: that the others end properly proves nothing. */
  aborted: boolean;
  forgotten: boolean;
  releasedAt?: number;
}

export class Senders {
  readonly #bySeries = new Map<SeriesId, Sending>();

  sends(association: number, series: SeriesId): void {
    const sending = this.#bySeries.get(series) ?? {
      open: new Set<number>(),
      aborted: false,
      forgotten: false,
    };
    if (sending.open.size === 0) sending.aborted = false;
    sending.open.add(association);
    sending.forgotten = false;
    delete sending.releasedAt;
    this.#bySeries.set(series, sending);
  }

  /** @returns the series whose last association this was */
  ended(association: number, how: "released" | "aborted", now: number): readonly SeriesId[] {
    const settled: SeriesId[] = [];
    for (const [series, sending] of this.#bySeries) {
      if (!sending.open.delete(association)) continue;
      if (how === "aborted") sending.aborted = true;
      if (sending.open.size > 0) continue;
      if (sending.forgotten) {
        this.#bySeries.delete(series);
        continue;
      }
      if (!sending.aborted) sending.releasedAt = now;
      settled.push(series);
    }
    return settled;
  }

  of(series: SeriesId): { readonly sending: number; readonly releasedAt?: number } {
    const sending = this.#bySeries.get(series);
    if (!sending) return { sending: 0 };
    const { open, releasedAt } = sending;
    return releasedAt === undefined ? { sending: open.size } : { sending: open.size, releasedAt };
  }

  forget(series: SeriesId): void {
    const sending = this.#bySeries.get(series);
    if (!sending) return;
    if (sending.open.size === 0) this.#bySeries.delete(series);
    else sending.forgotten = true;
  }
}

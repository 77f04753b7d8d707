/**
 * Tells people what happened: by rule, in batches, by webhook or e-mail.
 *
 * In:   events of the log (observed-log.ts).
 * Out:  one message for all that happened within `batchMs`; tried again for a day if it cannot be given.
 *
 * Who is told holds at most WAITING notifications; more drop the oldest, and the next message says how many. They live
 * in memory: what a crash takes is in the ledger and the audit trail all the same.
 */
import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { LogEvent } from "../observed-log.ts";
import { type Notification, type NotificationKind, notificationOf } from "./events.ts";

export interface Subscription {
  readonly name: string;
  readonly events: readonly NotificationKind[];
  readonly batchMs: number;
}

export interface Message {
  readonly batch: readonly Notification[];
  /** Dropped before this batch. */
  readonly dropped: number;
}

/** Gives a message to somebody. @throws if it could not */
export type Deliver = (message: Message, options: { readonly signal: AbortSignal }) => Promise<void>;

const WAITING = 1_000;
const BACKOFF = { firstMs: 5_000, capMs: 30 * 60_000 } as const;
const GIVE_UP_MS = 24 * 3_600_000;

export class Notifier implements AsyncDisposable {
  readonly #subscription: Subscription;
  readonly #deliver: Deliver;
  readonly #system: { readonly log: Log; readonly clock: Clock };
  readonly #kinds: ReadonlySet<NotificationKind>;
  readonly #stop = new AbortController();
  #waiting: Notification[] = [];
  #dropped = 0;
  #timer: Disposable | undefined;
  #giving: Promise<void> | undefined;

  constructor(
    subscription: Subscription,
    deliver: Deliver,
    system: { readonly log: Log; readonly clock: Clock },
  ) {
    this.#subscription = subscription;
    this.#deliver = deliver;
    this.#system = system;
    this.#kinds = new Set(subscription.events);
  }

  observe(event: LogEvent): void {
    const notification = notificationOf(event, this.#system.clock.now());
    if (!notification || !this.#kinds.has(notification.kind)) return;
    this.#waiting.push(notification);
    if (this.#waiting.length > WAITING) {
      this.#waiting.shift();
      this.#dropped += 1;
    }
    this.#arm();
  }

  /** What waits is given once more, without a second try. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#stop.abort();
    await this.#giving;
    if (this.#waiting.length > 0) await this.#give(AbortSignal.timeout(5_000)).catch(() => {});
  }

  #arm(): void {
    if (this.#timer || this.#giving || this.#stop.signal.aborted) return;
    this.#timer = this.#system.clock.after(this.#subscription.batchMs, () => {
      this.#timer = undefined;
      this.#giving = this.#giveUntilTaken().finally(() => {
        this.#giving = undefined;
        if (this.#waiting.length > 0) this.#arm();
      });
    });
  }

  /** Cannot reject. */
  async #giveUntilTaken(): Promise<void> {
    const { log, clock } = this.#system;
    const { signal } = this.#stop;
    const { name } = this.#subscription;
    const begun = clock.elapsed();
    for (let tries = 1; ; tries++) {
      try {
        return await this.#give(signal);
      } catch (error) {
        if (signal.aborted) return;
        const waitMs = backoffMs(BACKOFF, tries, Math.random());
        const isOver = clock.elapsed() - begun + waitMs > GIVE_UP_MS;
        if (tries === 1 || isOver)
          log.warn("notification.failed", { subscription: name, error, attempt: tries });
        if (isOver) return void this.#waiting.splice(0);
        await clock.sleep(waitMs, { signal }).catch(() => {});
        if (signal.aborted) return;
      }
    }
  }

  async #give(signal: AbortSignal): Promise<void> {
    const batch = this.#waiting.slice();
    const dropped = this.#dropped;
    await this.#deliver({ batch, dropped }, { signal });
    const rest = this.#dropped - dropped;
    this.#waiting.splice(0, Math.max(0, batch.length - rest));
    this.#dropped = rest > batch.length ? rest - batch.length : 0;
  }
}

/** What every association that comes in is given (acceptor.ts). */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Terms } from "./negotiation.ts";
import type { CommitmentHandler } from "./notice.ts";
import type { Places } from "./places.ts";
import type { StorageHandler } from "./storage-handler.ts";
import type { UpperLayerSettings } from "./upper-layer-user.ts";

export interface AcceptorSettings extends Terms, UpperLayerSettings {
  readonly clock: Clock;
  readonly log: Log;
  readonly handler: StorageHandler;
  readonly commitment?: CommitmentHandler | undefined;
  readonly places: Places;
  readonly commandBytes: number;
  readonly instanceBytes: number;
  /** Between messages, and within one. */
  readonly idleMs: number;
  readonly inactivityMs: number;
  /** No new association is taken any more. */
  readonly isStopping: () => boolean;
}

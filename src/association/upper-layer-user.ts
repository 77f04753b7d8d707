/** What the upper layer (upper-layer.ts) asks of who uses it, and is given. */
import type { Clock } from "../base/clock.ts";
import type { Indication } from "./indication.ts";
import type { Pdv } from "./pdu.ts";
import type { PduLimits, Wait } from "./pdu-reader.ts";

export interface UpperLayerUser {
  indicate(indication: Indication): void;
  /** @returns  what to wait for before more is read */
  fragment(pdv: Pdv, bytes: Uint8Array, isEnd: boolean): Wait;
  /** What the user threw or rejected with; the association has been aborted. Must not throw. */
  failed(error: unknown): void;
  /** The connection is gone, nothing follows. The reason is missing after a regular end. Must not throw. */
  ended(reason: string | undefined): void;
  /** How long an open association may go on as it is without a data value that ends; absent: for ever. */
  patience?(): Patience;
}

export interface Patience {
  readonly ms: number;
  /** What the peer is given up for. */
  readonly reason: string;
}

export interface UpperLayerSettings {
  readonly clock: Clock;
  readonly limits: PduLimits;
  /** PS3.8 9.1.5: for the association request to come, and for the peer to close at the end. */
  readonly artimMs: number;
  /** A connection that is watched and does not move for so long is given up. */
  readonly stallMs: number;
}

/** What the two directions of storage commitment share: the parts they are given, and when to try again. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { CommitmentRecord } from "../ledger/commitments.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { PeerSettings, Peers } from "./peers.ts";

export interface CommitDestination extends PeerSettings {
  readonly name: string;
  readonly retryForMs: number;
  /** How long a destination may take to report. */
  readonly commitWithinMs: number;
}

/** Who may ask us, and where its reports go. */
export interface Device extends PeerSettings {
  /** The destination that has to commit what is asked; by default what the node keeps is committed. */
  readonly via?: string;
}

export interface CommitParts {
  readonly ledger: Ledger;
  readonly peers: Peers;
  /** By name. */
  readonly destinations: ReadonlyMap<string, CommitDestination>;
  /** By AE title. */
  readonly devices: ReadonlyMap<string, Device>;
  readonly log: Log;
  readonly clock: Clock;
}

const RETRY = { firstMs: 5_000, capMs: 15 * 60_000 } as const;

/** The older it is the longer it waits. */
export function waitFor({ createdAt }: CommitmentRecord, now: number): number {
  return Math.round(Math.min(Math.max((now - createdAt) / 2, RETRY.firstMs), RETRY.capMs));
}

/** A status or a reason as the standard writes it, four hexadecimal digits. */
export function hex(status: number): string {
  return status.toString(16).padStart(4, "0");
}

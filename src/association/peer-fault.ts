/**
 * What a peer does against the standard, and what it is told.
 *
 * Thrown by whatever reads the peer's bytes, at any depth; caught in one place, upper-layer.ts, where it becomes
 * event 19 of the state machine ("unrecognized or invalid PDU") and ends that association only.
 */
import { AbortReason } from "./dimse.ts";

export class PeerFault extends Error {
  override readonly name = "PeerFault";
  /** The reason field of the A-ABORT PDU, PS3.8 9.3.8. */
  readonly reason: number;

  constructor(message: string, reason: number = AbortReason.InvalidPduParameter) {
    super(message);
    this.reason = reason;
  }
}

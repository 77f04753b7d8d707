/**
 * What a received PDU means: the event of the state machine it is, and what the user is told of it. Pure.
 */
import {
  type AssociateAccept,
  type AssociateRequest,
  decodeAssociateAccept,
  decodeAssociateRequest,
} from "./associate-pdu.ts";
import { decodeAbort, decodeRejection, PDU, type Rejection } from "./pdu.ts";
import type { Event } from "./state.ts";

/** What the machine tells its user, PS3.8 clause 7. */
export type Indication =
  | { readonly kind: "requested"; readonly request: AssociateRequest }
  | { readonly kind: "accepted"; readonly accept: AssociateAccept }
  | { readonly kind: "rejected"; readonly rejection: Rejection }
  | { readonly kind: "release requested" }
  | { readonly kind: "released" }
  /** By the peer, by this side because of what the peer did, or because the connection broke. */
  | { readonly kind: "aborted"; readonly reason: string };

export interface Received {
  readonly event: Event;
  readonly indication: Indication;
}

/**
 * @param type  any but P-DATA-TF
 * @throws      PeerFault if the body is malformed
 */
export function received(type: number, body: Uint8Array): Received {
  switch (type) {
    case PDU.ASSOCIATE_RQ: {
      const request = decodeAssociateRequest(body);
      return { event: "A-ASSOCIATE-RQ received", indication: { kind: "requested", request } };
    }
    case PDU.ASSOCIATE_AC: {
      const accept = decodeAssociateAccept(body);
      return { event: "A-ASSOCIATE-AC received", indication: { kind: "accepted", accept } };
    }
    case PDU.ASSOCIATE_RJ: {
      const rejection = decodeRejection(body);
      return { event: "A-ASSOCIATE-RJ received", indication: { kind: "rejected", rejection } };
    }
    case PDU.RELEASE_RQ:
      return { event: "A-RELEASE-RQ received", indication: { kind: "release requested" } };
    case PDU.RELEASE_RP:
      return { event: "A-RELEASE-RP received", indication: { kind: "released" } };
    case PDU.ABORT: {
      const abort = decodeAbort(body);
      const reason = `aborted by the peer, source ${abort.source}, reason ${abort.reason}`;
      return { event: "A-ABORT received", indication: { kind: "aborted", reason } };
    }
    default:
      throw new Error(`bug: PDU type ${type}`);
  }
}

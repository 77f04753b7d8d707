/**
 * The answer to an association request: refused, and why, or which contexts in which syntaxes. Pure.
 *
 * Of several transfer syntaxes in one context the node takes the first it knows, since the sender lists first what
 * it holds. Only where nothing better is proposed it takes, in this order: Implicit VR Little Endian, which loses
 * the value representations of private elements; Explicit VR Big Endian, which is retired; Deflated, which can hide
 * a thousand times its size and is off unless configured; and what may be lossy, because a sender that holds
 * uncompressed pixels would degrade them on our invitation.
 */
import { type AeTitle, parseAeTitle } from "../dicom/ae-title.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../dicom/constants.ts";
import type { SopClassUid, TransferSyntaxUid } from "../dicom/uid.ts";
import {
  APPLICATION_CONTEXT,
  type AssociateRequest,
  type ContextAnswer,
  type ContextProposal,
  type RoleSelection,
} from "./associate-pdu.ts";
import type { CallerCheck } from "./callers.ts";
import { PresentationContextResult, RejectReason, RejectResult, RejectSource } from "./dimse.ts";
import { MIN_PEER_PDU_BYTES, type Rejection } from "./pdu.ts";

/** What this node insists on. */
export interface Terms {
  readonly aeTitle: AeTitle;
  readonly checkCaller: CallerCheck;
  readonly acceptDeflated: boolean;
  /** Whether storage commitment is spoken of, by either side. */
  readonly commitment?: object | undefined;
}

export interface Context {
  readonly abstractSyntax: SopClassUid;
  readonly transferSyntaxUid: TransferSyntaxUid;
}

export type Answer =
  | {
      readonly kind: "accepted";
      readonly callingAeTitle: AeTitle;
      readonly calledAeTitle: AeTitle;
      /** For the A-ASSOCIATE-AC, one per proposal. */
      readonly answers: readonly ContextAnswer[];
      /** For the A-ASSOCIATE-AC: the roles of the requestor that are agreed to, where it asked for any. */
      readonly roles: readonly RoleSelection[];
      /** Those that were accepted, by id. */
      readonly contexts: ReadonlyMap<number, Context>;
    }
  | { readonly kind: "rejected"; readonly rejection: Rejection; readonly reason: string };

/**
 * @param address  of the peer, in plain spelling (callers.ts)
 * @see            PS3.8 9.3.4 for the rejections, 9.3.3.2 for the results
 */
export function answerTo(request: AssociateRequest, address: string, terms: Terms): Answer {
  if ((request.protocolVersion & 1) === 0) return rejected(BAD_VERSION, "protocol version");
  if (request.applicationContext !== APPLICATION_CONTEXT) return rejected(BAD_CONTEXT, "application context");
  if (request.calledAeTitle !== terms.aeTitle) return rejected(BAD_CALLED, "called AE title");
  if (isTooShort(request.maxPduBytes)) return rejected(NO_REASON, `maximum length ${request.maxPduBytes}`);
  const callingAeTitle = parseAeTitle(request.callingAeTitle);
  if (!callingAeTitle) return rejected(BAD_CALLING, "calling AE title is none");
  const caller = terms.checkCaller(callingAeTitle, address);
  if (caller !== "known") return rejected(BAD_CALLING, `calling AE: ${caller}`);
  const answers = request.contexts.map((proposal) => answerToContext(proposal, terms));
  return {
    kind: "accepted",
    callingAeTitle,
    calledAeTitle: terms.aeTitle,
    answers,
    roles: request.roles.flatMap((asked) => answerToRoles(asked, terms)),
    contexts: acceptedContexts(request.contexts, answers),
  };
}

/** The contexts both sides agreed on, by id: proposals with an accepting answer that names a proposed syntax. */
export function acceptedContexts(
  proposals: readonly ContextProposal[],
  answers: readonly ContextAnswer[],
): ReadonlyMap<number, Context> {
  const accepted = new Map<number, Context>();
  for (const { id, abstractSyntax, transferSyntaxes } of proposals) {
    const answer = answers.find((candidate) => candidate.id === id);
    if (answer?.result !== PresentationContextResult.Accept) continue;
    if (!transferSyntaxes.includes(answer.transferSyntax)) continue;
    accepted.set(id, {
      abstractSyntax: abstractSyntax as SopClassUid,
      transferSyntaxUid: answer.transferSyntax as TransferSyntaxUid,
    });
  }
  return accepted;
}

/** Refused for now: the peer may try again later. */
export function busy(reason: string): Answer {
  return rejected(BUSY, reason);
}

/** Whether a peer that announces this maximum length cannot be served. */
export function isTooShort(maxPduBytes: number): boolean {
  return maxPduBytes > 0 && maxPduBytes < MIN_PEER_PDU_BYTES;
}

/** The order in which transfer syntaxes are taken, of those that a context proposes. */
export function syntaxesByPreference(acceptDeflated: boolean): {
  /** Whichever of these is proposed first. */
  readonly first: readonly string[];
  /** Only where none of the others is proposed, in this order. */
  readonly last: readonly string[];
} {
  const taken = [...KNOWN].filter((uid) => acceptDeflated || !isDeflated(uid));
  return {
    first: taken.filter((uid) => !LAST_RESORTS.includes(uid)),
    last: LAST_RESORTS.filter((uid) => taken.includes(uid)),
  };
}

/** Whether instances of the class are kept, PS3.4 B.5 and GG.3: images and whatever else goes with them. */
export function isStorageClass(uid: string): boolean {
  return (STORAGE_BRANCH.test(uid) && !NOT_STORAGE.has(uid)) || STORAGE_ELSEWHERE.has(uid);
}

const BUSY: Rejection = {
  result: RejectResult.Transient,
  source: RejectSource.ServiceProviderPresentation,
  reason: RejectReason.LocalLimitExceeded,
};
const BAD_VERSION: Rejection = {
  result: RejectResult.Permanent,
  source: RejectSource.ServiceProviderAcse,
  reason: RejectReason.ProtocolVersionNotSupported,
};
const NO_REASON = byUser(RejectReason.NoReasonGiven);
const BAD_CONTEXT = byUser(RejectReason.ApplicationContextNotSupported);
const BAD_CALLED = byUser(RejectReason.CalledAeNotRecognized);
const BAD_CALLING = byUser(RejectReason.CallingAeNotRecognized);

const STORAGE_BRANCH = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.\d/;

/** Query, retrieve and creation services that were given numbers in the storage branch. */
const NOT_STORAGE: ReadonlySet<string> = new Set([
  "1.2.840.10008.5.1.4.1.1.200.4", // Protocol Approval Information Model - FIND
  "1.2.840.10008.5.1.4.1.1.200.5", // Protocol Approval Information Model - MOVE
  "1.2.840.10008.5.1.4.1.1.200.6", // Protocol Approval Information Model - GET
  "1.2.840.10008.5.1.4.1.1.201.2", // Inventory - FIND
  "1.2.840.10008.5.1.4.1.1.201.3", // Inventory - MOVE
  "1.2.840.10008.5.1.4.1.1.201.4", // Inventory - GET
  "1.2.840.10008.5.1.4.1.1.201.5", // Inventory Creation
  "1.2.840.10008.5.1.4.1.1.201.6", // Repository Query
]);

/** Storage classes outside the branch. */
const STORAGE_ELSEWHERE: ReadonlySet<string> = new Set([
  "1.2.840.10008.5.1.4.34.1", // RT Beams Delivery Instruction Storage - Trial
  "1.2.840.10008.5.1.4.34.7", // RT Beams Delivery Instruction Storage
  "1.2.840.10008.5.1.4.34.10", // RT Brachy Application Setup Delivery Instruction Storage
  "1.2.840.10008.5.1.4.38.1", // Hanging Protocol Storage
  "1.2.840.10008.5.1.4.39.1", // Color Palette Storage
  "1.2.840.10008.5.1.4.43.1", // Generic Implant Template Storage
  "1.2.840.10008.5.1.4.44.1", // Implant Assembly Template Storage
  "1.2.840.10008.5.1.4.45.1", // Implant Template Group Storage
]);

/** Taken only if nothing else is proposed, the first of these first. */
const LAST_RESORTS: readonly string[] = [
  TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN,
  TRANSFER_SYNTAX.EXPLICIT_VR_BIG_ENDIAN,
  TRANSFER_SYNTAX.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
  TRANSFER_SYNTAX.JPEG_2000,
  TRANSFER_SYNTAX.HTJ2K,
  TRANSFER_SYNTAX.JPEG_LS_NEAR_LOSSLESS,
  TRANSFER_SYNTAX.JPEG_EXTENDED,
  TRANSFER_SYNTAX.JPEG_BASELINE,
];
const KNOWN: ReadonlySet<string> = new Set(Object.values(TRANSFER_SYNTAX));

function answerToContext(
  { id, abstractSyntax, transferSyntaxes }: ContextProposal,
  terms: Terms,
): ContextAnswer {
  const refused = { id, transferSyntax: TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN };
  if (!isSpokenOf(abstractSyntax, terms)) {
    return { ...refused, result: PresentationContextResult.RejectAbstractSyntaxNotSupported };
  }
  const known = transferSyntaxes.filter(
    (uid) => KNOWN.has(uid) && (terms.acceptDeflated || !isDeflated(uid)),
  );
  const transferSyntax =
    known.find((uid) => !LAST_RESORTS.includes(uid)) ?? LAST_RESORTS.find((uid) => known.includes(uid));
  return transferSyntax === undefined
    ? { ...refused, result: PresentationContextResult.RejectTransferSyntaxesNotSupported }
    : { id, transferSyntax, result: PresentationContextResult.Accept };
}

function isSpokenOf(abstractSyntax: string, { commitment }: Terms): boolean {
  if (abstractSyntax === SOP_CLASS.STORAGE_COMMITMENT) return commitment !== undefined;
  return abstractSyntax === SOP_CLASS.VERIFICATION || isStorageClass(abstractSyntax);
}

/** A destination that reports takes the role of the SCP; for the other classes the default roles hold. */
function answerToRoles(asked: RoleSelection, { commitment }: Terms): readonly RoleSelection[] {
  return commitment && asked.sopClassUid === SOP_CLASS.STORAGE_COMMITMENT ? [asked] : [];
}

function isDeflated(uid: string): boolean {
  return uid === TRANSFER_SYNTAX.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
}

function rejected(rejection: Rejection, reason: string): Answer {
  return { kind: "rejected", rejection, reason };
}

function byUser(reason: number): Rejection {
  return { result: RejectResult.Permanent, source: RejectSource.ServiceUser, reason };
}

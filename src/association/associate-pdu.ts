/**
 * A-ASSOCIATE-RQ and A-ASSOCIATE-AC, PS3.8 9.3.2, 9.3.3 and annex D, PS3.7 D.3.3: bytes ⇄ records. Pure.
 *
 * Every length is checked against what is there, and nothing is allocated by a number a peer wrote. Items and
 * sub-items nobody here knows are passed over, as the standard asks. Presentation context ids may come in any
 * order, but are odd, unique and 128 at most.
 */
import { IMPLEMENTATION } from "../dicom/constants.ts";
import { PDU, PDU_HEADER_BYTES } from "./pdu.ts";
import { PeerFault } from "./peer-fault.ts";

/** DICOM Application Context Name, PS3.7 A.2.1. */
export const APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1";
export const MAX_CONTEXTS = 128;

export interface ContextProposal {
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly string[];
}

export interface ContextAnswer {
  readonly id: number;
  /** 0 is acceptance, PS3.8 9.3.3.2. */
  readonly result: number;
  /** Means nothing if the context was refused. */
  readonly transferSyntax: string;
}

/** SCP/SCU Role Selection, PS3.7 D.3.3.4: the roles the association's requestor wants to take. */
export interface RoleSelection {
  readonly sopClassUid: string;
  readonly scu: boolean;
  readonly scp: boolean;
}

interface Associate<Context> {
  readonly protocolVersion: number;
  readonly calledAeTitle: string;
  readonly callingAeTitle: string;
  readonly applicationContext: string;
  readonly contexts: readonly Context[];
  /** The longest P-DATA-TF body its sender wants to receive, in bytes; 0 is no limit (PS3.8 D.1). */
  readonly maxPduBytes: number;
  readonly roles: readonly RoleSelection[];
}

export type AssociateRequest = Associate<ContextProposal>;
export type AssociateAccept = Associate<ContextAnswer>;

/** Bytes of an A-ASSOCIATE body before its first item. */
const FIXED_BYTES = 68;

const ITEM = {
  APPLICATION_CONTEXT: 0x10,
  PROPOSAL: 0x20,
  ANSWER: 0x21,
  ABSTRACT_SYNTAX: 0x30,
  TRANSFER_SYNTAX: 0x40,
  USER_INFORMATION: 0x50,
  MAX_LENGTH: 0x51,
  IMPLEMENTATION_CLASS_UID: 0x52,
  ROLE_SELECTION: 0x54,
  IMPLEMENTATION_VERSION: 0x55,
} as const;

/** @throws PeerFault naming the rule that was broken */
export function decodeAssociateRequest(body: Uint8Array): AssociateRequest {
  const request = decode(body, ITEM.PROPOSAL, proposalOf);
  if (request.contexts.length === 0) throw new PeerFault("no presentation context proposed");
  return request;
}

/** @throws PeerFault naming the rule that was broken */
export function decodeAssociateAccept(body: Uint8Array): AssociateAccept {
  return decode(body, ITEM.ANSWER, answerOf);
}

export function encodeAssociateRequest(request: Omit<AssociateRequest, "protocolVersion">): Buffer {
  const contexts = request.contexts.map((context) =>
    item(ITEM.PROPOSAL, [
      Buffer.from([context.id, 0, 0, 0]),
      text(ITEM.ABSTRACT_SYNTAX, context.abstractSyntax),
      ...context.transferSyntaxes.map((uid) => text(ITEM.TRANSFER_SYNTAX, uid)),
    ]),
  );
  return encode(PDU.ASSOCIATE_RQ, request, contexts);
}

export function encodeAssociateAccept(accept: Omit<AssociateAccept, "protocolVersion">): Buffer {
  const contexts = accept.contexts.map((context) =>
    item(ITEM.ANSWER, [
      Buffer.from([context.id, 0, context.result, 0]),
      text(ITEM.TRANSFER_SYNTAX, context.transferSyntax),
    ]),
  );
  return encode(PDU.ASSOCIATE_AC, accept, contexts);
}

interface Item {
  readonly type: number;
  readonly body: Buffer;
}

function decode<Context extends { readonly id: number }>(
  body: Uint8Array,
  contextItem: number,
  contextOf: (body: Buffer) => Context,
): Associate<Context> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.length < FIXED_BYTES) throw new PeerFault(`A-ASSOCIATE of only ${bytes.length} bytes`);
  const items = itemsIn(bytes.subarray(FIXED_BYTES));
  const contexts = items.filter(({ type }) => type === contextItem).map(({ body }) => contextOf(body));
  checkIds(contexts);
  const name = items.find(({ type }) => type === ITEM.APPLICATION_CONTEXT)?.body;
  const user = itemsIn(items.find(({ type }) => type === ITEM.USER_INFORMATION)?.body ?? Buffer.alloc(0));
  return {
    protocolVersion: bytes.readUInt16BE(0),
    calledAeTitle: textOf(bytes.subarray(4, 20)),
    callingAeTitle: textOf(bytes.subarray(20, 36)),
    applicationContext: name ? textOf(name) : "",
    contexts,
    maxPduBytes: maxPduBytesOf(user),
    roles: user.filter(({ type }) => type === ITEM.ROLE_SELECTION).map(({ body }) => roleOf(body)),
  };
}

function proposalOf(body: Buffer): ContextProposal {
  const items = itemsIn(body.subarray(4));
  const abstractSyntax = items.find(({ type }) => type === ITEM.ABSTRACT_SYNTAX)?.body;
  if (!abstractSyntax) throw new PeerFault("presentation context without abstract syntax");
  return {
    id: idOf(body),
    abstractSyntax: textOf(abstractSyntax),
    transferSyntaxes: items
      .filter(({ type }) => type === ITEM.TRANSFER_SYNTAX)
      .map(({ body }) => textOf(body)),
  };
}

function answerOf(body: Buffer): ContextAnswer {
  const id = idOf(body);
  const syntax = itemsIn(body.subarray(4)).find(({ type }) => type === ITEM.TRANSFER_SYNTAX)?.body;
  return { id, result: body.readUInt8(2), transferSyntax: syntax ? textOf(syntax) : "" };
}

function idOf(body: Buffer): number {
  if (body.length < 4) throw new PeerFault("presentation context item too short");
  const id = body.readUInt8(0);
  if (id % 2 === 0) throw new PeerFault("presentation context id not odd");
  return id;
}

function checkIds(contexts: readonly { readonly id: number }[]): void {
  if (contexts.length > MAX_CONTEXTS) throw new PeerFault(`${contexts.length} presentation contexts`);
  if (new Set(contexts.map(({ id }) => id)).size !== contexts.length) {
    throw new PeerFault("presentation context id used twice");
  }
}

function maxPduBytesOf(user: readonly Item[]): number {
  const body = user.find(({ type }) => type === ITEM.MAX_LENGTH)?.body;
  if (!body) return 0;
  if (body.length !== 4) throw new PeerFault("maximum length item not of 4 bytes");
  return body.readUInt32BE(0);
}

function roleOf(body: Buffer): RoleSelection {
  const length = body.length < 2 ? 0 : body.readUInt16BE(0);
  if (body.length !== length + 4) throw new PeerFault("role selection item of wrong length");
  return {
    sopClassUid: textOf(body.subarray(2, 2 + length)),
    scu: body.readUInt8(2 + length) === 1,
    scp: body.readUInt8(3 + length) === 1,
  };
}

function itemsIn(bytes: Buffer): readonly Item[] {
  const items: Item[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 4 <= bytes.length ? at + 4 + bytes.readUInt16BE(at + 2) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new PeerFault("item longer than what holds it");
    items.push({ type: bytes.readUInt8(at), body: bytes.subarray(at + 4, end) });
    at = end;
  }
  return items;
}

/** UIDs come unpadded, but some senders pad them; AE titles are padded with spaces. */
function textOf(bytes: Buffer): string {
  return bytes.toString("latin1").replace(/^ +|[\0 ]+$/g, "");
}

function encode(
  type: typeof PDU.ASSOCIATE_RQ | typeof PDU.ASSOCIATE_AC,
  associate: Omit<Associate<unknown>, "protocolVersion">,
  contexts: readonly Buffer[],
): Buffer {
  const fixed = Buffer.alloc(FIXED_BYTES);
  fixed.writeUInt16BE(1, 0);
  fixed.write(associate.calledAeTitle.padEnd(16), 4, 16, "latin1");
  fixed.write(associate.callingAeTitle.padEnd(16), 20, 16, "latin1");
  const maxLength = Buffer.alloc(4);
  maxLength.writeUInt32BE(associate.maxPduBytes);
  const body = Buffer.concat([
    fixed,
    text(ITEM.APPLICATION_CONTEXT, associate.applicationContext),
    ...contexts,
    item(ITEM.USER_INFORMATION, [
      item(ITEM.MAX_LENGTH, [maxLength]),
      text(ITEM.IMPLEMENTATION_CLASS_UID, IMPLEMENTATION.CLASS_UID),
      ...associate.roles.map(roleItem),
      text(ITEM.IMPLEMENTATION_VERSION, IMPLEMENTATION.VERSION_NAME),
    ]),
  ]);
  const header = Buffer.alloc(PDU_HEADER_BYTES);
  header.writeUInt8(type, 0);
  header.writeUInt32BE(body.length, 2);
  return Buffer.concat([header, body]);
}

function roleItem({ sopClassUid, scu, scp }: RoleSelection): Buffer {
  const uid = Buffer.from(sopClassUid, "latin1");
  return item(ITEM.ROLE_SELECTION, [
    Buffer.from([0, uid.length]),
    uid,
    Buffer.from([Number(scu), Number(scp)]),
  ]);
}

function item(type: number, parts: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt8(type, 0);
  header.writeUInt16BE(
    parts.reduce((sum, part) => sum + part.length, 0),
    2,
  );
  return Buffer.concat([header, ...parts]);
}

function text(type: number, value: string): Buffer {
  return item(type, [Buffer.from(value, "latin1")]);
}

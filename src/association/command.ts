/**
 * DIMSE command sets, PS3.7 6.3 and annex E: bytes ⇄ records. Pure.
 *
 * Always Implicit VR Little Endian, group 0000 only. Elements the node has no use for are passed over. Written by
 * hand because a command comes with every instance, and a general data set codec takes a hundred times as long.
 */
import { PeerFault } from "./peer-fault.ts";

export const COMMAND = {
  C_STORE_RQ: 0x0001,
  C_STORE_RSP: 0x8001,
  C_ECHO_RQ: 0x0030,
  C_ECHO_RSP: 0x8030,
  C_CANCEL_RQ: 0x0fff,
  N_EVENT_REPORT_RQ: 0x0100,
  N_ACTION_RQ: 0x0130,
} as const;

/** Set in the Command Field of every response; the rest is that of its request. */
export const RESPONSE_BIT = 0x8000;

export interface Command {
  /** (0000,0100) Command Field. */
  readonly field: number;
  /** (0000,0110) Message ID; of a request. */
  readonly messageId?: number | undefined;
  /** (0000,0120) Message ID Being Responded To; of a response or a cancel request. */
  readonly respondedTo?: number | undefined;
  /** (0000,0002) Affected, or else (0000,0003) Requested SOP Class UID, as it was sent. */
  readonly sopClassUid?: string | undefined;
  /** (0000,1000) Affected, or else (0000,1001) Requested SOP Instance UID, as it was sent. */
  readonly sopInstanceUid?: string | undefined;
  /** (0000,0700) Priority. */
  readonly priority?: number | undefined;
  /** (0000,0900) Status. */
  readonly status?: number | undefined;
  /** (0000,0902) Error Comment. */
  readonly comment?: string | undefined;
  /** (0000,1002) Event Type ID, or (0000,1008) Action Type ID. */
  readonly typeId?: number | undefined;
  /** (0000,0800) Command Data Set Type is not 0101H. */
  readonly hasDataSet: boolean;
}

const ELEMENT = {
  GROUP_LENGTH: 0x0000,
  AFFECTED_CLASS: 0x0002,
  REQUESTED_CLASS: 0x0003,
  FIELD: 0x0100,
  MESSAGE_ID: 0x0110,
  RESPONDED_TO: 0x0120,
  PRIORITY: 0x0700,
  DATA_SET_TYPE: 0x0800,
  STATUS: 0x0900,
  COMMENT: 0x0902,
  AFFECTED_INSTANCE: 0x1000,
  REQUESTED_INSTANCE: 0x1001,
  EVENT_TYPE: 0x1002,
  ACTION_TYPE: 0x1008,
} as const;

const NO_DATA_SET = 0x0101;
const ELEMENT_HEADER_BYTES = 8;

/** @throws PeerFault if an element does not fit, is of another group, or there is no command field */
export function decodeCommand(bytes: Uint8Array): Command {
  const elements = elementsIn(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const text = (element: number): string | undefined => elements.get(element)?.toString("latin1");
  const field = numberIn(elements, ELEMENT.FIELD);
  if (field === undefined) throw new PeerFault("command set without command field");
  return {
    field,
    messageId: numberIn(elements, ELEMENT.MESSAGE_ID),
    respondedTo: numberIn(elements, ELEMENT.RESPONDED_TO),
    sopClassUid: text(ELEMENT.AFFECTED_CLASS) ?? text(ELEMENT.REQUESTED_CLASS),
    sopInstanceUid: text(ELEMENT.AFFECTED_INSTANCE) ?? text(ELEMENT.REQUESTED_INSTANCE),
    priority: numberIn(elements, ELEMENT.PRIORITY),
    status: numberIn(elements, ELEMENT.STATUS),
    comment: text(ELEMENT.COMMENT),
    typeId: numberIn(elements, ELEMENT.EVENT_TYPE) ?? numberIn(elements, ELEMENT.ACTION_TYPE),
    hasDataSet: (numberIn(elements, ELEMENT.DATA_SET_TYPE) ?? NO_DATA_SET) !== NO_DATA_SET,
  };
}

/**
 * The SOP class and instance are written as the affected ones, but for N-ACTION-RQ, which requests (PS3.7 10.3.4.1);
 * elements in ascending order, as PS3.7 6.3.1 asks.
 */
export function encodeCommand(command: Command): Buffer {
  const isAction = (command.field & ~RESPONSE_BIT) === COMMAND.N_ACTION_RQ;
  const requests = command.field === COMMAND.N_ACTION_RQ;
  const elements = Buffer.concat([
    uid(requests ? ELEMENT.REQUESTED_CLASS : ELEMENT.AFFECTED_CLASS, command.sopClassUid),
    short(ELEMENT.FIELD, command.field),
    short(ELEMENT.MESSAGE_ID, command.messageId),
    short(ELEMENT.RESPONDED_TO, command.respondedTo),
    short(ELEMENT.PRIORITY, command.priority),
    short(ELEMENT.DATA_SET_TYPE, command.hasDataSet ? 0 : NO_DATA_SET),
    short(ELEMENT.STATUS, command.status),
    uid(requests ? ELEMENT.REQUESTED_INSTANCE : ELEMENT.AFFECTED_INSTANCE, command.sopInstanceUid),
    short(isAction ? ELEMENT.ACTION_TYPE : ELEMENT.EVENT_TYPE, command.typeId),
  ]);
  const groupLength = Buffer.alloc(4);
  groupLength.writeUInt32LE(elements.length);
  return Buffer.concat([element(ELEMENT.GROUP_LENGTH, groupLength), elements]);
}

function elementsIn(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const elements = new Map<number, Buffer>();
  let at = 0;
  while (at < bytes.length) {
    const start = at + ELEMENT_HEADER_BYTES;
    const end = start <= bytes.length ? start + bytes.readUInt32LE(at + 4) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new PeerFault("command element longer than the command set");
    if (bytes.readUInt16LE(at) !== 0) throw new PeerFault("command set with an element of another group");
    elements.set(bytes.readUInt16LE(at + 2), bytes.subarray(start, end));
    at = end;
  }
  return elements;
}

function numberIn(elements: ReadonlyMap<number, Buffer>, element: number): number | undefined {
  const value = elements.get(element);
  if (value === undefined || value.length === 0) return undefined;
  if (value.length !== 2) throw new PeerFault("command element of VR US not of 2 bytes");
  return value.readUInt16LE(0);
}

function element(number: number, value: Buffer): Buffer {
  const header = Buffer.alloc(ELEMENT_HEADER_BYTES);
  header.writeUInt16LE(number, 2);
  header.writeUInt32LE(value.length, 4);
  return Buffer.concat([header, value]);
}

function short(number: number, value: number | undefined): Buffer {
  if (value === undefined) return Buffer.alloc(0);
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return element(number, bytes);
}

function uid(number: number, value: string | undefined): Buffer {
  if (value === undefined) return Buffer.alloc(0);
  return element(number, Buffer.from(value.length % 2 === 0 ? value : `${value}\0`, "latin1"));
}

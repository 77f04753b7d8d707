/**
 * The protocol data units of PS3.8 9.3, but for A-ASSOCIATE-RQ and -AC (associate-pdu.ts): bytes ⇄ records. Pure.
 *
 * A PDU is a type, a reserved byte, a length of four bytes, big endian, and a body of that length. P-DATA-TF is
 * never held whole: only its headers are coded here, the fragments pass by (pdu-reader.ts, upper-layer.ts).
 */
import { PeerFault } from "./peer-fault.ts";

export const PDU = {
  ASSOCIATE_RQ: 0x01,
  ASSOCIATE_AC: 0x02,
  ASSOCIATE_RJ: 0x03,
  P_DATA: 0x04,
  RELEASE_RQ: 0x05,
  RELEASE_RP: 0x06,
  ABORT: 0x07,
} as const;

export const PDU_HEADER_BYTES = 6;
/** Of a presentation data value: its length, the context id, the message control header (PS3.8 9.3.5.1, E.2). */
export const PDV_HEADER_BYTES = 6;

/**
 * A peer that takes shorter PDUs than this is refused: no device is known to, and a command has to fit into one.
 * 0 is no limit (PS3.8 D.1.1).
 */
export const MIN_PEER_PDU_BYTES = 1024;

/** Why an association is refused, PS3.8 9.3.4. */
export interface Rejection {
  readonly result: number;
  readonly source: number;
  readonly reason: number;
}

/** Who ends an association and why, PS3.8 9.3.8. */
export interface Abort {
  readonly source: number;
  readonly reason: number;
}

/** A presentation data value, without its bytes. */
export interface Pdv {
  readonly contextId: number;
  /** Of a command set; else of a data set. */
  readonly isCommand: boolean;
  /** The last one of its command set or data set. */
  readonly isLast: boolean;
}

export function encodeRejection({ result, source, reason }: Rejection): Buffer {
  return short(PDU.ASSOCIATE_RJ, [0, result, source, reason]);
}

export function encodeAbort({ source, reason }: Abort): Buffer {
  return short(PDU.ABORT, [0, 0, source, reason]);
}

export function encodeRelease(type: typeof PDU.RELEASE_RQ | typeof PDU.RELEASE_RP): Buffer {
  return short(type, [0, 0, 0, 0]);
}

/**
 * What stands before the bytes of a P-DATA-TF PDU that holds one presentation data value.
 *
 * @param bytes  how many will follow
 */
export function encodeDataHeader(pdv: Pdv, bytes: number): Buffer {
  const header = Buffer.allocUnsafe(PDU_HEADER_BYTES + PDV_HEADER_BYTES);
  header[0] = PDU.P_DATA;
  header[1] = 0;
  header.writeUInt32BE(bytes + PDV_HEADER_BYTES, 2);
  header.writeUInt32BE(bytes + 2, 6);
  header[10] = pdv.contextId;
  header[11] = (pdv.isCommand ? 1 : 0) | (pdv.isLast ? 2 : 0);
  return header;
}

/** @throws PeerFault if the body is not of four bytes */
export function decodeRejection(body: Uint8Array): Rejection {
  const [, result, source, reason] = four(body);
  return { result, source, reason };
}

/** @throws PeerFault if the body is not of four bytes */
export function decodeAbort(body: Uint8Array): Abort {
  const [, , source, reason] = four(body);
  return { source, reason };
}

function four(body: Uint8Array): readonly [number, number, number, number] {
  const [a, b, c, d] = body;
  if (body.length !== 4 || a === undefined || b === undefined || c === undefined || d === undefined) {
    throw new PeerFault(`a PDU body of ${body.length} bytes where the standard has 4`);
  }
  return [a, b, c, d];
}

function short(type: number, body: readonly [number, number, number, number]): Buffer {
  return Buffer.from([type, 0, 0, 0, 0, 4, ...body]);
}

/**
 * A byte stream cut anywhere → PDUs and the fragments of presentation data values, PS3.8 9.3.
 *
 * Data fragments are slices of the chunks they came in, uncopied. The consumer may ask for time: what is left of
 * the chunk then stays here until resume(), so one chunk is the most that waits.
 *
 *   header ──A-ASSOCIATE, RELEASE, ABORT──▶ body ──whole──▶ header
 *   header ──P-DATA-TF──▶ value header ──▶ value ──▶ value header … ──end of the PDU──▶ header
 *   header ──P-DATA-TF nobody takes──▶ skip ──end of the PDU──▶ header
 */
import { AbortReason } from "./dimse.ts";
import { Gather } from "./gather.ts";
import { PDU, PDU_HEADER_BYTES, PDV_HEADER_BYTES, type Pdv } from "./pdu.ts";
import { PeerFault } from "./peer-fault.ts";

/** Undefined: go on at once. */
export type Wait = Promise<void> | undefined;

export interface PduConsumer {
  /** One whole PDU that is not P-DATA-TF. The body is lent for the time of the call. */
  pdu(type: number, body: Uint8Array): void;
  /** A P-DATA-TF begins: whether its values are wanted. */
  wantsData(): boolean;
  /** Some bytes of a value, with `isEnd` the last ones. They are lent for the time of the call. */
  fragment(pdv: Pdv, bytes: Uint8Array, isEnd: boolean): Wait;
}

export interface PduLimits {
  /** Longest body of P-DATA-TF taken, in bytes. */
  readonly pduBytes: number;
  /** Longest body of A-ASSOCIATE-RQ and -AC taken, in bytes. */
  readonly associateBytes: number;
}

const SHORT_BODY_BYTES = 4;
const NO_BYTES = new Uint8Array(0);

export class PduReader {
  readonly #consumer: PduConsumer;
  readonly #limits: PduLimits;
  #stage: "header" | "body" | "value-header" | "value" | "skip" = "header";
  /** Of a PDU or of a value: both have six bytes. */
  readonly #header = Buffer.alloc(PDU_HEADER_BYTES);
  #headerLength = 0;
  readonly #body = new Gather();
  #type = 0;
  #pdv: Pdv = { contextId: 0, isCommand: false, isLast: false };
  /** Bytes to come of the PDU; those of the value are among them. */
  #pduLeft = 0;
  #valueLeft = 0;
  #rest: Uint8Array = NO_BYTES;

  constructor(consumer: PduConsumer, limits: PduLimits) {
    this.#consumer = consumer;
    this.#limits = limits;
  }

  /**
   * @returns  what to wait for before resume(); nothing is to be pushed until then
   * @throws   PeerFault, and what the consumer throws; the stream cannot be read on after either
   */
  push(chunk: Uint8Array): Wait {
    let at = 0;
    while (at < chunk.length) {
      const bytes = chunk.subarray(at, at + this.#wanted());
      at += bytes.length;
      const wait = this.#take(bytes);
      if (wait) {
        this.#rest = chunk.subarray(at);
        return wait;
      }
    }
    return undefined;
  }

  /** Reads what was left when the consumer asked to wait; otherwise as push(). */
  resume(): Wait {
    const rest = this.#rest;
    this.#rest = NO_BYTES;
    return this.push(rest);
  }

  #wanted(): number {
    if (this.#stage === "value") return this.#valueLeft;
    return this.#stage.endsWith("header") ? PDU_HEADER_BYTES - this.#headerLength : this.#pduLeft;
  }

  #take(bytes: Uint8Array): Wait {
    if (this.#stage === "value") return this.#takeValue(bytes);
    if (this.#stage === "value-header") return this.#headerIs(bytes) ? this.#beginValue() : undefined;
    if (this.#stage === "header") this.#takeHeader(bytes);
    else if (this.#stage === "body") this.#takeBody(bytes);
    else this.#pass(bytes);
    return undefined;
  }

  #takeHeader(bytes: Uint8Array): void {
    if (this.#headerIs(bytes)) this.#beginPdu();
  }

  #pass(bytes: Uint8Array): void {
    this.#pduLeft -= bytes.length;
    if (this.#pduLeft === 0) this.#stage = "header";
  }

  #headerIs(bytes: Uint8Array): boolean {
    this.#header.set(bytes, this.#headerLength);
    this.#headerLength += bytes.length;
    if (this.#headerLength < PDU_HEADER_BYTES) return false;
    this.#headerLength = 0;
    return true;
  }

  #beginPdu(): void {
    this.#type = this.#header.readUInt8(0);
    this.#pduLeft = this.#header.readUInt32BE(2);
    this.#checkPdu();
    if (this.#type !== PDU.P_DATA) this.#stage = "body";
    else this.#stage = this.#consumer.wantsData() ? "value-header" : "skip";
  }

  #checkPdu(): void {
    const length = this.#pduLeft;
    switch (this.#type) {
      case PDU.P_DATA:
        if (length < PDV_HEADER_BYTES) throw new PeerFault(`P-DATA-TF of ${length} bytes`);
        if (length > this.#limits.pduBytes) throw new PeerFault(`P-DATA-TF of ${length} bytes`);
        return;
      case PDU.ASSOCIATE_RQ:
      case PDU.ASSOCIATE_AC:
        if (length === 0) throw new PeerFault("A-ASSOCIATE without a body");
        if (length > this.#limits.associateBytes) throw new PeerFault(`A-ASSOCIATE of ${length} bytes`);
        return;
      case PDU.ASSOCIATE_RJ:
      case PDU.RELEASE_RQ:
      case PDU.RELEASE_RP:
      case PDU.ABORT:
        if (length !== SHORT_BODY_BYTES) throw new PeerFault(`PDU ${this.#type} of ${length} bytes`);
        return;
      default:
        throw new PeerFault(`PDU type ${this.#type}`, AbortReason.UnrecognizedPdu);
    }
  }

  #takeBody(bytes: Uint8Array): void {
    this.#pduLeft -= bytes.length;
    const isWhole = this.#pduLeft === 0 && this.#body.length === 0;
    if (!isWhole) this.#body.add(bytes);
    if (this.#pduLeft > 0) return;
    this.#stage = "header";
    this.#consumer.pdu(this.#type, isWhole ? bytes : this.#body.take());
  }

  #beginValue(): Wait {
    const length = this.#header.readUInt32BE(0);
    const control = this.#header.readUInt8(5);
    if (length < 2 || length + 4 > this.#pduLeft) throw new PeerFault(`data value of ${length} bytes`);
    this.#pdv = {
      contextId: this.#header.readUInt8(4),
      isCommand: (control & 1) !== 0,
      isLast: (control & 2) !== 0,
    };
    this.#pduLeft -= PDV_HEADER_BYTES;
    this.#valueLeft = length - 2;
    this.#stage = "value";
    return this.#valueLeft === 0 ? this.#takeValue(NO_BYTES) : undefined;
  }

  #takeValue(bytes: Uint8Array): Wait {
    this.#pduLeft -= bytes.length;
    this.#valueLeft -= bytes.length;
    const isEnd = this.#valueLeft === 0;
    if (isEnd) this.#endValue();
    return this.#consumer.fragment(this.#pdv, bytes, isEnd);
  }

  #endValue(): void {
    if (this.#pduLeft > 0 && this.#pduLeft < PDV_HEADER_BYTES)
      throw new PeerFault("bytes after the last data value");
    this.#stage = this.#pduLeft === 0 ? "header" : "value-header";
  }
}

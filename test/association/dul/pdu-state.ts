/** D: PDUs that are none, lie about their length, or come where they do not belong (PS3.8 9.2). */

import { seeded } from "../../support/bytes.ts";
import {
  abortPdu,
  associateAc,
  associateRq,
  EXPLICIT,
  echoRq,
  pData,
  pdu,
  releaseRp,
  releaseRq,
  storeRq,
} from "../../support/raw-peer.ts";
import type { Case } from "./case.ts";
import { PIECES } from "./transport.ts";

const request = associateRq();
const head = (type: number, length: number): Buffer => {
  const bytes = Buffer.from([type, 0, 0, 0, 0, 0]);
  bytes.writeUInt32BE(length, 2);
  return bytes;
};
const accept = associateAc([[1, 0, EXPLICIT]]);
const reject = pdu(3, Buffer.from([0, 1, 1, 1]));
const echo = pData(3, 3, echoRq(1));
const random = seeded(20_251);
const noise = Buffer.from(Array.from({ length: 2_000 }, () => Math.floor(random() * 256)));
noise[0] = 0x9f; // or it could begin as a PDU
const oddReserved = Buffer.from(request);
oddReserved[1] = 0xff;
const halfStore = [pData(1, 3, storeRq(1, "1.2.3.4.5.1")), pData(1, 0, Buffer.alloc(100))];

const first = (id: string, name: string, answer: string, ...bytes: readonly Uint8Array[]): Case => ({
  id,
  name,
  sends: () => bytes,
  answer,
});
const open = (id: string, name: string, answer: string, ...bytes: readonly Uint8Array[]): Case => ({
  ...first(id, name, answer, ...bytes),
  opening: request,
});

const BY_USER = "ABORT 0/0";
const UNKNOWN = "ABORT 2/1";
const UNEXPECTED = "ABORT 2/2";
const INVALID = "ABORT 2/6";

export const PDU_STATE: readonly Case[] = [
  first("D01", "PDU type 0 instead of a request", BY_USER, head(0, 4), Buffer.alloc(4)),
  first("D02", "PDU type 8 instead of a request", BY_USER, head(8, 4), Buffer.alloc(4)),
  open("D03", "PDU type 255 on an open association", UNKNOWN, head(255, 4), Buffer.alloc(4)),
  open("D04", "PDU type 9 of 4 GiB on an open association", UNKNOWN, head(9, 0xffffffff)),
  first("D05", "an HTTP request", BY_USER, Buffer.from("GET / HTTP/1.1\r\nHost: here\r\n\r\n")),
  first("D06", "a request of 4 GiB", BY_USER, head(1, 0xffffffff), Buffer.alloc(100_000)),
  open("D07", "data of 4 GiB", INVALID, head(4, 0xffffffff), Buffer.alloc(100_000)),
  first("D08", "a request of 1 MiB, all of it", BY_USER, head(1, 1_048_576), Buffer.alloc(1_048_576)),
  first("D09", "a request without a body", BY_USER, head(1, 0)),
  first("D10", "a request of 67 bytes", BY_USER, head(1, 67), Buffer.alloc(67)),
  first("D11", "a TLS hello", BY_USER, Buffer.from("16030100c8010000c40303", "hex")),
  first("D12", "random bytes", BY_USER, noise),
  first("D13", "zeros", BY_USER, Buffer.alloc(1_000)),
  first("D14", "ones", BY_USER, Buffer.alloc(1_000, 0xff)),
  open("D15", "a release of 8 bytes", INVALID, head(5, 8), Buffer.alloc(8)),
  open("D16", "an abort without a body", INVALID, head(7, 0)),
  open("D17", "a release of 3 bytes", INVALID, head(5, 3), Buffer.alloc(3)),
  first("D18", "a request whose reserved byte is not 0", "AC", oddReserved),
  first("D19", "an acceptance instead of a request", BY_USER, accept),
  first("D20", "a rejection instead of a request", BY_USER, reject),
  first("D21", "data instead of a request", BY_USER, echo),
  first("D22", "a release instead of a request", BY_USER, releaseRq),
  first("D23", "a release response instead of a request", BY_USER, releaseRp),
  first("D24", "an abort instead of a request", "closed", abortPdu),
  open("D25", "a second request", UNEXPECTED, request),
  open("D26", "an acceptance on an open association", UNEXPECTED, accept),
  open("D27", "a rejection on an open association", UNEXPECTED, reject),
  open("D28", "a release response nobody asked for", UNEXPECTED, releaseRp),
  open("D29", "an acceptance within a data set", UNEXPECTED, ...halfStore, accept),
  open("D30", "a request within a data set", UNEXPECTED, ...halfStore, request),
  ...PIECES,
  { ...open("D34", "data after the release", "RLRP, closed", releaseRq, echo, echo), leaves: "fin" },
  open("D35", "an abort within a data set", "closed", ...halfStore, abortPdu),
];

/** M: DIMSE command sets, PS3.7 clause 9 and annex E. */
import { ctImage } from "../../support/bytes.ts";
import {
  associateRq,
  CT,
  commandSet,
  echoRq,
  elementsOf,
  pData,
  storeRq,
  ui,
  us,
  VERIFICATION,
} from "../../support/raw-peer.ts";
import type { Case } from "./case.ts";
import { imageOf, uidOf } from "./images.ts";

const INVALID = "ABORT 2/6";
const OUT_OF_PLACE = "ABORT 2/5";
const UNRECOGNIZED = "RSP 0211";

const open = (id: string, name: string, answer: string, ...bytes: readonly Uint8Array[]): Case => ({
  id,
  name,
  opening: associateRq(),
  sends: () => bytes,
  answer,
});
const request = (field: number, hasDataSet = false): Buffer =>
  commandSet(ui(2, CT), us(0x100, field), us(0x110, 1), us(0x800, hasDataSet ? 0 : 0x101));
const echo = echoRq(1);
const identifier = Buffer.from("0800520004000000494d4147", "hex");
/** The same with another value in its group length. */
const withGroupLength = (bytes: Buffer, length: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt32LE(length, 8);
  return copy;
};
const foreignGroup = Buffer.from("10001000040000004e6f6e65", "hex");

export const MESSAGES: readonly Case[] = [
  open("M01", "an empty command set", INVALID, pData(3, 3, new Uint8Array(0))),
  open("M02", "a command set cut within an element", INVALID, pData(3, 3, echo.subarray(0, -3))),
  open("M03", "a command set without command field", INVALID, pData(3, 3, commandSet(us(0x110, 1)))),
  open(
    "M04",
    "a request without message id",
    INVALID,
    pData(3, 3, commandSet(us(0x100, 0x30), us(0x800, 0x101))),
  ),
  open("M05", "a command set with a patient name", INVALID, pData(3, 3, Buffer.concat([echo, foreignGroup]))),
  open("M06", "a group length that lies", "RSP 0000", pData(3, 3, withGroupLength(echo, 0xffffffff))),
  open("M07", "no group length", "RSP 0000", pData(3, 3, echo.subarray(12))),
  open("M08", "an unknown command", UNRECOGNIZED, pData(1, 3, request(0x7777))),
  open("M09", "a C-FIND", UNRECOGNIZED, pData(1, 3, request(0x20, true)), pData(1, 2, identifier)),
  open("M10", "a C-MOVE", UNRECOGNIZED, pData(1, 3, request(0x21, true)), pData(1, 2, identifier)),
  open("M11", "an N-ACTION", UNRECOGNIZED, pData(1, 3, request(0x130))),
  open(
    "M12",
    "a response nobody asked for",
    OUT_OF_PLACE,
    pData(1, 3, commandSet(us(0x100, 0x8001), us(0x120, 1), us(0x800, 0x101), us(0x900, 0))),
  ),
  open(
    "M13",
    "a C-CANCEL of nothing, then a C-ECHO",
    "RSP 0000",
    pData(1, 3, commandSet(us(0x100, 0x0fff), us(0x120, 1), us(0x800, 0x101))),
    pData(3, 3, echo),
  ),
  {
    id: "M14",
    name: "a command set without an end",
    opening: associateRq(),
    sends: () => Array<Buffer>(1_000).fill(pData(3, 1, Buffer.alloc(8_192))),
    answer: INVALID,
  },
  open("M15", "a C-ECHO where images are expected", UNRECOGNIZED, pData(1, 3, request(0x30))),
  open(
    "M16",
    "an image where C-ECHO is expected",
    UNRECOGNIZED,
    pData(3, 3, storeRq(1, "1.2.3")),
    pData(3, 2, ctImage()),
  ),
  open("M17", "a message id of four bytes", INVALID, pData(3, 3, longMessageId())),
  open("M18", "a data set without a command", OUT_OF_PLACE, pData(1, 2, ctImage())),
  open(
    "M19",
    "a command before the data set of the last one",
    OUT_OF_PLACE,
    pData(1, 3, storeRq(1, "1.2.3.4.5.1")),
    pData(1, 3, storeRq(2, "1.2.3.4.5.1")),
  ),
  open(
    "M20",
    "a C-ECHO with a data set",
    "RSP 0000",
    pData(3, 3, commandSet(ui(2, VERIFICATION), us(0x100, 0x30), us(0x110, 1), us(0x800, 0))),
    pData(3, 2, Buffer.alloc(100)),
  ),
  open(
    "M21",
    "eight C-ECHO sent ahead",
    Array<string>(8).fill("RSP 0000").join(", "),
    ...Array.from({ length: 8 }, (_, at) => pData(3, 3, echoRq(at + 1))),
  ),
  open("M22", "message id 0", "RSP 0000", pData(3, 3, echoRq(0))),
  {
    ...open(
      "M23",
      "a priority that does not exist",
      "RSP 0000",
      pData(1, 3, withPriority(uidOf("M23"), 9)),
      pData(1, 2, imageOf("M23")),
    ),
    keeps: 1,
  },
  open(
    "M24",
    "the data set on another context than the command",
    OUT_OF_PLACE,
    pData(1, 3, storeRq(1, "1.2.3.4.5.1")),
    pData(3, 2, ctImage()),
  ),
];

function longMessageId(): Buffer {
  const id = Buffer.from([0x00, 0x00, 0x10, 0x01, 4, 0, 0, 0, 1, 0, 0, 0]);
  return commandSet(ui(2, VERIFICATION), us(0x100, 0x30), id, us(0x800, 0x101));
}

function withPriority(uid: string, priority: number): Buffer {
  const command = storeRq(1, uid);
  elementsOf(command).get(0x700)?.writeUInt16LE(priority);
  return command;
}

/** P: P-DATA-TF and the values in it, PS3.8 9.3.5 and annex E. */
import { associateRq, echoRq, pData, pdu, pdv, storeRq } from "../../support/raw-peer.ts";
import type { Case } from "./case.ts";
import { imageOf, uidOf } from "./images.ts";

const INVALID = "ABORT 2/6";
const OUT_OF_PLACE = "ABORT 2/5";
const ANNOUNCED = 131_072;
const NOTHING = new Uint8Array(0);

const head = (length: number): Buffer => {
  const bytes = Buffer.from([4, 0, 0, 0, 0, 0]);
  bytes.writeUInt32BE(length, 2);
  return bytes;
};
/** A value whose length field says something else. */
const lying = (length: number, bytes: Uint8Array): Buffer => {
  const value = pdv(3, 3, bytes);
  value.writeUInt32BE(length, 0);
  return value;
};
const open = (id: string, name: string, answer: string, ...bytes: readonly Uint8Array[]): Case => ({
  id,
  name,
  opening: associateRq(),
  sends: () => bytes,
  answer,
});
const echo = echoRq(1);
const command = (id: string): Buffer => storeRq(1, uidOf(id));
const cut = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
const values = (id: number, control: number, parts: readonly Uint8Array[]): Buffer[] =>
  parts.map((part, at) => pdv(id, control | (at === parts.length - 1 ? 2 : 0), part));

export const DATA_VALUES: readonly Case[] = [
  open("P01", "P-DATA-TF without a value", INVALID, head(0)),
  open("P02", "P-DATA-TF of 5 bytes", INVALID, head(5), Buffer.alloc(5)),
  open("P03", "a value of length 0", INVALID, pdu(4, lying(0, echo))),
  open("P04", "a value of length 1", INVALID, pdu(4, lying(1, echo))),
  open("P05", "a value longer than its PDU", INVALID, pdu(4, lying(echo.length + 3, echo))),
  open("P06", "a value of 4 GiB", INVALID, pdu(4, lying(0xffffffff, echo))),
  open("P07", "bytes after the last value", INVALID, pdu(4, pdv(3, 1, echo), Buffer.alloc(3))),
  open("P08", "a context that was not accepted", INVALID, pData(99, 3, echo)),
  open("P09", "context 0", INVALID, pData(0, 3, echo)),
  open("P10", "control bits that are reserved", "RSP 0000", pData(3, 0xff, echo)),
  open("P11", "a PDU longer than was announced", INVALID, head(ANNOUNCED + 1)),
  { ...longest(), id: "P12", name: "a PDU as long as was announced" },
  open(
    "P13",
    "a command in values of one byte",
    "RSP 0000",
    ...values(3, 1, cut(echo, 1)).map((one) => pdu(4, one)),
  ),
  {
    ...open(
      "P14",
      "command and data set in one PDU",
      "RSP 0000",
      pdu(4, pdv(1, 3, command("P14")), pdv(1, 2, imageOf("P14"))),
    ),
    keeps: 1,
  },
  open(
    "P15",
    "empty values before, in and after a command",
    "RSP 0000",
    pdu(
      4,
      pdv(3, 1, NOTHING),
      pdv(3, 1, echo.subarray(0, 9)),
      pdv(3, 1, NOTHING),
      pdv(3, 1, echo.subarray(9)),
    ),
    pData(3, 3, NOTHING),
  ),
  {
    ...open(
      "P16",
      "a data set in values of odd sizes",
      "RSP 0000",
      pData(1, 3, command("P16")),
      pdu(4, ...values(1, 0, cut(imageOf("P16"), 7))),
    ),
    keeps: 1,
  },
  {
    id: "P17",
    name: "fifty thousand empty values",
    opening: associateRq(),
    sends: () => [...Array<Buffer>(50).fill(emptyValues(1_000)), pData(3, 3, echo)],
    answer: "RSP 0000",
  },
  {
    ...open(
      "P18",
      "a last value that is empty",
      "RSP 0000",
      pData(1, 3, command("P18")),
      pData(1, 0, imageOf("P18")),
      pData(1, 2, NOTHING),
    ),
    keeps: 1,
  },
  {
    ...open(
      "P19",
      "an image in values of one byte",
      "RSP 0000",
      pData(1, 3, command("P19")),
      ...oneByteEach(imageOf("P19")),
    ),
    keeps: 1,
  },
  open(
    "P20",
    "a data value within a command",
    OUT_OF_PLACE,
    pData(3, 1, echo.subarray(0, 9)),
    pData(3, 2, echo),
  ),
];

function longest(): Omit<Case, "id" | "name"> {
  const image = imageOf("P12");
  const dataSet = Buffer.concat([image, Buffer.alloc(ANNOUNCED - 6 - image.length)]); // padding behind the pixels
  return {
    opening: associateRq(),
    sends: () => [pData(1, 3, command("P12")), pData(1, 2, dataSet)],
    answer: "RSP 0000",
    keeps: 1,
  };
}

function emptyValues(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => pData(3, 1, NOTHING)));
}

function oneByteEach(bytes: Uint8Array): Buffer[] {
  return values(1, 0, cut(bytes, 1)).map((one) => pdu(4, one));
}

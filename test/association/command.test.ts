/** Command sets against bytes made by hand from PS3.7 annex E. */
import { expect, test } from "vitest";
import { decodeCommand, encodeCommand } from "../../src/association/command.ts";
import { CT, commandSet, echoRq, storeRq, storeRsp, ui, us } from "../support/raw-peer.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("a C-STORE request made by hand is read, UIDs with the padding they came with", () => {
  expect(decodeCommand(storeRq(258, "1.2.3"))).toEqual({
    field: 0x0001,
    messageId: 258,
    respondedTo: undefined,
    sopClassUid: `${CT}\0`,
    sopInstanceUid: "1.2.3\0",
    priority: 0,
    status: undefined,
    comment: undefined,
    hasDataSet: true,
  });
});

test("a C-STORE request is written as one made by hand", () => {
  const command = {
    field: 1,
    messageId: 7,
    sopClassUid: CT,
    sopInstanceUid: "1.2.34",
    priority: 0,
    hasDataSet: true,
  };
  expect(hex(encodeCommand(command))).toBe(hex(storeRq(7, "1.2.34")));
});

test("a C-STORE response is written as one made by hand", () => {
  const command = {
    field: 0x8001,
    respondedTo: 7,
    status: 0xa700,
    sopClassUid: CT,
    sopInstanceUid: "1.2.34",
    hasDataSet: false,
  };
  expect(hex(encodeCommand(command))).toBe(hex(storeRsp(7, 0xa700, { classUid: CT, instanceUid: "1.2.34" })));
});

test("a C-ECHO request is written as one made by hand", () => {
  const command = { field: 0x0030, messageId: 1, sopClassUid: "1.2.840.10008.1.1", hasDataSet: false };
  expect(hex(encodeCommand(command))).toBe(hex(echoRq(1)));
});

test("an N-ACTION request is known by its requested SOP class and instance", () => {
  const set = commandSet(
    ui(0x0003, "1.2"),
    us(0x0100, 0x0130),
    us(0x0110, 1),
    us(0x0800, 0),
    ui(0x1001, "1.2.3.4"),
  );
  expect(decodeCommand(set)).toMatchObject({
    field: 0x0130,
    sopClassUid: "1.2\0",
    sopInstanceUid: "1.2.3.4\0",
  });
});

test.each<[string, Buffer, string]>([
  ["an element longer than the set", Buffer.from("0000000104000000ff", "hex"), "longer"],
  ["half an element header", Buffer.from("00000001", "hex"), "longer"],
  [
    "an element of another group",
    Buffer.concat([us(0x0100, 1), Buffer.from("0800160002000000aabb", "hex")]),
    "group",
  ],
  ["a US of four bytes", Buffer.from("000000010400000001000000", "hex"), "2 bytes"],
  ["no command field", commandSet(us(0x0110, 1)), "without command field"],
])("%s is refused", (_, bytes, message) => {
  expect(() => decodeCommand(bytes)).toThrow(message);
});

test("a command set cut at any byte is refused or read without what is missing", () => {
  const whole = storeRq(1, "1.2.3.4");
  for (let length = 0; length < whole.length; length += 1) {
    try {
      expect(decodeCommand(whole.subarray(0, length)).field).toBe(1);
    } catch (error) {
      expect((error as Error).name).toBe("PeerFault");
    }
  }
});

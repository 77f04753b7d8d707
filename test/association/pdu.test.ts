/** PDUs against bytes written out by hand from PS3.8 9.3. */
import { expect, test } from "vitest";
import {
  type AssociateRequest,
  decodeAssociateAccept,
  decodeAssociateRequest,
  encodeAssociateAccept,
  encodeAssociateRequest,
} from "../../src/association/associate-pdu.ts";
import {
  decodeAbort,
  decodeRejection,
  encodeAbort,
  encodeDataHeader,
  encodeRejection,
  encodeRelease,
  PDU,
} from "../../src/association/pdu.ts";
import { associateAc, associateRq, CT, EXPLICIT, IMPLICIT, item, uidItem } from "../support/raw-peer.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bodyOf = (pdu: Buffer): Buffer => pdu.subarray(6);

function decoded(pdu: Buffer): AssociateRequest {
  return decodeAssociateRequest(bodyOf(pdu));
}

test("the short PDUs are ten bytes with the fields where the standard has them", () => {
  expect(hex(encodeRejection({ result: 2, source: 3, reason: 2 }))).toBe("03000000000400020302");
  expect(hex(encodeAbort({ source: 2, reason: 6 }))).toBe("07000000000400000206");
  expect(hex(encodeRelease(PDU.RELEASE_RQ))).toBe("05000000000400000000");
  expect(hex(encodeRelease(PDU.RELEASE_RP))).toBe("06000000000400000000");
});

test("the short PDUs are read back, and only at their length", () => {
  expect(decodeRejection(Buffer.from([0, 1, 1, 7]))).toEqual({ result: 1, source: 1, reason: 7 });
  expect(decodeAbort(Buffer.from([0, 0, 2, 1]))).toEqual({ source: 2, reason: 1 });
  expect(() => decodeAbort(Buffer.from([0, 0, 2]))).toThrow("3 bytes");
  expect(() => decodeRejection(Buffer.alloc(5))).toThrow("5 bytes");
});

test("a data header counts its value once for the PDU and once for the value", () => {
  expect(hex(encodeDataHeader({ contextId: 5, isCommand: true, isLast: true }, 258))).toBe(
    "040000000108000001040503",
  );
  expect(hex(encodeDataHeader({ contextId: 255, isCommand: false, isLast: false }, 0))).toBe(
    "04000000000600000002ff00",
  );
  expect(encodeDataHeader({ contextId: 1, isCommand: false, isLast: true }, 4)[11]).toBe(2);
});

test("an association request is read with its contexts in the order they came, whatever their ids", () => {
  const request = decoded(
    associateRq({
      called: "CALLED",
      calling: "CALLING",
      maxLength: 65_536,
      contexts: [
        { id: 5, abstractSyntax: CT, transferSyntaxes: [IMPLICIT, EXPLICIT] },
        { id: 3, abstractSyntax: "1.2.3", transferSyntaxes: [EXPLICIT] },
      ],
    }),
  );
  expect(request).toEqual({
    protocolVersion: 1,
    calledAeTitle: "CALLED",
    callingAeTitle: "CALLING",
    applicationContext: "1.2.840.10008.3.1.1.1",
    contexts: [
      { id: 5, abstractSyntax: CT, transferSyntaxes: [IMPLICIT, EXPLICIT] },
      { id: 3, abstractSyntax: "1.2.3", transferSyntaxes: [EXPLICIT] },
    ],
    maxPduBytes: 65_536,
    roles: [],
  });
});

test("role selection is read; asynchronous operations, user identity and unknown items are passed over", () => {
  const role = item(0x54, Buffer.from([0, 5]), Buffer.from("1.2.3"), Buffer.from([0, 1]));
  const others = [
    item(0x53, Buffer.alloc(4)),
    item(0x58, Buffer.from([1, 1, 0, 1, 65, 0, 0])),
    item(0x7f, Buffer.alloc(9)),
  ];
  const request = decoded(associateRq({ user: [...others, role] }));
  expect(request.roles).toEqual([{ sopClassUid: "1.2.3", scu: false, scp: true }]);
  expect(request.maxPduBytes).toBe(16_384);
});

test("UIDs padded with NUL or space are read without the padding", () => {
  const request = decoded(
    associateRq({ contexts: [{ id: 1, abstractSyntax: `${CT}\0`, transferSyntaxes: [`${EXPLICIT} `] }] }),
  );
  expect(request.contexts[0]).toEqual({ id: 1, abstractSyntax: CT, transferSyntaxes: [EXPLICIT] });
});

const context = (id: number) => ({ id, abstractSyntax: CT, transferSyntaxes: [EXPLICIT] });
const odd = (count: number) => Array.from({ length: count }, (_, at) => context((2 * at + 1) % 256));

test.each<[string, Buffer, string]>([
  ["an even context id", associateRq({ contexts: [context(2)] }), "not odd"],
  ["a context id twice", associateRq({ contexts: [context(255), context(255)] }), "twice"],
  ["129 contexts", associateRq({ contexts: odd(129) }), "129"],
  ["no context", associateRq({ contexts: [] }), "no presentation context"],
  [
    "a role item whose length lies",
    associateRq({ user: [item(0x54, Buffer.from([0, 200, 49, 46, 50, 1, 1]))] }),
    "role",
  ],
  ["a maximum length of three bytes", badMaxLength(), "maximum length"],
])("%s is refused", (_, pdu, message) => {
  expect(() => decoded(pdu)).toThrow(message);
});

test("128 contexts are the most, and are read", () => {
  expect(decoded(associateRq({ contexts: odd(128) })).contexts).toHaveLength(128);
});

test("an association request cut at any byte is refused or read with what is whole, and never reads past its end", () => {
  const whole = bodyOf(associateRq());
  for (let length = 0; length < whole.length; length += 1) {
    // Cut off from memory that goes on: a read past the end would find the rest.
    try {
      decodeAssociateRequest(whole.subarray(0, length));
    } catch (error) {
      expect((error as Error).name).toBe("PeerFault");
    }
  }
});

test("what is encoded for a request equals, item by item, what a request made by hand holds", () => {
  const contexts = [{ id: 1, abstractSyntax: CT, transferSyntaxes: [EXPLICIT] }];
  const names = {
    calledAeTitle: "CALLED",
    callingAeTitle: "CALLING",
    applicationContext: "1.2.840.10008.3.1.1.1",
  };
  const ours = encodeAssociateRequest({ ...names, contexts, roles: [], maxPduBytes: 16_384 });
  const byHand = associateRq({ called: "CALLED", calling: "CALLING", contexts, maxLength: 16_384 });
  const user = byHand.indexOf(uidItem(0x52, "1.2.3.4"));
  expect(hex(ours.subarray(6, user - 12))).toBe(hex(byHand.subarray(6, user - 12)));
  expect(ours.readUInt32BE(2)).toBe(ours.length - 6);
  expect(ours[0]).toBe(1);
});

test("what is encoded for an acceptance equals what one made by hand holds, and is read back", () => {
  const names = {
    calledAeTitle: "CALLED",
    callingAeTitle: "CALLING",
    applicationContext: "1.2.840.10008.3.1.1.1",
  };
  const contexts = [
    { id: 3, result: 0, transferSyntax: EXPLICIT },
    { id: 1, result: 4, transferSyntax: IMPLICIT },
  ];
  const ours = encodeAssociateAccept({ ...names, contexts, roles: [], maxPduBytes: 16_384 });
  const byHand = associateAc(
    [
      [3, 0, EXPLICIT],
      [1, 4, IMPLICIT],
    ],
    { called: "CALLED", calling: "CALLING" },
  );
  const user = byHand.indexOf(uidItem(0x52, "1.2.3.4"));
  expect(hex(ours.subarray(6, user - 12))).toBe(hex(byHand.subarray(6, user - 12)));
  expect(decodeAssociateAccept(bodyOf(byHand))).toMatchObject({ contexts, maxPduBytes: 16_384 });
});

function badMaxLength(): Buffer {
  const pdu = associateRq();
  const at = pdu.indexOf(item(0x51, Buffer.from([0, 0, 0x40, 0])));
  const user = item(0x50, item(0x51, Buffer.from([0, 0, 0x40])));
  return Buffer.concat([pdu.subarray(0, at - 4), user]);
}

/** The byte stream cut in every way a network may cut it. */
import { expect, test } from "vitest";
import { MessageReader } from "../../src/association/message-reader.ts";
import type { Pdv } from "../../src/association/pdu.ts";
import { PduReader, type Wait } from "../../src/association/pdu-reader.ts";
import { echoRq, pData, pdu, pdv, releaseRq, storeRq } from "../support/raw-peer.ts";

const LIMITS = { pduBytes: 1_000, associateBytes: 500 };

/** Reads and writes down what came, values joined. */
class Recorder {
  readonly seen: string[] = [];
  readonly fragments: Uint8Array[] = [];
  takesData = true;
  wait: (() => Wait) | undefined;
  #value: Uint8Array[] = [];
  readonly reader = new PduReader(this, LIMITS);

  /** The whole chunk is read at once. */
  push(chunk: Uint8Array): void {
    expect(this.reader.push(chunk)).toBeUndefined();
  }

  pdu(type: number, body: Uint8Array): void {
    this.seen.push(`${type}:${Buffer.from(body).toString("hex")}`);
  }

  wantsData(): boolean {
    return this.takesData;
  }

  fragment({ contextId, isCommand, isLast }: Pdv, bytes: Uint8Array, isEnd: boolean): Wait {
    this.fragments.push(bytes);
    this.#value.push(bytes);
    if (isEnd) {
      const text = Buffer.concat(this.#value.splice(0)).toString();
      this.seen.push(`${contextId}${isCommand ? "c" : "d"}${isLast ? "!" : ""} ${text}`);
    }
    return this.wait?.();
  }
}

const STREAM = Buffer.concat([
  pdu(1, Buffer.from("request")),
  pdu(4, pdv(1, 3, Buffer.from("command")), pdv(1, 0, Buffer.from("some ")), pdv(1, 0, Buffer.alloc(0))),
  pData(1, 2, Buffer.from("last")),
  releaseRq,
]);
const SEEN = ["1:72657175657374", "1c! command", "1d some ", "1d ", "1d! last", "5:00000000"];

test("the stream is read the same wherever it is cut in two", () => {
  for (let at = 0; at <= STREAM.length; at += 1) {
    const recorder = new Recorder();
    recorder.push(STREAM.subarray(0, at));
    recorder.push(STREAM.subarray(at));
    expect([at, recorder.seen]).toEqual([at, SEEN]);
  }
});

test("the stream is read the same byte by byte", () => {
  const recorder = new Recorder();
  for (let at = 0; at < STREAM.length; at += 1) recorder.push(STREAM.subarray(at, at + 1));
  expect(recorder.seen).toEqual(SEEN);
});

test("data fragments are slices of the chunk they came in", () => {
  const recorder = new Recorder();
  const chunk = Buffer.from(pData(1, 0, Buffer.from("uncopied")));
  recorder.push(chunk);
  expect(recorder.fragments.map(({ buffer }) => buffer)).toEqual([chunk.buffer]);
});

test("while the consumer needs time nothing is read on, and then nothing is missing", () => {
  for (let at = 0; at <= STREAM.length; at += 7) {
    const recorder = new Recorder();
    recorder.wait = () => Promise.resolve();
    let pauses = 0;
    for (const chunk of [STREAM.subarray(0, at), STREAM.subarray(at)]) {
      for (let wait = recorder.reader.push(chunk); wait; wait = recorder.reader.resume()) {
        pauses += 1;
        expect(recorder.fragments).toHaveLength(pauses);
      }
    }
    expect(recorder.seen).toEqual(SEEN);
  }
});

test("values that nobody takes are passed over, and the PDU after them is read", () => {
  const recorder = new Recorder();
  recorder.takesData = false;
  for (const byte of STREAM) recorder.push(Buffer.from([byte]));
  expect(recorder.seen).toEqual([SEEN[0], SEEN[5]]);
});

const header = (type: number, length: number): Buffer => {
  const bytes = Buffer.from([type, 0, 0, 0, 0, 0]);
  bytes.writeUInt32BE(length, 2);
  return bytes;
};

test.each<[string, Buffer]>([
  ["an association request of 4 GiB", header(1, 0xffff_ffff)],
  ["an association request one byte too long", header(1, 501)],
  ["an empty association request", header(1, 0)],
  ["P-DATA-TF of 4 GiB", header(4, 0xffff_ffff)],
  ["P-DATA-TF one byte longer than announced", header(4, 1_001)],
  ["an empty P-DATA-TF", header(4, 0)],
  ["P-DATA-TF too short for a value", header(4, 5)],
  ["a release request of five bytes", header(5, 5)],
  ["an abort without a body", header(7, 0)],
  ["PDU type 0", header(0, 4)],
  ["PDU type 8", header(8, 4)],
  ["the letters GET", Buffer.from("GET / HTTP/1.1")],
  ["a value longer than its PDU", Buffer.concat([header(4, 10), Buffer.from([0, 0, 0, 7, 1, 0])])],
  ["a value without its own header", Buffer.concat([header(4, 10), Buffer.from([0, 0, 0, 1, 1, 0])])],
  ["a value of 4 GiB", Buffer.concat([header(4, 10), Buffer.from([255, 255, 255, 255, 1, 0])])],
  ["bytes after the last value", Buffer.concat([header(4, 9), Buffer.from([0, 0, 0, 3, 1, 0, 65])])],
])("%s ends the reading before anything is allocated for it", (_, bytes) => {
  expect(() => new Recorder().push(bytes)).toThrow(expect.objectContaining({ name: "PeerFault" }));
});

test("a P-DATA-TF of just the length announced is read", () => {
  const recorder = new Recorder();
  recorder.push(pData(1, 0, Buffer.alloc(994)));
  expect(recorder.fragments[0]).toHaveLength(994);
});

// Messages: the values of above put together again.

interface Heard {
  readonly seen: string[];
  readonly reader: MessageReader;
  /** One value, or a part of it; nothing to wait for. */
  readonly give: (pdv: Pdv, bytes: Uint8Array, isEnd: boolean) => void;
}

function listener(commandBytes = 1_000): Heard {
  const seen: string[] = [];
  const reader = new MessageReader(
    {
      command: (contextId, { field, messageId }) => void seen.push(`${contextId}: ${field} #${messageId}`),
      dataSetFragment: (bytes) => void seen.push(Buffer.from(bytes).toString()),
      dataSetEnd: () => void seen.push("end"),
    },
    commandBytes,
  );
  const give: Heard["give"] = (pdv, bytes, isEnd) =>
    expect(reader.fragment(pdv, bytes, isEnd)).toBeUndefined();
  return { seen, reader, give };
}

const value = (contextId: number, isCommand: boolean, isLast: boolean): Pdv => ({
  contextId,
  isCommand,
  isLast,
});

test("a command in three values and a data set in two make one message", () => {
  const { seen, reader, give } = listener();
  const command = storeRq(9, "1.2.3");
  give(value(1, true, false), command.subarray(0, 1), true);
  give(value(1, true, false), command.subarray(1, 20), true);
  give(value(1, true, true), command.subarray(20, 30), false);
  give(value(1, true, true), command.subarray(30), true);
  expect(reader.isBetweenMessages).toBe(false);
  give(value(1, false, false), Buffer.from("data"), true);
  give(value(1, false, true), Buffer.from("set"), true);
  expect(seen).toEqual(["1: 1 #9", "data", "set", "end"]);
  expect(reader.isBetweenMessages).toBe(true);
});

test("a command without a data set is a message, and the next may be on another context", () => {
  const { seen, give } = listener();
  give(value(3, true, true), echoRq(1), true);
  give(value(5, true, true), echoRq(2), true);
  expect(seen).toEqual(["3: 48 #1", "5: 48 #2"]);
});

test.each<[string, (give: Heard["give"]) => void]>([
  ["data before a command", (give) => give(value(1, false, false), Buffer.alloc(2), true)],
  [
    "a second command where the data set has to come",
    (give) => {
      give(value(1, true, true), storeRq(1, "1.2"), true);
      give(value(1, true, true), echoRq(2), true);
    },
  ],
  [
    "another context within a command",
    (give) => {
      give(value(1, true, false), Buffer.alloc(2), true);
      give(value(3, true, true), Buffer.alloc(2), true);
    },
  ],
  [
    "another context within a message",
    (give) => {
      give(value(1, true, true), storeRq(1, "1.2"), true);
      give(value(3, false, true), Buffer.alloc(2), true);
    },
  ],
  ["a command longer than the bound", (give) => give(value(1, true, false), Buffer.alloc(1_001), false)],
])("%s is a fault of the peer", (_, act) => {
  expect(() => act(listener().give)).toThrow(expect.objectContaining({ name: "PeerFault" }));
});

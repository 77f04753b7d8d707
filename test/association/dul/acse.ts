/** A: association requests, PS3.8 9.3.2 and annex D, PS3.7 D.3. */
import {
  abortPdu,
  associateRq,
  CT,
  ctContext,
  EXPLICIT,
  echoContext,
  echoRq,
  IMPLICIT,
  item,
  pData,
  pdu,
  type RawAssociate,
  type RawContext,
  RawPeer,
  releaseRq,
  uidItem,
  VERIFICATION,
} from "../../support/raw-peer.ts";
import type { Case } from "./case.ts";
import { answersOf, within } from "./conversation.ts";
import { ASSOCIATIONS, type Target } from "./target.ts";

const ABORT = "ABORT 0/0";
const BAD_CALLED = "RJ 1/1/7";
const BAD_CALLING = "RJ 1/1/3";
const SECRET = "s3cr3t-of-the-suite";

const context = (id: number, abstractSyntax = CT, transferSyntaxes = [EXPLICIT]): RawContext => ({
  id,
  abstractSyntax,
  transferSyntaxes,
});
const ask = (id: string, name: string, answer: string, options: RawAssociate): Case => ({
  id,
  name,
  sends: () => [associateRq(options)],
  answer,
});
/** A request made of these items alone, which may lie. */
const made = (id: string, name: string, answer: string, ...items: readonly Uint8Array[]): Case => ({
  id,
  name,
  sends: () => [pdu(1, fixed(), ...items)],
  answer,
});

function fixed(called = "ISOCENTER", calling = "RAW", version = 1): Buffer {
  const bytes = Buffer.alloc(68);
  bytes.writeUInt16BE(version, 0);
  bytes.write(called.padEnd(16), 4, "latin1");
  bytes.write(calling.padEnd(16), 20, "latin1");
  return bytes;
}

/** An item whose length is what it says, whatever is in it. */
function lying(type: number, length: number, bytes: Uint8Array): Buffer {
  const head = Buffer.from([type, 0, 0, 0]);
  head.writeUInt16BE(length, 2);
  return Buffer.concat([head, bytes]);
}

const name = uidItem(0x10, "1.2.840.10008.3.1.1.1");
const ctItem = item(0x20, Buffer.from([1, 0, 0, 0]), uidItem(0x30, CT), uidItem(0x40, EXPLICIT));
const maxLength = (bytes: number): Buffer => {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(bytes);
  return item(0x51, body);
};
const user = item(0x50, maxLength(16_384), uidItem(0x52, "1.2.3"));
const identity = (type: number, first: string, second = ""): Buffer => {
  const [a, b] = [Buffer.from(first), Buffer.from(second)];
  const lengths = [a, b].map(({ length }) => Buffer.from([length >> 8, length & 0xff]));
  return item(0x58, Buffer.from([type, 0]), lengths[0]!, a, lengths[1]!, b);
};
const many = (count: number): RawContext[] =>
  Array.from({ length: count }, (_, at) => context((2 * at + 1) % 256));
const noForgedLine = (target: Target): string | undefined =>
  /^forged/m.test(target.output()) ? "a line of the log was forged" : undefined;
const noSecret = (target: Target): string | undefined =>
  target.output().includes(SECRET) ? "a secret stands in the log" : undefined;

export const ACSE: readonly Case[] = [
  ask("A01", "protocol version 0", "RJ 1/2/2", { version: 0 }),
  ask("A02", "protocol version 2", "RJ 1/2/2", { version: 2 }),
  ask("A03", "protocol versions 1 and 2", "AC", { version: 3 }),
  ask("A04", "every protocol version", "AC", { version: 0xffff }),
  ask("A05", "a foreign application context", "RJ 1/1/2", { applicationContext: "1.2.840.10008.3.1.1.2" }),
  {
    ...ask("A06", "a calling AE title with a line break", BAD_CALLING, { calling: "A\nforged: line" }),
    afterwards: noForgedLine,
  },
  ask("A07", "a calling AE title with an escape sequence", BAD_CALLING, { calling: "A\x1b[2J" }),
  ask("A08", "no calling AE title", BAD_CALLING, { calling: "" }),
  ask("A09", "a calling AE title that a shell would run", "AC", { calling: "$(touch pwned)" }),
  ask("A10", "a calling AE title with a backslash", BAD_CALLING, { calling: "..\\..\\AE" }),
  ask("A11", "another called AE title", BAD_CALLED, { called: "SOMEBODY" }),
  ask("A12", "no called AE title", BAD_CALLED, { called: "" }),
  ask("A13", "the called AE title in lower case", BAD_CALLED, { called: "isocenter" }),
  ask("A14", "AE titles with leading spaces", "AC", { called: "  ISOCENTER", calling: "  RAW" }),
  ask("A15", "AE titles padded with zeros", "AC", {
    called: "ISOCENTER".padEnd(16, "\0"),
    calling: "RAW".padEnd(16, "\0"),
  }),
  ask("A16", "a calling AE title of 16 characters", "AC", { calling: "ABCDEFGHIJKLMNOP" }),
  ask("A17", "a calling AE title that is not ASCII", BAD_CALLING, { calling: "R\xd6NTGEN" }),
  made("A18", "no application context", "RJ 1/1/2", ctItem, user),
  made("A19", "the application context at the end", "AC", ctItem, user, name),
  ask("A20", "no presentation context", ABORT, { contexts: [] }),
  ask("A21", "129 presentation contexts", ABORT, { contexts: many(129) }),
  ask("A22", "128 presentation contexts", "AC", { contexts: many(128) }),
  ask("A23", "an even context id", ABORT, { contexts: [context(2)] }),
  ask("A24", "context id 0", ABORT, { contexts: [context(0)] }),
  ask("A25", "context id 1 twice", ABORT, { contexts: [context(1), context(1)] }),
  ask("A26", "context ids in descending order", "AC", { contexts: [context(5), context(3), context(1)] }),
  made("A27", "16,000 sub-items that each claim 64 KiB", ABORT, name, ctItem, lying(0x50, 64_000, claims())),
  ask("A28", "context id 255 twice", ABORT, { contexts: [context(255), context(255)] }),
  made(
    "A29",
    "a context without abstract syntax",
    ABORT,
    name,
    item(0x20, Buffer.from([1, 0, 0, 0]), uidItem(0x40, EXPLICIT)),
    user,
  ),
  ask("A30", "a context without transfer syntax", "AC", { contexts: [context(1, CT, []), echoContext] }),
  made("A31", "a context item of two bytes", ABORT, name, item(0x20, Buffer.from([1, 0])), user),
  ask("A32", "an unknown abstract syntax beside a known one", "AC", {
    contexts: [context(1, "1.2.3.4"), echoContext],
  }),
  ask("A33", "an unknown transfer syntax beside a known one", "AC", {
    contexts: [context(1, CT, ["1.2.3.4", EXPLICIT])],
  }),
  ask("A34", "nothing that is known", "AC", { contexts: [context(1, "1.2.3.4", ["1.2.3.5"])] }),
  ask("A35", "an empty abstract syntax", "AC", { contexts: [context(1, ""), echoContext] }),
  ask("A36", "an abstract syntax of 5,000 characters", "AC", {
    contexts: [context(1, "1".repeat(5_000)), echoContext],
  }),
  ask("A37", "an empty transfer syntax", "AC", { contexts: [context(1, CT, [""]), echoContext] }),
  ask("A38", "a thousand transfer syntaxes", "AC", {
    contexts: [context(1, CT, [...Array<string>(1_000).fill("1.2.3.4"), EXPLICIT])],
  }),
  made("A39", "an item longer than the request", ABORT, name, lying(0x20, 5_000, Buffer.alloc(40))),
  made("A40", "a sub-item longer than its item", ABORT, name, badSubItem(), user),
  made("A41", "items nobody knows", "AC", name, item(0x99, Buffer.alloc(50)), ctItem, user, item(0x11)),
  ask("A42", "user items nobody knows", "AC", { user: [item(0x5f, Buffer.alloc(900)), item(0xff)] }),
  {
    ...ask("A43", "an implementation version with line breaks", "AC", {
      user: [item(0x55, Buffer.from("A\r\nforged: line"))],
    }),
    afterwards: noForgedLine,
  },
  ask("A44", "maximum length 0: no limit", "AC", { maxLength: 0 }),
  ask("A45", "maximum length 1", "RJ 1/1/1", { maxLength: 1 }),
  ask("A46", "maximum length 6", "RJ 1/1/1", { maxLength: 6 }),
  ask("A47", "maximum length 4 GiB", "AC", { maxLength: 0xffffffff }),
  made("A48", "a maximum length of two bytes", ABORT, name, ctItem, item(0x50, item(0x51, Buffer.alloc(2)))),
  {
    ...ask("A49", "a user name", "AC", { user: [identity(1, "nobody")] }),
    afterwards: noSecret,
  },
  {
    ...ask("A50", "a user name and a passcode", "AC", { user: [identity(2, "nobody", SECRET)] }),
    afterwards: noSecret,
  },
  {
    ...ask("A51", "a token of 30 KB", "AC", { user: [identity(5, SECRET + "x".repeat(30_000))] }),
    afterwards: noSecret,
  },
  ask("A52", "an unlimited asynchronous window", "AC", { user: [item(0x53, Buffer.alloc(4))] }),
  ask("A53", "role selection", "AC", {
    user: [item(0x54, Buffer.from([0, CT.length]), Buffer.from(CT), Buffer.from([1, 1]))],
  }),
  ask("A54", "role selection whose length lies", ABORT, {
    user: [item(0x54, Buffer.from([0xff, 0xff]), Buffer.from(CT))],
  }),
  made("A55", "no user information", "AC", name, ctItem),
  ask("A56", "extended negotiation that means nothing", "AC", {
    user: [item(0x56, Buffer.from([0xff, 0xff, 1])), item(0x57, Buffer.alloc(3))],
  }),
  {
    id: "A57",
    name: "200 associations, each aborted",
    sends: () => [],
    answer: "AC",
    play: hundreds(abortPdu),
  },
  {
    id: "A58",
    name: "200 requests that are malformed",
    sends: () => [],
    answer: ABORT,
    play: repeated(() => associateRq({ contexts: [context(2)] })),
  },
  {
    id: "A59",
    name: "more associations than are served",
    sends: () => [],
    answer: "RJ 2/3/2",
    play: surplus,
  },
  {
    id: "A60",
    name: "200 associations, each released",
    sends: () => [],
    answer: "AC",
    play: hundreds(releaseRq),
  },
];

function claims(): Buffer {
  return Buffer.concat(Array.from({ length: 16_000 }, () => Buffer.from([0x51, 0, 0xff, 0xff])));
}

function badSubItem(): Buffer {
  return item(0x20, Buffer.from([1, 0, 0, 0]), lying(0x30, 300, Buffer.from(VERIFICATION)));
}

function hundreds(end: Uint8Array): (target: Target) => Promise<string> {
  return async ({ port, patienceMs }) => {
    let seen = "";
    for (let at = 0; at < 200; at += 1) {
      const peer = await RawPeer.connect(port);
      peer.send(associateRq());
      seen = await answersOf(peer, 1, patienceMs);
      peer.send(end);
      // The end, or the answer to the release.
      if (seen === "AC" && (await within(peer.next(), patienceMs)) === "late") seen = "silence";
      peer.destroy();
      if (seen !== "AC") break;
    }
    return seen;
  };
}

function repeated(bytes: () => Uint8Array): (target: Target) => Promise<string> {
  return async ({ port, patienceMs }) => {
    const seen = new Set<string>();
    for (let at = 0; at < 200 && !seen.has("silence"); at += 1) {
      const peer = await RawPeer.connect(port);
      peer.send(bytes());
      seen.add(await answersOf(peer, 1, patienceMs));
      peer.destroy();
    }
    return [...seen].join(" or ");
  };
}

/** All that are served stay served; the one too many is told to come later, and is taken when one has left. */
async function surplus({ port }: Target): Promise<string> {
  const peers: RawPeer[] = [];
  const ask = async (): Promise<{ readonly peer: RawPeer; readonly seen: string }> => {
    const peer = await RawPeer.connect(port);
    peers.push(peer);
    peer.send(associateRq({ contexts: [ctContext, { ...echoContext, transferSyntaxes: [IMPLICIT] }] }));
    return { peer, seen: await answersOf(peer, 1) };
  };
  try {
    const served = [];
    for (let at = 0; at < ASSOCIATIONS; at += 1) served.push(await ask());
    if (served.some(({ seen }) => seen !== "AC")) return served.map(({ seen }) => seen).join();
    const late = await Promise.all(Array.from({ length: 30 }, () => ask()));
    const answers = new Set(late.map(({ seen }) => seen));
    for (const { peer } of served) peer.send(pData(3, 3, echoRq(1)));
    const echoes = await Promise.all(served.map(({ peer }) => answersOf(peer, 1)));
    if (echoes.some((seen) => seen !== "RSP 0000")) return `those served were disturbed: ${echoes.join()}`;
    served[0]?.peer.send(releaseRq);
    await served[0]?.peer.closed;
    const { seen } = await ask();
    return seen === "AC" ? [...answers].join(" or ") : `none was let in after one had left: ${seen}`;
  } finally {
    for (const peer of peers) peer.destroy();
  }
}

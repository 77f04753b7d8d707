/** S: C-STORE of what is no image, lies, goes too deep or is too long; and of what is odd but right. */
import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import {
  DEFLATED,
  explicit,
  IMPLICIT,
  implicit,
  item,
  openItem,
  openSequence,
  seeded,
  UNDEFINED,
  u16,
} from "../../support/bytes.ts";
import { associateRq, CT, ctContext, pData, releaseRq, storeRq } from "../../support/raw-peer.ts";
import type { Case } from "./case.ts";
import { element, imageOf, stores, storing, uidOf } from "./images.ts";
import { INSTANCE_LIMIT_MIB } from "./target.ts";

const SUCCESS = "RSP 0000";
const NOT_UNDERSTOOD = "RSP C000";
const MISMATCH = "RSP A900";
const BAD_UID = "RSP 0117";
const JPEG_BASELINE = "1.2.840.10008.1.2.4.50";
const MIB = 1024 * 1024;

/** A C-STORE whose command names this instance, whatever the data set says. */
const named = (id: string, name: string, uid: string, answer = BAD_UID): Case => ({
  id,
  name,
  opening: associateRq(),
  sends: () => storing(uid, imageOf(id, { "00080018": element("00080018", uid) })),
  answer,
  ...(answer === SUCCESS && { keeps: 1 }),
});
/** One image in another transfer syntax. */
const coded = (
  id: string,
  name: string,
  syntax: string,
  answer: string,
  dataSet: () => Uint8Array,
): Case => ({
  ...stores(id, name, answer, dataSet),
  opening: associateRq({ contexts: [{ ...ctContext, transferSyntaxes: [syntax] }] }),
});
const pixels = (vr: string, value: Uint8Array | string, length?: number): Record<string, Uint8Array> => ({
  "7fe00010": explicit("7fe00010", vr, value, length),
});
const noise = (bytes: number): Buffer => {
  const random = seeded(bytes);
  return Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
};
const fragments = (...items: readonly Uint8Array[]): Buffer =>
  Buffer.concat([explicit("7fe00010", "OB", "", UNDEFINED), ...items, implicit("fffee0dd", "")]);
const fragment = (bytes: Uint8Array, length?: number): Buffer =>
  implicit("fffee000", Buffer.from(bytes), length);
const withSequence = (id: string, sequence: Uint8Array, tag = "00081140"): Buffer =>
  imageOf(id, { [tag]: sequence });

/** Sequences in sequences, without lengths, in explicit VR. */
function openNest(depth: number, tag = "00081140"): Buffer {
  const begin = Buffer.concat([explicit(tag, "SQ", "", UNDEFINED), implicit("fffee000", "", UNDEFINED)]);
  const end = Buffer.concat([implicit("fffee00d", ""), implicit("fffee0dd", "")]);
  return Buffer.concat([...Array<Buffer>(depth).fill(begin), ...Array<Buffer>(depth).fill(end)]);
}

/** The same with lengths. */
function closedNest(depth: number, tag = "00081140"): Buffer {
  const heads: Buffer[] = [];
  for (let inside = 0; heads.length < depth; inside += 20) {
    heads.push(Buffer.concat([explicit(tag, "SQ", "", inside + 8), implicit("fffee000", "", inside)]));
  }
  return Buffer.concat(heads.reverse());
}

function implicitImage(id: string): Buffer {
  return Buffer.concat([
    implicit("00080016", `${CT}\0`),
    implicit("00080018", element("00080018", uidOf(id)).subarray(8)),
    implicit("00080060", "CT"),
    implicit("0020000d", "1.2.3.4\0"),
    implicit("0020000e", "1.2.3.4.5\0"),
    implicit("00280010", u16(2)),
    implicit("7fe00010", u16(1, 2, 3)),
  ]);
}

function bomb(id: string): Buffer {
  return deflateRawSync(imageOf(id, pixels("OW", new Uint8Array((INSTANCE_LIMIT_MIB + 8) * MIB))));
}

export const STORAGE: readonly Case[] = [
  stores("S01", "an image", SUCCESS, () => imageOf("S01")),
  stores("S02", "an image of 32 MiB", SUCCESS, () => imageOf("S02", pixels("OW", new Uint8Array(32 * MIB)))),
  coded("S03", "an image in implicit VR", IMPLICIT, SUCCESS, () => implicitImage("S03")),
  coded("S04", "a deflated image", DEFLATED, SUCCESS, () => deflateRawSync(imageOf("S04"))),
  coded("S05", "a compressed image", JPEG_BASELINE, SUCCESS, () =>
    imageOf("S05", { "7fe00010": fragments(item(), fragment(noise(5_000))) }),
  ),
  {
    ...stores("S06", "the same image twice", `${SUCCESS}, ${SUCCESS}`, () => Buffer.alloc(0)),
    sends: () => [...storing(uidOf("S06"), imageOf("S06")), ...storing(uidOf("S06"), imageOf("S06"))],
    keeps: 1,
  },
  {
    ...stores("S07", "ten images sent ahead", Array<string>(10).fill(SUCCESS).join(", "), () =>
      Buffer.alloc(0),
    ),
    sends: function* () {
      for (let which = 0; which < 10; which += 1)
        yield* storing(uidOf("S07", which), imageOf("S07", {}, which), { messageId: which + 1 });
    },
    keeps: 10,
  },
  {
    ...stores("S08", "a bad image between two good ones", `${SUCCESS}, ${NOT_UNDERSTOOD}, ${SUCCESS}`, () =>
      Buffer.alloc(0),
    ),
    sends: () => [
      ...storing(uidOf("S08", 1), imageOf("S08", {}, 1)),
      ...storing(uidOf("S08", 2), noise(3_000)),
      ...storing(uidOf("S08", 3), imageOf("S08", {}, 3)),
    ],
    keeps: 2,
  },
  stores("S09", "an empty data set", NOT_UNDERSTOOD, () => new Uint8Array(0)),
  {
    ...stores("S10", "a C-STORE without a data set", NOT_UNDERSTOOD, () => new Uint8Array(0)),
    sends: () => [pData(1, 3, storeRq(1, uidOf("S10"), { dataSetType: 0x101 }))],
  },
  stores("S11", "no SOP Instance UID", NOT_UNDERSTOOD, () => imageOf("S11", { "00080018": "" })),
  stores("S12", "no Study Instance UID", NOT_UNDERSTOOD, () => imageOf("S12", { "0020000d": "" })),
  stores("S13", "no SOP Class UID", NOT_UNDERSTOOD, () => imageOf("S13", { "00080016": "" })),
  named("S14", "a UID that climbs", "../../../../tmp/isocenter-canary"),
  named("S15", "a UID that is a path", "/tmp/isocenter-canary"),
  named("S16", "a UID with a zero and a path behind it", "1.2\0/../../tmp/isocenter-canary"),
  named("S17", "a UID of 65 characters", `1.${"2".repeat(63)}`),
  named("S18", "a UID with an empty component", "1..2"),
  named("S19", "a UID with other characters", "1.2.*.\xb2"),
  stores("S20", "another SOP Instance UID than in the command", MISMATCH, () => imageOf("S19")),
  stores("S21", "another SOP Class UID than in the command", MISMATCH, () =>
    imageOf("S21", { "00080016": element("00080016", "1.2.840.10008.5.1.4.1.1.4") }),
  ),
  {
    ...stores("S22", "another SOP Class UID than on the context", "RSP 0122", () => imageOf("S22")),
    sends: () => storing(uidOf("S22"), imageOf("S22"), { classUid: "1.2.840.10008.5.1.4.1.1.4" }),
  },
  stores("S23", "a value longer than the data set", NOT_UNDERSTOOD, () =>
    imageOf("S23", pixels("OW", u16(1, 2), 400)),
  ),
  stores("S24", "a data set cut within an element", NOT_UNDERSTOOD, () => imageOf("S24").subarray(0, -5)),
  stores("S25", "pixels of 4 GB that are not there", NOT_UNDERSTOOD, () =>
    imageOf("S25", pixels("OW", u16(1), 0xfffffffe)),
  ),
  stores("S26", "undefined length of a text", NOT_UNDERSTOOD, () =>
    imageOf("S26", { "00104000": explicit("00104000", "UT", "abcd", UNDEFINED) }),
  ),
  stores("S27", "sequences 300 deep", NOT_UNDERSTOOD, () => withSequence("S27", openNest(300))),
  stores("S28", "sequences 100,000 deep", NOT_UNDERSTOOD, () => withSequence("S28", openNest(100_000))),
  stores("S29", "sequences 300 deep that say their lengths", NOT_UNDERSTOOD, () =>
    withSequence("S29", closedNest(300)),
  ),
  stores("S30", "delimiters without a sequence", NOT_UNDERSTOOD, () =>
    imageOf("S30", { "00100020": Buffer.concat([implicit("fffee00d", ""), implicit("fffee0dd", "")]) }),
  ),
  stores("S31", "a sequence that never ends", NOT_UNDERSTOOD, () =>
    imageOf("S31", { "00081140": explicit("00081140", "SQ", openItem(), UNDEFINED), ...pixels("OW", "") }),
  ),
  stores("S32", "four thousand million rows", SUCCESS, () =>
    imageOf("S32", {
      "00280008": explicit("00280008", "IS", "2147483647"),
      "00280010": explicit("00280010", "UL", Buffer.alloc(4, 0xff)),
    }),
  ),
  coded("S33", "a fragment longer than the rest", JPEG_BASELINE, NOT_UNDERSTOOD, () =>
    imageOf("S33", { "7fe00010": fragments(item(), fragment(noise(50), 50_000)) }),
  ),
  coded("S34", "fragments without an end", JPEG_BASELINE, NOT_UNDERSTOOD, () =>
    imageOf("S34", { "7fe00010": fragments(item(), fragment(noise(50))).subarray(0, -8) }),
  ),
  coded("S35", "a deflated image that grows beyond the limit", DEFLATED, NOT_UNDERSTOOD, () => bomb("S35")),
  coded("S36", "a deflated image that is cut", DEFLATED, NOT_UNDERSTOOD, () =>
    deflateRawSync(imageOf("S36", pixels("OW", noise(50_000)))).subarray(0, -9_000),
  ),
  coded("S37", "a deflated image that is not deflated", DEFLATED, NOT_UNDERSTOOD, () => imageOf("S37")),
  coded("S38", "a hundred thousand empty fragments", JPEG_BASELINE, SUCCESS, () =>
    imageOf("S38", { "7fe00010": fragments(...Array<Buffer>(100_000).fill(item())) }),
  ),
  stores("S39", "random bytes", NOT_UNDERSTOOD, () => noise(3_000)),
  stores("S40", "a text", NOT_UNDERSTOOD, () => Buffer.from("This is no image. ".repeat(500))),
  stores("S41", "a hundred thousand private elements", SUCCESS, () => privateElements("S41", 100_000)),
  coded("S42", "a text of 1 MB", IMPLICIT, SUCCESS, () =>
    Buffer.concat([implicitImage("S42").subarray(0, -14), implicit("40000010", "x".repeat(MIB))]),
  ),
  stores("S43", "padding behind the pixels", SUCCESS, () =>
    Buffer.concat([imageOf("S43"), explicit("fffcfffc", "OB", Buffer.alloc(10_000))]),
  ),
  {
    ...stores("S44", "a release within the data set", "ABORT 2/2", () => new Uint8Array(0)),
    sends: () => [pData(1, 3, storeRq(1, uidOf("S44"))), pData(1, 0, imageOf("S44")), releaseRq],
  },
  {
    ...stores("S45", "a name with line breaks and escapes", SUCCESS, () =>
      imageOf("S45", { "00100010": explicit("00100010", "PN", "A^B\r\nforged: line\x1b[2J") }),
    ),
    afterwards: ({ output }) => (/^forged/m.test(output()) ? "a line of the log was forged" : undefined),
  },
  stores("S46", "group lengths", SUCCESS, () =>
    imageOf("S46", {
      "00080000": explicit("00080000", "UL", Buffer.alloc(4, 0xee)),
      "00280000": explicit("00280000", "UL", Buffer.alloc(4)),
    }),
  ),
  stores("S47", "sequences 256 deep", SUCCESS, () => withSequence("S47", openNest(256))),
  stores("S48", "an item longer than its sequence", NOT_UNDERSTOOD, () =>
    withSequence("S48", explicit("00081140", "SQ", implicit("fffee000", "", 40), 8)),
  ),
  stores("S49", "sequences without items, and items without elements", SUCCESS, () =>
    imageOf("S49", {
      "00081110": explicit("00081110", "SQ", ""),
      "00081111": openSequence("00081111"),
      "00081140": openSequence("00081140", item(), openItem()),
    }),
  ),
  stores("S50", "a representation that is none", NOT_UNDERSTOOD, () =>
    imageOf("S50", { "00100010": explicit("00100010", "??", "ab") }),
  ),
  stores("S51", "an image longer than the limit", "RSP A700", () =>
    imageOf("S51", pixels("OW", new Uint8Array((INSTANCE_LIMIT_MIB + 1) * MIB))),
  ),
  named("S52", "a UID padded with a space", `${uidOf("S52")}.1 `, SUCCESS),
  stores("S53", "a whole file where a data set belongs", NOT_UNDERSTOOD, () =>
    Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), imageOf("S53")]),
  ),
  stores("S54", "sequences 300 deep in a private one", NOT_UNDERSTOOD, () =>
    withSequence("S54", openNest(300, "00091010"), "00091010"),
  ),
  stores("S55", "sequences 100,000 deep that say their lengths, behind 1 MB", NOT_UNDERSTOOD, () =>
    imageOf("S55", {
      "00091011": explicit("00091011", "OB", noise(1_000_000)),
      "00400555": closedNest(100_000),
    }),
  ),
  stores("S56", "an element longer than the item it lies in", NOT_UNDERSTOOD, () =>
    withSequence(
      "S56",
      openSequence("00081140", implicit("fffee000", explicit("00081155", "UI", "1.2.3", 60))),
    ),
  ),
  stores("S57", "two SOP Instance UIDs in one value", NOT_UNDERSTOOD, () =>
    imageOf("S57", { "00080018": element("00080018", `${uidOf("S57")}\\${uidOf("S57", 1)}`) }),
  ),
  stores("S58", "a UID that climbs, in the data set alone", NOT_UNDERSTOOD, () =>
    imageOf("S58", { "0020000d": element("0020000d", "../../tmp/isocenter-canary") }),
  ),
  coded("S59", "a deflated image with much behind it", DEFLATED, NOT_UNDERSTOOD, () =>
    Buffer.concat([deflateRawSync(imageOf("S59")), noise(1_000)]),
  ),
  coded("S60", "explicit VR where implicit was agreed", IMPLICIT, NOT_UNDERSTOOD, () => imageOf("S60")),
];

function privateElements(id: string, count: number): Buffer {
  const elements = Array.from({ length: count }, (_, at) =>
    explicit(`0009${(0x1000 + (at % 0xefff)).toString(16)}`, "LO", "private "),
  );
  return imageOf(id, { "00090010": Buffer.concat([explicit("00090010", "LO", "NOBODY"), ...elements]) });
}

/** What bad UIDs would have written, had they been taken for names. */
export function canary(): boolean {
  try {
    readFileSync("/tmp/isocenter-canary");
    return true;
  } catch {
    return false;
  }
}

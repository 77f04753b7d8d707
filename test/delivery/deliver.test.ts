import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { NodeError } from "../../src/base/errors.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import {
  type Associate,
  type Association,
  createCourier,
  type Destination,
} from "../../src/delivery/deliver.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { readDataSetHead } from "../../src/dicom/part10.ts";
import { type InstanceUid, parseUid } from "../../src/dicom/uid.ts";
import { ctImage, EXPLICIT, explicit, file } from "../support/bytes.ts";
import { HandClock } from "../support/clock.ts";
import { dataFiles, testWithData } from "../support/data.ts";
import { tempFolder } from "../support/temp.ts";

const { EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS } = TRANSFER_SYNTAX;

const PACS: Destination = {
  name: "pacs",
  aeTitle: parseAeTitle("PACS")!,
  callingAeTitle: parseAeTitle("ISOCENTER")!,
  host: "127.0.0.1",
  port: 104,
  segmentation: { as: "binary", compression: "none" },
  storageCommitment: false,
  retryForMs: 1000,
  connectTimeoutMs: 1000,
  answerTimeoutMs: 1000,
};

/** Stands for the outside: a PACS that answers as it is told, and remembers what it got. */
class Pacs {
  readonly received: { readonly uid: string; readonly syntax: string; readonly bytes: Buffer }[] = [];
  readonly said: string[] = [];
  status: number | Error = 0;
  accepts: (abstractSyntax: string, transferSyntax: string) => boolean = (_, syntax) =>
    syntax !== TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN;
  releaseFails = false;
  isFlushed = true;
  dies = false;

  readonly associate: Associate = async (destination, context, { signal }) => {
    const { abstractSyntax, transferSyntaxes } = context;
    signal.throwIfAborted();
    this.said.push(
      `associate ${destination.name} ${abstractSyntax === SOP_CLASS.SEGMENTATION ? "SEG" : "CT"}`,
    );
    const open = { now: true };
    const taken = new Set(transferSyntaxes.filter((syntax) => this.accepts(abstractSyntax, syntax)));
    const association: Association = {
      get isOpen() {
        return open.now;
      },
      isFlushed: this.isFlushed,
      accepted: (asked, syntax) => asked === abstractSyntax && taken.has(syntax),
      store: async (instance) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of instance.dataSet) {
          chunks.push(chunk);
          if (this.dies) break;
        }
        if (this.dies) {
          open.now = false;
          throw new NodeError("STORE_UNANSWERED", "Destination pacs: connection lost");
        }
        if (this.status instanceof Error) throw this.status;
        this.received.push({
          uid: instance.sopInstanceUid,
          syntax: instance.transferSyntaxUid,
          bytes: Buffer.concat(chunks),
        });
        return { status: this.status };
      },
      [Symbol.asyncDispose]: async () => {
        this.said.push("release");
        open.now = false;
        if (this.releaseFails) throw new NodeError("ASSOCIATION_FAILED", "no answer to the release");
      },
    };
    return association;
  };
}

const { signal } = new AbortController();
const pool = new WorkerPool(1);
afterAll(() => pool[Symbol.asyncDispose]());

async function parcel(folder: string, number: number, bytes: Uint8Array = file(EXPLICIT, ctImage())) {
  const path = join(folder, `${number}.dcm`);
  await writeFile(path, bytes);
  return {
    files: [{ path, transferSyntaxUid: TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN }],
    sopClassUid: SOP_CLASS.SEGMENTATION,
    sopInstanceUid: parseUid<InstanceUid>(`1.2.${number}`)!,
  };
}

function couriered(pacs: Pacs, log: Log = silentLog) {
  const clock = new HandClock();
  return { clock, courier: createCourier(pacs.associate, { log, clock, pool }) };
}

test("the data set leaves as it lies in the file, and the status comes back", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  pacs.status = 0xb007;
  await using courier = couriered(pacs).courier;
  const dataSet = ctImage({ "7fe00010": explicit("7fe00010", "OW", Buffer.alloc(1_000_000, 7)) });
  expect(await courier.send(PACS, await parcel(folder.path, 1, file(EXPLICIT, dataSet)), { signal })).toEqual(
    { status: 0xb007, transferSyntaxUid: TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN },
  );
  expect(pacs.received.map(({ uid }) => uid)).toEqual(["1.2.1"]);
  expect(pacs.received[0]?.bytes.equals(dataSet)).toBe(true);
});

test("one association carries one parcel after the other, and is released when nothing came for two seconds", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  const { clock, courier } = couriered(pacs);
  for (let number = 1; number <= 3; number++) {
    await courier.send(PACS, await parcel(folder.path, number), { signal });
    clock.advance(1999);
  }
  expect(pacs.said).toEqual(["associate pacs SEG"]);
  clock.advance(1);
  expect(pacs.said).toEqual(["associate pacs SEG", "release"]);
  await courier.send(PACS, await parcel(folder.path, 4), { signal });
  expect(pacs.said).toEqual(["associate pacs SEG", "release", "associate pacs SEG"]);
  await courier[Symbol.asyncDispose]();
  expect(pacs.said.at(-1)).toBe("release");
  expect(clock.pending).toBe(0);
});

// More than two chunks each, so that the memory of one is used again for the next.
test.each([true, false])(
  "large parcels leave as they lie in their files, flushed at once: %s",
  async (isFlushed) => {
    await using folder = await tempFolder();
    const pacs = new Pacs();
    pacs.isFlushed = isFlushed;
    await using courier = couriered(pacs).courier;
    const dataSets = [1, 2, 3, 4].map((fill) =>
      ctImage({ "7fe00010": explicit("7fe00010", "OW", Buffer.alloc(1_300_000 + 2 * fill, fill)) }),
    );
    const parcels = await Promise.all(
      dataSets.map((dataSet, at) => parcel(folder.path, at, file(EXPLICIT, dataSet))),
    );
    await Promise.all(parcels.map((one) => courier.send(PACS, one, { signal })));
    expect(pacs.received.map(({ uid }) => uid)).toEqual(["1.2.0", "1.2.1", "1.2.2", "1.2.3"]);
    for (const [at, { bytes }] of pacs.received.entries()) expect(bytes.equals(dataSets[at]!)).toBe(true);
  },
);

test("each destination has an association of its own", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  await using courier = couriered(pacs).courier;
  const archive = { ...PACS, name: "archive" };
  await Promise.all([
    courier.send(PACS, await parcel(folder.path, 1), { signal }),
    courier.send(archive, await parcel(folder.path, 2), { signal }),
  ]);
  expect(pacs.said.toSorted()).toEqual(["associate archive SEG", "associate pacs SEG"]);
});

test("an association that cannot carry the next object is released, and another one asked for", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  await using courier = couriered(pacs).courier;
  await courier.send(PACS, await parcel(folder.path, 1), { signal });
  const image = { ...(await parcel(folder.path, 2)), sopClassUid: SOP_CLASS.CT_IMAGE };
  await courier.send(PACS, image, { signal });
  expect(pacs.said).toEqual(["associate pacs SEG", "release", "associate pacs CT"]);
});

test("a destination that does not take the object is told apart, and its association does not stay open", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  pacs.accepts = () => false;
  const { clock, courier } = couriered(pacs);
  await expect(courier.send(PACS, await parcel(folder.path, 1), { signal })).rejects.toMatchObject({
    code: "CONTEXT_REFUSED",
    failure: "permanent",
  });
  expect(pacs.received).toEqual([]);
  clock.advance(2000);
  expect(pacs.said).toEqual(["associate pacs SEG", "release"]);
  await courier[Symbol.asyncDispose]();
});

// The same object twice: compressed and not. The peer decides which of the two leaves.
test.each([
  ["the compressed one, where it is taken", [RLE_LOSSLESS, EXPLICIT_VR_LITTLE_ENDIAN], RLE_LOSSLESS],
  ["the native one, where the compressed is refused", [EXPLICIT_VR_LITTLE_ENDIAN], EXPLICIT_VR_LITTLE_ENDIAN],
])("of two files of an object leaves %s", async (_, taken, sent) => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  pacs.accepts = (__, syntax) => taken.some((one) => one === syntax);
  await using courier = couriered(pacs).courier;
  const dataSets = [ctImage({ "00080008": explicit("00080008", "CS", "RLE ") }), ctImage()];
  const [rle, native] = await Promise.all(
    dataSets.map((dataSet, at) => parcel(folder.path, at + 1, file(EXPLICIT, dataSet))),
  );
  const files = [{ ...rle!.files[0]!, transferSyntaxUid: RLE_LOSSLESS }, native!.files[0]!];
  const answer = await courier.send(PACS, { ...native!, files }, { signal });
  expect(answer).toEqual({ status: 0, transferSyntaxUid: sent });
  expect(pacs.received[0]).toMatchObject({ syntax: sent });
  expect(pacs.received[0]?.bytes.equals(dataSets[sent === RLE_LOSSLESS ? 0 : 1]!)).toBe(true);
});

test("a peer that takes implicit VR only gets the same elements and the same pixels", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  pacs.accepts = (_, syntax) => syntax === IMPLICIT_VR_LITTLE_ENDIAN;
  await using courier = couriered(pacs).courier;
  const pixels = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => (at * 7) % 251));
  const dataSet = ctImage({
    "00080008": explicit("00080008", "CS", "ORIGINAL\\PRIMARY"),
    "7fe00010": explicit("7fe00010", "OW", pixels),
  });
  const one = await parcel(folder.path, 1, file(EXPLICIT, dataSet));
  expect(await courier.send(PACS, one, { signal })).toEqual({
    status: 0,
    transferSyntaxUid: IMPLICIT_VR_LITTLE_ENDIAN,
  });
  const { bytes } = pacs.received[0]!;
  expect(bytes.subarray(-pixels.length).equals(pixels)).toBe(true);
  const sent = readDataSetHead(bytes, IMPLICIT_VR_LITTLE_ENDIAN, { isPrefix: false });
  const kept = readDataSetHead(dataSet, EXPLICIT_VR_LITTLE_ENDIAN, { isPrefix: false });
  expect(sent).toEqual(kept);
  expect(sent?.elements.size).toBeGreaterThan(10);
});

test("after a lost connection the next parcel asks for a new association", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  await using courier = couriered(pacs).courier;
  pacs.dies = true;
  await expect(courier.send(PACS, await parcel(folder.path, 1), { signal })).rejects.toMatchObject({
    code: "STORE_UNANSWERED",
  });
  pacs.dies = false;
  expect(await courier.send(PACS, await parcel(folder.path, 1), { signal })).toMatchObject({ status: 0 });
  expect(pacs.said.filter((said) => said.startsWith("associate"))).toHaveLength(2);
});

test("a release that fails is noted and harms nobody", async () => {
  await using folder = await tempFolder();
  const noted: string[] = [];
  const pacs = new Pacs();
  pacs.releaseFails = true;
  const { clock, courier } = couriered(pacs, { ...silentLog, debug: (event) => void noted.push(event) });
  await courier.send(PACS, await parcel(folder.path, 1), { signal });
  clock.advance(2000);
  await expect.poll(() => noted).toEqual(["delivery.release-failed"]);
  expect(await courier.send(PACS, await parcel(folder.path, 2), { signal })).toMatchObject({ status: 0 });
  await courier[Symbol.asyncDispose]();
});

test.each([
  ["is gone", undefined, "STORAGE_FAILED"],
  ["is no DICOM file", Buffer.alloc(4000), "DATA_SET_INVALID"],
  ["is empty", Buffer.alloc(0), "DATA_SET_INVALID"],
])("a file that %s is an error with a code, and no association is asked for", async (_, bytes, code) => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  await using courier = couriered(pacs).courier;
  const one = await parcel(folder.path, 1, bytes);
  const [file] = one.files;
  const files = bytes ? one.files : [{ ...file!, path: join(folder.path, "gone.dcm") }];
  await expect(courier.send(PACS, { ...one, files }, { signal })).rejects.toMatchObject({ code });
  expect(pacs.said).toEqual([]);
});

test("the signal ends the waiting for an association", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  await using courier = couriered(pacs).courier;
  const stopping = AbortSignal.abort(new Error("The node is stopping"));
  await expect(courier.send(PACS, await parcel(folder.path, 1), { signal: stopping })).rejects.toThrow(
    "stopping",
  );
});

const withData = testWithData();

withData("files of every transfer syntax leave byte for byte", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  await using courier = couriered(pacs).courier;
  const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  for (const [at, path] of dataFiles("transfer-syntax", "ct-one-image-all-syntaxes").entries()) {
    const bytes = readFileSync(path);
    const one = await parcel(folder.path, at, bytes);
    await courier.send(PACS, { ...one, files: [{ ...one.files[0]!, path }] }, { signal });
    // What comes behind group 0002 is the data set: its length stands in (0002,0000).
    const dataSet = bytes.subarray(144 + bytes.readUInt32LE(140));
    expect(digest(pacs.received.at(-1)!.bytes), path).toBe(digest(dataSet));
  }
  expect(pacs.received.length).toBe(14);
});

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { NodeError } from "../../src/base/errors.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import {
  type Associate,
  type Association,
  createCourier,
  type Destination,
} from "../../src/delivery/deliver.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { SOP_CLASS } from "../../src/dicom/constants.ts";
import { type InstanceUid, parseUid } from "../../src/dicom/uid.ts";
import { ctImage, EXPLICIT, explicit, file } from "../support/bytes.ts";
import { HandClock } from "../support/clock.ts";
import { dataFiles, testWithData } from "../support/data.ts";
import { tempFolder } from "../support/temp.ts";

const PACS: Destination = {
  name: "pacs",
  aeTitle: parseAeTitle("PACS")!,
  callingAeTitle: parseAeTitle("ISOCENTER")!,
  host: "127.0.0.1",
  port: 104,
  retryForMs: 1000,
  connectTimeoutMs: 1000,
  answerTimeoutMs: 1000,
};

/** Stands for the outside: a PACS that answers as it is told, and remembers what it got. */
class Pacs {
  readonly received: { readonly uid: string; readonly bytes: Buffer }[] = [];
  readonly said: string[] = [];
  status: number | Error = 0;
  accepts: (abstractSyntax: string) => boolean = () => true;
  releaseFails = false;
  dies = false;

  readonly associate: Associate = async (destination, { abstractSyntax }, { signal }) => {
    signal.throwIfAborted();
    this.said.push(
      `associate ${destination.name} ${abstractSyntax === SOP_CLASS.SEGMENTATION ? "SEG" : "CT"}`,
    );
    const open = { now: true };
    const taken = this.accepts(abstractSyntax) ? abstractSyntax : undefined;
    const association: Association = {
      get isOpen() {
        return open.now;
      },
      accepted: (asked) => asked === taken,
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
        this.received.push({ uid: instance.sopInstanceUid, bytes: Buffer.concat(chunks) });
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

async function parcel(folder: string, number: number, bytes: Uint8Array = file(EXPLICIT, ctImage())) {
  const path = join(folder, `${number}.dcm`);
  await writeFile(path, bytes);
  return {
    path,
    sopClassUid: SOP_CLASS.SEGMENTATION,
    sopInstanceUid: parseUid<InstanceUid>(`1.2.${number}`)!,
  };
}

function couriered(pacs: Pacs, log: Log = silentLog) {
  const clock = new HandClock();
  return { clock, courier: createCourier(pacs.associate, { log, clock }) };
}

test("the data set leaves as it lies in the file, and the status comes back", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  pacs.status = 0xb007;
  await using courier = couriered(pacs).courier;
  const dataSet = ctImage({ "7fe00010": explicit("7fe00010", "OW", Buffer.alloc(1_000_000, 7)) });
  expect(await courier.send(PACS, await parcel(folder.path, 1, file(EXPLICIT, dataSet)), { signal })).toBe(
    0xb007,
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

test("after a lost connection the next parcel asks for a new association", async () => {
  await using folder = await tempFolder();
  const pacs = new Pacs();
  await using courier = couriered(pacs).courier;
  pacs.dies = true;
  await expect(courier.send(PACS, await parcel(folder.path, 1), { signal })).rejects.toMatchObject({
    code: "STORE_UNANSWERED",
  });
  pacs.dies = false;
  expect(await courier.send(PACS, await parcel(folder.path, 1), { signal })).toBe(0);
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
  expect(await courier.send(PACS, await parcel(folder.path, 2), { signal })).toBe(0);
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
  const path = bytes ? one.path : join(folder.path, "gone.dcm");
  await expect(courier.send(PACS, { ...one, path }, { signal })).rejects.toMatchObject({ code });
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
    await courier.send(PACS, { ...(await parcel(folder.path, at, bytes)), path }, { signal });
    // What comes behind group 0002 is the data set: its length stands in (0002,0000).
    const dataSet = bytes.subarray(144 + bytes.readUInt32LE(140));
    expect(digest(pacs.received.at(-1)!.bytes), path).toBe(digest(dataSet));
  }
  expect(pacs.received.length).toBe(14);
});

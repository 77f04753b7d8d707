import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { stringOf } from "../../src/dicom/data-set.ts";
import { readDataSetHead, readPart10, readPart10Header, readPart10Meta } from "../../src/dicom/part10.ts";
import type { TransferSyntaxUid } from "../../src/dicom/uid.ts";
import { ctImage, DEFLATED, EXPLICIT, explicit, file, IMPLICIT, implicit, u16 } from "../support/bytes.ts";
import { tempFolder } from "../support/temp.ts";

const PATIENT_NAME = 0x00100010;
const NUMBER_OF_FRAMES = 0x00280008;
const uid = (text: string): TransferSyntaxUid => text as TransferSyntaxUid;
const vendorBlock = (length: number): Uint8Array => explicit("00090010", "UN", new Uint8Array(length));

/** A file, and the same as on disk. */
async function onDisk(folder: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, "file.dcm");
  await writeFile(path, bytes);
  return path;
}

test("the head of a file is that of the whole, wherever the pixels begin", async () => {
  await using folder = await tempFolder();
  for (const length of [10, 65_000, 65_536, 262_100, 1_500_000]) {
    const bytes = file(EXPLICIT, ctImage({ "00090010": vendorBlock(length) }), new Uint8Array(300_000));
    const path = await onDisk(folder.path, bytes);
    const whole = readPart10(bytes);
    const head = await readPart10Header(path);
    expect([...head.dataSet.elements.keys()]).toEqual([...whole.dataSet.elements.keys()]);
    expect(head.pixelData).toEqual(whole.pixelData);
    expect(head.pixelData?.offset).toBe(bytes.length - 300_000 - 12);
  }
});

// The first read ends with an element: that this is not the end of the header, only its length tells.
test("a header is read on when the bytes at hand end exactly between two elements", async () => {
  await using folder = await tempFolder();
  const start = file(EXPLICIT).length;
  const filler = explicit("00080005", "UN", new Uint8Array(65_536 - start - 12));
  const path = await onDisk(folder.path, file(EXPLICIT, filler, explicit("00100010", "PN", "Behind^It")));
  expect(stringOf((await readPart10Header(path)).dataSet, PATIENT_NAME)).toBe("Behind^It");
});

test("a header without end is given up at 64 MB, and what a sparse file says of itself costs no memory", async () => {
  await using folder = await tempFolder();
  const path = await onDisk(folder.path, file(EXPLICIT, explicit("00420011", "OB", "", 3_000_000_000)));
  const handle = await open(path, "r+");
  await handle.truncate(3_000_001_000);
  await handle.close();
  await expect(readPart10Header(path)).rejects.toMatchObject({ code: "DATA_SET_INVALID" });
  const upTo = { last: NUMBER_OF_FRAMES };
  expect((await readPart10Header(path, upTo)).dataSet.elements.size).toBe(0);
});

test("a length beyond the end of the file is known for a lie without reading on", async () => {
  await using folder = await tempFolder();
  const path = await onDisk(folder.path, file(EXPLICIT, explicit("00420011", "OB", "", 4_000_000_000)));
  const handle = await open(path, "r+");
  await handle.truncate(3_000_000_000);
  await handle.close();
  await expect(readPart10Header(path)).rejects.toThrow("ends inside an element");
});

test("up to an element, a header is read whatever comes behind it", async () => {
  await using folder = await tempFolder();
  const contours = explicit("30060050", "UN", new Uint8Array(70_000_000));
  const path = await onDisk(folder.path, file(EXPLICIT, ctImage({ "30060050": contours })));
  const { dataSet } = await readPart10Header(path, { last: NUMBER_OF_FRAMES });
  expect(stringOf(dataSet, 0x0020000d)).toBe("1.2.3.4");
  expect(dataSet.elements.has(0x30060050)).toBe(false);
});

test("where all of a header is at hand, elements out of order are found", () => {
  const outOfOrder = Buffer.concat([explicit("00300010", "LO", "ab"), explicit("0020000d", "UI", "1.2.")]);
  const dataSet = readDataSetHead(outOfOrder, uid(EXPLICIT), { last: NUMBER_OF_FRAMES, isPrefix: false });
  expect(dataSet?.elements.size).toBe(2);
});

test("the head of an arriving data set says when it is too short", () => {
  const whole = ctImage();
  const pixels = whole.indexOf(Buffer.from("e07f1000", "hex"));
  const at = (length: number): boolean =>
    readDataSetHead(whole.subarray(0, length), uid(EXPLICIT), { isPrefix: true }) !== undefined;
  expect(Array.from({ length: pixels + 12 }, (_, length) => at(length))).not.toContain(true);
  expect(at(pixels + 12)).toBe(true);
});

test("the meta information alone is read from the first bytes", () => {
  const bytes = file(IMPLICIT, implicit("00080005", "garbage", 0xfffffff0));
  const { transferSyntaxUid, dataSetOffset } = readPart10Meta(bytes);
  expect(transferSyntaxUid).toBe(IMPLICIT);
  expect(Buffer.from(bytes.subarray(dataSetOffset))).toEqual(
    Buffer.from(implicit("00080005", "garbage", 0xfffffff0)),
  );
});

test("a deflated data set is inflated, a padding byte behind it is ignored", () => {
  const deflated = deflateRawSync(ctImage());
  for (const padding of [0, 1]) {
    const part10 = readPart10(file(DEFLATED, deflated, new Uint8Array(padding)));
    expect(Buffer.from(part10.body)).toEqual(ctImage());
    expect(stringOf(part10.dataSet, 0x0020000d)).toBe("1.2.3.4");
    const { offset, length } = part10.pixelData ?? { offset: 0, length: 0 };
    expect(part10.body.subarray(offset, offset + (length ?? 0))).toEqual(u16(1, 2, 3, 4, 5, 6));
  }
});

test("of a deflated file the head is inflated only as far as it is needed", async () => {
  await using folder = await tempFolder();
  const zeros = explicit("7fe00010", "OW", new Uint8Array(40_000_000));
  const path = await onDisk(folder.path, file(DEFLATED, deflateRawSync(ctImage({ "7fe00010": zeros }))));
  const { dataSet, body } = await readPart10Header(path);
  expect(stringOf(dataSet, 0x0020000d)).toBe("1.2.3.4");
  expect(body.length).toBeLessThan(8_000_000);
});

test("a deflate bomb in a header is given up at 16 MB, without holding up the node for long", async () => {
  await using folder = await tempFolder();
  const bomb = deflateRawSync(explicit("00090010", "UN", new Uint8Array(40_000_000)));
  const path = await onDisk(folder.path, file(DEFLATED, bomb));
  const before = process.memoryUsage().arrayBuffers;
  const started = performance.now();
  await expect(readPart10Header(path)).rejects.toMatchObject({ code: "DATA_SET_INVALID" });
  expect(() => readDataSetHead(bomb, uid(DEFLATED), { isPrefix: true })).toThrow(
    expect.objectContaining({ code: "DATA_SET_INVALID" }),
  );
  expect(performance.now() - started).toBeLessThan(1000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200_000_000);
});

test("who must not be held up can refuse a header of very many elements", () => {
  const many = Array.from({ length: 2000 }, (_, at) =>
    explicit((0x00111000 + at).toString(16).padStart(8, "0"), "LO", "ab"),
  );
  const bytes = Buffer.concat(many);
  const read = (mostElements: number) =>
    readDataSetHead(bytes, uid(EXPLICIT), { isPrefix: false, mostElements });
  expect(read(2000)?.elements.size).toBe(2000);
  expect(() => read(1999)).toThrow(expect.objectContaining({ code: "DATA_SET_INVALID" }));
});

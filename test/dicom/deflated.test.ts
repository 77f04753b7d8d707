import { deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { DeflatedCheck } from "../../src/dicom/deflated.ts";
import { ctImage, explicit, seeded } from "../support/bytes.ts";

const LIMITS = { bytes: 1_000_000, depth: 256 };
const random = seeded(3);
const noise = Buffer.from(Array.from({ length: 200_000 }, () => Math.floor(random() * 256)));
const image = ctImage({ "7fe00010": explicit("7fe00010", "OW", noise) });

async function faultOf(bytes: Uint8Array, pieceBytes = 10_000): Promise<string | undefined> {
  using check = new DeflatedCheck(LIMITS);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    if (!check.write(bytes.subarray(at, at + pieceBytes))) await check.drained();
  }
  return await check.end();
}

test("a deflated data set is whole, however it is cut into fragments, with a zero behind it or without", async () => {
  const deflated = deflateRawSync(image);
  for (const piece of [1_000, 10_000, deflated.length]) {
    expect(await faultOf(deflated, piece)).toBeUndefined();
    expect(await faultOf(Buffer.concat([deflated, Buffer.alloc(1)]), piece)).toBeUndefined();
  }
  expect(await faultOf(deflateRawSync(ctImage()), 1)).toBeUndefined();
});

test.each([
  ["cut", deflateRawSync(image).subarray(0, -500), "cannot be inflated"],
  ["nothing", new Uint8Array(0), "cannot be inflated"],
  ["not deflated", image, "cannot be inflated"],
  ["a data set that is cut, deflated whole", deflateRawSync(image.subarray(0, -9)), "ends inside an element"],
  ["followed by more", Buffer.concat([deflateRawSync(image), noise]), "200000 bytes behind its end"],
  [
    "a thousand times as large as it looks",
    deflateRawSync(ctImage({ "7fe00010": explicit("7fe00010", "OW", Buffer.alloc(20_000_000)) })),
    "inflates to more than 1000000 bytes",
  ],
])("%s is a fault", async (_, bytes, fault) => {
  expect(await faultOf(bytes)).toBe(fault);
});

test("a check that is given up holds nothing, and takes what still comes", async () => {
  const check = new DeflatedCheck(LIMITS);
  check.write(noise);
  check[Symbol.dispose]();
  check.write(noise);
  await check.drained();
});

/**
 * Every transfer syntax, against encoders and decoders that are not ours: DCMTK's for RLE, JPEG and JPEG-LS, OpenJPH's and
 * those of dcmjs-codecs for JPEG 2000 and HTJ2K.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import loadOpenJph from "@cornerstonejs/codec-openjph/wasmjs";
import dcmjsCodecs from "dcmjs-codecs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import type { TransferSyntaxUid } from "../../src/dicom/uid.ts";
import { buildVolume } from "../../src/volume/build.ts";
import type { Voxels } from "../../src/volume/volume.ts";
import { hasProgram, testIf } from "../support/data.ts";
import {
  encapsulatedFile,
  multiFrameHeader,
  PHANTOM,
  type Phantom,
  type PhantomFile,
  shuffled,
  sliceBytes,
  writeMultiFrame,
} from "../support/phantom.ts";
import { tempFolder } from "../support/temp.ts";

const run = promisify(execFile);
const pool = new WorkerPool(2);
afterAll(() => pool[Symbol.asyncDispose]());
const testWithDcmtk = testIf(hasProgram("dcmcjpls"), "DCMTK");

async function voxelsOf(files: readonly PhantomFile[]): Promise<Voxels> {
  const built = await buildVolume(files, { pool });
  if (built.kind !== "volume") throw new Error(`${built.reason}: ${built.detail}`);
  return built.volume.voxels;
}

/** Smooth with steps, so that coders have something to predict, odd in every direction. */
function shape(stored: number, signed = false): Partial<Phantom> {
  const range = 2 ** stored;
  const value = (i: number, j: number, k: number): number => {
    const smooth = Math.round(range * (0.5 + 0.3 * Math.sin(i / 9 + k) + 0.19 * Math.cos((i * j) / 50)));
    return smooth - (signed ? range / 2 : 0);
  };
  const bits = { allocated: stored > 8 ? 16 : 8, stored, signed } as const;
  return { columns: 37, rows: 29, slices: 3, bits, value };
}

const LOSSLESS = [
  ["dcmconv", "+ti"],
  ["dcmconv", "+td"],
  ["dcmcrle"],
  ["dcmcjpls", "+el"],
  ["dcmcjpls", "+el", "+fs", "1", "-ot"],
  ["dcmcjpls", "+el", "+fs", "1"],
  ["dcmcjpeg", "+e1"],
  ["dcmcjpeg", "+el", "+sv", "1"],
  ["dcmcjpeg", "+el", "+sv", "4"],
  ["dcmcjpeg", "+el", "+sv", "7"],
] as const;
/** Bytes swapped in words only line up with frames of even size; that has its own test. */
const BIG_ENDIAN = ["dcmconv", "+tb"] as const;

testWithDcmtk.each([
  [8, false],
  [8, true],
  [12, false],
  [12, true],
  [16, false],
  [16, true],
] as const)(
  "samples of %d bits, signed: %s, survive every lossless coding of DCMTK",
  async (stored, signed) => {
    await using folder = await tempFolder();
    const { files } = await writeMultiFrame(folder.path, shape(stored, signed));
    const native = await voxelsOf(files);
    expect(new Set(native).size).toBeGreaterThan(40);
    for (const [tool, ...options] of stored > 8 ? [...LOSSLESS, BIG_ENDIAN] : LOSSLESS) {
      const path = join(folder.path, "coded.dcm");
      await run(tool, [...options, files[0].path, path]);
      const coded = await voxelsOf([{ ...files[0], path }]);
      expect(
        Buffer.from(coded.buffer).equals(Buffer.from(native.buffer)),
        `${tool} ${options.join(" ")}`,
      ).toBe(true);
    }
  },
);

testWithDcmtk("bytes in big endian words are put in order, or refused where frames are odd", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "big-endian.dcm");
  const { files } = await writeMultiFrame(folder.path, { ...shape(8), rows: 30 });
  await run("dcmconv", ["+tb", files[0].path, path]);
  expect([...(await voxelsOf([{ ...files[0], path }]))]).toEqual([...(await voxelsOf(files))]);
  const odd = await writeMultiFrame(folder.path, shape(8));
  await run("dcmconv", ["+tb", odd.files[0].path, path]);
  await expect(voxelsOf([{ ...files[0], path }])).rejects.toThrow("odd frames of bytes in big endian words");
});

testWithDcmtk.each([
  ["JPEG baseline", 8, ["dcmcjpeg", "+eb", "+un"], "dcmdjpeg"],
  ["JPEG extended, 12 bits", 12, ["dcmcjpeg", "+ee", "+un"], "dcmdjpeg"],
  ["JPEG extended, 8 bits", 8, ["dcmcjpeg", "+ee", "+un"], "dcmdjpeg"],
  ["JPEG-LS near-lossless", 12, ["dcmcjpls", "+en", "+md", "3", "+un"], "dcmdjpls"],
] as const)(
  "%s decodes to the very pixels that DCMTK decodes",
  async (_, stored, [tool, ...options], decoder) => {
    await using folder = await tempFolder();
    const { files } = await writeMultiFrame(folder.path, shape(stored));
    const [coded, decoded] = [join(folder.path, "coded.dcm"), join(folder.path, "decoded.dcm")];
    await run(tool, [...options, files[0].path, coded]);
    await run(decoder, [coded, decoded]);
    const ours = await voxelsOf([{ ...files[0], path: coded }]);
    const theirs = await voxelsOf([{ ...files[0], path: decoded }]);
    expect([...ours]).toEqual([...theirs]);
  },
);

type Encode = (pixels: Uint8Array, phantom: Phantom) => Uint8Array;

interface Encoders {
  readonly jpeg2000: Encode;
  readonly jpeg2000Lossy: Encode;
  readonly htj2k: Encode;
  readonly openJph: Encode;
}

let encoders: Encoders;

/** The one encoder of @cornerstonejs used here; it ships no types. */
interface OpenJphEncoder {
  getDecodedBuffer(info: {
    readonly width: number;
    readonly height: number;
    readonly bitsPerSample: number;
    readonly componentCount: number;
    readonly isSigned: boolean;
    readonly isUsingColorTransform: boolean;
  }): Uint8Array;
  setQuality(reversible: boolean, step: number): void;
  encode(): void;
  getEncodedBuffer(): Uint8Array;
  delete(): void;
}

beforeAll(async () => {
  const { Context, NativeCodecs } = dcmjsCodecs;
  await NativeCodecs.initializeAsync();
  const contextOf = (pixels: Uint8Array, { columns, rows, bits }: Phantom) =>
    new Context({
      width: columns,
      height: rows,
      bitsAllocated: bits.allocated,
      bitsStored: bits.stored,
      samplesPerPixel: 1,
      pixelRepresentation: bits.signed ? 1 : 0,
      planarConfiguration: 0,
      photometricInterpretation: "MONOCHROME2",
      decodedBuffer: pixels,
    });
  const encoded = (context: InstanceType<typeof Context>): Uint8Array =>
    Uint8Array.from(context.getEncodedBuffer() ?? []);
  const { HTJ2KEncoder } = (await loadOpenJph({ print: () => {} })) as {
    readonly HTJ2KEncoder: new () => OpenJphEncoder;
  };
  encoders = {
    jpeg2000: (pixels, phantom) => encoded(NativeCodecs.encodeJpeg2000(contextOf(pixels, phantom), {})),
    jpeg2000Lossy: (pixels, phantom) =>
      encoded(NativeCodecs.encodeJpeg2000(contextOf(pixels, phantom), { lossy: true, rate: 2 })),
    htj2k: (pixels, phantom) => encoded(NativeCodecs.encodeHtJpeg2000(contextOf(pixels, phantom), {})),
    openJph(pixels, { columns, rows, bits }) {
      const encoder = new HTJ2KEncoder();
      const frame = {
        width: columns,
        height: rows,
        bitsPerSample: bits.stored,
        componentCount: 1,
        isSigned: bits.signed,
        isUsingColorTransform: false,
      };
      encoder.getDecodedBuffer(frame).set(pixels);
      encoder.setQuality(true, 0);
      encoder.encode();
      const bytes = Uint8Array.from(encoder.getEncodedBuffer());
      encoder.delete();
      return bytes;
    },
  };
});

/** An Enhanced CT of which each frame is encoded, without an offset table. */
async function writeCoded(
  folder: string,
  change: Partial<Phantom>,
  coding: { readonly syntax: TransferSyntaxUid; readonly encode: Encode },
): Promise<readonly PhantomFile[]> {
  const phantom = { ...PHANTOM, ...change };
  const slices = shuffled(phantom.slices);
  const frames = slices.map((slice) => coding.encode(sliceBytes(phantom, slice), phantom));
  const path = join(folder, "coded.dcm");
  await writeFile(
    path,
    encapsulatedFile(coding.syntax, multiFrameHeader(phantom, slices), [new Uint8Array(), ...frames]),
  );
  return [{ path, sopInstanceUid: "1.2.3" as PhantomFile["sopInstanceUid"] }];
}

test.each([
  [8, false],
  [12, false],
  [12, true],
  [16, false],
  [16, true],
] as const)("samples of %d bits, signed: %s, survive JPEG 2000 and HTJ2K", async (stored, signed) => {
  await using folder = await tempFolder();
  const change = shape(stored, signed);
  const { files } = await writeMultiFrame(folder.path, change);
  const native = await voxelsOf(files);
  for (const [name, syntax, encode] of [
    ["JPEG 2000", TRANSFER_SYNTAX.JPEG_2000_LOSSLESS, encoders.jpeg2000],
    ["HTJ2K", TRANSFER_SYNTAX.HTJ2K_LOSSLESS, encoders.htj2k],
    ["HTJ2K RPCL", TRANSFER_SYNTAX.HTJ2K_LOSSLESS_RPCL, encoders.htj2k],
    ["HTJ2K by OpenJPH", TRANSFER_SYNTAX.HTJ2K, encoders.openJph],
  ] as const) {
    const coded = await voxelsOf(await writeCoded(folder.path, change, { syntax, encode }));
    expect(Buffer.from(coded.buffer).equals(Buffer.from(native.buffer)), name).toBe(true);
  }
});

// The decoders would return 0 for all negative values.
test("signed bytes in JPEG 2000 and HTJ2K are refused, not decoded wrong", async () => {
  await using folder = await tempFolder();
  const change = shape(8, true);
  for (const [syntax, encode] of [
    [TRANSFER_SYNTAX.JPEG_2000_LOSSLESS, encoders.jpeg2000],
    [TRANSFER_SYNTAX.HTJ2K_LOSSLESS, encoders.htj2k],
  ] as const) {
    await expect(voxelsOf(await writeCoded(folder.path, change, { syntax, encode }))).rejects.toThrow(
      "undecodable: Frame: signed bytes in a JPEG 2000 codestream",
    );
  }
});

test("lossy JPEG 2000 stays near the original", async () => {
  await using folder = await tempFolder();
  const change = shape(12);
  const { files } = await writeMultiFrame(folder.path, change);
  const native = await voxelsOf(files);
  const coding = { syntax: TRANSFER_SYNTAX.JPEG_2000, encode: encoders.jpeg2000Lossy };
  const coded = await voxelsOf(await writeCoded(folder.path, change, coding));
  const errors = Array.from(coded, (value, at) => Math.abs(value - native[at]!));
  expect(Math.max(...errors)).toBeLessThan(100);
});

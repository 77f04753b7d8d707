/** Broken, lying and foreign files: a named refusal or a right volume, and the pool is as good as before. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import type { InstanceUid } from "../../src/dicom/uid.ts";
import { type Built, buildVolume } from "../../src/volume/build.ts";
import { readCodestream } from "../../src/volume/codestream.ts";
import { decodeFrame } from "../../src/volume/decode.ts";
import { readImages } from "../../src/volume/read-image.ts";
import { dataFiles, dataPath, hasProgram, testIf, testWithData } from "../support/data.ts";
import {
  encapsulatedFile,
  multiFrameHeader,
  PHANTOM,
  writeMultiFrame,
  writeSeries,
} from "../support/phantom.ts";
import { tempFolder } from "../support/temp.ts";

const run = promisify(execFile);
const pool = new WorkerPool(2);
afterAll(() => pool[Symbol.asyncDispose]());
const testReal = testWithData();
const testWithDcmtk = testIf(hasProgram("dcmcjpls"), "DCMTK");
const UID = "1.2.3" as InstanceUid;

async function build(path: string): Promise<Built> {
  return buildVolume([{ path, sopInstanceUid: UID }], { pool });
}

const REASONS: Readonly<Record<string, string>> = {
  "MR_small_padded.dcm": "volume",
  "MR_truncated.dcm": "undecodable",
  "SC_rgb_small_odd.dcm": "colour",
  "badVR.dcm": "unsupported-pixels",
  "explicit_VR-UN.dcm": "no-geometry", // its Slice Thickness is empty
  "no_meta.dcm": "undecodable",
  "meta_missing_tsyntax.dcm": "undecodable",
  "rtplan_truncated.dcm": "undecodable",
  "JPEG2000-embedded-sequence-delimiter.dcm": "no-geometry",
  "rtdose.dcm": "unsupported-pixels",
  "rtstruct.dcm": "undecodable",
  "rtplan.dcm": "no-pixels",
  "pdf.dcm": "no-pixels",
  "no-pixel-data.dcm": "no-pixels",
  "no-pixel-spacing.dcm": "colour",
  DICOMDIR: "no-pixels",
  "chrX1.dcm": "no-geometry",
  "CT.1.3.12.2.1107.5.1.4.60064.30000022120808113428000016573": "no-identity",
  "label.seg": "unsupported-pixels",
  "seg_image_ct_binary_fractional.dcm": "segmentation",
  "sparse-labelmap-noppv.dcm": "segmentation",
  "liver_deflate.dcm": "undecodable",
};

testReal(
  "each awkward, foreign or malformed file is refused for its own reason, and none throws",
  async () => {
    const paths = ["awkward", "seg-by-others"].flatMap((folder) => dataFiles(folder));
    const found = new Map<string, string>();
    for (const path of [...paths, dataPath("transfer-syntax", "liver_deflate.dcm")]) {
      const built = await build(path);
      found.set(basename(path), built.kind === "rejected" ? built.reason : built.kind);
    }
    expect(found.size).toBeGreaterThan(60);
    expect(Object.fromEntries(Object.keys(REASONS).map((name) => [name, found.get(name)]))).toEqual(REASONS);
  },
);

/** Numbers from 0 to 2^32 that look random and are the same every time (mulberry32). */
function randomly(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

test("a header with any bytes changed is read or refused, never thrown over", async () => {
  await using folder = await tempFolder();
  const { files } = await writeMultiFrame(folder.path);
  const [single] = await writeSeries(join(folder.path, "single"));
  const random = randomly(1);
  const kinds = new Map<string, number>();
  for (const file of [files[0], single!]) {
    const intact = await readFile(file.path);
    for (let round = 0; round < 400; round++) {
      const damaged = Buffer.from(intact);
      for (let change = 0; change <= round % 4; change++)
        damaged[132 + (random() % (damaged.length - 132))] = random() & 0xff;
      await writeFile(file.path, damaged);
      const [read] = await readImages([file]);
      const kind = read!.kind === "rejected" ? read!.reason : read!.kind;
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
  }
  expect(kinds.get("image")).toBeGreaterThan(100);
  expect(kinds.get("undecodable")).toBeGreaterThan(50);
});

const CODINGS = [
  ["RLE", "dcmcrle", []],
  ["JPEG-LS", "dcmcjpls", ["+el"]],
  ["JPEG lossless", "dcmcjpeg", ["+e1"]],
] as const;

testWithDcmtk.each(CODINGS)("%s: a frame cut short is refused by name", async (_, tool, options) => {
  await using folder = await tempFolder();
  const { files } = await writeMultiFrame(folder.path, { columns: 40, rows: 30, slices: 1 });
  const path = join(folder.path, "coded.dcm");
  await run(tool, [...options, files[0].path, path]);
  const coded = await readFile(path);
  const [read] = await readImages([{ path, sopInstanceUid: UID }]);
  if (read?.kind !== "image") throw new Error("not read");
  const [{ offset, length }] = read.image.frames[0]!.chunks as [{ offset: number; length: number }];
  const frame = coded.subarray(offset, offset + length);
  for (const part of [0.25, 0.5, 0.9]) {
    const header = { ...multiFrameHeader({ ...PHANTOM, columns: 40, rows: 30 }, [0]) };
    const cut = frame.subarray(0, Math.floor(length * part));
    await writeFile(
      path,
      encapsulatedFile(read.image.format.transferSyntaxUid, header, [Buffer.alloc(0), cut]),
    );
    expect(await build(path)).toMatchObject({ kind: "rejected", reason: "undecodable", at: UID });
  }
});

// Most of these decoders hand out an image for such a frame, and say nothing or only print a line.
testReal.each(["4.50", "4.51", "4.57", "4.70", "4.80", "4.81", "4.90", "4.91"])(
  "a frame with a piece missing in its middle is refused: 1.2.840.10008.1.2.%s",
  async (syntax) => {
    await using folder = await tempFolder();
    const image = dataFiles("transfer-syntax", "ct-one-image-all-syntaxes").find((path) =>
      path.endsWith(`_1.2.840.10008.1.2.${syntax}.dcm`),
    )!;
    const [read] = await readImages([{ path: image, sopInstanceUid: UID }]);
    if (read?.kind !== "image") throw new Error("not read");
    const { format, frames } = read.image;
    const [{ offset, length }] = frames[0]!.chunks as [{ offset: number; length: number }];
    const frame = (await readFile(image)).subarray(offset, offset + length);
    const { bitsAllocated: allocated, bitsStored: stored, signed } = format;
    const phantom = { ...PHANTOM, columns: 512, rows: 512, bits: { allocated, stored, signed } };
    const header = multiFrameHeader(phantom, [0]);
    const path = join(folder.path, "holed.dcm");
    const holed = Buffer.concat([frame.subarray(0, length * 0.4), frame.subarray(length * 0.5)]);
    await writeFile(path, encapsulatedFile(format.transferSyntaxUid, header, [Buffer.alloc(0), holed]));
    expect(await build(path)).toMatchObject({ kind: "rejected", reason: "undecodable", at: UID });
    await writeFile(path, encapsulatedFile(format.transferSyntaxUid, header, [Buffer.alloc(0), frame]));
    expect((await build(path)).kind).toBe("volume");
  },
);

testReal("what a decoder only prints is a refusal too: JPEG 2000 that lies about its length", async () => {
  const image = dataFiles("transfer-syntax", "ct-one-image-all-syntaxes").find((path) =>
    path.endsWith("4.90.dcm"),
  )!;
  const [read] = await readImages([{ path: image, sopInstanceUid: UID }]);
  if (read?.kind !== "image") throw new Error("not read");
  const [{ offset, length }] = read.image.frames[0]!.chunks as [{ offset: number; length: number }];
  const frame = (await readFile(image)).subarray(offset, offset + length);
  const tilePart = frame.indexOf(Buffer.from("ff90000a", "hex"));
  const holed = Buffer.concat([frame.subarray(0, length * 0.4), frame.subarray(length * 0.5)]);
  const said = frame.readUInt32BE(tilePart + 6);
  holed.writeUInt32BE(said - (frame.length - holed.length), tilePart + 6);
  await expect(decodeFrame(holed, read.image.format)).rejects.toMatchObject({
    code: "PIXELS_UNDECODABLE",
    message: expect.stringMatching(/^JPEG 2000 frame: .*ERROR/),
  });
});

test("tile-parts of a JPEG 2000 frame must reach its end marker", () => {
  const frame = Buffer.concat([
    Buffer.from("ff4fff51002900000000000700000005", "hex"), // SOC, SIZ of 7 × 5
    Buffer.from("00000000000000000000000700000005", "hex"), // no offset, one tile
    Buffer.from("0000000000000000", "hex"),
    Buffer.from("00010b0101", "hex"), // one component of 12 bits
    Buffer.from("ff90000a0000000000200001ff93", "hex"), // SOT: 32 bytes; SOD
    Buffer.alloc(18),
    Buffer.from("ffd9", "hex"),
  ]);
  expect(readCodestream(frame)).toEqual({
    coding: "jpeg-2000",
    columns: 7,
    rows: 5,
    components: 1,
    precision: 12,
    signed: false,
  });
  const holed = Buffer.concat([frame.subarray(0, -8), frame.subarray(-4)]);
  expect(() => readCodestream(holed)).toThrow("Codestream: the frame is cut");
});

testWithDcmtk.each(CODINGS)(
  "%s: a frame of another size than its header says is refused by name",
  async (_, tool, options) => {
    await using folder = await tempFolder();
    const { files } = await writeMultiFrame(folder.path, { columns: 40, rows: 30, slices: 1 });
    const path = join(folder.path, "coded.dcm");
    await run(tool, [...options, files[0].path, path]);
    // As many pixels, the other way round: a check of the length alone would pass.
    const coded = await readFile(path);
    const rows = coded.indexOf(Buffer.from("28001000555302001e00", "hex"));
    const columns = coded.indexOf(Buffer.from("28001100555302002800", "hex"));
    expect(rows).toBeGreaterThan(0);
    expect(columns).toBeGreaterThan(0);
    coded[rows + 8] = 40;
    coded[columns + 8] = 30;
    await writeFile(path, coded);
    const built = await build(path);
    if (tool === "dcmcrle")
      expect(built.kind).toBe("volume"); // RLE knows no rows
    else
      expect(built).toMatchObject({ reason: "undecodable", detail: "Frame: 40 × 30 in a frame of 30 × 40" });
  },
);

testReal(
  "damaged frames of every codec end in a volume or a refusal, and the pool decodes on",
  async () => {
    await using folder = await tempFolder();
    const random = randomly(7);
    const images = dataFiles("transfer-syntax", "ct-one-image-all-syntaxes").filter(
      (path) => /1\.2\.(4\.[5-9]\d|5)\.dcm$/.test(path) && !path.endsWith("4.55.dcm"),
    );
    expect(images).toHaveLength(9);
    const path = join(folder.path, "damaged.dcm");
    for (const image of images) {
      const intact = await readFile(image);
      for (let round = 0; round < 3; round++) {
        const damaged = Buffer.from(intact);
        const from = Math.floor(intact.length * 0.2);
        for (let change = 0; change < 20; change++)
          damaged[from + (random() % (intact.length - from - 100))] = random() & 0xff;
        await writeFile(path, damaged);
        const built = await build(path);
        if (built.kind === "rejected") expect(built).toMatchObject({ reason: "undecodable", at: UID });
      }
      expect((await build(image)).kind, basename(image)).toBe("volume");
    }
  },
  60_000,
);

test("a frame that never ends decoding costs its thread, and only that", async () => {
  await expect(
    pool.run({ module: new URL("./spin.ts", import.meta.url).href, name: "spin" }, undefined, {
      timeoutMs: 50,
    }),
  ).rejects.toMatchObject({ code: "WORKER_TIMED_OUT" });
  await using folder = await tempFolder();
  const { files } = await writeMultiFrame(folder.path);
  expect((await buildVolume(files, { pool })).kind).toBe("volume");
});

test("RLE segments that lie are refused, whatever they say", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "rle.dcm");
  const header = multiFrameHeader({ ...PHANTOM, columns: 4, rows: 2 }, [0]);
  const segments = (count: number, offsets: readonly number[], data: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(64 + data.length);
    for (const [at, value] of [count, ...offsets].entries()) bytes.writeUInt32LE(value, 4 * at);
    bytes.set(data, 64);
    return bytes;
  };
  // Eight pixels: seven times 1 and a 2 in the high bytes, eight different low bytes.
  const high = [250, 1, 0, 2];
  const low = [7, 10, 11, 12, 13, 14, 15, 16, 17, 128];
  const good = segments(2, [64, 68], [...high, ...low]);
  const cases: readonly (readonly [string, Buffer, string])[] = [
    ["right", good, "volume"],
    ["no segments", segments(0, [], [...high, ...low]), "undecodable"],
    ["one segment", segments(1, [64], [...high, ...low]), "undecodable"],
    ["fifteen segments", segments(15, [64, 68], [...high, ...low]), "undecodable"],
    ["a segment in the header", segments(2, [4, 68], [...high, ...low]), "undecodable"],
    ["a segment past the end", segments(2, [64, 9999], [...high, ...low]), "undecodable"],
    ["segments in the wrong order", segments(2, [68, 64], [...high, ...low]), "undecodable"],
    ["a run past the plane", segments(2, [64, 66], [129, 1, ...low]), "undecodable"],
    ["a literal past its segment", segments(2, [64, 68], [...high, 7, 10, 11]), "undecodable"],
    ["a plane that is not full", segments(2, [64, 66], [250, 1, ...low]), "undecodable"],
    ["only no-ops", segments(2, [64, 68], [128, 128, 128, 128, 128, 128]), "undecodable"],
    ["nothing but a header", segments(2, [64, 64], []), "undecodable"],
    ["less than a header", Buffer.alloc(60), "undecodable"],
  ];
  for (const [name, frame, expected] of cases) {
    await writeFile(path, encapsulatedFile(TRANSFER_SYNTAX.RLE_LOSSLESS, header, [Buffer.alloc(0), frame]));
    const built = await build(path);
    expect(built.kind === "rejected" ? built.reason : built.kind, name).toBe(expected);
    if (built.kind === "volume")
      expect([...built.volume.voxels]).toEqual(
        [266, 267, 268, 269, 270, 271, 272, 529].map((value) => value - 1024),
      );
  }
});

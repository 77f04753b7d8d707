/** Every form of a segmentation on its way to a PACS of another make, which takes some of what is offered. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run, startStorescp, testWithDcmtk } from "../support/dcmtk.ts";
import { type Reply, startModelDouble } from "../support/model-double.ts";
import { writeSeries } from "../support/phantom.ts";
import { Journal, ONE_SEGMENT, RAW_NIFTI, startRig } from "../support/rig.ts";
import { type Item, readElements, readSeg, type SegObject } from "../support/seg-reader.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";
import { ABOVE, pathsOf } from "./stage.ts";

interface Arrived {
  readonly journal: Journal;
  /** As storescp kept it. */
  readonly path: string;
  /** Read after DCMTK made Explicit VR Little Endian of it. */
  readonly seg: SegObject;
  /** Whether its pixels are those of the file that the node made, byte for byte. */
  readonly isSame: boolean;
  /** What DCMTK says of the transfer syntax it came in. */
  readonly syntax: string;
}

/** 0.25 where the threshold says no, 0.75 where it says yes; as NIfTI float32. */
function probabilities(body: Uint8Array): Reply {
  const reply = threshold(body, ABOVE);
  if (reply.kind !== "answer") throw new Error(reply.kind);
  const labels = Buffer.from(reply.body as Uint8Array);
  const head = Buffer.from(labels.subarray(0, 352));
  head.writeInt16LE(16, 70);
  head.writeInt16LE(32, 72);
  const values = Float32Array.from(labels.subarray(352), (label) => 0.25 + label / 2);
  return { ...reply, body: Buffer.concat([head, new Uint8Array(values.buffer)]) };
}

async function arrived(
  storescp: readonly string[],
  destination: string,
  model: { readonly answer: (body: Uint8Array) => Reply; readonly rest: string } = {
    answer: (body) => threshold(body, ABOVE),
    rest: RAW_NIFTI,
  },
): Promise<Arrived> {
  await using folder = await tempFolder();
  const kept = join(folder.path, "kept");
  await mkdir(kept);
  await using pacs = await startStorescp([...storescp, "-aet", "PACS", "-od", kept]);
  await using server = await startModelDouble(({ body }) => model.answer(body));
  const journal = new Journal();
  const models = { bone: { url: server.origin, rest: `${model.rest}, ${ONE_SEGMENT}` } };
  await using node = await startRig(folder.path, journal, { pacsPort: pacs.port, models, destination });
  await send(pathsOf(await writeSeries(join(folder.path, "source"), { columns: 16, rows: 12 })), node.port);
  await journal.said("delivery.done");
  const [name = ""] = await readdir(kept);
  const path = join(kept, name);
  const dump = await run("dcmdump", ["+P", "0002,0010", path]);
  const explicit = join(folder.path, "explicit.dcm");
  const decoded = join(folder.path, "decoded.dcm");
  // dcmdrle leaves alone what is not compressed.
  expect(await run("dcmdrle", [path, decoded])).toMatchObject({ code: 0 });
  expect(await run("dcmconv", ["+te", decoded, explicit])).toMatchObject({ code: 0 });
  const syntax = /=(\w+)/.exec(dump.output)?.[1] ?? dump.output;
  const seg = readSeg(await readFile(explicit));
  const made = (await readdir(join(folder.path, "data", "results"))).find((file) =>
    file.endsWith(`.${seg.type.toLowerCase()}1.dcm`),
  );
  const sent = readElements(await readFile(join(folder.path, "data", "results", made ?? "none")));
  return { journal, path, syntax, seg, isSame: pixelsOf(sent).equals(pixelsOf(seg.dataSet)) };
}

const pixelsOf = (dataSet: Item): Buffer => Buffer.from(dataSet["7fe00010"]?.bytes ?? []);
const found = (seg: SegObject): readonly number[] =>
  seg.frames.map(({ pixels }) => [...pixels].reduce((sum, pixel) => sum + pixel, 0));
const binary = testWithDcmtk === test ? await arrived([], "") : undefined;
/** Voxels in each frame; what the other forms are held to. */
const voxels = binary ? found(binary.seg) : [];

testWithDcmtk("BINARY goes as Explicit VR to who takes it", () => {
  expect(binary?.syntax).toBe("LittleEndianExplicit");
  expect(binary?.seg.type).toBe("BINARY");
  expect(binary?.isSame).toBe(true);
  expect(voxels.every((count) => count > 20)).toBe(true);
});

testWithDcmtk("a PACS that takes Implicit VR only gets the same object in Implicit VR", async () => {
  const { syntax, seg, isSame, journal } = await arrived(["+xi"], "");
  expect(syntax).toBe("LittleEndianImplicit");
  expect(isSame).toBe(true);
  expect(found(seg)).toEqual(voxels);
  expect(journal.of("delivery.done")).toMatchObject([
    { form: "binary", transferSyntaxUid: "1.2.840.10008.1.2" },
  ]);
});

testWithDcmtk("a PACS that does not know LABELMAP gets BINARY, and that is said", async () => {
  const { seg, journal } = await arrived([], ", segmentation: { as: labelmap, compression: rle }");
  expect(seg.type).toBe("BINARY");
  expect(found(seg)).toEqual(voxels);
  const [replaced] = journal.of("delivery.replaced");
  expect(replaced).toMatchObject({
    form: "labelmap",
    reason: "the destination does not take LABELMAP segmentations; it gets BINARY ones",
  });
});

testWithDcmtk("a PACS that takes LABELMAP but not RLE gets it uncompressed", async () => {
  const { syntax, seg, journal } = await arrived(
    ["-pm"],
    ", segmentation: { as: labelmap, compression: rle }",
  );
  expect([syntax, seg.type]).toEqual(["LittleEndianExplicit", "LABELMAP"]);
  expect(found(seg)).toEqual(voxels);
  expect(journal.of("delivery.replaced")).toEqual([]);
});

testWithDcmtk("a PACS that takes RLE gets the label map compressed, and DCMTK can decode it", async () => {
  const { syntax, seg, isSame } = await arrived(
    ["-pm", "+xr"],
    ", segmentation: { as: labelmap, compression: rle }",
  );
  expect(isSame).toBe(true);
  expect([syntax, seg.type]).toEqual(["RLELossless", "LABELMAP"]);
  expect(found(seg)).toEqual(voxels);
});

testWithDcmtk("probabilities go as FRACTIONAL where that is wanted", async () => {
  const rest = `request: { format: nifti }, response: { as: { probabilities: { background: none, keep: true } } }`;
  const { seg } = await arrived([], ", segmentation: { as: fractional }", { answer: probabilities, rest });
  expect(seg.type).toBe("FRACTIONAL");
  const levels = new Set(seg.frames.flatMap(({ pixels }) => [...pixels]));
  expect([...levels].sort((a, b) => a - b)).toEqual([64, 191]); // 0.25 and 0.75 of 255, rounded
  expect(seg.frames.map(({ pixels }) => pixels.filter((level) => level === 191).length)).toEqual(voxels);
});

testWithDcmtk("labels alone go as BINARY even where FRACTIONAL is wanted, and that is said", async () => {
  const { seg, journal } = await arrived([], ", segmentation: { as: fractional }");
  expect(seg.type).toBe("BINARY");
  expect(found(seg)).toEqual(voxels);
  expect(journal.of("delivery.replaced")).toMatchObject([{ destination: "pacs", form: "fractional" }]);
});

testWithDcmtk("the same probabilities go as BINARY where that is wanted", async () => {
  const rest = `request: { format: nifti }, response: { as: { probabilities: { background: none } } }`;
  const { seg } = await arrived([], "", { answer: probabilities, rest });
  expect(seg.type).toBe("BINARY");
  expect(found(seg)).toEqual(voxels);
});

testWithDcmtk(
  "a model that answers with labels goes as BINARY to who wants FRACTIONAL, and that is said",
  async () => {
    const { seg, journal } = await arrived([], ", segmentation: { as: fractional }");
    expect(seg.type).toBe("BINARY");
    expect(found(seg)).toEqual(voxels);
    expect(journal.of("segmentation.form-replaced")).toMatchObject([
      {
        model: "bone",
        destination: "pacs",
        form: "fractional",
        reason: "the model keeps no probabilities; BINARY goes",
      },
    ]);
    expect(journal.of("run.quarantined")).toEqual([]);
  },
);

/** What a model answers that may not leave is kept with its reason, and nothing of it is ever sent. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type Reply, startModelDouble } from "../support/model-double.ts";
import { contents } from "../support/pacs.ts";
import { ONE_SEGMENT, RAW_NIFTI } from "../support/rig.ts";
import { readElements, textAt } from "../support/seg-reader.ts";
import { send } from "../support/send.ts";
import { threshold } from "../support/threshold.ts";
import { ABOVE, type Stage, stage } from "./stage.ts";

/** A right answer, changed. */
function changed(body: Uint8Array, change: (answer: Buffer) => Uint8Array): Reply {
  const reply = threshold(body, ABOVE);
  if (reply.kind !== "answer") throw new Error(reply.kind);
  return { ...reply, body: change(Buffer.from(reply.body as Uint8Array)) };
}

function shifted(answer: Buffer): Buffer {
  answer.writeFloatLE(answer.readFloatLE(280 + 12) + 0.5, 280 + 12); // srow_x[3]: half a millimetre to the right
  return answer;
}

function relabelled(answer: Buffer): Buffer {
  answer[352] = 9;
  return answer;
}

function notANumber(answer: Buffer): Buffer {
  const voxels = answer.length - 352;
  const floats = Buffer.concat([answer.subarray(0, 352), Buffer.alloc(voxels * 4)]);
  floats.writeInt16LE(16, 70);
  floats.writeInt16LE(32, 72);
  floats.writeFloatLE(Number.NaN, 352 + 40);
  return floats;
}

function empty(answer: Buffer): Buffer {
  return answer.fill(0, 352);
}

async function keptIn({ folder }: Stage): Promise<readonly string[]> {
  return readdir(join(folder, "data", "quarantine"));
}

test.each([
  ["lies half a millimetre off", shifted, "LABEL_MAP_MISPLACED"],
  ["holds a label without a meaning", relabelled, "LABEL_UNKNOWN"],
  ["holds a voxel that is no number", notANumber, "MODEL_ANSWER_INVALID"],
  ["is cut", (answer: Buffer) => answer.subarray(0, answer.length - 1), "MODEL_ANSWER_INVALID"],
  ["is a gzip that is cut", (answer: Buffer) => gzipSync(answer).subarray(0, 100), "MODEL_ANSWER_INVALID"],
  ["is no image", () => Buffer.from("Internal error"), "MODEL_ANSWER_INVALID"],
])("an answer that %s is quarantined as it came", async (_, change, code) => {
  const sent: Uint8Array[] = [];
  await using model = await startModelDouble(({ body }) =>
    changed(body, (answer) => {
      sent.push(change(answer));
      return sent.at(-1)!;
    }),
  );
  await using rig = await stage({
    models: { bone: { url: model.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` } },
  });
  await send(rig.paths, rig.port);
  const [quarantined] = await rig.journal.said("run.quarantined");
  expect(quarantined).toMatchObject({ model: "bone", code });
  const [file = ""] = await keptIn(rig);
  const kept = await readFile(join(rig.folder, "data", "quarantine", file));
  expect(kept.equals(sent[0]!)).toBe(true);
  expect(sent).toHaveLength(1); // asked again, the model would say the same
  expect(rig.pacs.stored).toEqual([]);
  expect(await readdir(join(rig.folder, "data", "results"))).toEqual([]);
});

test.each([
  ["no finding", "", "run.no-finding"],
  ["a fault, where the config says so", "onEmpty: quarantine, ", "run.quarantined"],
])("an answer without any segment is %s", async (_, policy, event) => {
  await using model = await startModelDouble(({ body }) => changed(body, empty));
  await using rig = await stage({
    models: { bone: { url: model.origin, rest: `${policy}${RAW_NIFTI}, ${ONE_SEGMENT}` } },
  });
  await send(rig.paths, rig.port);
  await rig.journal.said(event);
  expect(await keptIn(rig)).toHaveLength(policy === "" ? 0 : 1);
  expect(rig.pacs.stored).toEqual([]);
});

test("of an answer that may not leave no measurements stay among the results either", async () => {
  await using model = await startModelDouble(({ body }) =>
    changed(body, (answer) =>
      Buffer.from(JSON.stringify({ mask: empty(answer).toString("base64"), measured: { ml: 0 } })),
    ),
  );
  const rest = `onEmpty: quarantine, request: { format: nifti, compression: none, body: raw },
    response: { unwrap: [{ pointer: /mask }, base64], measurements: [{ pointer: /measured }] }, ${ONE_SEGMENT}`;
  await using rig = await stage({ models: { bone: { url: model.origin, rest } } });
  await send(rig.paths, rig.port);
  const [quarantined] = await rig.journal.said("run.quarantined");
  expect(quarantined).toMatchObject({ code: "SEG_EMPTY" });
  expect(await readdir(join(rig.folder, "data", "results"))).toEqual([]);
});

test("of four models at once one fails: three SEGs, each in a series with its own number", async () => {
  await using bad = await startModelDouble(({ body }) => changed(body, shifted));
  await using good = await startModelDouble(({ body }) => threshold(body, ABOVE));
  const entry = (url: string) => ({ url, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` });
  await using rig = await stage({
    models: {
      one: entry(good.origin),
      two: entry(good.origin),
      shifted: entry(bad.origin),
      three: entry(good.origin),
    },
  });
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(3);
  const [quarantined] = await rig.journal.said("run.quarantined");
  expect(quarantined).toMatchObject({ model: "shifted", code: "LABEL_MAP_MISPLACED" });
  const [done] = await rig.journal.said("study.done");
  expect(done?.studyUid).toBe(quarantined?.studyUid);
  const segs = [...(await contents(rig.pacs)).values()].map(readElements);
  expect(new Set(segs.map((seg) => textAt(seg, "00200011"))).size).toBe(3);
  expect(new Set(segs.map((seg) => textAt(seg, "0020000e"))).size).toBe(3);
});

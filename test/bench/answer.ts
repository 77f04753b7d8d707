/**
 * What the node adds after a model has answered: seconds from the answer's last byte to the PACS having the SEG, for
 * 400 × 512 × 512 with 8 labels; and, before it, from the last image to the request.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startModelDouble } from "../support/model-double.ts";
import { startPacs } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { configText, RAW_NIFTI } from "../support/rig.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { startNodeProcess } from "./node-process.ts";

const SIZE = { slices: 400, columns: 512, rows: 512 };
const LABELS = 8;
const ROUNDS = 5;
const HEADER_BYTES = 352;

export async function answer(): Promise<void> {
  await using folder = await tempFolder();
  const paths = (await writeSeries(join(folder.path, "source"), SIZE)).map(({ path }) => path);
  for (let round = 0; round < ROUNDS; round++) {
    const place = join(folder.path, String(round));
    await mkdir(join(place, "pacs"), { recursive: true });
    await using pacs = await startPacs(join(place, "pacs"));
    let askedAt = 0;
    let answeredAt = 0;
    await using model = await startModelDouble(({ body }) => {
      askedAt = performance.now();
      const reply = labels(body);
      answeredAt = performance.now();
      return { kind: "answer", body: reply };
    });
    const models = { organs: { url: model.origin, rest: `${RAW_NIFTI}, segments: { ${segments()} }` } };
    const assembly = "{ settle: 0s, quietPeriod: 2s, maximumWait: 1m }";
    await writeFile(join(place, "node.yaml"), configText(place, { pacsPort: pacs.port, models, assembly }));
    await using node = await startNodeProcess(join(place, "node.yaml"));
    await send(paths, node.port);
    const sentAt = performance.now();
    await pacs.arrived(1);
    const seconds = (from: number, to: number): string => ((to - from) / 1000).toFixed(2);
    const done = performance.now();
    console.log(
      `last image to whole request ${seconds(sentAt, askedAt)} s, answer to SEG in the PACS ${seconds(answeredAt, done)} s, ` +
        `peak RSS ${await node.peakRssMb()} MB`,
    );
  }
}

function segments(): string {
  const entry = (value: number): string =>
    `${value}: { label: Part ${value}, category: "SCT:91723000:Anatomical structure", type: "SCT:3138006:Bone" }`;
  return Array.from({ length: LABELS }, (_, at) => entry(at + 1)).join(", ");
}

/** Eight boxes, one behind the other, most of the volume empty: a NIfTI label map with the header that came. */
function labels(nifti: Uint8Array): Uint8Array {
  const { slices, columns, rows } = SIZE;
  const body = new Uint8Array(HEADER_BYTES + slices * columns * rows);
  body.set(nifti.subarray(0, HEADER_BYTES));
  const view = new DataView(body.buffer);
  view.setInt16(70, 2, true);
  view.setInt16(72, 8, true);
  for (let label = 1; label <= LABELS; label++) {
    for (let k = (label - 1) * 20; k < (label - 1) * 20 + 49; k++) {
      for (let j = 60 * (label - 1); j < 60 * (label - 1) + 50; j++) {
        const from = HEADER_BYTES + (k * rows + j) * columns + 100;
        body.fill(label, from, from + 300);
      }
    }
  }
  return body;
}

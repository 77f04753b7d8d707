/**
 * A node with something to see: a small head CT, four models, of which one is slow, one refuses and one finds
 * nothing, a PACS that takes the results, and an archive that is away.
 */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { parseConfig } from "../../src/config/load.ts";
import { makePhantom } from "../../src/demo/phantom.ts";
import { writePhantom } from "../../src/demo/phantom-dicom.ts";
import { startNode } from "../../src/node.ts";
import { freePort } from "../support/free-port.ts";
import { startModelDouble } from "../support/model-double.ts";
import { type Pacs, startPacs } from "../support/pacs.ts";
import { Journal } from "../support/rig.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";

const SIZE = 96;
const CATEGORY = 'category: "SCT:91723000:Anatomical structure"';

export interface Clinic extends AsyncDisposable {
  readonly origin: string;
  readonly pacs: Pacs;
  readonly journal: Journal;
  /** Of the PACS: sends the images; resolves when they are answered. */
  send(): Promise<void>;
}

/** @param access  YAML of users and tokens, in flow style */
export async function clinic(access = ""): Promise<Clinic> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await tempFolder()).path;
  const images = join(folder, "images");
  await mkdir(images);
  await mkdir(join(folder, "pacs"));
  await writePhantom(await makePhantom({ columns: SIZE, rows: SIZE, slices: 72, spacing: 1.6 }), images);
  const pacs = parts.use(await startPacs(join(folder, "pacs")));
  const model = async (above: number, afterMs: number) =>
    parts.use(await startModelDouble(({ body }) => ({ ...threshold(body, above), afterMs }) as never));
  const bone = await model(300, 900);
  const teeth = await model(1500, 1600);
  const nothing = await model(32_000, 300);
  const broken = parts.use(
    await startModelDouble(() => ({ kind: "answer", status: 422, body: "<script>alert('model')</script>" })),
  );
  const rest = "request: { format: nifti, compression: none, body: raw }, response: { as: labelmap }";
  const segment = (label: string, code: string, color: string) =>
    `segments: { 1: { label: "${label}", ${CATEGORY}, type: "${code}", color: ${color} } }`;
  const loaded = parseConfig(
    `
node: { aeTitle: ISOCENTER, dataDir: ${join(folder, "data")}, reserve: 1MiB, stopWithin: 3s }
dicom:
  listen: { host: 127.0.0.1, port: 0 }
  callers: [{ aeTitle: "*", from: 127.0.0.1 }]
assembly: { settle: 100ms, quietPeriod: 2s, maximumWait: 1m }
http: { listen: { port: 0 }${access} }
destinations:
  pacs: { aeTitle: PACS, host: 127.0.0.1, port: ${pacs.port} }
  archive: { aeTitle: ARCHIVE, host: 127.0.0.1, port: ${await freePort()} }
models:
  bone: { url: "${bone.origin}", version: "2.1", ${rest}, ${segment("Bone", "SCT:3138006:Bone", "[235, 210, 150]")} }
  teeth: { url: "${teeth.origin}", version: "1.0", ${rest}, ${segment("Teeth", "SCT:38199008:Tooth", "[120, 200, 255]")} }
  lesion: { url: "${nothing.origin}", version: "0.9", ${rest}, ${segment("Lesion <b>", "SCT:52988006:Lesion", "[255, 80, 80]")}, onEmpty: no-finding }
  nerve: { url: "${broken.origin}", version: "3.2", ${rest}, ${segment("Nerve", "SCT:3057000:Nerve", "[255, 255, 0]")} }
rules:
  - { name: "head <i>CT</i>", when: 'Modality == "CT"', models: [bone, teeth, lesion, nerve], sendTo: [pacs, archive] }
`,
    "node.yaml",
  );
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  const journal = new Journal();
  const node = parts.use(await startNode(loaded.config, { log: journal, clock: systemClock }));
  const paths = (await readdir(images)).map((name) => join(images, name));
  const release = parts.move();
  return {
    origin: `http://127.0.0.1:${node.httpPort}`,
    pacs,
    journal,
    async send() {
      const statuses = await send(paths, node.port);
      if (statuses.some((status) => status !== 0)) throw new Error("an image was refused");
    },
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}

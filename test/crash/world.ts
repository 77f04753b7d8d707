/**
 * What surrounds the node in a trial: a scanner with one study of 20 images, two models, two archives. All of it
 * outlives the node, and everything that the node sends goes through proxies that count it.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { associate } from "../../src/association/scu.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { SOP_CLASS, STATUS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import type { InstanceUid } from "../../src/dicom/uid.ts";
import { type ModelDouble, startModelDouble } from "../support/model-double.ts";
import { type Pacs, startPacs } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { ONE_SEGMENT, RAW_NIFTI } from "../support/rig.ts";
import { threshold } from "../support/threshold.ts";
import { type OnSent, startProxy } from "./proxy.ts";

export const MODELS = ["bone", "air"] as const;
const DESTINATIONS = ["archive", "workstation"] as const;
export const IMAGES = 20;

interface Image {
  readonly path: string;
  readonly sopInstanceUid: InstanceUid;
  /** Of the data set. */
  readonly sha256: string;
}

export interface World extends AsyncDisposable {
  readonly config: string;
  readonly dataFolder: string;
  readonly images: readonly Image[];
  readonly acknowledged: ReadonlySet<string>;
  readonly archives: ReadonlyMap<string, Pacs>;
  /** What the node reaches them at. */
  readonly archivePorts: readonly number[];
  readonly model: ModelDouble;
  /** Where the node listens now. */
  nodePort: number | undefined;
  onSent: OnSent;
  /** Sends what was not acknowledged yet. @throws when the node goes away meanwhile */
  send(): Promise<void>;
}

export async function createWorld(folder: string): Promise<World> {
  await using parts = new AsyncDisposableStack();
  const images = await imagesIn(join(folder, "source"));
  const acknowledged = new Set<string>();
  const archives = new Map<string, Pacs>();
  const world = { nodePort: undefined as number | undefined, onSent: (() => true) as OnSent };
  const sent = (): boolean => world.onSent();

  const model = parts.use(
    await startModelDouble(({ body, path }) => threshold(body, path === "/air" ? 100 : 1_000)),
  );
  const modelProxy = parts.use(await startProxy(() => Number(new URL(model.origin).port), "caller", sent));
  const ports = new Map<string, number>();
  for (const name of DESTINATIONS) {
    await mkdir(join(folder, name), { recursive: true });
    const pacs = parts.use(await startPacs(join(folder, name)));
    archives.set(name, pacs);
    ports.set(name, parts.use(await startProxy(() => pacs.port, "caller", sent)).port);
  }
  const inbound = parts.use(await startProxy(() => world.nodePort, "called", sent));
  const config = join(folder, "node.yaml");
  await writeFile(config, configOf(join(folder, "data"), modelProxy.port, ports));
  const release = parts.move();
  return Object.assign(world, {
    config,
    dataFolder: join(folder, "data"),
    images,
    acknowledged,
    archives,
    archivePorts: [...ports.values()],
    model,
    send: () => sendRest(images, acknowledged, inbound.port),
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  });
}

async function imagesIn(folder: string): Promise<readonly Image[]> {
  const files = await writeSeries(folder, { slices: IMAGES, columns: 64, rows: 48 });
  return Promise.all(
    files.map(async ({ path, sopInstanceUid }) => {
      const file = await readFile(path);
      const dataSet = file.subarray(readPart10(file).dataSetOffset);
      return { path, sopInstanceUid, sha256: createHash("sha256").update(dataSet).digest("hex") };
    }),
  );
}

async function sendRest(images: readonly Image[], acknowledged: Set<string>, port: number): Promise<void> {
  const rest = images.filter(({ sopInstanceUid }) => !acknowledged.has(sopInstanceUid));
  if (rest.length === 0) return;
  const transferSyntaxUid = TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN;
  const sopClassUid = SOP_CLASS.CT_IMAGE;
  await using association = await associate(
    { aeTitle: parseAeTitle("ISOCENTER")!, host: "127.0.0.1", port },
    {
      callingAeTitle: parseAeTitle("SCANNER")!,
      contexts: [{ abstractSyntax: sopClassUid, transferSyntaxes: [transferSyntaxUid] }],
      connectTimeoutMs: 5_000,
      answerTimeoutMs: 20_000,
    },
  );
  for (const { path, sopInstanceUid } of rest) {
    const file = await readFile(path);
    const dataSet = [file.subarray(readPart10(file).dataSetOffset)];
    const request = { sopClassUid, sopInstanceUid, transferSyntaxUid, dataSet: pieces(dataSet) };
    const { status } = await association.store(request);
    if (status === STATUS.SUCCESS) acknowledged.add(sopInstanceUid);
  }
}

async function* pieces(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

/** A quiet period that is longer than a restart takes on a busy machine: or the resent half would be a revision. */
function configOf(dataFolder: string, modelPort: number, ports: ReadonlyMap<string, number>): string {
  const models = MODELS.map(
    (name) => `  ${name}: { url: "http://127.0.0.1:${modelPort}/${name}", ${RAW_NIFTI}, ${ONE_SEGMENT} }`,
  );
  const destinations = Array.from(
    ports,
    ([name, port]) => `  ${name}: { aeTitle: PACS, host: 127.0.0.1, port: ${port} }`,
  );
  return `
node: { aeTitle: ISOCENTER, dataDir: ${dataFolder}, reserve: 1MiB, stopWithin: 20s, workers: 1 }
dicom: { listen: { host: 127.0.0.1, port: 0 }, callers: [{ aeTitle: SCANNER, from: 127.0.0.1 }] }
assembly: { settle: 50ms, quietPeriod: 3s, maximumWait: 2m }
destinations:
${destinations.join("\n")}
models:
${models.join("\n")}
rules: [{ name: all, when: "true", models: [${MODELS.join(", ")}], sendTo: [${DESTINATIONS.join(", ")}] }]
`;
}

/** A node on loopback between one model, which finds what is above a threshold, and a PACS; and a series to send. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { type ModelDouble, startModelDouble } from "../support/model-double.ts";
import { type Pacs, type PacsOptions, startPacs } from "../support/pacs.ts";
import { type Phantom, type PhantomFile, writeSeries } from "../support/phantom.ts";
import { Journal, ONE_SEGMENT, RAW_NIFTI, type RigOptions, startRig } from "../support/rig.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";

/** Stored values 0…4095 less 1024; about half of the voxels are above. */
export const ABOVE = 0;

export interface Stage extends AsyncDisposable {
  readonly folder: string;
  readonly pacs: Pacs;
  readonly model: ModelDouble;
  readonly journal: Journal;
  readonly port: number;
  /** Of the HTTP door, if the options ask for one. */
  readonly origin: string;
  readonly paths: readonly string[];
}

export async function stage(
  options: Partial<RigOptions> & {
    readonly pacs?: PacsOptions;
    readonly slices?: number;
    readonly series?: Partial<Phantom>;
  } = {},
): Promise<Stage> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await tempFolder()).path;
  await mkdir(join(folder, "pacs"));
  const pacs = parts.use(await startPacs(join(folder, "pacs"), options.pacs));
  const model = parts.use(await startModelDouble(({ body }) => threshold(body, ABOVE)));
  const journal = new Journal();
  const models = options.models ?? { bone: { url: model.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` } };
  const node = parts.use(await startRig(folder, journal, { pacsPort: pacs.port, ...options, models }));
  const files = await writeSeries(join(folder, "source"), {
    slices: options.slices ?? 3,
    columns: 16,
    rows: 12,
    ...options.series,
  });
  const release = parts.move();
  const paths = pathsOf(files);
  return {
    folder,
    pacs,
    model,
    journal,
    port: node.port,
    origin: `http://127.0.0.1:${node.httpPort}`,
    paths,
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}

export const pathsOf = (files: readonly PhantomFile[]): readonly string[] => files.map(({ path }) => path);

/** Paths of a series from its first slice to its last. */
export async function sortedByPosition(paths: readonly string[]): Promise<string[]> {
  const placed = await Promise.all(
    paths.map(async (path) => {
      const { dataSet } = readPart10(await readFile(path));
      return { path, z: Number(stringOf(dataSet, tagOf("SliceLocation")) ?? Number.NaN), dataSet };
    }),
  );
  const zOf = ({ dataSet }: (typeof placed)[0]): number =>
    Number(
      Buffer.from((dataSet.elements.get(tagOf("ImagePositionPatient")) as { bytes: Uint8Array }).bytes)
        .toString()
        .split("\\")[2],
    );
  return placed.sort((a, b) => zOf(a) - zOf(b)).map(({ path }) => path);
}

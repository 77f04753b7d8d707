/**
 * What must be true after a trial, whatever was done to the node in it.
 *
 *   no loss        every image that was answered Success lies in the spool, byte for byte, with its row
 *   once           each archive has one object of each model, the same ones as undisturbed, and every copy of an
 *                  object that came twice is the same to the byte
 *   right patient  study, patient, frame of reference and referenced images of a result are those of the source
 *   drains         nothing is left to do, without a hand
 *   clean          no file without a row, no half-written result
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readPart10 } from "../../src/dicom/part10.ts";
import type { Pacs } from "../support/pacs.ts";
import { type Item, readElements, readSeg, textAt } from "../support/seg-reader.ts";
import { IMAGES, MODELS, type World } from "./world.ts";

/** (0020,000D), (0010,0020), (0010,0010), (0020,0052) */
const IDENTITY = ["0020000d", "00100020", "00100010", "00200052"] as const;

/** @param expected  by destination: SOP Instance UIDs; undefined in the undisturbed run, which makes them */
export async function violations(
  world: World,
  expected: ReadonlyMap<string, ReadonlySet<string>> | undefined,
): Promise<readonly string[]> {
  const found: string[] = [];
  const rows = queried(world.dataFolder, "SELECT id, sop, sha256 FROM instance") as readonly {
    id: string;
    sop: string;
    sha256: string;
  }[];
  found.push(...(await lost(world, rows)));
  for (const [name, pacs] of world.archives) {
    found.push(...(await wrongObjects(name, pacs, expected?.get(name))));
    for (const { path } of pacs.stored) found.push(...(await wrongPatient(name, path, world)));
  }
  for (const [path, count] of counted(world.model.requests.map(({ path }) => path))) {
    if (count > 2) found.push(`once: model ${path} was asked ${count} times`);
  }
  found.push(...unfinished(world).map((what) => `drains: ${what}`));
  const files = await readdir(join(world.dataFolder, "instances"));
  const known = new Set(rows.map(({ id }) => `${id}.dcm`));
  const stray = files.filter((name) => !known.has(name));
  if (stray.length > 0) found.push(`clean: ${stray.length} files without a row`);
  const parts = (await readdir(join(world.dataFolder, "results"))).filter((name) => !name.endsWith(".dcm"));
  if (parts.length > 0) found.push(`clean: ${parts.length} half-written results`);
  return found;
}

/** What the node still has to do, by its ledger; one entry "unreadable" if that cannot be told now. */
export function unfinished({ dataFolder }: World): readonly string[] {
  try {
    const [row] = queried(
      dataFolder,
      `SELECT (SELECT COUNT(*) FROM instance WHERE used = 1) AS images,
         (SELECT COUNT(*) FROM series WHERE state = 'open') AS series,
         (SELECT COUNT(*) FROM run WHERE state = 'pending') AS runs,
         (SELECT COUNT(*) FROM delivery WHERE state <> 'delivered') AS deliveries,
         (SELECT COUNT(*) FROM job) AS jobs`,
    ) as readonly Record<string, number>[];
    const left = Object.entries(row ?? {}).filter(([what, count]) => what !== "images" && count > 0);
    const missing = row?.["images"] === IMAGES ? [] : [`${row?.["images"]} images`];
    return [...missing, ...left.map(([what, count]) => `${count} ${what}`)];
  } catch {
    return ["unreadable"];
  }
}

function resultsOf(pacs: Pacs): ReadonlySet<string> {
  return new Set(pacs.stored.map(({ sopInstanceUid }) => sopInstanceUid));
}

async function lost(
  { acknowledged, images, dataFolder }: World,
  rows: readonly { readonly id: string; readonly sop: string; readonly sha256: string }[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const image of images) {
    if (!acknowledged.has(image.sopInstanceUid)) {
      found.push("drains: an image was never acknowledged");
      continue;
    }
    const row = rows.find(({ sop }) => sop === image.sopInstanceUid);
    if (!row) {
      found.push("no loss: an acknowledged image has no row");
      continue;
    }
    const file = await readFile(join(dataFolder, "instances", `${row.id}.dcm`)).catch(() => undefined);
    if (!file) found.push("no loss: an acknowledged image has no file");
    else if (
      digest(file.subarray(readPart10(file).dataSetOffset)) !== image.sha256 ||
      row.sha256 !== image.sha256
    )
      found.push("no loss: an acknowledged image has other bytes");
  }
  return found;
}

async function wrongObjects(
  name: string,
  pacs: Pacs,
  expected: ReadonlySet<string> | undefined,
): Promise<readonly string[]> {
  const found: string[] = [];
  const results = resultsOf(pacs);
  if (results.size !== MODELS.length) found.push(`once: ${name} has ${results.size} different objects`);
  if (expected && [...results].some((uid) => !expected.has(uid)))
    found.push(`once: ${name} has an object that the undisturbed run did not make`);
  const first = new Map<string, Buffer>();
  for (const { sopInstanceUid, path } of pacs.stored) {
    const file = await readFile(path);
    const before = first.get(sopInstanceUid);
    if (before && !file.equals(before)) found.push(`once: ${name} got one object with different bytes`);
    first.set(sopInstanceUid, before ?? file);
  }
  return found;
}

async function wrongPatient(name: string, path: string, { images }: World): Promise<readonly string[]> {
  const seg = readSeg(await readFile(path));
  const source = readElements(await readFile(images[0]!.path));
  const identity = (item: Item): string => IDENTITY.map((tag) => textAt(item, tag)).join(" ");
  const known = new Set<string>(images.map(({ sopInstanceUid }) => sopInstanceUid));
  const foreign = seg.frames.filter(({ sourceInstance }) => !known.has(sourceInstance));
  return [
    ...(identity(seg.dataSet) === identity(source) ? [] : [`right patient: ${name} has a foreign object`]),
    ...(foreign.length === 0 ? [] : [`right patient: ${name} has a result that refers to foreign images`]),
  ];
}

function queried(dataFolder: string, sql: string): readonly unknown[] {
  const database = new DatabaseSync(join(dataFolder, "ledger.sqlite"), { readOnly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

function counted(values: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

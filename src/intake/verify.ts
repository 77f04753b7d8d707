/** Are the images on the disk the ones that were received? Asked before any of them becomes part of a volume. */
import { digestOf } from "../base/digest.ts";
import { task } from "../base/worker-pool.ts";
import { keptMeta } from "./kept-meta.ts";

export interface Kept {
  readonly path: string;
  readonly sopInstanceUid: string;
  /** Of the data set, as it was received. */
  readonly sha256: string;
}

export const verifyTask = task<typeof damagedOf>(import.meta.url, "./verify", "damagedOf");

/** @returns SOP Instance UIDs of those that are gone, cannot be read, or have other bytes */
export async function damagedOf(files: readonly Kept[]): Promise<readonly string[]> {
  const damaged: string[] = [];
  for (const { path, sopInstanceUid, sha256 } of files) {
    if ((await digestOfDataSet(path)) !== sha256) damaged.push(sopInstanceUid);
  }
  return damaged;
}

async function digestOfDataSet(path: string): Promise<string | undefined> {
  try {
    const { dataSetOffset } = await keptMeta(path);
    return await digestOf(path, dataSetOffset);
  } catch {
    return undefined;
  }
}

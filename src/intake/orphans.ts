/**
 * Files of the spool without a row in the ledger, at the start of the node.
 *
 * Most are of a process that died while an instance arrived: cut off, never acknowledged, removed. One that is whole
 * is put aside: it was most likely not acknowledged either, but a ledger that lost its last rows looks the same.
 */
import { createReadStream } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { encodingOf, isDeflated } from "../dicom/part10.ts";
import { StructureCheck } from "../dicom/structure.ts";
import type { FileId } from "../ledger/records.ts";
import { keptMeta } from "./kept-meta.ts";
import type { Spool } from "./spool.ts";

export interface Orphans {
  readonly removed: number;
  readonly parked: number;
}

/** @param folder  where whole ones are put; made when it is needed */
export async function settleOrphans(
  spool: Spool,
  folder: string,
  isKept: (id: FileId) => Promise<boolean>,
): Promise<Orphans> {
  let [removed, parked] = [0, 0];
  for (const id of await spool.ids()) {
    if (await isKept(id)) continue;
    if (await isWhole(spool.pathOf(id))) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await rename(spool.pathOf(id), join(folder, `${id}.dcm`));
      parked++;
    } else {
      await spool.remove(id);
      removed++;
    }
  }
  if (parked > 0) {
    await using handle = await open(folder);
    await handle.sync();
  }
  return { removed, parked };
}

async function isWhole(path: string): Promise<boolean> {
  try {
    const { transferSyntaxUid, dataSetOffset } = await keptMeta(path);
    if (isDeflated(transferSyntaxUid)) return true; // cannot be told
    const check = new StructureCheck(encodingOf(transferSyntaxUid));
    let bytes = 0;
    for await (const chunk of createReadStream(path, { start: dataSetOffset })) {
      check.write(chunk as Uint8Array);
      bytes += (chunk as Uint8Array).length;
    }
    return bytes > 0 && check.end() === undefined;
  } catch {
    return false; // not even its beginning is there
  }
}

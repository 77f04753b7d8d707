/** Sends files as a scanner would: one association, one context for each SOP Class and transfer syntax. */
import { readFile } from "node:fs/promises";
import { associate } from "../../src/association/scu.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import type { InstanceUid, SopClassUid } from "../../src/dicom/uid.ts";

export interface SendOptions {
  readonly calling?: string;
  readonly called?: string;
  /** Leaves by A-ABORT instead of a release. */
  readonly abort?: boolean;
}

/** @returns the statuses, in the order of the files */
export async function send(
  paths: readonly string[],
  port: number,
  options: SendOptions = {},
): Promise<number[]> {
  const instances = await Promise.all(
    paths.map(async (path) => {
      const file = await readFile(path);
      const { meta, transferSyntaxUid, dataSetOffset } = readPart10(file);
      return {
        sopClassUid: stringOf(meta, tagOf("MediaStorageSOPClassUID")) as SopClassUid,
        sopInstanceUid: stringOf(meta, tagOf("MediaStorageSOPInstanceUID")) as InstanceUid,
        transferSyntaxUid,
        dataSet: piecesOf(file.subarray(dataSetOffset)),
      };
    }),
  );
  const contexts = new Map<
    string,
    { abstractSyntax: SopClassUid; transferSyntaxes: [(typeof instances)[0]["transferSyntaxUid"]] }
  >();
  for (const { sopClassUid, transferSyntaxUid } of instances) {
    contexts.set(sopClassUid + transferSyntaxUid, {
      abstractSyntax: sopClassUid,
      transferSyntaxes: [transferSyntaxUid],
    });
  }
  const association = await associate(
    { aeTitle: parseAeTitle(options.called ?? "ISOCENTER")!, host: "127.0.0.1", port },
    {
      callingAeTitle: parseAeTitle(options.calling ?? "SCANNER")!,
      contexts: [...contexts.values()],
      connectTimeoutMs: 5_000,
      answerTimeoutMs: 30_000,
    },
  );
  const statuses: number[] = [];
  for (const instance of instances) statuses.push((await association.store(instance)).status);
  if (options.abort) association.abort();
  else await association[Symbol.asyncDispose]();
  return statuses;
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Scanners for load: series of CT images of half a megabyte and now and then one large image, at a pace or flat out. */
import { setTimeout as sleep } from "node:timers/promises";
import { associate } from "../../src/association/scu.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { fromKeywords } from "../../src/dicom/build.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { encodePart10 } from "../../src/dicom/encode.ts";
import { instanceUid, PHANTOM, type Phantom, sliceHeader } from "../support/phantom.ts";

export interface Answered {
  readonly status: number;
  readonly ms: number;
  readonly bytes: number;
}

export interface SenderOptions {
  readonly port: number;
  /** Names the studies; other names, other studies. */
  readonly name: string;
  /** By study: images and their size. */
  readonly studies: Iterable<{ readonly images: number; readonly columns: number; readonly rows: number }>;
  /** Undefined: as fast as it goes. */
  readonly bytesPerSecond?: number;
  /** Ends before the next study. */
  readonly signal?: AbortSignal;
  readonly onAnswer: (answered: Answered) => void;
}

/** One association a study. @returns how many studies were sent @throws when one fails */
export async function sendStudies(options: SenderOptions): Promise<number> {
  const { port, name, bytesPerSecond, onAnswer } = options;
  const began = performance.now();
  let [sent, count] = [0, 0];
  for (const { images, columns, rows } of options.studies) {
    if (options.signal?.aborted) break;
    const phantom: Phantom = { ...PHANTOM, seed: `${name} ${count++}`, slices: images, columns, rows };
    const pixels = new Uint8Array(columns * rows * 2).fill(1);
    await using association = await associate(
      { aeTitle: parseAeTitle("ISOCENTER")!, host: "127.0.0.1", port },
      {
        callingAeTitle: parseAeTitle("SCANNER")!,
        contexts: [
          {
            abstractSyntax: SOP_CLASS.CT_IMAGE,
            transferSyntaxes: [TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN],
          },
        ],
        connectTimeoutMs: 10_000,
        answerTimeoutMs: 60_000,
      },
    );
    for (let slice = 0; slice < images; slice++) {
      if (bytesPerSecond !== undefined)
        await sleep(Math.max(0, (sent / bytesPerSecond) * 1000 - (performance.now() - began)));
      const asked = performance.now();
      const { status } = await association.store(instanceOf(phantom, slice, pixels));
      onAnswer({ status, ms: performance.now() - asked, bytes: pixels.length });
      sent += pixels.length;
    }
  }
  return count;
}

function instanceOf(phantom: Phantom, slice: number, pixels: Uint8Array) {
  const transferSyntaxUid = TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN;
  const header = fromKeywords(sliceHeader(phantom, slice));
  const [, ...dataSet] = encodePart10(transferSyntaxUid, header, { vr: "OW", chunks: [pixels] });
  return {
    sopClassUid: SOP_CLASS.CT_IMAGE,
    sopInstanceUid: instanceUid(phantom, slice),
    transferSyntaxUid,
    dataSet: pieces(dataSet),
  };
}

async function* pieces(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

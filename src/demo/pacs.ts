/**
 * The demo's stand-in for a PACS: takes what is sent to it, keeps it in a folder, says what came.
 *
 * In:   instances by C-STORE, whole ones only.
 * Out:  files, and of each segmentation how many segments, frames and bytes it has.
 */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { listen } from "../association/scp.ts";
import type { InstanceSink, StoreRequest } from "../association/storage-handler.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import { fromKeywords } from "../dicom/build.ts";
import { SOP_CLASS, STATUS } from "../dicom/constants.ts";
import { itemsOf, numberOf, stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { encodeMeta } from "../dicom/encode.ts";
import { readPart10Header } from "../dicom/part10.ts";
import type { InstanceUid, SopClassUid } from "../dicom/uid.ts";

export interface Received {
  readonly path: string;
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  readonly status: number;
  /** Milliseconds of the clock. */
  readonly at: number;
}

export interface Segmentation extends Received {
  readonly seriesDescription: string;
  readonly segments: number;
  readonly frames: number;
  readonly bytes: number;
}

export interface DemoPacs extends AsyncDisposable {
  readonly port: number;
}

const LIMITS = {
  associations: 16,
  associationsPerPeer: 16,
  pduBytes: 128 * 1024,
  associateBytes: 256 * 1024,
  commandBytes: 16 * 1024,
  instanceBytes: 4 * 1024 ** 3,
} as const;
const TIMEOUTS = { artimMs: 30_000, idleMs: 600_000, inactivityMs: 60_000, graceMs: 1_000 } as const;

const TAG = {
  segments: tagOf("SegmentSequence"),
  frames: tagOf("NumberOfFrames"),
  description: tagOf("SeriesDescription"),
};

/** @throws NodeError LISTEN_FAILED */
export async function startPacs(
  folder: string,
  settings: { readonly aeTitle: AeTitle; readonly port: number },
  onReceived: (received: Received) => void,
  clock: Clock = systemClock,
): Promise<DemoPacs> {
  let count = 0;
  const handler = {
    admit: () => "ok" as const,
    closed: () => {},
    open: (request: StoreRequest) => {
      count += 1;
      const path = join(folder, `${String(count).padStart(4, "0")}.dcm`);
      return sinkTo(path, request, (status) => {
        const { sopClassUid, sopInstanceUid } = request;
        onReceived({ path, sopClassUid, sopInstanceUid, status, at: clock.elapsed() });
      });
    },
  };
  return listen(
    {
      aeTitle: settings.aeTitle,
      host: "127.0.0.1",
      port: settings.port,
      callers: [{ aeTitle: "*", from: "127.0.0.1" }],
      acceptDeflated: false,
      limits: LIMITS,
      timeouts: TIMEOUTS,
    },
    handler,
    { log: silentLog, clock },
  );
}

/** @throws NodeError DATA_SET_INVALID */
export async function readSegmentation(received: Received): Promise<Segmentation | undefined> {
  if (received.sopClassUid !== SOP_CLASS.SEGMENTATION) return undefined;
  const { dataSet, pixelData } = await readPart10Header(received.path);
  return {
    ...received,
    seriesDescription: stringOf(dataSet, TAG.description) ?? "",
    segments: itemsOf(dataSet, TAG.segments).length,
    frames: numberOf(dataSet, TAG.frames) ?? 0,
    bytes: pixelData?.length ?? 0,
  };
}

/** Under another name until it is whole. */
function sinkTo(path: string, request: StoreRequest, onDone: (status: number) => void): InstanceSink {
  const partial = `${path}.part`;
  const stream = createWriteStream(partial);
  let failed = false;
  stream.on("error", () => {
    failed = true;
  });
  const { sopClassUid, sopInstanceUid, transferSyntaxUid } = request;
  stream.write(
    encodeMeta(transferSyntaxUid, fromKeywords({ SOPClassUID: sopClassUid, SOPInstanceUID: sopInstanceUid })),
  );
  return {
    write: (fragment) => stream.write(Buffer.from(fragment)),
    async drained() {
      if (stream.writableNeedDrain && !failed) await once(stream, "drain").catch(() => {});
    },
    async finish() {
      try {
        stream.end();
        await finished(stream);
        await rename(partial, path);
        onDone(STATUS.SUCCESS);
        return STATUS.SUCCESS;
      } catch {
        onDone(STATUS.OUT_OF_RESOURCES);
        return STATUS.OUT_OF_RESOURCES;
      }
    },
    async discard() {
      stream.destroy();
      await finished(stream).catch(() => {});
      await rm(partial, { force: true });
    },
  };
}

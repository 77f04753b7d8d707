/**
 * A PACS for tests: the storage SCP over a folder, with an answer that a test can choose for each instance.
 */
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { listen, type Scp } from "../../src/association/scp.ts";
import type { StoreRequest } from "../../src/association/storage-handler.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { fromKeywords } from "../../src/dicom/build.ts";
import { STATUS } from "../../src/dicom/constants.ts";
import { encodeMeta } from "../../src/dicom/encode.ts";

interface Stored {
  readonly sopInstanceUid: string;
  readonly path: string;
  readonly status: number;
}

export interface Pacs extends AsyncDisposable {
  readonly port: number;
  /** In order of arrival; an instance that was sent twice stands there twice. */
  readonly stored: readonly Stored[];
  /** Resolves when so many instances were answered Success. */
  arrived(count: number): Promise<void>;
}

export interface PacsOptions {
  readonly port?: number;
  /** How many associations are refused with 2/3/2 before one is let in. */
  readonly busyAtFirst?: number;
  /** The status to answer; Success by default. */
  readonly answer?: (request: StoreRequest, at: number) => number;
}

const LIMITS = {
  associations: 25,
  associationsPerPeer: 25,
  pduBytes: 131_072,
  associateBytes: 262_144,
  commandBytes: 16_384,
  instanceBytes: 2 ** 31,
};

export async function startPacs(folder: string, options: PacsOptions = {}): Promise<Pacs> {
  const stored: Stored[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  let asked = 0;
  let refused = 0;

  function keep(request: StoreRequest, status: number, fragments: readonly Uint8Array[]): Promise<void> {
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = request;
    const identity = fromKeywords({ SOPClassUID: sopClassUid, SOPInstanceUID: sopInstanceUid });
    const path = join(folder, `${stored.length}-${sopInstanceUid}.dcm`);
    const entry = { sopInstanceUid, path, status };
    stored.push(entry);
    return writeChunks(path, [encodeMeta(transferSyntaxUid, identity), ...fragments]);
  }

  const scp: Scp = await listen(
    {
      aeTitle: parseAeTitle("PACS")!,
      host: "127.0.0.1",
      port: options.port ?? 0,
      callers: [{ aeTitle: "*", from: "127.0.0.1" }],
      acceptDeflated: true,
      limits: LIMITS,
      timeouts: { artimMs: 10_000, idleMs: 30_000, inactivityMs: 30_000, graceMs: 100 },
    },
    {
      admit: () => (refused++ < (options.busyAtFirst ?? 0) ? "busy" : "ok"),
      closed: () => {},
      open(request) {
        const fragments: Uint8Array[] = [];
        return {
          write: (fragment) => fragments.push(Buffer.from(fragment)) > 0,
          drained: async () => {},
          discard: async () => {},
          async finish() {
            const status = options.answer?.(request, asked++) ?? STATUS.SUCCESS;
            await keep(request, status, fragments);
            const good = stored.filter((one) => one.status === STATUS.SUCCESS).length;
            for (const { count, resolve } of waiting) if (good >= count) resolve();
            return status;
          },
        };
      },
    },
    { log: silentLog, clock: systemClock },
  );
  return {
    port: scp.port,
    stored,
    arrived(count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (stored.filter(({ status }) => status === STATUS.SUCCESS).length >= count) resolve();
      waiting.push({ count, resolve });
      return promise;
    },
    [Symbol.asyncDispose]: () => scp[Symbol.asyncDispose](),
  };
}

async function writeChunks(path: string, chunks: readonly Uint8Array[]): Promise<void> {
  await using file = await open(path, "w");
  for (const chunk of chunks) await file.appendFile(chunk);
}

/** The bytes of what was stored, by SOP Instance UID; the last one where it came twice. */
export async function contents(pacs: Pacs): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const { sopInstanceUid, path } of pacs.stored) files.set(sopInstanceUid, await readFile(path));
  return files;
}

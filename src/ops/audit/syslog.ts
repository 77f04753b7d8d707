/**
 * The audit trail sent to a collector: syslog over TLS, RFC 5424 in the framing of RFC 5425.
 *
 * The files of the trail are the queue: what was sent is remembered as a line number in `sent`, so that a collector
 * that was away gets everything that is still there. Syslog acknowledges nothing: a line counts as sent when the
 * system took it, and after a broken connection the last ones are sent again.
 */

import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { backoffMs } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { NodeError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { follow } from "./chain.ts";
import { trailFiles } from "./trail.ts";

export interface SyslogSettings {
  readonly host: string;
  readonly port: number;
  /** Paths of PEM files. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

const SENT = "sent";
const BACKOFF = { firstMs: 1_000, capMs: 5 * 60_000 } as const;
const CONNECT_TIMEOUT_MS = 10_000;
/** log audit (13) × 8 + notice (5); the message id of PS3.15 A.6. */
const PRIORITY = 13 * 8 + 5;
/** After a break so many lines that were thought sent go again. */
const AGAIN = 20;

export class SyslogSender implements AsyncDisposable {
  readonly #folder: string;
  readonly #settings: SyslogSettings;
  readonly #system: { readonly log: Log; readonly clock: Clock; readonly hostname: string };
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #wake = Promise.withResolvers<void>();

  constructor(
    folder: string,
    settings: SyslogSettings,
    system: { readonly log: Log; readonly clock: Clock; readonly hostname: string },
  ) {
    this.#folder = folder;
    this.#settings = settings;
    this.#system = system;
    this.#running = this.#run();
  }

  /** There are new lines. */
  wake(): void {
    this.#wake.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.wake();
    await this.#running;
  }

  /** Cannot reject. */
  async #run(): Promise<void> {
    const { log, clock } = this.#system;
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#connected();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        const waitMs = backoffMs(BACKOFF, failures, Math.random());
        if (failures === 1) log.warn("audit.collector-away", { host: this.#settings.host, error, waitMs });
        await clock.sleep(waitMs, { signal }).catch(() => {});
      }
    }
  }

  /** Sends what there is and what comes, until the connection breaks or the node stops. */
  async #connected(): Promise<void> {
    const socket = await this.#connect();
    try {
      const broken = once(socket, "close").then(() => {
        throw new NodeError("ASSOCIATION_FAILED", "Audit collector: the connection is closed");
      });
      broken.catch(() => {});
      let sent = Math.max(0, (await this.#sent()) - AGAIN);
      while (!this.#stop.signal.aborted) {
        this.#wake = Promise.withResolvers();
        for await (const { sequence, message } of linesAfter(this.#folder, sent)) {
          if (!socket.write(this.#frame(message))) await Promise.race([once(socket, "drain"), broken]);
          sent = sequence;
        }
        await this.#remember(sent);
        await Promise.race([this.#wake.promise, broken]);
      }
    } finally {
      socket.destroy();
    }
  }

  async #connect(): Promise<TLSSocket> {
    const { host, port, ...files } = this.#settings;
    const pem = async (path: string | undefined) => (path === undefined ? undefined : readFile(path));
    const [ca, cert, key] = await Promise.all([pem(files.ca), pem(files.cert), pem(files.key)]);
    const socket = connect({
      host,
      port,
      servername: host,
      minVersion: "TLSv1.2",
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
    });
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
    try {
      await once(socket, "secureConnect", { signal });
      socket.on("error", () => {}); // the close that follows says it
      return socket;
    } catch (error) {
      socket.on("error", () => {}).destroy();
      throw error;
    }
  }

  #frame(message: string): Uint8Array {
    const time = new Date(this.#system.clock.now()).toISOString();
    const head = `<${PRIORITY}>1 ${time} ${this.#system.hostname} isocenter ${process.pid} DICOM+RFC3881 - `;
    const body = Buffer.from(`${head}\uFEFF${message}`);
    return Buffer.concat([Buffer.from(`${body.length} `), body]);
  }

  async #sent(): Promise<number> {
    return readFile(join(this.#folder, SENT), "utf8").then(Number, () => 0);
  }

  async #remember(sequence: number): Promise<void> {
    const path = join(this.#folder, SENT);
    await writeFile(`${path}.part`, String(sequence), { mode: 0o600 });
    await rename(`${path}.part`, path);
  }
}

async function* linesAfter(
  folder: string,
  sequence: number,
): AsyncGenerator<{ readonly sequence: number; readonly message: string }> {
  const files = await trailFiles(folder);
  for (const [at, path] of files.entries()) {
    const next = files[at + 1];
    if (next && firstOf(next) <= sequence + 1) continue;
    const lines = (await readFile(path, "utf8")).split("\n").slice(0, -1);
    for (const line of lines) {
      const followed = follow(undefined, line);
      if (followed.kind === "broken" || followed.link.sequence <= sequence) continue;
      yield { sequence: followed.link.sequence, message: followed.message };
    }
  }
}

function firstOf(path: string): number {
  return Number(/audit-(\d+)\.log$/.exec(path)?.[1] ?? 0);
}

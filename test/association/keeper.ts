/** A storage handler that keeps what it gets in memory, and an SCP over it, for the tests of this folder. */
import type { CommitmentHandler } from "../../src/association/notice.ts";
import { listen, type Scp, type ScpSettings } from "../../src/association/scp.ts";
import type {
  AssociationFacts,
  InstanceSink,
  StorageHandler,
  StoreRequest,
} from "../../src/association/storage-handler.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { Log, LogFields } from "../../src/base/log.ts";
import { type AeTitle, parseAeTitle } from "../../src/dicom/ae-title.ts";

export interface Kept {
  readonly request: StoreRequest;
  readonly fragments: Uint8Array[];
  /** As they were given, not copied. */
  readonly lent: Uint8Array[];
  bytes: number;
  state: "open" | "finished" | "discarded";
}

export class Keeper implements StorageHandler {
  readonly kept: Kept[] = [];
  readonly admitted: AssociationFacts[] = [];
  readonly ended: { readonly id: number; readonly how: "released" | "aborted" }[] = [];
  /** What a test changes to make things go wrong. */
  admission: () => "ok" | "busy" = () => "ok";
  answer: () => number = () => 0;
  finishing: () => Promise<void> = async () => {};
  /** Undefined: room for more. */
  full: (kept: Kept) => Promise<void> | undefined = () => undefined;
  keepsBytes = true;
  readonly #waiting = new Set<() => void>();

  admit(association: AssociationFacts): "ok" | "busy" {
    this.admitted.push(association);
    this.#changed();
    return this.admission();
  }

  open(request: StoreRequest): InstanceSink | number {
    const status = this.answer();
    if (status !== 0) return status;
    const kept: Kept = { request, fragments: [], lent: [], bytes: 0, state: "open" };
    this.kept.push(kept);
    let drained: Promise<void> | undefined;
    return {
      write: (fragment) => {
        if (kept.state !== "open") throw new Error("written after the end");
        kept.bytes += fragment.length;
        kept.lent.push(fragment);
        if (this.keepsBytes) kept.fragments.push(Buffer.from(fragment));
        drained = this.full(kept);
        this.#changed();
        return drained === undefined;
      },
      drained: async () => drained,
      finish: async () => {
        if (kept.state !== "open") throw new Error("ended twice");
        await this.finishing();
        kept.state = "finished";
        this.#changed();
        return 0;
      },
      discard: async () => {
        if (kept.state !== "open") throw new Error("ended twice");
        kept.state = "discarded";
        this.#changed();
      },
    };
  }

  closed(association: AssociationFacts, how: "released" | "aborted"): void {
    this.ended.push({ id: association.id, how });
    this.#changed();
  }

  dataSet(at: number): Buffer {
    return Buffer.concat(this.kept[at]?.fragments ?? []);
  }

  /** Resolves when the condition holds; it is looked at whenever something has been called. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #changed(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

interface Line extends LogFields {
  readonly event: string;
}

export interface TestScp extends AsyncDisposable {
  readonly port: number;
  readonly tlsPort: number;
  reloadCertificates(): Promise<void>;
  /** The next line with this event that is not there yet. */
  said(event: string): Promise<Line>;
  readonly lines: readonly Line[];
}

export function aeTitle(text: string): AeTitle {
  const title = parseAeTitle(text);
  if (!title) throw new Error(`${text} is no AE title`);
  return title;
}

export interface Overrides {
  readonly callers?: ScpSettings["callers"];
  readonly acceptDeflated?: boolean;
  readonly port?: number;
  readonly commitment?: CommitmentHandler;
  /** Beside the plain listener, on a free port of 127.0.0.1. */
  readonly tls?: Pick<NonNullable<ScpSettings["tls"]>, "files"> & { mutual?: boolean; handshakeMs?: number };
  readonly clock?: Clock;
  readonly limits?: Partial<ScpSettings["limits"]>;
  readonly timeouts?: Partial<ScpSettings["timeouts"]>;
}

/** Called ISOCENTER, on a free port of 127.0.0.1; anybody may call. */
export async function startScp(handler: StorageHandler, overrides: Overrides = {}): Promise<TestScp> {
  const lines: Line[] = [];
  const waiting = new Set<{ readonly event: string; readonly resolve: (line: Line) => void }>();
  const note = (event: string, fields: LogFields): void => {
    const line = { event, ...fields };
    lines.push(line);
    for (const one of waiting) if (one.event === event && waiting.delete(one)) one.resolve(line);
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const scp: Scp = await listen(
    {
      aeTitle: aeTitle("ISOCENTER"),
      host: "127.0.0.1",
      port: overrides.port ?? 0,
      ...(overrides.tls && {
        tls: { host: "127.0.0.1", port: 0, mutual: true, handshakeMs: 10_000, ...overrides.tls },
      }),
      callers: overrides.callers ?? [{ aeTitle: "*", from: "*" }],
      acceptDeflated: overrides.acceptDeflated ?? false,
      limits: {
        associations: 25,
        associationsPerPeer: 25,
        pduBytes: 131_072,
        associateBytes: 262_144,
        commandBytes: 16_384,
        instanceBytes: 2 ** 31,
        ...overrides.limits,
      },
      timeouts: { artimMs: 30_000, idleMs: 60_000, inactivityMs: 25_000, graceMs: 0, ...overrides.timeouts },
    },
    handler,
    { log, clock: overrides.clock ?? systemClock, commitment: overrides.commitment },
  );
  return {
    port: scp.port,
    tlsPort: scp.tlsPort ?? 0,
    reloadCertificates: () => scp.reloadCertificates(),
    said: (event) => new Promise((resolve) => void waiting.add({ event, resolve })),
    lines,
    [Symbol.asyncDispose]: () => scp[Symbol.asyncDispose](),
  };
}

/**
 * Sends results to their destinations, one at a time for each, and tells what became of it. While one is sent the
 * next may be handed over already: its file is read meanwhile.
 *
 * An association is kept while there is something to send, and released after a short idle time. What the peer
 * answered decides: delivered, try again, or held for a person to look at (association/statuses.ts).
 *
 * An object may lie in several files, each in its transfer syntax: the first that the peer takes is sent, as it lies
 * in the file. Only for a peer that takes Implicit VR alone is the data set written anew (implicit.ts).
 */
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { WorkerPool } from "../base/worker-pool.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import { TRANSFER_SYNTAX } from "../dicom/constants.ts";
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../dicom/uid.ts";
import { IMPLICIT_HEAD } from "./implicit.ts";
import { ResultFile, ResultMemory } from "./result-file.ts";

export interface Destination {
  readonly name: string;
  readonly aeTitle: AeTitle;
  readonly callingAeTitle: AeTitle;
  readonly host: string;
  readonly port: number;
  readonly segmentation: {
    readonly as: "binary" | "labelmap" | "fractional";
    readonly compression: "none" | "rle";
  };
  /** Whether it is asked to take responsibility for what it got. */
  readonly storageCommitment: boolean;
  /** How long a delivery is tried before it is held. */
  readonly retryForMs: number;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
}

/** What delivery needs of association/scu.ts. */
export interface Association extends AsyncDisposable {
  readonly isOpen: boolean;
  /** Nothing that was sent waits in this process any more. */
  readonly isFlushed: boolean;
  accepted(abstractSyntax: string, transferSyntaxUid: TransferSyntaxUid): boolean;
  store(
    instance: {
      readonly sopClassUid: SopClassUid;
      readonly sopInstanceUid: InstanceUid;
      readonly transferSyntaxUid: TransferSyntaxUid;
      readonly dataSet: AsyncIterable<Uint8Array>;
    },
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly status: number; readonly comment?: string }>;
}

export type Associate = (
  destination: Destination,
  context: { readonly abstractSyntax: SopClassUid; readonly transferSyntaxes: readonly TransferSyntaxUid[] },
  options: { readonly signal: AbortSignal },
) => Promise<Association>;

/** One object. */
interface Parcel {
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  /** The most wanted first; the same object in each. */
  readonly files: readonly ParcelFile[];
}

interface ParcelFile {
  readonly path: string;
  readonly transferSyntaxUid: TransferSyntaxUid;
}

interface OpenFile extends ParcelFile {
  readonly file: ResultFile;
}

interface Sent {
  /** Of the C-STORE response. */
  readonly status: number;
  readonly transferSyntaxUid: TransferSyntaxUid;
}

export interface Courier extends AsyncDisposable {
  /** @throws NodeError of the association; CONTEXT_REFUSED; DATA_SET_INVALID, STORAGE_FAILED */
  send(destination: Destination, parcel: Parcel, options: { readonly signal: AbortSignal }): Promise<Sent>;
}

interface CourierSystem {
  readonly log: Log;
  readonly clock: Clock;
  readonly pool: WorkerPool;
}

interface LineParts extends CourierSystem {
  readonly memory: ResultMemory;
}

/** What is sent: the bytes of a data set, in a transfer syntax that the peer takes. */
interface Offer {
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly dataSet: AsyncIterable<Uint8Array>;
}

const IDLE_RELEASE_MS = 2_000;
const TRANSCODE_TIMEOUT_MS = 60_000;
const { IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN } = TRANSFER_SYNTAX;

export function createCourier(associate: Associate, system: CourierSystem): Courier {
  const lines = new Map<string, Line>();
  const parts = { ...system, memory: new ResultMemory() };
  return {
    send(destination, parcel, { signal }) {
      let line = lines.get(destination.name);
      if (!line) lines.set(destination.name, (line = new Line(destination, associate, parts)));
      return line.send(parcel, signal);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...lines.values()].map((line) => line[Symbol.asyncDispose]()));
    },
  };
}

/** The association to one destination: it carries one parcel after the other, each in its turn. */
class Line implements AsyncDisposable {
  readonly #destination: Destination;
  readonly #associate: Associate;
  readonly #system: LineParts;
  #association: Association | undefined;
  #idle: Disposable | undefined;
  /** Settles when the association is free for whoever comes next. */
  #turn: Promise<void> = Promise.resolve();

  constructor(destination: Destination, associate: Associate, system: LineParts) {
    this.#destination = destination;
    this.#associate = associate;
    this.#system = system;
  }

  async send(parcel: Parcel, signal: AbortSignal): Promise<Sent> {
    const before = this.#turn;
    const { promise: mine, resolve: pass } = Promise.withResolvers<void>();
    this.#turn = mine;
    using opened = new DisposableStack();
    try {
      const files: OpenFile[] = [];
      for (const one of parcel.files) {
        files.push({ ...one, file: opened.use(await ResultFile.open(one.path, this.#system.memory)) });
      }
      await before;
      this.#idle?.[Symbol.dispose]();
      return await this.#carry(parcel, files, signal);
    } finally {
      await before;
      this.#idle?.[Symbol.dispose]();
      this.#idle = this.#system.clock.after(IDLE_RELEASE_MS, () => void this.#release());
      pass();
    }
  }

  async #carry(parcel: Parcel, files: readonly OpenFile[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const association = await this.#open(parcel, signal);
    const takes = (syntax: TransferSyntaxUid): boolean => association.accepted(parcel.sopClassUid, syntax);
    const taken = files.find(({ transferSyntaxUid }) => takes(transferSyntaxUid));
    const offer = taken
      ? { transferSyntaxUid: taken.transferSyntaxUid, dataSet: taken.file.from() }
      : takes(IMPLICIT_VR_LITTLE_ENDIAN) && (await this.#implicit(files, signal));
    if (!offer) {
      const { name } = this.#destination;
      throw new NodeError("CONTEXT_REFUSED", `Destination ${name}: does not take this SOP Class`);
    }
    const { transferSyntaxUid } = offer;
    const { status } = await association.store({ ...parcel, ...offer }, { signal });
    if (association.isFlushed) for (const { file } of files) file.sent();
    return { status, transferSyntaxUid };
  }

  async #implicit(files: readonly OpenFile[], signal: AbortSignal): Promise<Offer | undefined> {
    const native = files.find(({ transferSyntaxUid }) => transferSyntaxUid === EXPLICIT_VR_LITTLE_ENDIAN);
    if (!native) return undefined;
    const options = { signal, timeoutMs: TRANSCODE_TIMEOUT_MS };
    const { head, pixelOffset } = await this.#system.pool.run(IMPLICIT_HEAD, native.path, options);
    return {
      transferSyntaxUid: IMPLICIT_VR_LITTLE_ENDIAN,
      dataSet: following(head, native.file.from(pixelOffset)),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    this.#idle?.[Symbol.dispose]();
    await this.#release();
  }

  async #open({ sopClassUid: abstractSyntax, files }: Parcel, signal: AbortSignal): Promise<Association> {
    const syntaxes = files.map(({ transferSyntaxUid }) => transferSyntaxUid);
    const transferSyntaxes = syntaxes.includes(EXPLICIT_VR_LITTLE_ENDIAN)
      ? [...syntaxes, IMPLICIT_VR_LITTLE_ENDIAN]
      : syntaxes;
    const kept = this.#association;
    if (kept?.isOpen && transferSyntaxes.some((syntax) => kept.accepted(abstractSyntax, syntax))) return kept;
    await this.#release();
    const context = { abstractSyntax, transferSyntaxes };
    return (this.#association = await this.#associate(this.#destination, context, { signal }));
  }

  /** Cannot reject: an association that does not end properly ends all the same. */
  async #release(): Promise<void> {
    const association = this.#association;
    this.#association = undefined;
    try {
      await association?.[Symbol.asyncDispose]();
    } catch (error) {
      this.#system.log.debug("delivery.release-failed", { destination: this.#destination.name, error });
    }
  }
}

async function* following(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  yield* rest;
}

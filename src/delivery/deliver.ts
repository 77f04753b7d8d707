/**
 * Sends results to their destinations, one at a time for each, and tells what became of it.
 *
 * An association is kept while there is something to send, and released after a short idle time. What the peer
 * answered decides: delivered, try again, or held for a person to look at (association/statuses.ts).
 * Nothing is decoded or changed on the way: the data set leaves as it lies in the file.
 */
import { open } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import { type Part10Meta, readPart10Meta } from "../dicom/part10.ts";
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../dicom/uid.ts";

export interface Destination {
  readonly name: string;
  readonly aeTitle: AeTitle;
  readonly callingAeTitle: AeTitle;
  readonly host: string;
  readonly port: number;
  /** How long a delivery is tried before it is held. */
  readonly retryForMs: number;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
}

/** What delivery needs of association/scu.ts. */
export interface Association extends AsyncDisposable {
  readonly isOpen: boolean;
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
  context: { readonly abstractSyntax: SopClassUid; readonly transferSyntaxUid: TransferSyntaxUid },
  options: { readonly signal: AbortSignal },
) => Promise<Association>;

interface Parcel {
  readonly path: string;
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
}

export interface Courier extends AsyncDisposable {
  /** @returns the DIMSE status. @throws NodeError of the association; CONTEXT_REFUSED; DATA_SET_INVALID, STORAGE_FAILED */
  send(destination: Destination, parcel: Parcel, options: { readonly signal: AbortSignal }): Promise<number>;
}

const IDLE_RELEASE_MS = 2_000;
const CHUNK_BYTES = 256 * 1024;

export function createCourier(associate: Associate, system: { log: Log; clock: Clock }): Courier {
  const lines = new Map<string, Line>();
  return {
    send(destination, parcel, { signal }) {
      let line = lines.get(destination.name);
      if (!line) lines.set(destination.name, (line = new Line(destination, associate, system)));
      return line.send(parcel, signal);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...lines.values()].map((line) => line[Symbol.asyncDispose]()));
    },
  };
}

/** The association to one destination; its user sends one parcel after the other. */
class Line implements AsyncDisposable {
  readonly #destination: Destination;
  readonly #associate: Associate;
  readonly #system: { readonly log: Log; readonly clock: Clock };
  #association: Association | undefined;
  #idle: Disposable | undefined;

  constructor(destination: Destination, associate: Associate, system: { log: Log; clock: Clock }) {
    this.#destination = destination;
    this.#associate = associate;
    this.#system = system;
  }

  async send(parcel: Parcel, signal: AbortSignal): Promise<number> {
    this.#idle?.[Symbol.dispose]();
    try {
      return await this.#send(parcel, signal);
    } finally {
      this.#idle = this.#system.clock.after(IDLE_RELEASE_MS, () => void this.#release());
    }
  }

  async #send(parcel: Parcel, signal: AbortSignal): Promise<number> {
    const { transferSyntaxUid, dataSetOffset } = await metaOf(parcel.path);
    const context = { abstractSyntax: parcel.sopClassUid, transferSyntaxUid };
    const association = await this.#open(context, signal);
    if (!association.accepted(parcel.sopClassUid, transferSyntaxUid)) {
      throw new NodeError(
        "CONTEXT_REFUSED",
        `Destination ${this.#destination.name}: does not take this SOP Class`,
      );
    }
    const dataSet = dataSetOf(parcel.path, dataSetOffset);
    const { status } = await association.store({ ...parcel, transferSyntaxUid, dataSet }, { signal });
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#idle?.[Symbol.dispose]();
    await this.#release();
  }

  async #open(context: Parameters<Associate>[1], signal: AbortSignal): Promise<Association> {
    const kept = this.#association;
    if (kept?.isOpen && kept.accepted(context.abstractSyntax, context.transferSyntaxUid)) return kept;
    await this.#release();
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

async function metaOf(path: string): Promise<Part10Meta> {
  try {
    return await readPart10Meta(path);
  } catch (cause) {
    if (cause instanceof NodeError) throw cause;
    throw new NodeError("STORAGE_FAILED", "Result: its file cannot be read", { cause });
  }
}

async function* dataSetOf(path: string, offset: number): AsyncGenerator<Uint8Array> {
  await using file = await open(path);
  for await (const chunk of file.createReadStream({ start: offset, highWaterMark: CHUNK_BYTES })) {
    yield chunk as Uint8Array;
  }
}

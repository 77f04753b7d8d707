/**
 * One message to the peer: a command set, and a data set that is read as fast as the connection takes it.
 */
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../dicom/uid.ts";
import { type Command, encodeCommand } from "./command.ts";
import type { UpperLayer } from "./upper-layer.ts";
import { ValuePacker } from "./value-packer.ts";

export type DataSetBytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export interface Instance {
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  readonly transferSyntaxUid: TransferSyntaxUid;
  /** The bytes of the data set, without Part 10 header. A chunk must not change once it was given. */
  readonly dataSet: DataSetBytes;
}

export interface CommitmentMessage {
  readonly kind: "request" | "report";
  /** (0000,1008) Action Type ID or (0000,1002) Event Type ID. */
  readonly typeId: number;
  /** In the syntax of the context. */
  readonly dataSet: readonly Uint8Array[];
}

interface Message {
  readonly contextId: number;
  readonly command: Command;
  readonly dataSet?: DataSetBytes | undefined;
}

/**
 * Resolves when all was handed to the connection, or the association has ended: that is told elsewhere.
 *
 * @param valueBytes  the longest data value
 * @returns           the bytes of the data set
 * @throws            what the data set throws
 */
export async function sendMessage(
  upper: UpperLayer,
  { contextId, command, dataSet }: Message,
  valueBytes: number,
): Promise<number> {
  let isBegun = false;
  const send = (value: readonly Uint8Array[], isLast: boolean): void => {
    // With the first value, not before it: the two leave in one packet.
    if (!isBegun) upper.sendData({ contextId, isCommand: true, isLast: true }, [encodeCommand(command)]);
    isBegun = true;
    if (dataSet) upper.sendData({ contextId, isCommand: false, isLast }, value);
  };
  let bytes = 0;
  const packer = new ValuePacker(valueBytes);
  for await (const chunk of dataSet ?? []) {
    bytes += chunk.length;
    for (const value of packer.add(chunk)) {
      send(value, false);
      if (upper.isCongested) await upper.drained();
    }
    if (!upper.isOpen) return bytes;
  }
  send(packer.end(), true);
  return bytes;
}

/** How long so many bytes may be under way to a slow peer, unseen, before it can begin to answer. */
export function underWayMs(bytes: number): number {
  return Math.round((Math.min(bytes, UNSEEN_BYTES) / SLOWEST_BYTES_PER_SECOND) * 1000);
}

/** What the systems of both sides may hold of what we have handed over; nobody sees how the peer reads it. */
const UNSEEN_BYTES = 4 * 1024 * 1024;
/** A peer that reads this slowly is still served. */
const SLOWEST_BYTES_PER_SECOND = 10_000;

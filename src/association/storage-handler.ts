/**
 * What the storage SCP (scp.ts) asks of the one who keeps the instances: the border between protocol and spool.
 *
 * Every call is guarded: an error thrown here aborts the association it belongs to and is logged, nothing else.
 */
import type { AeTitle } from "../dicom/ae-title.ts";
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../dicom/uid.ts";

export interface AssociationFacts {
  /** Counts from 1 in each run of the node. */
  readonly id: number;
  readonly callingAeTitle: AeTitle;
  readonly calledAeTitle: AeTitle;
  /** The peer's IP address. */
  readonly peer: string;
}

export interface StoreRequest {
  readonly association: AssociationFacts;
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  /** In which the data set will come. */
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly priority: "low" | "medium" | "high";
}

/** Where the fragments of one instance go. Nothing is written after finish or discard, and only one is called. */
export interface InstanceSink {
  /**
   * A fragment of the data set. It is lent: its memory is gone when this has returned, so what is kept is copied.
   *
   * @returns  false: drained() is awaited before the next fragment, and meanwhile nothing is read from the peer
   */
  write(fragment: Uint8Array): boolean;
  /** Resolves in the end, also after discard. */
  drained(): Promise<void>;
  /** The data set is whole: makes it durable and says which status to answer. Never rejects. */
  finish(): Promise<number>;
  /** The association died, or the instance was too long. Never rejects. */
  discard(): Promise<void>;
}

export interface StorageHandler {
  /** Before an association is accepted; "busy" refuses it for now (2/3/2). */
  admit(association: AssociationFacts): "ok" | "busy";
  /** A number is the status to answer: the data set is read and dropped first. */
  open(request: StoreRequest): InstanceSink | number;
  /** Each accepted association, once, after its last sink has finished or been discarded. */
  closed(association: AssociationFacts, how: "released" | "aborted"): void;
}

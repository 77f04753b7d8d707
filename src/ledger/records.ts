/**
 * What the ledger keeps of the domain, as types. Rows become these in ledger/*.ts and nowhere else.
 */
import type { InstanceFacts } from "../dicom/instance.ts";
import type { InstanceUid, SeriesUid, SopClassUid, StudyUid, TransferSyntaxUid } from "../dicom/uid.ts";

/** One series of one study; the same series UID in another study is another series. */
export type SeriesId = string & { readonly series: unique symbol };
export type RunId = string & { readonly run: unique symbol };
export type DeliveryId = string & { readonly delivery: unique symbol };
/** Names the file an instance is kept in. */
export type FileId = string & { readonly file: unique symbol };

export interface InstanceRecord {
  readonly id: FileId;
  readonly studyUid: StudyUid;
  readonly seriesUid: SeriesUid;
  readonly sopInstanceUid: InstanceUid;
  readonly sopClassUid: SopClassUid;
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly sha256: string;
  readonly bytes: number;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  readonly peer: string;
  readonly at: number;
  readonly facts: InstanceFacts;
}

export interface SeriesRecord {
  readonly id: SeriesId;
  readonly studyUid: StudyUid;
  readonly seriesUid: SeriesUid;
  readonly state: "open" | "closed";
  readonly revision: number;
  readonly openedAt: number;
  readonly lastAt: number;
  /** With different SOP Instance UIDs. */
  readonly instances: number;
}

export interface RunRecord {
  readonly id: RunId;
  readonly seriesId: SeriesId;
  readonly revision: number;
  readonly rule: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly priority: number;
  readonly destinations: readonly string[];
  readonly position: number;
  /** quarantined: the model answered, and its answer may not leave. discarded: somebody gave it up. */
  readonly state: "pending" | "done" | "no-finding" | "failed" | "quarantined" | "discarded";
  readonly createdAt: number;
}

/** How a segmentation is stored: PS3.3 C.8.20.2, (0062,0001) Segmentation Type. */
export type ResultForm = "binary" | "labelmap" | "fractional";

/** One file of a run's result. The same object may lie in two files, each in its transfer syntax. */
export interface ResultRecord {
  readonly runId: RunId;
  /** Name in the folder of results. */
  readonly file: string;
  readonly form: ResultForm;
  /** From 1; several where one object cannot hold all segments. */
  readonly part: number;
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly sopInstanceUid: InstanceUid;
  readonly sopClassUid: SopClassUid;
  readonly sha256: string;
  readonly bytes: number;
}

export interface DeliveryRecord {
  readonly id: DeliveryId;
  readonly runId: RunId;
  readonly destination: string;
  readonly form: ResultForm;
  readonly part: number;
  /**
   * replaced: the destination does not take this form; what stands for it has a delivery of its own.
   * discarded: somebody gave it up.
   */
  readonly state: "pending" | "delivered" | "held" | "replaced" | "discarded";
  readonly tries: number;
  readonly createdAt: number;
}

/** What a segmentation is made from, and what comes out. */
import type { DataSet } from "../dicom/data-set.ts";
import type { InstanceUid, SeriesUid, SopClassUid, TransferSyntaxUid } from "../dicom/uid.ts";
import type { Findings, Source } from "../volume/volume.ts";
import type { AbsentSegmentsPolicy, UnknownLabelPolicy } from "./policy.ts";
import type { Segments } from "./segment.ts";

/** (0062,0001) Segmentation Type: one bit per segment, the label values themselves, or probabilities. */
export type Form = "binary" | "labelmap" | "fractional";

/** A form that a destination wants; native always comes with it, so that there is one to fall back to. */
export interface Wanted {
  readonly form: Form;
  /** "rle" of labelmap and fractional only: RLE of single bits is not defined in a way that readers share. */
  readonly compression: "none" | "rle";
}

export interface InstanceReference {
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
}

/** The product itself, for PS3.3 C.7.5.2; no value may be empty. */
interface Product {
  readonly manufacturer: string;
  readonly model: string;
  readonly version: string;
  readonly serial: string;
}

export interface Reduction {
  /** argmax: the most probable segment of a voxel. threshold: every one that reaches it. */
  readonly reduce: "argmax" | "threshold";
  /** 0 to 1 */
  readonly threshold: number;
}

export interface SegInput {
  readonly source: Source;
  /** One instance of the source: patient, study and equipment are repeated from it. */
  readonly sourceHeader: DataSet;
  /** Every instance of the source series, those without a slice in the volume too. */
  readonly allInstances: readonly InstanceReference[];
  readonly findings: Findings;
  readonly segments: Segments;
  /** How labels were made of probabilities; only of a model that answers with them. */
  readonly reduction?: Reduction;
  readonly onUnknownLabel: UnknownLabelPolicy;
  readonly absentSegments: AbsentSegmentsPolicy;
  readonly model: { readonly name: string; readonly version: string };
  /** Of the source series: another revision, another object. */
  readonly revision: number;
  /** When the model answered, ms since 1970: the same result must give the same bytes on any day. */
  readonly resultAt: number;
  /** Unique in the study, by the caller's count. */
  readonly seriesNumber: number;
  readonly product: Product;
}

/** Why a result may not leave. The detail names counts, labels and distances, never a patient. */
export interface Refused {
  readonly kind: "refused";
  readonly reason:
    | "other-series"
    | "other-frame-of-reference"
    | "other-patient"
    | "other-grid"
    | "unknown-label"
    | "repeated-label"
    | "class-not-allowed"
    | "other-reference"
    | "too-large";
  readonly detail: string;
}

/** The model found nothing: there is no SEG to send, Number of Frames 0 is not legal. */
export interface NoFinding {
  readonly kind: "no-finding";
}

/** What a result says of itself, for the log. */
export interface ResultFacts {
  /** Labels that the model defines but its answer does not hold. */
  readonly absent: readonly number[];
  /** Labels that the answer holds but the model does not define; they left as what is known of them. */
  readonly unknown: readonly number[];
  /** Labelled voxels on slices that the series does not have: no frame can show them. */
  readonly lostVoxels: number;
}

export interface ObjectFacts {
  readonly form: Form;
  /** From 1; one object has at most 255 segments, and no two labels at one place if it is a label map. */
  readonly part: number;
  readonly parts: number;
  readonly compression: Wanted["compression"];
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  readonly seriesUid: SeriesUid;
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly segments: number;
  readonly frames: number;
  /** Size of the file. */
  readonly bytes: number;
}

export interface EncodedObject extends ObjectFacts {
  /**
   * A whole Part 10 file, to be written one after another; made while it is read, the pixels a few megabytes at a
   * time. A chunk is valid until the next one is asked for.
   */
  readonly chunks: Iterable<Uint8Array>;
}

interface EncodedSeg extends ResultFacts {
  readonly kind: "seg";
  readonly objects: readonly EncodedObject[];
}

export type Encoded = EncodedSeg | NoFinding | Refused;

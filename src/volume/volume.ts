/**
 * A stack of slices as one array, and where it lies in the patient.
 *
 * Axis order everywhere: i counts columns (fastest), j rows, k slices (slowest), the order of the pixels in the
 * source and of voxels in NIfTI. Space everywhere: the patient's LPS frame in millimetres (PS3.3 C.7.6.2.1.1).
 */
import type { InstanceUid, SeriesUid, SopClassUid, StudyUid } from "../dicom/uid.ts";

export type Vector = readonly [x: number, y: number, z: number];

/** Voxel (i, j, k) has its centre at origin + i·perColumn + j·perRow + k·perSlice. */
export interface Affine {
  readonly origin: Vector;
  /** From one column to the next, along a row. */
  readonly perColumn: Vector;
  /** From one row to the next, down a column. */
  readonly perRow: Vector;
  /** From one slice to the next; not along the normal in a tilted stack. */
  readonly perSlice: Vector;
}

export interface Grid {
  readonly size: readonly [columns: number, rows: number, slices: number];
  readonly affine: Affine;
}

export type Voxels = Int16Array | Uint16Array | Float32Array;

/** The rescaled values of one series (Hounsfield units for CT), in a SharedArrayBuffer. */
export interface Volume {
  readonly grid: Grid;
  readonly voxels: Voxels;
}

/** One label value per voxel, 0 for none, in a SharedArrayBuffer. */
export type Labels = Uint8Array | Uint16Array;

export interface LabelMap {
  readonly grid: Grid;
  readonly labels: Labels;
}

/** What a model found, on the source's own grid. */
export interface Findings {
  readonly grid: Grid;
  /** One, or several where segments overlap. A label value stands in one layer only. */
  readonly layers: readonly Labels[];
  /**
   * By label value: probability × 255, rounded, one byte per voxel in a SharedArrayBuffer. Only of a model that
   * answers with probabilities; the layers then hold what was made of them.
   */
  readonly probabilities?: ReadonlyMap<number, Uint8Array>;
  /** Spacing of the answer along its own axes, mm, where its labels had to be brought onto the grid. */
  readonly resampledFrom?: Vector;
}

/** The image that slice k of a volume was made from; strings as the source wrote them. */
export interface SourceFrame {
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  /** From 1; only for a multi-frame source. */
  readonly frameNumber?: number;
  /** (0020,0032) Image Position (Patient), as DS strings. */
  readonly position: readonly [x: string, y: string, z: string];
}

/** What a result must say about the series it was made from. */
export interface Source {
  readonly studyUid: StudyUid;
  readonly seriesUid: SeriesUid;
  /**
   * A file of the series, for the attributes of patient, study and equipment that a result repeats. One that was
   * compressed lossily, if there is any: what was made of a lossy image is lossy (PS3.3 C.7.6.1.1.5).
   */
  readonly path: string;
  /** (0020,0052) Frame of Reference UID, where the source has one. */
  readonly frameOfReferenceUid?: string;
  /** (0010,0020) Patient ID, where the source has one. */
  readonly patientId?: string;
  /** In the order of k. */
  readonly frames: readonly SourceFrame[];
  /** The k of each frame, ascending; only where slices of the grid have no image, being missing in the series. */
  readonly slices?: readonly number[];
  /** (0020,0037) Image Orientation (Patient), as DS strings. */
  readonly orientation: readonly string[];
  /** (0028,0030) Pixel Spacing, as DS strings: between rows, then between columns. */
  readonly pixelSpacing: readonly [betweenRows: string, betweenColumns: string];
  /** (0018,0050) Slice Thickness, as DS string, where the source has one. */
  readonly sliceThickness?: string;
}

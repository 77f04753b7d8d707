/**
 * OHIF's own way of reading a segmentation, @cornerstonejs/adapters, run in plain Node.
 *
 * The adapter asks a metadata provider about the source images; this one answers from the slices it is given. It
 * has two readers: OHIF 3.x loads through `generateToolState`, newer viewers through `createFromDICOMSegBuffer`.
 * The newer one tells packed from padded frames by their length alone, so it is asked only where that is sound.
 */
import { adaptersSEG } from "@cornerstonejs/adapters";
import { cache, metaData } from "@cornerstonejs/core";

export interface OhifSlice {
  readonly seriesUid: string;
  readonly instance: string;
  /** From 1; only for a multi-frame source. */
  readonly frame?: number;
  readonly frameOfReferenceUid?: string;
  readonly rows: number;
  readonly columns: number;
  readonly position: readonly number[];
  readonly orientation: readonly number[];
  readonly pixelSpacing: readonly number[];
}

export interface OhifRead {
  /** Segment numbers, slices × rows × columns. */
  readonly labels: Uint8Array;
  /** (0062,0005) and (0062,000D) by segment number. */
  readonly segments: ReadonlyMap<number, { readonly label: string; readonly lab: readonly number[] }>;
}

interface ToolState {
  readonly labelmapBufferArray: readonly ArrayBuffer[];
  readonly segMetadata: {
    readonly data: readonly {
      readonly SegmentNumber: number;
      readonly SegmentLabel: string;
      readonly RecommendedDisplayCIELabValue: readonly number[];
    }[];
  };
}

interface LabelmapImage {
  readonly voxelManager: { getScalarData(): ArrayLike<number> };
}

/** As OHIF 3.x reads it. */
export async function readByOhif(file: Uint8Array, slices: readonly OhifSlice[]): Promise<OhifRead> {
  const { generateToolState } = adaptersSEG.Cornerstone.Segmentation;
  // The fourth parameter is declared a flag; version 4 takes it for its options.
  const options = { skipOverlapping: false } as unknown as boolean;
  const provider = providerOf(slices);
  const state = (await generateToolState(imageIds(slices), bufferOf(file), provider, options)) as ToolState;
  if (state.labelmapBufferArray.length !== 1) throw new Error("OHIF sees overlapping segments");
  const segments = state.segMetadata.data.map(
    (segment) =>
      [
        segment.SegmentNumber,
        { label: segment.SegmentLabel, lab: segment.RecommendedDisplayCIELabValue },
      ] as const,
  );
  return {
    labels: new Uint8Array(state.labelmapBufferArray[0]!),
    segments: new Map(segments.filter(Boolean)),
  };
}

/**
 * As viewers on cornerstone3D 5 read it: BINARY of sizes that `isSoundForNewReader` allows, LABELMAP, and FRACTIONAL of
 * zeros and maxima alone.
 */
export async function readByCornerstone3D(
  file: Uint8Array,
  slices: readonly OhifSlice[],
): Promise<Uint8Array> {
  const provider = providerOf(slices);
  metaData.addProvider(provider.get, 10_000);
  try {
    const { createFromDICOMSegBuffer } = adaptersSEG.Cornerstone3D.Segmentation;
    const read = await createFromDICOMSegBuffer(imageIds(slices), bufferOf(file), {
      metadataProvider: provider,
    });
    if (read.overlappingSegments === true) throw new Error("cornerstone3D sees overlapping segments");
    const images = (read.labelMapImages as readonly (readonly LabelmapImage[])[])[0]!;
    return Uint8Array.from(images.flatMap(({ voxelManager }) => Array.from(voxelManager.getScalarData())));
  } finally {
    metaData.removeProvider(provider.get);
    cache.purgeCache();
  }
}

export function isSoundForNewReader(pixels: number, frames: number): boolean {
  const packed = Math.ceil((pixels * frames) / 8);
  const framesPadded = Math.ceil(pixels / 8) * frames;
  return packed % 2 === 0 && (pixels % 8 === 0 || packed !== framesPadded);
}

interface Provider {
  get(type: string, imageId: unknown): unknown;
  addCustomMetadata(imageId: string, type: string, value: unknown): void;
}

function imageIds(slices: readonly OhifSlice[]): string[] {
  return slices.map(
    ({ instance, frame }) => `wadouri:${instance}${frame === undefined ? "" : `?frame=${frame}`}`,
  );
}

function providerOf(slices: readonly OhifSlice[]): Provider {
  const custom = new Map<string, unknown>();
  const known = new Map(imageIds(slices).map((imageId, k) => [imageId, slices[k]!]));
  return {
    addCustomMetadata: (imageId, type, value) => void custom.set(`${type} ${imageId}`, value),
    get(type, imageId) {
      const slice = known.get(String(imageId));
      if (!slice) return custom.get(`${type} ${String(imageId)}`);
      const [betweenRows, betweenColumns] = slice.pixelSpacing;
      switch (type) {
        case "generalSeriesModule":
          return { seriesInstanceUID: slice.seriesUid };
        case "generalImageModule":
          return { sopInstanceUID: slice.instance };
        case "imagePlaneModule":
          return {
            rows: slice.rows,
            columns: slice.columns,
            imagePositionPatient: slice.position,
            imageOrientationPatient: slice.orientation,
            rowCosines: slice.orientation.slice(0, 3),
            columnCosines: slice.orientation.slice(3),
            rowPixelSpacing: betweenRows,
            columnPixelSpacing: betweenColumns,
            frameOfReferenceUID: slice.frameOfReferenceUid,
          };
        case "imagePixelModule":
          return { rows: slice.rows, columns: slice.columns, bitsAllocated: 16, pixelRepresentation: 0 };
        case "instance":
          return {
            Rows: slice.rows,
            Columns: slice.columns,
            ImagePositionPatient: slice.position,
            ImageOrientationPatient: slice.orientation,
            SeriesInstanceUID: slice.seriesUid,
            SOPInstanceUID: slice.instance,
            FrameOfReferenceUID: slice.frameOfReferenceUid,
          };
        default:
          return undefined;
      }
    },
  };
}

/** dcmjs reads from byte 0 of the buffer it is given: never a view into a larger one. */
function bufferOf(file: Uint8Array): ArrayBuffer {
  return Uint8Array.from(file).buffer;
}

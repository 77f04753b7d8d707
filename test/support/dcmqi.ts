/**
 * dcmqi's way of reading a segmentation, the one of 3D Slicer, as WebAssembly (@itk-wasm/dicom).
 *
 * It is no judge where rows × columns modulo 8 is 3, 5, 6 or 7: its DCMTK unpacks such frames wrongly (dcmqi issue
 * 341). It reads no label maps, and one image of segments that do not overlap.
 */
import { readSegmentationNode } from "@itk-wasm/dicom";

interface DcmqiRead {
  readonly size: readonly number[];
  /** Of the first voxel, mm, LPS. */
  readonly origin: readonly number[];
  /** Segment numbers; of the slices from the first frame to the last alone. */
  readonly labels: Int16Array;
  readonly segmentLabels: readonly string[];
}

export function isSoundForDcmqi(pixels: number): boolean {
  return [0, 1, 2, 4].includes(pixels % 8);
}

/** @param path  of a BINARY segmentation */
export async function readByDcmqi(path: string): Promise<DcmqiRead> {
  const { segImage, metaInfo } = await silently(() => readSegmentationNode(path));
  const { segmentAttributes } = metaInfo as unknown as {
    readonly segmentAttributes: readonly (readonly { readonly SegmentLabel: string }[])[];
  };
  if (segmentAttributes.length !== 1 && segmentAttributes.some((group) => group.length !== 1))
    throw new Error("dcmqi sees overlapping segments");
  return {
    size: segImage.size,
    origin: segImage.origin,
    labels: segImage.data as Int16Array,
    segmentLabels: segmentAttributes.flat().map(({ SegmentLabel }) => SegmentLabel),
  };
}

/** The pipeline tells its story on standard output. */
async function silently<T>(work: () => Promise<T>): Promise<T> {
  const { log } = console;
  console.log = () => {};
  try {
    return await work();
  } finally {
    console.log = log;
  }
}

/**
 * Building a volume: the files of one series to one array in patient space, once for all models.
 *
 * In:   the spooled files of a complete series, in any order.
 * Out:  the volume with what a result must say about its source, or the named reason why there is none.
 * May:  read the files, in the threads of the pool; nothing heavy happens on the calling thread.
 *
 * Two rounds: all headers first, so that a series with a hole is refused before a pixel is decoded; then frames,
 * a few at a time, straight into shared memory. A frame that keeps its decoder busy too long costs that thread and
 * the series, nothing else.
 */
import { type ErrorCode, NodeError } from "../base/errors.ts";
import { type Task, task, type WorkerPool } from "../base/worker-pool.ts";
import { TRANSFER_SYNTAX } from "../dicom/constants.ts";
import type { InstanceUid } from "../dicom/uid.ts";
import { isNative, type PixelFormat } from "./decode.ts";
import type { decodeFrames, FrameJob, FramesJob } from "./decode-frames.ts";
import { batchesOf, inParallel } from "./in-parallel.ts";
import { isWhole, NO_RANGE, type Range, union, wholeVoxels } from "./pixels.ts";
import type { Image, ImageFault, ImageFile, ImageFrame, ImageRead, readImages } from "./read-image.ts";
import { type Arranged, arrange, type SliceFacts, type StackFault, type StackPolicy } from "./slices.ts";
import type { Grid, Source, SourceFrame, Volume, Voxels } from "./volume.ts";

type RejectionReason = ImageFault | StackFault | "too-large";

interface Rejected {
  readonly kind: "rejected";
  readonly reason: RejectionReason;
  /** The instance in which it shows. */
  readonly at?: InstanceUid;
  /** For people; names no patient. */
  readonly detail: string;
}

export type Built =
  | {
      readonly kind: "volume";
      readonly volume: Volume;
      readonly source: Source;
      /** Between slice step and normal; near 0 unless the gantry was tilted. */
      readonly tiltDegrees: number;
    }
  | Rejected;

interface System {
  readonly pool: WorkerPool;
  readonly signal?: AbortSignal;
}

type StackSystem = System & { readonly stack?: StackPolicy };

/** One slice of the grid, or more if those behind it are missing. */
interface Placed extends Slice {
  readonly k: number;
  readonly missingBehind: number;
}

/** The slices of a series in the order of their places. */
interface Stack {
  readonly kind: "stack";
  readonly stack: readonly Placed[];
  readonly grid: Grid;
  readonly places?: readonly number[];
  readonly tiltDegrees: number;
}

/** One slice of the stack: a frame and the image that it belongs to. */
export interface Slice {
  readonly image: Image;
  readonly frame: ImageFrame;
}

const READ_IMAGES = task<typeof readImages>(import.meta.url, "./read-image", "readImages");
const DECODE_FRAMES = task<typeof decodeFrames>(import.meta.url, "./decode-frames", "decodeFrames");

/** Largest array of voxels: 8192 slices of 512 × 512 in 16 bits. */
const VOLUME_LIMIT_BYTES = 4 * 1024 ** 3;
const HEADERS_PER_TASK = 16;
/**
 * What takes longer hangs. A frame per started megapixel: decoding takes 200 ms at worst, a new thread as long again,
 * and the machine may be busy; some decoders were seen to spin for 20 s on a broken frame, and might for ever.
 */
export const TIMEOUTS = { headersMs: 60_000, frameMs: 15_000, orderMs: 60_000 } as const;
/** Native frames are cheap; sent one by one, the messages would cost more than the work. */
const NATIVE_BYTES_PER_TASK = 8 * 1024 ** 2;

/**
 * @param system.stack  what to do with slices that are not evenly spaced; they are refused by default
 * @returns a rejection, never an exception, whatever the files hold
 * @throws  NodeError STORAGE_FAILED if a file cannot be read; the signal's reason
 */
export async function buildVolume(files: readonly ImageFile[], system: StackSystem): Promise<Built> {
  const found = await readStack(files, system);
  if (found.kind === "rejected") return found;
  const { stack, grid, places, tiltDegrees } = found;
  const voxels = await voxelsOf(stack, grid, system);
  if ("kind" in voxels) return voxels;
  return { kind: "volume", volume: { grid, voxels }, source: sourceOf(stack, places), tiltDegrees };
}

/** The first round alone: the slices in order, no pixel decoded. @throws like buildVolume */
export async function readStack(files: readonly ImageFile[], system: StackSystem): Promise<Stack | Rejected> {
  const read = await readAll(files, system);
  const refused = read.find((answer) => answer.kind === "rejected");
  if (refused) return refused;
  const images = read.flatMap((answer) => (answer.kind === "image" ? [answer.image] : []));
  return stackOf(images, system.stack);
}

/**
 * The frames of images as a stack.
 *
 * @returns order: indices into the frames as they were given, in the order of k
 */
export function stackOf(
  images: readonly Image[],
  policy?: StackPolicy,
): (Extract<Arranged, { kind: "stack" }> & { readonly stack: readonly Placed[] }) | Rejected {
  const slices = images.flatMap((image) => image.frames.map((frame): Slice => ({ image, frame })));
  const arranged = arrange(slices.map(factsOf), policy);
  if (arranged.kind === "rejected") return arranged;
  const { order, places } = arranged;
  const kOf = (at: number): number => places?.[at] ?? at;
  const stack = order.map((from, at): Placed => {
    const { image, frame } = slices[from]!;
    const next = at + 1 < order.length ? kOf(at + 1) : kOf(at) + 1;
    return { image, frame, k: kOf(at), missingBehind: next - kOf(at) - 1 };
  });
  return { ...arranged, stack };
}

/** One slice of a stack, rescaled. @throws like buildVolume */
export function decodeSlice(slice: Slice, grid: Grid, system: System): Promise<Voxels | Rejected> {
  const size = [grid.size[0], grid.size[1], 1] as const;
  return voxelsOf([{ ...slice, k: 0, missingBehind: 0 }], { ...grid, size }, system);
}

function factsOf({ image, frame }: Slice): SliceFacts {
  const { sopInstanceUid, seriesUid, frameOfReferenceUid, patientId, format } = image;
  return {
    ...frame.place,
    sopInstanceUid,
    seriesUid,
    rows: format.rows,
    columns: format.columns,
    ...(frameOfReferenceUid !== undefined && { frameOfReferenceUid }),
    ...(patientId !== undefined && { patientId }),
  };
}

async function readAll(
  files: readonly ImageFile[],
  system: System,
): Promise<readonly (ImageRead | Rejected)[]> {
  const read: (readonly (ImageRead | Rejected)[])[] = [];
  await inParallel(batchesOf(files, HEADERS_PER_TASK).entries(), system, async ([at, batch]) => {
    const answer = await attempt(READ_IMAGES, batch, { ...system, timeoutMs: TIMEOUTS.headersMs });
    read[at] = answer.kind === "done" ? answer.value : [answer];
    return answer.kind === "done";
  });
  return read.flat();
}

async function voxelsOf(stack: readonly Placed[], grid: Grid, system: System): Promise<Voxels | Rejected> {
  const [columns, rows, slices] = grid.size;
  const count = columns * rows * slices;
  if (stack.every(({ frame }) => isWhole(frame.place.rescale))) {
    const refused = tooLarge(grid, 2);
    if (refused) return refused;
    const words = new SharedArrayBuffer(count * 2);
    const decoded = await decodeAll(stack, { voxels: words, as: "whole" }, system);
    if ("kind" in decoded) return decoded;
    const voxels = wholeVoxels(words, decoded);
    if (voxels) return voxels;
  }
  const refused = tooLarge(grid, 4);
  if (refused) return refused;
  const floats = new SharedArrayBuffer(count * 4);
  const decoded = await decodeAll(stack, { voxels: floats, as: "float" }, system);
  return "kind" in decoded ? decoded : new Float32Array(floats);
}

async function decodeAll(
  stack: readonly Placed[],
  target: Pick<FramesJob, "voxels" | "as">,
  system: System,
): Promise<Range | Rejected> {
  let range = NO_RANGE;
  let refused: Rejected | undefined;
  await inParallel(jobsOf(stack, target), system, async ({ job, at, timeoutMs }) => {
    const answer = await attempt(DECODE_FRAMES, job, { ...system, timeoutMs, at });
    if (answer.kind === "done") range = union(range, answer.value);
    else refused ??= answer;
    return refused === undefined;
  });
  return refused ?? range;
}

interface Decoding {
  readonly job: FramesJob;
  readonly at: InstanceUid;
  readonly timeoutMs: number;
}

function* jobsOf(
  stack: readonly Placed[],
  target: Pick<FramesJob, "voxels" | "as">,
): Generator<Decoding, undefined> {
  const byImage = Map.groupBy(
    stack.map(({ image, frame: { chunks, place }, k, missingBehind }) => {
      const job: FrameJob = { chunks, rescale: place.rescale, slice: k, repeat: missingBehind };
      return { image, job };
    }),
    ({ image }) => image,
  );
  for (const [image, ofImage] of byImage) {
    const { path, format, sopInstanceUid: at } = image;
    const timeoutMs = TIMEOUTS.frameMs * Math.ceil((format.rows * format.columns) / 1e6);
    for (const batch of batchesOf(ofImage, framesPerTask(format))) {
      const frames = batch.map(({ job }) => job);
      yield { job: { path, format, frames, ...target }, at, timeoutMs: timeoutMs * frames.length };
    }
  }
}

/** Compressed frames go one by one, so that each has its own time-out. */
function framesPerTask({ transferSyntaxUid, rows, columns, bitsAllocated }: PixelFormat): number {
  if (transferSyntaxUid === TRANSFER_SYNTAX.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN) return Infinity;
  if (!isNative(transferSyntaxUid)) return 1;
  return Math.max(1, Math.floor(NATIVE_BYTES_PER_TASK / ((rows * columns * bitsAllocated) / 8)));
}

/** What becomes of a failed task by the fault of what was in the file. */
const FAULTS_OF_THE_FILE: ReadonlySet<string> = new Set<ErrorCode>([
  "PIXELS_UNDECODABLE",
  "DATA_SET_INVALID",
  "WORKER_TIMED_OUT",
  "WORKER_DIED",
]);

async function attempt<Input, Output>(
  work: Task<Input, Output>,
  input: Input,
  options: System & { readonly timeoutMs: number; readonly at?: InstanceUid },
): Promise<{ readonly kind: "done"; readonly value: Output } | Rejected> {
  const { pool, signal, timeoutMs, at } = options;
  try {
    const value = await pool.run(work, input, signal ? { signal, timeoutMs } : { timeoutMs });
    return { kind: "done", value };
  } catch (error) {
    if (!(error instanceof NodeError && FAULTS_OF_THE_FILE.has(error.code))) throw error;
    return { kind: "rejected", reason: "undecodable", detail: error.message, ...(at && { at }) };
  }
}

export function sourceOf(stack: readonly Slice[], slices: readonly number[] | undefined): Source {
  const { image, frame } = stack[0]!;
  const { studyUid, seriesUid, frameOfReferenceUid, patientId } = image;
  const { path } = (stack.find((slice) => slice.image.isLossy) ?? stack[0]!).image;
  const { orientation, spacing, thickness } = frame.place.written;
  const frames = stack.map(({ image: { sopClassUid, sopInstanceUid }, frame: { place } }): SourceFrame => {
    const { frameNumber, written } = place;
    const source = { sopClassUid, sopInstanceUid, position: written.position };
    return frameNumber === undefined ? source : { ...source, frameNumber };
  });
  return {
    studyUid,
    seriesUid,
    path,
    frames,
    orientation,
    pixelSpacing: spacing,
    ...(slices && { slices }),
    ...(frameOfReferenceUid !== undefined && { frameOfReferenceUid }),
    ...(patientId !== undefined && { patientId }),
    ...(thickness !== undefined && { sliceThickness: thickness }),
  };
}

function tooLarge({ size }: Grid, bytesPerVoxel: number): Rejected | undefined {
  if (size[0] * size[1] * size[2] * bytesPerVoxel <= VOLUME_LIMIT_BYTES) return undefined;
  const detail = `${size.join(" × ")} voxels are more than ${VOLUME_LIMIT_BYTES} bytes`;
  return { kind: "rejected", reason: "too-large", detail };
}

/**
 * The files a model answered with become findings on the source's grid.
 *
 * In:   the files, unwrapped; what the config says they are; what was sent and which labels there are.
 * Out:  Findings on the source's own grid, never on the rounded one of a file, with notes for the log.
 * Pure. Runs in a worker.
 *
 * Files are taken one after another, so that no more than one stands in memory beside the findings. What a header
 * says is judged before its numbers are inflated.
 */
import { NodeError } from "../../base/errors.ts";
import type { Findings, Grid } from "../volume.ts";
import { type AnswerFile, bareBytes, type OpenImage, openImage, type Packed, unzipped } from "./answer.ts";
import { type ResponseFormat, rawHeader } from "./array.ts";
import { type Background, type Channels, channelsOf } from "./channels.ts";
import { bytesPer, type Image, type ImageHeader, invalid, numbersOf, printable } from "./image.ts";
import { labelsOf, narrowed, type UnknownLabelPolicy, type Values } from "./labels.ts";
import { nameOf, type SegmentNames, segmentOf } from "./mask-names.ts";
import { countOutside, maskOf } from "./masks.ts";
import type { Note } from "./notes.ts";
import { type BitOrder, unpackBits } from "./packed-bits.ts";
import { type GridPolicy, samplingOf } from "./placement.ts";
import { type ProbabilityShape, reduceProbabilities } from "./probabilities.ts";
import { Layers } from "./runs.ts";
import type { Sampling } from "./sampling.ts";

/** What the answer is. */
type ResponseAs =
  | "labelmap"
  | { readonly masks: MaskShape }
  | { readonly probabilities: ProbabilityShape & { readonly background: Background } }
  | { readonly packedBits: { readonly order: BitOrder } };

interface MaskShape {
  /** Of one file with a channel for each segment. */
  readonly background: Background;
  /** Files whose names are no segment's. */
  readonly others: "refuse" | "ignore";
  /** Names of files by label value, where they are not the segments' labels. */
  readonly files: ReadonlyMap<number, string>;
}

/** The part of a model's `response` that is about what was unwrapped. */
export interface AnswerShape {
  readonly as: ResponseAs;
  readonly format?: ResponseFormat;
  /** exact if left out. */
  readonly grid?: GridPolicy;
  /** Of the numbers of one file that is not on the grid sent. */
  readonly maxBytes: number;
}

/** What was sent, and which labels the model may answer with, without 0. */
export interface Expected {
  readonly grid: Grid;
  /** Where it is not the source's own: turned, cropped, with other spacings. */
  readonly sent?: Grid;
  readonly labels: readonly number[];
  /** Of a label map; refuse if left out. */
  readonly onUnknownLabel?: UnknownLabelPolicy;
  /** Of the segments, by label value; for masks in files of their own. */
  readonly names?: SegmentNames;
}

export interface Interpreted extends Findings {
  readonly notes: readonly Note[];
}

/**
 * @throws MODEL_ANSWER_INVALID: not an image, damaged, cut, or not what it should be
 * @throws MODEL_ANSWER_TOO_LARGE: on a grid of its own, with more numbers than are taken
 * @throws LABEL_MAP_MISPLACED: another shape, or another place
 * @throws LABEL_UNKNOWN: a label, or a file, without a meaning
 */
export function interpret(files: readonly AnswerFile[], shape: AnswerShape, expected: Expected): Interpreted {
  const all = unzipped(files);
  if (all.length === 0) throw invalid("Answer holds no file");
  const { as } = shape;
  if (as === "labelmap") return labelMap(only(all), shape, expected);
  if ("probabilities" in as) return probabilities(only(all), as.probabilities, shape, expected);
  if ("packedBits" in as) return packedBits(only(all), as.packedBits.order, shape, expected);
  return masks(all, as.masks, shape, expected);
}

function labelMap(file: Packed, shape: AnswerShape, expected: Expected): Interpreted {
  const { header, image } = open(file, shape, expected);
  if (header.channels > 1) throw invalid(`Label map of ${header.channels} channels`);
  const sampling = place(header, shape, expected);
  const opened = image();
  const { labels, unknown } = labelsOf(opened, sampling, expected);
  const outside = sampling.isOutside ? countOutside(withValues(opened), 0, sampling) : 0;
  const notes: Note[] = unknown.length > 0 ? [{ kind: "unknown-labels", labels: unknown }] : [];
  const about = { header: { notes: [...header.notes, ...notes] }, sampling, outside, expected };
  return findings({ layers: [labels] }, about);
}

function probabilities(
  file: Packed,
  as: ProbabilityShape & { readonly background: Background },
  shape: AnswerShape,
  expected: Expected,
): Interpreted {
  const { header, image } = open(file, shape, expected);
  const channels = channelsOf(header.channels, expected.labels, as.background);
  const sampling = place(header, shape, expected);
  const own = samplingOf(header, { source: header.grid, sent: header.grid }, "exact");
  const { outside, ...found } = reduceProbabilities(image(), as, { channels, sampling, own });
  return findings(found, { header, sampling, outside, expected });
}

function packedBits(file: Packed, order: BitOrder, shape: AnswerShape, expected: Expected): Interpreted {
  const sent = expected.sent ?? expected.grid;
  const [columns, rows, slices] = sent.size;
  const voxels = columns * rows * slices * expected.labels.length;
  const bytes = bareBytes(file, (length) => length === Math.ceil(voxels / 8), Math.ceil(voxels / 8));
  const numbers = unpackBits(bytes, voxels, order);
  const header = rawHeader(voxels, "uint8", shape.format ?? {}, sent);
  const sampling = place(header, shape, expected);
  const layers = layersFor(expected);
  const channels = channelsOf(header.channels, expected.labels, "none");
  const outside = addChannels({ ...header, numbers }, channels, sampling, layers);
  return findings({ layers: layers.all }, { header, sampling, outside, expected });
}

function masks(files: readonly Packed[], as: MaskShape, shape: AnswerShape, expected: Expected): Interpreted {
  const [first, ...more] = files as [Packed, ...Packed[]];
  if (more.length === 0) {
    const opened = open(first, shape, expected);
    if (opened.header.channels > 1 || first.name === undefined) {
      return maskChannels(opened, as.background, shape, expected);
    }
  }
  const layers = layersFor(expected);
  const taken = new Set<number>();
  const notes: Note[] = [];
  let [outside, ignored] = [0, 0];
  let resampledFrom: Sampling["resampledFrom"];
  for (const file of files) {
    const label = segmentOf(file.name, as.files, expected);
    const what = `Mask ${nameOf(file.name)}`;
    if (label === undefined && as.others === "ignore") {
      ignored += 1;
      continue;
    }
    if (label === undefined) {
      throw new NodeError(
        "LABEL_UNKNOWN",
        `${what} is named after no segment; name it in masks.files, or have others ignored`,
      );
    }
    if (taken.has(label)) throw invalid(`${what} is the second one of segment ${label}`);
    taken.add(label);
    const { header, image } = open(file, shape, expected);
    if (header.channels > 1) throw invalid(`${what} has ${header.channels} channels, and is not alone`);
    const sampling = place(header, shape, expected);
    const marked = maskOf(withValues(image()), { channel: 0, what }, sampling);
    layers.add(label, marked.runs);
    outside += marked.outside;
    resampledFrom ??= sampling.resampledFrom;
    if (taken.size === 1) notes.push(...header.notes);
  }
  if (taken.size === 0)
    throw invalid(`Answer of ${files.length} files, none of which is a mask of a segment`);
  if (ignored > 0) notes.push({ kind: "ignored-files", files: ignored });
  const sampling = resampledFrom ? { resampledFrom } : {};
  return findings({ layers: layers.all }, { header: { notes }, sampling, outside, expected });
}

function maskChannels(
  { header, image }: OpenImage,
  background: Background,
  shape: AnswerShape,
  expected: Expected,
): Interpreted {
  const channels = channelsOf(header.channels, expected.labels, background);
  const sampling = place(header, shape, expected);
  const layers = layersFor(expected);
  const outside = addChannels(image(), channels, sampling, layers);
  return findings({ layers: layers.all }, { header, sampling, outside, expected });
}

/** @returns how many marked voxels lie outside */
function addChannels(image: Image, channels: Channels, sampling: Sampling, layers: Layers): number {
  const values = withValues(image);
  let outside = 0;
  channels.forEach(({ label }, channel) => {
    if (label === 0) return;
    const marked = maskOf(values, { channel, what: `Mask of channel ${channel}` }, sampling);
    layers.add(label, marked.runs);
    outside += marked.outside;
  });
  return outside;
}

function open(
  file: Packed,
  { format = {} }: AnswerShape,
  { grid, sent = grid, labels }: Expected,
): OpenImage {
  return openImage(file, format, { sent, mostChannels: labels.length + 1 });
}

/** Before the numbers are there: what lies wrong, or is too much, is not inflated. */
function place(header: ImageHeader, shape: AnswerShape, { grid, sent = grid }: Expected): Sampling {
  const policy = shape.grid ?? "exact";
  const sampling = samplingOf(header, { source: grid, sent }, policy);
  const bytes = numbersOf(header) * bytesPer(header.type);
  if (policy === "exact" || bytes <= shape.maxBytes) return sampling;
  throw new NodeError(
    "MODEL_ANSWER_TOO_LARGE",
    `Answer of ${bytes} bytes of numbers, above ${shape.maxBytes}`,
  );
}

function findings(
  found: Pick<Findings, "layers" | "probabilities">,
  about: {
    readonly header: Pick<ImageHeader, "notes">;
    readonly sampling: Pick<Sampling, "resampledFrom">;
    readonly outside: number;
    readonly expected: Expected;
  },
): Interpreted {
  const { header, sampling, outside, expected } = about;
  if (outside > 0 && found.layers.every((layer) => layer.every((label) => label === 0))) {
    throw new NodeError("LABEL_MAP_MISPLACED", `All ${outside} labelled voxels lie outside of the volume`);
  }
  return {
    grid: expected.grid,
    ...found,
    ...(sampling.resampledFrom && { resampledFrom: sampling.resampledFrom }),
    notes: outside > 0 ? [...header.notes, { kind: "outside", voxels: outside }] : header.notes,
  };
}

function layersFor({ grid: { size }, labels }: Expected): Layers {
  return new Layers(size[0] * size[1] * size[2], Math.max(...labels));
}

function withValues(image: Image): Image & { readonly numbers: Values } {
  return { ...image, numbers: narrowed(image.numbers) };
}

function only(files: readonly Packed[]): Packed {
  const [file, ...more] = files as [Packed, ...Packed[]];
  if (more.length === 0) return file;
  const names = files.slice(0, 4).map(({ name }) => nameOf(name));
  throw invalid(`Answer of ${files.length} files where one is wanted: ${printable(names.join(", "))}`);
}

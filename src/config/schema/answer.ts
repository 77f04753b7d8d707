/** Settings of what a model answers: what it is, and how its bytes are to be read where they do not say it. */
import * as z from "zod";
import { choice, expected, flag, found, line, section, text } from "../kinds.ts";
import { LABEL_PRESETS, presetNames } from "../presets.ts";

const SHARE = "a number from 0 to 1";
const KINDS = "labelmap, or one of { masks }, { probabilities }, { packedBits } and what belongs to it";
const LAYOUT = "X, Y, Z, and as need be C and N, such as NCZYX";
const LABELS = "a label value from 1 to 65535";

const label = z
  .string()
  .regex(/^[1-9]\d{0,4}$/, { error: expected(LABELS) })
  .refine((value) => Number(value) <= 65535, { error: ({ input }) => found(input, LABELS) })
  .meta({ title: "label" });

const background = choice("none", "first", "last");

const FILES = "names by label value, or a label preset";

const names = z
  .record(label, line(255), { error: expected(FILES) })
  .transform(
    (byLabel): ReadonlyMap<number, string> =>
      new Map(Object.entries(byLabel).map(([value, name]) => [Number(value), name])),
  );

const preset = text(
  LABEL_PRESETS.join(", "),
  (name) => (LABEL_PRESETS.includes(name) ? presetNames(name) : undefined),
  new RegExp(`^(?:${LABEL_PRESETS.join("|")})$`),
);

const masks = section({
  background: background
    .prefault("none")
    .describe("Of one file with a channel for each segment, in the order of their labels: which is none."),
  files: z
    .union([preset, names], { error: expected(FILES) })
    .prefault({})
    .meta({ title: FILES })
    .describe(
      "Of one file for each segment: its name, where that is not the segment's label; a preset's names are those of its model.",
    ),
  others: choice("refuse", "ignore")
    .prefault("refuse")
    .describe("What becomes of an answer with files that are named after no segment."),
});

const probabilities = section({
  reduce: choice("argmax", "threshold")
    .prefault("argmax")
    .describe("The most probable segment of a voxel, or every one that reaches the threshold."),
  threshold: z
    .number({ error: expected(SHARE) })
    .min(0, { error: expected(SHARE) })
    .max(1, { error: expected(SHARE) })
    .prefault(0.5)
    .meta({ title: SHARE })
    .describe("The probability to reach; for argmax only where no channel is the background."),
  background: background
    .prefault("first")
    .describe("Which channel is the background; the others are the segments in the order of their labels."),
  activation: choice("none", "sigmoid", "softmax")
    .prefault("none")
    .describe("What makes probabilities of the numbers; none, if they are."),
  keep: flag().prefault(false).describe("Whether the probabilities are kept, for a FRACTIONAL segmentation."),
});

const packedBits = section({
  order: choice("msb", "lsb").prefault("msb").describe("Which bit of a byte is its first voxel."),
});

/** The value of `response.as`. */
export function answerKind() {
  return z.union(
    [
      z
        .literal("labelmap")
        .meta({ title: "labelmap, or masks, probabilities or packedBits as below" })
        .describe("What the answer is; a labelmap has one label value per voxel."),
      section({ masks }),
      section({ probabilities }),
      section({ packedBits }),
    ],
    { error: expected(KINDS) },
  );
}

/** The value of `response.format`. */
export function answerFormat() {
  return section({
    raw: z
      .exactOptional(
        choice(
          ...(["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"] as const),
          ...(["float16", "float32", "float64"] as const),
        ),
      )
      .describe("The answer is nothing but numbers of this type; every other format is told by its content."),
    byteOrder: choice("little", "big").prefault("little").describe("Of raw numbers."),
    layout: z
      .exactOptional(text(LAYOUT, (written) => (isLayout(written) ? written : undefined)))
      .describe(
        "Axes of raw numbers, npy, npz and tensors, slowest first: Z slices, Y rows, X columns, C channels, N of one; by default ZYX or CZYX.",
      ),
  });
}

function isLayout(written: string): boolean {
  const count = (letter: string): number => written.split(letter).length - 1;
  return (
    /^[NCXYZ]{3,8}$/.test(written) && ["X", "Y", "Z"].every((axis) => count(axis) === 1) && count("C") <= 1
  );
}

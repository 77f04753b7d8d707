/** Settings of a model: where it is, how to ask it, what it answers, what its labels mean. */
import * as z from "zod";
import { parseCode } from "../../segmentation/codes.ts";
import type { SegmentDefinition } from "../../segmentation/segment.ts";
import {
  bytes,
  choice,
  duration,
  expected,
  found,
  line,
  named,
  section,
  text,
  url,
  whole,
} from "../kinds.ts";

const multipart = section({
  field: line(64).describe("Name of the form field that carries the file."),
  filename: line(128).describe("Its file name; some servers choose the reader by its ending."),
});

const body = z
  .union(
    [
      z
        .literal("raw")
        .meta({ title: "raw, or multipart as below" })
        .describe("For nifti: the file is the body, or a field of a form."),
      section({ multipart }),
    ],
    { error: expected("raw or { multipart: { field, filename } }") },
  )
  .transform((form) =>
    form === "raw" ? { kind: "raw" as const } : { kind: "multipart" as const, ...form.multipart },
  );

const nifti = section({
  format: z
    .literal("nifti")
    .describe("A NIfTI file, or a tensor of the Open Inference Protocol v2 (KServe, Triton)."),
  compression: choice("none", "gzip").prefault("none").describe("For nifti: compression of the file."),
  level: whole(1, 9)
    .prefault(1)
    .describe("For nifti: gzip level, 1 (fast) to 9 (small); on a LAN 1 is best."),
  body: body.prefault("raw"),
});

const kserve = section({
  format: z.literal("kserve"),
  input: line(128).describe("For kserve: name of the input tensor, shape [1, 1, slices, rows, columns]."),
  datatype: choice("INT16", "FP32").describe("For kserve: its datatype."),
  spacing: z
    .exactOptional(line(128))
    .describe("For kserve: name of an input that takes the voxel spacing in mm."),
  affine: z
    .exactOptional(line(128))
    .describe("For kserve: name of an input that takes the affine of the volume."),
});

const FORMATS = "nifti or kserve";
const request = z.discriminatedUnion("format", [nifti, kserve], {
  error: ({ code, input }) =>
    code === "invalid_union"
      ? expected(FORMATS)({ input: (input as { readonly format?: unknown }).format })
      : expected(`a request: its format, ${FORMATS}, and what belongs to it`)({ input }),
});

const response = section({
  as: choice("labelmap")
    .prefault("labelmap")
    .describe("What the answer is: one label value per voxel, on the grid sent."),
  output: z
    .exactOptional(line(128))
    .describe("For kserve: name of the output tensor, where there are several."),
  maxBytes: bytes("1KiB", "16GiB").prefault("1GiB").describe("Largest answer taken."),
});

function code() {
  return text("a code as scheme:value:meaning", (written, refuse) => {
    const parsed = parseCode(written);
    return parsed.kind === "code" ? parsed.code : refuse(parsed.reason);
  });
}

const channel = whole(0, 255);

const segment = section({
  label: line(64).describe("(0062,0005) Segment Label, unique in the model."),
  category: code().describe("Segmented Property Category (PS3.16 CID 7150)."),
  type: code().describe("Segmented Property Type (PS3.16 CID 7151)."),
  modifier: z
    .exactOptional(code())
    .describe("Modifier of the type, such as the laterality (PS3.16 CID 244)."),
  anatomy: z.exactOptional(code()).describe("Anatomic region, where the type is a finding."),
  color: z
    .exactOptional(
      z.tuple([channel, channel, channel], { error: expected("[red, green, blue], 0 to 255 each") }),
    )
    .meta({ title: "[red, green, blue], 0 to 255 each" })
    .describe("Recommended display colour."),
});

const LABELS = "a label value from 1 to 65535";
const label = z
  .string()
  .regex(/^[1-9]\d{0,4}$/, { error: expected(LABELS) })
  .refine((value) => Number(value) <= 65535, { error: ({ input }) => found(input, LABELS) })
  .meta({ title: "label" });

const segments = z
  .record(label, segment, { error: expected("segments by label value") })
  .refine((byLabel) => Object.keys(byLabel).length > 0, {
    error: "no segment, allowed: at least one by its label value",
  })
  .transform(
    (byLabel): ReadonlyMap<number, SegmentDefinition> =>
      new Map(Object.entries(byLabel).map(([value, definition]) => [Number(value), definition])),
  );

const model = section({
  url: url().describe("Where the request is sent by POST; called as it is, redirects are not followed."),
  version: line(64)
    .prefault("1")
    .describe("Part of the identity of its results: another version, another SEG."),
  slots: named(
    "numbers of places",
    whole(1, 1000).describe("Places of that slot which one inference takes."),
  ).prefault({}),
  deadline: duration("1s", "24h")
    .prefault("15m")
    .describe("How long one call may take, from first byte to last."),
  attempts: whole(1, 20).prefault(4).describe("Calls in all, where trying again can help."),
  request,
  response: response.prefault({}),
  onEmpty: choice("no-finding", "quarantine")
    .prefault("no-finding")
    .describe("What an answer without any segment is: no finding, or a fault to be looked at."),
  segments,
}).transform(({ deadline, ...rest }) => ({ ...rest, deadlineMs: deadline }));

export const models = named("models", model);

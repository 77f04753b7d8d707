/** Settings of a model: where it is, how to ask it, what it answers, what its labels mean. */
import * as z from "zod";
import { bytes, choice, duration, expected, line, named, section, url, whole } from "../kinds.ts";
import { answerFormat, answerKind } from "./answer.ts";
import { segments } from "./segments.ts";

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
  as: answerKind().prefault("labelmap"),
  format: z.exactOptional(answerFormat()),
  grid: choice("exact", "placed", "nearest")
    .prefault("exact")
    .describe(
      "Where the answer may lie: exact is the grid sent; placed, a part or a margin of it too; nearest, any grid, brought onto the source's by nearest neighbour and recorded in the SEG.",
    ),
  output: z
    .exactOptional(line(128))
    .describe("For kserve: name of the output tensor, where there are several."),
  maxBytes: bytes("1KiB", "16GiB").prefault("1GiB").describe("Largest answer taken."),
});

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
  onUnknownLabel: choice("refuse", "generic")
    .prefault("refuse")
    .describe(
      "A label value without a segment: the result stays here, or leaves as tissue named after the value.",
    ),
  absentSegments: choice("drop", "describe")
    .prefault("drop")
    .describe("A segment that the answer has no voxel of: left out of the object, or described in it."),
}).transform(({ deadline, ...rest }) => ({ ...rest, deadlineMs: deadline }));

export const models = named("models", model);

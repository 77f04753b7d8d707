/** Settings of a request: how the volume is written, and what carries it. */
import * as z from "zod";
import { LAYOUT } from "../../inference/arrange.ts";
import type { BodyShape, Json } from "../../inference/model.ts";
import { choice, expected, line, listOf, named, oneOf, section, text, whole } from "../kinds.ts";

/** Any value that JSON can hold. */
export function json() {
  return z
    .unknown()
    .refine(isJson, { error: expected("a value") })
    .transform((value) => value as Json);
}

function isJson(value: unknown): boolean {
  if (value === undefined || (typeof value === "number" && !Number.isFinite(value))) return false;
  return typeof value !== "object" || value === null || Object.values(value).every(isJson);
}

const upload = section({
  field: line(64).describe("Name of the form field that carries the file; of a form with this one field."),
  filename: line(128).describe("Its file name; some servers choose the reader by its ending."),
});

const part = section({
  name: line(64).describe("Name of the form field."),
  filename: z
    .exactOptional(line(128))
    .describe("File name of the part; some servers choose the reader by its ending."),
  type: z.exactOptional(line(128)).describe("Content-Type of the part."),
  data: z
    .string({ error: expected("text") })
    .meta({ title: "text" })
    .describe("Its content: text with placeholders, or ${volume.bytes} for the file."), // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config
});

const template = json()
  .meta({ title: "any JSON" })
  .describe("JSON template; ${volume.base64} and ${volume.dataurl} stand for the file."); // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config

/** What a request carries; also of single exchanges of a transport. */
export const body = z
  .union(
    [
      z
        .enum(["raw", "none"])
        .meta({ title: "raw, none, or multipart or json as below" })
        .describe("The file itself is the body, or there is none; or a form, or JSON."),
      oneOf({
        multipart: z.exactOptional(
          z.union([upload, listOf("parts", part)], {
            error: expected("{ field, filename }, or a list of parts"),
          }),
        ),
        json: z.exactOptional(template),
      }),
    ],
    { error: expected("raw, none, { multipart: … } or { json: … }") },
  )
  .transform((form): BodyShape => {
    if (typeof form === "string") return { kind: form };
    const { json, multipart } = form;
    if (json !== undefined) return { kind: "json", template: json };
    if (multipart === undefined) return { kind: "none" };
    if (!("field" in multipart)) return { kind: "multipart", parts: multipart };
    const { field: name, filename } = multipart;
    return { kind: "multipart", parts: [{ name, filename, data: "${volume.bytes}" }] }; // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config
  });

const LAYOUT_WORDS = "axes, slowest first: X, Y and Z, with N and C of one entry around them";

function layout() {
  return text(LAYOUT_WORDS, (written) => {
    const letters = written.replaceAll(/[ ,]/g, "");
    const isLayout = LAYOUT.test(letters) && new Set(letters).size === letters.length;
    return isLayout ? letters : undefined;
  });
}

const orientation = choice("native", "LPS", "RAS")
  .prefault("native")
  .describe(
    "Order and direction of the axes: as the scanner has them, or those nearest to LPS or RAS; nothing is resampled.",
  );

const file = section({
  format: choice("nifti", "nrrd", "metaimage", "npy", "raw", "dicom-zip").describe(
    "What the volume is written as: an image file, bare numbers, its DICOM files, or a tensor of the Open Inference Protocol v2 (KServe, Triton).",
  ),
  compression: choice("none", "gzip", "zstd")
    .prefault("none")
    .describe("Of the file; of nrrd and metaimage, which know it themselves, within the file."),
  level: whole(1, 9).prefault(1).describe("Of the compression, 1 (fast) to 9 (small); on a LAN 1 is best."),
  dtype: z
    .exactOptional(choice("int16", "uint16", "float32"))
    .describe(
      "Type of the numbers; by default that of the volume. Numbers that do not fit are an error, never clipped.",
    ),
  layout: layout()
    .prefault("ZYX")
    .describe("Of npy and raw, and of tensors (NCZYX for kserve): the order of the axes."),
  orientation,
  body: body.prefault("raw"),
});

const kserve = section({
  format: z.literal("kserve"),
  input: line(128).describe("For kserve: name of the input tensor, shape [1, 1, slices, rows, columns]."),
  datatype: choice("INT16", "UINT16", "FP32").describe("For kserve: its datatype."),
  layout: layout().prefault("NCZYX").describe("Of a tensor: the order of its axes."),
  orientation,
  spacing: z
    .exactOptional(line(128))
    .describe("For kserve: name of an input that takes the voxel spacing in mm."),
  affine: z
    .exactOptional(line(128))
    .describe("For kserve: name of an input that takes the affine of the volume."),
  parameters: named("values", json())
    .meta({ title: "values by name" })
    .prefault({})
    .describe("For kserve: more parameters of the request, such as { priority: 1 }."),
});

const FORMATS = "nifti, nrrd, metaimage, npy, raw, dicom-zip or kserve";

export const request = z.discriminatedUnion("format", [file, kserve], {
  error: ({ code, input }) =>
    code === "invalid_union"
      ? expected(FORMATS)({ input: (input as { readonly format?: unknown }).format })
      : expected(`a request: its format, ${FORMATS}, and what belongs to it`)({ input }),
});

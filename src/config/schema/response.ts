/** Settings of a response: how the result is found in an answer, and when there is none. */
import * as z from "zod";
import type { Predicate, Unwrap } from "../../inference/model.ts";
import { bytes, choice, expected, line, oneOf, section } from "../kinds.ts";
import { answerFormat, answerKind } from "./answer.ts";
import { pointer, values } from "./transport.ts";

const UNWRAP_WORDS =
  "json, base64, dataurl, gzip, zstd, fetch, file, tensor, or { part }, { pointer }, { zip } or { tensor } with its value";

const unwrap = z
  .array(
    z
      .union(
        [
          z.enum(["json", "base64", "dataurl", "gzip", "zstd", "fetch", "file", "tensor"]),
          oneOf({
            part: z.exactOptional(line(128)),
            pointer: z.exactOptional(pointer()),
            zip: z.exactOptional(line(128)),
            tensor: z.exactOptional(line(128)),
          }),
        ],
        { error: expected(UNWRAP_WORDS) },
      )
      .transform((step): Unwrap => {
        if (typeof step === "string") return { kind: step };
        const { part, pointer, zip, tensor } = step;
        if (part !== undefined) return { kind: "part", name: part };
        if (pointer !== undefined) return { kind: "pointer", pointer };
        if (zip !== undefined) return { kind: "zip", glob: zip };
        return { kind: "tensor", ...(tensor !== undefined && { name: tensor }) };
      }),
    { error: expected("a list of steps") },
  )
  .max(16)
  .meta({ title: `steps: ${UNWRAP_WORDS}` });

const predicate = section({
  pointer: pointer().describe("Where it stands in a JSON answer."),
  is: values(1).describe("Values that mean it."),
}).transform((written): Predicate => written);

export const response = section({
  as: answerKind().prefault("labelmap"),
  format: z.exactOptional(answerFormat()),
  grid: choice("exact", "placed", "nearest")
    .prefault("exact")
    .describe(
      "Where the answer may lie: exact is the grid sent; placed, a part or a margin of it too; nearest, any grid, brought onto the source's by nearest neighbour and recorded in the SEG.",
    ),
  unwrap: unwrap
    .prefault([])
    .describe(
      "The way from the answer to the file, step by step; nothing to do where the answer is the file.",
    ),
  measurements: z
    .exactOptional(unwrap)
    .describe("The way to a JSON document of measurements in the same answer, kept beside the result."),
  echoes: z
    .record(pointer(), line(1024), { error: expected("texts by JSON Pointer") })
    .prefault({})
    .meta({ title: "texts by JSON Pointer" })
    .describe(
      'What a JSON answer must repeat, such as { /series: "${series.uid}" }; another value is the answer to another request.', // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config
    ),
  failedIf: z.exactOptional(predicate),
  busyIf: z.exactOptional(predicate),
  output: z
    .exactOptional(line(128))
    .describe("For kserve: name of the output tensor, where there are several."),
  maxBytes: bytes("1KiB", "16GiB")
    .prefault("1GiB")
    .describe("Largest answer taken, as sent and after each step of unwrap."),
});

/**
 * The bytes of an answer become findings. Runs in a worker: it inflates, parses and checks every voxel.
 *
 * In:   what the client received, the request it belongs to, what is expected.
 * Out:  Findings, or one of the errors of volume/formats/interpret.ts.
 * Pure.
 */
import { NodeError } from "../base/errors.ts";
import { gunzip } from "../volume/formats/gzip.ts";
import { invalid } from "../volume/formats/image.ts";
import { type Expected, type Interpreted, interpret } from "../volume/formats/interpret.ts";
import { JSON_LENGTH_HEADER, tensorIn } from "./kserve.ts";
import type { RequestShape, ResponseShape } from "./model.ts";

export interface Encoded {
  readonly bytes: Uint8Array;
  readonly headers: ReadonlyMap<string, string>;
  readonly format: RequestShape["format"];
  readonly response: ResponseShape;
  readonly expected: Expected;
}

export function decodeAnswer({ bytes, headers, format, response, expected }: Encoded): Interpreted {
  const plain = withoutEncoding(bytes, headers.get("content-encoding"), response.maxBytes);
  const jsonLength = headers.get(JSON_LENGTH_HEADER);
  const file =
    format === "kserve" ? tensorIn(plain, { jsonLength, output: response.output }) : { bytes: plain };
  return interpret([file], response, expected);
}

/** We ask for no encoding. One layer of gzip is undone all the same; a chain of them is how bombs are made. */
function withoutEncoding(bytes: Uint8Array, encoding: string | undefined, maxBytes: number): Uint8Array {
  const name = (encoding ?? "identity").trim().toLowerCase();
  if (name === "identity" || name === "") return bytes;
  if (name !== "gzip" && name !== "x-gzip") throw invalid("Answer with a Content-Encoding other than gzip");
  try {
    return gunzip(bytes, maxBytes);
  } catch (error) {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
    if (cause?.code !== "ERR_BUFFER_TOO_LARGE") throw error;
    throw new NodeError("MODEL_ANSWER_TOO_LARGE", `Answer inflates to more than ${maxBytes} bytes`, {
      cause,
    });
  }
}

/**
 * One instance of a WebAssembly codec per thread, loaded when first needed.
 *
 * A frame that makes it throw may leave it broken for the frames after (measured: "memory access out of bounds"
 * for every codec of the module after some dozens of traps), so an instance that threw is never used again.
 */
import { NodeError } from "../../base/errors.ts";

/**
 * @param load  makes a new instance
 * @returns     runs work on the current instance; whatever the work throws becomes PIXELS_UNDECODABLE
 */
export function codec<Instance>(
  name: string,
  load: () => Promise<Instance>,
): <Result>(work: (instance: Instance) => Result) => Promise<Result> {
  let current: Promise<Instance> | undefined;
  return async (work) => {
    try {
      current ??= load();
      return work(await current);
    } catch (thrown) {
      current = undefined;
      // Emscripten throws numbers and objects that cannot cross to another thread; only the text is kept.
      const cause = new Error(String(thrown));
      throw new NodeError("PIXELS_UNDECODABLE", `${name} could not decode a frame`, { cause });
    }
  };
}

/** What the @cornerstonejs codecs have in common; memory handed out is the instance's own until `delete`. */
export interface CornerstoneDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  delete(): void;
}

/** Emscripten options: no codec may write to the node's output. The object becomes the instance: one for each. */
export function quiet(): object {
  return { print: () => {}, printErr: () => {} };
}

/** Decodes one frame and copies it out of the codec's memory. */
export function decodeWith(decoder: CornerstoneDecoder, frame: Uint8Array): Uint8Array {
  try {
    decoder.getEncodedBuffer(frame.length).set(frame);
    decoder.decode();
    return Uint8Array.from(decoder.getDecodedBuffer());
  } finally {
    decoder.delete();
  }
}

/**
 * WebAssembly codecs: one instance per thread, loaded when first needed, and distrusted.
 *
 * A frame that makes an instance throw may leave it broken for the frames after (measured: "memory access out of
 * bounds" for every codec of the module after some dozens of traps), so an instance that threw is not used again.
 * Some decoders report damage only in what they print, and hand out a grey image; so printed complaints are
 * failures. Nothing reaches the node's own output.
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
      // Emscripten throws numbers and objects that cannot cross to another thread; only text is kept.
      const why = thrown instanceof Error ? thrown.message : "the decoder gave up";
      throw new NodeError("PIXELS_UNDECODABLE", `${name} frame: ${why}`);
    }
  };
}

/** Remembers the first line that tells of damage. */
export class Complaints {
  readonly #telling: RegExp;
  #first: string | undefined;

  constructor(telling: RegExp) {
    this.#telling = telling;
  }

  readonly hear = (line: string): void => {
    if (this.#first === undefined && this.#telling.test(line)) this.#first = line;
  };

  /** @throws if there was a complaint since the last call */
  throwIfAny(): void {
    const complaint = this.#first;
    this.#first = undefined;
    if (complaint !== undefined) throw new Error(complaint);
  }
}

/** What the decoders of @cornerstonejs have in common; memory handed out is theirs until `delete`. */
interface CornerstoneDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  delete(): void;
}

/**
 * A decoder of @cornerstonejs as a function from frame to samples.
 *
 * @param load  the package's function; the options given to it become the instance, so each load has its own
 * @param type  name of the decoder in the package
 */
export function cornerstoneCodec(
  name: string,
  load: (options: object) => Promise<unknown>,
  type: string,
): (frame: Uint8Array) => Promise<Uint8Array> {
  const run = codec(name, async () => {
    const complaints = new Complaints(/error/i);
    const instance = await load({ print: complaints.hear, printErr: complaints.hear });
    const Decoder = (instance as Record<string, new () => CornerstoneDecoder>)[type]!;
    return { Decoder, complaints };
  });
  return (frame) =>
    run(({ Decoder, complaints }) => {
      const decoder = new Decoder();
      try {
        decoder.getEncodedBuffer(frame.length).set(frame);
        decoder.decode();
        complaints.throwIfAny();
        return Uint8Array.from(decoder.getDecodedBuffer());
      } finally {
        decoder.delete();
      }
    });
}

/** Results as whole files in memory: what the worker would write to disk. */
import type { ObjectFacts, ResultFacts, SegInput, Wanted } from "../../src/segmentation/input.ts";
import { encodeSegmentation } from "../../src/segmentation/seg.ts";

export const BINARY: Wanted = { form: "binary", compression: "none" };
export const LABELMAP: Wanted = { form: "labelmap", compression: "none" };
export const LABELMAP_RLE: Wanted = { form: "labelmap", compression: "rle" };
export const FRACTIONAL: Wanted = { form: "fractional", compression: "none" };
export const FRACTIONAL_RLE: Wanted = { form: "fractional", compression: "rle" };

export type EncodedFile = ObjectFacts & { readonly file: Buffer };

/**
 * The files of the forms asked for alone.
 *
 * @throws if the input makes no object
 */
export function encodedAll(
  input: SegInput,
  ...wanted: readonly Wanted[]
): ResultFacts & { readonly objects: readonly EncodedFile[] } {
  const encoded = encodeSegmentation(input, wanted);
  if (encoded.kind !== "seg") throw new Error(JSON.stringify(encoded));
  const asked = encoded.objects.filter(({ form, compression }) =>
    wanted.some((one) => one.form === form && (one.compression === compression || form === "binary")),
  );
  const objects = Array.from(asked, ({ chunks, ...facts }) => ({ ...facts, file: gathered(chunks) }));
  return { ...encoded, objects };
}

/** @throws if the input makes no object, or more than one */
export function encodedOne(input: SegInput, wanted: Wanted = BINARY): EncodedFile & ResultFacts {
  const { objects, absent, unknown, lostVoxels } = encodedAll(input, wanted);
  const [object, second] = objects;
  if (!object || second) throw new Error(`${objects.length} objects`);
  return { ...object, absent, unknown, lostVoxels };
}

/** A chunk may be overwritten by the next one. */
function gathered(chunks: Iterable<Uint8Array>): Buffer {
  const pieces: Uint8Array[] = [];
  for (const chunk of chunks) pieces.push(Uint8Array.from(chunk));
  return Buffer.concat(pieces);
}

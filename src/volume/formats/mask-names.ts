/**
 * Whose mask a file is, by its name: `lung_upper_lobe_left.nii.gz` is that of the segment "Lung, upper lobe left".
 *
 * Pure. Folders, endings, case, punctuation and the order of the words count for nothing: `kidney_left` is "Left kidney". A name that is not a segment's is nobody's: it is
 * never guessed by the order of the files.
 */
import { printable } from "./image.ts";

/** Of the segments, by label value. */
export type SegmentNames = ReadonlyMap<number, { readonly label: string }>;

const ENDINGS = /\.(nii|nrrd|mha|npy)(\.gz)?$/i;

/** @returns the label value; undefined if the name is no segment's, or that of several */
export function segmentOf(
  file: string | undefined,
  files: ReadonlyMap<number, string>,
  { labels, names }: { readonly labels: readonly number[]; readonly names?: SegmentNames },
): number | undefined {
  if (file === undefined) return undefined;
  const wanted = plain(file);
  const owners = labels.filter((label) => {
    const name = files.get(label) ?? names?.get(label)?.label;
    return name !== undefined && plain(name) === wanted;
  });
  return owners.length === 1 ? owners[0] : undefined;
}

/** What a message may say of a file's name: the last part of its path. */
export function nameOf(file: string | undefined): string {
  return file === undefined ? "without a name" : printable(baseOf(file));
}

function plain(file: string): string {
  const words =
    baseOf(file)
      .replace(ENDINGS, "")
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.sort().join(" ");
}

function baseOf(file: string): string {
  return file.slice(Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\")) + 1);
}

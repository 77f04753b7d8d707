/** What somebody may want to know of an answer although it was used; for the log. Pure. */

export type Note =
  /** The two affines of a NIfTI header put a corner so far apart; the sform was taken. */
  | { readonly kind: "qform-differs"; readonly mm: number }
  /** Labelled voxels where the source has none: they are in no result. */
  | { readonly kind: "outside"; readonly voxels: number }
  | { readonly kind: "unknown-labels"; readonly labels: readonly number[] }
  | { readonly kind: "ignored-files"; readonly files: number };

const LISTED = 8;

export function told(note: Note): string {
  switch (note.kind) {
    case "qform-differs":
      return `sform and qform differ by ${note.mm.toPrecision(3)} mm; the sform was taken`;
    case "outside":
      return `${note.voxels} labelled voxels lie outside of the volume`;
    case "unknown-labels":
      return `labels without a segment: ${listed(note.labels)}`;
    case "ignored-files":
      return `${note.files} files are named after no segment and were ignored`;
  }
}

export function listed(labels: readonly number[]): string {
  const more = labels.length > LISTED ? ` and ${labels.length - LISTED} more` : "";
  return labels.slice(0, LISTED).join(", ") + more;
}

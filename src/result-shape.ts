/** How the result of a run is to look: its forms, what was made of probabilities, its Series Number. Pure. */
import type { Destination } from "./delivery/deliver.ts";
import { type DataSet, numberOf } from "./dicom/data-set.ts";
import { tagOf } from "./dicom/dictionary.ts";
import type { Answer } from "./inference/dispatch.ts";
import type { Model } from "./inference/model.ts";
import type { SegInput, Wanted } from "./segmentation/input.ts";

/** A SEG of a series without a number of its own; far from what scanners use. */
const SERIES_NUMBER_BASE = 90_000;
/** Result series are numbered 100 × the number of their source, and on. */
const LARGEST_SOURCE_NUMBER = 20_000_000;

/** How labels are made of probabilities, where the model answers with them. */
export function reductionOf({ as }: Model["response"]): Pick<SegInput, "reduction"> {
  if (typeof as !== "object" || !("probabilities" in as)) return {};
  const { reduce, threshold } = as.probabilities;
  return { reduction: { reduce, threshold } };
}

/**
 * What the run's destinations ask for and the answer has; one that is not configured any more asks for nothing. Of
 * labels alone there are no fractions.
 */
export function wantedOf(
  names: readonly string[],
  { findings }: Answer,
  destinations: ReadonlyMap<string, Destination>,
): readonly Wanted[] {
  const wanted = names.flatMap((name) => destinations.get(name)?.segmentation ?? []);
  return wanted
    .map(({ as: form, compression }) => ({ form, compression }))
    .filter(({ form }) => form !== "fractional" || findings.probabilities !== undefined);
}

export function seriesNumberOf(header: DataSet): number {
  const number = numberOf(header, tagOf("SeriesNumber"));
  return number !== undefined && number > 0 && number < LARGEST_SOURCE_NUMBER
    ? number * 100 + 1
    : SERIES_NUMBER_BASE;
}

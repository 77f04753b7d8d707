/**
 * Which objects of a run a destination gets, and in which files. Pure.
 *
 * BINARY is always among the results: every viewer reads it, so it stands in for a form that was not made or that a
 * destination does not take.
 */
import { TRANSFER_SYNTAX } from "../dicom/constants.ts";
import type { ResultForm, ResultRecord } from "../ledger/records.ts";

export const FALL_BACK: ResultForm = "binary";

/** @param wanted  undefined for a destination that is not configured any more */
export function formFor(wanted: ResultForm | undefined, results: readonly ResultRecord[]): ResultForm {
  return results.some(({ form }) => form === wanted) && wanted ? wanted : FALL_BACK;
}

/** One file of each object of a form. */
export function objectsOf(results: readonly ResultRecord[], form: ResultForm): readonly ResultRecord[] {
  const byPart = new Map(results.filter((one) => one.form === form).map((one) => [one.part, one]));
  return [...byPart.values()];
}

/** The files of one object, the most wanted first. */
export function filesOf(
  results: readonly ResultRecord[],
  { form, part }: Pick<ResultRecord, "form" | "part">,
  compression: "none" | "rle",
): readonly ResultRecord[] {
  const files = results.filter((one) => one.form === form && one.part === part);
  const isRle = ({ transferSyntaxUid }: ResultRecord): boolean =>
    transferSyntaxUid === TRANSFER_SYNTAX.RLE_LOSSLESS;
  const native = files.filter((one) => !isRle(one));
  return compression === "rle" ? [...files.filter(isRle), ...native] : native;
}

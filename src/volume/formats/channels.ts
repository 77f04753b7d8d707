/**
 * What each channel of an answer means: the labels of the model in ascending order, and perhaps the background.
 *
 * Pure. There must be exactly as many channels as that: a channel too many is most often a background that nobody
 * declared, and would move every label by one.
 */
import { invalid } from "./image.ts";

/** Which channel is no segment but the rest of the body. */
export type Background = "none" | "first" | "last";

/** In the order of the channels; label 0 is the background. */
export type Channels = readonly { readonly label: number }[];

/** @throws MODEL_ANSWER_INVALID if the answer has more or fewer */
export function channelsOf(count: number, labels: readonly number[], background: Background): Channels {
  const ascending = labels.toSorted((a, b) => a - b).map((label) => ({ label }));
  const rest = { label: 0 };
  const channels = { none: ascending, first: [rest, ...ascending], last: [...ascending, rest] }[background];
  if (count === channels.length) return channels;
  const words = background === "none" ? "" : ", and one of the background";
  throw invalid(
    `Answer of ${count} channels where ${channels.length} are wanted: one for each of ${labels.length} segments${words}`,
  );
}

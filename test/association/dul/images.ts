/** Images with a SOP Instance UID for each case, and the messages that carry them. */
import { ctImage, explicit } from "../../support/bytes.ts";
import { associateRq, pData, storeRq } from "../../support/raw-peer.ts";
import type { Case } from "./case.ts";

const padded = (uid: string): string => (uid.length % 2 ? `${uid}\0` : uid);
export const element = (tag: string, uid: string): Buffer => explicit(tag, "UI", padded(uid));

/** Of a case and, if it sends several, which of them. */
export function uidOf(id: string, which = 0): string {
  return `1.2.3.4.5.${id.charCodeAt(0)}.${Number(id.slice(1))}.${which}`;
}

export function imageOf(
  id: string,
  overrides: Readonly<Record<string, Uint8Array | "">> = {},
  which = 0,
): Buffer {
  return ctImage({ "00080018": element("00080018", uidOf(id, which)), ...overrides });
}

const VALUE_BYTES = 100_000;

/** A C-STORE with its data set in values of 100 kB. */
export function* storing(
  uid: string,
  dataSet: Uint8Array,
  options: { readonly contextId?: number; readonly classUid?: string; readonly messageId?: number } = {},
): Generator<Uint8Array> {
  const { contextId = 1, messageId = 1, ...rest } = options;
  yield pData(contextId, 3, storeRq(messageId, uid, rest));
  for (let at = 0; at < dataSet.length || at === 0; at += VALUE_BYTES) {
    const isLast = at + VALUE_BYTES >= dataSet.length;
    yield pData(contextId, isLast ? 2 : 0, dataSet.subarray(at, at + VALUE_BYTES));
  }
}

/** One C-STORE of a data set that is made when it is sent. */
export function stores(id: string, name: string, answer: string, dataSet: () => Uint8Array): Case {
  return {
    id,
    name,
    opening: associateRq(),
    sends: () => storing(uidOf(id), dataSet()),
    answer,
    ...(answer === "RSP 0000" && { keeps: 1 }),
  };
}

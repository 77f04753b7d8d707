/**
 * What a response says, and whether it answers the request. Pure.
 *
 * @see PS3.7 9.1.1, 9.3.1, 10.1.1 and 10.1.4
 */
import { type Command, RESPONSE_BIT } from "./command.ts";

export interface StoreAnswer {
  readonly status: number;
  /** (0000,0902) Error Comment, without control characters. Not for logs: the peer may name a patient in it. */
  readonly comment?: string;
}

export function storeAnswer({ status = 0, comment }: Command): StoreAnswer {
  return comment === undefined
    ? { status }
    : { status, comment: comment.replace(/[^\x20-\xff]/g, "").trim() };
}

/** The message id must match; the SOP class and instance may be missing, but not differ. */
export function isAnswer(response: Command, request: Command): boolean {
  const isSame = (given: string | undefined, asked: string | undefined): boolean =>
    given === undefined || given.replace(/[\0 ]+$/, "") === asked;
  return (
    response.field === (request.field | RESPONSE_BIT) &&
    response.respondedTo === request.messageId &&
    response.status !== undefined &&
    !response.hasDataSet &&
    isSame(response.sopClassUid, request.sopClassUid) &&
    isSame(response.sopInstanceUid, request.sopInstanceUid)
  );
}

/**
 * What a peer asks for with a command, and the status it gets if that cannot be. Pure.
 *
 * @see PS3.4 annex A (Verification), B.2 (Storage) and J.3 (Storage Commitment), PS3.7 9.1, 9.3 and annex C for the statuses
 */
import { COMMITMENT_INSTANCE, SOP_CLASS, STATUS } from "../dicom/constants.ts";
import { type InstanceUid, parseUid, type SopClassUid } from "../dicom/uid.ts";
import { COMMAND, type Command, RESPONSE_BIT } from "./command.ts";
import { AbortReason, Priority } from "./dimse.ts";
import type { Context } from "./negotiation.ts";
import { PeerFault } from "./peer-fault.ts";

export type Operation =
  | {
      readonly kind: "store";
      readonly sopClassUid: SopClassUid;
      readonly sopInstanceUid: InstanceUid;
      readonly priority: "low" | "medium" | "high";
    }
  /** Of storage commitment: a request for it, or a report of what came of one of ours. */
  | { readonly kind: "commitment"; readonly notice: "request" | "report" }
  /** Answered with this status, once the data set, if any, has gone by. */
  | { readonly kind: "answer"; readonly status: number }
  | { readonly kind: "ignore" };

/** @throws PeerFault if there is nobody to answer: a response nobody asked for, a request without message id */
export function operationOf(command: Command, context: Context): Operation {
  if (command.field === COMMAND.C_CANCEL_RQ) return { kind: "ignore" };
  if ((command.field & RESPONSE_BIT) !== 0) {
    throw new PeerFault("response without a request", AbortReason.UnexpectedPduParameter);
  }
  if (command.messageId === undefined) throw new PeerFault("request without message id");
  if (context.abstractSyntax === SOP_CLASS.STORAGE_COMMITMENT) return commitmentOf(command);
  const isVerification = context.abstractSyntax === SOP_CLASS.VERIFICATION;
  const expected = isVerification ? COMMAND.C_ECHO_RQ : COMMAND.C_STORE_RQ;
  if (command.field !== expected) return { kind: "answer", status: STATUS.UNRECOGNIZED_OPERATION };
  return isVerification ? { kind: "answer", status: STATUS.SUCCESS } : storeOf(command, context);
}

/** The response to a request; what identifies the instance is repeated only if it is a UID. */
export function responseTo(command: Command, status: number): Command {
  return {
    field: command.field | RESPONSE_BIT,
    respondedTo: command.messageId,
    sopClassUid: parseUid(command.sopClassUid),
    sopInstanceUid: parseUid(command.sopInstanceUid),
    typeId: command.typeId,
    status,
    hasDataSet: false,
  };
}

/** PS3.4 J.3.2 and J.3.3. */
function commitmentOf(command: Command): Operation {
  const isRequest = command.field === COMMAND.N_ACTION_RQ;
  if (!isRequest && command.field !== COMMAND.N_EVENT_REPORT_RQ) {
    return { kind: "answer", status: STATUS.UNRECOGNIZED_OPERATION };
  }
  if (parseUid(command.sopClassUid) !== SOP_CLASS.STORAGE_COMMITMENT) {
    return { kind: "answer", status: STATUS.NO_SUCH_SOP_CLASS };
  }
  if (parseUid<InstanceUid>(command.sopInstanceUid) !== COMMITMENT_INSTANCE) {
    return { kind: "answer", status: STATUS.NO_SUCH_SOP_INSTANCE };
  }
  if (isRequest && command.typeId !== 1) return { kind: "answer", status: STATUS.NO_SUCH_ACTION_TYPE };
  if (!isRequest && command.typeId !== 1 && command.typeId !== 2) {
    return { kind: "answer", status: STATUS.NO_SUCH_EVENT_TYPE };
  }
  if (!command.hasDataSet) return { kind: "answer", status: STATUS.INVALID_ARGUMENT_VALUE };
  return { kind: "commitment", notice: isRequest ? "request" : "report" };
}

function storeOf(command: Command, { abstractSyntax }: Context): Operation {
  const sopClassUid = parseUid<SopClassUid>(command.sopClassUid);
  if (sopClassUid !== abstractSyntax) return { kind: "answer", status: STATUS.SOP_CLASS_NOT_SUPPORTED };
  const sopInstanceUid = parseUid<InstanceUid>(command.sopInstanceUid);
  if (!sopInstanceUid) return { kind: "answer", status: STATUS.INVALID_SOP_INSTANCE };
  if (!command.hasDataSet) return { kind: "answer", status: STATUS.CANNOT_UNDERSTAND };
  return { kind: "store", sopClassUid, sopInstanceUid, priority: priorityOf(command.priority) };
}

function priorityOf(priority: number | undefined): "low" | "medium" | "high" {
  if (priority === Priority.High) return "high";
  return priority === Priority.Low ? "low" : "medium";
}

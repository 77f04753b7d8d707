/**
 * Audit messages of DICOM, PS3.15 A.5: what happened, who took part, which study. Pure.
 *
 * In:   an event of the log and the moment it happened.
 * Out:  the XML of one AuditMessage; undefined for an event that is none of the audit's business.
 *
 * A message names a study by its UID and never a patient: who may know the patient can look the study up. So the
 * participant object "Patient", which A.5.3.7 has, is left out.
 */
import type { LogFields } from "../../base/log.ts";
import type { LogEvent } from "../observed-log.ts";

export interface AuditSource {
  /** Our AE title: AuditSourceID, and the participant that is this node. */
  readonly aeTitle: string;
  /** AuditEnterpriseSiteID, if the site has a name for itself. */
  readonly site?: string;
}

/** A code of DCM, PS3.16 CID 400 to 405. */
interface Code {
  readonly value: string;
  readonly meaning: string;
}

interface Participant {
  readonly userId: string;
  readonly aeTitle?: string;
  readonly isRequestor: boolean;
  readonly role?: Code;
  /** Host name or address. */
  readonly networkAccessPoint?: string;
}

interface Message {
  readonly id: Code;
  readonly type?: Code;
  /** C create, R read, U update, E execute. */
  readonly action: "C" | "R" | "U" | "E";
  /** 0 success, 4 minor failure, 8 serious failure, 12 major failure: A.5.2. */
  readonly outcome: 0 | 4 | 8 | 12;
  readonly outcomeText?: string;
  readonly participants: readonly Participant[];
  readonly study?: { readonly uid: string; readonly instances?: number };
}

const ID = {
  APPLICATION: { value: "110100", meaning: "Application Activity" },
  ACCESSED: { value: "110103", meaning: "DICOM Instances Accessed" },
  BEGIN_TRANSFER: { value: "110102", meaning: "Begin Transferring DICOM Instances" },
  TRANSFERRED: { value: "110104", meaning: "DICOM Instances Transferred" },
  PROCEDURE: { value: "110111", meaning: "Procedure Record" },
  SECURITY_ALERT: { value: "110113", meaning: "Security Alert" },
  USER: { value: "110114", meaning: "User Authentication" },
} as const;

const TYPE = {
  START: { value: "110120", meaning: "Application Start" },
  STOP: { value: "110121", meaning: "Application Stop" },
  LOGIN: { value: "110122", meaning: "Login" },
  LOGOUT: { value: "110123", meaning: "Logout" },
  CONFIGURATION: { value: "110131", meaning: "Software Configuration" },
  RESTRICTED: { value: "110132", meaning: "Use of Restricted Function" },
  NODE_AUTHENTICATION: { value: "110126", meaning: "Node Authentication" },
} as const;

const ROLE = {
  APPLICATION: { value: "110150", meaning: "Application" },
  SOURCE: { value: "110153", meaning: "Source Role ID" },
  DESTINATION: { value: "110152", meaning: "Destination Role ID" },
} as const;

/** @param at  epoch ms */
export function auditMessage(event: LogEvent, at: number, source: AuditSource): string | undefined {
  const message = MESSAGES[event.event]?.(event.fields, source);
  return message && xmlOf(message, at, source);
}

const node = ({ aeTitle }: AuditSource, isRequestor: boolean, role: Code): Participant => ({
  userId: aeTitle,
  aeTitle,
  isRequestor,
  role,
});

const peer = (
  { callingAeTitle, peer, destination }: LogFields,
  isRequestor: boolean,
  role: Code,
): Participant => ({
  userId: callingAeTitle ?? destination ?? peer ?? "unknown",
  ...(callingAeTitle !== undefined && { aeTitle: callingAeTitle }),
  ...(peer !== undefined && { networkAccessPoint: peer }),
  isRequestor,
  role,
});

const application =
  (type: Code) =>
  (_: LogFields, source: AuditSource): Message => ({
    id: ID.APPLICATION,
    type,
    action: "E",
    outcome: 0,
    participants: [node(source, false, ROLE.APPLICATION)],
  });

const alert = (fields: LogFields, source: AuditSource): Message => ({
  id: ID.SECURITY_ALERT,
  type: TYPE.NODE_AUTHENTICATION,
  action: "E",
  outcome: 8,
  ...(fields.reason !== undefined && { outcomeText: fields.reason }),
  participants: [node(source, false, ROLE.APPLICATION), peer(fields, true, ROLE.SOURCE)],
});

const sent =
  (id: Code, outcome: Message["outcome"]) =>
  (fields: LogFields, source: AuditSource): Message => ({
    id,
    action: id === ID.BEGIN_TRANSFER ? "E" : "R",
    outcome,
    ...(outcome > 0 && fields.reason !== undefined && { outcomeText: fields.reason }),
    participants: [node(source, true, ROLE.SOURCE), peer(fields, false, ROLE.DESTINATION)],
    ...(fields.studyUid !== undefined && { study: { uid: fields.studyUid, instances: 1 } }),
  });

const user =
  (type: Code, outcome: Message["outcome"]) =>
  (fields: LogFields, source: AuditSource): Message => ({
    id: ID.USER,
    type,
    action: "E",
    outcome,
    participants: [
      {
        userId: fields.user ?? "unknown",
        isRequestor: true,
        ...(fields.peer && { networkAccessPoint: fields.peer }),
      },
      node(source, false, ROLE.APPLICATION),
    ],
  });

const ACTIONS: ReadonlyMap<Code, Message["action"]> = new Map<Code, Message["action"]>([
  [ID.PROCEDURE, "U"],
  [ID.ACCESSED, "R"],
]);

/** What a person did to a study or to the node, or saw of it: PS3.15 A.5.3.4, A.5.3.11, A.5.3.14. */
const order =
  (id: Code, outcome: Message["outcome"], type?: Code) =>
  (fields: LogFields, source: AuditSource): Message => ({
    id,
    ...(type && { type }),
    action: ACTIONS.get(id) ?? "E",
    outcome,
    participants: [
      {
        userId: fields.user ?? "unknown",
        isRequestor: true,
        ...(fields.peer && { networkAccessPoint: fields.peer }),
      },
      ...(fields.destination === undefined ? [] : [peer(fields, false, ROLE.DESTINATION)]),
      node(source, false, ROLE.APPLICATION),
    ],
    ...(fields.studyUid !== undefined && { study: { uid: fields.studyUid } }),
  });

const MESSAGES: Readonly<Record<string, (fields: LogFields, source: AuditSource) => Message>> = {
  "node.started": application(TYPE.START),
  "node.stopping": application(TYPE.STOP),
  "association.rejected": alert,
  "connection.tls-failed": alert,
  "series.complete": (fields, source) => ({
    id: ID.TRANSFERRED,
    action: "C",
    outcome: 0,
    participants: [peer(fields, true, ROLE.SOURCE), node(source, false, ROLE.DESTINATION)],
    ...(fields.studyUid !== undefined && {
      study: { uid: fields.studyUid, ...(fields.instances !== undefined && { instances: fields.instances }) },
    }),
  }),
  "delivery.started": sent(ID.BEGIN_TRANSFER, 0),
  "delivery.done": sent(ID.TRANSFERRED, 0),
  "delivery.postponed": sent(ID.TRANSFERRED, 4),
  "delivery.held": sent(ID.TRANSFERRED, 8),
  "http.login": user(TYPE.LOGIN, 0),
  "http.login-refused": user(TYPE.LOGIN, 8),
  "http.logout": user(TYPE.LOGOUT, 0),
  "picture.opened": order(ID.ACCESSED, 0),
  "http.action-refused": order(ID.SECURITY_ALERT, 8, TYPE.RESTRICTED),
  "run.retry-asked": order(ID.PROCEDURE, 0),
  "run.discarded": order(ID.PROCEDURE, 0),
  "delivery.retry-asked": order(ID.PROCEDURE, 0),
  "delivery.discarded": order(ID.PROCEDURE, 0),
  "destination.paused": order(ID.SECURITY_ALERT, 0, TYPE.CONFIGURATION),
  "destination.resumed": order(ID.SECURITY_ALERT, 0, TYPE.CONFIGURATION),
};

/** Element order and attributes as in the schema of PS3.15 A.5.1. */
function xmlOf(message: Message, at: number, { aeTitle, site }: AuditSource): string {
  const { id, type, action, outcome, outcomeText, participants, study } = message;
  return [
    "<AuditMessage>",
    element("EventIdentification", {
      EventActionCode: action,
      EventDateTime: new Date(at).toISOString(),
      EventOutcomeIndicator: String(outcome),
    }),
    code("EventID", id),
    type ? code("EventTypeCode", type) : "",
    outcomeText === undefined
      ? ""
      : `<EventOutcomeDescription>${escaped(outcomeText)}</EventOutcomeDescription>`,
    "</EventIdentification>",
    ...participants.map(participantXml),
    element("AuditSourceIdentification", {
      AuditSourceID: aeTitle,
      ...(site !== undefined && { AuditEnterpriseSiteID: site }),
    }),
    '<AuditSourceTypeCode csd-code="4"/>', // application server process
    "</AuditSourceIdentification>",
    study ? studyXml(study) : "",
    "</AuditMessage>",
  ].join("");
}

function participantXml({ userId, aeTitle, isRequestor, role, networkAccessPoint }: Participant): string {
  const attributes = {
    UserID: userId,
    ...(aeTitle !== undefined && { AlternativeUserID: `AETITLES=${aeTitle}` }),
    UserIsRequestor: String(isRequestor),
    ...(networkAccessPoint !== undefined && {
      NetworkAccessPointID: networkAccessPoint,
      NetworkAccessPointTypeCode: "2", // an address
    }),
  };
  return `${element("ActiveParticipant", attributes)}${role ? code("RoleIDCode", role) : ""}</ActiveParticipant>`;
}

function studyXml({ uid, instances }: NonNullable<Message["study"]>): string {
  const count = instances === undefined ? "" : `<SOPClass NumberOfInstances="${instances}"/>`;
  return [
    element("ParticipantObjectIdentification", {
      ParticipantObjectID: uid,
      ParticipantObjectTypeCode: "2",
      ParticipantObjectTypeCodeRole: "3",
    }),
    code("ParticipantObjectIDTypeCode", { value: "110180", meaning: "Study Instance UID" }),
    count === "" ? "" : `<ParticipantObjectDescription>${count}</ParticipantObjectDescription>`,
    "</ParticipantObjectIdentification>",
  ].join("");
}

function code(name: string, { value, meaning }: Code): string {
  const attributes = { "csd-code": value, codeSystemName: "DCM", originalText: meaning };
  return element(name, attributes).replace(/>$/, "/>");
}

/** Its opening tag. */
function element(name: string, attributes: Readonly<Record<string, string>>): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  return `<${name}${written.join("")}>`;
}

/** Control characters cannot stand in XML 1.0 at all; a line break would end a line of the trail. */
function escaped(text: string): string {
  return text
    .replaceAll(/\p{Cc}+/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

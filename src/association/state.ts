/**
 * The DICOM upper layer state machine as data, PS3.8 9.2: states × events → actions. Pure.
 *
 * Both roles, every cell. A cell that is not there cannot happen unless this program is wrong. An action is the
 * list of its effects and the state that follows; upper-layer.ts carries the effects out. Who refuses an
 * association, and why, is decided above the machine (negotiation.ts), so AE-6 always asks and Evt8 carries the
 * source. The states:
 *
 *   Sta1 idle · Sta2 connected, awaiting A-ASSOCIATE-RQ · Sta3 awaiting the local answer · Sta4 connecting ·
 *   Sta5 awaiting A-ASSOCIATE-AC or -RJ · Sta6 data transfer · Sta7 awaiting A-RELEASE-RP · Sta8 awaiting the local
 *   release answer · Sta9 to Sta12 release collision · Sta13 awaiting the end of the connection
 */

export type Role = "requestor" | "acceptor";

export type State =
  | "Sta1"
  | "Sta2"
  | "Sta3"
  | "Sta4"
  | "Sta5"
  | "Sta6"
  | "Sta7"
  | "Sta8"
  | "Sta9"
  | "Sta10"
  | "Sta11"
  | "Sta12"
  | "Sta13";

/** PS3.8 table 9-10 numbers them Evt1 to Evt19, in this order. */
export type Event =
  | "associate request"
  | "transport connected"
  | "A-ASSOCIATE-AC received"
  | "A-ASSOCIATE-RJ received"
  | "transport indication"
  | "A-ASSOCIATE-RQ received"
  | "associate accept"
  | "associate reject"
  | "data request"
  | "P-DATA-TF received"
  | "release request"
  | "A-RELEASE-RQ received"
  | "A-RELEASE-RP received"
  | "release response"
  | "abort request"
  | "A-ABORT received"
  | "transport closed"
  | "ARTIM expired"
  | "invalid PDU received";

export type Effect =
  /** Write the PDU that comes with the event. */
  | "send"
  /** Write an A-ABORT PDU: as the event says, or else from the service user. */
  | "send abort as user"
  /** Write an A-ABORT PDU: as the event says, or else from the provider, because of an unexpected PDU. */
  | "send abort as provider"
  /** Tell the user what comes with the event. */
  | "indicate"
  /** Tell the user that the provider has ended the association. */
  | "indicate provider abort"
  /** Hand the data on to the user. */
  | "take data"
  | "start ARTIM"
  | "stop ARTIM"
  | "close";

export interface Transition {
  readonly action: Action;
  readonly next: State;
  readonly effects: readonly Effect[];
}

/** What an event does in a state; undefined where PS3.8 table 9-10 has no entry. */
export function transition(state: State, event: Event, role: Role): Transition | undefined {
  const action = TABLE[event][state];
  if (!action) return undefined;
  const [next, ...effects] = ACTIONS[action];
  return { action, next: next === "Sta9 or Sta10" ? COLLISION[role] : next, effects };
}

/** PS3.8 tables 9-6 to 9-9. */
const ACTIONS = {
  "AE-1": ["Sta4"],
  "AE-2": ["Sta5", "send"],
  "AE-3": ["Sta6", "indicate"],
  "AE-4": ["Sta1", "indicate", "close"],
  "AE-5": ["Sta2", "start ARTIM"],
  "AE-6": ["Sta3", "stop ARTIM", "indicate"],
  "AE-7": ["Sta6", "send"],
  "AE-8": ["Sta13", "send", "start ARTIM"],

  "DT-1": ["Sta6", "send"],
  "DT-2": ["Sta6", "take data"],

  "AR-1": ["Sta7", "send"],
  "AR-2": ["Sta8", "indicate"],
  "AR-3": ["Sta1", "indicate", "close"],
  "AR-4": ["Sta13", "send", "start ARTIM"],
  "AR-5": ["Sta1", "stop ARTIM"],
  "AR-6": ["Sta7", "take data"],
  "AR-7": ["Sta8", "send"],
  "AR-8": ["Sta9 or Sta10", "indicate"],
  "AR-9": ["Sta11", "send"],
  "AR-10": ["Sta12", "indicate"],

  "AA-1": ["Sta13", "send abort as user", "start ARTIM"],
  "AA-2": ["Sta1", "stop ARTIM", "close"],
  "AA-3": ["Sta1", "indicate", "close"],
  "AA-4": ["Sta1", "indicate provider abort"],
  "AA-5": ["Sta1", "stop ARTIM"],
  "AA-6": ["Sta13"],
  "AA-7": ["Sta13", "send abort as provider"],
  "AA-8": ["Sta13", "send abort as provider", "indicate provider abort", "start ARTIM"],
} as const satisfies Record<string, readonly [State | "Sta9 or Sta10", ...Effect[]]>;

type Action = keyof typeof ACTIONS;

const COLLISION: Record<Role, State> = { requestor: "Sta9", acceptor: "Sta10" };

type Row = Partial<Record<State, Action>>;

/** The same answer in every state of an association that stands. */
const whileOpen = (action: Action): Row => ({
  Sta3: action,
  Sta5: action,
  Sta6: action,
  Sta7: action,
  Sta8: action,
  Sta9: action,
  Sta10: action,
  Sta11: action,
  Sta12: action,
});

/** What a PDU meets that nobody waits for. */
const UNEXPECTED: Row = { Sta2: "AA-1", ...whileOpen("AA-8"), Sta13: "AA-6" };

/** PS3.8 table 9-10. */
const TABLE: Record<Event, Row> = {
  "associate request": { Sta1: "AE-1" },
  "transport connected": { Sta4: "AE-2" },
  "A-ASSOCIATE-AC received": { ...UNEXPECTED, Sta5: "AE-3" },
  "A-ASSOCIATE-RJ received": { ...UNEXPECTED, Sta5: "AE-4" },
  "transport indication": { Sta1: "AE-5" },
  "A-ASSOCIATE-RQ received": { ...UNEXPECTED, Sta2: "AE-6", Sta13: "AA-7" },
  "associate accept": { Sta3: "AE-7" },
  "associate reject": { Sta3: "AE-8" },
  "data request": { Sta6: "DT-1", Sta8: "AR-7" },
  "P-DATA-TF received": { ...UNEXPECTED, Sta6: "DT-2", Sta7: "AR-6" },
  "release request": { Sta6: "AR-1" },
  "A-RELEASE-RQ received": { ...UNEXPECTED, Sta6: "AR-2", Sta7: "AR-8" },
  "A-RELEASE-RP received": { ...UNEXPECTED, Sta7: "AR-3", Sta10: "AR-10", Sta11: "AR-3" },
  "release response": { Sta8: "AR-4", Sta9: "AR-9", Sta12: "AR-4" },
  "abort request": { ...whileOpen("AA-1"), Sta4: "AA-2" },
  "A-ABORT received": { Sta2: "AA-2", ...whileOpen("AA-3"), Sta13: "AA-2" },
  "transport closed": { Sta2: "AA-5", ...whileOpen("AA-4"), Sta4: "AA-4", Sta13: "AR-5" },
  "ARTIM expired": { Sta2: "AA-2", Sta13: "AA-2" },
  "invalid PDU received": { ...UNEXPECTED, Sta13: "AA-7" },
};

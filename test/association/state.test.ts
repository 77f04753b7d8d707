/** Every cell of PS3.8 table 9-10, copied from the standard by row; "/" is an empty cell. */
import { expect, test } from "vitest";
import { type Event, type Role, type State, transition } from "../../src/association/state.ts";

const STATES = Array.from({ length: 13 }, (_, at) => `Sta${at + 1}` as State);

// Columns: Sta1 to Sta13. Rows: Evt1 to Evt19.
const TABLE: readonly (readonly [Event, string])[] = [
  ["associate request", "AE-1 / / / / / / / / / / / /"],
  ["transport connected", "/ / / AE-2 / / / / / / / / /"],
  ["A-ASSOCIATE-AC received", "/ AA-1 AA-8 / AE-3 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6"],
  ["A-ASSOCIATE-RJ received", "/ AA-1 AA-8 / AE-4 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6"],
  ["transport indication", "AE-5 / / / / / / / / / / / /"],
  ["A-ASSOCIATE-RQ received", "/ AE-6 AA-8 / AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-7"],
  ["associate accept", "/ / AE-7 / / / / / / / / / /"],
  ["associate reject", "/ / AE-8 / / / / / / / / / /"],
  ["data request", "/ / / / / DT-1 / AR-7 / / / / /"],
  ["P-DATA-TF received", "/ AA-1 AA-8 / AA-8 DT-2 AR-6 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6"],
  ["release request", "/ / / / / AR-1 / / / / / / /"],
  ["A-RELEASE-RQ received", "/ AA-1 AA-8 / AA-8 AR-2 AR-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-6"],
  ["A-RELEASE-RP received", "/ AA-1 AA-8 / AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3 AA-8 AA-6"],
  ["release response", "/ / / / / / / AR-4 AR-9 / / AR-4 /"],
  ["abort request", "/ / AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1 /"],
  ["A-ABORT received", "/ AA-2 AA-3 / AA-3 AA-3 AA-3 AA-3 AA-3 AA-3 AA-3 AA-3 AA-2"],
  ["transport closed", "/ AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AR-5"],
  ["ARTIM expired", "/ AA-2 / / / / / / / / / / AA-2"],
  ["invalid PDU received", "/ AA-1 AA-8 / AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-8 AA-7"],
];

// PS3.8 tables 9-6 to 9-9.
const NEXT: Readonly<Record<string, string>> = {
  "AE-1": "Sta4",
  "AE-2": "Sta5",
  "AE-3": "Sta6",
  "AE-4": "Sta1",
  "AE-5": "Sta2",
  "AE-6": "Sta3",
  "AE-7": "Sta6",
  "AE-8": "Sta13",
  "DT-1": "Sta6",
  "DT-2": "Sta6",
  "AR-1": "Sta7",
  "AR-2": "Sta8",
  "AR-3": "Sta1",
  "AR-4": "Sta13",
  "AR-5": "Sta1",
  "AR-6": "Sta7",
  "AR-7": "Sta8",
  "AR-9": "Sta11",
  "AR-10": "Sta12",
  "AA-1": "Sta13",
  "AA-2": "Sta1",
  "AA-3": "Sta1",
  "AA-4": "Sta1",
  "AA-5": "Sta1",
  "AA-6": "Sta13",
  "AA-7": "Sta13",
  "AA-8": "Sta13",
};

test.each(TABLE)("%s does in every state what the standard's table says", (event, row) => {
  const actions = STATES.map((state) => transition(state, event, "acceptor")?.action ?? "/");
  expect(actions.join(" ")).toBe(row);
});

test("every action leads to the state the standard names", () => {
  for (const [event] of TABLE) {
    for (const state of STATES) {
      const found = transition(state, event, "acceptor");
      if (found && found.action !== "AR-8")
        expect([found.action, found.next]).toEqual([found.action, NEXT[found.action]]);
    }
  }
});

test.each<[Role, State]>([
  ["requestor", "Sta9"],
  ["acceptor", "Sta10"],
])("a release collision takes the %s to %s", (role, next) => {
  expect(transition("Sta7", "A-RELEASE-RQ received", role)).toMatchObject({ action: "AR-8", next });
});

test("whatever leads to Sta13 from an open association starts ARTIM, so that no connection stays for ever", () => {
  const open: readonly State[] = [
    "Sta2",
    "Sta3",
    "Sta5",
    "Sta6",
    "Sta7",
    "Sta8",
    "Sta9",
    "Sta10",
    "Sta11",
    "Sta12",
  ];
  for (const [event] of TABLE) {
    for (const state of open) {
      const found = transition(state, event, "acceptor");
      if (found?.next === "Sta13")
        expect([state, event, found.effects]).toEqual([
          state,
          event,
          expect.arrayContaining(["start ARTIM"]),
        ]);
    }
  }
});

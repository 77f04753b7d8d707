/** Settings of the work: where results go, what the models share, and which rules join the two. */
import * as z from "zod";
import { type Compiled, compileCondition, compilePriority, isPriority } from "../../routing/expression.ts";
import {
  aeTitle,
  choice,
  duration,
  expected,
  flag,
  line,
  listOf,
  named,
  type Refuse,
  section,
  text,
  whole,
} from "../kinds.ts";
import { peer, withTimeouts } from "./peer.ts";

const segmentation = section({
  as: choice("binary", "labelmap", "fractional")
    .prefault("binary")
    .describe(
      "Form of the SEGs: BINARY, read by every viewer; LABELMAP, smaller; FRACTIONAL, of models that answer with probabilities. Where the destination refuses a form it gets BINARY.",
    ),
  compression: choice("none", "rle")
    .prefault("none")
    .describe("For labelmap and fractional: RLE Lossless, where the destination takes it."),
});

const destination = section({
  ...peer,
  segmentation: segmentation.prefault({}),
  callingAeTitle: z.exactOptional(aeTitle()).describe("Our AE title towards it; by default node.aeTitle."),
  retryFor: duration("1m", "30d").prefault("72h").describe("How long a delivery is tried before it is held."),
  storageCommitment: flag()
    .prefault(false)
    .describe(
      "Whether it is asked to take responsibility for what it got (PS3.4 annex J); what it does not commit is sent again.",
    ),
  commitWithin: duration("1m", "30d")
    .prefault("24h")
    .describe("How long it may take to report; then the commitment is unknown, and said to be."),
}).transform(({ retryFor, commitWithin, ...rest }) => ({
  ...withTimeouts(rest),
  retryForMs: retryFor,
  commitWithinMs: commitWithin,
}));

export const destinations = named("destinations", destination);

const placesOf = () =>
  whole(1, 1000).describe("How many places this resource (a GPU, a server) has for inferences at a time.");

const SLOT = "a whole number from 1 to 1000, or { places, stat }";
const slot = z
  .union(
    [
      placesOf().meta({ title: SLOT }),
      section({
        places: placesOf(),
        stat: whole(0, 999).prefault(0).describe("How many of them are kept for STAT studies."),
      }),
    ],
    { error: expected(SLOT) },
  )
  .transform((written) => (typeof written === "number" ? { places: written, stat: 0 } : written));

export const slots = named("numbers of places", slot);

const FAN_IN = "asReady, all or { partialAfter }";
const fanIn = z
  .union(
    [
      choice("asReady", "all")
        .meta({ title: FAN_IN })
        .describe(
          "When results are sent: each as it is ready, or all once every model of the rule has ended.",
        ),
      section({
        partialAfter: duration("1s", "24h").describe(
          "What is there by then is sent; the rest follows when it is ready.",
        ),
      }),
    ],
    { error: expected(FAN_IN) },
  )
  .transform((written) =>
    typeof written === "string"
      ? { kind: written }
      : { kind: "partial" as const, afterMs: written.partialAfter },
  );

const rule = section({
  name: line(64).describe("Its name in the record of a study."),
  when: text("a condition in CEL", (written, refuse) =>
    checked(compileCondition(written), refuse) ? written : undefined,
  ).describe("Whether the rule applies: CEL over DICOM keywords, association.* and series.instances."),
  models: listOf("names of models", line(63))
    .meta({ title: "names of models" })
    .describe("Models that the series enters."),
  sendTo: listOf("names of destinations", line(63))
    .meta({ title: "names of destinations" })
    .describe("Destinations that the results go to."),
  priority: text('routine, stat, or CEL: condition ? "stat" : "routine"', (written, refuse) =>
    isPriority(written) || (!/^\w*$/.test(written) && checked(compilePriority(written), refuse))
      ? written
      : undefined,
  )
    .prefault("routine")
    .describe("What is stat goes before what is routine."),
  fanIn: fanIn.prefault("asReady"),
});

export const rules = z.array(rule, { error: expected("a list of rules") });

function checked(compiled: Compiled, refuse: Refuse): boolean {
  if (compiled.kind === "expression") return true;
  for (const { message, at } of compiled.faults) refuse(message, at);
  return false;
}

/** Settings of the work: where results go, what the models share, and which rules join the two. */
import * as z from "zod";
import { type Compiled, compileCondition, compilePriority, isPriority } from "../../routing/expression.ts";
import {
  aeTitle,
  choice,
  duration,
  expected,
  host,
  line,
  listOf,
  named,
  path,
  type Refuse,
  section,
  text,
  whole,
} from "../kinds.ts";

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

const tls = section({
  ca: path().describe(
    "PEM file of the authorities that may vouch for the destination; with it TLS is spoken.",
  ),
  cert: z.exactOptional(path()).describe("PEM file of the certificate that the node shows it."),
  key: z.exactOptional(path()).describe("PEM file of its private key, without passphrase."),
  crl: z.exactOptional(path()).describe("PEM file of the revocation lists of these authorities."),
  serverName: z
    .exactOptional(host())
    .describe("The name that its certificate must have; by default the host."),
}).transform(({ serverName, ...files }) => ({ files, ...(serverName !== undefined && { serverName }) }));

const destination = section({
  aeTitle: aeTitle().describe("Called AE title of the destination."),
  host: host().describe("Its host name or address."),
  port: whole(1, 65535).describe("Its TCP port."),
  segmentation: segmentation.prefault({}),
  callingAeTitle: z.exactOptional(aeTitle()).describe("Our AE title towards it; by default node.aeTitle."),
  tls: z.exactOptional(tls),
  retryFor: duration("1m", "30d").prefault("72h").describe("How long a delivery is tried before it is held."),
  connectTimeout: duration("1s", "5m")
    .prefault("10s")
    .describe("How long connecting and negotiating may take."),
  answerTimeout: duration("1s", "1h").prefault("60s").describe("How long the answer to a C-STORE may take."),
}).transform(({ retryFor, connectTimeout, answerTimeout, ...rest }) => ({
  ...rest,
  retryForMs: retryFor,
  connectTimeoutMs: connectTimeout,
  answerTimeoutMs: answerTimeout,
}));

export const destinations = named("destinations", destination);

export const slots = named(
  "numbers of places",
  whole(1, 1000).describe("How many places this resource (a GPU, a server) has for inferences at a time."),
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
});

export const rules = z.array(rule, { error: expected("a list of rules") });

function checked(compiled: Compiled, refuse: Refuse): boolean {
  if (compiled.kind === "expression") return true;
  for (const { message, at } of compiled.faults) refuse(message, at);
  return false;
}

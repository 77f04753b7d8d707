/**
 * `isocenter conformance`: the DICOM conformance statement (PS3.2) as Markdown, from the tables the node works by.
 *
 * Nothing is written here that the code could contradict: SOP classes and transfer syntaxes come from the
 * negotiation, statuses from the table delivery decides by, limits from the config, TLS from its profile.
 */
import { STORAGE_CLASS_NAMES } from "../association/dimse.ts";
import { isStorageClass, syntaxesByPreference } from "../association/negotiation.ts";
import { MIN_PEER_PDU_BYTES } from "../association/pdu.ts";
import { RANGES } from "../association/statuses.ts";
import { TLS_PROFILE } from "../association/tls-profile.ts";
import { loadConfig, parseConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { characterSets } from "../dicom/character-set.ts";
import { IMPLEMENTATION, SOP_CLASS, STATUS, TRANSFER_SYNTAX } from "../dicom/constants.ts";

/** The least a config says; the rest are defaults. */
const LEAST = `
node: { aeTitle: ISOCENTER, dataDir: data }
dicom: { callers: [{ aeTitle: "*", from: 127.0.0.1 }] }
`;

/** @returns the exit code */
export async function conformance(path: string | undefined, print: (line: string) => void): Promise<number> {
  const loaded = path === undefined ? parseConfig(LEAST, "node.yaml") : await loadConfig(path);
  if (loaded.kind === "invalid") {
    for (const { file, line, column, message } of loaded.problems)
      print(`${file}:${line}:${column}: ${message}`);
    return 1;
  }
  for (const line of statement(loaded.config)) print(line);
  return 0;
}

function statement(config: Config): readonly string[] {
  return [
    `# DICOM conformance statement: Isocenter, AE title ${config.node.aeTitle}`,
    "",
    `Implementation Class UID ${IMPLEMENTATION.CLASS_UID}, Implementation Version Name ${IMPLEMENTATION.VERSION_NAME}.`,
    ...services(config),
    ...storageClasses(),
    ...transferSyntaxes(config),
    ...association(config),
    ...statuses(),
    ...security(config),
    ...texts(),
  ];
}

function services({ destinations, devices }: Config): readonly string[] {
  const asks = [...destinations.values()].some(({ storageCommitment }) => storageCommitment);
  return [
    ...heading("Services"),
    ...table(
      ["SOP Class", "UID", "SCU", "SCP"],
      [
        ["Verification", SOP_CLASS.VERIFICATION, "no", "yes"],
        ["Storage, all classes below", "", "no", "yes"],
        ["Segmentation Storage", SOP_CLASS.SEGMENTATION, "yes", "yes"],
        ["Label Map Segmentation Storage", SOP_CLASS.LABEL_MAP_SEGMENTATION, "yes", "yes"],
        [
          "Storage Commitment Push Model",
          SOP_CLASS.STORAGE_COMMITMENT,
          asks ? "yes" : "by config (destinations.<name>.storageCommitment)",
          devices.size > 0 ? "yes" : "by config (dicom.commitment)",
        ],
      ],
    ),
    "",
    "Storage is of level 2 (full): every attribute is kept, byte for byte; nothing is coerced. Of storage commitment",
    "the report is taken on any association, also on one that the destination opens in the role of the SCP (SCP/SCU",
    "role selection), and given on an association of our own, in that role. Query/Retrieve, worklist, print and media",
    "are not supported.",
  ];
}

function storageClasses(): readonly string[] {
  const named = Object.entries(STORAGE_CLASS_NAMES).filter(([, uid]) => isStorageClass(uid));
  return [
    ...heading("Storage SOP Classes received"),
    "Every class under 1.2.840.10008.5.1.4.1.1 that is a storage class, those of later editions included, and the",
    "storage classes outside of it; among them:",
    "",
    ...table(
      ["SOP Class", "UID"],
      named.map(([name, uid]) => [spaced(name), uid]),
    ),
  ];
}

function transferSyntaxes({ dicom, destinations }: Config): readonly string[] {
  const { first, last } = syntaxesByPreference(dicom.acceptDeflated);
  const row = (uid: string, when: string): readonly string[] => [nameOf(uid), uid, when];
  const forms = new Set([...destinations.values()].map(({ segmentation }) => segmentation.as));
  return [
    ...heading("Transfer syntaxes received"),
    "Of the syntaxes in one presentation context the first that is known is taken, since a sender lists first what it",
    "holds; those marked only if nothing else is proposed, in this order.",
    "",
    ...table(
      ["Transfer Syntax", "UID", "Taken"],
      [...first.map((uid) => row(uid, "yes")), ...last.map((uid) => row(uid, "if nothing else is proposed"))],
    ),
    ...heading("Transfer syntaxes sent"),
    "Each in a presentation context of its own: Explicit VR Little Endian, Implicit VR Little Endian; RLE Lossless where",
    "the destination asks for compression.",
    ...(forms.size > 0 ? [`Forms of segmentations sent under this config: ${[...forms].join(", ")}.`] : []),
  ];
}

function association({ dicom }: Config): readonly string[] {
  const { limits, timeouts } = dicom;
  return [
    ...heading("Associations"),
    ...table(
      ["Limit", "Value", "Beyond it"],
      [
        ["Associations at a time", `${limits.associations}`, "rejected, 2/3/2"],
        ["The same from one address", `${limits.associationsPerPeer}`, "rejected, 2/3/2"],
        ["Longest P-DATA-TF taken, announced", `${limits.pduBytes} bytes`, "aborted"],
        ["Longest A-ASSOCIATE-RQ", `${limits.associateBytes} bytes`, "aborted"],
        ["Longest command set", `${limits.commandBytes} bytes`, "aborted"],
        ["Longest instance", `${limits.instanceBytes} bytes`, `status ${hex(STATUS.OUT_OF_RESOURCES)}`],
        ["ARTIM", `${timeouts.artimMs} ms`, "aborted, closed"],
        ["Silence in an association", `${timeouts.idleMs} ms`, "aborted"],
        [
          "Shortest maximum length of a peer",
          `${MIN_PEER_PDU_BYTES} bytes; 0 is no limit`,
          "rejected; aborted",
        ],
      ],
    ),
    "",
    "One operation is outstanding at a time (no asynchronous operations window). User identity, extended and common",
    "extended negotiation are passed over. Callers are known by AE title, address and, under TLS, certificate.",
  ];
}

function statuses(): readonly string[] {
  return [
    ...heading("Statuses given or acted on"),
    ...Object.entries(STATUS).map(([name, status]) => `- ${hex(status)} ${sentence(name)}`),
    ...heading("Answers of destinations to C-STORE"),
    ...table(
      ["Status", "Taken as"],
      [
        ...RANGES.map(({ first, last, outcome }) => [
          first === last ? hex(first) : `${hex(first)} to ${hex(last)}`,
          outcome === "retry" ? "tried again" : outcome,
        ]),
        ["any other", "refused: held for a person"],
      ],
    ),
  ];
}

function security({ dicom, destinations }: Config): readonly string[] {
  const { name, versions, suites, curves } = TLS_PROFILE;
  const secured = [...destinations.values()].filter(({ tls }) => tls).map((destination) => destination.name);
  const listens = dicom.tls
    ? `${dicom.tls.host}:${dicom.tls.port}, ${dicom.tls.mutual ? "certificates of callers required" : "callers not authenticated"}`
    : "not under this config (dicom.tls)";
  return [
    ...heading("Security"),
    `- Profile: ${name}; ${versions.least} to ${versions.most}, the newer where both can`,
    ...Object.entries(suites).map(([version, names]) => `- ${version}: ${names.join(", ")}`),
    `- Curves: ${curves.join(", ")}`,
    "- No session renegotiation, no upgrade from plain connections",
    `- As acceptor: ${listens}`,
    `- As requestor: ${secured.length > 0 ? secured.join(", ") : "by config (destinations.<name>.tls)"}`,
  ];
}

function texts(): readonly string[] {
  return [
    ...heading("Character sets"),
    `Read: ${characterSets().join(", ")}, with the code extensions of ISO 2022; an unknown one as ISO_IR 100.`,
    "Written: ISO_IR 192.",
  ];
}

function heading(title: string): readonly string[] {
  return ["", `## ${title}`, ""];
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(columns), line(columns.map(() => "---")), ...rows.map(line)];
}

/** Four digits and an H, as the standard writes them. */
function hex(status: number): string {
  return `${status.toString(16).toUpperCase().padStart(4, "0")}H`;
}

/** "JPEG_2000_LOSSLESS" as "JPEG 2000 Lossless". */
function nameOf(uid: string): string {
  const [key = uid] = Object.entries(TRANSFER_SYNTAX).find(([, known]) => known === uid) ?? [];
  return key
    .split("_")
    .map((word) => (ACRONYMS.has(word) ? word : word[0] + word.slice(1).toLowerCase()))
    .join(" ");
}

const ACRONYMS = new Set(["VR", "JPEG", "LS", "SV1", "HTJ2K", "RPCL", "RLE", "2000"]);

/** "CtImageStorage" as "CT Image Storage". */
function spaced(name: string): string {
  return name
    .replace("XRay", "Xray")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/\b(Ct|Mr|Rt|Sr|Ecg|Pet|Nm|Us|Pdf|Cda)\b/g, (short) => short.toUpperCase())
    .replace("Xray", "X-Ray");
}

function sentence(name: string): string {
  const text = name.replaceAll("_", " ").toLowerCase().replaceAll("sop", "SOP").replaceAll("uid", "UID");
  return text[0]?.toUpperCase() + text.slice(1);
}

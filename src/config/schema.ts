/**
 * Every setting of the node, in one place: name, kind, bounds, default and a sentence each.
 *
 * The sections are under schema/. `Config` is what the node is given: durations in ms, sizes in bytes, entries by
 * name, each stage's part shaped as that stage declares it. Pure.
 */
import * as z from "zod";
import { section } from "./kinds.ts";
import { audit } from "./schema/audit.ts";
import { dicom } from "./schema/dicom.ts";
import { http } from "./schema/http.ts";
import { models } from "./schema/model.ts";
import { assembly, log, node, retention, volume } from "./schema/node.ts";
import { notifications } from "./schema/notifications.ts";
import { modelAccess, secrets } from "./schema/reach.ts";
import { destinations, rules, slots } from "./schema/work.ts";

export const settingsSchema = section({
  node,
  dicom,
  assembly: assembly.prefault({}),
  volume: volume.prefault({}),
  destinations: destinations.prefault({}),
  slots: slots.prefault({}),
  models: models.prefault({}),
  modelAccess: z.exactOptional(modelAccess),
  secrets: secrets.prefault({}),
  rules: rules.prefault([]),
  retention: retention.prefault({}),
  log: log.prefault({}),
  http: z.exactOptional(http),
  audit: audit.prefault({}),
  notifications: notifications.prefault([]),
});

export type Settings = z.output<typeof settingsSchema>;
export type Config = ReturnType<typeof toConfig>;

/** What only the machine knows. */
export interface Surroundings {
  readonly cores: number;
  /** Turns a path of the config into an absolute one. */
  readonly absolute: (path: string) => string;
}

export function toConfig(
  { node, dicom, destinations, models, audit, log, secrets, ...rest }: Settings,
  machine: Surroundings,
) {
  const { aeTitle, dataDir, workers = Math.min(MOST_WORKERS, machine.cores) } = node;
  const { listen, tls, commitment, ...association } = dicom;
  const located = <Tls extends { readonly files: Files }>(tls: Tls): Tls => ({
    ...tls,
    files: mapped(tls.files, machine.absolute),
  });
  const called = <Peer extends Called>({ tls, ...peer }: Peer) => ({
    callingAeTitle: aeTitle,
    ...peer,
    ...(tls && { tls: located(tls) }),
  });
  return {
    ...rest,
    node: { ...node, workers, dataDir: machine.absolute(dataDir) },
    log: { ...log, ...(log.file && { file: { ...log.file, path: machine.absolute(log.file.path) } }) },
    audit: { ...audit, aeTitle, ...(audit.syslog && { syslog: absoluteFiles(audit.syslog, machine) }) },
    dicom: { aeTitle, ...listen, ...association, ...(tls && { tls: located(tls) }) },
    destinations: byName(destinations, (name, entry) => ({ ...called(entry), name })),
    /** Those that may ask for storage commitment, by AE title. */
    devices: new Map(commitment.map((entry) => [entry.aeTitle, called(entry)])),
    models: byName(models, (name, entry) => ({ ...withAbsolute(entry, machine), name })),
    secrets: secrets.folder === undefined ? {} : { folder: machine.absolute(secrets.folder) },
  };
}

const MOST_WORKERS = 4;

type Syslog = NonNullable<Settings["audit"]["syslog"]>;

function absoluteFiles({ host, port, ...files }: Syslog, machine: Surroundings): Syslog {
  const paths = Object.entries(files).map(([name, path]) => [name, machine.absolute(path)]);
  return { host, port, ...Object.fromEntries(paths) };
}

interface Called {
  readonly tls?: { readonly files: Files; readonly serverName?: string };
}

type Files = Readonly<Record<string, string>>;

function mapped<Of extends Files>(files: Of, change: (path: string) => string): Of {
  return Object.fromEntries(Object.entries(files).map(([kind, path]) => [kind, change(path)])) as Of;
}

/** The files that a model's settings name. */
function withAbsolute<Entry extends Settings["models"][string]>(
  entry: Entry,
  { absolute }: Surroundings,
): Entry {
  const { tls, sharedFolder } = entry;
  const file = (key: "ca" | "cert" | "key") =>
    tls?.[key] === undefined ? {} : { [key]: absolute(tls[key]) };
  return {
    ...entry,
    ...(tls && { tls: { ...tls, ...file("ca"), ...file("cert"), ...file("key") } }),
    ...(sharedFolder && { sharedFolder: { ...sharedFolder, node: absolute(sharedFolder.node) } }),
  };
}

function byName<Entry, Named>(
  entries: Readonly<Record<string, Entry>>,
  toNamed: (name: string, entry: Entry) => Named,
): ReadonlyMap<string, Named> {
  return new Map(Object.entries(entries).map(([name, entry]) => [name, toNamed(name, entry)]));
}

/**
 * What no setting can know alone: names that must exist, be unique, fit together. Pure.
 *
 * In:   the config as written, valid or not: so that these problems are told together with all the others.
 * Out:  findings.
 */
import { suggestion } from "../routing/nearest.ts";
import { segmentFindings } from "./cross-segments.ts";
import { LABEL_PRESETS, labelPreset } from "./presets.ts";
import type { Finding } from "./problems.ts";
import { LISTEN_DEFAULT, TLS_LISTEN_DEFAULT } from "./schema/dicom.ts";
import type { Path } from "./source.ts";
import { entries, type Group, group, list } from "./written.ts";

export function crossCheck(written: unknown): readonly Finding[] {
  const config = group(written);
  return [
    ...ruleNames(config),
    ...ruleTargets(config, "models", "models"),
    ...ruleTargets(config, "sendTo", "destinations"),
    ...modelSlots(config),
    ...segmentFindings(config["models"]),
    ...modelOutputs(config),
    ...modelFiles(config),
    ...loops(config),
    ...openDoor(config),
    ...silentNotifications(config),
    ...tlsPairs(config),
    ...tlsListener(config),
    ...callersCertificates(config),
  ];
}

function ruleNames({ rules }: Group): readonly Finding[] {
  const names = list(rules).map((rule) => group(rule)["name"]);
  return names.flatMap((name, at) => {
    const first = names.indexOf(name);
    if (typeof name !== "string" || first === at) return [];
    return [onValue(["rules", at, "name"], `rule ${first + 1} has the name ${JSON.stringify(name)} already`)];
  });
}

function ruleTargets(
  config: Group,
  key: "models" | "sendTo",
  section: "models" | "destinations",
): readonly Finding[] {
  const known = Object.keys(group(config[section]));
  return list(config["rules"]).flatMap((rule, at) => {
    const targets = list(group(rule)[key]);
    return targets.flatMap((name, index) => {
      const path = ["rules", at, key, index];
      if (typeof name !== "string") return [];
      if (targets.indexOf(name) < index) return [onValue(path, `${name} stands here a second time`)];
      if (known.includes(name)) return [];
      return [onValue(path, `there is no ${name} in ${section}${suggestion(name, known)}`)];
    });
  });
}

function modelSlots(config: Group): readonly Finding[] {
  const places = group(config["slots"]);
  return entries(config["models"]).flatMap(([model, settings]) =>
    entries(settings["slots"], (value) => value).flatMap(([slot, taken]) => {
      const path = ["models", model, "slots", slot];
      if (!Object.hasOwn(places, slot)) {
        const message = `there is no ${slot} in slots${suggestion(slot, Object.keys(places))}`;
        return [{ path, part: "key", message } as const];
      }
      const has = places[slot];
      if (typeof taken !== "number" || typeof has !== "number" || taken <= has) return [];
      return [onValue(path, `found ${taken}, allowed: at most ${has}, the places that ${slot} has`)];
    }),
  );
}

function modelOutputs(config: Group): readonly Finding[] {
  return entries(config["models"]).flatMap(([model, { request, response }]) => {
    if (group(request)["format"] !== "nifti" || !Object.hasOwn(group(response), "output")) return [];
    const message = "only a model with the request format kserve has named outputs";
    return [{ path: ["models", model, "response", "output"], part: "key", message } as const];
  });
}

function modelFiles(config: Group): readonly Finding[] {
  return entries(config["models"]).flatMap(([model, { response, segments }]) => {
    const { preset, ...written } = group(segments);
    const table = LABEL_PRESETS.includes(String(preset)) ? labelPreset(String(preset)) : new Map();
    const known = new Set([...Object.keys(written), ...Array.from(table.keys(), String)]);
    const files = group(group(group(group(response)["as"])["masks"])["files"]);
    return Object.keys(files).flatMap((value) => {
      if (known.has(value)) return [];
      const path = ["models", model, "response", "as", "masks", "files", value];
      return [{ path, part: "key", message: `there is no segment ${value}` } as const];
    });
  });
}

/** A result sent to ourselves would be a new series, and so on for ever. */
function loops(config: Group): readonly Finding[] {
  const listeners = listenersOf(config);
  return entries(config["destinations"]).flatMap(([name, { host, port }]) => {
    const isOwn = (own: Group): boolean => port === own["port"] && reaches(host, own["host"]);
    if (!listeners.some(isOwn)) return [];
    const message = `${String(host)}:${String(port)} is this node's own listener; results would come back as new series`;
    return [onValue(["destinations", name, "port"], message)];
  });
}

/** Pages and API show patients: beyond this machine only to whom they are meant for. */
function openDoor({ http }: Group): readonly Finding[] {
  const { listen, users, tokens } = group(http);
  const { host } = group(listen);
  if (typeof host !== "string" || /^(localhost|127(\.\d+){3}|::1)$/i.test(host)) return [];
  if (list(users).length + list(tokens).length > 0) return [];
  const message = `${host} can be reached from other machines: http.users or http.tokens must say who may come in`;
  return [onValue(["http", "listen", "host"], message)];
}

function silentNotifications({ notifications }: Group): readonly Finding[] {
  return list(notifications).flatMap((each, at) => {
    const { webhook, email } = group(each);
    if (webhook !== undefined || email !== undefined) return [];
    const message = "tells nobody: it needs webhook or email, or both";
    return [onValue(["notifications", at], message)];
function listenersOf(config: Group): readonly Group[] {
  const { listen, tls } = group(config["dicom"]);
  const plain = { ...LISTEN_DEFAULT, ...group(listen) };
  return tls === undefined ? [plain] : [plain, { ...TLS_LISTEN_DEFAULT, ...group(tls) }];
}

function tlsListener(config: Group): readonly Finding[] {
  const { tls } = group(config["dicom"]);
  const [plain, secure] = listenersOf(config);
  if (tls === undefined || !plain || !secure) return [];
  const findings: Finding[] = [];
  if (secure["mutual"] !== false && !Object.hasOwn(secure, "ca")) {
    const message = "is missing: the authorities whose certificates callers may show; or mutual: false";
    findings.push({ path: ["dicom", "tls"], part: "key", message: `ca ${message}` });
  }
  if (secure["port"] === plain["port"] && plain["port"] !== 0) {
    findings.push(onValue(["dicom", "tls", "port"], "is the port of dicom.listen; TLS needs its own"));
  }
  return findings;
}

/** A certificate is of no use without its key, and a key without its certificate. */
function tlsPairs(config: Group): readonly Finding[] {
  return entries(config["destinations"]).flatMap(([name, { tls }]) => {
    const has = (key: string): boolean => Object.hasOwn(group(tls), key);
    if (has("cert") === has("key")) return [];
    const [there, missing] = has("cert") ? ["cert", "key"] : ["key", "cert"];
    const message = `needs ${missing} beside it`;
    return [{ path: ["destinations", name, "tls", there], part: "key", message } as const];
  });
}

function callersCertificates(config: Group): readonly Finding[] {
  const { callers, tls } = group(config["dicom"]);
  const asks = tls !== undefined && group(tls)["mutual"] !== false;
  return list(callers).flatMap((caller, at) => {
    if (asks || !Object.hasOwn(group(caller), "certificate")) return [];
    const message = "nobody is asked for a certificate: dicom.tls with mutual is needed";
    return [{ path: ["dicom", "callers", at, "certificate"], part: "key", message } as const];
  });
}

/** As far as it can be told without asking the machine for its addresses. */
function reaches(host: unknown, listening: unknown): boolean {
  if (typeof host !== "string" || typeof listening !== "string") return false;
  if (host.toLowerCase() === listening.toLowerCase()) return true;
  return isLoopback(host) && (isLoopback(listening) || listening === "0.0.0.0" || listening === "::");
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|::1|0\.0\.0\.0|::)$/i.test(host);
}

function onValue(path: Path, message: string): Finding {
  return { path, part: "value", message };
}

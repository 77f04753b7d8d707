/**
 * What no setting can know alone: names that must exist, be unique, fit together. Pure.
 *
 * In:   the config as written, valid or not: so that these problems are told together with all the others.
 * Out:  findings.
 */
import { suggestion } from "../routing/nearest.ts";
import { dicomFindings } from "./cross-dicom.ts";
import { segmentFindings } from "./cross-segments.ts";
import { workCheck } from "./cross-work.ts";
import { checkPlaceholders } from "./placeholders.ts";
import { LABEL_PRESETS, labelPreset } from "./presets.ts";
import type { Finding } from "./problems.ts";
import { entries, type Group, group, list, onValue } from "./written.ts";

export function crossCheck(written: unknown): readonly Finding[] {
  const config = group(written);
  return [
    ...ruleNames(config),
    ...ruleTargets(config, "models", "models"),
    ...ruleTargets(config, "sendTo", "destinations"),
    ...workCheck(config),
    ...segmentFindings(config["models"]),
    ...modelOutputs(config),
    ...modelCompression(config),
    ...checkPlaceholders(config),
    ...modelFiles(config),
    ...dicomFindings(config),
    ...openDoor(config),
    ...silentNotifications(config),
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

function modelOutputs(config: Group): readonly Finding[] {
  return entries(config["models"]).flatMap(([model, { request, response }]) => {
    const { format } = group(request);
    if (!FILE_FORMATS.has(format) || !Object.hasOwn(group(response), "output")) return [];
    const message = "only a model with the request format kserve has named outputs";
    return [{ path: ["models", model, "response", "output"], part: "key", message } as const];
  });
}

const FILE_FORMATS: ReadonlySet<unknown> = new Set(["nifti", "nrrd", "metaimage", "npy", "raw", "dicom-zip"]);

function modelCompression(config: Group): readonly Finding[] {
  return entries(config["models"]).flatMap(([model, { request }]) => {
    const { format, compression } = group(request);
    const isOwn =
      format === "nrrd" || format === "metaimage" ? compression === "zstd" : format === "dicom-zip";
    if (!isOwn || compression === undefined || compression === "none") return [];
    const message = `found ${JSON.stringify(compression)}, which ${JSON.stringify(format)} does not have`;
    return [onValue(["models", model, "request", "compression"], message)];
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
  });
}

/**
 * Placeholders in the settings of models: that each has a value when it is needed. Pure.
 *
 * In:   the config as written, presets laid under it; valid or not.
 * Out:  findings.
 */
import {
  FILE_PLACEHOLDERS,
  namesIn,
  PREFIXES,
  SECRET_NAME,
  VALUE_PLACEHOLDERS,
} from "../inference/template.ts";
import { suggestion } from "../routing/nearest.ts";
import type { Finding } from "./problems.ts";
import type { Path } from "./source.ts";

type Group = Readonly<Record<string, unknown>>;

interface Found {
  readonly path: Path;
  readonly name: string;
  readonly text: string;
}

/** What needs which other settings. */
const NEEDS: Readonly<Record<string, "modelAccess" | "sharedFolder">> = {
  "volume.url": "modelAccess",
  "webhook.url": "modelAccess",
  "volume.path": "sharedFolder",
  "job.dir": "sharedFolder",
};

const PLACES = ["headers", "auth", "request", "transport", "response"];

export function checkPlaceholders(config: Group): readonly Finding[] {
  return Object.entries(group(config["models"])).flatMap(([name, model]) => {
    const settings = group(model);
    const found = PLACES.flatMap((place) => placeholdersIn(settings[place], ["models", name, place]));
    const captured = capturesIn(settings["transport"]);
    const unknown = found.flatMap((each) => checked(each, { config, settings, captured }));
    return unknown.concat(webhookUsed(name, settings, found), folderThere(name, settings));
  });
}

function checked(
  { path, name, text }: Found,
  at: { readonly config: Group; readonly settings: Group; readonly captured: readonly string[] },
): readonly Finding[] {
  const { config, settings, captured } = at;
  const say = (message: string): readonly Finding[] => [{ path, part: "value", message }];
  const prefix = PREFIXES.find((each) => name.startsWith(each));
  const rest = prefix ? name.slice(prefix.length) : name;
  if (prefix === "secret:" && path[2] === "response")
    return say("a secret is nothing that an answer repeats");
  if (prefix === "secret:")
    return SECRET_NAME.test(rest)
      ? []
      : say(`\${${name}} is no name of a secret: letters, digits, _, . and -`);
  if (prefix === "param:") {
    const params = Object.keys(group(settings["params"]));
    return params.includes(rest) ? [] : say(`there is no ${rest} in params${suggestion(rest, params)}`);
  }
  const files: readonly string[] = FILE_PLACEHOLDERS;
  if (files.includes(name))
    return filePlace(path, name, text).map((message) => ({ path, part: "value", message }));
  const values: readonly string[] = [...VALUE_PLACEHOLDERS, ...captured];
  if (!values.includes(name)) {
    const known = [...files, ...values];
    return say(`there is no \${${name}}${suggestion(name, known) || `; there are ${known.join(", ")}`}`);
  }
  const needed = NEEDS[name];
  const isThere =
    needed === "modelAccess" ? config[needed] !== undefined : settings[needed ?? ""] !== undefined;
  if (needed === undefined || isThere) return [];
  return say(
    needed === "modelAccess"
      ? `\${${name}} needs modelAccess, where models reach the node`
      : `\${${name}} needs the model's sharedFolder`,
  );
}

/** The file is streamed, and so stands only where a stream can. */
function filePlace(path: Path, name: string, text: string): readonly string[] {
  if (name === "volume.bytes")
    return path.at(-1) === "data" && text === "${volume.bytes}"
      ? []
      : ["${volume.bytes} stands alone, as the data of a part"]; // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config
  return path.includes("json") ? [] : [`\${${name}} stands in the texts of a json body`];
}

function webhookUsed(model: string, settings: Group, found: readonly Found[]): readonly Finding[] {
  if (!("webhook" in group(settings["transport"])) || found.some(({ name }) => name === "webhook.url"))
    return [];
  const path = ["models", model, "transport", "webhook"];
  return [{ path, part: "key", message: "nothing tells the model ${webhook.url}, where to call back" }]; // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config
}

function folderThere(model: string, settings: Group): readonly Finding[] {
  const { unwrap } = group(settings["response"]);
  if (!Array.isArray(unwrap) || !unwrap.includes("file") || settings["sharedFolder"] !== undefined) return [];
  const path = ["models", model, "response", "unwrap"];
  return [{ path, part: "value", message: "file needs the model's sharedFolder" }];
}

function placeholdersIn(value: unknown, path: Path): readonly Found[] {
  if (typeof value === "string") return namesIn(value).map((name) => ({ path, name, text: value }));
  if (Array.isArray(value)) return value.flatMap((each, at) => placeholdersIn(each, [...path, at]));
  return Object.entries(group(value)).flatMap(([key, each]) => placeholdersIn(each, [...path, key]));
}

function capturesIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(capturesIn);
  const { capture, ...rest } = group(value);
  return [...Object.keys(group(capture)), ...Object.values(rest).flatMap(capturesIn)];
}

function group(value: unknown): Group {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Group) : {};
}

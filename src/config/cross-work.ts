/**
 * Whether the work can be done as the config says: places that exist, needs that can be met. Pure.
 *
 * In:   the config as written, valid or not.
 * Out:  findings.
 */
import { suggestion } from "../routing/nearest.ts";
import type { Finding } from "./problems.ts";
import type { Path } from "./source.ts";
import { entries, type Group, group, list, onValue } from "./written.ts";

export function workCheck(config: Group): readonly Finding[] {
  return [
    ...reserved(config),
    ...modelSlots(config),
    ...hedges(config),
    ...neededModels(config),
    ...cycles(config),
    ...neededInRules(config),
  ];
}

function reserved(config: Group): readonly Finding[] {
  return entries(config["slots"]).flatMap(([slot, { places, stat }]) => {
    if (typeof places !== "number" || typeof stat !== "number" || stat < places) return [];
    const message = `found ${stat}, allowed: at most ${places - 1}, so that routine studies have a place`;
    return [onValue(["slots", slot, "stat"], message)];
  });
}

/** Places of each resource that routine work may have. */
function placesOf(config: Group): ReadonlyMap<string, number> {
  return new Map(
    entries(config["slots"], (value) => value).map(([slot, written]) => {
      const { places, stat } = group(written);
      const all = typeof written === "number" ? written : Number(places);
      return [slot, all - (typeof stat === "number" ? stat : 0)];
    }),
  );
}

function modelSlots(config: Group): readonly Finding[] {
  const places = placesOf(config);
  return entries(config["models"]).flatMap(([model, settings]) => {
    const own = takenPlaces(settings["slots"], ["models", model, "slots"], places);
    const others = list(settings["replicas"]).flatMap((replica, at) =>
      takenPlaces(group(replica)["slots"], ["models", model, "replicas", at, "slots"], places),
    );
    return own.concat(others);
  });
}

function takenPlaces(taken: unknown, at: Path, places: ReadonlyMap<string, number>): readonly Finding[] {
  return entries(taken, (value) => value).flatMap(([slot, count]) => {
    const path = [...at, slot];
    const has = places.get(slot);
    if (has === undefined) {
      const message = `there is no ${slot} in slots${suggestion(slot, [...places.keys()])}`;
      return [{ path, part: "key", message } as const];
    }
    if (typeof count !== "number" || !(count > has)) return [];
    return [onValue(path, `found ${count}, allowed: at most ${has}, the places that ${slot} has`)];
  });
}

function hedges(config: Group): readonly Finding[] {
  return entries(config["models"]).flatMap(([model, { hedge, replicas }]) => {
    if (hedge === undefined || list(replicas).length > 0) return [];
    const message = "needs replicas: there is no other server to ask";
    return [{ path: ["models", model, "hedge"], part: "key", message } as const];
  });
}

function neededModels(config: Group): readonly Finding[] {
  const models = new Map(entries(config["models"]));
  return [...models].flatMap(([model, settings]) =>
    entries(settings["needs"]).flatMap(([name, need]): Finding[] => {
      const path = ["models", model, "needs", name];
      const needed = models.get(name);
      if (!needed) {
        const message = `there is no ${name} in models${suggestion(name, [...models.keys()])}`;
        return [{ path, part: "key", message }];
      }
      const known = Object.keys(group(needed["segments"]));
      const label = group(need["crop"])["label"];
      return (Array.isArray(label) ? label : [label]).flatMap((each: unknown) =>
        typeof each !== "number" || known.includes(String(each))
          ? []
          : [
              onValue(
                [...path, "crop", "label"],
                `model ${name} has no segment ${each}, it has ${known.join(", ")}`,
              ),
            ],
      );
    }),
  );
}

function cycles(config: Group): readonly Finding[] {
  const needs = new Map(
    entries(config["models"]).map(([model, settings]) => [model, Object.keys(group(settings["needs"]))]),
  );
  return [...needs].flatMap(([model, needed]) =>
    needed.flatMap((name) => {
      const way = wayBack(name, model, needs);
      if (!way) return [];
      const message = `needs itself: ${[model, ...way].join(" needs ")}`;
      return [{ path: ["models", model, "needs", name], part: "key", message } as const];
    }),
  );
}

/** From one model to another along needs, both included. */
function wayBack(
  from: string,
  to: string,
  needs: ReadonlyMap<string, readonly string[]>,
  seen: readonly string[] = [],
): readonly string[] | undefined {
  if (from === to) return [...seen, from];
  if (seen.includes(from)) return undefined;
  for (const next of needs.get(from) ?? []) {
    const way = wayBack(next, to, needs, [...seen, from]);
    if (way) return way;
  }
  return undefined;
}

function neededInRules(config: Group): readonly Finding[] {
  const models = new Map(entries(config["models"]));
  return list(config["rules"]).flatMap((rule, at) => {
    const inRule = list(group(rule)["models"]);
    return inRule.flatMap((model, index) => {
      if (typeof model !== "string") return [];
      const missing = Object.keys(group(models.get(model)?.["needs"])).filter(
        (name) => models.has(name) && !inRule.includes(name),
      );
      return missing.map((name) =>
        onValue(["rules", at, "models", index], `${model} needs ${name}, which is not among these models`),
      );
    });
  });
}

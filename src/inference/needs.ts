/**
 * Models that need other models: when one may start, and how long the way through all of them is.
 *
 * In:   the needs of the config, how the needed runs stand, expected times.
 * Out:  whether to start, wait, or leave it; the longest way from a model to the end.
 * Pure. The config has no cycles (config/cross.ts).
 */
import type { Box } from "./crop.ts";

/** What a model wants of another one. */
export interface Need {
  /** Only the part of the volume around these labels is sent; without labels, around all of them. */
  readonly crop?: { readonly labels?: readonly number[]; readonly marginMm: number };
  /** When the other one failed or found nothing: leave this one too, or run it on the whole volume. */
  readonly otherwise: "skip" | "run";
}

/** By the name of the needed model. */
export type Needs = Readonly<Record<string, Need>>;

/** What a request may say of a needed model, as `${needs.NAME.box…}`; voxels of the volume that is sent. */
export interface NeedFacts {
  readonly box: Box;
}

/** How the run of a needed model stands. found: its findings are there, or can be had again. */
export type NeedState =
  | { readonly kind: "pending" }
  | { readonly kind: "found" }
  | { readonly kind: "missing"; readonly why: string };

export type Readiness =
  | { readonly kind: "ready" }
  | { readonly kind: "waits"; readonly for: string }
  | { readonly kind: "unmet"; readonly reason: string };

/** One that is missing decides at once: nothing is waited for in vain. */
export function readiness(needs: Needs, stateOf: (model: string) => NeedState): Readiness {
  const states = Object.entries(needs).map(([model, need]) => ({ model, need, state: stateOf(model) }));
  for (const { model, need, state } of states) {
    if (state.kind !== "missing" || need.otherwise === "run") continue;
    return { kind: "unmet", reason: `needs ${model}, which ${state.why}` };
  }
  const open = states.find(({ state }) => state.kind === "pending");
  return open ? { kind: "waits", for: open.model } : { kind: "ready" };
}

/** Names of the models that need this one. */
export function dependentsOf(
  model: string,
  models: ReadonlyMap<string, { readonly needs: Needs }>,
): readonly string[] {
  return [...models].filter(([, { needs }]) => Object.hasOwn(needs, model)).map(([name]) => name);
}

/** From the start of this model to the end of the last one that depends on it, ms. */
export function pathMs(
  model: string,
  models: ReadonlyMap<string, { readonly needs: Needs }>,
  expected: (model: string) => number,
): number {
  const after = dependentsOf(model, models).map((name) => pathMs(name, models, expected));
  return expected(model) + Math.max(0, ...after);
}

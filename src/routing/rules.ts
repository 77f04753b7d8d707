/**
 * Rules: which models a series enters, where their results go, how soon. Pure.
 *
 * In:   the rules of the config, compiled once; the facts of a series.
 * Out:  assignments, or why there are none.
 *
 * All rules that hold apply, not the first: their assignments are united, a model runs once and its result goes to
 * every destination named, and the highest priority wins. A rule that cannot be evaluated does not hold.
 */
import {
  type Compiled,
  compileCondition,
  compilePriority,
  type Expression,
  isPriority,
  type Priority,
} from "./expression.ts";
import type { SeriesFacts } from "./facts.ts";
import { type KeptOutReason, keepOut } from "./guard.ts";

export interface RuleSettings {
  readonly name: string;
  /** A condition in CEL. */
  readonly when: string;
  readonly models: readonly string[];
  /** Names of destinations. */
  readonly sendTo: readonly string[];
  /** routine, stat, or an expression that chooses between them. */
  readonly priority: string;
  readonly fanIn: FanIn;
}

/** When the results of a series are sent: each as it is ready, all together, or what is there by a time. */
export type FanIn =
  | { readonly kind: "asReady" | "all" }
  /** So long after the series was complete. */
  | { readonly kind: "partial"; readonly afterMs: number };

export type CompiledRules = readonly CompiledRule[];

interface CompiledRule {
  readonly name: string;
  readonly when: Expression;
  readonly models: readonly string[];
  readonly sendTo: readonly string[];
  readonly priority: Priority | Expression;
  readonly fanIn: FanIn;
}

interface Assignment {
  readonly model: string;
  readonly destinations: readonly string[];
}

/** A rule that did not hold: `false`, with the attributes it missed, or `error: …`. */
interface Considered {
  readonly rule: string;
  readonly why: string;
}

export type Routing =
  | {
      readonly kind: "assigned";
      /** The rules that held, by name, in the order of the config. */
      readonly rule: string;
      readonly assignments: readonly Assignment[];
      readonly priority: Priority;
      readonly considered: readonly Considered[];
    }
  | { readonly kind: "kept-out"; readonly reason: KeptOutReason }
  | { readonly kind: "no-rule"; readonly considered: readonly Considered[] };

/**
 * Of the rules that held for a series; where they differ, the one that waits least.
 *
 * @param held  as in Routing; names that are not in the config any more do not wait
 */
export function fanInOf(rules: CompiledRules, held: string): FanIn {
  const kinds = rules.filter(({ name }) => `, ${held}, `.includes(`, ${name}, `)).map(({ fanIn }) => fanIn);
  const waitMs = (fanIn: FanIn): number =>
    fanIn.kind === "asReady" ? 0 : fanIn.kind === "partial" ? fanIn.afterMs : Infinity;
  return kinds.toSorted((a, b) => waitMs(a) - waitMs(b))[0] ?? { kind: "asReady" };
}

/** @throws Error("bug: …") on an expression that does not compile: the config was checked before */
export function compileRules(rules: readonly RuleSettings[]): CompiledRules {
  return rules.map(({ name, when, models, sendTo, priority, fanIn }) => ({
    name,
    models,
    sendTo,
    fanIn,
    when: expressionOf(name, compileCondition(when)),
    priority: isPriority(priority) ? priority : expressionOf(name, compilePriority(priority)),
  }));
}

export function route(rules: CompiledRules, series: SeriesFacts): Routing {
  const reason = keepOut(series.dataSet);
  if (reason) return { kind: "kept-out", reason };

  const held: CompiledRule[] = [];
  const considered: Considered[] = [];
  for (const rule of rules) {
    const why = whyNot(rule, series);
    if (why === undefined) held.push(rule);
    else considered.push({ rule: rule.name, why });
  }
  if (held.length === 0) return { kind: "no-rule", considered };
  return {
    kind: "assigned",
    rule: held.map(({ name }) => name).join(", "),
    assignments: united(held),
    priority: held.some((rule) => priorityOf(rule, series) === "stat") ? "stat" : "routine",
    considered,
  };
}

function expressionOf(rule: string, compiled: Compiled): Expression {
  if (compiled.kind === "expression") return compiled.expression;
  throw new Error(`bug: rule ${rule} was not checked: ${compiled.faults[0]?.message}`);
}

function whyNot({ when }: CompiledRule, series: SeriesFacts): string | undefined {
  const evaluation = when.evaluate(series);
  if (evaluation.kind === "error") return `error: ${evaluation.reason}`;
  if (evaluation.value === true) return undefined;
  return evaluation.absent.length === 0 ? "false" : `false (absent: ${evaluation.absent.join(", ")})`;
}

/** What cannot be evaluated is routine: an image without the attribute is no emergency. */
function priorityOf({ priority }: CompiledRule, series: SeriesFacts): Priority {
  if (typeof priority === "string") return priority;
  const evaluation = priority.evaluate(series);
  return evaluation.kind === "value" && isPriority(evaluation.value) ? evaluation.value : "routine";
}

function united(rules: readonly CompiledRule[]): readonly Assignment[] {
  const byModel = new Map<string, Set<string>>();
  for (const { models, sendTo } of rules) {
    for (const model of models) {
      const destinations = byModel.get(model) ?? new Set();
      for (const destination of sendTo) destinations.add(destination);
      byModel.set(model, destinations);
    }
  }
  return Array.from(byModel, ([model, destinations]) => ({ model, destinations: [...destinations] }));
}

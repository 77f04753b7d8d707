/**
 * Expressions of the rules: CEL (Common Expression Language) over DICOM keywords. Pure.
 *
 * In:   text from the config.
 * Out:  a function of the facts of a series, or everything that is wrong with the text.
 *
 * Every keyword is a variable with the type of its VR (facts.ts); numbers compare with integers and decimals
 * alike. Evaluation cannot throw: an error is an answer with its reason, which never holds a value of the data
 * set, as that may be a patient's name.
 */
import { Environment, EvaluationError, type ParseResult } from "@marcbachmann/cel-js";
import {
  type Attribute,
  type AttributeValue,
  findAttribute,
  isPresent,
  type SeriesFacts,
  valueOf,
} from "./facts.ts";
import { type Fault, outcomesOf, type Usage, usageOf } from "./syntax.ts";

export interface Expression {
  /** The attributes that stand in it, each once. */
  readonly attributes: readonly Attribute[];
  readonly evaluate: (facts: SeriesFacts) => Evaluation;
}

type Evaluation =
  | { readonly kind: "value"; readonly value: boolean | string; readonly absent: readonly string[] }
  | { readonly kind: "error"; readonly reason: string };

export type Compiled =
  | { readonly kind: "expression"; readonly expression: Expression }
  | { readonly kind: "invalid"; readonly faults: readonly Fault[] };

const PRIORITIES = ["routine", "stat"] as const;
export type Priority = (typeof PRIORITIES)[number];

export const EXPRESSION_LIMIT = 2000;

export function isPriority(value: unknown): value is Priority {
  return PRIORITIES.some((priority) => priority === value);
}

/** A condition: its value is a boolean. */
export function compileCondition(text: string): Compiled {
  return compile(text, (type) =>
    type === "bool" ? undefined : `a condition is true or false, this is ${type ?? "nothing"}`,
  );
}

/** A choice of priorities, such as `StudyPriorityID == "HIGH" ? "stat" : "routine"`. */
export function compilePriority(text: string): Compiled {
  return compile(text, (_, tree) =>
    outcomesOf(tree).every(isPriority)
      ? undefined
      : `a priority is routine, stat or a choice: condition ? "stat" : "routine"`,
  );
}

type Verdict = (type: string | undefined, tree: ParseResult["ast"]) => string | undefined;

function compile(text: string, verdict: Verdict): Compiled {
  if (text.length > EXPRESSION_LIMIT) {
    return invalid([{ message: `the expression is longer than ${EXPRESSION_LIMIT} characters`, at: 0 }]);
  }
  try {
    const usage = usageOf(LANGUAGE.parse(text).ast);
    const { attributes, faults } = attributesOf(usage);
    if (faults.length > 0) return invalid(faults);
    const program = environmentOf(attributes).parse(withPresence(text, usage));
    const checked = program.check();
    if (checked.error) throw checked.error;
    const fault = verdict(checked.type, program.ast);
    if (fault !== undefined) return invalid([{ message: fault, at: 0 }]);
    return {
      kind: "expression",
      expression: { attributes, evaluate: (facts) => evaluate(text, program, attributes, facts) },
    };
  } catch (error) {
    return invalid([faultOf(error)]);
  }
}

function invalid(faults: readonly Fault[]): Compiled {
  return { kind: "invalid", faults };
}

const FACTS = new Set(["association", "series"]);

function attributesOf({ names, faults }: Usage): {
  attributes: readonly Attribute[];
  faults: readonly Fault[];
} {
  const attributes = new Map<string, Attribute>();
  const all = [...faults];
  for (const { name, at } of names) {
    if (FACTS.has(name) || attributes.has(name)) continue;
    const lookup = findAttribute(name);
    if (lookup.kind === "attribute") attributes.set(name, lookup.attribute);
    else all.push({ message: lookup.reason, at });
  }
  return { attributes: [...attributes.values()], faults: all.sort((a, b) => a.at - b.at) };
}

/**
 * CEL's own has() takes a field only. A function of ours takes its place in the text, with a name of the same
 * length so that positions in messages hold.
 */
function withPresence(text: string, { has }: Usage): string {
  let result = text;
  for (const at of has) result = result.slice(0, at) + PRESENCE + result.slice(at + PRESENCE.length);
  return result;
}

const PRESENCE = "got";

const LIMITS = {
  maxAstNodes: 300,
  maxDepth: 24,
  maxListElements: 64,
  maxMapEntries: 1,
  maxCallArguments: 4,
} as const;

/** Before any attribute is known; clones of it know those of their expression. */
const LANGUAGE = language();

function language(): Environment {
  const environment = new Environment({ limits: LIMITS, homogeneousAggregateLiterals: false });
  const both = (operator: string, handle: (a: number, b: number) => number) => {
    const handler = (a: number | bigint, b: number | bigint) => handle(Number(a), Number(b));
    environment.registerOperator(`double ${operator} int`, handler);
    environment.registerOperator(`int ${operator} double`, handler);
  };
  both("+", (a, b) => a + b);
  both("-", (a, b) => a - b);
  both("*", (a, b) => a * b);
  both("/", (a, b) => a / b);
  const isIn = (value: number | bigint, list: readonly (number | bigint)[]) =>
    list.some((each) => Number(each) === Number(value));
  return environment
    .registerOperator("double == int", (a: number, b: bigint) => a === Number(b))
    .registerOperator("double in list<int>", isIn)
    .registerOperator("int in list<double>", isIn)
    .registerFunction("string.like(string): bool", isLike)
    .registerFunction(`${PRESENCE}(dyn): bool`, isPresent)
    .registerVariable({ name: "series", schema: { instances: "int" } })
    .registerVariable({
      name: "association",
      schema: { callingAeTitle: "string", calledAeTitle: "string", peer: "string" },
    });
}

function environmentOf(attributes: readonly Attribute[]): Environment {
  const environment = LANGUAGE.clone();
  for (const { keyword, type } of attributes) environment.registerVariable(keyword, type);
  return environment;
}

/** Wild card matching, PS3.4 C.2.2.2.4: `*` is any text, `?` any one character; letter case does not count. */
function isLike(text: string, pattern: string): boolean {
  const [a, b] = [text.toLowerCase(), pattern.toLowerCase()];
  let [i, j, star, resume] = [0, 0, -1, 0];
  while (i < a.length) {
    if (b[j] === "*") [star, resume, j] = [j, i, j + 1];
    else if (j < b.length && (b[j] === "?" || b[j] === a[i])) [i, j] = [i + 1, j + 1];
    else if (star >= 0) [resume, i, j] = [resume + 1, resume + 1, star + 1];
    else return false;
  }
  while (b[j] === "*") j++;
  return j === b.length;
}

function evaluate(
  text: string,
  program: ParseResult,
  attributes: readonly Attribute[],
  { dataSet, association, instances }: SeriesFacts,
): Evaluation {
  const context: Record<string, AttributeValue | object> = {
    association,
    series: { instances: BigInt(instances) },
  };
  const absent: string[] = [];
  for (const attribute of attributes) {
    const value = valueOf(dataSet, attribute);
    if (value === undefined)
      return { kind: "error", reason: `the value of ${attribute.keyword} is too long` };
    if (!isPresent(value)) absent.push(attribute.keyword);
    context[attribute.keyword] = value;
  }
  try {
    const value: unknown = program(context);
    if (typeof value !== "boolean" && typeof value !== "string")
      throw new Error(`bug: ${typeof value} from a rule`);
    return { kind: "value", value, absent };
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    const { start = 0, end = text.length } = error.range ?? {};
    return { kind: "error", reason: `${error.code.replaceAll("_", " ")} in ${text.slice(start, end)}` };
  }
}

const LIST_COMPARED = /list<.*> (==|!=) (string|double|int)|(string|double|int) (==|!=) list</;

function faultOf(error: unknown): Fault {
  if (!(error instanceof Error) || !("summary" in error) || typeof error.summary !== "string") throw error;
  const range = "range" in error ? (error.range as { readonly start: number } | undefined) : undefined;
  const hint = LIST_COMPARED.test(error.summary)
    ? `: a list is asked with in, as in "AXIAL" in ImageType`
    : "";
  return { message: error.summary.replaceAll(PRESENCE, "has") + hint, at: range?.start ?? 0 };
}

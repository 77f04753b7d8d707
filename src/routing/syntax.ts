/**
 * What of CEL a rule may use: the parsed tree is walked once, before it is ever evaluated. Pure.
 *
 * In:   the tree of an expression.
 * Out:  the names it uses and what is wrong with it.
 *
 * A closed list of functions keeps evaluation cheap whatever the attributes hold: no regular expressions, which can
 * run for hours on a hostile value, nothing that builds large values, no loop in a loop.
 */
import type { ASTNode } from "@marcbachmann/cel-js";
import { suggestion } from "./nearest.ts";

export interface Fault {
  readonly message: string;
  /** Index of the first character in the expression. */
  readonly at: number;
}

interface Name {
  readonly name: string;
  readonly at: number;
}

export interface Usage {
  /** Free names, each occurrence. */
  readonly names: readonly Name[];
  /** Where `has(…)` stands. */
  readonly has: readonly number[];
  readonly faults: readonly Fault[];
}

export function usageOf(tree: ASTNode): Usage {
  const usage = { names: [] as Name[], has: [] as number[], faults: [] as Fault[] };
  walk(tree, new Set(), usage);
  return usage;
}

/** The strings that a nest of choices (`condition ? a : b`) can end in; undefined stands for anything else. */
export function outcomesOf(tree: ASTNode): readonly (string | undefined)[] {
  if (tree.op === "?:") return [tree.args[1], tree.args[2]].flatMap(outcomesOf);
  return [tree.op === "value" && typeof tree.args === "string" ? tree.args : undefined];
}

type Found = { names: Name[]; has: number[]; faults: Fault[] };

const LOOPS = new Set(["all", "exists", "exists_one", "filter"]);
const METHODS = [...LOOPS, "contains", "startsWith", "endsWith", "like", "lowerAscii", "upperAscii", "size"];
const FUNCTIONS = ["has", "size", "int", "double", "string"];
const WHY_NOT: Readonly<Record<string, string>> = {
  matches: `; like("*text*") with * and ? is there instead`,
};

function walk(node: ASTNode, bound: ReadonlySet<string>, found: Found): void {
  switch (node.op) {
    case "value":
      return;
    case "id":
      if (!bound.has(node.args)) found.names.push({ name: node.args, at: node.range.start });
      return;
    case "call":
      return walkCall(node, node.args[0], node.args[1], bound, found);
    case "rcall":
      return walkMethod(node, node.args, bound, found);
    case ".":
    case ".?":
      return walk(node.args[0], bound, found);
    case "!_":
    case "-_":
      return walk(node.args, bound, found);
    case "list":
      return node.args.forEach((each) => walk(each, bound, found));
    case "map":
      found.faults.push({ message: "a rule has no use for a map", at: node.range.start });
      return;
    case "?:":
    case "||":
    case "&&":
    case "[]":
    case "[?]":
    case "!=":
    case "==":
    case "in":
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
    case "<":
    case "<=":
    case ">":
    case ">=":
      for (const each of node.args) walk(each, bound, found);
  }
}

function walkCall(
  node: ASTNode,
  name: string,
  given: readonly ASTNode[],
  bound: ReadonlySet<string>,
  found: Found,
): void {
  const at = node.range.start;
  if (!FUNCTIONS.includes(name)) found.faults.push(unknown(name, FUNCTIONS, at));
  if (name === "has") {
    const [only] = given;
    if (given.length === 1 && only?.op === "id" && !bound.has(only.args)) found.has.push(at);
    else found.faults.push({ message: "has() takes one DICOM keyword", at });
  }
  for (const each of given) walk(each, bound, found);
}

function walkMethod(
  node: ASTNode,
  [name, receiver, given]: readonly [string, ASTNode, ASTNode[]],
  bound: ReadonlySet<string>,
  found: Found,
): void {
  const at = node.range.start;
  if (!METHODS.includes(name)) found.faults.push(unknown(name, METHODS, at));
  walk(receiver, bound, found);
  if (!LOOPS.has(name)) return given.forEach((each) => walk(each, bound, found));
  if (bound.size > 0) found.faults.push({ message: `${name}() inside another loop is not allowed`, at });
  const [variable, ...body] = given;
  const inside = new Set(bound);
  if (variable?.op === "id") inside.add(variable.args);
  for (const each of body) walk(each, inside, found);
}

function unknown(name: string, known: readonly string[], at: number): Fault {
  const hint = WHY_NOT[name] ?? suggestion(name, known);
  return { message: `${name}() is not available in rules${hint}`, at };
}

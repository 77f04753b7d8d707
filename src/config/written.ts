/** Reading of a config as it is written, valid or not: what is not of the kind asked for is empty. Pure. */
import type { Finding } from "./problems.ts";
import type { Path } from "./source.ts";

export type Group = Readonly<Record<string, unknown>>;

export function group(value: unknown): Group {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Group) : {};
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function entries<Value = Group>(
  value: unknown,
  as: (value: unknown) => Value = group as (value: unknown) => Value,
): readonly (readonly [string, Value])[] {
  return Object.entries(group(value)).map(([name, each]) => [name, as(each)]);
}

export function onValue(path: Path, message: string): Finding {
  return { path, part: "value", message };
}

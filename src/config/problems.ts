/**
 * What zod found, as lines for a person: each with its place in the file. Pure.
 *
 * Of a choice between forms (a union) only the complaints of the form that was meant are told.
 */
import type * as z from "zod";
import type { Path } from "./source.ts";

/** A message about one path; `at` counts characters of its text. */
export interface Finding {
  readonly path: Path;
  readonly part: "key" | "value";
  readonly message: string;
  readonly at?: number;
}

export function findingsOf(issues: readonly z.core.$ZodIssue[], above: Path = []): readonly Finding[] {
  return issues.flatMap((issue): readonly Finding[] => {
    const path = [...above, ...issue.path];
    const { message } = issue;
    switch (issue.code) {
      case "unrecognized_keys": {
        const messages = message.split("\n");
        return issue.keys.map((key, at) => ({
          path: [...path, key],
          part: "key",
          message: messages[at] ?? message,
        }));
      }
      case "invalid_key":
        return issue.issues.map((each) => ({ path, part: "key", message: each.message }));
      case "invalid_union": {
        const meant = issue.errors.find((errors) => !errors.some(isOtherForm));
        return meant ? findingsOf(meant, path) : [{ path, part: "value", message }];
      }
      case "custom": {
        const at: unknown = issue.params?.["at"];
        return [{ path, part: "value", message, ...(typeof at === "number" && { at }) }];
      }
      case "invalid_type":
      case "invalid_value":
      case "invalid_format":
      case "invalid_element":
      case "not_multiple_of":
      case "too_big":
      case "too_small":
        return [{ path, part: "value", message }];
      default:
        return issue satisfies never;
    }
  });
}

/** rules[0].when */
export function written(path: Path): string {
  return path
    .map((step, at) => (typeof step === "number" ? `[${step}]` : `${at > 0 ? "." : ""}${String(step)}`))
    .join("");
}

function isOtherForm({ code, path }: z.core.$ZodIssue): boolean {
  return path.length === 0 && (code === "invalid_type" || code === "invalid_value");
}

import { expect, test } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { parseSource, SIZE_LIMIT_BYTES, type Source } from "../../src/config/source.ts";

function messagesOf(source: Source): readonly string[] {
  return source.kind === "invalid"
    ? source.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`)
    : [];
}

function valueOf(text: string): unknown {
  const source = parseSource(text);
  if (source.kind === "invalid") throw new Error(messagesOf(source).join("\n"));
  return source.value;
}

test("YAML 1.2 core: no yes, no octal, no dates, no merge keys", () => {
  expect(valueOf("{ a: yes, b: 010, c: 2024-01-01, d: 0x10, e: ~, f: 1e3, 1: x }")).toEqual({
    a: "yes",
    b: 10,
    c: "2024-01-01",
    d: 16,
    e: null,
    f: 1000,
    "1": "x",
  });
  expect(valueOf("a: &a { x: 1 }\nb: { <<: *a }\nc: *a")).toEqual({
    a: { x: 1 },
    b: { "<<": { x: 1 } },
    c: { x: 1 },
  });
  expect(valueOf("%YAML 1.1\n---\n{ a: yes, b: { <<: 1 } }")).toEqual({ a: "yes", b: { "<<": 1 } });
});

test("every path knows where its key and its value stand", () => {
  const source = parseSource(
    `a:\n  - b: "text"\n    c: >\n      folded\n      text\n  - *x\nd: {}\n`.replace("*x", "x"),
  );
  if (source.kind === "invalid") throw new Error("invalid");
  expect(source.locate(["a"], "key")).toEqual({ line: 1, column: 1 });
  expect(source.locate(["a", 0, "b"], "key")).toEqual({ line: 2, column: 5 });
  expect(source.locate(["a", 0, "b"], "value")).toEqual({ line: 2, column: 8 });
  expect(source.locate(["a", 0, "b"], "value", 2)).toEqual({ line: 2, column: 11 });
  expect(source.locate(["a", 0, "c"], "value", 9)).toEqual({ line: 3, column: 8 });
  expect(source.locate(["a", 1], "value")).toEqual({ line: 6, column: 5 });
  // What is not there is sought where it could be.
  expect(source.locate(["d", "e", "f"], "value")).toEqual({ line: 7, column: 1 });
});

test.each([
  ["a: 1\nb: 2\na: 3", ["3:1: a stands here a second time"]],
  ["1: a\n0x1: b", ["2:1: 1 stands here a second time"]],
  ["__proto__: { polluted: true }", ["1:1: __proto__ is not allowed as a key"]],
  ["? [a, b]\n: c", ["1:3: a key has to be a plain name or number"]],
  ["a: !!js/function 'function () {}'", ["1:4: Unresolved tag: tag:yaml.org,2002:js/function"]],
  ["a: !!binary aGk=", ["1:4: Unresolved tag: tag:yaml.org,2002:binary"]],
  ["a: *nothing", ["1:4: unknown alias *nothing"]],
  ["a: [1", ["1:6: Flow sequence in block collection must be sufficiently indented and end with a ]"]],
  ["a: 1\n---\nb: 2", ["2:1: Source contains multiple documents; please use YAML.parseAllDocuments()"]],
  ["a: &a [*a]", ["1:8: nested deeper than 16 levels"]],
])("%j is refused", (text, messages) => {
  expect(messagesOf(parseSource(text))).toEqual(messages);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
});

/** A thousand million values in 400 bytes. */
const BOMB = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
for (const [name, of] of ["ba", "cb", "dc", "ed", "fe", "gf", "hg", "ih"]) {
  BOMB.push(`${name}: &${name} [${Array(10).fill(`*${of}`).join(", ")}]`);
}

const fill = (piece: string): string => piece.repeat(Math.floor((SIZE_LIMIT_BYTES - 1) / piece.length));

// Each as large as a config may be, and of a kind that costs a naive reader minutes: quadratic, exponential, deep.
test.each([
  ["alias bomb", BOMB.join("\n")],
  ["many aliases", `a: &a x\nb:\n${" - *a\n".repeat(20_000)}`],
  [
    "quadratic merge",
    `a: &a { ${Array.from({ length: 2000 }, (_, at) => `k${at}: 1`).join(", ")} }\nb: { <<: [${Array(8000).fill("*a").join(", ")}] }`,
  ],
  ["deep flow sequence", fill("[")],
  ["deep block sequence", fill("- ")],
  ["deep block map", Array.from({ length: 480 }, (_, at) => `${" ".repeat(at)}a:`).join("\n")],
  ["distinct keys", Array.from({ length: 14_000 }, (_, at) => `k${at}: 1`).join("\n")],
  ["the same key", fill("a: 1\n")],
  ["quotes", fill('"')],
  ["tabs", fill("\t:\n")],
  ["50 MB", "a: b\n".repeat(10_000_000)],
])("a hostile file is refused soon: %s", (_, text) => {
  Error.stackTraceLimit = 10; // as in Node; Vitest raises it, and the parser makes an error per character
  const started = process.cpuUsage(); // of this process: the machine is shared
  const loaded = parseConfig(text, "node.yaml");
  expect(process.cpuUsage(started).user).toBeLessThan(1_500_000);
  if (loaded.kind === "ok") throw new Error("was taken");
  expect(loaded.problems.length).toBeGreaterThan(0);
  expect(loaded.problems.length).toBeLessThanOrEqual(101);
});

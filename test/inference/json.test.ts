import { expect, test } from "vitest";
import { jsonAt, parsePointer, scalarAt, textOf } from "../../src/inference/json.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const at = (text: string, pointer: string): string | undefined => {
  const value = jsonAt(bytes(text), pointer);
  return value && `${value.type} ${Buffer.from(value.bytes).toString()}`;
};

// RFC 6901, section 5
const RFC = `{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\\\j": 5, "k\\"l": 6, " ": 7, "m~n": 8}`;

test.each([
  ["/foo", 'array ["bar", "baz"]'],
  ["/foo/0", "string bar"],
  ["/", "number 0"],
  ["/a~1b", "number 1"],
  ["/c%d", "number 2"],
  ["/e^f", "number 3"],
  ["/g|h", "number 4"],
  ["/i\\j", "number 5"],
  ['/k"l', "number 6"],
  ["/ ", "number 7"],
  ["/m~0n", "number 8"],
])("the pointer %s is read as RFC 6901 says", (pointer, value) => {
  expect(at(RFC, pointer)).toBe(value);
  expect(at(RFC, "")).toBe(`object ${RFC}`);
});

test("a backslash at the end of a text is not an escape of its quote", () => {
  expect(at(String.raw`["a\\", "b\"", 7]`, "/2")).toBe("number 7");
  expect(at(`${"[".repeat(64)}${"]".repeat(64)}`, "")).toMatch(/^array/);
});

test("what is not there is undefined, and a pointer into a text or past a list is not there", () => {
  for (const pointer of ["/x", "/foo/2", "/foo/00", "/foo/0/0", "/foo/-", "//"])
    expect(at(RFC, pointer)).toBeUndefined();
  expect([parsePointer("a"), parsePointer("/~2"), parsePointer("/a~1~0")]).toEqual([
    undefined,
    undefined,
    ["a/~"],
  ]);
});

test("scalars are given as text, with their escapes undone", () => {
  const text = '[true, null, -1.5e3, "a\\u00e9\\n\\"", {"x": 1}]';
  expect([0, 1, 2, 3, 4].map((n) => scalarAt(bytes(text), `/${n}`))).toEqual([
    "true",
    "null",
    "-1.5e3",
    'aé\n"',
    undefined,
  ]);
  expect(textOf(bytes("a\\\\"))).toBe("a\\");
});

// B21
test.each([
  ["nothing", ""],
  ["half an object", '{"a": 1'],
  ["a trailing comma", "[1,]"],
  ["a missing comma", "[1 2]"],
  ["a key without quotes", "{a: 1}"],
  ["a key twice", '{"a": 1, "b": 2, "a": 3}'],
  ["a key twice, once with an escape", '{"a": 1, "\\u0061": 3}'],
  ["something behind it", "{} {}"],
  ["a byte order mark", "\ufeff{}"],
  ["1e400", "[1e400]"],
  ["a number with a leading zero", "[01]"],
  ["NaN", "[NaN]"],
  ["a word", "[nul]"],
  ["a text without an end", '["a\\"]'],
  ["a wrong escape in a key", '{"\\x": 1}'],
  ["a depth of 100000", "[".repeat(100_000) + "]".repeat(100_000)],
  ["a depth of 65", "[".repeat(65) + "]".repeat(65)],
  ["brackets that do not match", '{"a": [1}'],
  ["more than 10000 keys", `{${Array.from({ length: 10_002 }, (_, n) => `"${n}":0`).join()}}`],
])("%s is no JSON", (_, text) => {
  expect(() => jsonAt(bytes(text), "/a")).toThrow(expect.objectContaining({ code: "MODEL_ANSWER_INVALID" }));
});

test("text that is not UTF-8 is refused where it is read", () => {
  const text = Buffer.from('{"a": "\xff\xfe"}', "latin1");
  expect(() => scalarAt(text, "/a")).toThrow(expect.objectContaining({ code: "MODEL_ANSWER_INVALID" }));
});

test("keys that are dangerous in objects are keys like any other, and nothing is polluted", () => {
  const text = '{"__proto__": {"x": 1}, "constructor": {"prototype": {"x": 2}}}';
  expect(at(text, "/__proto__/x")).toBe("number 1");
  expect(at(text, "/constructor/prototype/x")).toBe("number 2");
  expect(({} as { x?: unknown }).x).toBeUndefined();
});

test("a text of 200 MB is found as a view, not copied", () => {
  const document = Buffer.alloc(200_000_000, "A");
  document.write('{"a": {"b": "');
  document.write('"}, "c": 1}', document.length - 11);
  const value = jsonAt(document, "/a/b");
  expect(value?.bytes.length).toBe(200_000_000 - 13 - 11);
  expect(value?.bytes.buffer).toBe(document.buffer);
  expect(scalarAt(document, "/c")).toBe("1");
});

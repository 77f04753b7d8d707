import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import type { Unwrap } from "../../src/inference/model.ts";
import { partNamed } from "../../src/inference/multipart.ts";
import { type Unwrapped, unwrap } from "../../src/inference/unwrap.ts";

const LIMITS = { maxBytes: 3_000_000, ratio: 1100 };

function unwrapped(
  bytes: Uint8Array | string,
  steps: readonly Unwrap[],
  type = "",
  limits = LIMITS,
): Unwrapped {
  const headers = new Map([["content-type", type]]);
  return unwrap({ files: [{ bytes: Buffer.from(bytes) }], headers }, steps, limits);
}

function only(bytes: Uint8Array | string, steps: readonly Unwrap[]): string {
  const result = unwrapped(bytes, steps);
  if (result.kind !== "files") throw new Error("It lies elsewhere");
  expect(result.files).toHaveLength(1);
  return Buffer.from(result.files[0]!.bytes).toString();
}

const pointer = (pointer: string): Unwrap => ({ kind: "pointer", pointer });
const invalid = expect.objectContaining({ code: "MODEL_ANSWER_INVALID" }) as Error;
const tooLarge = expect.objectContaining({ code: "MODEL_ANSWER_TOO_LARGE" }) as Error;

test("a JSON text within JSON, base64 and gzip are undone one after another", () => {
  const inner = JSON.stringify({ data: gzipSync("labels").toString("base64") });
  const answer = JSON.stringify([{ nifti_file: inner }]);
  expect(
    only(answer, [
      pointer("/0/nifti_file"),
      { kind: "json" },
      pointer("/data"),
      { kind: "base64" },
      { kind: "gzip" },
    ]),
  ).toBe("labels");
});

test("zstd and data URLs are undone", () => {
  const url = `data:application/octet-stream;base64,${zstdCompressSync("labels").toString("base64")}`;
  expect(
    only(JSON.stringify({ output: url }), [pointer("/output"), { kind: "dataurl" }, { kind: "zstd" }]),
  ).toBe("labels");
});

test.each([1, 2, 3, 4, 3_145_727, 3_145_728, 3_145_729])(
  "base64 of %i bytes is what it was, with line ends or without",
  (length) => {
    const bytes = Buffer.alloc(length, "abcdefg");
    const text = bytes.toString("base64");
    expect(only(text, [{ kind: "base64" }])).toBe(bytes.toString());
    expect(only(text.replaceAll(/.{76}/g, "$&\r\n"), [{ kind: "base64" }])).toBe(bytes.toString());
    expect(only(bytes.toString("base64url"), [{ kind: "base64" }])).toBe(bytes.toString());
  },
);

test("slashes that are escaped in JSON are slashes", () => {
  const text = Buffer.from([255, 255, 255, 254]).toString("base64");
  expect(text).toContain("/");
  const answer = `{"mask": "${text.replaceAll("/", "\\/")}"}`;
  const result = unwrapped(answer, [pointer("/mask"), { kind: "base64" }]);
  expect(result).toMatchObject({ files: [{ bytes: Buffer.from([255, 255, 255, 254]) }] });
});

test("a step that leads outside gives what it names and what is left to do", () => {
  const result = unwrapped('{"output": "http://store/a.nii.gz"}', [
    pointer("/output"),
    { kind: "fetch" },
    { kind: "gzip" },
  ]);
  expect(result).toEqual({
    kind: "outside",
    how: "fetch",
    references: ["http://store/a.nii.gz"],
    rest: [{ kind: "gzip" }],
  });
});

test.each<[string, string | Uint8Array, readonly Unwrap[]]>([
  ["a pointer to nothing", "{}", [pointer("/a")]],
  ["a pointer to null", '{"a": null}', [pointer("/a")]],
  ["JSON that is none", "labels", [{ kind: "json" }]],
  ["base64 with another character", "AAAA*AAA", [{ kind: "base64" }]],
  ["base64 with an end in the middle", "AA==AAAA", [{ kind: "base64" }]],
  ["a data URL without base64", "data:text/plain,labels", [{ kind: "dataurl" }]],
  ["no data URL", "http://store/a", [{ kind: "dataurl" }]],
  ["gzip that is none", "labels", [{ kind: "gzip" }]],
  ["half a gzip", gzipSync("labels".repeat(100)).subarray(0, 20), [{ kind: "gzip" }]],
  ["gzip with another checksum", gzipSync("labels").fill(1, 18, 22), [{ kind: "gzip" }]],
  ["zstd that is none", "labels", [{ kind: "zstd" }]],
  ["a reference of nothing", '{"a": ""}', [pointer("/a"), { kind: "fetch" }]],
  [
    "a reference with a line end in it",
    '{"a": "http://a/\\r\\nHost: b"}',
    [pointer("/a"), { kind: "fetch" }],
  ],
  ["a reference that has no end", "a".repeat(10_000), [{ kind: "file" }]],
])("%s is refused", (_, bytes, steps) => {
  expect(() => unwrapped(bytes, steps)).toThrow(invalid);
});

// B23, F68
test("a bomb stops at its limit, whatever it is packed in, and so does a bomb in a bomb", () => {
  const bomb = Buffer.alloc(50_000_000);
  expect(() => unwrapped(gzipSync(bomb), [{ kind: "gzip" }])).toThrow(tooLarge);
  expect(() => unwrapped(zstdCompressSync(bomb), [{ kind: "zstd" }])).toThrow(tooLarge);
  expect(() => unwrapped(gzipSync(gzipSync(bomb)), [{ kind: "gzip" }, { kind: "gzip" }])).toThrow(tooLarge);
  const members = Buffer.concat(Array.from({ length: 20 }, () => gzipSync(bomb.subarray(0, 1_000_000))));
  expect(() => unwrapped(members, [{ kind: "gzip" }])).toThrow(tooLarge);
});

test("what grows more than it may is refused below the limit in bytes too", () => {
  const packed = zstdCompressSync(Buffer.alloc(2_500_000));
  expect(2_500_000 / packed.length).toBeGreaterThan(1100);
  expect(() => unwrapped(packed, [{ kind: "zstd" }])).toThrow(tooLarge);
});

/** By the writer of another implementation: that of fetch. */
async function formOf(...parts: readonly (readonly [name: string, content: string, filename?: string])[]) {
  const form = new FormData();
  for (const [name, content, filename] of parts)
    if (filename === undefined) form.append(name, content);
    else form.append(name, new Blob([content]), filename);
  const response = new Response(form);
  const type = response.headers.get("content-type") ?? "";
  return { type, bytes: new Uint8Array(await response.arrayBuffer()) };
}

test("a part is taken by its name, with its file name, and holds what was put in", async () => {
  const { type, bytes } = await formOf(
    ["params", '{"a": 1}'],
    ["image", "\r\n--labels\r\n", "../tmp.nii.gz"],
    ["empty", ""],
  );
  expect(unwrapped(bytes, [{ kind: "part", name: "image" }], type)).toMatchObject({
    files: [{ name: "../tmp.nii.gz", bytes: Buffer.from("\r\n--labels\r\n") }],
  });
  expect(Buffer.from(partNamed(bytes, type, "params").bytes).toString()).toBe('{"a": 1}');
  expect(partNamed(bytes, type, "empty").bytes).toHaveLength(0);
});

test("a boundary may be quoted, and the answer begin with a preamble", () => {
  const bytes = Buffer.from(
    'preamble\r\n--a b\r\nContent-Disposition: form-data; name="x"\r\n\r\nlabels\r\n--a b--\r\n',
  );
  const part = partNamed(bytes, 'multipart/form-data; charset=utf-8; boundary="a b"', "x");
  expect(Buffer.from(part.bytes).toString()).toBe("labels");
});

// B25
const head = 'content-disposition: form-data; name="x"\r\n\r\n';
test.each([
  ["no boundary", "--b\r\n", "multipart/form-data"],
  ["another type", `--b\r\n${head}a\r\n--b--`, "application/json"],
  ["another boundary", `--c\r\n${head}a\r\n--c--`, "multipart/form-data; boundary=b"],
  ["a part without an end", `--b\r\n${head}a`, "multipart/form-data; boundary=b"],
  ["a part whose head has no end", `--b\r\n${"a: b\r\n".repeat(200_000)}`, "multipart/form-data; boundary=b"],
  [
    "100000 parts",
    `--b\r\n${head}a\r\n${`--b\r\n${head.replace("x", "y")}a\r\n`.repeat(100_000)}--b--`,
    "multipart/form-data; boundary=b",
  ],
  ["the part twice", `--b\r\n${head}a\r\n--b\r\n${head}c\r\n--b--`, "multipart/form-data; boundary=b"],
  ["no such part", `--b\r\n${head.replace("x", "y")}a\r\n--b--`, "multipart/form-data; boundary=b"],
])("an answer of parts with %s is refused", (_, text, type) => {
  expect(() => unwrapped(text, [{ kind: "part", name: "x" }], type)).toThrow(invalid);
});

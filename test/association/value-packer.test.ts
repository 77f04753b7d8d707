import { expect, test } from "vitest";
import { ValuePacker } from "../../src/association/value-packer.ts";

function packed(valueBytes: number, chunks: readonly string[]): readonly string[] {
  const packer = new ValuePacker(valueBytes);
  const values: (readonly Uint8Array[])[] = [];
  for (const chunk of chunks) values.push(...packer.add(Buffer.from(chunk)));
  values.push(packer.end());
  return values.map((parts) => Buffer.concat(parts).toString());
}

test.each<[string, readonly string[], readonly string[]]>([
  ["cut where chunks are too long", ["abcdefghij"], ["abcd", "efgh", "ij"]],
  ["filled from several chunks where they are too short", ["a", "bcd", "e", "fghi"], ["abcd", "efgh", "i"]],
  ["filled to the last byte", ["abc", "def", "g"], ["abcd", "efg"]],
  ["the last one full, if the data set ends there", ["abcd", "efgh"], ["abcd", "efgh"]],
  ["one empty value for no data", [], [""]],
  ["unmoved by empty chunks", ["", "ab", "", "cde"], ["abcd", "e"]],
])("values are %s", (_, chunks, values) => {
  expect(packed(4, chunks)).toEqual(values);
});

test("a peer's odd maximum gives even values", () => {
  expect(packed(5, ["abcdefghi"])).toEqual(["abcd", "efgh", "i"]);
});

test("the bytes are those of the chunks, not copies", () => {
  const chunk = Buffer.from("abcdef");
  const packer = new ValuePacker(4);
  const values = [...packer.add(chunk), packer.end()];
  expect(values.flat().map(({ buffer }) => buffer)).toEqual([chunk.buffer, chunk.buffer]);
});

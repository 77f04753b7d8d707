import { crc32, deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { NodeError } from "../../../src/base/errors.ts";
import { isZip, zipEntries } from "../../../src/volume/formats/zip.ts";
import { byNumpy } from "./numpy-fixtures.ts";

interface Written {
  readonly name: string;
  readonly data: Uint8Array;
  readonly change?: (central: DataView) => void;
}

/** Deflated entries as APPNOTE.TXT 4.3 has them; `change` is made to the entry in the directory. */
function zip(...entries: readonly Written[]): Uint8Array {
  const locals: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  for (const { name, data, change } of entries) {
    const packed = deflateRawSync(data);
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    local.setUint16(26, name.length, true);
    const entry = new DataView(new ArrayBuffer(46));
    entry.setUint32(0, 0x02014b50, true);
    entry.setUint16(10, 8, true);
    entry.setUint32(16, crc32(data), true);
    entry.setUint32(20, packed.length, true);
    entry.setUint32(24, data.length, true);
    entry.setUint16(28, name.length, true);
    entry.setUint32(42, at, true);
    change?.(entry);
    const piece = Buffer.concat([new Uint8Array(local.buffer), Buffer.from(name), packed]);
    locals.push(piece);
    central.push(Buffer.concat([new Uint8Array(entry.buffer), Buffer.from(name)]));
    at += piece.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(16, at, true);
  return Buffer.concat([...locals, ...central, new Uint8Array(end.buffer)]);
}

function all(file: Uint8Array): readonly (readonly [string, Uint8Array])[] {
  return zipEntries(file, 8).map(({ name, content }) => [name, new Uint8Array(content(1000))] as const);
}

const data = Uint8Array.from({ length: 300 }, (_, n) => n % 7);

test("entries come out as they went in, folders are passed over", () => {
  const file = zip(
    { name: "out/", data: new Uint8Array(0) },
    { name: "out/a", data },
    { name: "b", data: data.subarray(3) },
  );
  expect(isZip(file)).toBe(true);
  expect(all(file)).toEqual([
    ["out/a", data],
    ["b", data.subarray(3)],
  ]);
});

test("a comment at the end is passed over", () => {
  const file = Buffer.concat([zip({ name: "a", data }), Buffer.from("made by hand")]);
  expect(all(file)).toEqual([["a", data]]);
});

test("the head of an entry is there without the rest", () => {
  const [entry] = zipEntries(byNumpy("npz, compressed"), 8);
  expect(Buffer.from(entry!.head()).subarray(1, 6).toString()).toBe("NUMPY");
});

test.each<[string, Uint8Array, string]>([
  ["cut", zip({ name: "a", data }).subarray(0, -30), "without a directory"],
  ["encrypted", zip({ name: "a", data, change: (v) => v.setUint16(8, 1, true) }), "encrypted"],
  ["compressed another way", zip({ name: "a", data, change: (v) => v.setUint16(10, 14, true) }), "method 14"],
  ["smaller than it says", zip({ name: "a", data, change: (v) => v.setUint32(24, 301, true) }), "damaged"],
  [
    "larger than it says",
    zip({ name: "a", data, change: (v) => v.setUint32(24, 299, true) }),
    "more than the 299",
  ],
  ["larger than allowed", zip({ name: "a", data: new Uint8Array(2000) }), "2000 bytes, more than the 1000"],
  ["of another content", zip({ name: "a", data, change: (v) => v.setUint32(16, 1, true) }), "damaged"],
  ["beyond the end", zip({ name: "a", data, change: (v) => v.setUint32(42, 1e9, true) }), "past its end"],
  [
    "longer than the file",
    zip({ name: "a", data, change: (v) => v.setUint32(20, 1e9, true) }),
    "past its end",
  ],
  [
    "wide without saying how",
    zip({ name: "a", data, change: (v) => v.setUint32(24, 0xffffffff, true) }),
    "Zip64",
  ],
  ["one of too many", zip(...Array.from({ length: 9 }, (_, n) => ({ name: String(n), data }))), "9 entries"],
])("a zip entry that is %s is refused", (_, file, reason) => {
  expect(() => all(file)).toThrow(reason);
  expect(() => all(file)).toThrow(expect.objectContaining({ code: "MODEL_ANSWER_INVALID" }));
});

test("a zip damaged anywhere is read as it was, or refused", () => {
  const file = zip({ name: "a", data }, { name: "b", data: data.subarray(9) });
  for (let at = 0; at < file.length; at++) {
    for (const flip of [1, 0x80]) {
      const damaged = new Uint8Array(file);
      damaged[at]! ^= flip;
      try {
        const found = all(damaged);
        for (const [, content] of found) expect([300, 291]).toContain(content.length);
      } catch (error) {
        expect(error).toBeInstanceOf(NodeError);
      }
    }
  }
});

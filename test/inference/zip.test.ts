import { execFileSync } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { filesInZip } from "../../src/inference/zip.ts";
import { zipOf } from "../../src/inference/zip-write.ts";
import { hasProgram, testIf } from "../support/data.ts";
import { tempFolder } from "../support/temp.ts";

const testWithPython = testIf(hasProgram("python3"), "python3");

const LIMITS = { maxBytes: 1_000_000, ratio: 1100 };

interface Entry {
  readonly name: string;
  readonly content: Uint8Array | string;
  readonly deflated?: boolean;
  /** What the directory says, where it lies. */
  readonly size?: number;
  readonly crc?: number;
  readonly flags?: number;
  readonly mode?: number;
  readonly method?: number;
  readonly offset?: number;
}

/** An archive written from APPNOTE.TXT, field by field, in which everything can lie. */
function archive(entries: readonly Entry[], claimed = entries.length): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const content = Buffer.from(entry.content);
    const data = entry.deflated ? deflateRawSync(content) : content;
    const name = Buffer.from(entry.name);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(entry.flags ?? 0, 2);
    fields.writeUInt16LE(entry.method ?? (entry.deflated ? 8 : 0), 4);
    fields.writeUInt32LE(entry.crc ?? crc32(content), 10);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(entry.size ?? content.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((entry.mode ?? 0) * 65_536, 6);
    tail.writeUInt32LE(entry.offset ?? offset, 10);
    parts.push(Buffer.from("PK\x03\x04", "latin1"), fields, name, data);
    directory.push(Buffer.from("PK\x01\x02\x14\x03", "latin1"), fields, tail, name);
    offset += 30 + name.length + data.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(claimed, 8);
  end.writeUInt16LE(claimed, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

function found(bytes: Uint8Array, glob: string, limits = LIMITS): readonly string[] {
  return filesInZip(bytes, glob, limits).map(
    ({ name, bytes }) => `${name}: ${Buffer.from(bytes).toString()}`,
  );
}

const two = archive([
  { name: "masks/", content: "" },
  { name: "masks/liver.nii.gz", content: "liver" },
  { name: "masks/spleen.nii.gz", content: "spleen ".repeat(100), deflated: true },
  { name: "statistics.json", content: "{}" },
]);

test("files are found by the last part of their name, or by all of it", () => {
  expect(found(two, "*.nii.gz").map((file) => file.slice(0, 30))).toEqual([
    "masks/liver.nii.gz: liver",
    "masks/spleen.nii.gz: spleen sp",
  ]);
  expect(found(two, "masks/l*")).toEqual(["masks/liver.nii.gz: liver"]);
  expect(found(two, "statistics.json")).toEqual(["statistics.json: {}"]);
});

testWithPython("an archive of Python's zipfile is read, and ours by it", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "a.zip");
  const python = (code: string): string => execFileSync("python3", ["-c", code, path], { encoding: "utf8" });
  python(
    "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('a/ü.nii', 'x' * 3000)",
  );
  expect(found(await readFile(path), "*.nii")).toEqual([`a/ü.nii: ${"x".repeat(3000)}`]);
  const bytes = Buffer.from("content");
  await writeFile(path, Buffer.concat(zipOf([{ name: "000001.dcm", bytes, crc: crc32(bytes) }])));
  expect(
    python(
      "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), z.namelist(), z.read('000001.dcm'))",
    ),
  ).toBe("None ['000001.dcm'] b'content'\n");
});

testWithPython("a link that was really zipped is refused", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "in"));
  await symlink("/etc/passwd", join(folder.path, "in", "passwd.nii"));
  const path = join(folder.path, "a.zip");
  const code =
    "import sys, os, zipfile\ni = zipfile.ZipInfo('passwd.nii'); i.create_system = 3; i.external_attr = 0o120777 << 16\n" +
    "with zipfile.ZipFile(sys.argv[1], 'w') as z: z.writestr(i, '/etc/passwd')";
  execFileSync("python3", ["-c", code, path]);
  expect(() => found(new Uint8Array(0), "*")).toThrow("no zip");
  await expect(readFile(path).then((bytes) => found(bytes, "*"))).rejects.toThrow("link");
});

// B24
const NII = { name: "a.nii", content: "abc" };
test.each([
  ["a name that climbs", archive([{ ...NII, name: "../a.nii" }])],
  ["a name that climbs in the middle", archive([{ ...NII, name: "a/../../a.nii" }])],
  ["an absolute name", archive([{ ...NII, name: "/a.nii" }])],
  ["a name of another system", archive([{ ...NII, name: "C:\\a.nii" }])],
  ["a name with a zero in it", archive([{ ...NII, name: "a\0.nii" }])],
  ["a name twice", archive([NII, { ...NII, content: "other" }])],
  ["a link", archive([{ ...NII, mode: 0o120777 }])],
  ["a password", archive([{ ...NII, flags: 1 }])],
  ["a size that is too small", archive([{ ...NII, size: 2 }])],
  ["a size that is too large", archive([{ ...NII, size: 5 }])],
  [
    "a size that hides a bomb",
    archive([{ name: "a.nii", content: Buffer.alloc(500_000), deflated: true, size: 10 }]),
  ],
  ["another checksum", archive([{ ...NII, crc: 1 }])],
  ["a compression nobody asked for", archive([{ ...NII, method: 12 }])],
  ["entries upon each other", archive([NII, { ...NII, name: "b.nii", offset: 0 }])],
  ["an entry past the end", archive([{ ...NII, offset: 4_000_000_000 }])],
  ["more entries than there are", archive([NII], 2)],
  ["a million entries", archive([NII], 65_535)],
  ["an end that was cut", two.subarray(0, -3)],
  ["no end at all", Buffer.from("PK\x03\x04 not much of a zip")],
  ["nothing that is wanted", archive([{ ...NII, name: "readme.txt" }])],
])("a zip with %s is refused", (_, bytes) => {
  expect(() => found(bytes, "*.nii")).toThrow(expect.objectContaining({ code: "MODEL_ANSWER_INVALID" }));
});

test("what comes out has a limit, in bytes and in growth, before anything is inflated", () => {
  const bomb = archive([{ name: "a.nii", content: Buffer.alloc(20_000_000), deflated: true }]);
  const tooLarge = expect.objectContaining({ code: "MODEL_ANSWER_TOO_LARGE" }) as Error;
  expect(() => found(bomb, "*.nii")).toThrow(tooLarge);
  expect(() => found(bomb, "*.nii", { maxBytes: 1e9, ratio: 100 })).toThrow(tooLarge);
  expect(found(bomb, "*.nii", { maxBytes: 1e9, ratio: 1100 })).toHaveLength(1);
});

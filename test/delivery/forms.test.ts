import { expect, test } from "vitest";
import { filesOf, formFor, objectsOf } from "../../src/delivery/forms.ts";
import { TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../../src/dicom/uid.ts";
import type { ResultForm, ResultRecord, RunId } from "../../src/ledger/records.ts";

const { EXPLICIT_VR_LITTLE_ENDIAN: NATIVE, RLE_LOSSLESS: RLE } = TRANSFER_SYNTAX;

function result(form: ResultForm, part: number, transferSyntaxUid: TransferSyntaxUid = NATIVE): ResultRecord {
  return {
    runId: "run" as RunId,
    file: `${form}${part}${transferSyntaxUid === RLE ? ".rle" : ""}.dcm`,
    form,
    part,
    transferSyntaxUid,
    sopInstanceUid: `2.25.${part}` as InstanceUid,
    sopClassUid: "1.2" as SopClassUid,
    sha256: "digest",
    bytes: 1,
  };
}

const results = [
  result("binary", 1),
  result("binary", 2),
  result("labelmap", 1),
  result("labelmap", 1, RLE),
] as const;
const names = (some: readonly ResultRecord[]): readonly string[] => some.map(({ file }) => file);

test("a destination gets the form it wants where that was made, else BINARY", () => {
  expect(formFor("labelmap", results)).toBe("labelmap");
  expect(formFor("binary", results)).toBe("binary");
  expect(formFor("fractional", results)).toBe("binary");
  expect(formFor(undefined, results)).toBe("binary");
});

test("an object in two files is one object, an object for each part", () => {
  expect(objectsOf(results, "labelmap").map(({ part }) => part)).toEqual([1]);
  expect(names(objectsOf(results, "binary"))).toEqual(["binary1.dcm", "binary2.dcm"]);
});

test("the compressed file comes first for who wants it, and never for who does not", () => {
  const object = { form: "labelmap", part: 1 } as const;
  expect(names(filesOf(results, object, "rle"))).toEqual(["labelmap1.rle.dcm", "labelmap1.dcm"]);
  expect(names(filesOf(results, object, "none"))).toEqual(["labelmap1.dcm"]);
  expect(names(filesOf(results, { form: "binary", part: 2 }, "rle"))).toEqual(["binary2.dcm"]);
});

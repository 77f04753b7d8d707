import { expect, test } from "vitest";
import { CODE, codeItem, parseCode } from "../../src/segmentation/codes.ts";
import { readConcept as reading } from "../../src/segmentation/concept.ts";

function wrong(text: string): string {
  const parsed = parseCode(text);
  if (parsed.kind !== "wrong") throw new Error(`"${text}" was taken`);
  return parsed.reason;
}

test("a code is scheme, value and meaning between colons", () => {
  expect(parseCode("SCT:91609006:Mandible")).toEqual({
    kind: "code",
    code: { scheme: "SCT", value: "91609006", meaning: "Mandible" },
  });
});

test("a meaning may hold colons, and spaces around the parts do not count", () => {
  expect(parseCode(" MSH : D000088263 : Canal: mandibular ")).toEqual({
    kind: "code",
    code: { scheme: "MSH", value: "D000088263", meaning: "Canal: mandibular" },
  });
});

test("a private scheme is taken as it is", () => {
  expect(parseCode("99CLINIC:CANAL-L:Left canal").kind).toBe("code");
});

test("each part that is missing is named", () => {
  expect(wrong("Mandible")).toMatch(/not scheme:value:meaning/);
  expect(wrong("SCT:91609006")).toMatch(/not scheme:value:meaning/);
  expect(wrong(":91609006:Mandible")).toMatch(/coding scheme/);
  expect(wrong("SCT::Mandible")).toMatch(/code value/);
  expect(wrong("SCT:91609006:")).toMatch(/meaning is empty/);
});

test("retired SNOMED-RT codes are refused, under their own scheme and under SCT", () => {
  expect(wrong("SRT:T-11180:Mandible")).toMatch(/retired/);
  expect(wrong("SNM3:T-11180:Mandible")).toMatch(/retired/);
  expect(wrong("SCT:T-11180:Mandible")).toMatch(/no SNOMED CT identifier/);
});

test("a SNOMED CT identifier with a digit wrong or two swapped is refused", () => {
  expect(wrong("SCT:866060002:Tooth 36")).toMatch(/check digit/);
  expect(wrong("SCT:866006003:Tooth 36")).toMatch(/check digit/);
  expect(wrong("SCT:91609015:Mandible")).toMatch(/check digit/); // that of a description, not of a concept
  expect(parseCode("SCT:123037004:Anatomical Structure").kind).toBe("code");
  expect(parseCode("SCT:335061000119105:Extension").kind).toBe("code");
});

test("a meaning that names another thing than the code is refused", () => {
  expect(reading("SCT:91609006:Maxilla")).toEqual({
    kind: "wrong",
    reason: "SCT:91609006 is Mandible, not Maxilla",
  });
  expect(reading("SCT:866006002:Tooth 46")).toMatchObject({ reason: expect.stringMatching(/not Tooth 46$/) });
  for (const fine of ["SCT:91609006:Unterkiefer", "SCT:91609006:lower jaw", "99X:1:Mandible"])
    expect(reading(fine).kind, fine).toBe("concept");
});

test("the refusal of a retired code names its successor where it is known", () => {
  expect(wrong("SRT:T-11180:Mandible")).toMatch(/: write SCT:91609006:Mandible$/);
  expect(wrong("SCT:T-54640:Milchzahn")).toMatch(
    /; write SCT:17505006:Deciduous maxillary right first molar tooth$/,
  );
  expect(wrong("SRT:T-D0050:Tissue")).toMatch(/write SCT:85756007/);
  expect(wrong("SRT:T-99999:x")).toMatch(/: give the SCT identifier$/);
});

test("a URN or URL stands for scheme and value, and its meaning is what follows the last colon", () => {
  expect(parseCode("urn:oid:1.2.840.99:Left canal")).toEqual({
    kind: "code",
    code: { scheme: "", value: "urn:oid:1.2.840.99", meaning: "Left canal" },
  });
  expect(parseCode("http://example.org/canal#left:Left canal")).toEqual({
    kind: "code",
    code: { scheme: "", value: "http://example.org/canal#left", meaning: "Left canal" },
  });
  expect(wrong("urn:lex:a b:Canal")).toMatch(/no URN/);
  expect(wrong("urn:oid:1.2:")).toMatch(/meaning is empty/);
  expect(codeItem({ scheme: "", value: "urn:oid:1.2.840.99", meaning: "Left canal" })).toEqual({
    URNCodeValue: "urn:oid:1.2.840.99",
    CodeMeaning: "Left canal",
  });
});

test("what would not fit its value representation is refused", () => {
  expect(wrong("A SCHEME OF 17 CH:1:x")).toMatch(/coding scheme/);
  expect(wrong(`DCM:1:${"m".repeat(65)}`)).toMatch(/longer than 64/);
  expect(wrong("DCM:1:left\\right")).toMatch(/backslash/);
  expect(wrong("DCM:1:left\u0007right")).toMatch(/control/);
  expect(wrong("DCM:1\\2:x")).toMatch(/code value/);
});

test("64 Japanese characters are a meaning: characters count, not bytes", () => {
  expect(parseCode(`99X:1:${"顎".repeat(64)}`).kind).toBe("code");
});

test("a value of 16 characters is a Code Value, one of 17 a Long Code Value", () => {
  expect(codeItem({ scheme: "99X", value: "1234567890123456", meaning: "m" })).toEqual({
    CodeValue: "1234567890123456",
    CodingSchemeDesignator: "99X",
    CodeMeaning: "m",
  });
  expect(codeItem({ scheme: "99X", value: "12345678901234567", meaning: "m" })).toEqual({
    LongCodeValue: "12345678901234567",
    CodingSchemeDesignator: "99X",
    CodeMeaning: "m",
  });
});

// Values from PS3.16 annex D, DICOM Controlled Terminology Definitions.
test("the codes of every segmentation are those of PS3.16", () => {
  expect(Object.values(CODE).map(({ value, meaning }) => `${value} ${meaning}`)).toEqual([
    "113076 Segmentation",
    "121322 Source Image for Image Processing Operation",
    "123110 Artificial Intelligence",
    "109101 Acquisition Equipment",
    "109102 Processing Equipment",
  ]);
});

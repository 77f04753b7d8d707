import { expect, test } from "vitest";
import { fromKeywords, type KeywordRecord } from "../../src/dicom/build.ts";
import {
  type Compiled,
  compileCondition,
  compilePriority,
  EXPRESSION_LIMIT,
} from "../../src/routing/expression.ts";
import type { SeriesFacts } from "../../src/routing/facts.ts";

const IMAGE: KeywordRecord = {
  ImageType: ["ORIGINAL", "PRIMARY", "AXIAL"],
  Modality: "CT",
  SeriesDescription: "Dental 0.3 mm",
  SliceThickness: "0.3",
  PixelSpacing: ["0.25", "0.5"],
  Rows: 512,
  BitsAllocated: 16,
};

function facts(record: KeywordRecord): SeriesFacts {
  const association = { callingAeTitle: "CBCT1", calledAeTitle: "ISOCENTER", peer: "10.20.1.5" };
  return { dataSet: fromKeywords(record), association, instances: 312 };
}

function faults(compiled: Compiled): unknown {
  return compiled.kind === "invalid" ? compiled.faults : "none";
}

function holds(text: string, record: KeywordRecord = IMAGE): unknown {
  const compiled = compileCondition(text);
  if (compiled.kind === "invalid") throw new Error(compiled.faults.map(({ message }) => message).join("; "));
  const evaluation = compiled.expression.evaluate(facts(record));
  return evaluation.kind === "value" ? evaluation.value : evaluation.reason;
}

test.each([
  [`Modality == "CT"`, true],
  [`Modality == "CT" && SliceThickness <= 0.6 && association.callingAeTitle == "CBCT1"`, true],
  [`association.calledAeTitle == "PACS" || association.peer.startsWith("10.20.")`, true],
  [`series.instances >= 20 && series.instances < 400.5`, true],
  [`Rows == 512 && Rows != 256 && Rows > 511.5 && 512 == Rows`, true],
  [`Rows in [256, 512] && SliceThickness in [0.3, 1]`, true],
  [`Rows * PixelSpacing[0] == 128`, true],
  [`PixelSpacing[0] == PixelSpacing[1]`, false],
  [`PixelSpacing == [0.25, 0.5] && 0.5 in PixelSpacing`, true],
  [`"AXIAL" in ImageType && ImageType[0] == "ORIGINAL"`, true],
  [`ImageType.exists(value, value == "AXIAL") && !ImageType.all(value, value == "AXIAL")`, true],
  [`ImageType.filter(value, value.endsWith("AL")).size() == 2`, true],
  [`Modality in ["CT", "MR"] && !(Modality in ["PT"])`, true],
  [`SeriesDescription.like("dental*mm") && !SeriesDescription.like("dental")`, true],
  [`SeriesDescription.like("*0?3*") && "".like("*") && !"".like("?")`, true],
  [`SeriesDescription.lowerAscii().contains("dental")`, true],
  [`has(Modality) && has( SliceThickness ) && !has(PatientID) && "has(Modality)" != Modality`, true],
])("%s is %s", (text, expected) => {
  expect(holds(text)).toBe(expected);
});

// Absent, and present with zero length: the standard makes no difference for what is type 2 (PS3.5 7.4.3).
test.each([{}, { Modality: "", SliceThickness: "", ImageType: [], Rows: [] }])(
  "no comparison but != holds for an attribute that is absent or empty",
  (record: KeywordRecord) => {
    for (const text of [
      `Modality == "CT"`,
      `SliceThickness <= 0.6`,
      `SliceThickness > 0.6`,
      `SliceThickness == SliceThickness`,
      `Rows == 0`,
      `Rows < 1`,
      `"AXIAL" in ImageType`,
      `SeriesDescription.contains("dental")`,
      `has(Modality) || has(SliceThickness) || has(ImageType) || has(Rows)`,
    ]) {
      expect(holds(text, record), text).toBe(false);
    }
    expect(holds(`Modality != "CT" && Rows != 512 && !SeriesDescription.contains("scout")`, record)).toBe(
      true,
    );
  },
);

test("a condition that is false says which of its attributes are absent", () => {
  const compiled = compileCondition(`Modality == "CT" && SliceThickness < 1 && SliceThickness > 0`);
  if (compiled.kind === "invalid") throw new Error("does not compile");
  expect(compiled.expression.evaluate(facts({ Modality: "CT" }))).toEqual({
    kind: "value",
    value: false,
    absent: ["SliceThickness"],
  });
});

test("an error while evaluating is told by its place in the rule, never by a value of the data set", () => {
  expect(holds(`ImageType[7] == "AXIAL"`)).toBe("index out of bounds in ImageType[7]");
  expect(holds(`int(PatientID) == 1`, { PatientID: "SECRET" })).toBe(
    "int conversion error in int(PatientID)",
  );
  expect(holds(`ImageType[7] == "AXIAL" || Modality == "CT"`)).toBe(true);
});

test("a value too long to be a criterion is an error, not a cost", () => {
  expect(holds(`ImageComments.contains("x")`, { ImageComments: "x".repeat(1025) })).toBe(
    "the value of ImageComments is too long",
  );
});

test.each([
  [`Modalty == "CT"`, "Modalty is no DICOM keyword; did you mean Modality?", 0],
  [`Modality == "CT" && modality == "CT"`, "modality is no DICOM keyword; did you mean Modality?", 20],
  [`Modality == 3`, "no such overload: string == int", 0],
  [
    `ImageType == "AXIAL"`,
    `no such overload: list<string> == string: a list is asked with in, as in "AXIAL" in ImageType`,
    0,
  ],
  [`Modality == "CT" &&`, "Unexpected token: EOF", 19],
  [`Modality`, "a condition is true or false, this is string", 0],
  [`association.callingAe == "A"`, "No such key: callingAe", 12],
  [
    `SharedFunctionalGroupsSequence == "A"`,
    "SharedFunctionalGroupsSequence is a sequence; rules see attributes with values only",
    0,
  ],
  [`PixelData == "A"`, "PixelData is binary (VR OW); rules see text and numbers only", 0],
  [`TransferSyntaxUID == "A"`, "TransferSyntaxUID is not an attribute of an image", 0],
  [
    `Modality.matches("(a+)+$")`,
    `matches() is not available in rules; like("*text*") with * and ? is there instead`,
    0,
  ],
  [`cel.bind(x, 1, true)`, "bind() is not available in rules", 0],
  [`Modality.startWith("C")`, "startWith() is not available in rules; did you mean startsWith?", 0],
  [`has(series.instances)`, "has() takes one DICOM keyword", 0],
  [`ImageType.exists(a, ImageType.exists(b, a == b))`, "exists() inside another loop is not allowed", 20],
  [`"C" in {"C": 1}`, "a rule has no use for a map", 7],
])("%s is refused with a reason", (text, message, at) => {
  expect(faults(compileCondition(text))).toContainEqual({ message, at });
});

test("all unknown names are told at once, in their order", () => {
  expect(faults(compileCondition(`Rowz == 1 && Colums == 2`))).toEqual([
    { message: "Rowz is no DICOM keyword; did you mean Rows?", at: 0 },
    { message: "Colums is no DICOM keyword; did you mean Columns?", at: 13 },
  ]);
});

test("length, depth and size of an expression are bounded", () => {
  const long = `Modality == "${"C".repeat(EXPRESSION_LIMIT)}"`;
  expect(faults(compileCondition(long))).toEqual([
    { message: `the expression is longer than ${EXPRESSION_LIMIT} characters`, at: 0 },
  ]);
  for (const text of [`${"(".repeat(50)}true${")".repeat(50)}`, Array(200).fill("true").join(" || ")]) {
    expect(compileCondition(text).kind).toBe("invalid");
  }
});

test("a priority is a choice between stat and routine and nothing else", () => {
  const chosen = `RequestedProcedurePriority == "STAT" ? "stat" : Modality == "MR" ? "routine" : "stat"`;
  expect(compilePriority(chosen).kind).toBe("expression");
  const message = `a priority is routine, stat or a choice: condition ? "stat" : "routine"`;
  for (const text of [`Modality == "CT" ? "urgent" : "stat"`, "Modality", `"st" + "at"`]) {
    expect(faults(compilePriority(text))).toEqual([{ message, at: 0 }]);
  }
});

// 300 values, each asked: what the most expensive rules can cost.
test("the most expensive rule takes less than a tenth of a second", () => {
  const value = "a".repeat(3);
  const record = { ImageType: Array.from({ length: 250 }, () => value), SeriesDescription: "a".repeat(60) };
  const each = Array(15)
    .fill(`"${"a*".repeat(30)}b".like(value) || "x" in ImageType`)
    .join(" || ");
  const started = performance.now();
  expect(holds(`ImageType.exists(value, ${each})`, record)).toBe(false);
  expect(performance.now() - started).toBeLessThan(100);
});

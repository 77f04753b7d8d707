import * as fc from "fast-check";
import { expect, test } from "vitest";
import { codeString, longString, personName, segmentLabels } from "../../src/segmentation/text.ts";

function labels(...names: readonly string[]): readonly string[] {
  return [...segmentLabels(new Map(names.map((name, at) => [at + 1, name]))).values()];
}

test("a label is cut at 64 characters, and a Japanese one at 64 characters too", () => {
  expect(labels("x".repeat(65))).toEqual(["x".repeat(64)]);
  expect(labels("歯".repeat(70))).toEqual(["歯".repeat(64)]);
});

test("a backslash and control characters become a space, so that there is one value", () => {
  expect(labels("left\\right")).toEqual(["left right"]);
  expect(labels("a\u0000b\r\nc\u001b$B")).toEqual(["a b c $B"]);
});

test("labels that come out alike are told apart by their value", () => {
  expect(labels("Tooth", "Tooth", "Tooth\\")).toEqual(["Tooth", "Tooth (2)", "Tooth (3)"]);
  expect(labels("x".repeat(64), "x".repeat(80))[1]).toBe(`${"x".repeat(60)} (2)`);
});

test("a suffix that is taken already does not make two labels one", () => {
  expect(labels("A (3)", "A", "A")).toEqual(["A (3)", "A", "A (3)(3)"]);
  expect(labels("Label 2", "\\")).toEqual(["Label 2", "Label 2 (2)"]);
});

test("whatever the labels, each comes out different, as one value of at most 64 characters", () => {
  const awkward = fc.array(fc.constantFrom("A", " ", "\\", "\u0000", "顎", "(2)", "(3)", "Label 2"), {
    maxLength: 70,
  });
  fc.assert(
    fc.property(
      fc.array(
        awkward.map((parts) => parts.join("")),
        { maxLength: 6 },
      ),
      (names) => {
        const found = labels(...names);
        expect(new Set(found).size).toBe(names.length);
        expect(
          found.filter((label) => !/^[^\p{Cc}\\]{1,64}$/u.test(label) || label.trim() !== label),
        ).toEqual([]);
      },
    ),
  );
});

test("a label of nothing printable is named after its value", () => {
  expect(labels("Bone", "\u0007")).toEqual(["Bone", "Label 2"]);
});

test("a code string is upper case, of 16 allowed characters", () => {
  expect(codeString("Mandible v2.1-beta", "X")).toBe("MANDIBLE V2_1_BE");
  expect(codeString("Zähne", "X")).toBe("Z_HNE");
  expect(codeString("顎", "SEGMENTATION")).toBe("SEGMENTATION");
});

test("a person name loses its delimiters", () => {
  expect(personName("a^b=c\\d", "AI")).toBe("a b c d^AI");
  expect(longString(" trimmed ")).toBe("trimmed");
});

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nearest, suggestion } from "../../src/routing/nearest.ts";

const NAMES = [
  "left maxillary sinus",
  "right maxillary sinus",
  "mandible",
  "maxilla",
  "tooth 36",
  "tooth 46",
  "liver",
];

test.each([
  ["mandibel", "mandible"], // swapped
  ["mandble", "mandible"], // left out
  ["manndible", "mandible"], // put in
  ["mandiple", "mandible"], // another
  ["LEFT MAXILARY SINUSS", "left maxillary sinus"],
  ["toth 46", "tooth 46"],
  ["lvier", "liver"],
])("%s was probably %s", (text, meant) => {
  expect(nearest(text, NAMES)).toBe(meant);
  expect(suggestion(text, NAMES)).toBe(`; did you mean ${meant}?`);
});

test("what is far from every name is not guessed", () => {
  for (const text of ["spleen", "x", "", "maxillary sinus of the left", "toothbrush 36"])
    expect(nearest(text, NAMES), text).toBeUndefined();
});

test("one slip anywhere in a name is always found, and no other name is nearer", () => {
  const slip = fc.record({
    name: fc.constantFrom(...NAMES),
    at: fc.nat(30),
    kind: fc.constantFrom("swap", "drop", "add", "change"),
    letter: fc.constantFrom("q", "e", " ", "7"),
  });
  fc.assert(
    fc.property(slip, ({ name, at: anywhere, kind, letter }) => {
      const at = anywhere % name.length;
      const [before, one, after] = [name.slice(0, at), name.charAt(at), name.slice(at + 1)];
      const text = {
        swap: before + after.charAt(0) + one + after.slice(1),
        drop: before + after,
        add: before + letter + one + after,
        change: before + letter + after,
      }[kind];
      // tooth 76 is as far from tooth 36 as from tooth 46.
      expect(nearest(text, NAMES)?.replace("46", "36")).toBe(name.replace("46", "36"));
    }),
  );
});

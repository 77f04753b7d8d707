import { expect, test } from "vitest";
import { parseDuration, parseSize } from "../../src/config/units.ts";

test("a duration is a whole number with its unit", () => {
  expect(["500ms", "30s", "15m", "72h", "30d", "0s"].map(parseDuration)).toEqual([
    500, 30_000, 900_000, 259_200_000, 2_592_000_000, 0,
  ]);
  for (const wrong of ["30", "s", "1.5h", "-1s", "1 s", "1H", "1m30s", "9999999999s", ""]) {
    expect(parseDuration(wrong), wrong).toBeUndefined();
  }
});

test("a size is a whole number with a binary unit", () => {
  expect(["0B", "16KiB", "3MiB", "4GiB", "1TiB"].map(parseSize)).toEqual([
    0, 16_384, 3_145_728, 4_294_967_296, 1_099_511_627_776,
  ]);
  for (const wrong of ["16", "16KB", "16kib", "1.5GiB", "1 GiB", ""])
    expect(parseSize(wrong), wrong).toBeUndefined();
});

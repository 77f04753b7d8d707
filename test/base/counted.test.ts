import { expect, test } from "vitest";
import { counted } from "../../src/base/counted.ts";

const BYTES = 64 * 1024 ** 2;

// As Node reports it, `external` is what V8 knows of memory outside its heap.
test("V8 learns of the memory of a shared view once, without which it would not", () => {
  const external = (): number => process.memoryUsage().external;
  const before = external();
  const view = new Uint8Array(new SharedArrayBuffer(BYTES));
  expect(external() - before).toBeLessThan(BYTES / 2);
  expect(counted(view)).toBe(view);
  counted(view);
  const grown = external() - before;
  expect(grown).toBeGreaterThan(0.9 * BYTES);
  expect(grown).toBeLessThan(1.5 * BYTES);
});

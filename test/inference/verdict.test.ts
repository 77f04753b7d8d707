import { expect, test } from "vitest";
import { retryAfterMs, verdictOn } from "../../src/inference/verdict.ts";

test.each([
  [200, "answered"],
  [202, "MODEL_ANSWER_INVALID"],
  [204, "MODEL_ANSWER_INVALID"],
  [302, "MODEL_REJECTED"],
  [307, "MODEL_REJECTED"],
  [400, "MODEL_REJECTED"],
  [401, "MODEL_REJECTED"],
  [403, "MODEL_REJECTED"],
  [404, "MODEL_REJECTED"],
  [408, "busy"],
  [409, "busy"],
  [413, "MODEL_REJECTED"],
  [415, "MODEL_REJECTED"],
  [422, "MODEL_REJECTED"],
  [429, "busy"],
  [500, "MODEL_UNAVAILABLE"],
  [502, "MODEL_UNAVAILABLE"],
  [503, "busy"],
  [504, "MODEL_UNAVAILABLE"],
  [507, "MODEL_UNAVAILABLE"],
  [999, "MODEL_ANSWER_INVALID"],
])("%i means %s", (status, meaning) => {
  const verdict = verdictOn(status);
  expect(verdict.kind === "failed" ? verdict.code : verdict.kind).toBe(meaning);
});

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

test.each([
  ["2", 2000],
  ["0", 0],
  ["1000000000", 1e12],
  ["Fri, 02 Jan 2026 03:04:15 GMT", 10_000],
  ["Fri, 02 Jan 2026 03:04:00 GMT", 0],
  ["-1", undefined],
  ["1.5", undefined],
  ["soon", undefined],
  ["Fri, soon", undefined],
  ["", undefined],
  [undefined, undefined],
])("Retry-After %s is %s ms", (value, wait) => {
  expect(retryAfterMs(value, NOW)).toBe(wait);
});

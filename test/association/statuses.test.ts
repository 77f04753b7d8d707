import { expect, test } from "vitest";
import { outcomeOf } from "../../src/association/statuses.ts";

test.each([0x0000, 0xb000, 0xb006, 0xb007, 0xbfff, 0x0111])(
  "%i means the peer has the instance",
  (status) => {
    expect(outcomeOf(status)).toBe("delivered");
  },
);

test.each([0xa700, 0xa702, 0xa7ff, 0x0110])("%i means the peer may take the instance later", (status) => {
  expect(outcomeOf(status)).toBe("retry");
});

test.each([
  0xa900, 0xa6ff, 0xa800, 0xc000, 0xc123, 0x0112, 0x0117, 0x0122, 0x0124, 0x0210, 0x0211, 0x0212, 0xfe00,
  0xff00, 0x0001,
])("%i means the peer will never take the instance", (status) => {
  expect(outcomeOf(status)).toBe("refused");
});

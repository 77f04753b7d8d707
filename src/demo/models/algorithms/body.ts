/** What is air, and which air is around the body and which inside it. Pure. */
import type { Scan } from "../scan.ts";
import { componentsOf } from "./components.ts";
import type { Scale } from "./grey.ts";

const AIR_BELOW_HU = -450;

/** 0 body, 1 air inside, 2 air around. */
export type Air = Uint8Array;
export const BODY = 0;
export const INSIDE = 1;
export const AROUND = 2;

/**
 * Air that reaches the edge of an axial slice is around the body. Slice by slice, because the airway does lead
 * outside: through the nose and at the lower end of the volume.
 */
export function airOf({ size, values }: Pick<Scan, "size" | "values">, scale: Scale): Air {
  const below = scale.kind === "hounsfield" ? AIR_BELOW_HU : scale.dark;
  const air = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) if (values[at]! < below) air[at] = INSIDE;
  const [columns, rows] = size;
  componentsOf(air, size, "slice").paint(air, ({ from, to }) =>
    from[0] === 0 || from[1] === 0 || to[0] === columns - 1 || to[1] === rows - 1 ? AROUND : undefined,
  );
  return air;
}

/** What is air, and which air is around the body and which inside it. Pure. */
import type { Scan } from "../scan.ts";
import { componentsOf } from "./components.ts";
import type { Scale } from "./grey.ts";

const AIR_BELOW_HU = -450;

/** Air inside the body. */
export const INSIDE = 1;
const AROUND = 2;

/**
 * Air that reaches the edge of an axial slice is around the body. Slice by slice, because the airway does lead
 * outside: through the nose and at the lower end of the volume.
 *
 * @returns INSIDE, another number for air around the body, 0 for what is no air
 */
export function airOf({ size, values }: Pick<Scan, "size" | "values">, scale: Scale): Uint8Array {
  const below = scale.kind === "hounsfield" ? AIR_BELOW_HU : scale.dark;
  const air = new Uint8Array(values.length);
  for (let at = 0; at < values.length; at++) if (values[at]! < below) air[at] = INSIDE;
  const [columns, rows] = size;
  componentsOf(air, size, "slice").paint(air, ({ from, to }) =>
    from[0] === 0 || from[1] === 0 || to[0] === columns - 1 || to[1] === rows - 1 ? AROUND : undefined,
  );
  return air;
}

/**
 * Where one tooth ends and the next begins: the borders along the arch that cut the least enamel and leave teeth
 * of about the usual widths. Pure; by dynamic programming.
 */

/** How much enamel stands at each place along the arch. */
export interface Profile {
  readonly amounts: Float64Array;
  /** mm per place; and which place is the midline of the arch. */
  readonly step: number;
  readonly zero: number;
}

/** From one border to the other, places of the profile. */
export interface ToothPlace {
  readonly side: "right" | "left";
  /** 1, the central incisor, to 8, the third molar. */
  readonly position: number;
  readonly from: number;
  readonly to: number;
}

/** Mesiodistal widths from central incisor to third molar, mm (Wheeler's Dental Anatomy). */
export const UPPER_WIDTHS = [8.5, 6.5, 7.5, 7, 7, 10, 9, 8.5] as const;
export const LOWER_WIDTHS = [5, 5.5, 7, 7, 7, 11, 10.5, 10] as const;

/** As part of the usual width. */
const SPREAD = 0.11;
const SIZES = [0.88, 0.92, 0.96, 1, 1.04, 1.08, 1.12];
/** mm from the middle of the arch to the border between the central incisors. */
const MIDLINE_REACH = 4;
const FEWEST = 5;

export function toothPlaces(profile: Profile, widths: readonly number[]): readonly ToothPlace[] {
  const cuts = cutCosts(profile);
  const present = [...cuts.keys()].filter((at) => cuts[at]! > 0.15);
  const ends = [present[0] ?? profile.zero, present.at(-1) ?? profile.zero] as const;
  let best: { readonly cost: number; readonly places: readonly ToothPlace[] } = {
    cost: Number.POSITIVE_INFINITY,
    places: [],
  };
  const reach = Math.round(MIDLINE_REACH / profile.step);
  for (let middle = profile.zero - reach; middle <= profile.zero + reach; middle++) {
    for (const size of SIZES) {
      const sized = widths.map((width) => (width * size) / profile.step);
      const right = bestRow(cuts, sized, { middle, end: ends[0] });
      const left = bestRow(cuts, sized, { middle, end: ends[1] });
      const off = Math.abs(middle - profile.zero) * profile.step;
      const cost = right.cost + left.cost + (cuts[middle] ?? 0) + 0.1 * off + 10 * Math.abs(size - 1);
      if (cost < best.cost) {
        best = { cost, places: [...placesOf("right", right.borders), ...placesOf("left", left.borders)] };
      }
    }
  }
  return best.places;
}

/** Enamel at each place as part of the usual amount. */
function cutCosts({ amounts }: Profile): Float64Array {
  const sorted = amounts.filter((amount) => amount > 0).sort();
  const usual = sorted[Math.floor(sorted.length / 2)] ?? 1;
  return amounts.map(
    (amount, at) => ((amounts[at - 1] ?? 0) + amount + (amounts[at + 1] ?? 0)) / (3 * usual),
  );
}

interface Row {
  readonly cost: number;
  /** From the midline outwards. */
  readonly borders: readonly number[];
}

/** The best cut of one side, over all numbers of teeth. */
function bestRow(
  cuts: Float64Array,
  widths: readonly number[],
  { middle, end }: { readonly middle: number; readonly end: number },
): Row {
  const outwards = Math.sign(end - middle);
  const length = Math.abs(end - middle);
  let best: Row = { cost: Number.POSITIVE_INFINITY, borders: [] };
  let costs = new Float64Array(length + 1).fill(Number.POSITIVE_INFINITY);
  costs[0] = 0;
  const steps: Int32Array[] = [];
  widths.forEach((width, tooth) => {
    const next = new Float64Array(length + 1).fill(Number.POSITIVE_INFINITY);
    const from = new Int32Array(length + 1);
    const deviation = width * SPREAD;
    for (let at = 1; at <= length; at++) {
      const cut = at === length ? 0 : (cuts[middle + outwards * at] ?? 0);
      const nearest = Math.max(0, Math.round(at - width * 1.4));
      for (let before = nearest; before < at - width * 0.6; before++) {
        const cost = costs[before]! + cut + ((at - before - width) / deviation) ** 2 / 2;
        if (cost < next[at]!) {
          next[at] = cost;
          from[at] = before;
        }
      }
    }
    steps.push(from);
    costs = next;
    if (tooth + 1 >= FEWEST && costs[length]! < best.cost) {
      best = { cost: costs[length]!, borders: traced(steps, length).map((at) => middle + outwards * at) };
    }
  });
  return best;
}

function traced(steps: readonly Int32Array[], end: number): number[] {
  const borders = [end];
  for (const step of steps.toReversed()) borders.unshift(step[borders[0]!]!);
  return borders;
}

function placesOf(side: ToothPlace["side"], borders: readonly number[]): readonly ToothPlace[] {
  return borders.slice(1).map((to, index) => {
    const from = borders[index]!;
    return { side, position: index + 1, from: Math.min(from, to), to: Math.max(from, to) };
  });
}

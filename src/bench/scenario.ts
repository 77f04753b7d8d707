/**
 * What is measured: which models, how long each takes, how many run at once; and how fast it could be at best.
 *
 * Pure. The bounds are arithmetic on the models' own times: what is above them is ours.
 */

export interface BenchModel {
  readonly name: string;
  /** From the last byte of the request to the first of the answer. */
  readonly serviceMs: number;
  /** Name of a model whose finding this one is cropped around. */
  readonly needs?: string;
}

export interface Scenario {
  readonly name: string;
  readonly models: readonly BenchModel[];
  /** How many inferences at once. */
  readonly slots: number;
}

export interface Bounds {
  readonly sumMs: number;
  /** No schedule is shorter: the longest chain, and all the work over all the slots. */
  readonly lowerMs: number;
  /** The shortest schedule there is, if nothing but the models took time. */
  readonly optimumMs: number;
}

export const SIZE = { columns: 512, rows: 512, slices: 400 } as const;

const FOUR: readonly BenchModel[] = [
  { name: "teeth", serviceMs: 3000 },
  { name: "bone", serviceMs: 2500 },
  { name: "airway", serviceMs: 2000 },
  { name: "sinus", serviceMs: 1500 },
];

const CHAIN: readonly BenchModel[] = [
  { name: "mandible", serviceMs: 1500 },
  { name: "canal", serviceMs: 1500, needs: "mandible" },
  { name: "airway", serviceMs: 2000 },
  { name: "sinus", serviceMs: 1500 },
];

/** @param factor  1 for models of seconds, more for slower ones */
export function scenarios(factor: number): readonly Scenario[] {
  const scaled = (models: readonly BenchModel[]): readonly BenchModel[] =>
    models.map((model) => ({ ...model, serviceMs: model.serviceMs * factor }));
  return [
    { name: "4 models, 4 slots", models: scaled(FOUR), slots: 4 },
    { name: "4 models, 2 slots", models: scaled(FOUR), slots: 2 },
    { name: "a chain and 2 others, 4 slots", models: scaled(CHAIN), slots: 4 },
  ];
}

export function boundsOf({ models, slots }: Scenario): Bounds {
  const sumMs = models.reduce((sum, { serviceMs }) => sum + serviceMs, 0);
  const lowerMs = Math.max(...models.map((model) => chainMs(model, models)), sumMs / slots);
  return { sumMs, lowerMs, optimumMs: optimum(models, slots) };
}

function chainMs({ serviceMs, needs }: BenchModel, models: readonly BenchModel[]): number {
  const needed = models.find(({ name }) => name === needs);
  return serviceMs + (needed ? chainMs(needed, models) : 0);
}

/** By trying every order: each model goes to the slot that is free first. */
function optimum(models: readonly BenchModel[], slots: number): number {
  let best = Infinity;
  const place = (free: readonly number[], ends: ReadonlyMap<string, number>): void => {
    const makespan = Math.max(0, ...ends.values());
    if (makespan >= best) return;
    if (ends.size === models.length) {
      best = makespan;
      return;
    }
    for (const { name, serviceMs, needs } of models) {
      const ready = needs === undefined ? 0 : ends.get(needs);
      if (ends.has(name) || ready === undefined) continue;
      const [first = 0, ...others] = free.toSorted((a, b) => a - b);
      const end = Math.max(first, ready) + serviceMs;
      place([...others, end], new Map(ends).set(name, end));
    }
  };
  place(Array<number>(slots).fill(0), new Map());
  return best;
}

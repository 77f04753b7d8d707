/**
 * What can be done for a series while it still arrives.
 *
 * In:   its instances, one by one, after each is durable; at the end, whether a model is asked about it.
 * Out:  slices on their way into a volume, of series that a model will be asked about.
 *
 * Whether it will be is asked of the rules with the first image alone. A rule that counts images may hold only later,
 * and then nothing was done ahead; that costs time and nothing else.
 */
import { NodeError } from "./base/errors.ts";
import type { DataSet } from "./dicom/data-set.ts";
import { readPart10Header } from "./dicom/part10.ts";
import type { Spool } from "./intake/spool.ts";
import type { InstanceRecord, SeriesId } from "./ledger/records.ts";
import { type CompiledRules, route } from "./routing/rules.ts";
import type { EarlyVolumes } from "./volume/early.ts";

interface Parts {
  readonly rules: CompiledRules;
  readonly spool: Spool;
  readonly early: EarlyVolumes;
}

/** Of a header that is read on the event loop. */
const MOST_ELEMENTS = 150_000;
/** Groups 0042 (documents), 3006 (contours), 5200 (functional groups) and pixels come after it. */
const LAST_BEFORE_DOCUMENTS = 0x0040ffff;

export class WorkAhead {
  readonly #parts: Parts;
  /** Of the series that are on their way. */
  readonly #isWanted = new Map<SeriesId, Promise<boolean>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  add(series: SeriesId, instance: InstanceRecord): void {
    const { spool, early } = this.#parts;
    const isWanted = this.#isWanted.get(series) ?? this.#willBeAssigned(instance);
    this.#isWanted.set(series, isWanted);
    const file = { path: spool.pathOf(instance.id), sopInstanceUid: instance.sopInstanceUid };
    void isWanted.then((yes) => yes && this.#isWanted.get(series) === isWanted && early.add(series, file));
  }

  complete(series: SeriesId, isAssigned: boolean): void {
    this.#isWanted.delete(series);
    if (!isAssigned) this.#parts.early.drop(series);
  }

  /** Cannot reject. */
  async #willBeAssigned(instance: InstanceRecord): Promise<boolean> {
    const { rules, spool } = this.#parts;
    try {
      const dataSet = await readHeader(spool.pathOf(instance.id));
      return route(rules, { dataSet, association: instance, instances: 1 }).kind === "assigned";
    } catch {
      return false; // whoever looks at the complete series says why
    }
  }
}

/** A document may be longer than what is read of a header; what rules ask about stands before it. */
export async function readHeader(path: string): Promise<DataSet> {
  try {
    return (await readPart10Header(path, { mostElements: MOST_ELEMENTS })).dataSet;
  } catch (error) {
    if (!(error instanceof NodeError && error.code === "DATA_SET_INVALID")) throw error;
    return (await readPart10Header(path, { last: LAST_BEFORE_DOCUMENTS, mostElements: MOST_ELEMENTS }))
      .dataSet;
  }
}

/**
 * What the rows of a series say about its being complete. Pure.
 *
 * Time in which the node was down is no quiet: nobody could send. Waiting begins when it is back.
 */
import type { InstanceRecord, SeriesRecord } from "../ledger/records.ts";
import type { Evidence } from "./assembly.ts";

export function evidenceOf(
  series: SeriesRecord,
  instances: readonly InstanceRecord[],
  now: {
    readonly sending: number;
    readonly releasedAt?: number;
    readonly stack: Evidence["stack"];
    /** When the node began to listen, epoch ms. */
    readonly upSince: number;
  },
): Evidence {
  const { upSince, ...rest } = now;
  const announcedInSeries = largest(instances.map(({ facts }) => facts.announcedInSeries));
  const announcedInAcquisition = largest(instances.map(({ facts }) => facts.announcedInAcquisition));
  return {
    instances: series.instances,
    openedAt: Math.max(series.openedAt, upSince),
    lastAt: Math.max(series.lastAt, upSince),
    ...rest,
    ...(announcedInSeries !== undefined && { announcedInSeries }),
    ...(announcedInAcquisition !== undefined && { announcedInAcquisition }),
  };
}

function largest(counts: readonly (number | undefined)[]): number | undefined {
  const known = counts.filter((count) => count !== undefined);
  return known.length > 0 ? known.reduce((most, count) => Math.max(most, count)) : undefined;
}

/** What the rows of a series say about its being complete. Pure. */
import type { InstanceRecord, SeriesRecord } from "../ledger/records.ts";
import type { Evidence } from "./assembly.ts";

export function evidenceOf(
  series: SeriesRecord,
  instances: readonly InstanceRecord[],
  now: { readonly sending: number; readonly releasedAt?: number; readonly stack: Evidence["stack"] },
): Evidence {
  const announcedInSeries = largest(instances.map(({ facts }) => facts.announcedInSeries));
  const announcedInAcquisition = largest(instances.map(({ facts }) => facts.announcedInAcquisition));
  return {
    instances: series.instances,
    openedAt: series.openedAt,
    lastAt: series.lastAt,
    ...now,
    ...(announcedInSeries !== undefined && { announcedInSeries }),
    ...(announcedInAcquisition !== undefined && { announcedInAcquisition }),
  };
}

function largest(counts: readonly (number | undefined)[]): number | undefined {
  const known = counts.filter((count) => count !== undefined);
  return known.length > 0 ? known.reduce((most, count) => Math.max(most, count)) : undefined;
}

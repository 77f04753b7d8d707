/**
 * The time of a result, in the words of a data set. Pure: the machine's own time zone is never asked.
 *
 * (0008,0201) Timezone Offset From UTC speaks for every date and time in the object, the copied Study Time too
 * (PS3.3 C.12.1.1.8). So the source's own offset is repeated and the result's time expressed in it. Where the
 * source states none, none is invented: "+0000" would move the study by hours for every reader. Content Time then
 * holds UTC, and the date-time of the contributing equipment states the moment with its offset.
 */
import { type DataSet, stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";

export interface Moment {
  /** DA */
  readonly date: string;
  /** TM, to the millisecond */
  readonly time: string;
  /** DT with its offset: right whatever the object says elsewhere */
  readonly dateTime: string;
  /** (0008,0201), if the source has it */
  readonly offset?: string;
}

/** @param at  ms since 1970 */
export function momentOf(at: number, header: DataSet): Moment {
  const stated = stringOf(header, tagOf("TimezoneOffsetFromUTC"));
  const parts = /^([+-])(\d{2})(\d{2})$/.exec(stated ?? "");
  const minutes = parts ? Number(`${parts[1]}1`) * (Number(parts[2]) * 60 + Number(parts[3])) : 0;
  const [date = "", time = ""] = new Date(at + minutes * 60_000)
    .toISOString()
    .replace(/[-:Z]/g, "")
    .split("T");
  const dateTime = `${date}${time}${parts ? parts[0] : "+0000"}`;
  return { date, time, dateTime, ...(parts ? { offset: parts[0] } : {}) };
}

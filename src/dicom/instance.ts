/**
 * What the node needs to know of one instance before any pixel is read: who it is and where it lies. Pure.
 *
 * Read once, when it arrives. Numbers that are missing or broken are left out, never guessed; a value that is longer
 * than any of these can be is not looked at.
 */
import { createHash } from "node:crypto";
import {
  type DataSet,
  type Element,
  numberOf,
  numbersOf,
  stringOf,
  stringsOf,
  type Tag,
} from "./data-set.ts";
import { tagOf } from "./dictionary.ts";
import {
  type InstanceUid,
  parseUid,
  type SeriesUid,
  type SopClassUid,
  type StudyUid,
  type Uid,
} from "./uid.ts";

export interface Instance {
  readonly studyUid: StudyUid;
  readonly seriesUid: SeriesUid;
  readonly sopInstanceUid: InstanceUid;
  readonly sopClassUid: SopClassUid;
  readonly facts: InstanceFacts;
}

/** Evidence for assembly; kept as JSON. */
export interface InstanceFacts {
  /** Digest of (0010,0020) Patient ID, then that of its issuer if there is one: enough to see that two differ. */
  readonly patient?: string;
  readonly modality?: string;
  /** (0020,0037), six direction cosines. */
  readonly orientation?: readonly number[];
  /** (0020,0032), mm, LPS. */
  readonly position?: readonly number[];
  readonly frames: number;
  /** (0020,1209) Number of Series Related Instances. */
  readonly announcedInSeries?: number;
  /** (0020,1002) Images in Acquisition. */
  readonly announcedInAcquisition?: number;
}

export type Read =
  | { readonly kind: "instance"; readonly instance: Instance }
  | { readonly kind: "incomplete"; readonly missing: string };

const TAG = {
  studyUid: tagOf("StudyInstanceUID"),
  seriesUid: tagOf("SeriesInstanceUID"),
  sopInstanceUid: tagOf("SOPInstanceUID"),
  sopClassUid: tagOf("SOPClassUID"),
  modality: tagOf("Modality"),
  patientId: tagOf("PatientID"),
  issuer: tagOf("IssuerOfPatientID"),
  orientation: tagOf("ImageOrientationPatient"),
  position: tagOf("ImagePositionPatient"),
  frames: tagOf("NumberOfFrames"),
  announcedInSeries: tagOf("NumberOfSeriesRelatedInstances"),
  announcedInAcquisition: tagOf("ImagesInAcquisition"),
};

/** Nothing above this tag is looked at. */
export const LAST_INSTANCE_TAG: Tag = Math.max(...Object.values(TAG));

const LONGEST_VALUE_BYTES = 1024;

/** The four UIDs of PS3.3 C.12.1 and C.7 are type 1: without one of them an object has no place. */
export function readInstance(whole: DataSet): Read {
  const dataSet = excerptOf(whole);
  const studyUid = uidOf<StudyUid>(dataSet, TAG.studyUid);
  const seriesUid = uidOf<SeriesUid>(dataSet, TAG.seriesUid);
  const sopInstanceUid = uidOf<InstanceUid>(dataSet, TAG.sopInstanceUid);
  const sopClassUid = uidOf<SopClassUid>(dataSet, TAG.sopClassUid);
  if (!sopClassUid) return { kind: "incomplete", missing: "SOPClassUID" };
  if (!sopInstanceUid) return { kind: "incomplete", missing: "SOPInstanceUID" };
  if (!studyUid) return { kind: "incomplete", missing: "StudyInstanceUID" };
  if (!seriesUid) return { kind: "incomplete", missing: "SeriesInstanceUID" };
  const facts = factsOf(dataSet);
  return { kind: "instance", instance: { studyUid, seriesUid, sopInstanceUid, sopClassUid, facts } };
}

/** Two UIDs are none: which of them a reader takes would be chance. */
function uidOf<Kind extends Uid>(dataSet: DataSet, tag: Tag): Kind | undefined {
  const [value, ...more] = stringsOf(dataSet, tag);
  return more.length === 0 ? parseUid<Kind>(value) : undefined;
}

function excerptOf({ characterSet, elements }: DataSet): DataSet {
  const excerpt = new Map<Tag, Element>();
  for (const tag of Object.values(TAG)) {
    const element = elements.get(tag);
    if (element && "bytes" in element && element.bytes.length <= LONGEST_VALUE_BYTES)
      excerpt.set(tag, element);
  }
  return { characterSet, elements: excerpt };
}

function factsOf(dataSet: DataSet): InstanceFacts {
  const patient = patientOf(dataSet);
  const modality = stringOf(dataSet, TAG.modality);
  const orientation = vector(dataSet, TAG.orientation, 6);
  const position = vector(dataSet, TAG.position, 3);
  const announcedInSeries = count(dataSet, TAG.announcedInSeries);
  const announcedInAcquisition = count(dataSet, TAG.announcedInAcquisition);
  return {
    frames: count(dataSet, TAG.frames) ?? 1,
    ...(patient !== undefined && { patient }),
    ...(modality !== undefined && { modality }),
    ...(orientation && { orientation }),
    ...(position && { position }),
    ...(announcedInSeries !== undefined && { announcedInSeries }),
    ...(announcedInAcquisition !== undefined && { announcedInAcquisition }),
  };
}

function patientOf(dataSet: DataSet): string | undefined {
  const id = stringOf(dataSet, TAG.patientId);
  const issuer = stringOf(dataSet, TAG.issuer);
  if (id === undefined) return undefined;
  return issuer === undefined ? digest(id) : `${digest(id)} ${digest(issuer)}`;
}

/** An issuer that only one of them names tells nothing. */
export function areSamePatient(one: string, other: string): boolean {
  const [id, issuer] = one.split(" ");
  const [otherId, otherIssuer] = other.split(" ");
  return id === otherId && (issuer === undefined || otherIssuer === undefined || issuer === otherIssuer);
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function vector(dataSet: DataSet, tag: number, length: number): readonly number[] | undefined {
  const values = numbersOf(dataSet, tag);
  return values.length === length && values.every(Number.isFinite) ? values : undefined;
}

function count(dataSet: DataSet, tag: number): number | undefined {
  const value = numberOf(dataSet, tag);
  return value !== undefined && Number.isInteger(value) && value > 0 ? value : undefined;
}

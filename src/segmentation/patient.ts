/**
 * What a result repeats from its source: patient, study and clinical trial, whole. Pure.
 *
 * In:   the header of one instance of the source series.
 * Out:  elements in UTF-8, no private ones, type 2 attributes present even if the source lacks them.
 *
 * Group 0010 is taken as it is: all of it describes the patient or the patient at the time of the study, and new
 * attributes of the standard come along. A value the source got wrong is repeated as it stands: archives join
 * objects by these attributes, and mending one would file the result under another patient.
 */
import { toUtf8 } from "../dicom/build.ts";
import type { DataSet, Element, Tag } from "../dicom/data-set.ts";
import { tagOf, vrOf } from "../dicom/dictionary.ts";

/** The attributes of PS3.3 C.7.1.1, C.7.2.1 and C.7.2.2 outside group 0010. */
const STUDY = [
  "StudyInstanceUID",
  "StudyDate",
  "StudyTime",
  "AccessionNumber",
  "IssuerOfAccessionNumberSequence",
  "ReferringPhysicianName",
  "ReferringPhysicianIdentificationSequence",
  "ConsultingPhysicianName",
  "ConsultingPhysicianIdentificationSequence",
  "StudyID",
  "StudyDescription",
  "PhysiciansOfRecord",
  "PhysiciansOfRecordIdentificationSequence",
  "NameOfPhysiciansReadingStudy",
  "PhysiciansReadingStudyIdentificationSequence",
  "RequestingService",
  "RequestingServiceCodeSequence",
  "ReferencedStudySequence",
  "ReferencedPatientSequence",
  "ProcedureCodeSequence",
  "ReasonForPerformedProcedureCodeSequence",
  "AdmittingDiagnosesDescription",
  "AdmittingDiagnosesCodeSequence",
  "AdmissionID",
  "IssuerOfAdmissionIDSequence",
  "ServiceEpisodeID",
  "ServiceEpisodeDescription",
  "IssuerOfServiceEpisodeIDSequence",
  "PatientState",
  "ReasonForVisit",
  "ReasonForVisitCodeSequence",
];

/** Of the clinical trial the subject and the study (C.7.1.3, C.7.2.3), not the series: ours is another one. */
const TRIAL_SERIES = [
  "ClinicalTrialCoordinatingCenterName",
  "ClinicalTrialSeriesID",
  "ClinicalTrialSeriesDescription",
];

/** Type 2 in Patient and General Study. */
export const MAY_BE_EMPTY: readonly Tag[] = [
  "PatientName",
  "PatientID",
  "PatientBirthDate",
  "PatientSex",
  "StudyDate",
  "StudyTime",
  "ReferringPhysicianName",
  "StudyID",
  "AccessionNumber",
].map(tagOf);

const studyTags = new Set(STUDY.map(tagOf));
const trialSeriesTags = new Set(TRIAL_SERIES.map(tagOf));

/** By tag, in no order. */
export function patientAndStudy(header: DataSet): ReadonlyMap<Tag, Element> {
  const chosen = new Map([...header.elements].filter(([tag]) => isOfPatientOrStudy(tag)));
  const copied = new Map(toUtf8(withoutPrivate({ ...header, elements: chosen })).elements);
  for (const tag of MAY_BE_EMPTY)
    if (!copied.has(tag)) copied.set(tag, { vr: vrOf(tag) ?? "UN", bytes: new Uint8Array(0) });
  return copied;
}

export function isOfPatientOrStudy(tag: Tag): boolean {
  const group = tag >>> 16;
  return group === 0x0010 || (group === 0x0012 && !trialSeriesTags.has(tag)) || studyTags.has(tag);
}

/** Private elements mean something only beside their creator; groups of odd number, sequences included. */
function withoutPrivate(dataSet: DataSet): DataSet {
  const elements = new Map<Tag, Element>();
  for (const [tag, element] of dataSet.elements) {
    if ((tag >>> 16) % 2 === 1) continue;
    elements.set(tag, "items" in element ? { vr: "SQ", items: element.items.map(withoutPrivate) } : element);
  }
  return { ...dataSet, elements };
}

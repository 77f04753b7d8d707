/** What each segment is: the items of (0062,0002) Segment Sequence, PS3.3 C.8.20.4. Pure. */
import type { KeywordRecord } from "../dicom/build.ts";
import { CODE, codeItem } from "./codes.ts";
import { paletteColour, storedLab } from "./colour.ts";
import { trackingUid } from "./identity.ts";
import type { SegInput } from "./input.ts";
import type { Plan } from "./plan.ts";
import { longString, segmentLabels } from "./text.ts";

/**
 * One item per segment, in the order of their numbers.
 *
 * Labels are made unique among all that the model defines, not those of one day: a thing keeps its tracking UID.
 */
export function segmentItems(plan: Plan, input: SegInput): readonly KeywordRecord[] {
  const { segments, model } = input;
  const labels = segmentLabels(
    new Map([...segments].sort(([a], [b]) => a - b).map(([value, { label }]) => [value, label])),
  );
  const items = Array.from(plan.numbers, ([value, number]): KeywordRecord => {
    const { category, type, modifier, anatomy, anatomyModifier, color, trackingId } = segments.get(value)!;
    const label = labels.get(value)!;
    return {
      SegmentNumber: number,
      SegmentLabel: label,
      SegmentDescription: plan.form === "labelmap" ? undefined : `Label value ${value} of the model`,
      ...algorithm(model),
      AnatomicRegionSequence: anatomy && [
        {
          ...codeItem(anatomy),
          AnatomicRegionModifierSequence: anatomyModifier && [codeItem(anatomyModifier)],
        },
      ],
      SegmentedPropertyCategoryCodeSequence: [codeItem(category)],
      SegmentedPropertyTypeCodeSequence: [
        {
          ...codeItem(type),
          SegmentedPropertyTypeModifierCodeSequence: modifier && [codeItem(modifier)],
        },
      ],
      RecommendedDisplayCIELabValue: storedLab(color ?? paletteColour(value)),
      TrackingID: trackingId ?? `${longString(model.name)}: ${label}`,
      TrackingUID: trackingUid(input, trackingId ?? label),
    };
  });
  return plan.form === "labelmap" ? [background(model), ...items] : items;
}

function algorithm(model: SegInput["model"]): KeywordRecord {
  return {
    SegmentAlgorithmType: "AUTOMATIC",
    SegmentAlgorithmName: longString(model.name),
    SegmentationAlgorithmIdentificationSequence: [
      {
        AlgorithmFamilyCodeSequence: [codeItem(CODE.ARTIFICIAL_INTELLIGENCE)],
        AlgorithmName: longString(model.name),
        AlgorithmVersion: longString(model.version),
      },
    ],
  };
}

/** Every value of a label map has its item, that of the pixels outside all segments too (C.8.20.2.3). */
function background(model: SegInput["model"]): KeywordRecord {
  return {
    SegmentNumber: 0,
    SegmentLabel: "Background",
    ...algorithm(model),
    SegmentedPropertyCategoryCodeSequence: [codeItem(BACKGROUND)],
    SegmentedPropertyTypeCodeSequence: [codeItem(BACKGROUND)],
  };
}

const BACKGROUND = { scheme: "DCM", value: "125040", meaning: "Background" } as const;

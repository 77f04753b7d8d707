/** What each segment is: the items of (0062,0002) Segment Sequence, PS3.3 C.8.20.4. Pure. */
import type { KeywordRecord } from "../dicom/build.ts";
import { CODE, codeItem } from "./codes.ts";
import { paletteColour, storedLab } from "./colour.ts";
import { trackingUid } from "./identity.ts";
import type { SegInput } from "./input.ts";
import { longString, segmentLabels } from "./text.ts";

/**
 * @param values  the label values present, ascending; they are numbered from 1 in this order
 */
export function segmentItems(values: readonly number[], input: SegInput): readonly KeywordRecord[] {
  const { segments, model } = input;
  const labels = segmentLabels(new Map(values.map((value) => [value, segments.get(value)!.label])));
  return values.map((value, at) => {
    const { category, type, modifier, anatomy, anatomyModifier, color, trackingId } = segments.get(value)!;
    const label = labels.get(value)!;
    return {
      SegmentNumber: at + 1,
      SegmentLabel: label,
      SegmentAlgorithmType: "AUTOMATIC",
      SegmentAlgorithmName: longString(model.name),
      SegmentationAlgorithmIdentificationSequence: [
        {
          AlgorithmFamilyCodeSequence: [codeItem(CODE.ARTIFICIAL_INTELLIGENCE)],
          AlgorithmName: longString(model.name),
          AlgorithmVersion: longString(model.version),
        },
      ],
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
}

/** What one label value of a model means: one entry under `segments` of a model in the config. */

/** PS3.3 8.8, Code Sequence macro. */
export interface Code {
  readonly value: string;
  /** Empty: the value is a URN or URL. */
  readonly scheme: string;
  readonly meaning: string;
}

export interface SegmentDefinition {
  /** (0062,0005) Segment Label. */
  readonly label: string;
  /** (0062,0003) Segmented Property Category Code, CID 7150. */
  readonly category: Code;
  /** (0062,000F) Segmented Property Type Code, CID 7151. */
  readonly type: Code;
  /** Modifier of the type, such as the laterality (CID 244). */
  readonly modifier?: Code;
  /** Anatomic region, where the type is a finding. */
  readonly anatomy?: Code;
  /** Of the anatomic region, such as its laterality. */
  readonly anatomyModifier?: Code;
  /** 0 to 255 each. */
  readonly color?: readonly [red: number, green: number, blue: number];
  /** (0062,0020) Tracking ID; without it, of model and label. */
  readonly trackingId?: string;
}

/** By label value, from 1. */
export type Segments = ReadonlyMap<number, SegmentDefinition>;

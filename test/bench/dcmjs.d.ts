/** dcmjs ships no types; this is the part of it that the benchmark derives a segmentation with. */
declare module "dcmjs" {
  type Natural = Record<string, unknown>;
  export const data: {
    readonly DicomMessage: {
      readFile(bytes: ArrayBuffer): { readonly dict: Natural; readonly meta: Natural };
    };
    readonly DicomDict: new (
      meta: Natural,
    ) => { dict: Natural; write(options: { readonly fragmentMultiframe: boolean }): ArrayBuffer };
    readonly DicomMetaDictionary: {
      naturalizeDataset(dict: Natural): Natural;
      denaturalizeDataset(dataset: Natural): Natural;
    };
  };
  export const normalizers: {
    readonly Normalizer: { normalizeToDataset(datasets: readonly Natural[]): Natural };
  };
  export const derivations: {
    readonly Segmentation: new (
      datasets: readonly Natural[],
      options: { readonly includeSliceSpacing: boolean },
    ) => {
      readonly dataset: Natural;
      setNumberOfFrames(frames: number): void;
      addSegmentFromLabelmap(
        segment: Natural,
        slices: readonly Uint8Array[],
        value: number,
        frameNumbers: readonly number[],
      ): void;
      bitPackPixelData(): void;
    };
  };
  export const log: { setLevel(level: string): void };
}

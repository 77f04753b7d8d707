/** The @cornerstonejs codecs ship no types; the files that use them say what they expect. */
declare module "@cornerstonejs/codec-charls/decodewasmjs" {
  const load: (options: object) => Promise<unknown>;
  export = load;
}
declare module "@cornerstonejs/codec-openjpeg/decodewasmjs" {
  const load: (options: object) => Promise<unknown>;
  export = load;
}
declare module "@cornerstonejs/codec-openjph/wasmjs" {
  const load: (options: object) => Promise<unknown>;
  export = load;
}

/** JPEG 2000, lossless and lossy (PS3.5 8.2.4, A.4.4), by OpenJPEG. */
import load from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import { cornerstoneCodec } from "./wasm.ts";

/** @throws NodeError PIXELS_UNDECODABLE */
export const decodeJpeg2000 = cornerstoneCodec("JPEG 2000", load, "J2KDecoder");

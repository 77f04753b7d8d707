/** High-Throughput JPEG 2000 (PS3.5 8.2.14, A.4.11), by OpenJPH. */
import load from "@cornerstonejs/codec-openjph/wasmjs";
import { cornerstoneCodec } from "./wasm.ts";

/** @throws NodeError PIXELS_UNDECODABLE */
export const decodeHtj2k = cornerstoneCodec("HTJ2K", load, "HTJ2KDecoder");

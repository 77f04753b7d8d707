/** JPEG-LS, lossless and near-lossless (PS3.5 8.2.3, A.4.3), by CharLS. */
import load from "@cornerstonejs/codec-charls/decodewasmjs";
import { cornerstoneCodec } from "./wasm.ts";

/** @throws NodeError PIXELS_UNDECODABLE */
export const decodeJpegLs = cornerstoneCodec("JPEG-LS", load, "JpegLSDecoder");

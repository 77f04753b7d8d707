/** JPEG 2000, lossless and lossy (PS3.5 8.2.4, A.4.4), by OpenJPEG. */
import loadOpenJpeg from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import { type CornerstoneDecoder, codec, decodeWith, quiet } from "./wasm.ts";

interface OpenJpeg {
  readonly J2KDecoder: new () => CornerstoneDecoder;
}

const openJpeg = codec("JPEG 2000", async () => (await loadOpenJpeg(quiet())) as OpenJpeg);

/** @throws NodeError PIXELS_UNDECODABLE */
export function decodeJpeg2000(frame: Uint8Array): Promise<Uint8Array> {
  return openJpeg(({ J2KDecoder }) => decodeWith(new J2KDecoder(), frame));
}

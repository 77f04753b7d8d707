/** JPEG-LS, lossless and near-lossless (PS3.5 8.2.3, A.4.3), by CharLS. */
import loadCharls from "@cornerstonejs/codec-charls/decodewasmjs";
import { type CornerstoneDecoder, codec, decodeWith, quiet } from "./wasm.ts";

interface Charls {
  readonly JpegLSDecoder: new () => CornerstoneDecoder;
}

const charls = codec("JPEG-LS", async () => (await loadCharls(quiet())) as Charls);

/** @throws NodeError PIXELS_UNDECODABLE */
export function decodeJpegLs(frame: Uint8Array): Promise<Uint8Array> {
  return charls(({ JpegLSDecoder }) => decodeWith(new JpegLSDecoder(), frame));
}

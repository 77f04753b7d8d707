/** High-Throughput JPEG 2000 (PS3.5 8.2.14, A.4.11), by OpenJPH. */
import loadOpenJph from "@cornerstonejs/codec-openjph/wasmjs";
import { type CornerstoneDecoder, codec, decodeWith, quiet } from "./wasm.ts";

interface OpenJph {
  readonly HTJ2KDecoder: new () => CornerstoneDecoder;
}

const openJph = codec("HTJ2K", async () => (await loadOpenJph(quiet())) as OpenJph);

/** @throws NodeError PIXELS_UNDECODABLE */
export function decodeHtj2k(frame: Uint8Array): Promise<Uint8Array> {
  return openJph(({ HTJ2KDecoder }) => decodeWith(new HTJ2KDecoder(), frame));
}

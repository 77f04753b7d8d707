/**
 * JPEG: baseline and extended, 8 and 12 bit, and lossless (PS3.5 8.2.1, A.4.1, A.4.2), by the IJG code that DCMTK
 * uses too.
 *
 * One decoder for all four transfer syntaxes: the JavaScript one for lossless JPEG got single voxels wrong
 * (measured against DCMTK), and libjpeg-turbo does not decode 12 bits.
 */
import type { Codestream } from "../codestream.ts";
import { Complaints, codec } from "./wasm.ts";

/** Imported when first needed: it is large, and most series are not JPEG. Its state is one per thread. */
const ijg = codec("JPEG", async () => {
  const { default: dcmjsCodecs } = await import("dcmjs-codecs");
  const { Context, NativeCodecs, log } = dcmjsCodecs;
  const complaints = new Complaints(/Corrupt JPEG|Premature end/);
  log.info = complaints.hear;
  NativeCodecs.release();
  await NativeCodecs.initializeAsync({ logCodecsInfo: true });
  return { Context, NativeCodecs, complaints };
});

/** @throws NodeError PIXELS_UNDECODABLE */
export function decodeJpeg(frame: Uint8Array, stream: Codestream): Promise<Uint8Array> {
  return ijg(({ Context, NativeCodecs, complaints }) => {
    const context = new Context({
      width: stream.columns,
      height: stream.rows,
      bitsAllocated: stream.precision > 8 ? 16 : 8,
      bitsStored: stream.precision,
      samplesPerPixel: 1,
      pixelRepresentation: 0,
      planarConfiguration: 0,
      photometricInterpretation: "MONOCHROME2",
      encodedBuffer: frame,
    });
    const decoded = NativeCodecs.decodeJpeg(context, { convertColorspaceToRgb: false });
    complaints.throwIfAny();
    return decoded.getDecodedBuffer() ?? new Uint8Array();
  });
}

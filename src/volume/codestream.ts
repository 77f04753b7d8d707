/**
 * Codestream headers: what a compressed frame says about itself.
 *
 * In:   the bytes of one JPEG, JPEG-LS or JPEG 2000 frame.
 * Out:  its size, components and precision; nothing is decoded.
 * Pure; one pass over the markers.
 *
 * Checked before a decoder sees the frame: decoders allocate by these numbers, and some fill a cut frame with
 * grey and say nothing. So a frame must match the DICOM header and must not lack its end marker.
 */
import { NodeError } from "../base/errors.ts";

export interface Codestream {
  readonly coding: "jpeg-dct" | "jpeg-lossless" | "jpeg-ls" | "jpeg-2000";
  readonly columns: number;
  readonly rows: number;
  readonly components: number;
  /** Bits per sample. */
  readonly precision: number;
  readonly signed: boolean;
}

const SOI = 0xffd8;
/** JPEG calls it EOI, JPEG 2000 EOC. */
const END = 0xffd9;
const SOC = 0xff4f;
const SIZ = 0xff51;
const SOT = 0xff90;
/** Its SOT and SOD markers. */
const SHORTEST_TILE_PART = 14;
/** Start of Frame markers by coding: T.81 table B.1, T.87 C.1.1. Hierarchical and arithmetic ones are not DICOM. */
const START_OF_FRAME: Readonly<Record<number, Codestream["coding"]>> = {
  0xffc0: "jpeg-dct",
  0xffc1: "jpeg-dct",
  0xffc3: "jpeg-lossless",
  0xfff7: "jpeg-ls",
};
const START_OF_SCAN = 0xffda;
/** Fragments are padded to even length; some devices pad more. */
const PADDING_LIMIT = 64;

/** @throws NodeError PIXELS_UNDECODABLE */
export function readCodestream(bytes: Uint8Array): Codestream {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const isJpeg2000 = view.getUint16(0) === SOC;
    const codestream = isJpeg2000 ? readSiz(view) : readStartOfFrame(view);
    if (isJpeg2000) checkTileParts(view);
    else checkEnd(view);
    return codestream;
  } catch (error) {
    if (error instanceof RangeError) throw wrong("the frame is cut"); // DataView, past the end
    throw error;
  }
}

/** T.81 B.1.1.4: markers with lengths, until the frame header. */
function readStartOfFrame(view: DataView): Codestream {
  if (view.getUint16(0) !== SOI) throw wrong("no start marker");
  for (let at = 2; ; at += 2 + view.getUint16(at + 2)) {
    while (view.getUint16(at) === 0xffff) at++; // fill bytes, T.81 B.1.1.2
    const marker = view.getUint16(at);
    if (marker < 0xff01 || marker === START_OF_SCAN) throw wrong("no frame header before the scan");
    const coding = START_OF_FRAME[marker];
    if (coding)
      return {
        coding,
        precision: view.getUint8(at + 4),
        rows: view.getUint16(at + 5),
        columns: view.getUint16(at + 7),
        components: view.getUint8(at + 9),
        signed: false,
      };
  }
}

/** T.800 A.5.1: the SIZ marker segment follows SOC at once. */
function readSiz(view: DataView): Codestream {
  if (view.getUint16(2) !== SIZ) throw wrong("no SIZ marker");
  const depth = view.getUint8(42);
  return {
    coding: "jpeg-2000",
    columns: view.getUint32(8) - view.getUint32(16),
    rows: view.getUint32(12) - view.getUint32(20),
    components: view.getUint16(40),
    precision: (depth & 0x7f) + 1,
    signed: (depth & 0x80) !== 0,
  };
}

/** T.800 A.4.2: tile-parts say how long they are and follow each other to EOC; only the last may leave it open. */
function checkTileParts(view: DataView): void {
  let at = 2;
  while (view.getUint16(at) !== SOT) at += 2 + view.getUint16(at + 2);
  while (view.getUint16(at) !== END) {
    const length = view.getUint32(at + 6);
    if (length === 0) return checkEnd(view);
    if (view.getUint16(at) !== SOT || length < SHORTEST_TILE_PART) throw wrong(`no tile-part at ${at}`);
    at += length;
  }
}

/** The last marker, before any padding. */
function checkEnd(view: DataView): void {
  const last = view.byteLength - 2;
  for (let at = last; at > last - PADDING_LIMIT && at >= 0; at--) {
    if (view.getUint16(at) === END) return;
  }
  throw wrong("no end marker: the frame is cut");
}

function wrong(what: string): NodeError {
  return new NodeError("PIXELS_UNDECODABLE", `Codestream: ${what}`);
}

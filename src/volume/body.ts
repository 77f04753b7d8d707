/**
 * The body of a DICOM file: what offsets of Pixel Data count in, without holding it in memory.
 *
 * A file is read piece by piece. Only a data set that is deflated as a whole must be inflated (and is bounded by
 * dicom/part10.ts). Synchronous on purpose: for worker threads only.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { TRANSFER_SYNTAX } from "../dicom/constants.ts";
import { readPart10 } from "../dicom/part10.ts";
import type { TransferSyntaxUid } from "../dicom/uid.ts";
import type { Bytes } from "./encapsulated.ts";

export interface Body extends Bytes, Disposable {
  /** Fills `target` from `offset` on. @returns how many bytes there were */
  readInto(target: Uint8Array, offset: number): number;
}

/** @throws NodeError DATA_SET_INVALID; what the file system throws */
export function openBody(path: string, transferSyntaxUid: TransferSyntaxUid): Body {
  return transferSyntaxUid === TRANSFER_SYNTAX.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
    ? inMemory(readPart10(readFileSync(path)).body)
    : inFile(path);
}

function inFile(path: string): Body {
  const file = openSync(path, "r");
  const readInto = (target: Uint8Array, offset: number): number =>
    readSync(file, target, 0, target.length, offset);
  return {
    length: fstatSync(file).size,
    readInto,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, readInto(bytes, offset));
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}

function inMemory(bytes: Uint8Array): Body {
  return {
    length: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
    readInto(target, offset) {
      const part = bytes.subarray(offset, offset + target.length);
      target.set(part);
      return part.length;
    },
    [Symbol.dispose]: () => {},
  };
}

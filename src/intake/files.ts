/** The calls of the file system that the spool makes, as promises over plain descriptors: half the cost of handles. */
import * as fs from "node:fs";
import { promisify } from "node:util";

export const openFile = promisify(fs.open);
export const closeFile = promisify(fs.close);
/** Bytes and length are durable then; what else the system notes of a file is not needed to read it. */
export const flushData = promisify(fs.fdatasync);

/** @returns how many bytes were written: fewer than given is a disk that is full */
export function writeAll(file: number, parts: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.writev(file, parts, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

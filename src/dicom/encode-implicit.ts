/**
 * Data set to bytes: Implicit VR Little Endian, PS3.5 7.1.3, for the messages that go with it everywhere. Pure.
 *
 * Sequences and items have defined lengths; values are padded to even length. Small data sets only: parts are
 * joined at every level.
 */
import type { DataSet, Element } from "./data-set.ts";

export function encodeImplicit({ elements }: DataSet): Buffer {
  const inOrder = [...elements].sort(([a], [b]) => a - b);
  return Buffer.concat(inOrder.map(([tag, element]) => tagged(tag, valueOf(element))));
}

const ITEM = 0xfffee000;

function valueOf(element: Element): Buffer {
  if ("items" in element)
    return Buffer.concat(element.items.map((item) => tagged(ITEM, encodeImplicit(item))));
  const { vr, bytes } = element;
  return bytes.length % 2 === 0
    ? Buffer.from(bytes)
    : Buffer.concat([bytes, Buffer.from([vr === "UI" ? 0 : 0x20])]);
}

function tagged(tag: number, value: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xffff, 2);
  head.writeUInt32LE(value.length, 4);
  return Buffer.concat([head, value]);
}

/**
 * Makes V8 see the memory of a SharedArrayBuffer.
 *
 * V8 counts the bytes behind an ArrayBuffer when it decides whether to collect, but not those behind a shared one:
 * a hundred megabytes of labels look like a few bytes, and stay long after their last use. So each gets an
 * ArrayBuffer of the same size beside it, which is counted; nobody writes to it, so it takes no memory.
 */

/** The one lives as long as the other. */
const shadows = new WeakMap<ArrayBufferLike, ArrayBuffer>();

export function counted<View extends ArrayBufferView>(view: View): View {
  const { buffer, byteLength } = view;
  if (buffer instanceof SharedArrayBuffer && !shadows.has(buffer))
    shadows.set(buffer, new ArrayBuffer(byteLength));
  return view;
}

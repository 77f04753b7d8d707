/** A task that never ends, as some broken frames make of a decoder. */
export function spin(): never {
  for (;;);
}

/** (0008,0005) Specific Character Set, PS3.3 C.12.1.1.2 and PS3.5 6.1. */
export interface CharacterSet {
  readonly terms: readonly string[];
}
export const DEFAULT_CHARACTER_SET: CharacterSet = { terms: [] };
export function decodeText(bytes: Uint8Array, _vr: string, _set: CharacterSet): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/**
 * A volume as a demo model sees it, whatever it came in.
 *
 * These models stand for somebody else's containers. They share no code with the node, so what they read and
 * write is a second opinion on its formats.
 */

export type Vector = readonly [x: number, y: number, z: number];
export type Size = readonly [columns: number, rows: number, slices: number];
export type Values =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** Where voxels lie, in LPS mm: origin, and the step along each index. */
export interface Placement {
  readonly origin: Vector;
  readonly steps: readonly [perColumn: Vector, perRow: Vector, perSlice: Vector];
}

/** As it came: columns fastest, slices slowest. */
export interface Image {
  readonly size: Size;
  readonly placement: Placement;
  readonly values: Values;
}

/** As the algorithms want it: x to the patient's left fastest, then y backwards, then z upwards. */
export interface Scan {
  readonly size: Size;
  /** mm. */
  readonly spacing: Vector;
  readonly values: Int16Array | Float32Array;
}

/** What a client did wrong; the message is for it. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

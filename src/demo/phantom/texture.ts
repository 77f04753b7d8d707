/**
 * Irregularity that is the same every time: smooth value noise for tissue, grain for the detector. Pure.
 */

import { type Canvas, millimetres } from "./canvas.ts";

/** 32 well mixed bits from an integer. */
export function hash(value: number): number {
  let h = Math.imul(value ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Smooth noise in [-1, 1]; neighbouring bumps are `scale` mm apart. */
export function bumps(x: number, y: number, z: number, scale: number): number {
  const fx = x / scale + 1024;
  const fy = y / scale + 1024;
  const fz = z / scale + 1024;
  const ix = Math.floor(fx);
  const iy = Math.floor(fy);
  const iz = Math.floor(fz);
  const [tx, ty, tz] = [ease(fx - ix), ease(fy - iy), ease(fz - iz)];
  const corner = ix + iy * 4099 + iz * 8_388_617;
  const low = plane(corner, tx, ty);
  const high = plane(corner + 8_388_617, tx, ty);
  return low + (high - low) * tz;
}

/** `bumps` over a slice, computed at every fourth pixel and drawn out between: for scales of many pixels. */
export function fieldOf({ columns, rows, spacing, z }: Canvas, scale: number): Float32Array {
  const across = Math.ceil(columns / 4) + 1;
  const down = Math.ceil(rows / 4) + 1;
  const coarse = new Float32Array(across * down);
  for (let at = 0; at < coarse.length; at++) {
    const x = millimetres((at % across) * 4, columns, spacing);
    coarse[at] = bumps(x, millimetres(Math.floor(at / across) * 4, rows, spacing), z, scale);
  }
  const field = new Float32Array(columns * rows);
  for (let row = 0, at = 0; row < rows; row++) {
    const line = (row >> 2) * across;
    const ty = (row & 3) / 4;
    for (let column = 0; column < columns; column++, at++) {
      const from = line + (column >> 2);
      const tx = (column & 3) / 4;
      const near = coarse[from]! + (coarse[from + 1]! - coarse[from]!) * tx;
      const far = coarse[from + across]! + (coarse[from + across + 1]! - coarse[from + across]!) * tx;
      field[at] = near + (far - near) * ty;
    }
  }
  return field;
}

/** A stream of nearly Gaussian numbers of mean 0 and deviation 1, each correlated with the one before. */
export function grain(seed: number): () => number {
  let state = hash(seed) | 1;
  let before = 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    // The sum of four bytes: mean 510, deviation 147.8.
    const sum = (state & 255) + ((state >>> 8) & 255) + ((state >>> 16) & 255) + (state >>> 24);
    const fresh = (sum - 510) / 147.8;
    const value = 0.8 * fresh + 0.6 * before;
    before = fresh;
    return value;
  };
}

function plane(corner: number, tx: number, ty: number): number {
  const a = lattice(corner);
  const b = lattice(corner + 1);
  const c = lattice(corner + 4099);
  const d = lattice(corner + 4100);
  const near = a + (b - a) * tx;
  return near + (c + (d - c) * tx - near) * ty;
}

function lattice(value: number): number {
  return hash(value) / 0x7fffffff - 1;
}

function ease(t: number): number {
  return t * t * (3 - 2 * t);
}

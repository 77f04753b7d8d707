/**
 * Answers that serve again: what a model said about the same voxels of the same study.
 *
 * In:   an answer as it was received, under a key that holds all that it depends on.
 * Out:  the answer, while it is kept.
 *
 * Kept in memory, so nothing of a patient is left behind by a restart; the least recently used goes first. What is
 * kept is the model's own answer, which is decoded and checked again each time, against the segments of today.
 */
import { createHash } from "node:crypto";
import type { Voxels } from "../volume/volume.ts";
import type { Model } from "./model.ts";
import type { PreparedVolume } from "./prepare.ts";
import type { Workload } from "./replicas.ts";

const LIMIT_BYTES = 256 * 1024 ** 2;

export class AnswerCache<Value> {
  /** In order of use, the least recent first; the sum of their bytes is #bytes, at most the limit. */
  readonly #kept = new Map<string, { readonly value: Value; readonly bytes: number }>();
  readonly #limit: number;
  #bytes = 0;

  constructor(limitBytes = LIMIT_BYTES) {
    this.#limit = limitBytes;
  }

  get(key: string): Value | undefined {
    const found = this.#kept.get(key);
    if (!found) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, found);
    return found.value;
  }

  /** One that is larger than all that may be kept is not. */
  put(key: string, value: Value, bytes: number): void {
    this.#drop(key);
    if (bytes > this.#limit) return;
    this.#kept.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#limit) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0;
    this.#kept.delete(key);
  }
}

/**
 * All that an answer depends on: whose voxels, where they lie, which model, and how it is asked.
 *
 * @returns undefined where answers are not kept
 */
export async function answerKey(
  model: Model & Pick<Workload, "cache">,
  { study, volume, digest }: Pick<PreparedVolume, "study" | "volume" | "digest">,
): Promise<string | undefined> {
  if (!model.cache || study === undefined) return undefined;
  const { name, version, url, headers, params, request, transport, response } = model;
  const asked = { name, version, url, headers, params, request, transport, response };
  const parts = [study, await digest(), volume.grid, asked];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Of the bytes as they are in memory. Runs in a worker: a large volume takes a fifth of a second. */
export function digestOf(voxels: Voxels): string {
  const bytes = new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength);
  return `${voxels.constructor.name} ${createHash("sha256").update(bytes).digest("hex")}`;
}

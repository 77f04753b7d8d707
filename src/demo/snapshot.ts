/**
 * What a node shows of its study, taken over its API like by any other client: the story, and slices with the
 * segments drawn over them.
 */
import type { drawn, ganttOf } from "../ops/pages/gantt.ts";
import { pngOf } from "./png.ts";

export type Story = Parameters<typeof ganttOf>[0];
export type Gantt = Parameters<typeof drawn>[0];

type Rgb = readonly [red: number, green: number, blue: number];

interface Picture {
  readonly columns: number;
  readonly rows: number;
  readonly slices: number;
  readonly layers: readonly {
    readonly model: string;
    readonly segments: readonly { readonly number: number; readonly label: string; readonly color: Rgb }[];
  }[];
}

export interface Snapshot {
  readonly story: Story;
  readonly takenAt: number;
}

export interface Overlay {
  /** PNG, from the first slice to the last. */
  readonly images: readonly Uint8Array[];
  readonly segments: readonly { readonly label: string; readonly color: Rgb }[];
}

const IMAGES = 16;
/** Hounsfield units at black and at white: bone is seen, and soft tissue too. */
const WINDOW = { black: -400, white: 1600 } as const;
const OPACITY = 0.5;

/** @returns undefined if the node knows of no study */
export async function snapshotOf(origin: string): Promise<Snapshot | undefined> {
  const { studies } = await json<{ readonly studies: readonly { readonly studyUid: string }[] }>(
    `${origin}/api/v1/studies`,
  );
  const [study] = studies;
  if (!study) return undefined;
  return { story: await json(`${origin}/api/v1/studies/${study.studyUid}`), takenAt: Date.now() };
}

/** Of the series with the most results; undefined if there is none to see. */
export async function overlayOf(origin: string, { summary, series }: Story): Promise<Overlay | undefined> {
  const done = (runs: Story["series"][number]["runs"]): number =>
    runs.filter(({ state }) => state === "done").length;
  const [shown] = series.toSorted((a, b) => done(b.runs) - done(a.runs));
  if (!shown || done(shown.runs) === 0) return undefined;
  const base = `${origin}/api/v1/studies/${summary.studyUid}/series/${shown.seriesUid}/picture`;
  const picture = await json<Picture>(base);
  const images: Uint8Array[] = [];
  const count = Math.min(IMAGES, picture.slices);
  for (let at = 0; at < count; at++) {
    const slice = Math.floor(((at + 0.5) * picture.slices) / count);
    const values = new Int16Array(await bytes(`${base}/${slice}`));
    images.push(painted(picture, values, Buffer.from(await bytes(`${base}/${slice}/masks`))));
  }
  return { images, segments: picture.layers.flatMap(({ segments }) => segments) };
}

function painted({ columns, rows, layers }: Picture, values: Int16Array, masks: Buffer): Uint8Array {
  const pixels = new Uint8ClampedArray(columns * rows * 3);
  const scale = 255 / (WINDOW.white - WINDOW.black);
  for (const [at, value] of values.entries()) pixels.fill((value - WINDOW.black) * scale, 3 * at, 3 * at + 3);
  for (let at = 0; at + 8 <= masks.length; ) {
    const [layer, segment, length] = [
      masks.readUInt16LE(at),
      masks.readUInt16LE(at + 2),
      masks.readUInt32LE(at + 4),
    ];
    const color = layers[layer]?.segments.find(({ number }) => number === segment)?.color ?? [255, 0, 255];
    for (let pixel = 0; pixel < values.length; pixel++) {
      if (!((masks[at + 8 + (pixel >> 3)]! >> (pixel & 7)) & 1)) continue;
      for (const [channel, value] of color.entries())
        pixels[3 * pixel + channel] = pixels[3 * pixel + channel]! * (1 - OPACITY) + value * OPACITY;
    }
    at += 8 + length;
  }
  return pngOf(columns, rows, new Uint8Array(pixels.buffer));
}

async function json<T>(url: string): Promise<T> {
  return (await answered(url)).json() as Promise<T>;
}

async function bytes(url: string): Promise<ArrayBuffer> {
  return (await answered(url)).arrayBuffer();
}

async function answered(url: string): Promise<Response> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status}`);
  return answer;
}

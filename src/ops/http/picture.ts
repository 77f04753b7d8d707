/**
 * What the picture of a study's page is drawn from: raw values and masks, slice by slice.
 *
 *   GET …/picture             what there is, as JSON
 *   GET …/picture/:slice      16 bit values, little endian, rows from the top
 *   GET …/picture/:slice/masks
 *     for each segment there:  layer (16 bit), segment (16 bit), bytes (32 bit), all little endian; one bit a pixel
 *
 * The pictures themselves are patient data: never kept by a browser, and each look is told to the audit trail.
 */
import type { FastifyInstance, FastifyReply } from "fastify";
import type { Log } from "../../base/log.ts";

export interface PictureSource {
  describe(studyUid: string, seriesUid: string): Promise<object | undefined>;
  values(studyUid: string, seriesUid: string, slice: number): Promise<Int16Array | undefined>;
  masks(studyUid: string, seriesUid: string, slice: number): Promise<readonly MaskLike[] | undefined>;
}

interface MaskLike {
  readonly layer: number;
  readonly segment: number;
  readonly bits: Uint8Array;
}

/** A hand on the slider looks at hundreds of slices a minute. */
const LOOKS_PER_MINUTE = 6000;
const BASE = "/api/v1/studies/:uid/series/:series/picture";
const UID = { type: "string", pattern: "^[0-9.]{1,64}$" } as const;
const params = {
  type: "object",
  properties: { uid: UID, series: UID, slice: { type: "integer", minimum: 0, maximum: 100_000 } },
} as const;

interface Params {
  readonly uid: string;
  readonly series: string;
  readonly slice: number;
}

export function servePictures(
  app: FastifyInstance,
  { pictures, log }: { readonly pictures: PictureSource; readonly log: Log },
): void {
  const options = {
    schema: { params },
    config: { rateLimit: { max: LOOKS_PER_MINUTE, timeWindow: "1 minute" } },
  };
  app.get<{ Params: Params }>(BASE, options, async (request, reply) => {
    const { uid, series } = request.params;
    const picture = await pictures.describe(uid, series);
    if (!picture) return missing(reply);
    const user = request.caller?.name ?? "unknown";
    log.info("picture.opened", { studyUid: uid, seriesUid: series, user, peer: request.ip });
    return reply.header("cache-control", "no-store").send(picture);
  });
  app.get<{ Params: Params }>(
    `${BASE}/:slice`,
    options,
    async ({ params: { uid, series, slice } }, reply) => {
      const values = await pictures.values(uid, series, slice);
      return values ? raw(reply, Buffer.from(values.buffer)) : missing(reply);
    },
  );
  app.get<{ Params: Params }>(
    `${BASE}/:slice/masks`,
    options,
    async ({ params: { uid, series, slice } }, reply) => {
      const masks = await pictures.masks(uid, series, slice);
      return masks ? raw(reply, packed(masks)) : missing(reply);
    },
  );
}

function missing(reply: FastifyReply): FastifyReply {
  return reply.code(404).send({ error: "there is nothing to see" });
}

function raw(reply: FastifyReply, body: Buffer): FastifyReply {
  return reply.type("application/octet-stream").header("cache-control", "no-store").send(body);
}

function packed(masks: readonly MaskLike[]): Buffer {
  return Buffer.concat(
    masks.flatMap(({ layer, segment, bits }) => {
      const head = Buffer.alloc(8);
      head.writeUInt16LE(layer, 0);
      head.writeUInt16LE(segment, 2);
      head.writeUInt32LE(bits.length, 4);
      return [head, bits];
    }),
  );
}

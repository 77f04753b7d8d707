/**
 * The four demo models: what each is called, where it answers, and in whose dialect.
 *
 * A dialect turns a request into an image and a label map into a response; everything else is the same (server.ts).
 */
import type { IncomingHttpHeaders } from "node:http";
import { fileIn } from "./multipart.ts";
import { type NiftiImage, readNifti, writeNifti } from "./nifti.ts";
import { writeNrrd } from "./nrrd.ts";
import type { Image } from "./scan.ts";
import { AIRWAY_METADATA, readInferRequest, writeInferResponse } from "./tensor.ts";

export type ModelName = "bone" | "teeth" | "airway" | "softtissue";

export interface Reply {
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What a request asks for: an image, and how its label map is to be answered. */
interface Question {
  readonly image: Image;
  reply(labels: Uint8Array): Reply;
}

export interface DemoModel {
  /** POST here. */
  readonly path: string;
  /** What GET answers with 200, besides /health. */
  readonly documents: Readonly<Record<string, object>>;
  /** @throws BadRequest */
  read(body: Uint8Array, headers: IncomingHttpHeaders): Question;
}

export const MODELS: Readonly<Record<ModelName, DemoModel>> = {
  bone: {
    path: "/predict",
    documents: {},
    read(body, headers) {
      const image = readNifti(fileIn(body, headers["content-type"], "file"));
      return { image, reply: (labels) => niftiReply(image, labels) };
    },
  },
  teeth: {
    path: "/predict",
    documents: {},
    read(body) {
      const image = readNifti(body);
      return { image, reply: (labels) => niftiReply(image, labels) };
    },
  },
  airway: {
    path: "/v2/models/airway/infer",
    documents: {
      "/v2": { name: AIRWAY_METADATA.platform, version: "1", extensions: ["binary_tensor_data"] },
      "/v2/health/live": { live: true },
      "/v2/health/ready": { ready: true },
      "/v2/models/airway": AIRWAY_METADATA,
      "/v2/models/airway/ready": { name: AIRWAY_METADATA.name, ready: true },
    },
    read(body, headers) {
      const length = headers["inference-header-content-length"];
      const image = readInferRequest(body, Array.isArray(length) ? length[0] : length);
      return {
        image,
        reply(labels) {
          const { body, jsonLength } = writeInferResponse(image.size, labels);
          return {
            type: "application/octet-stream",
            headers: { "inference-header-content-length": String(jsonLength) },
            body,
          };
        },
      };
    },
  },
  softtissue: {
    path: "/segment",
    documents: {},
    read(body) {
      const image = readNifti(body);
      return {
        image,
        reply: (labels) => ({ type: "application/octet-stream", body: writeNrrd(image, labels) }),
      };
    },
  },
};

export function isModelName(name: string): name is ModelName {
  return Object.hasOwn(MODELS, name);
}

function niftiReply(image: NiftiImage, labels: Uint8Array): Reply {
  const type = image.gzipped ? "application/gzip" : "application/octet-stream";
  return { type, body: writeNifti(image, labels) };
}

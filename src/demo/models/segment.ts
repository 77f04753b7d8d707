/**
 * One inference, in a thread of its own, so that the server answers health probes meanwhile.
 *
 * In:   a model's name and the bytes and headers of a request, as worker data.
 * Out:  one message: the reply, or what was wrong with the request.
 */
import type { IncomingHttpHeaders } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import { segmentAirway } from "./algorithms/airway.ts";
import { segmentBone } from "./algorithms/bone.ts";
import { segmentSoftTissue } from "./algorithms/soft-tissue.ts";
import { segmentTeeth } from "./algorithms/teeth.ts";
import { MODELS, type ModelName, type Reply } from "./models.ts";
import { upright } from "./orientation.ts";
import { BadRequest, type Scan } from "./scan.ts";

export interface Work {
  readonly model: ModelName;
  readonly body: Uint8Array;
  readonly headers: IncomingHttpHeaders;
}

export type Outcome =
  | { readonly kind: "done"; readonly reply: Reply }
  | { readonly kind: "bad"; readonly status: number; readonly message: string };

const ALGORITHMS: Readonly<Record<ModelName, (scan: Scan) => Uint8Array>> = {
  bone: segmentBone,
  teeth: segmentTeeth,
  airway: segmentAirway,
  softtissue: segmentSoftTissue,
};

function work({ model, body, headers }: Work): Outcome {
  try {
    const question = MODELS[model].read(body, headers);
    const { scan, back } = upright(question.image);
    return { kind: "done", reply: question.reply(back(ALGORITHMS[model](scan))) };
  } catch (error) {
    if (error instanceof BadRequest) return { kind: "bad", status: error.status, message: error.message };
    throw error;
  }
}

parentPort?.postMessage(work(workerData as Work));

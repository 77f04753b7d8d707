/** Encodes the result of identity.test.ts in a process of its own and prints the SHA-256 of the files. */
import { createHash } from "node:crypto";
import { BINARY, encodedAll, LABELMAP, LABELMAP_RLE } from "./encoded.ts";
import { AXIAL, boxes, inputFor, labelMap, stack } from "./series.ts";

const series = stack({ columns: 20, rows: 18, slices: 5, orientation: AXIAL, step: [0, 0, 2] });
const input = inputFor(series, labelMap(series, boxes(series.size, 3)));
const allInstances = process.argv[2] === "reversed" ? input.allInstances.toReversed() : input.allInstances;
const hash = createHash("sha256");
for (const { file } of encodedAll({ ...input, allInstances }, BINARY, LABELMAP, LABELMAP_RLE).objects)
  hash.update(file);
process.stdout.write(hash.digest("hex"));

/**
 * One encoding in a process of its own, printed as JSON: time of each round, peak memory above idle, size of the file.
 *
 * Arguments: big or cbct; ours or dcmjs; for ours the form. Idle is the process with its modules loaded and the
 * source headers made, before the labels are. Memory is what the kernel says (VmHWM), all threads together.
 */
import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Wanted } from "../../src/segmentation/input.ts";
import { encodeToFiles } from "../../src/segmentation/task.ts";
import { inputFor, labelMap, stack, writeSeries } from "../segmentation/series.ts";
import { deriveWithDcmjs } from "./seg-dcmjs.ts";
import { SHAPES } from "./seg-shapes.ts";

const ROUNDS = 5;
const [shapeName = "", by = "", form = "binary", compression = "none"] = process.argv.slice(2);
const shape = SHAPES[shapeName];
if (!shape) throw new Error(`no shape ${shapeName}`);

await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
const series = stack(shape.stack);
const paths = await writeSeries(series, folder.path);
const idleMb = await peakMb();
const map = labelMap(series, shape.label);
const elapsed: number[] = [];
const cpu: number[] = [];
let bytes = 0;
let frames = 0;
if (by === "ours") {
  const { sourceHeader: _, ...input } = inputFor(series, map);
  const wanted = [{ form, compression } as Wanted];
  const job = {
    ...input,
    source: { ...input.source, path: paths[0]! },
    wanted,
    outputPrefix: join(folder.path, "out"),
  };
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    const before = process.cpuUsage();
    const made = await encodeToFiles(job);
    elapsed.push(performance.now() - started);
    cpu.push(cpuMs(before));
    if (made.kind !== "seg") throw new Error(JSON.stringify(made));
    const object = made.objects.find((one) => one.form === form && one.compression === compression);
    bytes = object?.bytes ?? Number.NaN;
    frames = object?.frames ?? Number.NaN;
  }
} else {
  const before = process.cpuUsage();
  const made = await deriveWithDcmjs(paths, map, join(folder.path, "out.dcm"));
  elapsed.push(made.elapsedMs);
  cpu.push(cpuMs(before));
  bytes = (await readFile(join(folder.path, "out.dcm"))).length;
  frames = made.frames;
}
console.log(JSON.stringify({ elapsed, cpu, bytes, frames, aboveIdleMb: (await peakMb()) - idleMb }));

/** Of all threads; where the machine is busy with other things it tells more than the clock. */
function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Linux only. */
async function peakMb(): Promise<number> {
  const status = await readFile("/proc/self/status", "utf8");
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

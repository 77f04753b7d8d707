/**
 * What a model found as DICOM Segmentation (PS3.3 A.51): BINARY, the form that every viewer reads, LABELMAP or
 * FRACTIONAL. Pure.
 *
 * In:   labels on the source's own grid, what they mean, and the header of a source instance.
 * Out:  whole Part 10 files, made while they are read; or that there is nothing to send; or why it may not leave.
 *
 * Every header is made and judged before the first byte of any object is handed out: a result leaves whole or not
 * at all. A segment that the labels do not hold is left out.
 */
import { fromKeywords } from "../dicom/build.ts";
import { TRANSFER_SYNTAX } from "../dicom/constants.ts";
import type { DataSet } from "../dicom/data-set.ts";
import { encodePart10 } from "../dicom/encode.ts";
import { assertConformant } from "./conformance.ts";
import { doLayersMeet, type Lineage } from "./derivation.ts";
import { segmentItems } from "./description.ts";
import { findProbable, type Presence } from "./frames.ts";
import { gate, type Passed } from "./gate.ts";
import { dimensions, perFrameGroups, referencedSeries, sharedGroups } from "./groups.ts";
import { headerOf, sopClassOf } from "./header.ts";
import { type Identity, identitiesOf } from "./identity.ts";
import type { Encoded, EncodedObject, Form, Refused, SegInput, Wanted } from "./input.ts";
import { momentOf } from "./moment.ts";
import { patientAndStudy } from "./patient.ts";
import { pixelStream } from "./pixel-stream.ts";
import { isTooLarge, nativeBytes, type Plan, planObjects } from "./plan.ts";
import { imagesBySlice } from "./plane.ts";
import { describedValues } from "./policy.ts";

/** What every viewer and archive takes, made whatever is wanted: what refuses another form gets it. */
const BINARY: Wanted = { form: "binary", compression: "none" };

/**
 * @param wanted  the ways in which destinations want the result; each makes one object or more, and BINARY and the
 *                native file beside a compressed one are always made; no FRACTIONAL one of labels alone
 * @throws        NodeError SEG_INVALID if what came out is no conformant object
 */
export function encodeSegmentation(given: SegInput, wanted: readonly Wanted[]): Encoded {
  const passed = gate(given);
  if (passed.kind !== "pass") return passed;
  const input = { ...given, segments: passed.segments };
  const lineage = { lostVoxels: passed.lostVoxels, layersMeet: doLayersMeet(input.findings) };
  const objects: EncodedObject[] = [];
  for (const [form, ways] of Map.groupBy([BINARY, ...wanted], (one) => one.form)) {
    if (form === "fractional" && !input.findings.probabilities) continue;
    const plans = plansOf(form, input, passed.layers);
    if ("kind" in plans) return plans;
    const identities = identitiesOf(input, plans, passed.lostVoxels);
    for (const plan of plans) {
      const identity = identities.get(plan)!;
      const dataSet = dataSetOf(input, plan, identity, lineage);
      for (const compression of new Set(["none" as const, ...ways.map((way) => way.compression)]))
        objects.push(encoded({ input, plan, identity, dataSet, compression, layers: passed.layers }));
    }
  }
  const present = new Set(passed.layers.flatMap((presence) => [...presence.keys()]));
  return {
    kind: "seg",
    objects,
    absent: [...input.segments.keys()].filter((value) => value > 0 && !present.has(value)),
    unknown: passed.unknown,
    lostVoxels: passed.lostVoxels,
  };
}

function plansOf(form: Form, input: SegInput, layers: readonly Presence[]): readonly Plan[] | Refused {
  const [columns, rows] = input.findings.grid.size;
  const found = form === "fractional" ? probable(input) : layers;
  const plans = planObjects(form, described(found, input), columns * rows);
  const large = plans.find((plan) => isTooLarge(plan, columns * rows));
  if (!large) return plans;
  const detail = `${large.frames.length} frames are ${nativeBytes(large, columns * rows)} bytes`;
  return { kind: "refused", reason: "too-large", detail };
}

/** With the segments that are to be described without a voxel; in the first layer that holds any. */
function described(layers: readonly Presence[], { segments, absentSegments }: SegInput): readonly Presence[] {
  const present = layers.flatMap((presence) => [...presence.keys()]);
  const absent = describedValues(present, segments, absentSegments).filter(
    (value) => !present.includes(value),
  );
  const first = layers.findIndex(({ size }) => size > 0);
  if (first < 0) return layers;
  const all = [...(layers[first] ?? []), ...absent.map((value) => [value, []] as const)];
  return layers.with(first, new Map(all.sort(([a], [b]) => a - b)));
}

function probable({ findings, source }: SegInput): readonly Presence[] {
  const { grid, probabilities = new Map<number, Uint8Array>() } = findings;
  const images = imagesBySlice(source);
  return [
    new Map(
      [...probabilities]
        .filter(([value]) => value !== 0)
        .sort(([a], [b]) => a - b)
        .map(([value, bytes]) => [value, findProbable(bytes, grid.size[0] * grid.size[1])] as const)
        .map(([value, slices]) => [value, slices.filter((k) => images.has(k))] as const)
        .filter(([, slices]) => slices.length > 0),
    ),
  ];
}

function dataSetOf(input: SegInput, plan: Plan, identity: Identity, lineage: Lineage): DataSet {
  const { source, sourceHeader, findings } = input;
  const moment = momentOf(input.resultAt, sourceHeader);
  const own = fromKeywords({
    ...headerOf({ input, plan, identity, moment, ...lineage }),
    ...dimensions(plan.form, identity.dimensionOrganizationUid),
    SegmentSequence: segmentItems(plan, input),
    SharedFunctionalGroupsSequence: [sharedGroups(source)],
    PerFrameFunctionalGroupsSequence: perFrameGroups(plan.form, plan.frames, source),
    ReferencedSeriesSequence: [referencedSeries(source, input.allInstances)],
  });
  const elements = new Map([...patientAndStudy(sourceHeader), ...own.elements]);
  const dataSet: DataSet = { characterSet: own.characterSet, elements };
  const [columns, rows] = findings.grid.size;
  assertConformant(dataSet, nativeBytes(plan, columns * rows));
  return dataSet;
}

interface ObjectParts {
  readonly input: SegInput;
  readonly plan: Plan;
  readonly identity: Identity;
  readonly dataSet: DataSet;
  readonly compression: Wanted["compression"];
  readonly layers: Extract<Passed, { kind: "pass" }>["layers"];
}

function encoded({ input, plan, identity, dataSet, compression, layers }: ObjectParts): EncodedObject {
  const { form, part, parts } = plan;
  const isRle = compression === "rle" && form !== "binary";
  const layerByValue = new Map(layers.flatMap((one, at) => [...one.keys()].map((value) => [value, at])));
  const layerOf = (value: number): number => layerByValue.get(value)!;
  const transferSyntaxUid = isRle ? TRANSFER_SYNTAX.RLE_LOSSLESS : TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN;
  const head = encodePart10(transferSyntaxUid, dataSet);
  const pixels = pixelStream(plan, { findings: input.findings, layerOf }, isRle ? "rle" : "none");
  return {
    form,
    part,
    parts,
    compression: isRle ? "rle" : "none",
    sopClassUid: sopClassOf(plan),
    sopInstanceUid: identity.sopInstanceUid,
    seriesUid: identity.seriesUid,
    transferSyntaxUid,
    segments: plan.numbers.size,
    frames: plan.frames.length,
    bytes: head.reduce((sum, chunk) => sum + chunk.length, 0) + pixels.bytes,
    chunks: {
      *[Symbol.iterator]() {
        yield* head;
        yield* pixels.chunks();
      },
    },
  };
}

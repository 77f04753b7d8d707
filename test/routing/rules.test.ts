import { expect, test } from "vitest";
import { fromKeywords, type KeywordRecord } from "../../src/dicom/build.ts";
import { SOP_CLASS } from "../../src/dicom/constants.ts";
import { readPart10Header } from "../../src/dicom/part10.ts";
import { compileRules, fanInOf, type Routing, type RuleSettings, route } from "../../src/routing/rules.ts";
import { dataFiles, dataPath, testWithData } from "../support/data.ts";

const association = { callingAeTitle: "CBCT1", calledAeTitle: "ISOCENTER", peer: "10.20.1.5" };
const CT: KeywordRecord = {
  SOPClassUID: SOP_CLASS.CT_IMAGE,
  ImageType: ["ORIGINAL", "PRIMARY", "AXIAL"],
  Modality: "CT",
  SliceThickness: "0.3",
  Rows: 512,
  Columns: 512,
  PhotometricInterpretation: "MONOCHROME2",
};

function rule(name: string, settings: Partial<RuleSettings>): RuleSettings {
  const preset = { when: "true", models: ["bone"], sendTo: ["pacs"], priority: "routine" } as const;
  return { name, ...preset, fanIn: { kind: "asReady" }, ...settings };
}

function routed(rules: readonly RuleSettings[], record: KeywordRecord = CT): Routing {
  return route(compileRules(rules), { dataSet: fromKeywords(record), association, instances: 300 });
}

test("all rules that hold are united: a model once, its destinations together, the highest priority", () => {
  const routing = routed([
    rule("dental", { when: `SliceThickness < 0.5`, models: ["teeth", "bone"] }),
    rule("magnet", { when: `Modality == "MR"`, models: ["brain"] }),
    rule("research", { models: ["bone", "airway"], sendTo: ["pacs", "archive"], priority: "stat" }),
  ]);
  expect(routing).toEqual({
    kind: "assigned",
    rule: "dental, research",
    priority: "stat",
    assignments: [
      { model: "teeth", destinations: ["pacs"] },
      { model: "bone", destinations: ["pacs", "archive"] },
      { model: "airway", destinations: ["pacs", "archive"] },
    ],
    considered: [{ rule: "magnet", why: "false" }],
  });
});

test("without a rule that holds, each says why", () => {
  expect(
    routed([
      rule("magnet", { when: `Modality == "MR"` }),
      rule("contrast", { when: `ContrastBolusAgent != "" && has(KVP)` }),
      rule("axial", { when: `ImageType[5] == "AXIAL"` }),
    ]),
  ).toEqual({
    kind: "no-rule",
    considered: [
      { rule: "magnet", why: "false" },
      { rule: "contrast", why: "false (absent: ContrastBolusAgent, KVP)" },
      { rule: "axial", why: "error: index out of bounds in ImageType[5]" },
    ],
  });
  expect(routed([])).toEqual({ kind: "no-rule", considered: [] });
});

test("a priority is chosen by the image, and routine where it cannot be", () => {
  const urgent = (priority: string, record: KeywordRecord = {}): unknown => {
    const routing = routed([rule("any", { priority })], { ...CT, ...record });
    return routing.kind === "assigned" ? routing.priority : routing.kind;
  };
  const chosen = `RequestedProcedurePriority == "STAT" ? "stat" : "routine"`;
  expect(urgent(chosen, { RequestedProcedurePriority: "STAT" })).toBe("stat");
  expect(urgent(chosen, { RequestedProcedurePriority: "LOW" })).toBe("routine");
  expect(urgent(chosen)).toBe("routine");
  expect(urgent(`ImageType[5] == "AXIAL" ? "routine" : "stat"`)).toBe("routine");
});

test("the loop guard comes before every rule", () => {
  const always = [rule("always", {})];
  expect(routed(always, { ...CT, SOPClassUID: SOP_CLASS.SEGMENTATION })).toEqual({
    kind: "kept-out",
    reason: "segmentation",
  });
});

test("of several rules that held the one that waits least says when results are sent", () => {
  const rules = compileRules([
    rule("all", { fanIn: { kind: "all" } }),
    rule("late", { fanIn: { kind: "partial", afterMs: 2000 } }),
    rule("soon", { fanIn: { kind: "partial", afterMs: 1000 } }),
    rule("all now", {}),
  ]);
  expect(fanInOf(rules, "all")).toEqual({ kind: "all" });
  expect(fanInOf(rules, "all, late, soon")).toEqual({ kind: "partial", afterMs: 1000 });
  expect(fanInOf(rules, "late, all now")).toEqual({ kind: "asReady" });
  expect(fanInOf(rules, "not there any more")).toEqual({ kind: "asReady" });
});

testWithData()("real series are told apart by the attributes that scanners write", async () => {
  const rules = compileRules([
    rule("CBCT", { when: `Modality == "CT" && ManufacturerModelName.like("*cone-beam*")`, models: ["a"] }),
    rule("thin", {
      when: `Modality == "CT" && SliceThickness <= 1 && PixelSpacing.all(x, x < 0.5)`,
      models: ["b"],
    }),
    rule("tilted", { when: `GantryDetectorTilt > 10 && "HELICAL" in ImageType == false`, models: ["c"] }),
    rule("MR", { when: `MagneticFieldStrength >= 1.5 && SliceThickness < 10`, models: ["d"] }),
    rule("CT in groups", {
      when: `Modality == "CT" && SliceThickness == 2.5 && Columns < 100`,
      models: ["e"],
    }),
  ]);
  const matched = async (file: string | undefined): Promise<string> => {
    const { dataSet } = await readPart10Header(file ?? "");
    const routing = route(rules, { dataSet, association, instances: 1 });
    return routing.kind === "assigned" ? routing.rule : routing.kind;
  };
  expect(await matched(dataFiles("series/cbct-head-varian-obi")[0])).toBe("CBCT");
  expect(await matched(dataFiles("series/ct-skull-philips")[0])).toBe("thin");
  expect(await matched(dataFiles("series/ct-tilt-philips")[0])).toBe("tilted");
  expect(await matched(dataFiles("series/mr-t1-siemens")[0])).toBe("MR");
  // A converted CT: Slice Thickness 2.5 is in the functional groups only.
  expect(await matched(dataPath("multiframe", "legacy-ect-23x38x3.dcm"))).toBe("CT in groups");
});

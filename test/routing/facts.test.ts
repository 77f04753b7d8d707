import { dictionary } from "dcmjs/dictionary";
import { expect, test } from "vitest";
import { fromKeywords } from "../../src/dicom/build.ts";
import { isKeyword, tagOf } from "../../src/dicom/dictionary.ts";
import { type Attribute, findAttribute, valueOf } from "../../src/routing/facts.ts";
import { nearest, suggestion } from "../../src/routing/nearest.ts";

function attribute(keyword: string): Attribute {
  const lookup = findAttribute(keyword);
  if (lookup.kind === "unusable") throw new Error(lookup.reason);
  return lookup.attribute;
}

test("an attribute has the type of its representation, and is a list where the standard allows several values", () => {
  expect(attribute("Modality").type).toBe("string");
  expect(attribute("SliceThickness").type).toBe("double");
  expect(attribute("Rows").type).toBe("double");
  expect(attribute("ImageType").type).toBe("list<string>");
  expect(attribute("ImageOrientationPatient").type).toBe("list<double>");
});

test("values lose their padding and become numbers", () => {
  const dataSet = fromKeywords({
    Modality: "CT ",
    SliceThickness: " 0.60",
    ImageType: ["ORIGINAL", "PRIMARY "],
    Rows: 7,
  });
  expect(valueOf(dataSet, attribute("Modality"))).toBe("CT");
  expect(valueOf(dataSet, attribute("SliceThickness"))).toBe(0.6);
  expect(valueOf(dataSet, attribute("ImageType"))).toEqual(["ORIGINAL", "PRIMARY"]);
  expect(valueOf(dataSet, attribute("Rows"))).toBe(7);
  expect(valueOf(dataSet, attribute("PatientID"))).toBe("");
  expect(valueOf(dataSet, attribute("Columns"))).toBeNaN();
  expect(valueOf(dataSet, attribute("PixelSpacing"))).toEqual([]);
});

// The values differ in all three places, so that the order of looking shows.
test("an enhanced image is looked through: top level, shared groups, groups of the first frame", () => {
  const group = (thickness: string, spacing?: string[]) => ({
    PixelMeasuresSequence: [{ SliceThickness: thickness, ...(spacing && { PixelSpacing: spacing }) }],
  });
  const frames = { PerFrameFunctionalGroupsSequence: [group("3", ["0.5", "0.6"]), group("4")] };
  const shared = { SharedFunctionalGroupsSequence: [group("2")] };
  const thickness = attribute("SliceThickness");
  expect(valueOf(fromKeywords({ SliceThickness: "1", ...shared, ...frames }), thickness)).toBe(1);
  expect(valueOf(fromKeywords({ ...shared, ...frames }), thickness)).toBe(2);
  expect(valueOf(fromKeywords({ ...frames }), thickness)).toBe(3);
  expect(valueOf(fromKeywords({ ...shared, ...frames }), attribute("PixelSpacing"))).toEqual([0.5, 0.6]);
});

test("lists are exactly the attributes with several values in the data dictionary", () => {
  const entries = Object.entries(
    dictionary as Readonly<Record<string, { readonly name?: string; readonly vm?: string }>>,
  );
  const wrong: string[] = [];
  let seen = 0;
  for (const [key, { name = "", vm }] of entries) {
    const tag = Number.parseInt(key.replaceAll(/[(),]/g, ""), 16);
    if (!isKeyword(name) || name.startsWith("RETIRED_") || tagOf(name) !== tag) continue;
    const lookup = findAttribute(name);
    if (lookup.kind === "unusable") continue;
    seen++;
    if (lookup.attribute.type.startsWith("list") !== (vm !== "1")) wrong.push(name);
  }
  expect(wrong).toEqual([]);
  expect(seen).toBeGreaterThan(2500);
});

test("the nearest name is suggested, if it is near", () => {
  expect(nearest("dataDr", ["aeTitle", "dataDir"])).toBe("dataDir");
  expect(nearest("prot", ["host", "port"])).toBe("port");
  expect(suggestion("pac", ["orthanc", "pacs"])).toBe("; did you mean pacs?");
  expect(suggestion("archive", ["pacs", "viewer"])).toBe("");
});

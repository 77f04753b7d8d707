/**
 * The cases that a writer of segmentations should pass, by number, and the tests that hold them.
 *
 *  1 axial, shuffled        2 any orientation        3 axes and formats           4 sform, qform, numbers
 *  5 another grid           6 shape equal, affine not 7 gantry tilt               8 missing slices
 *  9 uneven spacing        10 non-square pixels     11 one slice, voxel, borders 12 bits modulo 8
 * 13 multi-frame source    14 scouts, acquisitions  15 overlapping masks         16 empty
 * 17 values and meanings   18 many labels           19 probabilities             20 character sets
 * 21 lossy, compressed     22 missing attributes    23 determinism               24 other version
 * 25 codes                 26 labels' characters    27 colours                   28 label maps
 * 29 refusing archives     30 huge                  31 models at once            32 answers that are wrong
 * 33 independent readers   34 an archive of others
 *
 * A test that is renamed has to be renamed here: a case without its test is a failure.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const CASES: Readonly<Record<number, Readonly<Record<string, readonly string[]>>>> = {
  1: { "voxels.test.ts": ['["axial"'], "from-volume.test.ts": ["an axial CT"] },
  2: { "voxels.test.ts": ['"sagittal"', '"coronal"', '"head first, flipped"', '"oblique"'] },
  3: {
    "../flow/answers.test.ts": [
      "a finding in every form is the same segmentation, byte for byte of its pixels",
    ],
    "../volume/formats/label-map.test.ts": ["%s: every label is where it was"],
    "../volume/formats/itk.test.ts": ["any oblique grid comes back through ITK's %s"],
  },
  4: {
    "../volume/formats/label-map.test.ts": [
      "without an sform the qform places the image",
      "an sform wins over a qform that says something else, and the log is told by how much",
      "scl_slope 0 means not scaled",
      "every flaw is counted, in runs too",
    ],
  },
  5: {
    "../volume/formats/grid.test.ts": [
      "half the resolution: each voxel is taken eight times, and the spacing it came with is said",
      "a part of the volume is placed by its affine where that is allowed, and refused where not",
      "by half a voxel",
    ],
    "forms.test.ts": ["labels brought onto the grid by nearest neighbour say so, and are another object"],
  },
  6: {
    "../volume/formats/grid.test.ts": [
      "what has the shape that was sent and lies a voxel aside is placed by its affine, never by its index",
    ],
    "gate.test.ts": [
      "the same size at another place is refused",
      "a flipped or turned map of the same size is refused",
    ],
  },
  7: {
    "voxels.test.ts": ["tilted by 15°", "tilted by −20°"],
    "groups.test.ts": ["in a stack tilted by %i degrees the spacing is measured along the normal"],
    "from-volume.test.ts": ["the real tilted series"],
  },
  8: {
    "from-volume.test.ts": [
      "missing slices",
      "labels on missing slices are counted in the object, which has no frame at a place that no image has",
    ],
    "../volume/missing-slices.test.ts": ["a missing slice shows the one before it"],
  },
  9: {
    "voxels.test.ts": ["unevenly spaced slices keep each label on its own slice"],
    "from-volume.test.ts": ["uneven slices"],
    "groups.test.ts": ["uneven slices and a single slice have no spacing between slices"],
  },
  10: { "groups.test.ts": ["pixel spacing keeps its order, rows first"] },
  11: {
    "voxels.test.ts": ["a series of one slice", "a label of a single voxel, in each corner of the volume"],
  },
  12: {
    "voxels.test.ts": ["41 rows of %i columns, one to nine frames"],
    "frames.test.ts": [
      "bits run on from frame to frame, and the end is padded with 00H",
      "every bit is where the standard puts it, for any size and any labels",
    ],
  },
  13: {
    "voxels.test.ts": ["frames of a multi-frame source, stored in any order, are found by their number"],
    "from-volume.test.ts": [
      "an Enhanced CT with its frames in any order",
      "an Enhanced MR with its frames in any order",
    ],
  },
  14: {
    "from-volume.test.ts": [
      "a scout among the slices",
      "two acquisitions at the same positions",
      "one image sent twice as another file",
    ],
  },
  15: {
    "forms.test.ts": [
      "overlapping layers are one BINARY object that says so, every segment whole",
      "overlapping layers are one label map each, never two labels at one place",
    ],
  },
  16: {
    "voxels.test.ts": ["an all-empty map makes no object"],
    "forms.test.ts": [
      "a segment without voxels is left out, or described without a frame, as the config says",
    ],
  },
  17: {
    "forms.test.ts": [
      "a label without a meaning is written as what is known of it where the config allows, and told",
      "value 0 with a meaning is still background",
    ],
    "gate.test.ts": ["a label that means nothing is refused by its value"],
  },
  18: {
    "forms.test.ts": [
      "250 labels of 16 bits are one BINARY object",
      "300 labels are two BINARY objects of at most 255 segments",
    ],
  },
  19: {
    "forms.test.ts": [
      "probabilities come back within 1/510 of what they were",
      "the BINARY object of a model that answers with probabilities holds what was made of them",
      "how labels were made of probabilities is documented",
    ],
  },
  20: { "patient.test.ts": ["the name is the same in UTF-8"] },
  21: {
    "attributes.test.ts": ["a lossy source makes a lossy segmentation, with ratio and method"],
    "patient.test.ts": ["private elements stay behind, also inside sequences"],
    "from-volume.test.ts": ["the real MR in JPEG 2000, each image in fragments", "the real CBCT"],
  },
  22: {
    "patient.test.ts": ["attributes that must be there are empty where the source has none"],
    "from-volume.test.ts": [
      "a source without frame of reference",
      "real images whose UIDs are blank are refused by name",
    ],
  },
  23: {
    "identity.test.ts": ["the same result in two processes and time zones is the same file, byte for byte"],
  },
  24: { "identity.test.ts": ["another %s makes another object of the same things"] },
  25: {
    "codes.test.ts": [
      "retired SNOMED-RT codes are refused, under their own scheme and under SCT",
      "what would not fit its value representation is refused",
      "a value of 16 characters is a Code Value, one of 17 a Long Code Value",
    ],
    "attributes.test.ts": ["a finding has the side of its anatomy"],
  },
  26: {
    "text.test.ts": [
      "a label is cut at 64 characters, and a Japanese one at 64 characters too",
      "a backslash and control characters become a space, so that there is one value",
    ],
    "attributes.test.ts": ["labels keep their script, as one value of at most 64 characters"],
  },
  27: {
    "colour.test.ts": [
      "every colour comes back within 2 of 255",
      "a label without a colour keeps one of its own, and the palette starts again at its end",
    ],
  },
  28: {
    "forms.test.ts": [
      "a label map of %s keeps its values",
      "runs and literals of any length around 128 and 256 come back",
      "a label map describes its background and every value, by the value itself",
    ],
    "validators.test.ts": ["dcmdrle unpacks every RLE file into the pixels of the native one"],
  },
  30: {
    "huge.heavy.test.ts": ["600 slices of 401 × 401 with 40 labels come back, and nobody waits for them"],
  },
  29: {
    "../flow/forms.test.ts": [
      "a PACS that takes Implicit VR only gets the same object in Implicit VR",
      "a PACS that does not know LABELMAP gets BINARY, and that is said",
      "a PACS that takes LABELMAP but not RLE gets it uncompressed",
    ],
    "../delivery/deliver.test.ts": ["a destination that does not take the object is told apart"],
  },
  31: {
    "../flow/quarantine.test.ts": [
      "of four models at once one fails: three SEGs, each in a series with its own number",
    ],
  },
  32: {
    "../flow/quarantine.test.ts": [
      "holds a voxel that is no number",
      "is cut",
      "lies half a millimetre off",
      "an answer that %s is quarantined as it came",
    ],
    "../volume/formats/label-map.test.ts": ["is refused with both shapes"],
  },
  33: {
    "voxels.test.ts": [
      "OHIF shows the labels and the colours",
      "real series ${name}: every voxel comes back",
    ],
    "dcmqi.test.ts": ["dcmqi finds every label at its place"],
    "validators.test.ts": [
      "the validators find nothing that is not the source's",
      "the validators say nothing but what they do not know yet",
    ],
  },
  34: {
    "../flow/forms.test.ts": ["BINARY goes as Explicit VR to who takes it"],
    "store.test.ts": ["the object comes back from storescp with the same pixels and the same description"],
  },
};

test("every case has its tests", () => {
  expect(Object.keys(CASES)).toEqual(Array.from({ length: 34 }, (_, at) => String(at + 1)));
  const missing = Object.entries(CASES).flatMap(([number, files]) =>
    Object.entries(files).flatMap(([file, names]) => {
      const source = readFileSync(join(import.meta.dirname, file), "utf8");
      return names.filter((name) => !source.includes(name)).map((name) => `${number}: ${file}: ${name}`);
    }),
  );
  expect(missing).toEqual([]);
});

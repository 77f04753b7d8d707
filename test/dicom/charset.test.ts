// Names as PS3.5 annexes H, I, J and K print them, their bytes as these annexes give them.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { toUtf8 } from "../../src/dicom/build.ts";
import { type DataSet, itemsOf, stringOf, stringsOf } from "../../src/dicom/data-set.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { EXPLICIT, explicit, file, item as itemOf, openItem, openSequence } from "../support/bytes.ts";
import { dataPath, testWithData } from "../support/data.ts";

const PATIENT_NAME = 0x00100010;

function dataSetOf(terms: string, ...elements: readonly Uint8Array[]): DataSet {
  return readPart10(file(EXPLICIT, explicit("00080005", "CS", terms), ...elements)).dataSet;
}

const EXAMPLES: readonly (readonly [what: string, terms: string, bytes: string, text: string])[] = [
  ["default", "", "Adams^John", "Adams^John"],
  ["Latin 1", "ISO_IR 100", "Buc^J\xe9r\xf4me", "Buc^Jérôme"],
  ["Latin 2", "ISO_IR 101", "Wa\xb3\xeasa", "Wałęsa"],
  ["Latin 3", "ISO_IR 109", "\xa6a\xf8", "Ĥaĝ"],
  ["Latin 4", "ISO_IR 110", "B\xba\xf9", "Bēų"],
  ["Cyrillic", "ISO_IR 144", "\xbb\xeek\xdace\xdc\xd1ypg", "Люkкceмбypg"],
  ["Arabic", "ISO_IR 127", "\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"],
  ["Greek", "ISO_IR 126", "\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"],
  ["Hebrew", "ISO_IR 138", "\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"],
  ["Turkish", "ISO_IR 148", "\xc7avu\xfeo\xf0lu", "Çavuşoğlu"],
  ["Latin 9", "ISO_IR 203", "\xa4", "€"],
  ["Thai", "ISO_IR 166", "\xca\xc1\xaa\xd2\xc2", "สมชาย"],
  ["Katakana of one byte", "ISO_IR 13", "\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"],
  [
    "Japanese, H.3.1",
    "\\ISO 2022 IR 87",
    "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
  ],
  [
    "Japanese, H.3.2",
    "ISO 2022 IR 13\\ISO 2022 IR 87",
    "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
    "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
  ],
  ["supplementary kanji", "\\ISO 2022 IR 159", "\x1b$(D0!\x1b(B^A", "丂^A"],
  [
    "Korean, I.2",
    "\\ISO 2022 IR 149",
    "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
    "Hong^Gildong=洪^吉洞=홍^길동",
  ],
  ["Korean without its escapes", "ISO 2022 IR 149", "\xc8\xab^\xb1\xe6\xb5\xbf", "홍^길동"],
  [
    "UTF-8, J.1",
    "ISO_IR 192",
    "Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1=",
    "Wang^XiaoDong=王^小東=",
  ],
  ["GB18030, J.3", "GB18030", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="],
  ["GBK", "GBK", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="],
  ["GBK with a backslash as the second byte of a character", "GBK", "\x81\x5c^A", "乗^A"],
  [
    "Chinese, K.2",
    "\\ISO 2022 IR 58",
    "Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
    "Zhang^XiaoDong=张^小东=",
  ],
  [
    "Greek by escape, Latin 1 first",
    "ISO 2022 IR 100\\ISO 2022 IR 126",
    "J\xe9=\x1b-F\xc4\xe9^\xe9",
    "Jé=Δι^é",
  ],
  ["Latin 1 again after a delimiter", "ISO 2022 IR 100\\ISO 2022 IR 13", "\x1b(JA^\xe9", "A^é"],
  ["a term misspelt with a hyphen", "ISO-IR 100", "J\xe9r\xf4me", "Jérôme"],
  ["a term misspelt with underscores", "ISO_IR_192", "J\xc3\xa9", "Jé"],
  ["an unknown term", "ISO_IR 4711", "J\xe9r\xf4me", "Jérôme"],
];

test.each(EXAMPLES)("a name in %s is read", (_, terms, bytes, text) => {
  expect(stringOf(dataSetOf(terms, explicit("00100010", "PN", bytes)), PATIENT_NAME)).toBe(text);
});

test.each(EXAMPLES)("a name in %s becomes UTF-8, in items too", (_, terms, bytes, text) => {
  const name = explicit("00100010", "PN", bytes);
  const source = dataSetOf(terms, name, openSequence("00081140", openItem(name)));
  const { characterSet, elements } = toUtf8(source);
  expect(characterSet.terms).toEqual(["ISO_IR 192"]);
  expect(elements.has(0x00080005)).toBe(false);
  expect(elements.get(PATIENT_NAME)).toEqual({ vr: "PN", bytes: Buffer.from(text, "utf8") });
  const [item] = itemsOf({ characterSet, elements }, 0x00081140);
  expect(item).toMatchObject({ characterSet });
  expect(item?.elements.get(PATIENT_NAME)).toEqual({ vr: "PN", bytes: Buffer.from(text, "utf8") });
});

test("an item may have a character set of its own, and the next has that of the data set again", () => {
  const name = explicit("00100010", "PN", "\xc4");
  const dataSet = dataSetOf(
    "ISO_IR 100",
    openSequence("00081140", itemOf(explicit("00080005", "CS", "ISO_IR 126"), name), openItem(name)),
    name,
  );
  expect(itemsOf(dataSet, 0x00081140).map((one) => stringOf(one, PATIENT_NAME))).toEqual(["Δ", "Ä"]);
  expect(stringOf(dataSet, PATIENT_NAME)).toBe("Ä");
});

test("identifiers and codes are not text: the character set does not touch them", () => {
  const dataSet = dataSetOf("ISO_IR 126", explicit("00080060", "CS", "\xc4"));
  expect(stringOf(dataSet, 0x00080060)).toBe("\xc4");
});

test("values are split at backslashes and lose their padding; long texts are not split and keep leading spaces", () => {
  const dataSet = dataSetOf(
    "",
    explicit("00081040", "LO", " Radiology \\ Dental "),
    explicit("00104000", "LT", "  two spaces \\ one text  "),
    explicit("0020000d", "UI", "1.2.3\0"),
  );
  expect(stringsOf(dataSet, 0x00081040)).toEqual(["Radiology", "Dental"]);
  expect(stringsOf(dataSet, 0x00104000)).toEqual(["  two spaces \\ one text"]);
  expect(stringOf(dataSet, 0x0020000d)).toBe("1.2.3");
});

const withData = testWithData();

withData.each([
  ["chrArab.dcm", "قباني^لنزار"],
  ["chrGerm.dcm", "Äneas^Rüdiger"],
  ["chrGreek.dcm", "Διονυσιος"],
  ["chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"],
  ["chrH32.dcm", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"],
  ["chrI2.dcm", "Hong^Gildong=洪^吉洞=홍^길동"],
  ["chrJapMulti.dcm", "やまだ^たろう"],
  ["chrJapMultiExplicitIR6.dcm", "やまだ^たろう"],
  ["chrKoreanMulti.dcm", "김희중"],
  ["chrRuss.dcm", "Люкceмбypг"],
  ["chrX1.dcm", "Wang^XiaoDong=王^小東="],
  ["chrX2.dcm", "Wang^XiaoDong=王^小东="],
])("the name in %s is %s", (name, text) => {
  const { dataSet } = readPart10(readFileSync(dataPath("awkward", "charset", name)));
  expect(stringOf(dataSet, PATIENT_NAME)).toBe(text);
  expect(stringOf(toUtf8(dataSet), PATIENT_NAME)).toBe(text);
});

withData("the name in the sequence of chrSQEncoding1.dcm is in the character set of its item", () => {
  const { dataSet } = readPart10(readFileSync(dataPath("awkward", "charset", "chrSQEncoding1.dcm")));
  const [only] = itemsOf(dataSet, 0x00321064);
  expect(stringOf(only!, PATIENT_NAME)).toBe("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう");
});

import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesSource } from "../../../src/parse/open/source.ts";
import { listSheets, sheetRows } from "../../../src/parse/sheet/rows.ts";
import { formatOf } from "../../../src/parse/sheet/styles.ts";
import { cellNumber, dateText, numberText } from "../../../src/parse/sheet/values.ts";
import { buildZip, watchedSource } from "../open/fixtures.ts";
import { buildWorkbook, escapeXml, oneSheet, readSheet, type WorkbookSpec, workbookParts } from "./fixtures.ts";

const row = (cells: string, r = 1) => `<row r="${r}">${cells}</row>`;
const rowsOf = async (data: string, more: Omit<WorkbookSpec, "sheets"> = {}) =>
  (await readSheet(oneSheet(data, more))).rows;
const firstRow = async (cells: string, more: Omit<WorkbookSpec, "sheets"> = {}) => (await rowsOf(row(cells), more))[1];
const reasonOf = async (bytes: Uint8Array) => {
  const { failure } = await readSheet(bytes, { name: "a.xlsx" });
  return failure && `${failure.code}: ${failure.sentence}`;
};

describe("the cells of a sheet", () => {
  it("keep texts to the letter: leading zeros, long identifiers, spaces, line breaks", async () => {
    const strings = [
      "<t>00042</t>",
      "<t>4006381333931004006381333931</t>",
      '<t xml:space="preserve"> a  b </t>',
      "<t>a&#10;b&amp;&lt;c&gt;</t>",
    ];
    const cells = strings.map((_, i) => `<c r="${"ABCD"[i]}1" t="s"><v>${i}</v></c>`).join("");
    expect(await firstRow(cells, { strings })).toEqual(["00042", "4006381333931004006381333931", " a  b ", "a\nb&<c>"]);
  });

  it("keep texts that stand in the cell, in runs, in CDATA, and as results of formulas", async () => {
    const cells = [
      '<c r="A1" t="inlineStr"><is><t>007</t></is></c>',
      '<c r="B1" t="inlineStr"><is><r><rPr><b/></rPr><t xml:space="preserve">Grö</t></r><r><t>ße</t></r><rPh sb="0" eb="1"><t>no</t></rPh></is></c>',
      '<c r="C1" t="str"><f>A1&amp;"x"</f><v>007x</v></c>',
      '<c r="D1" t="inlineStr"><is><t><![CDATA[<b>&amp;]]></t></is></c>',
      '<c r="E1" t="inlineStr"><is><t>a_x000D_b_x005F_x000D_</t></is></c>',
    ].join("");
    expect(await firstRow(cells)).toEqual(["007", "Größe", "007x", "<b>&amp;", "a\rb_x000D_"]);
  });

  it("drop white space that does not say it counts, as Excel does", async () => {
    expect(await firstRow('<c t="inlineStr"><is><t>\n  a b\n </t></is></c>')).toEqual(["a b"]);
  });

  it("name errors and booleans, and say which results cannot be trusted", async () => {
    const cells = [
      '<c r="A1" t="b"><v>1</v></c><c r="B1" t="b"><v>0</v></c>',
      '<c r="C1" t="e"><f>1/0</f><v>#DIV/0!</v></c>',
      '<c r="D1"><f>A1+1</f></c><c r="E1" t="str"><f>""</f><v></v></c><c r="F1"><f>A2</f><v>7</v></c>',
    ].join("");
    const read = await readSheet(oneSheet(row(cells)));
    expect(read.rows[1]).toEqual(["TRUE", "FALSE", "#DIV/0!", "", "", "7"]);
    expect(read.issues).toEqual([
      { row: 1, column: 2, kind: "error" },
      { row: 1, column: 3, kind: "not-calculated" },
    ]);
    const stale = await readSheet(oneSheet(row(cells), { mustCalculate: true }));
    expect(stale.issues.map((i) => [i.column, i.kind])).toEqual([
      [2, "error"],
      [3, "not-calculated"],
      [4, "not-calculated"],
      [5, "not-calculated"],
    ]);
  });

  it("that are missing are blank, also before and between others and without their places", async () => {
    expect(await rowsOf('<row r="3"><c r="C3"><v>1</v></c><c r="E3"><v>2</v></c><c r="H3" s="0"/></row>')).toEqual({
      3: ["", "", "1", "", "2"],
    });
    expect(await rowsOf("<row><c><v>1</v></c><c/><c><v>2</v></c></row><row/><row><c><v>3</v></c></row>")).toEqual({
      1: ["1", "", "2"],
      2: [],
      3: ["3"],
    });
  });

  it("of a merged range stand in its first cell", async () => {
    const xml = `<worksheet><sheetData>${row('<c r="A1"><v>1</v></c><c r="B1"/>')}</sheetData><mergeCells count="1"><mergeCell ref="A1:B1"/></mergeCells></worksheet>`;
    expect((await readSheet(buildWorkbook({ sheets: [{ name: "a", data: "", xml }] }))).rows).toEqual({ 1: ["1"] });
  });

  it("become dates by their format", async () => {
    const formats = ["yyyy\\-mm\\-dd", "dd.mm.yyyy hh:mm", "[$-407]d. mmmm yyyy;@", "h:mm AM/PM", "[h]:mm:ss"];
    const cells = [1, 2, 3, 4, 5, 6]
      .map((s) => `<c s="${s}"><v>${s < 4 || s === 6 ? "46346.25" : s === 4 ? "0.75" : "1.5"}</v></c>`)
      .join("");
    expect(await firstRow(cells, { formats, builtIn: [14] })).toEqual([
      "2026-11-20T06:00:00",
      "2026-11-20T06:00:00",
      "2026-11-20T06:00:00",
      "18:00:00",
      "36:00:00",
      "2026-11-20T06:00:00",
    ]);
    expect(await firstRow('<c s="1"><v>46346</v></c><c t="d"><v>2026-11-20</v></c>', { formats })).toEqual([
      "2026-11-20",
      "2026-11-20",
    ]);
    expect(await firstRow('<c s="1"><v>44884</v></c>', { formats, is1904: true })).toEqual(["2026-11-20"]);
  });

  it("show the zeros that their format puts before a whole number", async () => {
    const formats = ["00000", "0"];
    expect(await firstRow('<c s="1"><v>1234</v></c><c s="2"><v>7</v></c>', { formats })).toEqual(["01234", "7"]);
  });
});

describe("the text of a number", () => {
  it.each([
    ["4006381333931", "4006381333931"],
    ["007", "007"],
    ["12345678901234567890", "12345678901234567890"],
    ["12345678901234567", "12345678901234567"],
    ["1234567890.1234567891", "1234567890.1234567891"],
    ["1001.0", "1001"],
    ["10.50", "10.50"],
    ["-0.5", "-0.5"],
    ["1.0E7", "10000000"],
    ["4.006381333931E12", "4006381333931"],
    ["4.00638133393E12", "4006381333930"],
    ["1.5E-3", "0.0015"],
    ["-2E0", "-2"],
    ["1E+20", "1E+20"],
    ["1E-300", "1E-300"],
    ["0E5", "0"],
    ["0.10000000000000001", "0.1"],
    ["1000.5577000000001", "1000.5577000000001"],
    ["49.990000000000002", "49.99"],
    ["0.30000000000000004", "0.30000000000000004"],
    ["9.9999999999999995E-8", "0.0000001"],
    ["n/a", "n/a"],
  ])("%s is %s", (stored, text) => {
    expect(numberText(stored)).toBe(text);
  });

  it("is the same number that was stored, and every whole number up to 15 digits keeps its digits", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        for (const stored of [String(value), value.toExponential(), value.toPrecision(17)]) {
          expect(Number(numberText(stored)) + 0).toBe(Number(stored) + 0);
        }
      }),
    );
    fc.assert(
      fc.property(fc.nat(999_999_999_999_999), (value) => {
        expect(numberText(value.toExponential())).toBe(String(value));
        expect(numberText(`${value}.0`)).toBe(String(value));
      }),
    );
  });
});

describe("a date", () => {
  it.each([
    ["1", "1900-01-01"],
    ["59", "1900-02-28"],
    ["60", "1900-02-29"],
    ["61", "1900-03-01"],
    ["0", "1900-01-00"],
    ["2958465", "9999-12-31"],
    ["45658.999999999", "2025-01-02"],
    ["45658.25", "2025-01-01T06:00:00"],
    ["45658.0000116", "2025-01-01T00:00:01.002"],
  ])("of day %s in the 1900 system is %s", (serial, text) => {
    expect(dateText(serial, "date", false)).toBe(text);
  });

  it("is left as a number where there is no such date", () => {
    for (const serial of ["-1", "2958466", "1E+20", "n/a"]) {
      expect(cellNumber(serial, { kind: "date", digits: 0 }, false)).toBe(serial);
    }
    expect(dateText("0", "date", true)).toBe("1904-01-01");
    expect(dateText("1462", "date", true)).toBe(dateText("2924", "date", false));
  });

  it.each([
    ["General", "number"],
    ["0.00E+00", "number"],
    ['#,##0.00 "DM"', "number"],
    ['"Stand: "0', "number"],
    ["[Red]0.00", "number"],
    ["_-* #,##0.00\\ \\d_-", "number"],
    ["0.00;yyyy", "number"],
    ["@", "number"],
    ["mmm yyyy", "date"],
    ["[$-F800]dddd, mmmm dd, yyyy", "date"],
    ["mm:ss.0", "time"],
    ["hh:mm", "time"],
    ["m/d/yy h:mm", "datetime"],
    ["MMDDYYAM/PMDD", "datetime"],
    ["[mm]:ss", "elapsed"],
  ])("is made by the format %s: %s", (code, kind) => {
    expect(formatOf(code).kind).toBe(kind);
  });
});

describe("a workbook", () => {
  const sheets = [
    { name: "Config", state: "hidden", data: row("<c><v>1</v></c>") },
    { name: "Bestand & Preis", data: row("<c><v>2</v></c>") },
    { name: "Tabelle3", data: row("<c><v>3</v></c>") },
  ];

  it("gives the first sheet that people see, or the one that is named", async () => {
    const bytes = buildWorkbook({ sheets });
    expect((await readSheet(bytes)).rows[1]).toEqual(["2"]);
    expect((await readSheet(bytes, { sheet: "tabelle3" })).rows[1]).toEqual(["3"]);
    expect((await readSheet(bytes, { sheet: "Config" })).rows[1]).toEqual(["1"]);
    expect(await listSheets(bytesSource(bytes))).toEqual([
      { name: "Config", hidden: true },
      { name: "Bestand & Preis", hidden: false },
      { name: "Tabelle3", hidden: false },
    ]);
  });

  it("without the sheet that is asked for says which it has", async () => {
    const { failure } = await readSheet(buildWorkbook({ sheets }), { sheet: "Prices", name: "a.xlsx" });
    expect(failure?.sentence).toBe(
      "The workbook “a.xlsx” has no sheet “Prices” (found: “Config”, “Bestand & Preis”, “Tabelle3”).",
    );
  });

  it("is read however its parts are named, prefixed, encoded and cut into blocks", async () => {
    const sheet = { name: "a", data: "" };
    const data = '<x:row r="1"><x:c r="A1" t="inlineStr"><x:is><x:t>Größe</x:t></x:is></x:c></x:row>';
    const prefixed = buildWorkbook({ sheets: [{ ...sheet, data }], prefix: "x:" });
    const xml = `<?xml version="1.0" encoding="UTF-16"?><worksheet><!-- a > b --><sheetData>${data.replaceAll("x:", "")}</sheetData></worksheet>`;
    const utf16 = buildWorkbook({
      sheets: [{ ...sheet, xml: Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(xml, "utf16le")]) }],
    });
    const latin = buildWorkbook({
      sheets: [{ ...sheet, xml: Buffer.from(xml.replace("UTF-16", "ISO-8859-1"), "latin1") }],
    });
    const windows = buildWorkbook({
      sheets: [{ ...sheet, data: data.replaceAll("x:", "") }],
      rename: (path) => path.replaceAll("/", "\\").replace("sheet1", "Sheet1"),
    });
    for (const bytes of [prefixed, utf16, latin, windows]) {
      for (const size of [1, 7, 65_536]) {
        const source = watchedSource(bytes, size);
        expect((await readSheet(source)).rows).toEqual({ 1: ["Größe"] });
        expect(source.open()).toBe(0);
      }
    }
  });

  it("that is not compressed reaches the reader of XML byte by byte, and says the same", async () => {
    const data = `<row r="1" x='a>b'><c r="A1" t="inlineStr"><is><t>a&#10;\r\nb&amp;&#x20AC;</t></is></c><!-- - -- > --><c r="C1" t="str"><f>"&lt;"</f><v><![CDATA[]]]>€</v></c><c r="D1"><v>1</v><?x ?></c></row>`;
    const stored = workbookParts({ sheets: [{ name: "a", data }] }).map((part) => ({ ...part, method: 0 }));
    for (const size of [1, 2, 7, 65_536]) {
      const { rows, failure } = await readSheet(watchedSource(buildZip({ entries: stored }), size));
      expect([rows, failure]).toEqual([{ 1: ["a\n\nb&€", "", "]€", "1"] }, undefined]);
    }
  });

  it("may have 10,000 columns and a cell of a megabyte", async () => {
    const wide = await firstRow("<c><v>1</v></c>".repeat(10_000));
    expect([wide?.length, wide?.[9_999]]).toEqual([10_000, "1"]);
    const text = "ä".repeat(1_000_000);
    expect(await firstRow(`<c t="inlineStr"><is><t>${text}</t></is></c>`)).toEqual([text]);
  });

  it("gives back any table of texts and numbers that is written into it", async () => {
    const text = fc
      .string({ unit: "binary", maxLength: 12 })
      .filter((t) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\r]|_x[0-9a-f]{4}_|[\ud800-\udfff\ufffe\uffff]/i.test(t));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(text, { maxLength: 4 }), { maxLength: 5 }), async (table) => {
        const strings: string[] = [];
        const data = table
          .map((cells) => {
            const written = cells.map((cell, i) => {
              if (i % 2) return `<c t="inlineStr"><is><t xml:space="preserve">${escapeXml(cell)}</t></is></c>`;
              strings.push(`<t xml:space="preserve">${escapeXml(cell)}</t>`);
              return `<c t="s"><v>${strings.length - 1}</v></c>`;
            });
            return `<row>${written.join("")}</row>`;
          })
          .join("");
        const { rows, failure } = await readSheet(watchedSource(oneSheet(data, { strings }), 777));
        expect(failure).toBeUndefined();
        const trimmed = table.map((cells) => cells.slice(0, cells.findLastIndex((c) => c !== "") + 1));
        expect(Object.values(rows)).toEqual(trimmed);
      }),
      { numRuns: 60 },
    );
  });

  it("hands out rows before it has read them all, and stops when its reader does", async () => {
    const data = Array.from(
      { length: 40_000 },
      (_, i) => `<row r="${i + 1}"><c><v>${i * 7919}</v></c><c t="inlineStr"><is><t>${i}</t></is></c></row>`,
    );
    const source = watchedSource(oneSheet(data.join("")));
    const whole = watchedSource(oneSheet(data.join("")));
    for await (const batch of sheetRows(source)) {
      expect(batch.rows.length).toBeLessThan(1_000);
      break;
    }
    expect(source.open()).toBe(0);
    expect(Object.keys((await readSheet(whole)).rows)).toHaveLength(40_000);
    expect(source.pulled()).toBeLessThan(whole.pulled() / 2);
  });
});

describe("a hostile workbook", () => {
  it("cannot have a document type: no entities are expanded, nothing is fetched", async () => {
    const doctype = '<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>';
    const bytes = buildWorkbook({ sheets: [{ name: "a", data: "" }], doctype });
    expect(await reasonOf(bytes)).toContain("declares a document type");
    expect(await reasonOf(oneSheet(row('<c t="inlineStr"><is><t>&a;</t></is></c>')))).toContain("does not define");
    expect(await reasonOf(oneSheet(row('<c t="inlineStr"><is><t>&#0;&#xD800;</t></is></c>')))).toContain(
      "does not define",
    );
  });

  it.each([
    ["rows out of order", `${row("", 2)}${row("", 1)}`, "rows of its sheet are not in order"],
    ["a row twice", `${row("", 2)}${row("", 2)}`, "rows of its sheet are not in order"],
    ["cells out of order", row('<c r="B1"/><c r="A1"/>'), "cells of its row 1 are not in order"],
    ["a cell twice", row('<c r="B1"/><c r="B1"/>'), "cells of its row 1 are not in order"],
    ["a cell of another row", row('<c r="A2"/>'), "out of place"],
    ["a cell of no place", row('<c r="17"/>'), "out of place"],
    ["a text that is missing", row('<c t="s"><v>9</v></c>'), "refers to a text that is missing"],
    ["a text number that is none", row('<c t="s"><v>-1</v></c>'), "refers to a text that is missing"],
    ["an unknown kind of cell", row('<c t="x"><v>9</v></c>'), "of no kind"],
    ["a row too many", row("", 1_048_577), "sheet-too-large"],
    ["a column too many", row('<c r="XFE1"/>'), "sheet-too-large"],
    ["tags that do not match", "<row></c></row>", "do not match"],
    ["tags that do not nest", "<row><c></row></c>", "do not match"],
    ["a tag cut off", '<row r="1', "not well formed"],
    ["a bare ampersand", row('<c t="inlineStr"><is><t>a & b</t></is></c>'), "does not define"],
    ["elements without end", "<a>".repeat(200), "nested too deeply"],
    ["a comment without end", "<!-- ", "ends too early"],
  ])("with %s is refused", async (_, data, reason) => {
    expect(await reasonOf(oneSheet(data))).toContain(reason);
  });

  it("with a long tag, a long text or many long texts meets a limit, not the end of memory", async () => {
    expect(await reasonOf(oneSheet(`<row ${"a".repeat(90_000)}`))).toContain("never ends");
    const long = `<t>${"x".repeat(600_000)}</t>`;
    expect(await reasonOf(oneSheet(row('<c t="s"><v>0</v></c>'.repeat(2)), { strings: [long] }))).toContain(
      "more text in one row than it may",
    );
    expect(await reasonOf(oneSheet("", { strings: [long, `<t>${"y".repeat(1_100_000)}</t>`] }))).toContain(
      "more text in one row",
    );
    const strings = Array.from({ length: 34 }, () => `<t>${"ü".repeat(500_000)}</t>`);
    const stored = workbookParts({ sheets: [{ name: "a", data: "" }], strings }).map((part) => ({
      ...part,
      method: 0,
    }));
    expect(await reasonOf(buildZip({ entries: stored }))).toContain("more different texts");
  });

  it("whose parts are missing, doubled or of another kind is refused", async () => {
    const spec: WorkbookSpec = { sheets: [{ name: "a", data: "" }] };
    expect(await reasonOf(buildWorkbook({ ...spec, rename: (p) => p.replace("sheet1", "sheet9") }))).toContain(
      "is missing",
    );
    expect(await reasonOf(buildWorkbook({ ...spec, rename: (p) => p.replace("workbook.xml", "w.xml") }))).toContain(
      "list of its sheets is missing",
    );
    expect(await reasonOf(buildWorkbook({ ...spec, extra: [{ name: "XL/Workbook.xml" }] }))).toContain(
      "two parts of the same name",
    );
    expect(
      await reasonOf(buildWorkbook({ sheets: [{ name: "a", data: "", xml: "<chartsheet></chartsheet>" }] })),
    ).toContain("has no cells part");
    expect(await reasonOf(buildWorkbook({ sheets: [] }))).toContain("sheet-missing");
    expect(
      await reasonOf(
        buildWorkbook({ sheets: [{ name: "a", data: "", xml: Buffer.from("<worksheet>\xff</worksheet>", "latin1") }] }),
      ),
    ).toContain("not text in the charset");
  });

  it("cut at any byte is refused, and nothing short comes out of it", async () => {
    const bytes = oneSheet(Array.from({ length: 500 }, (_, i) => row(`<c><v>${i}</v></c>`, i + 1)).join(""));
    for (let length = 0; length < bytes.byteLength; length += 41) {
      expect((await readSheet(bytes.subarray(0, length))).failure?.code).toBe("file-corrupt");
    }
  });

  it("damaged at any byte is read the same or refused", async () => {
    const bytes = oneSheet(row("<c><v>42</v></c><c><v>43</v></c>"), { strings: ["<t>a</t>"] });
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const hurt = Buffer.from(bytes);
      hurt[at]! ^= 0x15;
      const read = await readSheet(hurt);
      if (!read.failure) expect(read.rows).toEqual({ 1: ["42", "43"] });
    }
  });
});

describe("an escape in a text of a workbook", () => {
  it.each(["a_x0000_b", "_xD83D_", "_xDE00__xD83D_"])(
    "(%s) that stands for no character stays as it is written",
    async (text) => {
      const { rows } = await readSheet(
        oneSheet(`<row r="1"><c r="A1" t="inlineStr"><is><t>${text}</t></is></c></row>`),
      );
      expect(rows[1]).toEqual([text]);
    },
  );

  it("for both halves of a character is that character", async () => {
    const { rows } = await readSheet(
      oneSheet('<row r="1"><c r="A1" t="inlineStr"><is><t>_xD83D__xDE00_</t></is></c></row>'),
    );
    expect(rows[1]).toEqual(["😀"]);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { oneSheet } from "../parse/sheet/fixtures.ts";
import { jsonOf, mailfeed } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "mailfeed-sniff-"));
afterAll(() => rmSync(folder, { recursive: true }));

const fileOf = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const stock = fileOf("stock.csv", "Stock report\nsku;qty;at\nA1;3;01/02/2024\nA2;4;03/04/2024\nTotal;7\n");
const empty = fileOf("empty.csv", "");

describe.concurrent("sniff", () => {
  it("says with --json what a file looks like, in the documented shape", async () => {
    const ran = await mailfeed("sniff", stock, "--json");
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(jsonOf(ran)).toMatchObject([
      {
        file: stock,
        charset: "utf-8",
        bom: false,
        delimiter: ";",
        quote: '"',
        escape: null,
        recordDelimiter: "\n",
        header: true,
        columns: ["sku", "qty", "at"],
        columnCount: 3,
        rows: 2,
        preamble: ["Stock report"],
        footer: ["Total;7"],
        types: [{ type: "text" }, { type: "integer" }, { type: "date" }],
        undecided: [{ what: "dateOrder", column: "at", assumed: null }],
        problems: { count: 0, first: [] },
      },
    ]);
  });

  it("says the same to people, with its evidence and its questions", async () => {
    const { stdout } = await mailfeed("sniff", stock);
    expect(stdout).toContain("2 rows of 3 columns");
    expect(stdout).toContain("the semicolon divides 3 of 4 rows");
    expect(stdout).toContain("undecided: dateOrder of at");
  });

  it("of several files prints one line each, also for the one that cannot be read: exit code 2", async () => {
    const ran = await mailfeed("sniff", empty, stock, "--json");
    expect(ran.code).toBe(2);
    expect(jsonOf(ran)).toMatchObject([
      { file: empty, error: { code: "file-empty" } },
      { file: stock, rows: 2 },
    ]);
  });

  it("names a charset that is not read", async () => {
    const wide = new Uint8Array([..."a,b\n1,2\n"].flatMap((c) => [0, 0, 0, c.charCodeAt(0)]));
    const ran = await mailfeed("sniff", fileOf("wide.csv", wide), "--json");
    expect(jsonOf(ran)).toMatchObject([{ error: { code: "charset-unsupported" }, charset: "utf-32be" }]);
  });
});

describe.concurrent("rows of a layout that is detected", () => {
  it("are the table's: header first, without titles and totals", async () => {
    const ran = await mailfeed("rows", stock, "--ndjson");
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(jsonOf(ran)).toEqual([
      ["sku", "qty", "at"],
      ["A1", "3", "01/02/2024"],
      ["A2", "4", "03/04/2024"],
    ]);
    expect(jsonOf(await mailfeed("rows", stock, "--data"))).toHaveLength(2);
  });

  it("that do not fit are printed and told: exit code 1", async () => {
    const short = fileOf("short.csv", "sku;qty;at\nA1;3;x\nA2;4\nA3;5;y\n");
    const ran = await mailfeed("rows", short);
    expect([ran.code, ran.stderr]).toEqual([1, "Line 3 has 2 cells where the table has 3 columns.\n"]);
    expect(jsonOf(ran)).toHaveLength(4);
  });

  it("of several files are one line each", async () => {
    const ran = await mailfeed("rows", stock, empty, "--data");
    expect(ran.code).toBe(2);
    const wanted = [
      ["A1", "3", "01/02/2024"],
      ["A2", "4", "03/04/2024"],
    ];
    expect(jsonOf(ran)).toMatchObject([
      { file: stock, rows: wanted },
      { file: empty, error: { code: "file-empty" } },
    ]);
  });

  it("in the text of a mail are those of its table: greeting and signature are none", async () => {
    const letter = "Hello,\r\n\r\nsku;qty\r\n001;2\r\n002;3\r\n\r\n-- \r\nAnna Example\r\nExample Ltd; Sales\r\n";
    const mail = fileOf("letter.eml", `From: a@erp.example\r\nTo: b@erp.example\r\nSubject: stock\r\n\r\n${letter}`);
    const ran = await mailfeed("rows", mail);
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(jsonOf(ran)).toEqual([
      ["sku", "qty"],
      ["001", "2"],
      ["002", "3"],
    ]);
  });

  it("of a file that cannot be read are refused in one sentence: exit code 2", async () => {
    const ran = await mailfeed("rows", fileOf("open.csv", 'a,b\n1,"x\n2,y\n'), "--json");
    expect([ran.code, jsonOf(ran)]).toMatchObject([2, [{ error: { code: "unclosed-quote" } }]]);
  });
});

describe.concurrent("a file that is no text", () => {
  const cell = (place: string, value: string) => `<c r="${place}" t="inlineStr"><is><t>${value}</t></is></c>`;
  const book = fileOf(
    "stock.xlsx",
    oneSheet(
      `<row r="1">${cell("A1", "Stock report")}</row><row r="3">${cell("A3", "sku")}${cell("B3", "qty")}</row><row r="4">${cell("A4", "0012")}<c r="B4"><v>7</v></c></row><row r="6">${cell("A6", "A2")}</row><row r="7">${cell("A7", "A3")}<c r="B7" t="e"><v>#N/A</v></c></row>`,
    ),
  );
  const list = fileOf("stock.json", '[{"sku":"0012","qty":7},{"sku":"A2","at":"2026-11-20"}]');
  const lines = fileOf("stock.ndjson", '{"sku":"0012"}\n{"sku":\n{"sku":"A2"}\n');
  /** What only a text has. */
  const NONE = { charset: null, bom: false, delimiter: null, quote: null, escape: null, dialect: null, footer: [] };

  it("is sniffed in the same shape, with nothing where only a text has something", async () => {
    const ran = await mailfeed("sniff", book, list, lines, stock, "--json");
    expect(ran.code).toBe(0);
    const found = jsonOf(ran) as Record<string, unknown>[];
    expect(found).toMatchObject([
      {
        ...NONE,
        kind: "sheet",
        header: true,
        columns: ["sku", "qty"],
        columnCount: 2,
        rows: 3,
        preamble: ["Stock report", ""],
        types: [{ type: "identifier" }, { name: "qty" }],
        problems: { count: 1, first: [{ code: "cell-error", line: 7 }] },
      },
      { ...NONE, kind: "json", columns: ["sku", "qty", "at"], rows: 2, problems: { count: 0 } },
      { ...NONE, kind: "json", rows: 3, problems: { count: 1, first: [{ code: "broken-record", line: 2 }] } },
      { kind: "delimited", charset: "utf-8" },
    ]);
    const keys = found.map((one) => Object.keys(one).sort());
    expect(keys[0]).toEqual(keys[3]);
    expect(keys[1]).toEqual(keys[3]);
  });

  it("has its rows printed as those of a text: header first, filled to one width", async () => {
    const sheet = await mailfeed("rows", book);
    expect([sheet.code, jsonOf(sheet)]).toEqual([
      1,
      [
        ["sku", "qty"],
        ["0012", "7"],
        ["A2", ""],
        ["A3", "#N/A"],
      ],
    ]);
    expect(sheet.stderr).toContain("In row 7 the cell of column 2 holds an error.");
    const json = await mailfeed("rows", list, "--data");
    expect([json.code, jsonOf(json)]).toEqual([
      0,
      [
        ["0012", "7", ""],
        ["A2", "", "2026-11-20"],
      ],
    ]);
  });
});

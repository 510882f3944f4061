import { describe, expect, it } from "vitest";
import { detectTable } from "../../../src/parse/detect/detect.ts";
import { sampleOf } from "../../../src/parse/detect/sample.ts";
import { profileOf, question, read } from "./support.ts";

describe("the header", () => {
  it("rows with a blank cell at the start of a table without a header are rows, no titles", async () => {
    const { profile, rows } = await read("55972;\n67881;\n70881;\n51556;2017-02-25\n51557;2017-02-26\n");
    expect(profile.preamble).toEqual([]);
    expect(rows.map((row) => row[0])).toEqual(["55972", "67881", "70881", "51556", "51557"]);
  });

  it.each([
    ["names over numbers", "sku,qty\nA1,3\nA2,4\n", true],
    ["numbers over numbers", "1,3\n2,4\n5,6\n", false],
    ["years over numbers", "Timber,2000,2001,2002\nOak,12,13,14\nElm,22,23,24\n", true],
    ["names over codes of one shape", "key\nA-1001\nA-1002\nA-1003\n", true],
    ["a value that comes again below", "open,x\nclosed,y\nopen,z\nopen,x\n", false],
  ])("%s", (_, text, header) => {
    expect(profileOf(text).header).toBe(header);
  });

  it("of texts over texts is asked about", () => {
    expect(question(profileOf("Grant,Dyer\nCherokee,Shields\nDestiny,Shannon\n"), "header")).toBeDefined();
  });

  it("may lack a name or have one too many: the rows are told", async () => {
    const { profile } = await read("one,two,three\n1,2,3,4\n1,2,3,4\n1,2,3,4\n");
    expect([profile.header, profile.columnCount, profile.misfits[0]?.line]).toEqual([true, 4, 1]);
  });

  it("that comes again in a joined file is no row", async () => {
    const { rows, reading } = await read("sku,qty\nA1,3\nsku,qty\nA2,4\n");
    expect([rows.length, reading.repeatedHeaders]).toEqual([2, 1]);
  });

  it("that comes again behind the byte order mark of the file joined on is no row", async () => {
    const { profile, rows, reading } = await read("sku,qty\nA1,3\n\ufeffsku,qty\nA2,4\n");
    expect([rows.length, reading.repeatedHeaders, profile.types[1]?.type]).toEqual([2, 1, "integer"]);
  });

  it("without the delimiter that every row ends with makes the table no wider", async () => {
    const { profile, rows } = await read("sku;qty\nA1;3;\nA2;4;\n");
    expect([profile.columnCount, profile.dialect.trailing, rows]).toEqual([
      2,
      true,
      [
        ["A1", "3"],
        ["A2", "4"],
      ],
    ]);
  });
});

describe("lines before and behind the table", () => {
  it("titles, also such that are filled up with empty cells", async () => {
    const { profile, header } = await read(
      "Stock report,,\nas of today,,\n\nsku,qty,price\nA1,3,1.5\nA2,4,2.5\nA3,5,3.5\n",
    );
    expect(profile.preamble).toEqual(["Stock report,,", "as of today,,", ""]);
    expect(header).toEqual(["sku", "qty", "price"]);
  });

  it("a line of its own before the header, with another number of cells", async () => {
    const { profile, header } = await read('"EXTF";700;"x";2018\nkonto;text;betrag\n400;"a";1,50\n401;"b";2,50\n');
    expect([profile.preamble.length, header]).toEqual([1, ["konto", "text", "betrag"]]);
  });

  it("remarks, wherever they stand", async () => {
    const { profile, rows } = await read("# made by X\na;b\n# half\n1;3\n6;7\n# end\n");
    expect(profile.dialect.comment).toBe("#");
    expect(rows).toEqual([
      ["1", "3"],
      ["6", "7"],
    ]);
  });

  it.each([
    ["a total", "sku;qty;price\nA1;3;1,50\nA2;4;2,50\nTotal;7\n", ["Total;7"]],
    ["a total with empty cells", "sku;qty;price\nA1;3;1,50\nA2;4;2,50\nSumme;7;\n", ["Summe;7;"]],
    ["a trailer with the number of rows", "A1;3;1,50\nA2;4;2,50\nA3;4;2,50\nT;0003\n", ["T;0003"]],
    ["a remark behind a blank line", "sku;qty\nA1;3\nA2;4\n\nEnd of report\n", ["End of report"]],
  ])("%s", async (_, text, footer) => {
    const { profile, rows, reading } = await read(text);
    expect(profile.footer).toEqual(footer);
    expect(reading.footer).toHaveLength(1);
    expect(rows.every((row) => row[0]?.startsWith("A"))).toBe(true);
  });

  it("a last row that is short is no footer: so ends a file that was cut off", async () => {
    const { profile, reading } = await read("sku;qty;price\nA1;3;1,50\nA2;4;2,50\nA3;4\n");
    expect([profile.footer, reading.misfits]).toEqual([[], 1]);
    expect(profile.misfits[0]).toMatchObject({ code: "missing-cells", line: 4 });
  });

  it("the footer of a file larger than the sample", async () => {
    const { profile, rows } = await read(`sku;qty;price\n${"A1;3;1,50\n".repeat(60_000)}Total;180000\n`);
    expect([profile.footer, rows.length]).toEqual([["Total;180000"], 60_000]);
  });
});

describe("a last row of totals that is as full as the others", () => {
  const rows = Array.from({ length: 30 }, (_, i) => `A${i};5`).join("\n");
  const names = ["Nord", "Süd", "West"].map((name) => `${name} am Meer;7`).join("\n");

  it.each([
    ["the exact sum", `sku;qty\n${rows}\nGesamt;150\n`, "footer", 30],
    ["the exact sum of numbers with thousands", "sku;qty\nA;1.200,50\nB;300,25\nTotaal;1.500,75\n", "footer", 2],
    ["the exact sum below texts", `ort;qty\n${names}\nTotaux;21\n`, "footer", 3],
    ["a word among codes, with another number", `sku;qty\n${rows}\nTotale;149\n`, "data", 31],
    ["the number of rows", `ort;qty\n${names}\nSuma;3\n`, "data", 4],
    ["the exact sum before a count", `sku;qty\n${rows}\nSumme;150\n\n30 rows selected\n`, "footer", 30],
  ])("is asked about: %s", async (_, text, assumed, count) => {
    const read_ = await read(text);
    expect(question(read_.profile, "footer")?.assumed).toBe(assumed);
    expect([read_.rows.length, read_.profile.footer.length > 0]).toEqual([count, assumed === "footer"]);
  });

  it("is none where nothing but a word of a name says so", () => {
    expect(question(profileOf(`firma;qty\nTotal Wine;3\n${names}\nTotal Energies;8\n`), "footer")).toBeUndefined();
    expect(question(profileOf(`firma;qty\n${names}\nTotally;21\n`), "footer")).toBeUndefined();
  });

  it("is not asked again, and is what was answered", () => {
    const text = new TextEncoder().encode(`sku;qty\n${rows}\nGesamt;150\n`);
    const answered = (answer: string) => detectTable(sampleOf(text), [{ what: "footer", answer }]);
    expect([answered("data").rows.length, answered("data").profile.undecided]).toEqual([31, []]);
    expect([answered("footer").rows.length, answered("footer").profile.undecided]).toEqual([30, []]);
  });
});

describe("a line about the file that is as wide as the table", () => {
  it("stands before the header", async () => {
    const { profile, header, rows } = await read("Export;2026-01-01\nsku;qty\nA1;5\nA2;6\nA3;7\n");
    expect([profile.preamble, header, rows.length]).toEqual([["Export;2026-01-01"], ["sku", "qty"], 3]);
    expect(profile.types[1]?.type).toBe("integer");
  });

  it.each([
    ["names with a year in them above units", "item;2024;2025\nunit;kg;piece\nA;1;2\nB;3;4\n"],
    ["names above texts", "sku;qty\ncode;amount\nA1;5\nA2;6\n"],
    ["names above data that begins with a text", "Filiale;2024\nBerlin;unbekannt\nRom;7\nParis;8\n"],
  ])("is not: %s", (_, text) => {
    expect(profileOf(text).preamble).toEqual([]);
  });
});

describe("rulers that a report draws", () => {
  const spool = [
    "ITEM_NO    DESCRIPTION               QTY",
    "---------- ------------------ ----------",
    ...Array.from(
      { length: 30 },
      (_, i) => `${String(i).padStart(8, "0")}   ${`BOLT M${i}`.padEnd(18)} ${String(i * 7).padStart(10)}`,
    ),
  ].join("\n");

  it("below the header of fixed width is no row and makes no column text", async () => {
    const { profile, header, rows } = await read(`${spool}\n`);
    expect([header?.[0], rows.length, profile.types.map(({ type }) => type)]).toEqual([
      "ITEM_NO",
      30,
      ["identifier", "text", "integer"],
    ]);
  });

  it("and blank lines between pages of fixed width are no rows", async () => {
    const [header, ruler, ...lines] = spool.split("\n");
    const pages = [header, ruler, ...lines.slice(0, 15), "", header, ruler, ...lines.slice(15), ""];
    const { rows, reading } = await read(`${pages.join("\n")}\n`);
    expect([rows.length, reading.misfits, reading.repeatedHeaders]).toEqual([30, 0, 1]);
  });

  it.each([
    [
      "of the page",
      "------------------\n|Matnr |Qty  |\n------------------\n|A00001|   10|\n|A00002|   20|\n|A00003|   30|\n------------------\n",
    ],
    [
      "between bars",
      "|Matnr |Qty  |\n|------|-----|\n|A00001|   10|\n|A00002|   20|\n|------|-----|\n|A00003|   30|\n|------------|\n",
    ],
    ["cut like the rows", "Matnr;Qty\n------;-----\nA00001;10\nA00002;20\nA00003;30\n"],
    ["of equal signs", "Matnr;Qty\n==========\nA00001;10\nA00002;20\nA00003;30\n"],
  ])("%s are no rows", async (_, text) => {
    const { profile, rows } = await read(text);
    expect([rows.length, profile.misfits.length]).toEqual([3, 0]);
    expect(profile.types.find(({ name }) => name?.startsWith("Qty"))?.type).toBe("integer");
  });

  it("dashes that stand for no value are a row's", async () => {
    expect((await read("Matnr;Qty\n---;---\nA2;20\nA3;30\n")).rows).toHaveLength(3);
    expect((await read("Matnr;Qty\n--------;3\nA2;20\n------;-----\nA3;30\n")).rows).toHaveLength(4);
  });
});

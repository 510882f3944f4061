import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Bytes, literal } from "../../../src/parse/table/bytes.ts";
import { CellFault, isPlain } from "../../../src/parse/table/cell.ts";
import { compileColumn } from "../../../src/parse/table/columns.ts";
import { bindColumns } from "../../../src/parse/table/layout.ts";
import { RecordBuilder } from "../../../src/parse/table/records.ts";
import { tableFeed } from "./support.ts";

const decoded = (bytes: Bytes): string =>
  new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.all.subarray(0, bytes.length));
const unit = fc.constantFrom(
  "a",
  " ",
  "\t",
  "~",
  "\u007f",
  "\u0080",
  "\u009f",
  "\u00a0",
  "ü",
  "߿",
  "ࠀ",
  "€",
  "\ud7ff",
  "\ue000",
  "𝄞",
  "\ud800",
  '"',
  "\\",
  "\n",
  "\u0001",
  "\ufeff",
);
const cell = fc.string({ unit, maxLength: 6 });

describe("bytes written in the hot loop", () => {
  it("are the UTF-8 of TextEncoder, for short texts and long ones", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, fc.constantFrom(1, 100)), { maxLength: 5 }), (parts) => {
        const bytes = new Bytes();
        const texts = parts.map(([text, times]) => text.toWellFormed().repeat(times));
        for (const text of texts) bytes.text(text);
        expect(decoded(bytes)).toBe(texts.join(""));
      }),
    );
  });

  it("are written in one pass exactly for plain texts, and otherwise not at all", () => {
    fc.assert(
      fc.property(cell, (text) => {
        const bytes = new Bytes();
        bytes.text("before");
        expect(bytes.plainText(text)).toBe(isPlain(text));
        expect(decoded(bytes)).toBe(isPlain(text) ? `before${text}` : "before");
      }),
      { numRuns: 2_000 },
    );
  });

  it("keep what stands before them when the buffer grows, and fixed texts end where they end", () => {
    const bytes = new Bytes();
    const name = literal(',"näme":');
    let expected = "";
    for (let i = 0; i < 20_000; i++) {
      bytes.literal(name);
      bytes.text(String(i));
      bytes.byte(0x2c);
      expected += `,"näme":${i},`;
    }
    expect(decoded(bytes)).toBe(expected);
  });
});

describe("records", () => {
  it("hold in every column what its parser says, though plain cells go past it", () => {
    const feed = tableFeed({
      columns: [
        { name: "id", source: { header: "Id" }, type: "identifier" },
        { name: "text", source: { header: "Text" }, type: "text", maxLength: 4 },
        { name: "raw", source: { header: "Raw" }, type: "text", trim: false, blank: "reject" },
        { name: "code", source: { header: "Code" }, type: "identifier", maxLength: 3 },
        { name: "count", source: { header: "Count" }, type: "integer" },
      ],
    });
    const cells = ["Id", "Text", "Raw", "Code", "Count"];
    const builder = new RecordBuilder(bindColumns(feed, [], { cells, line: 1 }));
    const parsers = feed.columns.map((column) =>
      compileColumn(column, { label: column.name, isKey: column.name === "id" }),
    );
    const row = fc.tuple(fc.constantFrom("A1", " A2 "), cell, cell, cell, fc.constantFrom("7", "", "x"));
    let built = 0;
    fc.assert(
      fc.property(row, (values) => {
        const out = new Bytes();
        const faults = builder.build(values, 1, out);
        const results = parsers.map(({ parse, quoted }, i) => {
          const result = parse(values[i]!);
          if (result instanceof CellFault || result == null) return result;
          return JSON.parse(quoted ? `"${result}"` : result) as unknown;
        });
        const wrong = results.filter((result) => result instanceof CellFault);
        expect(faults?.map((fault) => fault.report.code) ?? []).toEqual(wrong.map((fault) => fault.code));
        if (faults !== null) return;
        built++;
        expect(JSON.parse(decoded(out))).toEqual(
          Object.fromEntries(feed.columns.map((column, i) => [column.name, results[i]])),
        );
      }),
      { numRuns: 3_000 },
    );
    expect(built).toBeGreaterThan(100);
  });
});

import fc from "fast-check";
import Papa from "papaparse";
import { describe, expect, it } from "vitest";
import { csvCell, csvLine } from "../../src/api/routes/csv.ts";

describe("a cell of a CSV download", () => {
  it.each([
    ["=1+1", `"'=1+1"`],
    ["+1", `"'+1"`],
    ["-12.50", `"'-12.50"`],
    ["@SUM(A1)", `"'@SUM(A1)"`],
    ["\tx", `"'\tx"`],
    ["\r=1", `"'\r=1"`],
    ["  =1", `"'  =1"`],
    ["\ufeff=1", `"'\ufeff=1"`],
    ["＝1", `"'＝1"`],
    ["a=1", `"a=1"`],
    ['say "x"', `"say ""x"""`],
    ["", `""`],
  ])("%j is written %j", (value, cell) => {
    expect(csvCell(value)).toBe(cell);
  });

  it("never begins a formula, and reads back as what it was but for one apostrophe", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 2, maxLength: 5 }), (cells) => {
        const [read = []] = Papa.parse<string[]>(csvLine(cells), { delimiter: ",", newline: "\r\n" }).data;
        expect(read).toHaveLength(cells.length);
        for (const [i, cell] of read.entries()) {
          expect(cell.trimStart()).not.toMatch(/^[=+\-@＝＋－＠]/);
          expect([cells[i], `'${cells[i]}`]).toContain(cell);
        }
      }),
    );
  });
});

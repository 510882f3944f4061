import { describe, expect, it } from "vitest";
import { tableFeed } from "./support.ts";

const id = { name: "id", source: { header: "Id" }, type: "identifier" as const };
const source = { header: "X" };

describe("what an adapter cannot say of a table", () => {
  it.each([
    ["a date without a day", { name: "x", source, type: "date" as const, format: "yyyy-MM" }, "dd or d"],
    ["a date with two months", { name: "x", source, type: "date" as const, format: "yyyy-MM-M-dd" }, "MM or M"],
    ["a datetime without an hour", { name: "x", source, type: "datetime" as const, format: "yyyy-MM-dd" }, "HH"],
    [
      "an optional part without a literal",
      { name: "x", source, type: "datetime" as const, format: "yyyyMMddHH[mm]" },
      "[ ]",
    ],
    [
      "an optional part that is not closed",
      { name: "x", source, type: "datetime" as const, format: "yyyyMMddHH[.f" },
      "[ ]",
    ],
    [
      "a group mark that is the decimal mark",
      { name: "x", source, type: "decimal" as const, groupMark: "." as const },
      "decimal mark",
    ],
    [
      "a scale beyond the precision",
      { name: "x", source, type: "decimal" as const, precision: 2, scale: 3 },
      "precision",
    ],
  ])("%s", (_what, column, message) => {
    expect(() => tableFeed({ columns: [id, column] })).toThrow(message);
  });

  it.each([
    ["a line end as delimiter", { delimiter: "\n" }],
    ["its quotation mark as delimiter", { delimiter: '"' }],
    ["a line end as record delimiter, which is called line", { recordDelimiter: "\r\n", quote: "none" as const }],
  ])("%s", (_what, file) => {
    expect(() => tableFeed({ file })).toThrow(/delimiter/i);
  });

  it("and what it can", () => {
    const formats = ["yyyy-MM-dd HH:mm:ss[.f]", "yyyyMMddHHmm", "d.M.yyyy HH:mm", "yyyy-MM-ddTHH:mm:ss.SSS000000"];
    for (const format of formats) tableFeed({ columns: [id, { name: "x", source, type: "datetime", format }] });
    tableFeed({ columns: [id, { name: "x", source, type: "decimal", decimalMark: ",", groupMark: "." }] });
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bodyTable } from "../../../src/parse/open/body-table.ts";

const TABLE = "sku;qty\nA1;5\nA2;7";
const kinds = (text: string) => bodyTable(text).others.map((o) => o.kind);
const rows = (text: string) => bodyTable(text).rows?.text;

describe("the table in the text of a mail", () => {
  it("is all of a text that is nothing else", () => {
    for (const text of [TABLE, `${TABLE}\n`, `\n\n${TABLE}\r\n\r\n`]) {
      expect(rows(text)).toBe(TABLE);
      expect(bodyTable(text)).toMatchObject({ others: [], undecided: [] });
    }
  });

  it("ends at the signature mark, whatever stands behind it", () => {
    for (const mark of ["-- ", "--"]) {
      const text = `${TABLE}\n\n${mark}\nACME GmbH; Hauptstr. 1\nsupport;desk`;
      expect(bodyTable(text)).toMatchObject({
        rows: { from: 1, to: 4, text: TABLE },
        others: [{ from: 5, to: 8, kind: "signature", evidence: "--" }],
        undecided: [],
      });
    }
  });

  it("has no greeting, closing or disclaimer in it, in several languages", () => {
    const text = `Sehr geehrte Damen und Herren,\n\nanbei der Bestand.\n\n${TABLE}\n\nMit freundlichen Grüßen\nIhr ERP\n\nDiese E-Mail ist vertraulich.`;
    expect(rows(text)).toBe(TABLE);
    expect(kinds(text)).toEqual(["greeting", "closing"]);
    expect(bodyTable(text).undecided).toEqual([]);
    const english = `Hello,\n\n${TABLE}\n\n________________\nThis message is intended only for the addressee; it is confidential.`;
    expect(rows(english)).toBe(TABLE);
    expect(kinds(english)).toEqual(["greeting", "disclaimer"]);
  });

  it("has no quoted reply and no forwarded mail in it", () => {
    const quoted = `${TABLE}\n\nOn Mon, 16 Nov 2026 at 06:00, Bob <bob@x.example> wrote:\n> sku;qty\n> A1;4`;
    expect(rows(quoted)).toBe(TABLE);
    expect(kinds(quoted)).toEqual(["quoted"]);
    const forwarded = `${TABLE}\n\n-----Original Message-----\nFrom: x\n\nsku;qty\nB1;5`;
    expect(rows(forwarded)).toBe(TABLE);
    expect(kinds(forwarded)).toEqual(["forwarded"]);
    expect(rows(`${TABLE}\n> sku;qty;x\n> and so on`)).toBe(TABLE);
  });

  it("may have tabs, pipes and commas between its cells, and blank lines inside", () => {
    for (const delimiter of ["\t", "|", ","]) {
      const table = TABLE.replaceAll(";", delimiter).replace("\nA2", "\n\nA2");
      expect(rows(`Hi,\n\n${table}\n\nRegards\nERP`)).toBe(table);
    }
  });

  it("keeps what may be a row, and says what it does not know", () => {
    for (const [text, question] of [
      [`Bestand 20.11.2026\n${TABLE}`, "lines 1 to 1 may be a title or rows"],
      [`${TABLE}\nEnde der Liste`, "line 4 may be a row or not"],
      [`${TABLE}\nthanks\nA3;9`, "rows may follow behind line 4"],
      [`${TABLE}\nA3;9;note`, "line 4 may be a row or not"],
    ] as const) {
      expect(rows(text)).toBe(text);
      expect(bodyTable(text).undecided[0]).toBe(question);
    }
  });

  it("is not there where no lines agree", () => {
    expect(bodyTable("Please find the file attached.\n\nRegards\nBob")).toMatchObject({
      rows: undefined,
      undecided: ["no lines with the same separator follow each other"],
    });
    expect(bodyTable("Dear Sir, hello,\nthe file, as agreed, will come.\n\nThanks, Bob").rows).toBeUndefined();
    expect(bodyTable("")).toEqual({ rows: undefined, others: [], undecided: [] });
  });

  it("does not take a row for a signature because a value looks like one", () => {
    const table = "sku;name\nA1;Thanks\nThanks;A2\n--;A3\nconfidential;A4";
    expect(rows(table)).toBe(table);
    expect(kinds(table)).toEqual([]);
  });

  it("never loses a row without a reason: rows and other ranges cover every line that is not blank", () => {
    const line = fc.constantFrom(
      "sku;qty",
      "A1;5",
      "",
      "Hello,",
      "Regards",
      "-- ",
      "> A1;5",
      "confidential",
      "free text",
      "a,b",
      "_____",
      "On Mon, 1 Jan 2026 Bob wrote:",
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 14 }), (lines) => {
        const { rows: found, others, undecided } = bodyTable(lines.join("\n"));
        if (!found) return;
        const covered = new Set<number>();
        for (const { from, to } of [found, ...others]) {
          for (let i = from; i < to; i += 1) {
            expect(covered.has(i)).toBe(false);
            covered.add(i);
          }
        }
        lines.forEach((text, i) => {
          if (text.trim() !== "") expect([covered.has(i + 1), undecided]).toEqual([true, undecided]);
        });
      }),
      { numRuns: 500 },
    );
  });

  it("is found in linear time, also in a text of a megabyte", () => {
    for (const text of [
      "a;b\n".repeat(250_000),
      `${"x".repeat(1_000_000)};`,
      "\n".repeat(1_000_000),
      "> \n".repeat(300_000),
      `On ${"a".repeat(900_000)}`,
    ])
      expect(bodyTable(text)).toBeDefined();
  });
});

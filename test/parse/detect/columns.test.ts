import { describe, expect, it } from "vitest";
import { columnOf } from "../../../src/parse/detect/columns.ts";

const column = (...cells: string[]) => columnOf("c", "c", cells);
const typeOf = (...cells: string[]) => column(...cells).profile;

describe("dates", () => {
  it.each([
    [["2024-01-02", "2024-12-31"], "date", "yyyy-MM-dd"],
    [["31.12.2024", "01.02.2024"], "date", "dd.MM.yyyy"],
    [["12/31/2024", "1/2/2024"], "date", "M/d/yyyy"],
    [["31.12.24", "01.02.24"], "date", "dd.MM.yy"],
    [["20240102", "20241231", "20240630"], "date", "yyyyMMdd"],
    [["31-OCT-2023", "01-NOV-2023"], "date", "dd-MMM-yyyy"],
    [["3. März 2024", "28. Februar 2024"], "date", "d. MMMM yyyy"],
    [["2024-01-02T15:00:00Z", "2024-01-02T15:00:00+03:00"], "datetime", "yyyy-MM-dd'T'HH:mm:sszzz"],
    [["2/18/2008 02:36:48", "6/6/2008 05:00:16"], "datetime", "M/d/yyyy HH:mm:ss"],
    [["2022-05-25 10.39.15", "2022-05-26 11.00.00"], "datetime", "yyyy-MM-dd HH.mm.ss"],
    [["05:40", "21:30"], "time", "HH:mm"],
    [["02:15:00 PM", "12:00:00 AM"], "time", "hh:mm:ss a"],
  ])("%j are of the type %s, %s", (cells, type, format) => {
    expect(typeOf(...cells)).toMatchObject({ type, format });
  });

  it("of which every day is 12 or less are undecided, never guessed", () => {
    const { profile, undecided } = column("01/02/2024", "03/04/2024", "11/12/2024");
    expect(profile.type).toBe("date");
    expect(undecided).toMatchObject([{ what: "dateOrder", options: ["dd/MM/yyyy", "MM/dd/yyyy"], assumed: null }]);
  });

  it("with years of two digits may be read in three ways", () => {
    expect(column("01-02-03", "04-05-06").undecided[0]?.options).toHaveLength(3);
  });

  it.each([[["1.10", "2.20", "12.50"]], [["10.15", "12.50"]], [["9.45", "0.15"]]])(
    "in %j are prices, and whether they are times of day is asked",
    (cells) => {
      const { profile, undecided } = column(...cells);
      expect(profile).toMatchObject({ type: "decimal", decimalMark: "." });
      expect(undecided).toMatchObject([{ what: "type", options: ["decimal", "time"], assumed: "decimal" }]);
    },
  );

  it("with a zero before the hour are times of day", () => {
    expect(typeOf("07.10", "12.50")).toMatchObject({ type: "time", format: "HH.mm" });
  });

  it("are not seen in prices of which only most could be times", () => {
    const { undecided } = column("1.10", "2.20", "3.30", "4.75", "n/k");
    expect(undecided[0]?.options).toEqual(["decimal", "text"]);
  });

  it("that no calendar has are none", () => {
    expect(typeOf("31.02.2024", "30.02.2024", "99.99.2024").type).not.toBe("date");
  });
});

describe("numbers", () => {
  it.each([
    [["1", "20", "-3"], { type: "integer", sign: "leading" }],
    [["1.5", "2.25"], { type: "decimal", decimalMark: "." }],
    [["1,5", "2,25"], { type: "decimal", decimalMark: "," }],
    [["1.234,56", "12,00"], { type: "decimal", decimalMark: ",", groupMark: "." }],
    [["1,234.56", "1,000,000.00"], { type: "decimal", decimalMark: ".", groupMark: "," }],
    [["1 234,56", "12,00"], { type: "decimal", decimalMark: ",", groupMark: " " }],
    [["1'234.50", "12.00"], { type: "decimal", decimalMark: ".", groupMark: "'" }],
    [["1,234,567", "2,000,000"], { type: "integer", groupMark: "," }],
    [["12,50-", "3,00"], { type: "decimal", decimalMark: ",", sign: "trailing" }],
    [["(12.50)", "3.00"], { type: "decimal", sign: "parentheses" }],
    [["12.50 CR", "3.00 DR"], { type: "decimal", sign: "letters" }],
    [["12,50 €", "3,00 €"], { type: "decimal", unit: "€" }],
    [["0.123", "0.456"], { type: "decimal", decimalMark: "." }],
    [["1.5E-3", "2E+4"], { type: "decimal" }],
  ])("%j", (cells, expected) => {
    expect(column(...cells)).toMatchObject({ profile: expected, undecided: [] });
  });

  it("of which each may be thousands or decimals are undecided", () => {
    const { profile, undecided } = column("1.234", "23.824");
    expect(profile).not.toHaveProperty("decimalMark");
    expect(undecided).toMatchObject([{ what: "decimalMark", assumed: null }]);
  });

  it.each([
    ["leading zeros", ["00123", "00456"]],
    ["more digits than a number holds", ["4006381333931234567", "1234567890123456789"]],
    ["check digits", ["4006381333931", "4011200296908", "5901234123457"]],
    ["letters and digits", ["A-100", "B-200", "C-300"]],
  ])("that are names of things are identifiers: %s", (_, cells) => {
    expect(typeOf(...cells).type).toBe("identifier");
  });
});

describe("everything else", () => {
  it("booleans in several languages; one letter alone is none", () => {
    expect(typeOf("ja", "nein").type).toBe("boolean");
    expect(typeOf("Y", "N", "Y").type).toBe("boolean");
    expect(typeOf("Y", "Y").type).toBe("text");
  });

  it("words for no value are told and asked about, among numbers also a dash", () => {
    const { profile, undecided } = column("1", "-", "\\N", "4");
    expect(profile).toMatchObject({ type: "integer", nulls: ["-", "\\N"] });
    expect(undecided).toMatchObject([{ what: "null" }]);
    expect(typeOf("x", "-", "y").nulls).toEqual([]);
  });

  it("a column that is nearly of one type is a question with the odd value in it", () => {
    const { profile, undecided } = column("1", "2", "3r");
    expect(profile.type).toBe("text");
    expect(undecided).toMatchObject([{ what: "type", assumed: "text" }]);
    expect(undecided[0]?.reason).toContain("3r");
    const many = column(...Array.from({ length: 200 }, (_, i) => String(i)), "n.a.");
    expect(many).toMatchObject({ profile: { type: "integer" }, undecided: [{ what: "type", assumed: "integer" }] });
  });

  it("padded and blank cells are counted, and an empty column is one", () => {
    expect(typeOf(" 1", "2 ", "3", "")).toMatchObject({ type: "integer", padded: 2, blanks: 1 });
    expect(typeOf("", " ").type).toBe("empty");
  });
});

describe("values that contradict each other", () => {
  it.each([
    ["orders of day and month", ["13/04/2024", "12/25/2024", "01/01/2024"], "13/04/2024", "12/25/2024"],
    ["decimal marks", ["1.23", "2,50"], "1.23", "2,50"],
    ["places of the sign", ["-5", "5-"], "-5", "5-"],
    ["a date and a date with its time", ["2024-01-01", "2024-01-02 10:30"], "2024-01-01", "2024-01-02 10:30"],
  ])("%s: the column stays what it is, and two of them are told", (_, values, a, b) => {
    const { profile, undecided } = columnOf("d", "d", values);
    expect(["text", "identifier"]).toContain(profile.type);
    expect(undecided.map(({ what, assumed }) => [what, assumed])).toEqual([["type", profile.type]]);
    expect(undecided[0]?.reason).toContain(a);
    expect(undecided[0]?.reason).toContain(b);
  });

  it.each([1, 2, 3, 5, 250, 333, 499, 500])("are found behind %i that agree", (at) => {
    const agreeing = Array.from({ length: 500 }, (_, i) => `${i}.25`);
    const { undecided } = columnOf("d", "d", [...agreeing.slice(0, at), "7,25", ...agreeing.slice(at)]);
    expect(undecided[0]?.reason).toMatch(/“0\.25” and “7,25”/);
  });

  it("codes of letters and digits are none", () => {
    expect(columnOf("d", "d", ["ABC12", "XYZ13", "LOT14"]).undecided).toEqual([]);
  });
});

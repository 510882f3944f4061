/** What classes values fall into, which rows are looked at, and that days of one feed never drift while other feeds do. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../cli/samples/random.ts";
import { withCheckDigit } from "../../../cli/samples/text.ts";
import { classOf, fitterOf, inWords } from "../../../src/parse/match/classes.ts";
import { compareWithPinned, learnt } from "../../../src/parse/match/drift.ts";
import { observedIn, ShapeCollector } from "../../../src/parse/match/shape.ts";
import { tableFeed } from "../table/support.ts";

describe("the class of a value", () => {
  it.each([
    ["7", "integer 1-3"],
    ["-00012", "integer 4-6"],
    ["4006381333931", "integer 13+"],
    ["12.345.678", "integer 7-9"],
    ["1 234 567", "integer 7-9"],
    ["12.5", "decimal .1"],
    ["1.234,50", "decimal ,2 zeros"],
    ["€ 12.99", "decimal .2"],
    ["12.99-", "decimal .2"],
    ["(12.99)", "decimal .2"],
    ["1,250.75 EUR", "decimal .2"],
    ["2026-11-02", "date 9999-9-9"],
    ["2.1.26", "date 9.9.9"],
    ["02/11/2026 10:30", "datetime 9/9/9999"],
    ["2026-11-02T10:30:00.123Z", "datetime 9999-9-9"],
    ["03-Nov-2026", "date 9-Mon-9999"],
    ["10:30", "time"],
    ["A-10001", "code 1-15"],
    ["{6A72E9CA-9DAB-439A-BD3D-B8FFB6035534}", "code 31+"],
    ["A9A 9A9", "code 1-15"],
    ["4.00638E+12", "code 1-15"],
    ["EUR", "capitals"],
    ["Müller", "word"],
    ["Hex bolt M8 x 40", "text"],
    ["info@acme.example", "word"],
    ["info2@acme.example", "text"],
    ["<a><b/></a>", "markup"],
    ['{"a": 1}', "markup"],
    ["  7\t", "integer 1-3"],
  ])("%s is %s", (value, expected) => {
    expect(classOf(value)).toBe(expected);
    expect(inWords(expected)).not.toBe("");
  });

  it.each(["", "  ", "-", "***", "NULL", "\\N", "\ufeff"])("“%s” is no value", (value) => {
    expect(classOf(value)).toBeNull();
  });

  it("is found for any text whatever, fast, and each class goes with itself", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const found = classOf(text);
        if (found === null) return;
        const goes = fitterOf({ classes: { [found]: 1 }, values: 1, lengths: [0, 0] });
        expect(goes(found)).toBe(true);
        expect(inWords(found)).not.toContain("undefined");
      }),
      { numRuns: 2_000 },
    );
    const evil = ["1,".repeat(100_000), "1.1.".repeat(50_000), "(".repeat(100_000), `${"9 ".repeat(31)}x`];
    for (const text of evil) classOf(text);
  });
});

describe("the rows that are looked at", () => {
  const wantedOf = (rows: number): number[] => {
    const collector = new ShapeCollector();
    const wanted: number[] = [];
    for (let row = 1; row <= rows; row++) {
      if (!collector.wants(row)) continue;
      wanted.push(row);
      collector.row(["x"]);
    }
    return wanted;
  };

  it("are all of a small file, and a few thousand of the largest, from all of it", () => {
    expect(wantedOf(400)).toHaveLength(400);
    const wanted = wantedOf(5_000_000);
    expect(wanted.length).toBeGreaterThan(1_500);
    expect(wanted.length).toBeLessThan(3_000);
    expect(wanted.at(-1)).toBeGreaterThan(4_900_000);
  });

  it("follow from their numbers alone: a larger file begins as a smaller one", () => {
    const wanted = wantedOf(20_000);
    expect(wantedOf(10_000)).toEqual(wanted.filter((row) => row <= 10_000));
  });

  it("may be asked for twice, and one that is not as wide as the table counts nowhere", () => {
    const collector = new ShapeCollector();
    collector.header([" a ", "b"], 1);
    for (let row = 1; row <= 600; row++) {
      if (collector.wants(row) && collector.wants(row)) collector.row(row === 7 ? ["1"] : ["1", "x"], row + 1);
    }
    const { header, columns, lines } = collector.observed();
    expect(header).toEqual(["a", "b"]);
    expect(columns[0]?.shape?.classes).toEqual({ "integer 1-3": 1 });
    expect(columns[0]?.shape?.values).toBeLessThan(600);
    expect(lines).toHaveLength(4);
    expect(lines[1]).toEqual({ line: 2, text: "1;x" });
  });

  it("keep nothing of a file's text alive but what is shown", () => {
    const collector = new ShapeCollector("\t");
    collector.row(["y".repeat(100_000), "z"], 1);
    expect(collector.observed().lines[0]?.text.length).toBeLessThanOrEqual(300);
  });
});

// Columns as ERPs write them. What a day's file holds is drawn; the column stays the same column.
type Column = (draw: Random) => string;
const sometimes =
  (share: number, column: Column): Column =>
  (draw) =>
    draw.chance(share) ? column(draw) : "";
const money = (digits: number, mark: string): Column => {
  return (draw) => (draw.between(1, 900_000) / 100).toFixed(digits).replace(".", mark);
};
const COLUMNS: Readonly<Record<string, Column>> = {
  id: (draw) => String(draw.between(1, 99_999)),
  gtin: (draw) => withCheckDigit(draw.filled("299999999999")),
  sku: (draw) => draw.filled("A-99999"),
  mixedCodes: (draw) => draw.filled(draw.pick(["AA999", "A-99", "999-A", "AAA"])),
  guid: (draw) => draw.guid(),
  price: money(2, "."),
  priceGerman: money(2, ","),
  priceShort: (draw) => String(draw.between(1, 90_000) / 100),
  cost: money(4, "."),
  quantity: (draw) => String(draw.between(0, 900)),
  date: (draw) => `20${draw.filled("99")}-0${draw.between(1, 9)}-1${draw.between(0, 9)}`,
  dateGerman: (draw) => `1${draw.between(0, 9)}.0${draw.between(1, 9)}.2026`,
  stamp: (draw) => `2026-11-02 1${draw.between(0, 9)}:30:00`,
  currency: (draw) => draw.pick(["EUR", "USD", "CHF"]),
  unit: (draw) => draw.pick(["EA", "BX", "KG", "M"]),
  status: (draw) => draw.pick(["active", "blocked", "discontinued"]),
  town: (draw) => draw.pick(["Köln", "Saint-Denis", "São Paulo", "York", "A Coruña"]),
  name: (draw) =>
    `${draw.pick(["Hex bolt", "Cable gland", "O-ring"])} ${draw.pick(["M8 x 40", "zinc plated", "3/4 NPT"])}`,
  remark: sometimes(0.1, (draw) => draw.pick(["Counted twice", "OK", "see bin 4", "N/A", "2"])),
  postal: (draw) => draw.filled(draw.pick(["99999", "AA9 9AA", "9999-999"])),
  yesNo: (draw) => draw.pick(["yes", "no"]),
  flag: (draw) => draw.pick(["0", "1"]),
  survey: (draw) => `<Survey><Sales>${draw.between(1, 9_999)}</Sales></Survey>`,
};
const NAMES = Object.keys(COLUMNS);
const feed = tableFeed();
const table = (columns: readonly string[], rows: number, seed: number): string[][] => {
  const draw = new Random(seed, "rows");
  return Array.from({ length: rows }, () => columns.map((name) => COLUMNS[name]!(draw)));
};
const profileOf = (header: readonly string[], rows: readonly (readonly string[])[]) =>
  learnt({ format: feed.file, columns: [], answers: [] }, observedIn(header, rows));

describe("over thousands of drawn feeds", () => {
  const seed = fc.integer({ min: 1, max: 1_000_000 });
  const columns = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 8 });

  it("another day of the same feed never drifts, however few or many rows either has", () => {
    fc.assert(
      fc.property(
        columns,
        seed,
        seed,
        fc.integer({ min: 1, max: 250 }),
        fc.integer({ min: 0, max: 250 }),
        (of, a, b, m, n) => {
          const header = of.map((name, i) => `${name}${i}`);
          const pinned = profileOf(header, table(of, m, a));
          expect(compareWithPinned(pinned, observedIn(header, table(of, n, b)), feed)).toBeNull();
        },
      ),
      { numRuns: 4_000 },
    );
  });

  it("nor does a day with something odd in it: blank columns, a few faults, texts of any length", () => {
    fc.assert(
      fc.property(columns, seed, seed, fc.nat(), fc.string({ maxLength: 60 }), (of, a, b, which, odd) => {
        const header = of.map((name, i) => `${name}${i}`);
        const pinned = profileOf(header, table(of, 200, a));
        const rows = table(of, 120, b).map((row, i) =>
          row.map((cell, c) => (c === which % of.length ? "" : i % 4 === 0 ? odd : cell)),
        );
        expect(compareWithPinned(pinned, observedIn(header, rows), feed)).toBeNull();
      }),
      { numRuns: 1_000 },
    );
  });

  // Kinds that no day turns into one another. (A stock of whole numbers and prices written as short as they are are one kind.)
  const KINDS = [
    "gtin",
    "guid",
    "price",
    "priceGerman",
    "cost",
    "date",
    "dateGerman",
    "currency",
    "name",
    "survey",
    "sku",
  ];

  it("a feed with the same header and other values always does", () => {
    const kinds = fc.shuffledSubarray(KINDS, { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(
        kinds,
        seed,
        seed,
        fc.integer({ min: 30, max: 200 }),
        fc.integer({ min: 30, max: 200 }),
        (of, a, b, m, n) => {
          const header = of.map((_, i) => `COL${i + 1}`);
          const other = [...of.slice(1), of[0]!];
          const pinned = profileOf(header, table(of, m, a));
          const drift = compareWithPinned(pinned, observedIn(header, table(other, n, b)), feed);
          expect(drift).not.toBeNull();
          expect(drift!.differences.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it.each(KINDS.flatMap((a) => KINDS.filter((b) => b !== a).map((b) => [a, b] as const)))(
    "%s is never taken for %s in more than one direction",
    (a, b) => {
      const there = compareWithPinned(
        profileOf(["n"], table([a], 200, 1)),
        observedIn(["n"], table([b], 200, 2)),
        feed,
      );
      const back = compareWithPinned(profileOf(["n"], table([b], 200, 1)), observedIn(["n"], table([a], 200, 2)), feed);
      expect([there?.cause, back?.cause]).toContain("other-values");
    },
  );
});

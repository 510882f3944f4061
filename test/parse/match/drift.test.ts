/** What is a drift, what it is called, and what is none. */
import { describe, expect, it } from "vitest";
import type { Feed } from "../../../src/domain/adapter.ts";
import { report } from "../../../src/domain/failures.ts";
import { profileSchema } from "../../../src/domain/feed-version.ts";
import { compareWithPinned, driftOfFailure, learnt, mergeProfile } from "../../../src/parse/match/drift.ts";
import { driftText, TEXT_WIDTH_CHARS } from "../../../src/parse/match/report.ts";
import { observedIn } from "../../../src/parse/match/shape.ts";
import { tableFeed } from "../table/support.ts";
import { bytesOf, judged, pinnedAfter } from "./support.ts";

const HEADER = ["SKU", "Name", "Price", "Currency", "Valid from", "Stock"];

/** A price list; the same table with one thing changed is what most tests are about. */
const rowsOf = (count: number, from = 0): string[][] =>
  Array.from({ length: count }, (_, i) => {
    const n = from + i;
    const day = String((n % 28) + 1).padStart(2, "0");
    return [
      `A-${10_000 + n}`,
      `Bolt M${n % 20} galvanised`,
      `${(n * 37) % 900}.${String((n * 13) % 100).padStart(2, "0")}`,
      n % 7 === 0 ? "USD" : "EUR",
      `2026-11-${day}`,
      String((n * 11) % 5_000),
    ];
  });

const csv = (header: readonly string[], rows: readonly (readonly string[])[], delimiter = ";"): Uint8Array =>
  bytesOf(`${[header, ...rows].map((row) => row.join(delimiter)).join("\n")}\n`);

const feed: Feed = {
  ...tableFeed({
    columns: [
      { name: "sku", source: { header: "SKU" }, type: "identifier" },
      { name: "name", source: { header: "Name" }, type: "text" },
      { name: "price", source: { header: "Price" }, type: "decimal" },
    ],
    key: ["sku"],
    limits: { maxRejectShare: 0.05 },
  }),
};

const pinned = await pinnedAfter(feed, csv(HEADER, rowsOf(200)));
const driftOf = async (header: readonly string[], rows: readonly (readonly string[])[], of: Feed = feed) =>
  (await judged(of, pinned, csv(header, rows))).drift;

const allowing: Feed = { ...feed, drift: { trailingColumns: "allow" } };
const put = (row: readonly string[], at: number, cell: string): string[] => [
  ...row.slice(0, at),
  cell,
  ...row.slice(at),
];

describe("a header that differs", () => {
  it("by one name at the same place was renamed, even where the adapter reads the column", async () => {
    const drift = await driftOf(HEADER.with(2, "Net price"), rowsOf(100));
    expect(drift?.cause).toBe("renamed-column");
    expect(drift?.sentence).toBe("A column was renamed: “Price” is now called “Net price”.");
    expect(drift?.differences).toEqual([{ what: "name", column: "Price", pinned: "Price", found: "Net price" }]);
    expect(drift?.pinned.columns).toEqual(HEADER);
    expect(drift?.examples[0]).toEqual({
      line: 1,
      pinned: HEADER.join(";"),
      found: "SKU;Name;Net price;Currency;Valid from;Stock",
    });
  });

  it("by a name that has nothing in common was renamed where the values below are the same", async () => {
    expect((await driftOf(HEADER.with(4, "Since"), rowsOf(100)))?.cause).toBe("renamed-column");
  });

  it("by a name and by what stands below lacks a column and has a new one", async () => {
    const rows = rowsOf(100).map((row) => row.with(4, "see the catalogue of spare parts"));
    const drift = await driftOf(HEADER.with(4, "Remark"), rows);
    expect(drift?.cause).toBe("missing-column");
    expect(drift?.differences.map((d) => [d.pinned, d.found])).toEqual([
      ["Valid from", ""],
      ["", "Remark"],
    ]);
  });

  it("by the order of its columns was moved, though every column is found by its name", async () => {
    const swap = (row: readonly string[]): string[] => [row[1]!, row[0]!, ...row.slice(2)];
    const drift = await driftOf(swap(HEADER), rowsOf(100).map(swap));
    expect(drift?.cause).toBe("moved-column");
    expect(drift?.sentence).toContain("“SKU” was number 1 and is now number 2");
  });

  it("by a column in its middle has a new one, whatever is allowed behind the last", async () => {
    const drift = await driftOf(
      put(HEADER, 2, "Colour"),
      rowsOf(100).map((row) => put(row, 2, "red")),
      allowing,
    );
    expect(drift?.cause).toBe("new-column");
    expect(drift?.sentence).toBe("A new column was added between the others: “Colour”.");
  });

  it("by a column behind the last has a new one, unless the feed allows that", async () => {
    const rows = rowsOf(100).map((row) => [...row, "red"]);
    expect((await driftOf([...HEADER, "Colour"], rows))?.cause).toBe("new-column");
    expect(await driftOf([...HEADER, "Colour"], rows, allowing)).toBeNull();
  });

  it("by a column less lacks one, though nobody reads it", async () => {
    const drift = await driftOf(
      HEADER.slice(0, 5),
      rowsOf(100).map((row) => row.slice(0, 5)),
      allowing,
    );
    expect(drift?.cause).toBe("missing-column");
    expect(drift?.sentence).toBe("A column is missing: “Stock”.");
  });

  it("by a column that the mapping lets be absent fits", async () => {
    const [first, ...columns] = feed.columns;
    const lenient = {
      ...feed,
      columns: [first!, ...columns.map((column) => ({ ...column, absent: "null" as const }))],
    };
    const observed = observedIn(
      HEADER.toSpliced(2, 1),
      rowsOf(100).map((row) => row.toSpliced(2, 1)),
    );
    expect(compareWithPinned(pinned, observed, lenient)).toBeNull();
    expect(compareWithPinned(pinned, observed, feed)?.cause).toBe("missing-column");
  });

  it("in nearly everything is another file", async () => {
    const drift = await driftOf(["Order", "Customer", "Street", "Town"], [["4711", "Miller", "High St 5", "York"]]);
    expect(drift?.cause).toBe("other-file");
    expect(drift?.sentence).toContain("none of the 6 agreed columns");
  });

  it("in the writing of its names alone was renamed, all of it", async () => {
    const drift = await driftOf(
      HEADER.map((name) => name.toUpperCase().replace(" ", "_")),
      rowsOf(100),
    );
    expect(drift?.cause).toBe("renamed-column");
    expect(drift?.differences).toHaveLength(5);
  });
});

describe("a header that fits over other values", () => {
  it("is another file where most columns differ", async () => {
    const rows = rowsOf(100).map((row) => [row[5]!, row[4]!, row[2]!, row[1]!, row[0]!, row[3]!]);
    const drift = await driftOf(HEADER, rows);
    expect(drift?.cause).toBe("other-file");
    expect(drift?.sentence).toContain("another feed");
  });

  it("is a stock file sent to the price feed: whole numbers where prices have two decimals", async () => {
    const rows = rowsOf(100).map((row) => row.with(2, row[5]!));
    const drift = await driftOf(HEADER, rows);
    expect(drift?.cause).toBe("other-values");
    expect(drift?.sentence).toBe(
      "The column “Price” holds other values than before: whole numbers of 1 to 3 digits instead of numbers with 2 decimals (point).",
    );
  });

  it("has two columns that changed places", async () => {
    const rows = rowsOf(100).map((row) => row.with(1, row[4]!).with(4, row[1]!));
    const drift = await driftOf(HEADER, rows);
    expect(drift?.cause).toBe("moved-column");
    expect(drift?.sentence).toContain("what was in “Name” now stands in “Valid from”");
  });

  it("writes dates in another way in a column that nobody reads", async () => {
    const rows = rowsOf(100).map((row) => row.with(4, `${row[4]!.slice(8)}.11.2026`));
    expect((await driftOf(HEADER, rows))?.cause).toBe("other-values");
  });
});

describe("no drift is", () => {
  const rows = rowsOf(100, 3_000);
  const same = async (header: readonly string[], data: readonly (readonly string[])[]) =>
    expect(await judged(feed, pinned, csv(header, data))).toEqual({ failure: null, drift: null });

  it("another day", async () => same(HEADER, rows));
  it("three rows, whatever they hold", async () =>
    same(HEADER, [
      ["X1", "One", "1", "EURO", "soon", "none"],
      ["X2", "Two", "2", "", "", ""],
      ["X3", "Three", "3", "", "", ""],
    ]));
  it("no rows at all", async () => same(HEADER, []));
  it("a day where all prices are whole, in a file that writes .00", async () =>
    same(
      HEADER,
      rows.map((row) => row.with(2, `${Number.parseInt(row[2]!, 10)}.00`)),
    ));
  it("a column that is blank today, or says NULL", async () => {
    await same(
      HEADER,
      rows.map((row) => row.with(4, "").with(5, "")),
    );
    await same(
      HEADER,
      rows.map((row) => row.with(4, "NULL").with(5, "-")),
    );
  });
  it("a text longer than any before", async () => same(HEADER, rows.with(0, rows[0]!.with(1, "long ".repeat(500)))));
  it("one more pattern of codes", async () =>
    same(
      HEADER,
      rows.map((row, i) => (i % 3 === 0 ? row.with(0, `${row[0]}/X`) : row)),
    ));
  it("only new articles, of a number range one digit longer", async () =>
    same(
      HEADER,
      rows.map((row, i) => row.with(0, `B-${1_000_000 + i}`).with(5, String(100_000 + i))),
    ));
  it("single words in a column of texts", async () =>
    same(
      HEADER,
      rows.map((row) => row.with(1, "Bolt")),
    ));
  it("only one currency today", async () =>
    same(
      HEADER,
      rows.map((row) => row.with(3, "CHF")),
    ));
  it("a file of a profile that has seen no file yet", () => {
    const unseen = { ...pinned, columns: [] };
    expect(compareWithPinned(unseen, observedIn(["a"], [["1"]]), feed)).toBeNull();
  });
});

describe("of JSON", () => {
  const json = { ...pinned, format: { ...pinned.format, kind: "json" as const } };
  const rows = rowsOf(100);

  it("keys have no order, and keys that nobody reads are not looked for", () => {
    const turned = rows.map((row) => row.toReversed());
    expect(compareWithPinned(json, observedIn(HEADER.toReversed(), turned), feed)).toBeNull();
    expect(
      compareWithPinned(
        json,
        observedIn(
          HEADER.slice(0, 2),
          rows.map((row) => row.slice(0, 2)),
        ),
        feed,
      ),
    ).toBeNull();
    expect(
      compareWithPinned(
        json,
        observedIn(
          [...HEADER, "New"],
          rows.map((row) => [...row, "x"]),
        ),
        feed,
      ),
    ).toBeNull();
  });

  it("values are compared, and a key that is gone is told with what it is called now", () => {
    const swapped = rows.map((row) => row.with(2, row[4]!));
    expect(compareWithPinned(json, observedIn(HEADER, swapped), feed)?.cause).toBe("other-values");
    const why = report("missing-key", { missing: ["Price"], found: HEADER.with(2, "Net price"), records: 100 });
    const drift = driftOfFailure(json, why, undefined, feed);
    expect([drift?.cause, drift?.sentence]).toEqual([
      "renamed-column",
      "A column was renamed: “Price” is now called “Net price”.",
    ]);
  });
});

describe("the way of writing prices", () => {
  const price = (of: (i: number) => string) =>
    observedIn(
      ["n"],
      Array.from({ length: 200 }, (_, i) => [of(i)]),
    );
  const profile = (of: (i: number) => string) => learnt({ ...pinned, columns: [] }, price(of));
  const fits = (was: (i: number) => string, is: (i: number) => string): boolean =>
    compareWithPinned(profile(was), price(is), feed) === null;
  const short = (i: number): string => String(((i * 37) % 997) / 20);
  const fixed = (i: number): string => (((i * 37) % 997) / 20).toFixed(2);

  it("as short as they are allows a day of whole numbers, and of other decimals", () => {
    expect(fits(short, (i) => String(i))).toBe(true);
    expect(fits(short, (i) => `${i}.125`)).toBe(true);
  });
  it("as floats are printed allows a day of whole numbers either way", () => {
    const floats = (i: number): string => (((i * 37) % 997) / 2).toFixed(1);
    expect(fits(floats, (i) => String(i))).toBe(true);
    expect(
      fits(
        (i) => String(i),
        (i) => `${i}.0`,
      ),
    ).toBe(true);
  });
  it("with zeros to the end does not", () => {
    expect(fits(fixed, (i) => String(i))).toBe(false);
    expect(fits(fixed, (i) => `${i}.1250`)).toBe(false);
    expect(fits(fixed, (i) => `${i}.00`)).toBe(true);
  });
  it("is known by the decimal mark", () => {
    expect(fits(fixed, (i) => fixed(i).replace(".", ","))).toBe(false);
  });
  it("with marks between thousands allows a day of small ones, and of large ones only", () => {
    const grouped = (i: number): string => (i * 7_919).toLocaleString("de-DE");
    expect(fits(grouped, (i) => String(i))).toBe(true);
    expect(fits((i) => String(i), grouped)).toBe(true);
  });
});

describe("an accepted drift", () => {
  it("is none the next time, and what was agreed before still fits", () => {
    const words = observedIn(
      HEADER,
      rowsOf(100).map((row) => row.with(2, "on request")),
    );
    const drift = compareWithPinned(pinned, words, feed);
    expect(drift?.cause).toBe("other-values");
    const merged = mergeProfile(pinned, learnt({ ...pinned, columns: [] }, words));
    expect(profileSchema.safeParse(merged).success).toBe(true);
    expect(compareWithPinned(merged, words, feed)).toBeNull();
    expect(compareWithPinned(merged, observedIn(HEADER, rowsOf(100)), feed)).toBeNull();
    const dates = observedIn(
      HEADER,
      rowsOf(100).map((row) => row.with(2, "2026-01-01")),
    );
    expect(compareWithPinned(merged, dates, feed)?.cause).toBe("other-values");
  });

  it("keeps readings and answers, later answers over earlier ones", () => {
    const old = { ...pinned, answers: [{ what: "header", answer: "data" }] };
    const read = {
      ...old,
      columns: old.columns.map((c) => (c.name === "Price" ? { ...c, reading: { decimalMark: "," as const } } : c)),
    };
    const merged = mergeProfile(read, { ...pinned, answers: [{ what: "header", answer: "header" }] });
    expect(merged.columns.find((c) => c.name === "Price")?.reading).toEqual({ decimalMark: "," });
    expect(merged.answers).toEqual([{ what: "header", answer: "header" }]);
  });
});

describe("the report in text", () => {
  it("stands side by side", async () => {
    const drift = await driftOf(HEADER.with(2, "Net price"), rowsOf(100));
    expect(driftText(drift!)).toBe(
      [
        "A column was renamed: “Price” is now called “Net price”.",
        "",
        "                    AGREED                        THIS FILE",
        "Price               Price                         Net price",
        "",
        "Line 1:",
        "  agreed:    SKU;Name;Price;Currency;Valid from;Stock",
        "  this file: SKU;Name;Net price;Currency;Valid from;Stock",
        "",
        "Line 2:",
        "  this file: A-10000;Bolt M0 galvanised;0.00;USD;2026-11-01;0",
        "",
        "Line 3:",
        "  this file: A-10001;Bolt M1 galvanised;37.13;EUR;2026-11-02;11",
      ].join("\n"),
    );
  });

  it("is never wider than a mail shows, whatever the file is called and holds", async () => {
    const wide = [
      "x".repeat(500),
      "\u{1F4E6}".repeat(90),
      `a${" b".repeat(200)}`,
      "\t\u0007\u202e",
      "e",
      "f",
      "g",
      "h",
    ];
    const drift = await driftOf(wide, [wide, wide]);
    const lines = driftText(drift!).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(TEXT_WIDTH_CHARS);
    expect(lines.join("").isWellFormed()).toBe(true);
    expect(/[\u0007\t\u202e]/.test(lines.join(""))).toBe(false);
  });

  it("survives being stored", async () => {
    const drift = await driftOf(HEADER.with(2, "Net price"), rowsOf(100));
    expect(JSON.parse(JSON.stringify(drift))).toEqual(drift);
  });
});

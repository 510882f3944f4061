/** What a file states of itself is held against what was read of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Controls, controlFaults, controlsSchema } from "../../../src/domain/controls.ts";
import { judgeSequence, sequenceFault } from "../../../src/parse/table/controls.ts";
import { Tally } from "../../../src/parse/table/tally.ts";
import { type ParseCase, parse, tableFeed } from "./support.ts";

const footerFeed = (controls: object, change: object = {}) =>
  tableFeed({
    columns: [
      { name: "id", source: { header: "Id" }, type: "identifier" },
      { name: "amount", source: { header: "Amount" }, type: "decimal", decimalMark: ",", groupMark: ".", scale: 2 },
      { name: "count", source: { header: "Count" }, type: "integer", sign: "trailing" },
    ],
    file: { preamble: [{ startsWith: "H" }], footer: { startsWith: "T" } },
    controls,
    ...change,
  });

const ROWS = "H;0042;20260305\nId;Amount;Count\nA;1.234,50;3\nB;-0,75;2-\nC;;\n";
const rowCount = { at: { footer: 1, field: 2 } };
const total = (column: string, field: number) => ({ column, at: { footer: 1, field } });

describe.each<[string, ParseCase]>([
  ["as bytes", {}],
  ["as text", { asText: true }],
])("controls, %s", (_name, how) => {
  const failureOf = async (controls: object, text: string, change: object = {}) =>
    (await parse(footerFeed(controls, change), text, how)).failure;

  it("hold a file whose rows are not as many as it says", async () => {
    expect(await failureOf({ rowCount }, `${ROWS}T;3\n`)).toBeNull();
    expect(await failureOf({ rowCount }, `${ROWS}T;0003\n\n`)).toBeNull();
    expect(await failureOf({ rowCount: { ...rowCount, more: 2 } }, `${ROWS}T;5\n`)).toBeNull();
    expect(await failureOf({ rowCount }, `${ROWS}T;4\n`)).toMatchObject({
      code: "row-count-differs",
      disposition: "hold",
      sentence: "The file says that it has 4 rows, but 3 were found (0 of them could not be read).",
    });
  });

  it("count rows that are refused, and no second header", async () => {
    expect(await failureOf({ rowCount }, `${ROWS}D;x;1\nId;Amount;Count\nE\nT;5\n`)).toBeNull();
  });

  it("hold a file whose values do not add up to what it says, exactly", async () => {
    const totals = [total("amount", 2), total("count", 3)];
    expect(await failureOf({ totals }, `${ROWS}T;1.233,75;1\n`)).toBeNull();
    expect(await failureOf({ totals }, `${ROWS}T;1233,750;+1\n`)).toMatchObject({ code: "control-unreadable" });
    expect(await failureOf({ totals }, `${ROWS}T;1.233,76;1\n`)).toMatchObject({
      code: "control-total-differs",
      disposition: "hold",
      sentence: "The file says that “Amount” adds up to 1233.76, but its rows add up to 1233.75.",
    });
    expect(await failureOf({ totals }, `${ROWS}T;1.233,75;1-\n`)).toMatchObject({
      evidence: { column: "Count", stated: "-1", counted: "1" },
    });
  });

  it("add up what is good in rows that are refused, and say how many values are not", async () => {
    const totals = [total("amount", 2)];
    expect(await failureOf({ totals }, `${ROWS};10,00;1\nA;1,00;x\nT;1.244,75\n`)).toBeNull();
    expect(await failureOf({ totals }, `${ROWS}A;x;1\nB;7\nT;1.233,75\n`)).toMatchObject({
      code: "control-total-differs",
      evidence: { unread: 2, counted: "1233.75" },
    });
  });

  it("add up rows that repeat a key", async () => {
    expect(await failureOf({ totals: [total("amount", 2)] }, `${ROWS}A;0,25;\nT;1.234,00\n`)).toBeNull();
  });

  it("hold a file that does not state what it should", async () => {
    expect(await failureOf({ rowCount }, ROWS)).toMatchObject({
      code: "control-missing",
      disposition: "hold",
      sentence: "The file does not state its number of rows: there is no field 2 in the trailer line.",
    });
    expect(await failureOf({ rowCount }, `${ROWS}T\n`)).toMatchObject({ code: "control-missing" });
    expect(await failureOf({ rowCount }, `${ROWS}T;\n`)).toMatchObject({ code: "control-missing" });
    expect(await failureOf({ rowCount }, `${ROWS}T;three\n`)).toMatchObject({
      code: "control-unreadable",
      sentence: "The number of rows of the file cannot be read: “three” in its field 2 in the trailer line.",
    });
    for (const text of ["1.000", "-3", "3,0", "9".repeat(20)]) {
      expect(await failureOf({ rowCount }, `${ROWS}T;${text}\n`)).toMatchObject({ code: "control-unreadable" });
    }
  });

  it("find what is stated by a pattern, in the footer, the preamble or the file's name", async () => {
    const at = { footer: 2, pattern: "(\\d+) records" };
    expect(await failureOf({ rowCount: { at } }, `${ROWS}T\n\nwith 3 records in all\n`)).toBeNull();
    expect(await failureOf({ rowCount: { at: { ...at, footer: 1 } } }, `${ROWS}T\n`)).toMatchObject({
      code: "control-missing",
    });
    const controls = { rowCount: { at: { preamble: 1, pattern: ";(\\d+)$" } } };
    expect(await failureOf(controls, ROWS.replace("20260305", "3"))).toBeNull();
  });

  it("report the number of a file and when it was made", async () => {
    const controls = {
      sequence: { at: { preamble: 1, field: 2 } },
      generatedAt: { at: { fileName: "_(\\d{12})\\." }, format: "yyyyMMddHHmm", offset: "+01:00" },
    };
    const fileName = "stock_202603050715.csv";
    expect(await parse(footerFeed(controls), ROWS, { ...how, fileName })).toMatchObject({
      sequence: 42,
      generatedAt: "2026-03-05T07:15:00+01:00",
      failure: null,
    });
    expect(await parse(footerFeed(controls), ROWS, how)).toMatchObject({
      sequence: 42,
      generatedAt: null,
      failure: { code: "control-missing", evidence: { control: "time of making" } },
    });
    expect(await parse(footerFeed({}), ROWS, how)).toMatchObject({ sequence: null, generatedAt: null, failure: null });
  });
});

describe("sums", () => {
  it("are exact for any decimals", () => {
    const value = fc.tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 24n }), fc.integer({ min: 0, max: 4 }));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 60 }), (values) => {
        const tally = new Tally(4);
        let sum = 0n;
        for (const [negative, digits, places] of values) {
          const text = String(digits).padStart(places + 1, "0");
          const fraction = places === 0 ? "" : `.${text.slice(-places)}`;
          tally.add(`${negative ? "-" : ""}${text.slice(0, text.length - places)}${fraction}`);
          sum += (negative ? -digits : digits) * 10n ** BigInt(4 - places);
        }
        const [whole = "", fraction = ""] = tally.total.replace("-", "").split(".");
        const total = BigInt(whole + fraction.padEnd(4, "0"));
        expect(tally.total.startsWith("-") ? -total : total).toBe(sum);
        expect(tally.total).not.toMatch(/^-0$|\.$|\.\d*0$/);
      }),
    );
  });

  it("stay exact where a float would not: 0.1 a million times, and numbers near 2^53", () => {
    const tally = new Tally(2);
    for (let i = 0; i < 1_000_000; i++) tally.add("0.1");
    for (let i = 0; i < 2_000; i++) tally.add("9999999999999.99");
    expect(tally.total).toBe("20000000000099980");
  });
});

describe("the number of a file", () => {
  const policy = { gap: "hold", repeat: "hold", reset: "hold" } as const;

  it("follows the last one", () => {
    expect(judgeSequence(41, 42, policy)).toBeNull();
    expect(judgeSequence(null, 42, policy)).toBeNull();
    expect(judgeSequence(41, null, policy)).toBeNull();
    expect(judgeSequence(9999, 1, { ...policy, wrapsAfter: 9999 })).toBeNull();
    expect(judgeSequence(9999, 0, { ...policy, wrapsAfter: 9999 })).toBeNull();
  });

  it("is told with what is missing where it does not", () => {
    expect(judgeSequence(41, 43, policy)?.sentence).toBe(
      "The file has number 43, the last one had 41: number 42 is missing.",
    );
    expect(judgeSequence(41, 45, policy)?.sentence).toContain("what lies between (3 files) is missing");
    expect(judgeSequence(41, 41, policy)).toMatchObject({ code: "sequence-repeated", disposition: "hold" });
    expect(judgeSequence(41, 1, policy)).toMatchObject({ code: "sequence-reset", disposition: "hold" });
    expect(judgeSequence(9999, 2, { ...policy, wrapsAfter: 9999 })).toMatchObject({ code: "sequence-reset" });
    expect(judgeSequence(9998, 1, { ...policy, wrapsAfter: 9999 })).toMatchObject({ code: "sequence-reset" });
  });

  it("holds the file only where the feed says so, and is told nevertheless", () => {
    expect(judgeSequence(41, 43, { ...policy, gap: "warn" })).toBeNull();
    expect(judgeSequence(41, 41, { ...policy, gap: "warn" })).not.toBeNull();
    expect(judgeSequence(41, 41, { ...policy, repeat: "warn" })).toBeNull();
    expect(judgeSequence(41, 4, { ...policy, reset: "warn" })).toBeNull();
    expect(sequenceFault(41, 43)).toMatchObject({ code: "sequence-gap" });
  });
});

describe("controls that cannot be", () => {
  const faults = (controls: object, change: object = {}) => {
    const checked = controlsSchema.parse(controls) as Controls;
    const { columns, file } = footerFeed({}, change);
    return controlFaults(checked, columns, file).map(({ path, message }) => `${path.join(".")}: ${message}`);
  };

  it("are told with their place", () => {
    expect(faults({ rowCount: { at: { preamble: 2, field: 1 } } })).toEqual([
      "controls.rowCount.at: names a preamble line that the file has not",
    ]);
    expect(faults({ totals: [total("id", 1), total("nothing", 1)] }).join()).toMatch(/"id" is not .*"nothing" is not/);
    const generatedAt = { at: { footer: 1, field: 1 }, format: "yyyy-MM-dd HH:mm" };
    expect(faults({ generatedAt }).join()).toContain("offset");
    expect(faults({ generatedAt: { ...generatedAt, offset: "Z" } })).toEqual([]);
    expect(faults({ generatedAt: { ...generatedAt, format: "yyyy-MM-dd HH:mmzzz" } })).toEqual([]);
    expect(faults({ generatedAt: { ...generatedAt, format: "yy-MM-dd HH:mmzzz" } }).join()).toContain("century");
    expect(() => tableFeed({ controls: { rowCount } })).toThrow("names a footer line");
  });

  it("need a group in their pattern", () => {
    expect(controlsSchema.safeParse({ rowCount: { at: { fileName: "\\d+" } } }).success).toBe(false);
    expect(controlsSchema.safeParse({ rowCount: { at: { fileName: "(\\d+" } } }).success).toBe(false);
    expect(controlsSchema.safeParse({ rowCount: { at: { fileName: "(\\d+)" } } }).success).toBe(true);
  });

  it("are a part of the feed's version", () => {
    expect(footerFeed({ rowCount }).version).not.toBe(footerFeed({}).version);
  });
});

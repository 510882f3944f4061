/** Cases beside a mapping, what changes from one to another, and a mapping tried on rows. */
import { describe, expect, it } from "vitest";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import { renamedSource } from "../../src/domain/column.ts";
import { type Mapping, mappingSchema } from "../../src/domain/feed-version.ts";
import { type MappingCase, mappingCasesSchema, runCases } from "../../src/mapping/cases.ts";
import { checkMapping } from "../../src/mapping/check.ts";
import { diffMappings } from "../../src/mapping/differences.ts";
import { TRY_EXAMPLES, tryMapping } from "../../src/mapping/try.ts";

type Input = Parameters<typeof mappingSchema.parse>[0] & { columns: object[]; key: string[] };

const SKU = { name: "sku", source: { header: "SKU" }, type: "identifier" };
const QTY = { name: "qty", source: { header: "Qty" }, type: "integer", min: 0 };
const mapping = (columns: object[] = [SKU, QTY], key: string[] = ["sku"]): Mapping =>
  mappingSchema.parse({ columns, key } satisfies Input);

const adapterOf = (file: object = {}): Adapter =>
  defineFeed({
    customer: "acme",
    customerTitle: "Acme",
    feed: "things",
    title: "Things",
    mode: "full",
    intake: { policy: "trust-address", senders: ["@acme.example"] },
    file: { header: true, delimiter: ";", ...file },
  });

const checked = (m: Mapping, cases: unknown = [], file: object = {}) =>
  checkMapping(adapterOf(file), undefined, m, mappingCasesSchema.parse(cases));
const feedOf = (m: Mapping, file: object = {}) => {
  const { feed, faults } = checked(m, [], file);
  if (feed === undefined) throw new Error(JSON.stringify(faults));
  return feed;
};
const runs = (m: Mapping, one: unknown, file: object = {}) =>
  runCases(feedOf(m, file), mappingCasesSchema.parse([one]))[0];

describe("cases", () => {
  it("hold for a record and for a reject", () => {
    const cases = [
      { name: "a good row", cells: { SKU: "A1", Qty: "+07" }, expect: { record: { sku: "A1", qty: 7 } } },
      { cells: { SKU: "A1", Qty: "x" }, expect: { reject: "not-an-integer", column: "Qty" } },
      { cells: { Qty: "1" }, expect: { reject: "value-missing" } },
    ];
    const { ok, cases: results } = checked(mapping(), cases);
    expect(ok).toBe(true);
    expect(results.map(({ name, passed }) => [name, passed])).toEqual([
      ["a good row", true],
      ["case 2", true],
      ["case 3", true],
    ]);
  });

  it.each<[string, object, string]>([
    [
      "another value",
      { cells: { SKU: "A1", Qty: "7" }, expect: { record: { qty: 8 } } },
      "The field qty is 7, expected 8.",
    ],
    [
      "a text for a number",
      { cells: { SKU: "A1", Qty: "7" }, expect: { record: { qty: "7" } } },
      'The field qty is 7, expected "7".',
    ],
    [
      "a field that is not there",
      { cells: { SKU: "A1" }, expect: { record: { price: null } } },
      "The field price is not there, expected null.",
    ],
    [
      "a refused row",
      { cells: { SKU: "A1", Qty: "x" }, expect: { record: {} } },
      "Refused: “x” in column “Qty” is not a whole number.",
    ],
    [
      "a row that is a record",
      { cells: { SKU: "A1" }, expect: { reject: "value-missing" } },
      "The row is a record, expected the reject value-missing.",
    ],
    [
      "another column",
      { cells: { SKU: "A1", Qty: "x" }, expect: { reject: "not-an-integer", column: "SKU" } },
      "refused for not-an-integer of Qty",
    ],
    ["a cell nobody reads", { cells: { SKU: "A1", Qyt: "7" }, expect: { record: {} } }, "No column reads “Qyt”."],
    ["a place nobody reads", { cells: { "#1": "A1" }, expect: { record: {} } }, "No column reads “#1”."],
  ])("say what differs: %s", (_, one, sentence) => {
    const result = runs(mapping(), one);
    expect(result).toMatchObject({ passed: false });
    expect(result?.differences.join()).toContain(sentence);
  });

  it("name cells by place where there is no header, and beside headers", () => {
    const byPlace = mapping([{ ...SKU, source: { position: 2 } }, QTY]);
    expect(runs(byPlace, { cells: { "#2": "A1", Qty: "1" }, expect: { record: { sku: "A1", qty: 1 } } })?.passed).toBe(
      true,
    );
    const bare = mapping([{ ...SKU, source: { position: 2 } }]);
    const file = { header: false, columnCount: 5 };
    expect(runs(bare, { cells: { "#2": "A1" }, expect: { record: { sku: "A1" } } }, file)?.passed).toBe(true);
  });

  it("reach preamble, constants, joins and the adapter's column count", () => {
    const all = mapping(
      [
        { name: "k", source: { join: ["SKU", "Size"], with: "-" }, type: "identifier" },
        { name: "batch", source: { preamble: 1, field: 2 }, type: "integer" },
        { name: "plant", source: { constant: "HH" }, type: "text" },
      ],
      ["k"],
    );
    const one = {
      cells: { SKU: "A", Size: "XL" },
      preamble: [["batch", "12"]],
      expect: { record: { k: "A-XL", batch: 12, plant: "HH" } },
    };
    const file = { preamble: [{ startsWith: "batch" }], columnCount: 9 };
    expect(runs(all, one, file)).toMatchObject({ passed: true, differences: [] });
    const wrong = runs(all, { ...one, preamble: [["batch", "x"]] }, file);
    expect(wrong?.differences.join()).toContain("cannot be read as “batch”");
  });

  it.each<[string, unknown]>([
    ["an unknown code", [{ cells: {}, expect: { reject: "no-such-code" } }]],
    ["both kinds of end", [{ cells: {}, expect: { reject: "value-missing", record: {} } }]],
    ["an unknown member", [{ cells: {}, expect: { record: {} }, also: "x" }]],
    ["a number for a cell", [{ cells: { Qty: 7 }, expect: { record: {} } }]],
    ["too many", Array.from({ length: 201 }, () => ({ cells: {}, expect: { record: {} } }))],
    [
      "too many cells",
      [{ cells: Object.fromEntries(Array.from({ length: 2_001 }, (_, i) => [i, ""])), expect: { record: {} } }],
    ],
  ])("are refused: %s", (_, cases) => {
    expect(mappingCasesSchema.safeParse(cases).success).toBe(false);
  });
});

describe("a mapping can become active", () => {
  it("not with a constant that its column cannot read", () => {
    const { ok, faults } = checked(mapping([SKU, { ...QTY, source: { constant: "many" } }]));
    expect(ok).toBe(false);
    expect(faults).toEqual([
      { path: ["columns", 1, "source", "constant"], message: "cannot be read as integer (not-an-integer)" },
    ]);
  });

  it("not while something is undecided, or against the file's format", () => {
    const undecided = checked(mapping([SKU, { name: "on", source: { header: "On" }, type: "date", format: "detect" }]));
    expect(undecided.faults[0]).toMatchObject({ path: ["columns", 1, "format"] });
    expect(checked(mapping(), [], { header: false, columnCount: 2 }).faults[0]?.message).toContain("the file has none");
  });

  it("not where nobody knows the format of the files", () => {
    const { file: _, ...unknown } = adapterOf();
    expect(checkMapping(unknown, undefined, mapping(), []).faults[0]?.message).toContain("format");
  });

  it("not with a pattern that could stop the feed", () => {
    const read = mappingSchema.safeParse({ columns: [{ ...SKU, pattern: "(?=a)(a+)+$" }], key: ["sku"] });
    expect(read.error?.issues[0]).toMatchObject({ path: ["columns", 0, "pattern"] });
    expect(mapping([{ ...SKU, pattern: "^([0-9]{8}|[0-9]{13})$" }]).columns).toHaveLength(1);
  });
});

describe("what changes", () => {
  it("is nothing where both mean the same, whatever the order of members", () => {
    const other = { type: "identifier", source: { header: "SKU" }, name: "sku" };
    expect(diffMappings(mapping(), mapping([other, QTY]))).toEqual([]);
    const looked = (table: object) => mapping([{ ...SKU, transforms: [{ do: "lookup", table, otherwise: "keep" }] }]);
    expect(diffMappings(looked({ a: "1", b: "2" }), looked({ b: "2", a: "1" }))).toEqual([]);
  });

  it("names the entries of a lookup table", () => {
    const looked = (table: object, otherwise = "keep") =>
      mapping([{ ...SKU, transforms: [{ do: "upper" }, { do: "lookup", table, otherwise }] }]);
    expect(diffMappings(looked({ a: "1", b: "2", c: "3" }), looked({ d: "4", b: "2", a: "9" }))).toEqual([
      "sku: “a” is “9” instead of “1”; “c” is no longer in the table; “d” is “4”, new in the table.",
    ]);
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, "x"]));
    expect(diffMappings(looked({ a: "1" }), looked({ a: "1", ...many }))[0]).toContain(
      "and 4 more entries of the table",
    );
    expect(diffMappings(looked({ a: "1" }), looked({ a: "2" }, "reject"))[0]).toContain(
      "(else reject); before, it was",
    );
  });

  it("is said in plain sentences", () => {
    const before = mapping([SKU, QTY, { name: "note", source: { header: "Note" }, type: "text" }]);
    const after = mapping(
      [
        { ...QTY, min: 1 },
        {
          ...SKU,
          source: { join: ["SKU", "Size"], with: "-" },
          transforms: [{ do: "upper" }, { do: "pad", length: 8 }],
        },
        { name: "plant", source: { constant: "HH" }, type: "text" },
      ],
      ["sku", "plant"],
    );
    expect(diffMappings(before, after)).toEqual([
      "note is no longer read (it came from column “Note”).",
      "qty: min is 1 instead of 0.",
      "sku comes from column “SKU” and column “Size”, joined with “-” instead of column “SKU”.",
      "sku is put in upper case, then filled up with “0” to 8 characters; before, it was taken as it is.",
      "plant is new: text from the constant “HH”.",
      "The fields stand in another order, so every record gets a new version.",
      "A record is known by sku + plant instead of sku: records of the old key are retired or stay as they are.",
    ]);
  });

  it("a type that changes is said once", () => {
    const after = mapping([SKU, { name: "qty", source: { header: "Qty" }, type: "text" }]);
    expect(diffMappings(mapping(), after)).toEqual(["qty is read as text instead of integer."]);
  });
});

it("a column that is called otherwise now is followed wherever it is read", () => {
  const names = new Map([["SKU", "Article"]]);
  expect(renamedSource({ header: "SKU" }, names)).toEqual({ header: "Article" });
  expect(renamedSource({ join: ["Plant", "SKU", 3], with: "-" }, names)).toEqual({
    join: ["Plant", "Article", 3],
    with: "-",
  });
  expect(renamedSource({ constant: "SKU" }, names)).toEqual({ constant: "SKU" });
});

describe("a mapping tried on rows", () => {
  const sample = (rows: string[][]) => ({ preamble: [], header: ["SKU", "Qty"], rows, totalRows: rows.length });
  const halved = mapping([SKU, { ...QTY, max: 5 }]);

  it("counts what is the same, changed, refused and no longer refused", () => {
    const upper = mapping([
      { ...SKU, transforms: [{ do: "upper" }] },
      { ...QTY, min: -5, max: 5 },
    ]);
    const rows = [["A", "1"], ["b", "2"], ["C", "9"], ["D", "-1"], ["E", "x"], ["F"]];
    const tried = tryMapping(feedOf(mapping()), feedOf(upper), sample(rows));
    expect(tried).toMatchObject({ compared: 6, same: 1, changed: 1, rejected: 1, accepted: 1, stillRejected: 2 });
    expect(tried.examples).toMatchObject([
      { row: 2, before: { key: "b", record: { sku: "b", qty: 2 } }, after: { key: "B", record: { sku: "B", qty: 2 } } },
      { row: 3, before: { key: "C" }, after: { rejected: [{ code: "out-of-range", column: "Qty" }] } },
      { row: 4, before: { rejected: [{ code: "out-of-range" }] }, after: { key: "D" } },
    ]);
  });

  it("goes without a before where there is none, or where it does not fit the file", () => {
    const rows = [["A", "1"]];
    expect(tryMapping(undefined, feedOf(halved), sample(rows))).toMatchObject({ accepted: 1, beforeFailure: null });
    const renamed = feedOf(mapping([SKU, { ...QTY, source: { header: "Quantity" } }]));
    const tried = tryMapping(renamed, feedOf(halved), sample(rows));
    expect(tried.beforeFailure?.code).toBe("missing-column");
    expect(tried.examples[0]?.before).toBeNull();
  });

  it("shows no more than some", () => {
    const rows = Array.from({ length: 100 }, (_, i) => [`S${i}`, "9"]);
    const tried = tryMapping(feedOf(mapping()), feedOf(halved), sample(rows));
    expect(tried.rejected).toBe(100);
    expect(tried.examples).toHaveLength(TRY_EXAMPLES);
  });
});

it("cases are the same whether they are typed or read", () => {
  const one: MappingCase = { cells: { SKU: "A" }, expect: { record: { sku: "A" } } };
  expect(mappingCasesSchema.parse([one])).toEqual([one]);
});

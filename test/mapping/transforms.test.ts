/**
 * Transforms as a file meets them: against an oracle that is as naive as can be, and the same from bytes as from text.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LOOKUP_MAX_ENTRIES, type Transform, transformSchema, transformsSchema } from "../../src/domain/transforms.ts";
import { parse, tableFeed } from "../parse/table/support.ts";

type Columns = NonNullable<Parameters<typeof tableFeed>[0]>["columns"];
type ColumnInput = NonNullable<Columns>[number];

const ID: ColumnInput = { name: "id", source: { header: "Id" }, type: "identifier" };

/** The records of a file with the columns Id, A and B, read both ways, which must agree. */
async function recordsOf(columns: readonly ColumnInput[], rows: readonly (readonly [string, string])[]) {
  const feed = tableFeed({ columns: [ID, ...columns], file: { delimiter: "|" } });
  const text = ["Id|A|B", ...rows.map(([a, b], i) => `${i}|${a}|${b}`)].join("\n");
  const fromBytes = await parse(feed, text);
  const fromText = await parse(feed, text, { asText: true });
  expect(fromBytes.main).toEqual(fromText.main);
  expect(fromBytes.rejects).toEqual(fromText.rejects);
  return fromBytes;
}

const transformed = (transforms: Transform[], trim = true): ColumnInput[] => [
  { name: "a", source: { header: "A" }, type: "text", trim, transforms },
];

const letters = fc.string({ unit: fc.constantFrom("a", "b", "A", "ß", "-", "0", "1", " ", "é", "$"), maxLength: 8 });
const someText = letters.filter((text) => text !== "");
const plain: fc.Arbitrary<Transform> = fc.oneof(
  fc.constantFrom<Transform>({ do: "trim" }, { do: "upper" }, { do: "lower" }),
  fc.record({ do: fc.constant("replace" as const), text: someText, with: letters }),
  fc.record({
    do: fc.constant("replace" as const),
    pattern: fc.constantFrom("^0+", "[a-b]+", "-.", " +$", "(a|é)0?"),
    with: letters,
  }),
  fc.record({
    do: fc.constant("lookup" as const),
    table: fc.dictionary(letters, letters, { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
    otherwise: fc.oneof(
      fc.constantFrom("reject" as const, "keep" as const),
      letters.map((text) => ({ default: text })),
    ),
  }),
  fc.record({ do: fc.constant("split" as const), by: someText, part: fc.constantFrom(1, 2, 3, -1, -2) }),
  fc.record({ do: fc.constant("default" as const), value: someText }),
  fc.record({
    do: fc.constant("pad" as const),
    length: fc.integer({ min: 1, max: 10 }),
    with: fc.constantFrom("0", " ", "é"),
  }),
);

const stripped = (text: string) => text.replace(/^[ \t\ufeff]+/, "").replace(/[ \t\ufeff]+$/, "");

/** What one transform does, said with other means; null: refused. */
function naively(transform: Transform, text: string): string | null {
  switch (transform.do) {
    case "trim":
      return stripped(text);
    case "upper":
      return text.toUpperCase();
    case "lower":
      return text.toLowerCase();
    case "replace":
      return transform.text === undefined
        ? text.replace(new RegExp(transform.pattern ?? "", "gu"), () => transform.with)
        : text.split(transform.text).join(transform.with);
    case "lookup":
      for (const [written, meant] of Object.entries(transform.table)) if (written === text) return meant;
      if (text === "" || transform.otherwise === "keep") return text;
      return transform.otherwise === "reject" ? null : transform.otherwise.default;
    case "split": {
      const parts = text.split(transform.by);
      const at = transform.part > 0 ? transform.part - 1 : parts.length + transform.part;
      return parts[at] ?? "";
    }
    case "default":
      return stripped(text) === "" ? transform.value : text;
    case "pad": {
      let padded = text;
      while (text !== "" && [...padded].length < transform.length) padded = transform.with + padded;
      return padded;
    }
  }
}

describe("transforms", () => {
  it("do one after the other what each says, from bytes and from text alike", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(plain, { minLength: 1, maxLength: 4 }),
        fc.array(letters, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (transforms, cells, trim) => {
          expect(transformsSchema.safeParse(transforms).success).toBe(true);
          const { main, rejects } = await recordsOf(
            transformed(transforms, trim),
            cells.map((cell) => [cell, "x"]),
          );
          const expected = cells.map((cell) => {
            const start = trim ? stripped(cell) : cell;
            const end = transforms.reduce<string | null>((text, t) => (text === null ? null : naively(t, text)), start);
            return end === null ? null : trim ? stripped(end) : end;
          });
          const found = new Map(main.map(({ record }) => [Number(record.id), record.a]));
          for (const [i, value] of expected.entries()) {
            if (value === null) expect(rejects.some((r) => r.line === i + 2 && r.code === "not-in-list")).toBe(true);
            else expect(found.get(i)).toBe(value === "" ? null : value);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it("a value that the table has not is refused with the column and some of the entries", async () => {
    const table = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`K${i}`, `v${i}`]));
    const { rejects, main } = await recordsOf(transformed([{ do: "lookup", table, otherwise: "reject" }]), [
      ["K7", ""],
      ["XX", ""],
      ["", ""],
    ]);
    expect(main.map(({ record }) => record.a)).toEqual(["v7", null]);
    expect(rejects).toMatchObject([{ line: 3, code: "not-in-list", column: "A", value: "XX" }]);
    expect(rejects[0]?.sentence).toContain("K0, K1");
  });

  it("a cell cannot grow without bound", async () => {
    const grow: Transform = { do: "replace", text: "a", with: "a".repeat(100) };
    const { rejects, main } = await recordsOf(transformed(Array.from({ length: 20 }, () => grow)), [["a", ""]]);
    expect(main).toEqual([]);
    expect(rejects).toMatchObject([{ code: "text-too-long", column: "A" }]);
  });

  it("$ in a replacement is a dollar", async () => {
    const { main } = await recordsOf(transformed([{ do: "replace", text: "x", with: "$&$1" }]), [["axb", ""]]);
    expect(main[0]?.record.a).toBe("a$&$1b");
  });

  it.each<[string, unknown, string]>([
    [
      "a table too large",
      {
        do: "lookup",
        table: Object.fromEntries(Array.from({ length: LOOKUP_MAX_ENTRIES + 1 }, (_, i) => [i, ""])),
        otherwise: "keep",
      },
      "has more than 5000 entries",
    ],
    ["an empty table", { do: "lookup", table: {}, otherwise: "keep" }, "is empty"],
    ["a table that does not say what else", { do: "lookup", table: { a: "b" } }, ""],
    ["a pattern that looks ahead", { do: "replace", pattern: "(?=a)", with: "" }, "looks ahead"],
    ["a pattern that fits nothing", { do: "replace", pattern: "a*", with: "x" }, "where there is nothing"],
    ["a pattern and a text", { do: "replace", pattern: "a", text: "a", with: "x" }, "give one of the two"],
    ["neither pattern nor text", { do: "replace", with: "x" }, "give one of the two"],
    ["a long replacement", { do: "replace", text: "a", with: "x".repeat(101) }, ""],
    ["part 0", { do: "split", by: ",", part: 0 }, "is 0"],
    ["a filling of two", { do: "pad", length: 5, with: "00" }, "is not one character"],
    ["a filling without end", { do: "pad", length: 1_000_000 }, ""],
    ["an unknown member", { do: "trim", also: 1 }, ""],
    ["an unknown transform", { do: "eval", code: "1" }, ""],
  ])("%s is refused", (_, transform, message) => {
    const read = transformSchema.safeParse(transform);
    expect(read.success).toBe(false);
    expect(read.error?.issues.map((issue) => issue.message).join()).toContain(message);
  });

  it("no more than twenty in a row", () => {
    expect(transformsSchema.safeParse(Array.from({ length: 21 }, () => ({ do: "trim" }))).success).toBe(false);
  });
});

describe("where a text comes from", () => {
  it("several columns are joined, trimmed; blank only if all of them are", async () => {
    const columns: ColumnInput[] = [{ name: "a", source: { join: ["A", 3], with: "-" }, type: "text" }];
    const { main } = await recordsOf(columns, [
      [" x ", "y"],
      ["", "y"],
      [" ", ""],
    ]);
    expect(main.map(({ record }) => record.a)).toEqual(["x-y", "-y", null]);
  });

  it("a joined text can be the key", async () => {
    const feed = tableFeed({
      columns: [{ name: "k", source: { join: ["A", "B"], with: "/" }, type: "identifier" }],
      key: ["k"],
    });
    const { main, rejects } = await parse(feed, "A;B\n1;2\n1;3\n;\n");
    expect(main.map(({ key }) => key)).toEqual(["1/2", "1/3"]);
    expect(rejects).toMatchObject([{ code: "value-missing", column: "A + B" }]);
  });

  it("a column to join that is not in the file is named", async () => {
    const feed = tableFeed({
      columns: [ID, { name: "a", source: { join: ["A", "Nowhere", 9], with: "" }, type: "text" }],
    });
    await expect(parse(feed, "Id;A\n1;2\n")).rejects.toThrow("lacks “Nowhere”, “column 9”");
  });

  it("a constant is read as its column's type", async () => {
    const columns: ColumnInput[] = [
      { name: "plant", source: { constant: "0042" }, type: "identifier" },
      { name: "factor", source: { constant: "01.50" }, type: "decimal" },
    ];
    const { main } = await recordsOf(columns, [["x", "y"]]);
    expect(main[0]?.record).toEqual({ id: "0", plant: "0042", factor: "1.5" });
  });
});

describe("units", () => {
  const decimal = (factor: string, change: object = {}): ColumnInput[] => [
    { name: "a", source: { header: "A" }, type: "decimal", scale: 2, factor, ...change },
  ];

  it("a decimal is multiplied as whole numbers are, and refused where the product does not fit", async () => {
    const amounts = fc.tuple(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), fc.integer({ min: 0, max: 4 }));
    const factors = fc.constantFrom("0.01", "1000", "-1", "0.5", "12.34", "0.000001");
    await fc.assert(
      fc.asyncProperty(amounts, factors, async ([digits, places], factor) => {
        const text = written(digits, places);
        const { main, rejects } = await recordsOf(decimal(factor), [[text, ""]]);
        const [whole = "", fraction = ""] = factor.split(".");
        const product = digits * BigInt(whole + fraction);
        const scale = places + fraction.length;
        // More than two digits behind the mark, or more than sixteen before it, do not fit.
        const exact = scale <= 2 || product % 10n ** BigInt(scale - 2) === 0n;
        const size = (product < 0n ? -product : product) / 10n ** BigInt(scale);
        if (exact && size < 10n ** 16n) expect(main[0]?.record.a).toBe(canonical(product, scale));
        else expect(rejects[0]?.code).toMatch(/^(out-of-range|too-many-digits)$/);
      }),
      { numRuns: 300 },
    );
  });

  const written = (digits: bigint, places: number): string => {
    const text = String(digits < 0n ? -digits : digits).padStart(places + 1, "0");
    const sign = digits < 0n ? "-" : "";
    return places === 0 ? sign + text : `${sign}${text.slice(0, -places)}.${text.slice(-places)}`;
  };
  const canonical = (digits: bigint, places: number): string => {
    const text = written(digits, places);
    const short = text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
    return short === "-0" ? "0" : short;
  };

  it("what no float can hold is exact", async () => {
    const { main } = await recordsOf(decimal("0.01", { precision: 38, scale: 2 }), [["90071992547409931234567", ""]]);
    expect(main[0]?.record.a).toBe("900719925474099312345.67");
  });

  it("the ERP's marks are read before it is multiplied", async () => {
    const { main } = await recordsOf(decimal("1000", { decimalMark: ",", groupMark: "." }), [["1.234,5", ""]]);
    expect(main[0]?.record.a).toBe("1234500");
  });

  it.each(["0", "0.00", "1e3", ".5", "5.", "", "1,5", "+1", "NaN"])("%s is no factor", (factor) => {
    expect(() => tableFeed({ columns: [ID, ...decimal(factor)] })).toThrow("factor");
  });

  it("days are added on the real calendar", async () => {
    const columns: ColumnInput[] = [
      { name: "a", source: { header: "A" }, type: "date", format: "yyyy-MM-dd", shiftDays: -1 },
      { name: "b", source: { header: "B" }, type: "datetime", format: "yyyy-MM-dd HH:mm", shiftDays: 366, offset: "Z" },
    ];
    const { main, rejects } = await recordsOf(columns, [
      ["2024-03-01", "2024-02-29 23:59"],
      ["0001-01-01", ""],
    ]);
    expect(main[0]?.record).toMatchObject({ a: "2024-02-29", b: "2025-03-01T23:59:00Z" });
    expect(rejects).toMatchObject([{ line: 3, code: "not-a-date", column: "A" }]);
  });
});

it("a pattern of an identifier holds in linear time", async () => {
  const feed = tableFeed({ columns: [{ ...ID, type: "identifier", maxLength: 60_000, pattern: "(a+)+b" }] });
  const { main, rejects } = await parse(feed, `Id\n${"a".repeat(50_000)}\naab\n`);
  expect(main.map(({ key }) => key)).toEqual(["aab"]);
  expect(rejects).toMatchObject([{ code: "wrong-pattern" }]);
});

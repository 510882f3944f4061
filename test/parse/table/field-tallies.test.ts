/** What the gate and retirement hear of a file that parse alone can tell: its numbers, and whom a refused row means. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse, tableFeed } from "./support.ts";

const id = { name: "id", source: { header: "Id" }, type: "identifier" } as const;
const name = { name: "name", source: { header: "Name" }, type: "text", maxLength: 5 } as const;
const price = { name: "price", source: { header: "Price" }, type: "decimal", decimalMark: ",", scale: 4 } as const;
const stock = { name: "stock", source: { header: "Stock" }, type: "integer" } as const;

/** As text and from bytes: what is counted must not depend on which reader took a row. */
const BOTH = [true, false];

describe("the numbers of a file", () => {
  const feed = tableFeed({ columns: [id, price, stock] });

  it.each(BOTH)(
    "are those of its accepted rows: values, blanks, zeros and what their sizes add up to",
    async (asText) => {
      const rows = ["a;1,5;10", "b;-2,25;0", "c;;7", "d;0,0000;", "e;oops;999"];
      const { fieldNumbers, books } = await parse(feed, `Id;Price;Stock\n${rows.join("\n")}\n`, { asText });
      expect(books.rejected).toBe(1);
      expect(fieldNumbers).toEqual({
        price: { values: 3, blanks: 1, zeros: 1, total: 3.75, median: expect.closeTo(1.5, 1) },
        stock: { values: 3, blanks: 1, zeros: 1, total: 17, median: expect.closeTo(7, 0) },
      });
    },
  );

  it("are what numbers come to, to the last bit, in any form that a cell may have", async () => {
    const decimal = fc
      .tuple(fc.constantFrom("", "-", "+", "00"), fc.bigInt({ min: 0n, max: 10n ** 14n - 1n }), fc.nat({ max: 9_999 }))
      .map(([sign, whole, fraction]) => `${sign}${whole},${String(fraction).padStart(4, "0")}`);
    await fc.assert(
      fc.asyncProperty(fc.array(decimal, { minLength: 1, maxLength: 40 }), async (cells) => {
        const file = `Id;Price;Stock\n${cells.map((cell, i) => `k${i};${cell};`).join("\n")}`;
        const total = cells.reduce((sum, cell) => sum + Math.abs(Number(cell.replace(",", "."))), 0);
        for (const asText of BOTH) {
          const { fieldNumbers } = await parse(feed, file, { asText });
          expect(fieldNumbers.price).toMatchObject({ values: cells.length, total });
        }
      }),
      { numRuns: 50 },
    );
  });

  it.each(BOTH)(
    "are counted of the first two hundred columns: each costs memory while the file is read",
    async (asText) => {
      const many = Array.from({ length: 300 }, (_, i) => ({ ...stock, name: `n${i}`, source: { header: `N${i}` } }));
      const cells = (of: (i: number) => string) => many.map((_, i) => of(i)).join(";");
      const text = `Id;${cells((i) => `N${i}`)}\na;${cells(String)}\n`;
      const { fieldNumbers, books } = await parse(tableFeed({ columns: [id, ...many] }), text, { asText });
      expect([books.accepted, Object.keys(fieldNumbers).length]).toEqual([1, 200]);
      expect(fieldNumbers.n199).toMatchObject({ values: 1, total: 199 });
      expect(fieldNumbers).not.toHaveProperty("n200");
    },
  );

  it.each(BOTH)(
    "say nothing of a cell that leaves the field as it was, and call one that clears it blank",
    async (asText) => {
      const keeping = tableFeed({ columns: [id, { ...stock, blank: "keep", clear: "-" }] });
      const { fieldNumbers } = await parse(keeping, "Id;Stock\na;\nb;-\nc;4\n", { asText });
      expect(fieldNumbers.stock).toMatchObject({ values: 1, blanks: 1 });
    },
  );

  it("are not counted of names and of what the rows do not say: the key, their count, the preamble, a constant", async () => {
    const columns = [
      { ...id, type: "integer" },
      { name: "n", source: { ordinal: true }, type: "integer" },
      { name: "site", source: { constant: "7" }, type: "integer" },
      { name: "batch", source: { preamble: 1, field: 2 }, type: "integer" },
    ] as const;
    const said = tableFeed({ columns: [...columns], file: { preamble: [{ startsWith: "#" }] } });
    expect((await parse(said, "#;12\nId\n1\n2\n")).fieldNumbers).toEqual({});
  });

  it("count a column that the file lacks as blank, since its records become so", async () => {
    const lacking = tableFeed({ columns: [id, { ...stock, absent: "null" }] });
    expect((await parse(lacking, "Id\na\nb\n")).fieldNumbers.stock).toMatchObject({ values: 0, blanks: 2 });
  });
});

describe("a refused row", () => {
  const feed = tableFeed({ columns: [id, name, stock], key: ["id"] });
  const refused = async (row: string, of = feed) =>
    (await parse(of, `Id;Name;Stock\n${row}\nz;z;1\n`)).rejects.map(({ position, naturalKey }) => [
      position,
      naturalKey,
    ]);

  it("names its record in its first fault, where its key could be read", async () => {
    expect(await refused("a|1;far too long;much")).toEqual([
      [0, "a\\|1"],
      [1, null],
    ]);
  });

  it("names none where the key is what is wrong with it", async () => {
    expect(await refused(";ok;1")).toEqual([[0, null]]);
    expect(await refused("1E+05;ok;1")).toEqual([[0, null]]);
    const two = tableFeed({ columns: [id, name, stock], key: ["id", "stock"] });
    expect(await refused("a;ok;much", two)).toEqual([[0, null]]);
    expect(await refused("a;far too long;007", two)).toEqual([[0, "a|7"]]);
  });

  it("names none where its cells cannot be told apart: a mark too many may have moved the key", async () => {
    expect(await refused("a;ok;1;1")).toEqual([[0, null]]);
    expect(await refused("a;ok")).toEqual([[0, null]]);
    expect(await refused('a;"ok"no;1')).toEqual([[0, null]]);
  });

  it("names none that could be no key: too long, or with a control character", async () => {
    const long = tableFeed({ columns: [{ ...id, maxLength: 2_000 }, name, stock] });
    expect(await refused(`${"x".repeat(1_500)};far too long;1`, long)).toEqual([[0, null]]);
    expect(await refused("a\u0007;far too long;1")).toEqual([
      [0, null],
      [1, null],
    ]);
  });

  it("names none where only the whole key is at fault, whatever the row before it named", async () => {
    const wide = { ...name, maxLength: 2_000 };
    const two = tableFeed({ columns: [{ ...id, maxLength: 2_000 }, wide, stock], key: ["id", "name"] });
    const long = "x".repeat(900);
    const { rejects } = await parse(two, `Id;Name;Stock\na;b;much\n${long};${long};1\n`);
    expect(rejects.map(({ code, naturalKey }) => [code, naturalKey])).toEqual([
      ["not-an-integer", "a|b"],
      ["key-too-long", null],
    ]);
  });

  it("does not hand its key on to the next one", async () => {
    const { rejects } = await parse(feed, "Id;Name;Stock\na;far too long;1\nb;ok;1;1\n;far too long;1\n");
    expect(rejects.filter(({ position }) => position === 0).map(({ naturalKey }) => naturalKey)).toEqual([
      "a",
      null,
      null,
    ]);
  });
});

/** Rows of fixed width, of loose dialects, and with a delimiter behind each: read as agreed, or refused by row. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failure } from "../../../src/domain/failures.ts";
import { LineCounter } from "../../../src/parse/table/lines.ts";
import { ROW_MAX_CHARS } from "../../../src/parse/table/row-batch.ts";
import { rowBatches, type TableFormat } from "../../../src/parse/table/rows.ts";
import { parse, tableFeed } from "./support.ts";

interface Entry {
  readonly cells: readonly string[];
  readonly line: number;
  readonly span: number;
  readonly broken?: string;
  readonly aside?: string;
  readonly raw: string;
}

const BASE: TableFormat = { charset: "utf-8", delimiter: ";", recordDelimiter: "line", quote: '"' };

/** Entries of a text in slices of one length (never between CR and LF), or the failure that ends it. */
async function entriesOf(text: string, format: TableFormat, sliceChars = text.length || 1): Promise<Entry[] | string> {
  async function* slices() {
    for (let at = 0; at < text.length; ) {
      let end = at + sliceChars;
      if (text[end - 1] === "\r" && text[end] === "\n") end++;
      yield text.slice(at, end);
      at = end;
    }
  }
  const entries: Entry[] = [];
  try {
    for await (const batch of rowBatches(slices(), format)) {
      let line = batch.firstLine;
      for (const [i, cells] of batch.rows.entries()) {
        const span = batch.spans?.[i] ?? 1;
        const broken = batch.broken?.get(i)?.[0]?.report.sentence;
        const aside = batch.asides?.get(i);
        const marks = { ...(broken === undefined ? {} : { broken }), ...(aside === undefined ? {} : { aside }) };
        entries.push({ cells, line, span, raw: batch.raw(i), ...marks });
        line += span;
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return `${thrown.code} ${JSON.stringify(thrown.report.evidence)}`;
  }
  return entries;
}

const cellsOf = async (text: string, format: Partial<TableFormat>) => {
  const entries = await entriesOf(text, { ...BASE, ...format });
  return typeof entries === "string" ? entries : entries.filter((entry) => !entry.aside).map((entry) => entry.cells);
};

describe("rows with escapes by backslash, blanks before marks, or remarks", () => {
  it("have a mark behind a backslash as text, whatever follows it", async () => {
    const format = { escape: "backslash" as const };
    expect(await cellsOf('a;"say \\"hi\\"; now";b\n"c\\\\";d;e\n', format)).toEqual([
      ["a", 'say "hi"; now', "b"],
      ["c\\", "d", "e"],
    ]);
  });

  it("have their delimiter and line end behind a backslash as text where marks are text", async () => {
    const format = { escape: "backslash" as const, quote: "none" as const };
    expect(await cellsOf('a\\;b;"c"\nd\\\ne;f\n', format)).toEqual([
      ["a;b", '"c"'],
      ["d\ne", "f"],
    ]);
  });

  it("may have blanks before a quotation mark", async () => {
    expect(await cellsOf('a;  "b;c" ;d\n', { padded: true })).toEqual([["a", "b;c", "d"]]);
  });

  it("leave remarks out, whatever marks stand in them, and count their lines", async () => {
    const text = '# a; "remark\nId;Name\n  # "and" another; "\nA;"x\n# no remark"\n#last "';
    const entries = await entriesOf(text, { ...BASE, comment: "#" });
    expect(entries).toMatchObject([
      { line: 1, aside: "blank", raw: '# a; "remark' },
      { line: 2, cells: ["Id", "Name"] },
      { line: 3, aside: "blank" },
      { line: 4, span: 2, cells: ["A", "x\n# no remark"] },
      { line: 6, aside: "blank" },
    ]);
  });

  it("take a title that begins as a remark for the title it is", async () => {
    const format = { comment: "#", preamble: [{ startsWith: "#" }] };
    expect(await cellsOf("# title\nId;Name\n# remark\nA;b\n", format)).toEqual([
      ["# title"],
      ["Id", "Name"],
      ["A", "b"],
    ]);
  });

  it("are broken alone where text follows a closing mark, and the lines behind are rows of their own", async () => {
    const entries = await entriesOf('"A"x;1\n"B;2\nC";3\nD;4\n', { ...BASE, padded: true });
    expect(entries).toMatchObject([
      { line: 1, broken: expect.stringContaining("quotation marks") },
      { line: 2, span: 2, cells: ["B;2\nC", "3"] },
      { line: 4, cells: ["D", "4"] },
    ]);
  });

  it("fail the file where a mark is open at its end, and name its line", async () => {
    expect(await cellsOf('a;b\nc;"d\ne;f\n', { padded: true })).toBe('unclosed-quote {"line":2}');
    expect(await cellsOf(`a;b\n\n"${"x\n".repeat(ROW_MAX_CHARS)}`, { padded: true })).toBe(
      `unclosed-quote {"line":3,"withinChars":${ROW_MAX_CHARS}}`,
    );
    expect(await cellsOf(`a\n${"x".repeat(ROW_MAX_CHARS + 1)}\nb`, { padded: true })).toBe(
      `row-too-long {"line":2,"limitChars":${ROW_MAX_CHARS}}`,
    );
  });

  const text = fc
    .array(fc.constantFrom('"', '"', "\\", ";", "|", "||", "\n", "\r\n", "\r", "a", " ", "#", "&|"), { maxLength: 40 })
    .map((parts) => parts.join(""));
  const format = fc.record({
    delimiter: fc.constantFrom(";", "||", "|;"),
    quote: fc.constantFrom('"' as const, "none" as const),
    escape: fc.constantFrom("backslash" as const, "doubled" as const),
    padded: fc.boolean(),
    comment: fc.constantFrom("#", "##", undefined),
    trailingDelimiter: fc.boolean(),
  });
  const tableOf = ({ comment, ...more }: Partial<TableFormat> & { comment?: string | undefined }): TableFormat => ({
    ...BASE,
    ...more,
    ...(comment === undefined ? {} : { comment }),
  });

  it("are the same however the text is cut into slices", async () => {
    await fc.assert(
      fc.asyncProperty(text, format, fc.integer({ min: 1, max: 9 }), async (given, how, sliceChars) => {
        const table = tableOf(how);
        // The strict reader of marks is left out: what it does at borders has tests of its own.
        fc.pre(table.escape === "backslash" || table.padded === true || table.comment !== undefined);
        expect(await entriesOf(given, table, sliceChars)).toEqual(await entriesOf(given, table));
      }),
      { numRuns: 1_500 },
    );
  });

  it("are not broken by a slice that ends inside a delimiter of several characters", async () => {
    const table: TableFormat = { ...BASE, delimiter: "||", padded: true };
    for (const given of ['"a\nb"||"c"\n', '"a\nb" ||c||d\n"e"||f\n']) {
      const whole = await entriesOf(given, table);
      for (let size = 1; size < given.length; size++) expect(await entriesOf(given, table, size)).toEqual(whole);
    }
  });

  it("leave no line out: entries and lines of the text add up", async () => {
    await fc.assert(
      fc.asyncProperty(text, format, async (given, how) => {
        const entries = await entriesOf(given, tableOf(how));
        if (typeof entries === "string") return;
        const counter = new LineCounter("line");
        counter.add(given);
        expect(entries.reduce((sum, { span }) => sum + span, 0)).toBe(counter.lines);
      }),
      { numRuns: 1_000 },
    );
  });

  it("are those of the strict reader where nothing loose stands in the text", async () => {
    const strict = fc
      .array(fc.constantFrom('"a;b"', '"x\ny"', '"q""q"', "plain", '""', "", '3"4'), { minLength: 2, maxLength: 4 })
      .map((cells) => cells.join(";"));
    await fc.assert(
      fc.asyncProperty(fc.array(strict, { maxLength: 8 }), fc.constantFrom("\n", "\r\n", "\r"), async (rows, eol) => {
        const given = rows.map((row) => row + eol).join("");
        expect(await cellsOf(given, { padded: true })).toEqual(await cellsOf(given, {}));
      }),
    );
  });
});

describe("rows with a delimiter behind each", () => {
  const feed = tableFeed({ file: { trailingDelimiter: true } });

  it("have one cell less than delimiters, the header as many as it names", async () => {
    const { main, rejects } = await parse(feed, "Id;Name\nA;x;\nB;;\n");
    expect(main.map((row) => row.record)).toEqual([
      { id: "A", name: "x" },
      { id: "B", name: null },
    ]);
    expect(rejects).toEqual([]);
  });

  it("may have one column, and blank lines before its header", async () => {
    const one = tableFeed({
      file: { trailingDelimiter: true },
      columns: [{ name: "id", source: { header: "Id" }, type: "identifier" }],
    });
    const { main, books } = await parse(one, "\nId\nA;\n\nB;\n");
    expect(main.map((row) => row.key)).toEqual(["A", "B"]);
    expect(books).toMatchObject({ blank: 2, header: 1, accepted: 2 });
  });

  it("lack a cell where the delimiter is the one between: no blank is made of it", async () => {
    const { rejects } = await parse(feed, "Id;Name\nA;\nB;x;\nC;x;y;\n");
    expect(rejects.map(({ line, code }) => [line, code])).toEqual([
      [2, "row-width"],
      [4, "row-width"],
    ]);
  });
});

describe("rows of fixed width", () => {
  const file = { kind: "fixed" as const, columnStarts: [1, 5, 11], header: true };
  const feed = tableFeed({
    file,
    columns: [
      { name: "id", source: { header: "Id" }, type: "identifier" },
      { name: "name", source: { header: "Name" }, type: "text" },
      { name: "qty", source: { header: "Qty" }, type: "integer" },
    ],
  });
  const HEADER = "Id  Name  Qty\n";

  it("are cut where the columns begin, without the blanks that fill them", async () => {
    const { main, rejects } = await parse(feed, `${HEADER}A1  Bolt     7\nA2  a b c   12\n`);
    expect(rejects).toEqual([]);
    expect(main.map((row) => row.record)).toEqual([
      { id: "A1", name: "Bolt", qty: 7 },
      { id: "A2", name: "a b c", qty: 12 },
    ]);
  });

  it("may end short in the last column, or before it", async () => {
    const { main } = await parse(feed, `${HEADER}A1  Bolt  7\nA2  Bolt  \n`);
    expect(main.map((row) => row.record.qty)).toEqual([7, null]);
  });

  it("are refused where they end inside another column or hold a tab, and the place is named", async () => {
    const { rejects, books } = await parse(feed, `${HEADER}A1  Bo\nA2\tBolt  7\nA3  Bolt  7\nA4\n`);
    expect(rejects.map(({ line, code, sentence }) => [line, code, sentence.split(": ")[1]])).toEqual([
      [2, "row-misaligned", "it ends at character 6, in column 2 of 3."],
      [3, "row-misaligned", "it holds a tab."],
      [5, "row-misaligned", "it ends at character 2, in column 1 of 3."],
    ]);
    expect(books).toMatchObject({ accepted: 1, rejected: 3 });
  });

  it("are counted in characters of the feed's charset, not in bytes or halves of characters", async () => {
    const { main } = await parse(feed, `${HEADER}Ä1  größe 5\n😀   😀😀    6\n`);
    expect(main.map((row) => row.record)).toEqual([
      { id: "Ä1", name: "größe", qty: 5 },
      { id: "😀", name: "😀😀", qty: 6 },
    ]);
    const latin = tableFeed({ ...feed, file: { ...file, charset: "windows-1252" } });
    expect((await parse(latin, Buffer.from(`${HEADER}A1  größe 5\n`, "latin1"))).main[0]?.record.name).toBe("größe");
  });

  it("stand between titles, blank lines, remarks and a footer that need not fit the columns", async () => {
    const loose = tableFeed({
      ...feed,
      file: { ...file, preamble: [{ startsWith: "Stock" }], comment: "*", footer: { startsWith: "Total" } },
    });
    const { books, main } = await parse(loose, `Stock\tlist\n\n${HEADER}   \n* note\nA1  Bolt  7\nTotal\t1\nend\n`);
    expect(main).toHaveLength(1);
    expect(books).toMatchObject({ preamble: 1, header: 1, blank: 3, accepted: 1, rejected: 0, footer: 2 });
  });

  it("have a header that names what it has: one that is cut lacks its columns", async () => {
    await expect(parse(feed, "Id  Na\nA1  Bolt  7\n")).rejects.toMatchObject({ code: "missing-column" });
  });
});

describe("what a format cannot be", () => {
  it.each([
    ["remarks between records that are no lines", { comment: "#", recordDelimiter: "&|", quote: "none" as const }],
    [
      "another number of columns than of their starts",
      { kind: "fixed" as const, columnStarts: [1, 4], columnCount: 3 },
    ],
    ["a JSON file with titles", { kind: "json" as const, preamble: [{ startsWith: "" }] }],
    ["a JSON file with a footer", { kind: "json" as const, footer: { startsWith: "x" } }],
  ])("%s", (_what, file) => {
    expect(() => tableFeed({ file })).toThrow("is not valid");
  });
});

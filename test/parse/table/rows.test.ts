import fc from "fast-check";
import Papa from "papaparse";
import { describe, expect, it } from "vitest";
import { ROW_MAX_CHARS } from "../../../src/parse/table/row-batch.ts";
import { type Row, rowBatches, type TableFormat } from "../../../src/parse/table/rows.ts";
import { TextReader } from "../../../src/parse/table/text.ts";
import { blocksOf, failureOf, utf8 } from "./support.ts";

const QUOTED: TableFormat = { charset: "utf-8", delimiter: ";", recordDelimiter: "line", quote: '"' };
const PLAIN: TableFormat = { ...QUOTED, quote: "none" };

interface RawRow extends Row {
  readonly raw: string;
}

/** All rows, with slices as small as the blocks; checks on the way that lines and spans follow one another. */
async function rowsOf(text: string, format: TableFormat, size = 65_536): Promise<RawRow[]> {
  const reader = new TextReader({ ...format, sliceChars: Math.min(size, 16_384) });
  const rows: RawRow[] = [];
  let next = 1;
  for await (const batch of rowBatches(reader.slices(blocksOf(utf8(text), size)), format)) {
    expect(batch.firstLine).toBe(next);
    for (const [i, cells] of batch.rows.entries()) {
      const span = batch.spans?.[i] ?? 1;
      rows.push({ cells, line: next, span, broken: batch.broken?.get(i)?.[0]?.report.sentence, raw: batch.raw(i) });
      next += span;
    }
  }
  expect(next - 1).toBe(reader.lines);
  return rows;
}

const cellsOf = async (text: string, format: TableFormat, size?: number) =>
  (await rowsOf(text, format, size)).map((row) => row.cells);

/** What both readers owe, in blocks of one byte, of seven and whole. */
describe.each([
  ["quoted", QUOTED],
  ["plain", PLAIN],
] as const)("the %s reader", (_name, format) => {
  describe.each([1, 7, 65_536])("in blocks of %i bytes", (size) => {
    const read = (text: string) => cellsOf(text, format, size);

    it("gives no rows for nothing", async () => {
      expect(await read("")).toEqual([]);
    });

    it("gives one row for a header alone, with a line end or without", async () => {
      expect(await read("Id;Name")).toEqual([["Id", "Name"]]);
      expect(await read("Id;Name\r\n")).toEqual([["Id", "Name"]]);
    });

    it.each([
      ["LF", "a;b\nc;d\ne;f\n"],
      ["CRLF", "a;b\r\nc;d\r\ne;f\r\n"],
      ["CR", "a;b\rc;d\re;f\r"],
      ["LF then CRLF", "a;b\nc;d\r\ne;f\n"],
      ["CRLF then LF", "a;b\r\nc;d\ne;f"],
      ["CR then LF", "a;b\rc;d\ne;f"],
      ["all three", "a;b\rc;d\r\ne;f\n"],
      ["no final line end", "a;b\nc;d\ne;f"],
    ])("splits at %s", async (_what, text) => {
      expect(await read(text)).toEqual([
        ["a", "b"],
        ["c", "d"],
        ["e", "f"],
      ]);
    });

    it("keeps blank lines as rows of one blank cell", async () => {
      expect(await read("a;b\r\n\r\n \nc;d\n\r\r\ne;f")).toEqual([
        ["a", "b"],
        [""],
        [" "],
        ["c", "d"],
        [""],
        [""],
        ["e", "f"],
      ]);
    });

    it("keeps blank cells, also at the ends", async () => {
      expect(await read(";a;\n;;\n")).toEqual([
        ["", "a", ""],
        ["", "", ""],
      ]);
    });

    it("keeps a byte order mark in the middle as a character", async () => {
      expect(await read("\ufeffa;b\n\ufeffc;d\n")).toEqual([
        ["a", "b"],
        ["\ufeffc", "d"],
      ]);
    });

    it("reads characters outside the basic plane", async () => {
      expect(await read("𝄞;€\nß;𐐷\n")).toEqual([
        ["𝄞", "€"],
        ["ß", "𐐷"],
      ]);
    });
  });

  it("splits at a delimiter of several characters, also where a slice cuts it", async () => {
    const several = { ...format, delimiter: "+|" };
    for (const size of [1, 3, 65_536]) {
      expect(await cellsOf("a+|b+c|d+|\ne+||f\n", several, size)).toEqual([
        ["a", "b+c|d", ""],
        ["e", "|f"],
      ]);
    }
  });

  it("reads rows of 2,500 columns", async () => {
    const row = Array.from({ length: 2_500 }, (_, i) => `c${i}`);
    const rows = await cellsOf(`${row.join(";")}\n${row.join(";")}\n`, format, 1_000);
    expect(rows).toEqual([row, row]);
  });

  it("refuses a row that is too long, by its line, the same in any blocks", async () => {
    const text = `a;b\n\nc;${"x".repeat(ROW_MAX_CHARS)}\nd;e\n`;
    for (const size of [1_000, 65_536, 1_000_000]) {
      const report = await failureOf(rowsOf(text, format, size));
      expect(report).toMatchObject({ code: "row-too-long", evidence: { line: 3, limitChars: ROW_MAX_CHARS } });
    }
  });

  it("takes a row of exactly the longest length", async () => {
    const row = `c;${"x".repeat(ROW_MAX_CHARS - 2)}`;
    expect(await cellsOf(`a;b\n${row}\r\nd;e\n`, format, 50_000)).toEqual([["a", "b"], row.split(";"), ["d", "e"]]);
  });

  it("gives the raw text of every row", async () => {
    for (const size of [1, 65_536]) {
      for (const end of ["\n", "\r\n", "\r"]) {
        const raws = (await rowsOf(["a;b", "", "c;d", "e"].join(end), format, size)).map((row) => row.raw);
        expect(raws).toEqual(["a;b", "", "c;d", "e"]);
      }
    }
  });

  it("reads only as far as it is asked", async () => {
    let asked = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        asked++;
        yield utf8("a;b\n".repeat(5_000));
      }
    }
    const batches = rowBatches(new TextReader(format).slices(endless()), format);
    await batches.next();
    await batches.next();
    expect(asked).toBeLessThanOrEqual(2);
    await batches.return();
  });
});

describe("quotation marks", () => {
  describe.each([1, 2, 7, 65_536])("in blocks of %i bytes", (size) => {
    const read = (text: string, format = QUOTED) => rowsOf(text, format, size);

    it("keep delimiters, marks and every kind of line break in a cell, to the letter", async () => {
      const text = 'a;"x;y"\r\n"l1\r\nl2\rl3\nl4";"say ""hi"""\r\nb;""\r\n';
      const rows = await read(text);
      expect(rows.map((row) => row.cells)).toEqual([
        ["a", "x;y"],
        ["l1\r\nl2\rl3\nl4", 'say "hi"'],
        ["b", ""],
      ]);
      expect(rows.map((row) => [row.line, row.span])).toEqual([
        [1, 1],
        [2, 4],
        [6, 1],
      ]);
      expect(rows[1]!.raw).toBe('"l1\r\nl2\rl3\nl4";"say ""hi"""');
    });

    it("keep a lone CR at the end of a last cell, where row ends are CR too", async () => {
      expect((await read('a;"b\r"\rc;d\r\n"e\r";"f\r"\n')).map((row) => row.cells)).toEqual([
        ["a", "b\r"],
        ["c", "d"],
        ["e\r", "f\r"],
      ]);
    });

    it("keep a CR before a doubled mark and between marks", async () => {
      expect((await read('"\r""\r";"\r"\rz;"\r\n"\r')).map((row) => row.cells)).toEqual([
        ['\r"\r', "\r"],
        ["z", "\r\n"],
      ]);
    });

    it("are text inside an unquoted cell", async () => {
      expect((await read('3/4" pipe;5"\nb;c"d"e\n')).map((row) => row.cells)).toEqual([
        ['3/4" pipe', '5"'],
        ["b", 'c"d"e'],
      ]);
    });

    it("may be followed by blanks", async () => {
      const rows = await read('"a" ;"b"  \n"c";"d"\t\r\n');
      expect(rows.map((row) => row.cells)).toEqual([
        ["a", "b"],
        ["c", "d"],
      ]);
      expect(rows.every((row) => row.broken === undefined)).toBe(true);
    });

    it("break only their row when text follows a closing one", async () => {
      const rows = await read('a;b\n"12" pipe";x\nc;d\n');
      expect(rows.map((row) => row.broken !== undefined)).toEqual([false, true, false]);
      expect(rows[1]!.raw).toBe('"12" pipe";x');
      expect(rows[2]!.cells).toEqual(["c", "d"]);
    });

    it("break the first line only: the lines behind it are rows of their own", async () => {
      const rows = await read('a;b\r\n"one\r\ntwo" x\r\nthree";y\r\nc;d\r\n');
      expect(rows.map((row) => [row.line, row.raw, row.broken !== undefined])).toEqual([
        [1, "a;b", false],
        [2, '"one', true],
        [3, 'two" x', false],
        [4, 'three";y', false],
        [5, "c;d", false],
      ]);
    });

    it("that an ERP forgot cost one row, not all up to the next quoted cell", async () => {
      const good = Array.from({ length: 50 }, (_, i) => `k${i};v${i}\n`).join("");
      const rows = await read(`a;"cut off\n${good}b;"quoted"\nc;"also"\n`);
      expect(rows.filter((row) => row.broken !== undefined).map((row) => row.raw)).toEqual(['a;"cut off']);
      expect(rows).toHaveLength(53);
      expect(rows.at(-1)!.cells).toEqual(["c", "also"]);
    });

    it("fail the file when never closed, by the line of the mark", async () => {
      const report = await failureOf(read('a;b\n"c\nd";"e\nf;g\nh'));
      expect(report).toMatchObject({ code: "unclosed-quote", evidence: { line: 3 } });
    });

    it("fail the file when the last character opens one", async () => {
      expect((await failureOf(read('a;b\nc;"'))).evidence).toEqual({ line: 2 });
    });

    it("may be apostrophes", async () => {
      expect((await read("'a;b';\"c\n", { ...QUOTED, quote: "'" })).map((row) => row.cells)).toEqual([["a;b", '"c']]);
    });

    it("may close the file without a line end", async () => {
      expect((await read('a;"b"')).map((row) => row.cells)).toEqual([["a", "b"]]);
      expect((await read('a;"b"\r')).map((row) => row.cells)).toEqual([["a", "b"]]);
    });
  });

  it("fail the file when a mark stays open for longer than a row may be: a field of 1 MB", async () => {
    const text = `a;b\nc;"${"line\n".repeat(200_000)}";d\n`;
    for (const size of [1_000, 65_536, 1_000_000]) {
      const report = await failureOf(rowsOf(text, QUOTED, size));
      expect(report).toMatchObject({ code: "unclosed-quote", evidence: { line: 2, withinChars: ROW_MAX_CHARS } });
      expect(report.sentence).toContain("262144 characters");
    }
  });

  it("say of a mark that is closed behind the limit that the text may be too long, not only that nobody closed it", async () => {
    const long = await failureOf(rowsOf(`a;b\nc;"${"x".repeat(1_000_000)}"\n`, QUOTED, 65_536));
    expect(long.sentence).toContain("either nobody closed it, or it holds one text that is longer");
    expect(long.hint).toMatch(/If the mark was never closed, double .* If the text is really that long, .* shorten it/);
    const open = await failureOf(rowsOf('a;b\nc;"d\n', QUOTED, 65_536));
    expect(open.sentence).toContain("is never closed");
    expect(open.hint).not.toContain("long");
  });

  it("fail the file the same way wherever the slices end, when closed just behind the limit", async () => {
    for (const [chars, code] of [
      [ROW_MAX_CHARS - 3, undefined],
      [ROW_MAX_CHARS - 2, "row-too-long"],
      [ROW_MAX_CHARS - 1, "unclosed-quote"],
      [ROW_MAX_CHARS + 9, "unclosed-quote"],
    ] as const) {
      const text = `a;b\n"${"x".repeat(chars)}";\n"d"x;e\n`;
      for (const size of [997, 4_099, 65_536]) {
        const parsing = rowsOf(text, QUOTED, size);
        if (code === undefined) expect((await parsing)[1]!.cells[0]).toHaveLength(chars);
        else expect((await failureOf(parsing)).code).toBe(code);
      }
    }
  });

  it("take a long cell of many lines that is closed in time", async () => {
    const cell = "line\n".repeat(40_000);
    const rows = await rowsOf(`a;b\nc;"${cell}"\nd;e\n`, QUOTED, 10_000);
    expect(rows[1]!.cells).toEqual(["c", cell]);
    expect(rows.map((row) => row.line)).toEqual([1, 2, 40_003]);
  });

  it("are text where the format has none", async () => {
    expect(await cellsOf('"a;b"\n""c\n', PLAIN, 1)).toEqual([['"a', 'b"'], ['""c']]);
  });
});

describe("against the whole-string parse of papaparse", () => {
  const hostile = fc.string({
    unit: fc.constantFrom("a", "b", ";", '"', '""', '";', ' "', "\n", "\r\n", '"\r\n', " "),
    maxLength: 60,
  });

  it("gives the same rows however a text is cut, where no quotation mark is broken", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(hostile, fc.integer({ min: 1, max: 12 }), async (body, size) => {
        // Papaparse breaks a row on blanks between a closing mark and the end of the file; a line end makes both agree.
        const text = `${body}\n`;
        const parser = new Papa.Parser({ delimiter: ";", quoteChar: '"', newline: "\n" });
        const whole = parser.parse(text, 0, false) as Papa.ParseResult<string[]>;
        const codes = new Set(whole.errors.map((error) => error.code));
        if (codes.has("InvalidQuotes")) {
          const rows = await rowsOf(text, QUOTED, size).catch((thrown: { code?: string }) => thrown.code);
          if (typeof rows === "object") expect(rows.some((row) => row.broken !== undefined)).toBe(true);
          else expect(rows).toBe("unclosed-quote");
          return;
        }
        if (codes.has("MissingQuotes")) {
          expect((await failureOf(rowsOf(text, QUOTED, size))).code).toBe("unclosed-quote");
          return;
        }
        compared++;
        const rows = await rowsOf(text, QUOTED, size);
        const expected = whole.data.map((row) => [...row.slice(0, -1), row.at(-1)!.replace(/\r$/, "")]);
        expect(rows.map((row) => row.cells)).toEqual(expected.slice(0, -1));
        expect(rows.every((row) => row.broken === undefined)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
    expect(compared).toBeGreaterThan(1_000);
  });

  it("reads lone CRs outside quotes as line ends and leaves them inside", async () => {
    const withCrs = fc.string({
      unit: fc.constantFrom("a", ";", '"', '";"', "\n", "\r", "\r\n", '"\r', " "),
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(withCrs, fc.integer({ min: 1, max: 12 }), async (text, size) => {
        const outcome = async (n: number) => rowsOf(text, QUOTED, n).catch((thrown: { code?: string }) => thrown.code);
        const whole = await outcome(100_000);
        expect(await outcome(size)).toEqual(whole);
        if (typeof whole === "string" || whole === undefined) return;
        // Raw rows put together with any line end between them are the text, up to the kind of its line ends.
        const norm = (value: string) => value.replace(/\r\n?/g, "\n");
        expect(norm(`${whole.map((row) => row.raw).join("\n")}\n`)).toBe(
          norm(text.endsWith("\n") || text.endsWith("\r") || text === "" ? text || "\n" : `${text}\n`),
        );
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("tables written and read back", () => {
  const cell = fc.string({
    unit: fc.constantFrom("a", "ü", "€", "𝄞", ";", '"', "\n", "\r", "\r\n", " ", "'"),
    maxLength: 8,
  });
  const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 8 });

  it("are the same, quoted, with any line end, in any blocks", async () => {
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (rows, end, size, last) => {
          const text =
            rows.map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(";")).join(end) +
            (last ? end : "");
          expect(await cellsOf(text, QUOTED, size)).toEqual(rows);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("are the same, plain, with delimiters of their own", async () => {
    const plainCell = cell.filter((value) => !value.includes("&|") && !value.includes("+|"));
    const plain = fc.array(fc.array(plainCell, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        plain,
        fc.constantFrom("", "\n", "\r\n"),
        fc.integer({ min: 1, max: 9 }),
        async (rows, end, size) => {
          // A line end at the start of a record belongs to the delimiter before it: begin every record with a letter.
          const table = rows.map((row) => ["x", ...row]);
          const text = table.map((row) => `${row.join("+|")}&|${end}`).join("");
          expect(await cellsOf(text, { ...PLAIN, delimiter: "+|", recordDelimiter: "&|" }, size)).toEqual(table);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("a record delimiter of its own", () => {
  const format = { ...PLAIN, delimiter: "+|", recordDelimiter: "&|" };

  it.each([1, 2, 5, 65_536])("is taken to the letter, then one optional line end, in blocks of %i", async (size) => {
    expect(await cellsOf("a+|b&|\r\nc+|d&\ne&|f+|g&|\n", format, size)).toEqual([
      ["a", "b"],
      ["c", "d&\ne"],
      ["f", "g"],
    ]);
    expect(await cellsOf("a+|b&|\r\n\r\nc&|", format, size)).toEqual([["a", "b"], ["\r\nc"]]);
  });

  it("ends the file with an unfinished record too, and counts records as lines", async () => {
    const rows = await rowsOf("a+|b&|c+|d", format, 1);
    expect(rows.map((row) => [row.line, row.raw])).toEqual([
      [1, "a+|b"],
      [2, "c+|d"],
    ]);
  });
});

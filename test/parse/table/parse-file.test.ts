import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CHUNK_MAX_DATA_BYTES,
  CHUNK_MAX_ROWS,
  decodeChunk,
  MAX_DUPLICATE_ROWS,
  TAIL_FIRST_N,
} from "../../../src/domain/chunk.ts";
import { Bookkeeper } from "../../../src/parse/table/books.ts";
import { hashBytes, hashWords, writeHex } from "../../../src/parse/table/hash.ts";
import { parseFile } from "../../../src/parse/table/parse-file.ts";
import { RAW_MAX_CHARS } from "../../../src/parse/table/rejects.ts";
import { blocksOf, codeOf, failureOf, parse, tableFeed, utf8 } from "./support.ts";

const NO_LINES = { preamble: 0, header: 0, footer: 0, blank: 0, continuation: 0, accepted: 0, rejected: 0 };

describe("a good file", () => {
  it("becomes records with keys, lines and hashes", async () => {
    const text = "Id;Name\nA1;Äpfel\nA2;\n";
    const outcome = await parse(tableFeed(), text);
    expect(outcome.main.map(({ key, line, json }) => ({ key, line, json }))).toEqual([
      { key: "A1", line: 2, json: '{"id":"A1","name":"Äpfel"}' },
      { key: "A2", line: 3, json: '{"id":"A2","name":null}' },
    ]);
    expect(outcome).toMatchObject({ rows: 2, rejectsStored: 0, failure: null, bytes: utf8(text).length });
    expect(outcome.contentSha256).toBe(createHash("sha256").update(text).digest("hex"));
    expect(outcome.books).toEqual({ ...NO_LINES, lines: 3, header: 1, accepted: 2 });
  });

  it("hashes the record's text, which anybody can do again", async () => {
    const { main } = await parse(tableFeed(), "Id;Name\nA1;x\n");
    const bytes = utf8(main[0]!.json);
    const words = hashWords();
    const hex = new Uint8Array(32);
    hashBytes(new DataView(bytes.buffer), 0, bytes.length, 0, words);
    writeHex(words, hex, 0);
    expect(main[0]!.hash).toBe(new TextDecoder().decode(hex));
    // Written down once: a change of the hash makes every record of every feed look changed.
    expect(main[0]!.hash).toBe("ecda0678e4928679da07bd5854f47ded");
  });

  it("gives one hash to one value however it is written, and others to null, the empty text and another name", async () => {
    const feed = (name: string) =>
      tableFeed({
        columns: [
          { name: "id", source: { header: "Id" }, type: "identifier" },
          { name, source: { header: "Name" }, type: "decimal" },
          { name: "flag", source: { header: "Flag" }, type: "enum", values: { E: "", "-": "-" } },
        ],
      });
    const { main } = await parse(feed("amount"), "Id;Name;Flag\nA;12.5;-\nA;+012.50;-\nA;12.5;\nA;12.5;E\nA;;-\n");
    const renamed = await parse(feed("other"), "Id;Name;Flag\nA;12.5;-\n");
    const { tail } = await parse(feed("amount"), "Id;Name;Flag\nA;12.5;-\nA;+012.50;-\nA;12.5;\nA;12.5;E\nA;;-\n");
    const hashes = [...main, ...tail].map((row) => row.hash);
    expect(hashes[0]).toBe(hashes[1]);
    expect(new Set([...hashes, renamed.main[0]!.hash]).size).toBe(5);
  });

  it("is the same in any blocks and slices", async () => {
    const text = `Id;Name\r\n${Array.from({ length: 300 }, (_, i) => `A${i % 250};"n ${i}\r\n""ü"""`).join("\r\n")}\r\nbad\r\n`;
    const whole = await parse(tableFeed(), text);
    expect(whole.tail).toHaveLength(50);
    for (const [blockSize, sliceChars] of [
      [1, 1],
      [7, 1],
      [1, 65_536],
      [1_000, 100],
    ] as const) {
      expect(await parse(tableFeed(), text, { blockSize, sliceChars })).toEqual(whole);
    }
  });

  it("may have only a header, and then has no rows", async () => {
    for (const text of ["Id;Name", "Id;Name\r\n", "\ufeffId;Name\n\n"]) {
      expect(await parse(tableFeed(), text)).toMatchObject({
        rows: 0,
        chunks: [],
        failure: null,
        books: { header: 1, accepted: 0 },
      });
    }
  });

  it("writes columns in the order of the adapter, whatever their order in the file, and leaves others alone", async () => {
    const { main } = await parse(tableFeed(), "X; Name ;\ufeffId;X;\n1;n;A1;2;3\n");
    expect(main[0]!.json).toBe('{"id":"A1","name":"n"}');
  });

  it("escapes what JSON escapes, and chunks can still be split", async () => {
    const { main } = await parse(tableFeed(), 'Id;Name\n"A""1";"a\\b\t""c""\nd 𝄞"\n');
    expect(main[0]).toMatchObject({ key: 'A"1', record: { id: 'A"1', name: 'a\\b\t"c"\nd 𝄞' } });
  });

  it("takes columns by position, from the preamble and by ordinal", async () => {
    const feed = tableFeed({
      file: { header: false, columnCount: 2, preamble: [{ startsWith: "Batch" }, { startsWith: "" }] },
      columns: [
        { name: "batch", source: { preamble: 1, field: 2 }, type: "identifier" },
        { name: "line", source: { ordinal: true }, type: "integer" },
        {
          name: "on",
          source: { position: 2 },
          type: "date",
          format: "ddMM",
          fiscalYearStart: { preamble: 2, field: 1 },
        },
      ],
      key: ["batch", "line"],
    });
    const outcome = await parse(feed, "Batch;B|7\n20180401\nx;104\nx\nx;3103\n");
    expect(outcome.main.map(({ key, json }) => [key, json])).toEqual([
      ["B\\|7|1", '{"batch":"B|7","line":1,"on":"2018-04-01"}'],
      ["B\\|7|3", '{"batch":"B|7","line":3,"on":"2019-03-31"}'],
    ]);
    expect(outcome.preamble).toEqual([["Batch", "B|7"], ["20180401"]]);
    expect(outcome.books).toMatchObject({ preamble: 2, accepted: 2, rejected: 1 });
  });
});

describe("the books", () => {
  it("say of every line what it was", async () => {
    const feed = tableFeed({
      columns: [{ name: "id", source: { header: "Id" }, type: "identifier" }],
      file: { preamble: [{ startsWith: "Export" }], footer: { startsWith: "Total" } },
    });
    const file = [
      ["Export 7", "preamble"],
      ["", "blank"],
      ['Id;"Na', "header"],
      ['me"', "continuation"],
      ["A1;x", "accepted"],
      [" ", "blank"],
      ['A2;"y', "accepted"],
      ["z", "continuation"],
      ['"', "continuation"],
      ["A3", "rejected"],
      ['"A4" q";r', "rejected"],
      ['A5;"a', "rejected"],
      ['b";c', "continuation"],
      ["Total;2", "footer"],
      ["", "footer"],
      ['"end', "footer"],
      ['of it"', "footer"],
    ] as const;
    const { books } = await parse(feed, `${file.map(([line]) => line).join("\r\n")}\r\n`);
    const kinds = (kind: string) => file.filter(([, is]) => is === kind).length;
    const counted = Object.keys(NO_LINES).map((kind) => [kind, kinds(kind)]);
    expect(books).toEqual({ lines: file.length, ...Object.fromEntries(counted) });
  });

  it("count a file of blank lines behind its header", async () => {
    expect((await parse(tableFeed(), "Id;Name\n\n \n\t\n")).books).toEqual({
      ...NO_LINES,
      lines: 4,
      header: 1,
      blank: 3,
    });
  });

  it("balance for any file", async () => {
    const feed = tableFeed({ file: { footer: { startsWith: "E" } } });
    const unit = fc.constantFrom("A", "B", ";", '"', '";"', "\n", "\r\n", "\r", " ", "E");
    await fc.assert(
      fc.asyncProperty(fc.string({ unit, maxLength: 80 }), fc.integer({ min: 1, max: 9 }), async (body, blockSize) => {
        const text = `Id;Name\n${body}`;
        const outcome = await parse(feed, text, { blockSize, sliceChars: 1 }).catch(
          (thrown: { code?: string }) => thrown.code,
        );
        if (typeof outcome === "string") {
          expect(outcome).toBe("unclosed-quote");
          return;
        }
        const { books, main, tail, rejects } = outcome!;
        const ends = text.match(/\r\n|\n|\r/g)?.length ?? 0;
        expect(books.lines).toBe(ends + (/[\r\n]$/.test(text) ? 0 : 1));
        expect(books.accepted).toBe(main.length + tail.length);
        expect(books.rejected).toBe(new Set(rejects.map((reject) => reject.line)).size);
      }),
      { numRuns: 1_000 },
    );
  });

  it("are refused when they do not add up, with the side and both counts", () => {
    const books = new Bookkeeper();
    books.enter("header", 1);
    books.enter("accepted", 3);
    books.enter("footer", 2);
    expect(books.close(6, 1)).toEqual({ ...NO_LINES, lines: 6, header: 1, accepted: 1, continuation: 2, footer: 2 });
    expect(() => books.close(7, 1)).toThrow(
      expect.objectContaining({
        report: expect.objectContaining({
          code: "books-unbalanced",
          disposition: "hold",
          evidence: { side: "lines", expected: 7, counted: 6 },
        }),
      }),
    );
    expect(() => books.close(6, 2)).toThrow(
      expect.objectContaining({
        report: expect.objectContaining({ evidence: { side: "accepted", expected: 1, counted: 2 } }),
      }),
    );
  });
});

describe("refused rows", () => {
  const wide = tableFeed({
    columns: [
      { name: "id", source: { header: "Id" }, type: "identifier", pattern: "[A-Z][0-9]+" },
      { name: "count", source: { header: "Anzahl" }, type: "integer", max: 99, blank: "reject" },
      { name: "price", source: { header: "Preis" }, type: "decimal", decimalMark: "," },
      { name: "day", source: { header: "Tag" }, type: "date", format: "dd.MM.yyyy" },
      { name: "unit", source: { header: "Einheit" }, type: "enum", values: { ST: "piece" } },
      { name: "text", source: { header: "Text" }, type: "text", maxLength: 5 },
    ],
  });
  const header = "Id;Anzahl;Preis;Tag;Einheit;Text\n";
  const good = "A1;1;1,5;01.02.2026;ST;abc";

  it.each([
    ["wrong-pattern", "a1;1;1,5;01.02.2026;ST;abc", "Id", "a1", "[A-Z][0-9]+"],
    ["value-missing", ";1;1,5;01.02.2026;ST;abc", "Id", "", "a value"],
    ["value-missing", "A1;;1,5;01.02.2026;ST;abc", "Anzahl", "", "a value"],
    ["not-an-integer", "A1; 1,0 ;1,5;01.02.2026;ST;abc", "Anzahl", "1,0", "a whole number"],
    ["out-of-range", "A1;100;1,5;01.02.2026;ST;abc", "Anzahl", "100", `from ${Number.MIN_SAFE_INTEGER} to 99`],
    ["not-a-decimal", "A1;1;1.5;01.02.2026;ST;abc", "Preis", "1.5", "a number written as 1234,56"],
    [
      "not-a-date",
      "A1;1;1,5;31.02.2026;ST;abc",
      "Tag",
      "31.02.2026",
      "a date written as dd.MM.yyyy, such as 31.12.2026",
    ],
    ["not-in-list", "A1;1;1,5;01.02.2026;PK;abc", "Einheit", "PK", "one of ST"],
    ["text-too-long", "A1;1;1,5;01.02.2026;ST;abcdef", "Text", "abcdef", "5 characters at most"],
    ["control-characters", "A1;1;1,5;01.02.2026;ST;a\u0007", "Text", "a\u0007", "no control characters"],
    ["row-width", "A1;1;1,5;01.02.2026;ST", null, null, "6 columns"],
    ["row-width", `${good};more`, null, null, "6 columns"],
    ["broken-quoting", '"A1"x;1;1,5;01.02.2026;ST;abc', null, null, "quotation marks that fit together"],
  ])("%s: %s", async (code, row, column, value, rule) => {
    const outcome = await parse(wide, `${header}${good}\n${row}\n${good.replace("A1", "A2")}\n`);
    expect(outcome.rejects).toHaveLength(1);
    expect(outcome.rejects[0]).toMatchObject({ line: 3, position: 0, code, column, value, rule, raw: row });
    expect(outcome.rejects[0]!.sentence.length).toBeGreaterThan(10);
    expect(outcome.rejects[0]!.hint).not.toBe("");
    expect(outcome.main.map((kept) => [kept.key, kept.line])).toEqual([
      ["A1", 2],
      ["A2", 4],
    ]);
    expect(outcome.books).toMatchObject({ accepted: 2, rejected: 1 });
  });

  it("name every fault, in the order of the adapter, and count as one row", async () => {
    const outcome = await parse(wide, `${header}x;y;z;0;PK;abcdef\n`);
    expect(outcome.rejects.map(({ position, code, column }) => [position, code, column])).toEqual([
      [0, "wrong-pattern", "Id"],
      [1, "not-an-integer", "Anzahl"],
      [2, "not-a-decimal", "Preis"],
      [3, "not-a-date", "Tag"],
      [4, "not-in-list", "Einheit"],
      [5, "text-too-long", "Text"],
    ]);
    expect(outcome).toMatchObject({ rows: 1, rejectsStored: 6, books: { rejected: 1, accepted: 0 }, chunks: [] });
  });

  it("are refused for a key that cannot be one", async () => {
    const feed = tableFeed({
      columns: [
        { name: "id", source: { header: "Id" }, type: "text" },
        { name: "b", source: { header: "B" }, type: "text" },
      ],
      key: ["id", "b"],
    });
    const outcome = await parse(feed, `Id;B\n"a\nb";c\n${"x".repeat(600)};${"y".repeat(600)}\na;b\n`);
    expect(outcome.rejects.map(({ line, code, column }) => [line, code, column])).toEqual([
      [2, "control-characters", "Id + B"],
      [4, "key-too-long", "Id + B"],
    ]);
    expect(outcome.main.map((row) => row.key)).toEqual(["a|b"]);
  });

  it("are stored up to a limit and all counted", async () => {
    const text = `Id;Name\n${"x\n".repeat(50)}`;
    const outcome = await parse(tableFeed(), text, { maxStoredRejects: 30 });
    expect(outcome).toMatchObject({ rejectsStored: 30, books: { rejected: 50 } });
    expect(outcome.rejects).toHaveLength(30);
  });

  it("keep their text, cut, of all their lines", async () => {
    const outcome = await parse(tableFeed(), `Id;Name;X\nA;"b\r\nc"\nB;${"x".repeat(10_000)}\n`);
    expect(outcome.rejects[0]!.raw).toBe('A;"b\r\nc"');
    expect(outcome.rejects[1]!.raw).toHaveLength(RAW_MAX_CHARS);
    expect(outcome.rejects[1]!.line).toBe(4);
  });

  it("hold the file when there are too many, but are all told", async () => {
    const rows = (bad: number) =>
      `Id;Name\n${"x\n".repeat(bad)}${Array.from({ length: 100 - bad }, (_, i) => `A${i};n\n`).join("")}`;
    const share = tableFeed({ limits: { maxRejectShare: 0.05 } });
    expect((await parse(share, rows(5))).failure).toBeNull();
    expect((await parse(share, rows(6))).failure).toMatchObject({
      code: "too-many-rejects",
      disposition: "hold",
      evidence: { rejected: 6, rows: 100, limit: "5 %" },
    });
    const count = tableFeed({ limits: { maxRejects: 10, maxRejectShare: 1 } });
    expect((await parse(count, rows(10))).failure).toBeNull();
    const held = await parse(count, rows(11));
    expect(held.failure).toMatchObject({ evidence: { limit: "10 rows" } });
    expect(held.rejects).toHaveLength(11);
    expect(held.main).toHaveLength(89);
  });

  it("may be all there is", async () => {
    const outcome = await parse(tableFeed(), "Id;Name\nx\ny\n");
    expect(outcome).toMatchObject({ rows: 2, chunks: [], failure: null, books: { rejected: 2, accepted: 0 } });
    expect((await parse(tableFeed({ limits: {} }), "Id;Name\nx\ny\n")).failure).toMatchObject({
      code: "too-many-rejects",
    });
  });
});

describe("refused files", () => {
  it.each(["", "\ufeff", "\n\r\n", "  \n\t"])("file-empty: %j", async (text) => {
    expect(await codeOf(parse(tableFeed(), text))).toBe("file-empty");
    expect(await codeOf(parse(tableFeed({ file: { preamble: [{ startsWith: "Export" }] } }), text))).toBe("file-empty");
    const bare = tableFeed({
      file: { header: false, columnCount: 1 },
      columns: [{ name: "id", source: { position: 1 }, type: "text" }],
    });
    expect(await codeOf(parse(bare, text))).toBe("file-empty");
  });

  it("missing-column: names all that are missing and what was found", async () => {
    expect(await failureOf(parse(tableFeed(), "\nIdent; Nam \nA;b\n"))).toMatchObject({
      code: "missing-column",
      evidence: { missing: ["Id", "Name"], found: ["Ident", "Nam"], line: 2 },
    });
    expect(await codeOf(parse(tableFeed(), "id;name\nA;b\n"))).toBe("missing-column");
  });

  it("duplicate-column: of a column that is read; others may stand twice", async () => {
    expect(await failureOf(parse(tableFeed(), "Id;Name;Id \n"))).toMatchObject({
      code: "duplicate-column",
      evidence: { column: "Id", line: 1 },
    });
    expect((await parse(tableFeed(), "Id;Name;X;X;;\nA;b;;;;\n")).rows).toBe(1);
  });

  it("no-header: the file ends in its preamble", async () => {
    const feed = tableFeed({ file: { preamble: [{ startsWith: "Export" }] } });
    expect(await failureOf(parse(feed, "Export 1\n\n"))).toMatchObject({ code: "no-header", evidence: { lines: 2 } });
  });

  it("wrong-preamble: a line begins otherwise, or is missing", async () => {
    const feed = tableFeed({ file: { preamble: [{ startsWith: '"EXTF"' }, { startsWith: "" }] } });
    expect(await failureOf(parse(feed, "Id;Name\nA;b\n"))).toMatchObject({
      code: "wrong-preamble",
      evidence: { line: 1, expected: '"EXTF"', found: "Id;Name" },
    });
    expect(await failureOf(parse(feed, "\n\nId;Name\n"))).toMatchObject({
      code: "wrong-preamble",
      evidence: { line: 1 },
    });
    expect(await failureOf(parse(feed, '"EXTF";1\n'))).toMatchObject({
      code: "wrong-preamble",
      evidence: { line: 2, found: "" },
    });
    expect((await parse(feed, '"EXTF";1\n\nId;Name\nA;b\n')).books).toMatchObject({
      preamble: 2,
      blank: 0,
      accepted: 1,
    });
    expect(
      (await parse(tableFeed({ file: { preamble: [{ startsWith: "EXTF" }] } }), '"EXTF";1\nId;Name\n')).books.preamble,
    ).toBe(1);
  });

  it("bad-preamble-value: a value that holds for every row cannot be read", async () => {
    const columns = [
      { name: "id", source: { header: "Id" }, type: "identifier" as const },
      { name: "year", source: { preamble: 1, field: 2 }, type: "date" as const, format: "yyyyMMdd" },
    ];
    const feed = tableFeed({ file: { preamble: [{ startsWith: "" }] }, columns });
    expect(await failureOf(parse(feed, "X;20180230\nId\nA\n"))).toMatchObject({
      code: "bad-preamble-value",
      evidence: { line: 1, field: 2, column: "year", value: "20180230" },
    });
    const fiscal = tableFeed({
      file: { preamble: [{ startsWith: "" }] },
      columns: [
        columns[0]!,
        {
          name: "day",
          source: { header: "Tag" },
          type: "date",
          format: "ddMM",
          fiscalYearStart: { preamble: 1, field: 1 },
        },
      ],
    });
    expect(await codeOf(parse(fiscal, "2018;x\nId;Tag\nA;0101\n"))).toBe("bad-preamble-value");
  });

  it("wrong-column-count: the first row, or the header, is of another file; later rows are only rejects", async () => {
    const feed = tableFeed({
      file: { header: false, columnCount: 2 },
      columns: [{ name: "id", source: { position: 1 }, type: "text" }],
    });
    expect(await failureOf(parse(feed, "\na;b;c\n"))).toMatchObject({
      code: "wrong-column-count",
      evidence: { line: 2, expected: 2, found: 3 },
    });
    expect((await parse(feed, "a;b\nc\n")).rejects).toMatchObject([{ code: "row-width", line: 2 }]);
    expect((await parse(feed, '"a"x;b;c\nd;e\n')).rejects).toMatchObject([{ code: "broken-quoting", line: 1 }]);
    expect(await codeOf(parse(tableFeed({ file: { columnCount: 3 } }), "Id;Name\n"))).toBe("wrong-column-count");
  });

  it("unclosed-quote and row-too-long: nothing of the file is taken for whole", async () => {
    expect(await failureOf(parse(tableFeed(), 'Id;Name\nA;b\nC;"d\nE;f\n'))).toMatchObject({
      code: "unclosed-quote",
      evidence: { line: 3 },
    });
    expect(await codeOf(parse(tableFeed(), `Id;Name\nA;${"x".repeat(300_000)}\n`))).toBe("row-too-long");
  });

  it("wrong-charset and nul-bytes: with the line", async () => {
    const bytes = Uint8Array.from([...utf8("Id;Name\nA;"), 0xe4, 0x0a]);
    expect(await failureOf(parse(tableFeed(), bytes))).toMatchObject({
      code: "wrong-charset",
      evidence: { line: 2, offset: 10 },
    });
    expect(await failureOf(parse(tableFeed(), "Id;Name\nA;\0\n"))).toMatchObject({
      code: "nul-bytes",
      evidence: { line: 2 },
    });
  });

  it("too-many-rows: one more than the limit", async () => {
    const feed = tableFeed({ limits: { maxRows: 2, maxRejectShare: 1 } });
    expect((await parse(feed, "Id;Name\nA;1\nB\n")).rows).toBe(2);
    expect(await failureOf(parse(feed, "Id;Name\nA;1\nB\nC;1\n"))).toMatchObject({
      code: "too-many-rows",
      evidence: { limit: 2 },
    });
  });
});

describe("repeated keys", () => {
  it("go into the tail, in the order of the file; the first of each stays in the main chunks", async () => {
    const outcome = await parse(tableFeed(), "Id;Name\nA;1\nB;1\nA;2\nC;1\nB;2\nA;3\n");
    expect(outcome.main.map(({ key, line }) => [key, line])).toEqual([
      ["A", 2],
      ["B", 3],
      ["C", 5],
    ]);
    expect(outcome.tail.map(({ key, line, record }) => [key, line, record.name])).toEqual([
      ["A", 4, "2"],
      ["B", 6, "2"],
      ["A", 7, "3"],
    ]);
    expect(outcome.books).toMatchObject({ accepted: 6 });
    expect(outcome.chunks.map(({ n, tail }) => [n, tail])).toEqual([
      [0, undefined],
      [TAIL_FIRST_N, true],
    ]);
  });

  it("are not repeated by rows that were refused", async () => {
    const feed = tableFeed({
      columns: [
        { name: "id", source: { header: "Id" }, type: "identifier" },
        { name: "n", source: { header: "N" }, type: "integer" },
      ],
    });
    const outcome = await parse(feed, "Id;N\nA;x\nA;1\n");
    expect(outcome.main).toHaveLength(1);
    expect(outcome.tail).toHaveLength(0);
  });

  it("fill tail chunks that are written while main chunks still follow, and are listed behind them", async () => {
    const rows = Array.from({ length: CHUNK_MAX_ROWS + 10 }, (_, i) => `A;${i}\n`).join("");
    const more = Array.from({ length: CHUNK_MAX_ROWS + 10 }, (_, i) => `B${i};\n`).join("");
    const outcome = await parse(tableFeed(), `Id;Name\n${rows}${more}`);
    expect(outcome.chunks.map(({ n, rows: count }) => [n, count])).toEqual([
      [0, CHUNK_MAX_ROWS],
      [1, 11],
      [TAIL_FIRST_N, CHUNK_MAX_ROWS],
      [TAIL_FIRST_N + 1, 9],
    ]);
    expect(outcome.entries[0]!.n).toBe(TAIL_FIRST_N);
    expect(outcome.tail.map((row) => row.record.name)).toEqual(
      Array.from({ length: CHUNK_MAX_ROWS + 9 }, (_, i) => String(i + 1)),
    );
  });

  it("too-many-duplicates: one more than can be settled", async () => {
    async function* blocks(rows: number): AsyncGenerator<Uint8Array> {
      yield utf8("Id;Name\n");
      const thousand = utf8("A;\n".repeat(1_000));
      for (let i = 0; i < rows; i += 1_000) yield thousand;
      yield utf8("A;");
    }
    const sink = { chunk: async () => undefined, rejects: async () => undefined };
    const parsed = await parseFile(tableFeed(), blocks(MAX_DUPLICATE_ROWS), sink);
    expect(parsed.rows).toBe(MAX_DUPLICATE_ROWS + 1);
    expect(await codeOf(parseFile(tableFeed(), blocks(MAX_DUPLICATE_ROWS + 1_000), sink))).toBe("too-many-duplicates");
  });
});

describe("chunks", () => {
  it("hold CHUNK_MAX_ROWS rows at most", async () => {
    const text = `Id;Name\n${Array.from({ length: 2 * CHUNK_MAX_ROWS + 1 }, (_, i) => `A${i};n\n`).join("")}`;
    const outcome = await parse(tableFeed(), text);
    expect(outcome.chunks.map(({ n, rows }) => [n, rows])).toEqual([
      [0, CHUNK_MAX_ROWS],
      [1, CHUNK_MAX_ROWS],
      [2, 1],
    ]);
    expect(outcome.main.map((row) => row.key)).toEqual(
      Array.from({ length: 2 * CHUNK_MAX_ROWS + 1 }, (_, i) => `A${i}`),
    );
  });

  it("hold CHUNK_MAX_DATA_BYTES of records at most, also where characters take several bytes", async () => {
    const feed = tableFeed({
      columns: [
        { name: "id", source: { header: "Id" }, type: "identifier" },
        { name: "name", source: { header: "Name" }, type: "text", maxLength: 200_000 },
      ],
    });
    const rows = Array.from({ length: 30 }, (_, i) => `A${i};${"€".repeat(60_000 + i)}\n`);
    const outcome = await parse(feed, `Id;Name\n${rows.join("")}`);
    expect(outcome.chunks.map(({ rows: count }) => count)).toEqual([11, 11, 8]);
    for (const { bytes, headBytes } of outcome.chunks)
      expect(bytes - headBytes).toBeLessThanOrEqual(CHUNK_MAX_DATA_BYTES);
    expect(outcome.main.map((row) => (row.record.name as string).length)).toEqual(rows.map((_, i) => 60_000 + i));
  });

  it("are the sink's to keep: nothing later changes their bytes", async () => {
    const kept: { bytes: Uint8Array; headBytes: number; copy: Uint8Array }[] = [];
    const text = `Id;Name\n${Array.from({ length: 3 * CHUNK_MAX_ROWS }, (_, i) => `A${i};n${i}\n`).join("")}`;
    await parseFile(tableFeed(), blocksOf(utf8(text)), {
      chunk: async ({ headBytes }, bytes) => void kept.push({ bytes, headBytes, copy: bytes.slice() }),
      rejects: async () => undefined,
    });
    expect(kept.map(({ bytes, copy }) => Buffer.compare(bytes, copy))).toEqual([0, 0, 0]);
    expect(decodeChunk(kept[2]!.bytes, kept[2]!.headBytes).keys.at(-1)).toBe(`A${3 * CHUNK_MAX_ROWS - 1}`);
  });
});

describe("the sink", () => {
  const text = `Id;Name\n${Array.from({ length: 60_000 }, (_, i) => `A${i};${"n".repeat(40)}\n`).join("")}`;

  it("stalls the reading while it waits", async () => {
    let read = 0;
    async function* blocks(): AsyncGenerator<Uint8Array> {
      for await (const block of blocksOf(utf8(text), 10_000)) {
        read += block.length;
        yield block;
      }
    }
    let waiting = 0;
    const reads: number[] = [];
    await parseFile(tableFeed(), blocks(), {
      async chunk() {
        expect(++waiting).toBe(1);
        const before = read;
        for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
        expect(read).toBe(before);
        reads.push(read);
        waiting--;
      },
      rejects: async () => undefined,
    });
    // The first chunk was given away when little more than its own rows were read.
    expect(reads[0]!).toBeLessThan(utf8(text).length / 8);
  });

  it("ends the reading when it fails, and its error is what is thrown", async () => {
    let closed = false;
    async function* blocks(): AsyncGenerator<Uint8Array> {
      try {
        yield* blocksOf(utf8(text));
      } finally {
        closed = true;
      }
    }
    const broken = new Error("the store is down");
    const parsing = parseFile(tableFeed(), blocks(), {
      chunk: () => Promise.reject(broken),
      rejects: async () => undefined,
    });
    await expect(parsing).rejects.toBe(broken);
    expect(closed).toBe(true);
  });

  it("gets rejects in batches, in the order of the file", async () => {
    const sizes: number[] = [];
    const lines: number[] = [];
    await parseFile(tableFeed(), blocksOf(utf8(`Id;Name\n${"x\n".repeat(250)}`)), {
      chunk: async () => undefined,
      async rejects(batch) {
        sizes.push(batch.length);
        lines.push(...batch.map((reject) => reject.line));
      },
    });
    expect(sizes).toEqual([100, 100, 50]);
    expect(lines).toEqual(Array.from({ length: 250 }, (_, i) => i + 2));
  });
});

describe("any table", () => {
  it("comes out as it went in", async () => {
    const cell = fc.string({ unit: fc.constantFrom("a", "ü", "𝄞", ";", '"', "\n", "\\", " ", "|"), maxLength: 6 });
    const table = fc.array(fc.tuple(fc.stringMatching(/^[a-c|\\]{1,2}$/), cell), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 20 }), async (rows, blockSize) => {
        const text = `Id;Name\r\n${rows.map(([id, name]) => `${id};"${name.replaceAll('"', '""')}"\r\n`).join("")}`;
        const { main, tail } = await parse(tableFeed(), text, { blockSize, sliceChars: 1 });
        const seen = new Set<string>();
        const keys = new Set<string>();
        const expected = { main: [] as unknown[], tail: [] as unknown[] };
        for (const [id, name] of rows) {
          const trimmed = name.replace(/^[ \t]+|[ \t]+$/g, "");
          expected[seen.has(id) ? "tail" : "main"].push({ id, name: trimmed === "" ? null : trimmed });
          seen.add(id);
          keys.add(id.replace(/[\\|]/g, "\\$&"));
        }
        expect(main.map((row) => row.record)).toEqual(expected.main);
        expect(tail.map((row) => row.record)).toEqual(expected.tail);
        expect(main.map((row) => row.key)).toEqual([...keys]);
      }),
      { numRuns: 500 },
    );
  });
});

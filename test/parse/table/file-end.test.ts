/** A file that was cut off is held with the signs of it; one that only looks odd is not. */
import { describe, expect, it } from "vitest";
import { endsWithNewline, type FileEnd, truncationSigns } from "../../../src/parse/table/file-end.ts";
import { type ParseCase, parse, tableFeed, utf8 } from "./support.ts";

describe("the last line end", () => {
  const line = { charset: "utf-8", recordDelimiter: "line" } as const;

  it.each([
    ["a\n", true],
    ["a\r\n", true],
    ["a\r", true],
    ["a", false],
    ["", false],
    ["a\n ", false],
    ["ü\n", true],
    ["ü", false],
  ])("of %j: %s", (text, is) => {
    expect(endsWithNewline(utf8(text), line)).toBe(is);
    expect(endsWithNewline(Buffer.from(text, "utf16le"), { ...line, charset: "utf-16le" })).toBe(is);
    expect(endsWithNewline(Buffer.from(text, "utf16le").swap16(), { ...line, charset: "utf-16be" })).toBe(is);
  });

  it("is not found in half a character of UTF-16", () => {
    // U+0A0A is no line end, and neither is the half of one.
    expect(endsWithNewline(Buffer.from("\u0a0a", "utf16le"), { ...line, charset: "utf-16le" })).toBe(false);
  });

  it("is the record delimiter, with or without a line end behind it", () => {
    const format = { charset: "utf-16le", recordDelimiter: "&|" } as const;
    const ends = (text: string) => endsWithNewline(Buffer.from(text, "utf16le"), format);
    expect([ends("a&|"), ends("a&|\r\n"), ends("a&|\n"), ends("a\n"), ends("a&"), ends("a&|b")]).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it("is told of every file, in blocks of any size", async () => {
    for (const blockSize of [1, 7, 65_536]) {
      for (const asText of [false, true]) {
        const how = { blockSize, asText };
        expect(await parse(tableFeed(), "Id;Name\nA;b\n", how)).toMatchObject({ endsWithNewline: true });
        expect(await parse(tableFeed(), "Id;Name\nA;b", how)).toMatchObject({ endsWithNewline: false, failure: null });
        expect(await parse(tableFeed(), `Id;Name\nA;${"b".repeat(200)}`, how)).toMatchObject({
          endsWithNewline: false,
        });
      }
    }
  });
});

describe("signs of a cut", () => {
  const whole: FileEnd = {
    kind: "delimited",
    bytes: 5_000,
    lines: 100,
    rows: 99,
    endsWithNewline: true,
    newlineExpected: undefined,
    shortRow: null,
  };
  const shortRow = { line: 100, expected: 7, found: 3 };
  const signs = (change: Partial<FileEnd>) => truncationSigns({ ...whole, ...change }).join();

  it("are a last row that is short and has no line end", () => {
    expect(signs({ shortRow, endsWithNewline: false })).toBe(
      "its last row (line 100) has 3 of 7 columns and no line end",
    );
    expect(signs({ shortRow })).toBe("");
  });

  it("are a line end that is missing where the feed has one", () => {
    expect(signs({ endsWithNewline: false })).toBe("");
    expect(signs({ endsWithNewline: false, newlineExpected: false })).toBe("");
    expect(signs({ endsWithNewline: false, newlineExpected: true })).toContain("as the files of this feed do");
    expect(signs({ newlineExpected: true })).toBe("");
  });

  it("are as many rows as a worksheet has", () => {
    expect(signs({ lines: 65_536 })).toContain("exactly 65,536 lines");
    expect(signs({ lines: 1_048_576, kind: "sheet" })).toContain("exactly 1,048,576 lines");
    expect(signs({ rows: 1_048_576, lines: 1_048_577 })).toContain("exactly 1,048,576 rows");
    expect(signs({ lines: 65_537, rows: 65_535 })).toBe("");
    expect(signs({ lines: 65_536, kind: "json" })).toBe("");
  });

  it("are whole blocks that end inside a row", () => {
    expect(signs({ bytes: 8_192, endsWithNewline: false })).toContain("8,192 bytes");
    expect(signs({ bytes: 8_192 })).toBe("");
    expect(signs({ bytes: 8_191, endsWithNewline: false })).toBe("");
    // Files that never end with a line end have such a size now and then.
    expect(signs({ bytes: 8_192, endsWithNewline: false, newlineExpected: false })).toBe("");
  });
});

describe.each<[string, ParseCase]>([
  ["as bytes", {}],
  ["as text", { asText: true }],
])("a file that was cut off, %s", (_name, how) => {
  const text = `Id;Name\n${Array.from({ length: 50 }, (_, i) => `A${i};"n ${i}"\n`).join("")}`;
  const failureOf = async (cut: string, options: ParseCase = {}) =>
    (await parse(tableFeed(), cut, { ...how, ...options })).failure;

  it("is held where the cut shows", async () => {
    const cut = text.slice(0, text.indexOf("A49") + 2);
    expect(await failureOf(cut)).toMatchObject({
      code: "file-truncated",
      disposition: "hold",
      sentence: "The file was probably cut off: its last row (line 51) has 1 of 2 columns and no line end.",
    });
    expect(await failureOf(`${cut}\n`)).toBeNull();
    expect(await failureOf(`${cut}\nA50;x`)).toBeNull();
  });

  it("is held for a missing line end only where one is expected", async () => {
    const cut = text.slice(0, -1);
    expect(await failureOf(cut)).toBeNull();
    expect(await failureOf(cut, { expect: { endsWithNewline: false } })).toBeNull();
    expect(await failureOf(cut, { expect: { endsWithNewline: true } })).toMatchObject({ code: "file-truncated" });
    expect(await failureOf(text, { expect: { endsWithNewline: true } })).toBeNull();
  });

  it("is not suspected where its trailer or its own count proves it whole", async () => {
    const controls = { rowCount: { at: { preamble: 1, field: 1 } } };
    const feed = tableFeed({ file: { preamble: [{ startsWith: "" }] }, controls });
    const options = { ...how, expect: { endsWithNewline: true } };
    expect((await parse(feed, "2\nId;Name\nA;1\nB", options)).failure).toBeNull();
    expect((await parse(feed, "3\nId;Name\nA;1\nB", options)).failure).toMatchObject({ code: "file-truncated" });
    const trailed = tableFeed({ file: { footer: { startsWith: "END" } } });
    expect((await parse(trailed, "Id;Name\nA;1\nEND", options)).failure).toBeNull();
  });
});

describe("a header among the data", () => {
  it.each([
    ["as bytes", {}],
    ["as text", { asText: true }],
  ])("is a header line in the books, not a row, %s", async (_name, how) => {
    const text = 'Id;Name\nA;1\nId;Name\n Id ;"Name"\nId;name\nName;Id\nId\nB;2\n';
    const outcome = await parse(tableFeed(), text, how);
    expect(outcome.books).toMatchObject({ lines: 8, header: 3, accepted: 4, rejected: 1 });
    expect(outcome.main.map(({ key }) => key)).toEqual(["A", "Id", "Name", "B"]);
    expect(outcome).toMatchObject({ rows: 5, failure: null });
  });

  it("is one whatever its names and charset, and not one where there is no header", async () => {
    const columns = [
      { name: "id", source: { header: "Größe" }, type: "identifier" as const },
      { name: "name", source: { header: "Ärger" }, type: "text" as const },
    ];
    const feed = tableFeed({ columns, file: { charset: "windows-1252" } });
    const bytes = Buffer.from(";Größe;Ärger\nx;Gr;a\n;Größe;Ärger\n;Gro;b\n", "latin1");
    for (const asText of [false, true]) {
      const outcome = await parse(feed, bytes, { asText });
      expect(outcome.books).toMatchObject({ header: 2, accepted: 2 });
    }
    const positions = [{ name: "id", source: { position: 1 }, type: "identifier" as const }];
    const headless = tableFeed({ columns: positions, file: { header: false, columnCount: 2 } });
    expect((await parse(headless, "A;b\nA;b\n")).books).toMatchObject({ header: 0, accepted: 2 });
  });

  it("does not count as a row of the ordinal", async () => {
    const columns = [{ name: "n", source: { ordinal: true as const }, type: "integer" as const }];
    const feed = tableFeed({ columns, key: ["n"] });
    expect((await parse(feed, "a;b\n1;2\na;b\n3;4\n")).main.map(({ key }) => key)).toEqual(["1", "2"]);
  });
});

/**
 * The reading of bytes against the reading of text: the same chunks to the byte, the same rejects, the same books, or the
 * same refusal, for any table, charset, dialect and fault, in blocks of any size.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Feed } from "../../../src/domain/adapter.ts";
import { type ChunkEntry, MAX_DUPLICATE_ROWS } from "../../../src/domain/chunk.ts";
import { Failure } from "../../../src/domain/failures.ts";
import { decoderFor } from "../../../src/parse/table/charsets.ts";
import { type ParsedFile, parseFile, type Reject } from "../../../src/parse/table/parse-file.ts";
import { ROW_MAX_CHARS } from "../../../src/parse/table/row-batch.ts";
import { blocksOf, tableFeed, utf8 } from "./support.ts";

interface Everything {
  readonly parsed: ParsedFile;
  readonly chunks: { readonly entry: ChunkEntry; readonly bytes: string }[];
  readonly rejects: Reject[];
}

/** All that a parse gives, or the report of the failure it ends with. */
async function everythingOf(feed: Feed, blocks: AsyncIterable<Uint8Array>, asText: boolean): Promise<unknown> {
  const chunks: Everything["chunks"] = [];
  const rejects: Reject[] = [];
  const sink = {
    async chunk(entry: ChunkEntry, bytes: Uint8Array) {
      chunks.push({ entry, bytes: Buffer.from(bytes).toString("latin1") });
    },
    async rejects(batch: Reject[]) {
      rejects.push(...batch);
    },
  };
  try {
    return { parsed: await parseFile(feed, blocks, sink, { asText, fileName: "0" }), chunks, rejects };
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown.report;
    throw thrown;
  }
}

const BLOCK_SIZES = [1, 7, 65_536];

async function expectSame(feed: Feed, bytes: Uint8Array, sizes = BLOCK_SIZES): Promise<unknown> {
  const expected = await everythingOf(feed, blocksOf(bytes, 65_536), true);
  for (const size of sizes) expect(await everythingOf(feed, blocksOf(bytes, size), false)).toEqual(expected);
  return expected;
}

/** Text in a charset; characters that it has not become `?`. */
function encoded(text: string, charset: Feed["file"]["charset"]): Uint8Array {
  if (charset === "utf-8") return utf8(text);
  if (charset.startsWith("utf-16")) {
    const bytes = Buffer.from(text, "utf16le");
    return charset === "utf-16be" ? bytes.swap16() : bytes;
  }
  const decoder = decoderFor(charset);
  const table = new Map(Array.from({ length: 256 }, (_, byte) => [decoder.decode(Uint8Array.of(byte)), byte]));
  return Uint8Array.from(text, (character) => table.get(character) ?? 0x3f);
}

const columns = [
  { name: "id", source: { header: "Id" }, type: "identifier", maxLength: 8 },
  { name: "text", source: { header: "Text" }, type: "text", maxLength: 6 },
  { name: "exact", source: { header: "Exact" }, type: "text", trim: false },
  { name: "count", source: { header: "Count" }, type: "integer" },
  { name: "few", source: { header: "Few" }, type: "integer", min: -3, max: 120 },
  { name: "price", source: { header: "Price" }, type: "decimal", decimalMark: ",", precision: 6, scale: 2 },
  { name: "sum", source: { header: "Sum" }, type: "decimal", decimalMark: ",", groupMark: "." },
  { name: "day", source: { header: "Day" }, type: "date", format: "dd.MM.yyyy" },
  { name: "time", source: { header: "Time" }, type: "datetime", format: "yyyy-MM-dd HH:mm:ss[.f]", offset: "Z" },
  { name: "short_day", source: { header: "ShortDay" }, type: "date", format: "d/M/yy", century: 2000 },
  { name: "unit", source: { header: "Unit" }, type: "enum", values: { ST: "piece", Grö: 'grö"ße', "": "none" } },
  { name: "flag", source: { header: "Flag" }, type: "boolean", yes: ["ja", "1"], no: ["nein"] },
  { name: "code", source: { header: "Code" }, type: "identifier", pattern: "[A-Z]{2}[0-9]*", blank: "null" },
  { name: "n", source: { ordinal: true }, type: "integer" },
] as const;

const text = fc.string({
  unit: fc.constantFrom(
    "a",
    "b",
    " ",
    "\t",
    "ü",
    "€",
    "Я",
    "°",
    "𝄞",
    "\\",
    "|",
    "\ufeff",
    "\u0007",
    "\u0085",
    "\u007f",
    "'",
    '"',
  ),
  maxLength: 8,
});
const digits = fc.string({ unit: fc.constantFrom("0", "1", "9", "-", "+", ",", ".", " "), maxLength: 7 });
const mostly = (good: fc.Arbitrary<string>, odd: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 40, arbitrary: good }, { weight: 1, arbitrary: odd }, { weight: 1, arbitrary: fc.constant("") });
const CELLS: Record<string, fc.Arbitrary<string>> = {
  Id: mostly(fc.stringMatching(/^[A-C][0-2]$/), text),
  Text: mostly(fc.constantFrom("a", "bü€", " °C ", "x|y", 'say "'), text),
  Exact: mostly(fc.constantFrom(" a ", "ä", "\\"), text),
  Count: mostly(fc.constantFrom("0", "-0", "+7", "-007", "123456789012345", "9007199254740993", " 5 "), digits),
  Few: mostly(fc.constantFrom("0", "-3", "120", "+1"), digits),
  Price: mostly(fc.constantFrom("0", "1,5", "-0,00", "0012,10", "9999,99", ",5", "+3,0", "\t7"), digits),
  Sum: mostly(fc.constantFrom("1.234,50", "1234,5", "12.345.678", "-0,000"), digits),
  Day: mostly(
    fc.constantFrom("01.02.2026", "29.02.2024", "31.12.9999", " 05.06.0007"),
    fc.constantFrom("31.02.2026", "1.2.2026", "00.00.0000", "x"),
  ),
  Time: mostly(
    fc.constantFrom("2026-01-02 03:04:05", "2026-01-02 03:04:05.120"),
    fc.constantFrom("2026-01-02 24:00:00", "2026-13-01 00:00:00"),
  ),
  ShortDay: mostly(fc.constantFrom("1/2/26", "31/12/99"), fc.constantFrom("31/2/26", "1-2-26")),
  Unit: mostly(fc.constantFrom("ST", " ST", "Grö"), fc.constantFrom("st", "STx", "é")),
  Flag: mostly(fc.constantFrom("ja", "nein", "1"), fc.constantFrom("j", "Ja")),
  Code: mostly(fc.constantFrom("AB1", "XY"), fc.constantFrom("A", "ab1")),
  Spare: text,
};

/** Columns of which bytes alone do not tell the value, and fields that may be left out, the first among them. */
const writtenColumns = [
  { name: "note", source: { header: "Note" }, type: "text", blank: "keep" },
  { name: "id", source: { header: "Id" }, type: "identifier" },
  { name: "trailing", source: { header: "Trailing" }, type: "decimal", sign: "trailing", unit: "€", blank: "keep" },
  { name: "amount", source: { header: "Amount" }, type: "decimal", sign: "letters", letters: { negative: ["CR"] } },
  { name: "loss", source: { header: "Loss" }, type: "integer", sign: "parentheses", nulls: ["NULL", "-"] },
  { name: "month", source: { header: "Month" }, type: "date", format: "d. MMM yyyy", clear: "!" },
  { name: "clock", source: { header: "Clock" }, type: "datetime", format: "yyyy-MM-dd h:mm azzz", blank: "keep" },
  { name: "ean", source: { header: "Ean" }, type: "identifier", checkDigit: "gtin", nulls: ["0"], blank: "keep" },
  { name: "plant", source: { header: "Plant" }, type: "identifier", length: 4, spreadsheet: "strict" },
  { name: "any", source: { header: "Any" }, type: "text", mojibake: "allow", clear: "!", blank: "keep" },
  { name: "size", source: { header: "Size" }, type: "enum", values: { S: "small" }, nulls: ["-"], blank: "keep" },
  { name: "gone", source: { header: "Gone" }, type: "text", absent: "keep" },
  { name: "gone_too", source: { header: "GoneToo" }, type: "text", absent: "null" },
] as const;

const damaged = fc.string({
  unit: fc.constantFrom(
    "M",
    "ü",
    "Ã",
    "¼",
    "Ä",
    "…",
    "â",
    "€",
    "?",
    "Ă",
    "Ľ",
    "├",
    "\ufffd",
    "Å",
    "ß",
    " ",
    "ł",
    "ź",
    "ï",
    "»",
    "¿",
  ),
  maxLength: 6,
});
const WRITTEN_CELLS: Record<string, fc.Arbitrary<string>> = {
  Note: fc.oneof(damaged, fc.constantFrom("", "Größe", "Łódź?", "ÄÖÜ", "¿Qué?")),
  Id: mostly(
    fc.stringMatching(/^[A-C][0-2]$/),
    fc.constantFrom("1E+05", "4.00638E+12", "Mar-05", "05. Mär", "5-Aoû", "X-ABC", "12-34", "AB-12", "1e-100"),
  ),
  Trailing: mostly(fc.constantFrom("1.5-", "12 €", "€ 3-", "0-", "7"), fc.constantFrom("-1", "€", "1 $")),
  Amount: mostly(fc.constantFrom("1.5 CR", "2", "-3", "4CR"), fc.constantFrom("CR", "-1 CR", "x")),
  Loss: mostly(fc.constantFrom("(5)", "6", " NULL ", "-", "( 7 )"), fc.constantFrom("(5", "null")),
  Month: mostly(
    fc.constantFrom("1. Mai 2026", "31. Dezember 2026", "!", "5. mär 2026"),
    fc.constantFrom("31. Feb 2026", "!!"),
  ),
  Clock: mostly(
    fc.constantFrom("2026-01-02 3:04 PMZ", "2026-01-02 12:00 am+0100"),
    fc.constantFrom("2026-01-02 13:00 PMZ"),
  ),
  Ean: mostly(fc.constantFrom("4006381333931", "96385074", "0"), fc.constantFrom("4006381333932", "6381333931", "x")),
  Plant: mostly(fc.constantFrom("0001", "AB-1", "1E05"), fc.constantFrom("1", "1E+5", "5.3.2024", "12345")),
  Any: fc.oneof(damaged, fc.constantFrom("!", "", "x")),
  Size: mostly(fc.constantFrom("S", "-"), fc.constantFrom("M", "s")),
};

const TABLES = [
  {
    name: "usual columns",
    columns,
    cells: CELLS,
    keys: [["id"], ["id", "unit"], ["count", "id"], ["n"], ["text"]],
    controls: undefined,
  },
  {
    name: "columns with words, guards and fields left out",
    columns: writtenColumns,
    cells: WRITTEN_CELLS,
    keys: [["id"]],
    controls: { totals: ["trailing", "loss"].map((column) => ({ column, at: { fileName: "(0)" } })) },
  },
];

const dialect = fc.record({
  charset: fc.constantFrom<Feed["file"]["charset"]>(
    "utf-8",
    "utf-8",
    "windows-1252",
    "windows-1250",
    "windows-1251",
    "iso-8859-1",
    "iso-8859-15",
    "cp437",
    "cp850",
    "utf-16le",
  ),
  delimiter: fc.constantFrom(";", ",", "\t", "|", "+|", " "),
  quote: fc.constantFrom<Feed["file"]["quote"]>('"', '"', "'", "none"),
  lineEnd: fc.constantFrom("\n", "\r\n", "\r"),
  mixed: fc.boolean(),
  mark: fc.boolean(),
  lastEnd: fc.boolean(),
  preamble: fc.boolean(),
  footer: fc.boolean(),
});

/** Stands for the header line, whatever it is. */
const HEADER_AGAIN = "header again";

/** What is done to the rows of a file: each a line as it stands, put somewhere among them. */
const oddLine = fc.constantFrom(
  "",
  " ",
  "\ufeff",
  "A1",
  '"',
  '"a"x;b',
  "'a'x",
  '"a""',
  '"\r\n"',
  '"a\nb";c',
  "Total;1",
  " Total",
  "Tote",
  ";".repeat(13),
  "a\rb",
  "\u0000",
  HEADER_AGAIN,
);

describe("rows read as bytes", () => {
  it.each(TABLES)("give what rows read as text give: $name", async ({ columns, cells: cellsOf, keys, controls }) => {
    const headers = Object.keys(cellsOf);
    const cells = fc.tuple(...Object.values(cellsOf));
    const styles = fc.array(fc.constantFrom("bare", "bare", "quoted", "padded", "broken line"), {
      minLength: headers.length,
      maxLength: headers.length,
    });
    const outcomes = new Map<string, number>();
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(
        dialect,
        fc.constantFrom(...keys),
        fc.array(fc.tuple(cells, styles), { maxLength: 12 }),
        fc.array(fc.tuple(fc.nat(), oddLine), { maxLength: 2 }),
        fc.option(fc.tuple(fc.nat(), fc.constantFrom(0x81, 0xc3, 0xff, 0xed)), { freq: 12 }),
        async (how, key, rows, odd, wrongByte) => {
          const { charset, delimiter, quote, lineEnd } = how;
          const feed = tableFeed({
            columns: columns.map((column) => ({ ...column })) as never,
            key,
            controls,
            file: {
              charset,
              delimiter,
              quote,
              preamble: how.preamble ? [{ startsWith: "" }] : [],
              ...(how.footer ? { footer: { startsWith: "Tot" } } : {}),
            },
          });
          const written = (cell: string, style: string): string => {
            const special = cell.includes(delimiter) || cell.startsWith(quote);
            if (quote === "none" || (style === "bare" && !special)) {
              return special ? cell.replaceAll(delimiter, "").replaceAll('"', "") : cell;
            }
            const inside = style === "broken line" ? `${cell}\r\n` : cell;
            const blanks = style === "padded" ? "  " : "";
            return `${quote}${inside.replaceAll(quote, quote + quote)}${quote}${blanks}`;
          };
          const lines = rows.map(([row, style]) => row.map((cell, i) => written(cell, style[i]!)).join(delimiter));
          for (const [at, line] of odd) {
            // Of two faults of a whole file the one is told that is met first, and that depends on the blocks.
            if (wrongByte === null || line !== "\0")
              lines.splice(at % (lines.length + 1), 0, line === HEADER_AGAIN ? headers.join(delimiter) : line);
          }
          const all = [...(how.preamble ? ["Batch 7"] : []), headers.join(delimiter), ...lines];
          const ends = how.mixed ? ["\n", "\r\n", "\r"] : [lineEnd];
          const whole = all
            .map((line, i) => line + (i < all.length - 1 || how.lastEnd ? ends[i % ends.length] : ""))
            .join("");
          const bytes = encoded((how.mark && charset.startsWith("utf") ? "\ufeff" : "") + whole, charset);
          if (wrongByte) bytes[wrongByte[0] % bytes.length] = wrongByte[1];
          const outcome = (await expectSame(feed, bytes)) as { code?: string; parsed?: ParsedFile };
          accepted += outcome.parsed?.books.accepted ?? 0;
          const name = outcome.code ?? "parsed";
          outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
        },
      ),
      { numRuns: 1_500 },
    );
    // The property is worth something only if most files are read, and some of them refused.
    expect(outcomes.get("parsed")).toBeGreaterThan(700);
    expect(accepted).toBeGreaterThan(300);
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining(["unclosed-quote", "nul-bytes", "wrong-charset"]));
  });

  it.each(["utf-8", "windows-1252", "windows-1250", "iso-8859-1", "cp850"] as const)(
    "find in %s the damage that texts show, value by value",
    async (charset) => {
      const words =
        "Müller Österreich Straße KÖLN Łódź Ząb są Şahin Erdoğan naïve garçon Žižek 5°C Ελλάδα – € ß? ?x a?b ???? Ä… Ă” größer";
      const misread = ["windows-1252", "windows-1250", "iso-8859-2"].flatMap((wrong) =>
        words.split(" ").map((word) => new TextDecoder(wrong).decode(utf8(word))),
      );
      const texts = [
        ...words.split(" "),
        ...misread,
        "M\ufffdller",
        "ü\ufffd",
        "ö├Â",
        "M├╝ller",
        "├── a",
        "ï»¿Id",
        "Ã",
        "ÄÃ¼",
        "xÃ¼Ã",
      ];
      const identifiers = [
        "1E+05",
        "4.00638E+12",
        "1e-100",
        "Mar-05",
        "5-Aoû",
        "05-Fév",
        "05. Mär",
        "Mär-05",
        "5-Foo",
        "X-ABC",
      ];
      const rows = [...texts.map((text) => ["A", text]), ...identifiers.map((id) => [id, "x"])];
      const codes = new Set<string>();
      for (const row of rows) {
        const bytes = Uint8Array.from([...utf8("Id;Name\n"), ...encoded(row.join(";"), charset), 10]);
        const outcome = (await expectSame(tableFeed({ file: { charset } }), bytes, [65_536])) as Everything;
        for (const { code } of outcome.rejects ?? []) codes.add(code);
      }
      expect([...codes]).toEqual(expect.arrayContaining(["mojibake", "scientific-notation", "spreadsheet-date"]));
    },
  );

  it("are the same for any bytes at all behind a header", async () => {
    const feed = (charset: Feed["file"]["charset"]) => tableFeed({ file: { charset } });
    const unit = fc.constantFrom("A", "B", ";", '"', '""', '";"', "\n", "\r\n", "\r", " ", "ü", "\ufeff", "𝄞", "\t");
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit, maxLength: 60 }),
        fc.constantFrom("utf-8" as const, "windows-1252" as const, "cp437" as const),
        async (body, charset) =>
          void (await expectSame(feed(charset), encoded(`Id;Name\n${body}`, charset), [1, 3, 65_536])),
      ),
      { numRuns: 1_500 },
    );
  });

  it.each(["windows-1252", "windows-1253", "iso-8859-1", "iso-8859-2", "cp437", "cp850", "utf-8"] as const)(
    "write every byte of %s as text does, or refuse it alike",
    async (charset) => {
      const feed = tableFeed({ file: { charset } });
      for (let byte = 0; byte < 256; byte++) {
        const bytes = Uint8Array.from([...utf8("Id;Name\nA;x"), byte, ...utf8("y\nB;z\n")]);
        await expectSame(feed, bytes, [5, 65_536]);
      }
    },
  );

  it("write the characters of UTF-8 up to U+FFFF as text does", async () => {
    const rows: string[] = [];
    for (let code = 0x20; code <= 0xffff; code++) {
      if (code < 0xd800 || code > 0xdfff) rows.push(`K${code};x${String.fromCharCode(code)}y\n`);
    }
    await expectSame(tableFeed(), utf8(`Id;Name\n${rows.join("")}`), [10_000]);
  });

  it("may be longer than a window, up to the limit of a row, and are refused above it", async () => {
    const wide = tableFeed({
      columns: [
        { name: "id", source: { header: "Id" }, type: "identifier" },
        { name: "name", source: { header: "Name" }, type: "text", maxLength: ROW_MAX_CHARS },
      ],
    });
    for (const cell of ["x", "ü", "€", '""']) {
      for (const length of [20_000, ROW_MAX_CHARS - 5, ROW_MAX_CHARS - 4, ROW_MAX_CHARS - 2, ROW_MAX_CHARS + 1]) {
        const content = cell.repeat(length / cell.length);
        for (const row of [`A;${content}`, `A;"${content}"`]) {
          await expectSame(wide, utf8(`Id;Name\n${row}\nB;c\n`), [65_536, 100_000]);
        }
      }
    }
  });

  it("hold the limits of rows and of duplicates alike", async () => {
    const few = tableFeed({ limits: { maxRows: 2, maxRejectShare: 1 } });
    await expectSame(few, utf8("Id;Name\nA;1\nB\nC;1\n"));
    expect(await expectSame(few, utf8("Id;Name\nA;1\nB\n"))).toMatchObject({ parsed: { rows: 2 } });
    const many = utf8(`Id;Name\n${"A;\n".repeat(MAX_DUPLICATE_ROWS + 2)}`);
    expect(await expectSame(tableFeed(), many, [65_536])).toMatchObject({ code: "too-many-duplicates" });
  });

  it("fill several chunks, and tails, that are the same to the byte", async () => {
    const rows = Array.from(
      { length: 30_000 },
      (_, i) => `A${i % 17_000};"Dübel ""${i}""; ${"groß ".repeat(i % 40)}"\r\n`,
    );
    const outcome = (await expectSame(tableFeed(), utf8(`Id;Name\r\n${rows.join("")}`), [1_000, 65_536])) as Everything;
    expect(outcome.chunks.length).toBeGreaterThan(5);
    expect(outcome.parsed.chunks.some(({ tail }) => tail)).toBe(true);
  });

  it("do not depend on a block once it is read: Buffers over one memory, as zlib may give them", async () => {
    const whole = utf8(`Id;Name\r\n${Array.from({ length: 400 }, (_, i) => `A${i};"ü€𝄞 ${i}"\r\n`).join("")}`);
    async function* buffers(size: number): AsyncGenerator<Uint8Array> {
      const memory = Buffer.alloc(size + 3).fill(0xff);
      for (let at = 0; at < whole.length; at += size) {
        const part = whole.subarray(at, at + size);
        memory.fill(0xff);
        memory.set(part, 3);
        yield memory.subarray(3, 3 + part.length);
      }
      memory.fill(0xff);
    }
    const expected = await everythingOf(tableFeed(), blocksOf(whole), true);
    expect(expected).toMatchObject({ parsed: { books: { accepted: 400 } } });
    for (const size of [1, 2, 5, 7, 64, 1_000]) {
      expect(await everythingOf(tableFeed(), buffers(size), false)).toEqual(expected);
      expect(await everythingOf(tableFeed(), buffers(size), true)).toEqual(expected);
    }
  });
});

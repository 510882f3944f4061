/**
 * Tables written as a feed's format says, to the last oddity of it: what is read back must be what was written, since
 * nothing is left to find out. Cells are hostile: delimiters, quotation marks, line ends, blanks, letters of the charset.
 */
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { defineFeed, type Feed } from "../../src/domain/adapter.ts";
import { effectiveFeed } from "../../src/domain/feed-version.ts";
import { CHARSETS, type FileFormat } from "../../src/domain/format.ts";
import { isSingleByte, upperHalf } from "../../src/parse/detect/decoders.ts";
import { escapeXml, oneSheet } from "./sheet/fixtures.ts";

type Charset = FileFormat["charset"];

export interface Written {
  readonly feed: Feed;
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Rows as records must say them: line ends in a cell are LF, a blank cell is null. */
  readonly rows: readonly (readonly (string | null)[])[];
}

type Rows = readonly (readonly string[])[];

const NAMES = ["Artikel-Nr.", "Name", "qty on hand", "PREIS", "EAN", "Lager 2", "Datum"];

/** Characters beyond ASCII that a charset has, without controls and what is no text. */
function beyondAscii(charset: Charset): readonly string[] {
  if (charset.startsWith("utf-")) return [..."äßéøłžЖяαωש漢字€–😀"];
  const upper =
    charset === "iso-8859-1"
      ? Buffer.from(Array.from({ length: 96 }, (_, i) => i + 160)).toString("latin1")
      : upperOf(charset);
  return [...upper].filter((char) => /[\p{L}\p{N}\p{S}]/u.test(char) && char !== "\ufffd");
}

function upperOf(charset: Charset): string {
  if (!isSingleByte(charset)) throw new Error(`${charset} is no charset of single bytes`);
  return upperHalf(charset);
}

export function encoded(text: string, charset: Charset): Uint8Array {
  if (charset === "utf-8") return Buffer.from(text);
  if (charset === "utf-16le") return Buffer.from(text, "utf16le");
  if (charset === "utf-16be") return Buffer.from(text, "utf16le").swap16();
  if (charset === "iso-8859-1") return Buffer.from(text, "latin1");
  const upper = upperOf(charset);
  return Uint8Array.from(text, (char) => {
    const at = upper.indexOf(char);
    if (char >= "\u0080" && at === -1) throw new Error(`${charset} has no ${char}`);
    return char < "\u0080" ? char.charCodeAt(0) : at + 0x80;
  });
}

/** Cells of these pieces: the first of a row is its key and filled, others may be blank. */
function rowsOf(pieces: readonly string[], width: number): fc.Arbitrary<Rows> {
  const text = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 5 }).map((all) => all.join(""));
  const cell = fc.oneof({ arbitrary: text, weight: 4 }, { arbitrary: fc.constant(""), weight: 1 });
  return fc
    .array(fc.tuple(text, ...Array.from({ length: width - 1 }, () => cell)), { minLength: 1, maxLength: 12 })
    .map((rows) => rows.map(([key, ...cells], i) => [`K${i}${key}`, ...cells]));
}

/** A feed of text columns alone, cells to the letter; its key is the place of the row. */
function feedOf(
  file: Parameters<typeof defineFeed>[0]["file"],
  width: number,
  { trim = false, names = NAMES }: { readonly trim?: boolean; readonly names?: readonly string[] } = {},
): Feed {
  const isNamed = file?.header !== false;
  const adapter = defineFeed({
    customer: "acme",
    customerTitle: "Acme",
    feed: "things",
    title: "Things",
    mode: "full",
    intake: { policy: "trust-address", senders: ["@acme.example"] },
    file,
    columns: [
      { name: "row", source: { ordinal: true }, type: "integer" },
      ...Array.from({ length: width }, (_, i) => ({
        name: `c${i}`,
        source: isNamed ? { header: names[i]! } : { position: i + 1 },
        type: "text" as const,
        mojibake: "allow" as const,
        trim,
      })),
    ],
    key: ["row"],
    limits: { maxRejectShare: 1 },
  });
  const effective = effectiveFeed(adapter, {});
  if (effective.kind !== "feed") throw new Error("the feed is not whole");
  return effective.feed;
}

const recorded = (rows: Rows): Written["rows"] =>
  rows.map((row) => row.map((cell) => (cell === "" ? null : cell.replace(/\r\n?/g, "\n"))));

const shape = { width: fc.integer({ min: 2, max: NAMES.length }), charset: fc.constantFrom(...CHARSETS) };

// ── delimited ────────────────────────────────────────────────────────────────────────────────────────────────────────

const DELIMITERS = [
  ",",
  ";",
  "\t",
  "|",
  "^",
  "~",
  " ",
  ":",
  "x",
  "\u0001",
  "\u001f",
  "||",
  "+|",
  "|~|",
  ";;",
  "::",
  "<|>",
];
const delimiterArbitrary = fc.oneof(
  { arbitrary: fc.constantFrom(...DELIMITERS), weight: 4 },
  {
    arbitrary: fc.array(fc.constantFrom(..."|~^+#;:<>$§"), { minLength: 1, maxLength: 8 }).map((all) => all.join("")),
    weight: 1,
  },
);

const delimitedArbitrary: fc.Arbitrary<Written> = fc
  .record({
    ...shape,
    delimiter: delimiterArbitrary,
    quote: fc.constantFrom('"', "'", "none") as fc.Arbitrary<FileFormat["quote"]>,
    escape: fc.constantFrom("doubled", "backslash") as fc.Arbitrary<FileFormat["escape"]>,
    always: fc.boolean(),
    padded: fc.boolean(),
    recordDelimiter: fc.constantFrom("line", "line", "line", "&|", "@@"),
    eol: fc.constantFrom("\n", "\r\n", "\r"),
    hasLastEol: fc.boolean(),
    trailing: fc.boolean(),
    header: fc.boolean(),
    bom: fc.boolean(),
    preamble: fc.constantFrom<readonly string[]>([], [], ["Stock"], ["Stock", ""]),
  })
  .chain((given) => {
    const delimiter = given.delimiter === "§" || !given.delimiter.includes("§") ? given.delimiter : ";";
    const charset = delimiter.includes("§") && !beyondAscii(given.charset).includes("§") ? "utf-8" : given.charset;
    const recordDelimiter = [...given.recordDelimiter].some((char) => delimiter.includes(char))
      ? "line"
      : given.recordDelimiter;
    const quote = recordDelimiter === "line" ? given.quote : "none";
    const spec = { ...given, delimiter, charset, recordDelimiter, quote } as const;
    const pieces = [
      ..."ab1 /.-'\"\\,;|",
      "\n",
      "\r\n",
      ...(delimiter < " " ? [] : [delimiter]),
      "\\n",
      '""',
      ...beyondAscii(charset),
    ];
    return rowsOf(pieces, spec.width).map((rows) => delimited(spec, rows));
  });

interface DelimitedSpec {
  readonly width: number;
  readonly charset: Charset;
  readonly delimiter: string;
  readonly quote: FileFormat["quote"];
  readonly escape: FileFormat["escape"];
  readonly always: boolean;
  readonly padded: boolean;
  readonly recordDelimiter: string;
  readonly eol: string;
  readonly hasLastEol: boolean;
  readonly trailing: boolean;
  readonly header: boolean;
  readonly bom: boolean;
  readonly preamble: readonly string[];
}

function delimited(spec: DelimitedSpec, hostile: Rows): Written {
  const { width, charset, delimiter, quote, recordDelimiter, eol, trailing, header, bom } = spec;
  const rows = quote === "none" ? hostile.map((row) => row.map((cell) => bare(cell, spec))) : hostile;
  const end = (recordDelimiter === "line" ? "" : recordDelimiter) + eol;
  const names = NAMES.map((name) => (quote === "none" ? bare(name, spec) : name));
  const table = header ? [names.slice(0, width), ...rows] : rows;
  const lines = table.map((row, i) => {
    const cells = row.map((cell) => cellText(cell, spec)).join(delimiter);
    return trailing && !(header && i === 0) ? cells + delimiter : cells;
  });
  const isPadded = spec.padded && quote !== "none" && !delimiter.includes(" ");
  const text = spec.preamble.map((line) => line + end).join("") + lines.join(end) + (spec.hasLastEol ? end : "");
  const marked = bom && charset.startsWith("utf-") ? `\ufeff${text}` : text;
  const feed = feedOf(
    {
      charset,
      delimiter,
      quote,
      escape: quote === "none" ? "doubled" : spec.escape,
      ...(isPadded ? { padded: true } : {}),
      ...(trailing ? { trailingDelimiter: true } : {}),
      recordDelimiter,
      preamble: spec.preamble.map((line) => ({ startsWith: line })),
      header,
      columnCount: width,
    },
    width,
    { names },
  );
  return { feed, name: "stock.csv", bytes: encoded(marked, charset), rows: recorded(rows) };
}

/** Without quotation marks a cell cannot hold what divides cells and records. */
function bare(cell: string, { delimiter, recordDelimiter }: DelimitedSpec): string {
  const divides = new Set([...delimiter, ...(recordDelimiter === "line" ? "" : recordDelimiter), "\r", "\n"]);
  return [...cell].filter((char) => !divides.has(char)).join("");
}

function cellText(cell: string, { delimiter, quote, escape: escaping, always, padded }: DelimitedSpec): string {
  if (quote === "none") return cell;
  const needs = [...delimiter, quote, "\r", "\n", "\\"].some((char) => cell.includes(char));
  const isOdd = padded && /^ | $/.test(cell);
  if (!needs && !isOdd && !always) return cell;
  const inner =
    escaping === "doubled"
      ? cell.replaceAll(quote, quote + quote)
      : cell.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`);
  return quote + inner + quote;
}

// ── fixed width ──────────────────────────────────────────────────────────────────────────────────────────────────────

const fixedArbitrary: fc.Arbitrary<Written> = fc
  .record({
    ...shape,
    eol: fc.constantFrom("\n", "\r\n", "\r"),
    header: fc.boolean(),
    isCut: fc.boolean(),
    gap: fc.nat(2),
  })
  .chain((spec) =>
    rowsOf([..."ab1 ;,|\"'\\", ...beyondAscii(spec.charset)], spec.width).map((all) => {
      const { width, charset, eol, header, isCut, gap } = spec;
      const rows = all.map((row) => row.map((cell) => cell.trim()));
      const table = header ? [NAMES.slice(0, width), ...rows] : rows;
      const widths = NAMES.slice(0, width).map((_, i) => Math.max(1, ...table.map((row) => [...row[i]!].length)) + gap);
      const lines = table.map((row) => {
        const line = row.map((cell, i) => cell + " ".repeat(widths[i]! - [...cell].length));
        // Many programs cut the blanks behind the last cell.
        return isCut ? line.slice(0, -1).join("") + row.at(-1)! : line.join("");
      });
      const columnStarts = widths.map((_, i) => 1 + widths.slice(0, i).reduce((a, b) => a + b, 0));
      const feed = feedOf({ kind: "fixed", charset, columnStarts, header, columnCount: width }, width, { trim: true });
      const bytes = encoded(lines.map((line) => line + eol).join(""), charset);
      return { feed, name: "stock.txt", bytes, rows: recorded(rows) };
    }),
  );

// ── workbooks and JSON ───────────────────────────────────────────────────────────────────────────────────────────────

const HOSTILE = [..."ab1 ;,|\"'\\<>&{}[]äß漢😀", "\n", "]]>", "&amp;", "\\u0041", "_x0041", "007", "1e5"];
const isNumber = (cell: string): boolean => /^(0|-?[1-9]\d{0,9})(\.\d{0,3}[1-9])?$/.test(cell);
/** Numbers between the texts. */
const withNumbers = (rows: Rows, numbers: readonly number[]): Rows =>
  rows.map((row, y) =>
    row.map((cell, x) =>
      x > 0 && numbers[(y + x) % numbers.length]! > 0 ? String(numbers[(y + x) % numbers.length]) : cell,
    ),
  );
const numbersArbitrary = fc.array(
  fc.oneof(
    fc.constant(-1),
    fc.nat(2_000_000),
    fc.nat(9_999).map((n) => n / 8),
  ),
  {
    minLength: 7,
    maxLength: 7,
  },
);
const otherArbitrary = fc
  .tuple(fc.integer({ min: 2, max: NAMES.length }), numbersArbitrary)
  .chain(([width, numbers]) => rowsOf(HOSTILE, width).map((rows) => ({ width, rows: withNumbers(rows, numbers) })));

const letter = (column: number): string => String.fromCharCode(65 + column);

const sheetArbitrary: fc.Arbitrary<Written> = fc
  .tuple(otherArbitrary, fc.constantFrom("shared", "inline"), fc.boolean())
  .map(([{ width, rows }, kind, header]) => {
    const strings: string[] = [];
    const cellXml = (cell: string, place: string): string => {
      if (cell === "") return "";
      if (isNumber(cell)) return `<c r="${place}"><v>${cell}</v></c>`;
      // What only looks like an escaped character is escaped (ISO 29500, ST_Xstring).
      const text = `<t xml:space="preserve">${escapeXml(cell.replace(/_(?=x[\dA-Fa-f]{4}_)/g, "_x005F_"))}</t>`;
      if (kind === "inline") return `<c r="${place}" t="inlineStr"><is>${text}</is></c>`;
      return `<c r="${place}" t="s"><v>${strings.push(text) - 1}</v></c>`;
    };
    const table = header ? [NAMES.slice(0, width), ...rows] : rows;
    const data = table.map((row, y) => {
      const cells = row.map((cell, x) => cellXml(cell, `${letter(x)}${y + 1}`));
      return `<row r="${y + 1}">${cells.join("")}</row>`;
    });
    const feed = feedOf({ kind: "sheet", header, columnCount: width }, width);
    return { feed, name: "stock.xlsx", bytes: oneSheet(data.join(""), { strings }), rows: recorded(rows) };
  });

const jsonArbitrary: fc.Arbitrary<Written> = fc
  .tuple(
    otherArbitrary,
    fc.boolean(),
    fc.constantFrom("\n", "\r\n"),
    fc.constantFrom("utf-8", "utf-16le", "utf-16be"),
    fc.boolean(),
  )
  .map(([{ width, rows }, isLines, eol, charset, mayLack]) => {
    const value = (cell: string): string => (isNumber(cell) ? cell : JSON.stringify(cell));
    const records = rows.map((row) => {
      const pairs = row.flatMap((cell, i) =>
        mayLack && cell === "" ? [] : [`${JSON.stringify(NAMES[i])}:${cell === "" ? "null" : value(cell)}`],
      );
      return `{${pairs.join(",")}}`;
    });
    const text = isLines ? records.map((one) => one + eol).join("") : `[${records.join(`,${eol}`)}]`;
    // A key that no record has is a column that the file lacks.
    const isWhole = NAMES.slice(0, width).every((name) => text.includes(JSON.stringify(name)));
    const marked = charset === "utf-8" ? text : `\ufeff${text}`;
    const whole = isWhole
      ? marked
      : marked.replace(
          "{",
          `{${NAMES.slice(1, width)
            .filter((name) => !text.includes(JSON.stringify(name)))
            .map((name) => `${JSON.stringify(name)}:null,`)
            .join("")}`,
        );
    return {
      feed: feedOf({ kind: "json", header: true }, width),
      name: isLines ? "stock.ndjson" : "stock.json",
      bytes: encoded(whole, charset as Charset),
      rows: recorded(rows),
    };
  });

export const writtenArbitrary: fc.Arbitrary<Written> = fc.oneof(
  { arbitrary: delimitedArbitrary, weight: 6 },
  { arbitrary: fixedArbitrary, weight: 2 },
  { arbitrary: sheetArbitrary, weight: 1 },
  { arbitrary: jsonArbitrary, weight: 2 },
);

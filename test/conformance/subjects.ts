/**
 * What passes the suite: each kind of reader with a small feed of its own, and the feeds of adapters/ with their samples. A
 * subject makes files from texts of rows, so that a case can change one row, the line ends, or the end of the file.
 */
import { feeds } from "../../adapters/index.ts";
import { generateSamples } from "../../cli/samples/generate.ts";
import { defineFeed, type Feed } from "../../src/domain/adapter.ts";
import { effectiveFeed } from "../../src/domain/feed-version.ts";
import { type FileFormat, openDelivery } from "../../src/parse/open/open.ts";
import { bytesSource } from "../../src/parse/open/source.ts";
import { rowBatches } from "../../src/parse/table/rows.ts";
import { TextReader } from "../../src/parse/table/text.ts";
import { oneSheet } from "../parse/sheet/fixtures.ts";
import type { PayloadSpec } from "./payload.ts";

export interface Subject {
  readonly name: string;
  readonly feed: Feed;
  readonly payload: PayloadSpec;
  /** Texts of rows that are read, with different keys. */
  readonly rows: readonly string[];
  /** A row whose key is blank. */
  readonly bad: string;
  /** A whole file. `eol`: what ends its lines; a list: in turns. */
  build(rows: readonly string[], eol?: string | readonly string[]): Uint8Array;
  /** Whether the files have lines, with line ends of their own. */
  readonly hasLines: boolean;
  /** Bytes of a text behind the last row, where a file can end anywhere. */
  encode?(text: string): Uint8Array;
  /** The beginning of a row that ends inside quotation marks, and what becomes of the file: a refusal or a rejected row. */
  readonly openQuote?: { readonly text: string; readonly refusal?: string; readonly reject?: string };
  /** A row with a field of so many characters, and what becomes of it. */
  long(chars: number): string;
  readonly longEnds: { readonly refusal?: string; readonly reject?: string };
  /** Files with so many more columns than the feed reads; undefined where there are none such. */
  wide?(columns: number): { readonly bytes: Uint8Array; readonly refusal?: string };
  /** What a file without a data row comes to: nothing, or a refusal. */
  readonly headerOnly?: string;
  /** What a byte order mark before a row does to the file, where it is not the row alone. */
  readonly markRefusal?: string;
}

const COUNT = 60;
const words = Array.from({ length: COUNT }, (_, i) => ({
  id: `A${1_000 + i}`,
  name: `größe ${i} Ü`,
  qty: String(i * 7),
}));

function smallFeed(file: Parameters<typeof defineFeed>[0]["file"], inlineBody = false): Feed {
  const adapter = defineFeed({
    customer: "acme",
    customerTitle: "Acme",
    feed: "things",
    title: "Things",
    mode: "full",
    intake: { policy: "trust-address", senders: ["@acme.example"], inlineBody },
    file,
    columns: [
      { name: "id", source: { header: "Id" }, type: "identifier" },
      { name: "name", source: { header: "Name" }, type: "text" },
      { name: "qty", source: { header: "Qty" }, type: "integer" },
    ],
    key: ["id"],
    limits: { maxRejectShare: 1 },
  });
  const effective = effectiveFeed(adapter, {});
  if (effective.kind !== "feed") throw new Error("The feed is not whole.");
  return effective.feed;
}

type Encode = (text: string) => Uint8Array;
const utf8: Encode = (text) => new TextEncoder().encode(text);
const utf16le: Encode = (text) => Buffer.from(text, "utf16le");
const CP1252 = new Map(
  [...new TextDecoder("windows-1252").decode(Uint8Array.from({ length: 256 }, (_, i) => i))].map((c, i) => [c, i]),
);
const windows1252: Encode = (text) => Uint8Array.from(text, (character) => CP1252.get(character) ?? 0x3f);

const joined = (lines: readonly string[], eol: string | readonly string[] = "\n"): string =>
  lines.map((line, i) => line + (typeof eol === "string" ? eol : eol[i % eol.length])).join("");

interface TextSpec {
  readonly name: string;
  readonly file: NonNullable<Parameters<typeof defineFeed>[0]["file"]>;
  readonly head: readonly string[];
  readonly row: (id: string, name: string, qty: string) => string;
  readonly encode?: Encode;
  readonly start?: string;
  /** Before each line end. */
  readonly mark?: string;
  readonly openQuote?: Subject["openQuote"];
  readonly wide?: (columns: number) => { readonly head: string; readonly row: string };
  readonly around?: readonly [before: readonly string[], behind: readonly string[]];
  readonly more?: Partial<Subject>;
}

function textSubject(spec: TextSpec): Subject {
  const { row, encode = utf8, start = "", mark = "", openQuote, around = [[], []] } = spec;
  const file = (lines: readonly string[], eol?: string | readonly string[]) =>
    encode(start + joined([...around[0], ...lines.map((line) => line + mark), ...around[1]], eol));
  const { wide } = spec;
  return {
    name: spec.name,
    feed: smallFeed(spec.file, spec.more?.payload?.role === "body"),
    payload: { format: "text" },
    rows: words.map(({ id, name, qty }) => row(id, name, qty)),
    bad: row("", "no key", "1"),
    build: (rows, eol) => file([...spec.head, ...rows], eol),
    hasLines: true,
    encode,
    ...(openQuote === undefined ? {} : { openQuote }),
    long: (chars) => row("L1", "x".repeat(chars), "1"),
    longEnds: { refusal: "row-too-long" },
    ...(wide === undefined
      ? {}
      : { wide: (columns: number) => ({ bytes: file([wide(columns).head, wide(columns).row]) }) }),
    ...spec.more,
  };
}

const delimited = (delimiter: string, more: Partial<NonNullable<TextSpec["file"]>> = {}): TextSpec["file"] => ({
  delimiter,
  header: true,
  ...more,
});
const more = (delimiter: string) => (columns: number) => ({
  head: ["Id", "Name", "Qty", ...Array.from({ length: columns }, (_, i) => `c${i}`)].join(delimiter),
  row: ["W1", "wide", "1", ...Array.from({ length: columns }, (_, i) => String(i))].join(delimiter),
});
const unclosed = (text: string) => ({ text, refusal: "unclosed-quote" });
const fixed = (id: string, name: string, qty: string): string => id.padEnd(8) + name.padEnd(12) + qty.padStart(6);
const record = (id: string, name: string, qty: string): string =>
  JSON.stringify({ Id: id === "" ? null : id, Name: name, Qty: Number(qty) });
const wideRecord = (columns: number): string =>
  JSON.stringify({
    Id: "W1",
    Name: "wide",
    Qty: 1,
    ...Object.fromEntries(Array.from({ length: columns }, (_, i) => [`c${i}`, i])),
  });

const letters = (n: number): string =>
  (n >= 26 ? letters(Math.floor(n / 26) - 1) : "") + String.fromCharCode(65 + (n % 26));
const cells = (values: readonly string[], row: number): string =>
  values
    .map((value, i) =>
      value === "" ? "" : `<c r="${letters(i)}${row}" t="inlineStr"><is><t xml:space="preserve">${value}</t></is></c>`,
    )
    .join("");
const sheetRows = (rows: readonly (readonly string[])[]): string =>
  rows.map((values, i) => `<row r="${i + 1}">${cells(values, i + 1)}</row>`).join("");

const CELL = "\u0001";
const HEAD = ["Id", "Name", "Qty"];
const list = (records: readonly string[], eol: string | readonly string[] = "\n"): string =>
  joined(["[", ...records.map((text, i) => `  ${text}${i < records.length - 1 ? "," : ""}`), "]"], eol);

export const readers: readonly Subject[] = [
  textSubject({
    name: "delimited text, read as bytes",
    file: delimited(";"),
    head: ["Id;Name;Qty"],
    row: (...values) => values.join(";"),
    openQuote: unclosed('"Z1;never closed'),
    wide: more(";"),
  }),
  textSubject({
    name: "delimited text of UTF-16, read as text",
    file: delimited(",", { charset: "utf-16le" }),
    head: ["Id,Name,Qty"],
    start: "\ufeff",
    encode: utf16le,
    row: (id, name, qty) => `${id},"${name}",${qty}`,
    openQuote: unclosed('"Z1,never closed'),
    wide: more(","),
    more: { longEnds: { refusal: "unclosed-quote" } },
  }),
  textSubject({
    name: "delimited text with a delimiter of several characters and one behind every row",
    file: delimited("||", { trailingDelimiter: true }),
    head: ["Id||Name||Qty"],
    row: (...values) => `${values.join("||")}||`,
    openQuote: unclosed('"Z1||never closed'),
    wide: (columns) => ({ ...more("||")(columns), row: `${more("||")(columns).row}||` }),
  }),
  textSubject({
    name: "delimited text with records that have an end of their own",
    file: delimited("+|", { recordDelimiter: "&|", quote: "none" }),
    head: ["Id+|Name+|Qty"],
    mark: "&|",
    row: (...values) => values.join("+|"),
    wide: more("+|"),
  }),
  textSubject({
    name: "delimited text with backslashes, blanks before quotation marks and remarks, read tolerantly",
    file: delimited(";", { escape: "backslash", padded: true, comment: "#" }),
    head: ['# made by hand; a "remark', "Id;Name;Qty"],
    row: (id, name, qty) => `${id}; "${name} \\"so\\"; said" ;${qty}`,
    openQuote: unclosed('"Z1;never closed'),
    wide: more(";"),
    more: { longEnds: { refusal: "unclosed-quote" } },
  }),
  textSubject({
    name: "text of fixed width",
    file: { kind: "fixed", columnStarts: [1, 9, 21], header: true },
    head: [fixed(...(HEAD as [string, string, string]))],
    row: fixed,
  }),
  textSubject({
    name: "JSON lines",
    file: { kind: "json", header: true },
    head: [],
    row: record,
    openQuote: { text: '{"Id":"Z1', reject: "broken-record" },
    more: {
      payload: { format: "ndjson" },
      longEnds: { reject: "text-too-long" },
      wide: (columns) => ({ bytes: utf8(`${wideRecord(columns)}\n`) }),
    },
  }),
  {
    ...textSubject({ name: "a JSON list", file: { kind: "json", header: true }, head: [], row: record }),
    payload: { format: "json" },
    build: (records, eol) => utf8(list(records, eol)),
    openQuote: { text: '{"Id":"Z1', refusal: "json-unreadable" },
    longEnds: { reject: "text-too-long" },
    wide: (columns) => ({ bytes: utf8(`[${wideRecord(columns)}]`) }),
    markRefusal: "json-unreadable",
  },
  {
    name: "a sheet of a workbook",
    feed: smallFeed({ kind: "sheet", header: true }),
    payload: { format: "xlsx", name: "file.xlsx" },
    rows: words.map(({ id, name, qty }) => [id, name, qty].join(CELL)),
    bad: ["", "no key", "1"].join(CELL),
    build: (rows) => oneSheet(sheetRows([HEAD, ...rows.map((row) => row.split(CELL))])),
    hasLines: false,
    long: (chars) => ["L1", "x".repeat(chars), "1"].join(CELL),
    longEnds: { refusal: "sheet-too-large" },
    wide: (columns) => ({
      bytes: oneSheet(
        sheetRows([
          [...HEAD, ...Array.from({ length: columns }, (_, i) => `c${i}`)],
          ["W1", "wide", "1", ...Array.from({ length: columns }, (_, i) => String(i))],
        ]),
      ),
    }),
  },
  textSubject({
    name: "a table in the text of a mail",
    file: delimited(";"),
    head: ["Id;Name;Qty"],
    row: (...values) => values.join(";"),
    around: [
      ["Hello,", ""],
      ["", "-- ", "ERP; automatic"],
    ],
    more: {
      payload: { format: "text", role: "body", name: "body.txt" },
      longEnds: { refusal: "row-too-long" },
      headerOnly: "body-undecided",
    },
  }),
];

/** The feeds of adapters/ with the first rows of their samples. */
export async function adapterSubjects(): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const sample of generateSamples({ scale: 0.01 })) {
    const adapter = feeds.find((f) => f.customer === sample.customer && f.feed === sample.feed);
    const effective = adapter && effectiveFeed(adapter, {});
    if (effective?.kind !== "feed") throw new Error(`${sample.feed} says not all of its format.`);
    const { feed } = effective;
    const opened: { name: string; bytes: Uint8Array; format: FileFormat }[] = [];
    for await (const one of openDelivery(bytesSource(sample.bytes), { door: "upload", name: sample.fileName })) {
      if (one.kind === "problem") throw new Error(one.report.sentence);
      const blocks: Uint8Array[] = [];
      for await (const block of one.file.open()) blocks.push(Uint8Array.from(block));
      opened.push({ name: one.file.name, bytes: Buffer.concat(blocks), format: one.file.format });
    }
    const [payload] = opened;
    if (payload === undefined) throw new Error(`${sample.feed} has no file in its sample.`);
    const bad = new Set(sample.rejected.map(({ row }) => row));
    subjects.push(await adapterSubject(feed, payload, bad));
  }
  return subjects;
}

async function adapterSubject(
  feed: Feed,
  given: { name: string; bytes: Uint8Array; format: FileFormat },
  bad: ReadonlySet<number>,
): Promise<Subject> {
  const { file } = feed;
  const [first = 0, second = 0] = given.bytes;
  const start = (first === 0xef && second === 0xbb) || (first === 0xff && second === 0xfe) ? "\ufeff" : "";
  const blocks = async function* () {
    yield given.bytes;
  };
  const raws: string[] = [];
  let width = 0;
  for await (const batch of rowBatches(new TextReader(file).slices(blocks()), file)) {
    for (const [i, row] of batch.rows.entries()) {
      raws.push(batch.raw(i));
      width = row.length;
    }
  }
  const headLines = file.preamble.length + (file.header ? 1 : 0);
  const mark = file.recordDelimiter === "line" ? "" : file.recordDelimiter;
  const encode = file.charset === "utf-8" ? utf8 : file.charset === "utf-16le" ? utf16le : windows1252;
  const build = (rows: readonly string[], eol: string | readonly string[] = "\r\n") =>
    encode(
      start +
        joined(
          [...raws.slice(0, headLines), ...rows].map((row) => row + mark),
          eol,
        ),
    );
  const good = raws.slice(headLines).filter((_, i) => !bad.has(i + 1));
  const rows = good.slice(0, COUNT);
  const widened = (columns: number) => build(rows.map((row) => row + file.delimiter.repeat(columns)));
  return {
    name: `${feed.customer}/${feed.feed}`,
    feed: { ...feed, limits: { ...feed.limits, maxRejectShare: 1 } },
    payload: { format: given.format, name: given.name },
    rows,
    bad: file.delimiter.repeat(width - 1),
    build,
    hasLines: true,
    encode,
    ...(file.quote === "none" ? {} : { openQuote: unclosed(`${file.quote}never closed`) }),
    long: (chars) => rows[0]! + "x".repeat(chars),
    longEnds: { refusal: "row-too-long" },
    wide: (columns) => ({ bytes: widened(columns), refusal: file.header ? "row-width" : "wrong-column-count" }),
    ...(headLines === 0 ? { headerOnly: "file-empty" } : {}),
  };
}

/**
 * Rows of files with quotation marks: RFC 4180 as ERPs write it. Line ends may be mixed; inside quotes nothing is touched;
 * a mark inside an unquoted cell is text (3/4" pipe); behind a closing mark blanks are tolerated.
 *
 * Text behind a closing mark breaks the row, and then the row is its first line only: the lines behind it are read as rows
 * of their own. So a mark that an ERP forgot or cut off costs one row, and whatever follows is still held to the number
 * and types of its columns. (Papaparse, which the tests compare with, reads on to the next mark that could close the cell
 * and returns all rows up to there as one: a file of which a thousand rows are gone would look like a file with one bad
 * row. It also merges rows where line ends are mixed.) A mark that is open at the end of the file fails the file.
 */
import { failure, report } from "../../domain/failures.ts";
import { countLineEnds, skipLineEnd } from "./lines.ts";
import type { RowFault } from "./records.ts";
import { ofRow, ROW_MAX_CHARS, type RowBatch, type RowFormat } from "./row-batch.ts";

type Quoted = Pick<RowFormat, "delimiter"> & { readonly quote: string };

/** Throws `unclosed-quote` and `row-too-long`. The slices must not end between CR and LF. */
export async function* quotedRows(
  slices: AsyncIterable<string>,
  format: Quoted,
): AsyncGenerator<RowBatch, void, undefined> {
  let carry = "";
  let line = 1;
  for await (const slice of slices) {
    const scanned = scanRows(carry + slice, line, format, false);
    carry = scanned.rest;
    line = scanned.line;
    if (scanned.batch.rows.length > 0) yield scanned.batch;
  }
  if (carry !== "") yield scanRows(carry, line, format, true).batch;
}

/**
 * The whole rows at the start of a text that begins on the given line; `rest`: the start of a row whose end is not in it,
 * which begins on `line`. Throws and asks for what `quotedRows` does.
 */
export function scanRows(
  text: string,
  firstLine: number,
  format: Quoted,
  atEnd: boolean,
): { batch: RowBatch; rest: string; line: number } {
  const scan = new Scan(text, firstLine, format, atEnd);
  const batch = scan.rows();
  return { batch, rest: scan.rest, line: scan.line };
}

export const BROKEN_QUOTING = ofRow(report("broken-quoting", { reason: "text follows a closing quotation mark" }));

/** Reads the whole rows at the start of a text; what is left is the start of a row whose end has not come yet. */
class Scan {
  readonly #text: string;
  readonly #delimiter: string;
  readonly #quote: string;
  readonly #atEnd: boolean;
  readonly #firstLine: number;
  /** Next places of what can end a cell or open one; searched again only when passed. */
  #nextLf = -1;
  #nextCr = -1;
  #nextDelimiter = -1;
  #nextQuote = -1;
  /** Start of the row at hand, and its line. */
  #start = 0;
  line: number;
  readonly #rows: string[][] = [];
  readonly #starts: number[] = [];
  #spans: number[] | null = null;
  #broken: Map<number, readonly RowFault[]> | null = null;

  constructor(text: string, firstLine: number, { delimiter, quote }: Quoted, atEnd: boolean) {
    this.#text = text;
    this.#firstLine = firstLine;
    this.line = firstLine;
    this.#delimiter = delimiter;
    this.#quote = quote;
    this.#atEnd = atEnd;
  }

  rows(): RowBatch {
    const text = this.#text;
    while (this.#start < text.length && this.#row());
    const starts = [...this.#starts, this.#start];
    return {
      rows: this.#rows,
      firstLine: this.#firstLine,
      spans: this.#spans,
      broken: this.#broken,
      raw: (index) => text.slice(starts[index], starts[index + 1]).replace(/(\r\n|\r|\n)$/, ""),
    };
  }

  get rest(): string {
    return this.#text.slice(this.#start);
  }

  /** Takes one row; false where its end is not in the text. */
  #row(): boolean {
    const start = this.#start;
    const end = this.#lineEnd(start);
    if (this.#quoteAt(start) < end) return this.#rowOfCells(start);
    if (end === this.#text.length && !this.#atEnd) return this.#unfinished(-1);
    // Most rows have no mark at all, and the engine's own split is the fastest.
    return this.#take(this.#text.slice(start, end).split(this.#delimiter), end, 1);
  }

  #rowOfCells(start: number): boolean {
    const text = this.#text;
    const cells: string[] = [];
    let span = 1;
    for (let at = start; ; ) {
      if (text[at] === this.#quote) {
        const close = this.#closing(at + 1);
        if (close === -1) return this.#unfinished(at);
        if (close - start >= ROW_MAX_CHARS) throw this.#unclosed(at, ROW_MAX_CHARS);
        const behind = this.#skipBlanks(close + 1);
        // The mark may be the first of two, or a delimiter behind it cut: the next slice tells.
        const isCut = text.length - behind < this.#delimiter.length && skipLineEnd(text, behind) === behind;
        if (isCut && !this.#atEnd) return this.#unfinished(-1);
        const cell = text.slice(at + 1, close);
        if (this.#lineEnd(at) < close) span += countLineEnds(cell);
        cells.push(cell.includes(this.#quote) ? cell.replaceAll(this.#quote + this.#quote, this.#quote) : cell);
        if (behind === text.length || skipLineEnd(text, behind) > behind) return this.#take(cells, behind, span);
        if (!text.startsWith(this.#delimiter, behind)) return this.#breakRow(start);
        at = behind + this.#delimiter.length;
        continue;
      }
      const end = this.#lineEnd(at);
      const delimiter = this.#delimiterAt(at);
      if (delimiter < end) {
        cells.push(text.slice(at, delimiter));
        at = delimiter + this.#delimiter.length;
        continue;
      }
      if (end === text.length && !this.#atEnd) return this.#unfinished(-1);
      cells.push(text.slice(at, end));
      return this.#take(cells, end, span);
    }
  }

  /** The row ends at `end`, before its line end. */
  #take(cells: string[], end: number, span: number): true {
    if (end - this.#start > ROW_MAX_CHARS) throw this.#tooLong();
    if (span > 1) this.#spans ??= this.#rows.map(() => 1);
    this.#spans?.push(span);
    this.#rows.push(cells);
    this.#starts.push(this.#start);
    this.#start = skipLineEnd(this.#text, end);
    this.line += span;
    return true;
  }

  #breakRow(start: number): boolean {
    // The search goes back: what was found behind the first line is forgotten.
    this.#nextLf = this.#nextCr = this.#nextDelimiter = this.#nextQuote = -1;
    const end = this.#lineEnd(start);
    if (end === this.#text.length && !this.#atEnd) return this.#unfinished(-1);
    this.#broken ??= new Map();
    this.#broken.set(this.#rows.length, BROKEN_QUOTING);
    return this.#take([this.#text.slice(start, end)], end, 1);
  }

  /** More text is needed. `openAt`: where the mark stands that is open, or -1. */
  #unfinished(openAt: number): false {
    if (openAt !== -1 && this.#atEnd) throw this.#unclosed(openAt);
    if (this.#text.length - this.#start <= ROW_MAX_CHARS) return false;
    if (openAt !== -1 && openAt - this.#start < ROW_MAX_CHARS) throw this.#unclosed(openAt, ROW_MAX_CHARS);
    throw this.#tooLong();
  }

  #unclosed(openAt: number, withinChars?: number): Error {
    const line = this.line + countLineEnds(this.#text.slice(this.#start, openAt));
    return failure("unclosed-quote", { line, ...(withinChars === undefined ? {} : { withinChars }) });
  }

  #tooLong(): Error {
    return failure("row-too-long", { line: this.line, limitChars: ROW_MAX_CHARS });
  }

  /** Index of the mark that closes the cell whose content begins at `from`, or -1. */
  #closing(from: number): number {
    const text = this.#text;
    const quote = this.#quote;
    for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 2)) {
      if (text[at + 1] !== quote) return at;
    }
    return -1;
  }

  #skipBlanks(from: number): number {
    let at = from;
    for (; at < this.#text.length; at++) {
      const character = this.#text[at]!;
      if ((character !== " " && character !== "\t") || this.#text.startsWith(this.#delimiter, at)) break;
    }
    return at;
  }

  /** Index of the first line end from `at` on, or the length of the text. */
  #lineEnd(at: number): number {
    const text = this.#text;
    if (this.#nextLf < at) this.#nextLf = indexOrEnd(text, "\n", at);
    if (this.#nextCr < at) this.#nextCr = indexOrEnd(text, "\r", at);
    return Math.min(this.#nextLf, this.#nextCr);
  }

  #delimiterAt(at: number): number {
    if (this.#nextDelimiter < at) this.#nextDelimiter = indexOrEnd(this.#text, this.#delimiter, at);
    return this.#nextDelimiter;
  }

  #quoteAt(at: number): number {
    if (this.#nextQuote < at) this.#nextQuote = indexOrEnd(this.#text, this.#quote, at);
    return this.#nextQuote;
  }
}

function indexOrEnd(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at === -1 ? text.length : at;
}

/**
 * Rows of files that are written in a way the strict readers do not know: marks escaped by a backslash, blanks before a
 * quotation mark, remarks between the rows. Found by the tokenizer of detection, so that a file is read as it was detected.
 *
 * What the tokenizer forgives is refused here: a row in which text follows a closing mark is broken, and a mark that is
 * open at the end of the file fails the file.
 */
import { failure } from "../../domain/failures.ts";
import type { Dialect } from "../detect/profile.ts";
import { type Tokens, tokenize } from "../detect/tokenize.ts";
import type { LineKind } from "./books.ts";
import { trimCell } from "./cell.ts";
import { countLineEnds, skipLineEnd } from "./lines.ts";
import type { RowFault } from "./records.ts";
import { ROW_MAX_CHARS, type RowBatch } from "./row-batch.ts";
import type { TableFormat } from "./rows.ts";
import { BROKEN_QUOTING } from "./rows-quoted.ts";

/**
 * Throws `unclosed-quote` and `row-too-long`. The slices must not end between CR and LF. The rows are the same however the
 * text is cut into slices.
 */
export async function* tolerantRows(
  slices: AsyncIterable<string>,
  format: TableFormat,
): AsyncGenerator<RowBatch, void> {
  const reader = new TolerantReader(format);
  for await (const slice of slices) {
    const batch = reader.read(slice, false);
    if (batch !== undefined) yield batch;
  }
  const batch = reader.read("", true);
  if (batch !== undefined) yield batch;
}

function dialectOf({ delimiter, quote, recordDelimiter, padded, comment, ...format }: TableFormat): Dialect {
  const mark = quote === "none" ? null : quote;
  return {
    delimiter,
    quote: mark,
    escape: format.escape === "backslash" ? "\\" : mark,
    terminator: recordDelimiter === "line" ? "" : recordDelimiter,
    skip: 0,
    padded: padded === true,
    trailing: false,
    comment: comment ?? null,
    fixed: null,
  };
}

/** An entry of the file and its places in the text: its start, its end before the line end, and the start of the next. */
interface Entry {
  readonly cells: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly next: number;
  readonly broken: boolean;
  readonly isRemark: boolean;
}

class TolerantReader {
  readonly #dialect: Dialect;
  readonly #recordDelimiter: string;
  #carry = "";
  #line = 1;
  #titles: number;

  constructor(format: TableFormat) {
    this.#dialect = dialectOf(format);
    this.#recordDelimiter = format.recordDelimiter;
    this.#titles = format.preamble?.length ?? 0;
  }

  /** The rows that are whole with this slice. */
  read(slice: string, atEnd: boolean): RowBatch | undefined {
    const text = this.#carry + slice;
    const { entries, unclosed } = this.#entries(text, atEnd);
    const batch = entries.length === 0 ? undefined : this.#batch(text, entries);
    const rest = entries.at(-1)?.next ?? 0;
    this.#carry = text.slice(rest);
    // Twice: a whole row may wait there for what follows it.
    if (this.#carry.length > ROW_MAX_CHARS * (atEnd ? 1 : 2)) throw this.#tooLong(this.#carry);
    if (unclosed !== -1) {
      throw failure("unclosed-quote", { line: this.#line + countLineEnds(text.slice(rest, unclosed)) });
    }
    return batch;
  }

  /**
   * The whole entries at the start of the text. One that ends where the text ends is left, unless the file ends there too:
   * what follows may belong to it. `unclosed`: the place of the mark that is open at the end of the file, or -1.
   */
  #entries(text: string, atEnd: boolean): { entries: Entry[]; unclosed: number } {
    const entries: Entry[] = [];
    for (let from = 0; from < text.length; ) {
      const rest = from === 0 ? text : text.slice(from);
      const tokens = tokenize(rest, this.#dialect, { atEnd });
      const remark = this.#take(tokens, rest, from, entries);
      if (remark !== undefined) {
        entries.push(remark);
        from = remark.next;
        continue;
      }
      if (atEnd && tokens.unclosed !== -1) return { entries, unclosed: from + tokens.unclosed };
      break;
    }
    if (!atEnd && (entries.at(-1)?.next ?? 0) >= text.length) entries.pop();
    return { entries, unclosed: -1 };
  }

  /** Adds rows up to a remark that was taken for more than its line, for the marks in it; answers that remark. */
  #take(
    { rows, starts, ends, end, broken }: Tokens,
    text: string,
    offset: number,
    entries: Entry[],
  ): Entry | undefined {
    for (const [i, cells] of rows.entries()) {
      const start = starts[i]!;
      const isRemark = this.#isRemark(text, start);
      if (isRemark && lineEnd(text, start) !== ends[i]) return remarkAt(text, start, offset);
      const next = offset + (starts[i + 1] ?? end);
      const place = { start: offset + start, end: offset + ends[i]!, next };
      entries.push({ cells, ...place, broken: broken.has(i) && !isRemark, isRemark });
    }
    return end < text.length && this.#isRemark(text, end) ? remarkAt(text, end, offset) : undefined;
  }

  #isRemark(text: string, at: number): boolean {
    const { comment } = this.#dialect;
    if (comment === null) return false;
    let start = at;
    while (text[start] === " " || text[start] === "\t" || text[start] === "\ufeff") start++;
    return text.startsWith(comment, start);
  }

  #batch(text: string, entries: readonly Entry[]): RowBatch {
    const firstLine = this.#line;
    const spans: number[] = [];
    const broken = new Map<number, readonly RowFault[]>();
    const asides = new Map<number, LineKind>();
    for (const [i, { cells, start, end, ...entry }] of entries.entries()) {
      if (end - start > ROW_MAX_CHARS) throw this.#tooLong(text.slice(start));
      const span = this.#linesOf(text.slice(start, end), end === entry.next);
      spans.push(span);
      this.#line += span;
      if (entry.broken) broken.set(i, BROKEN_QUOTING);
      if (this.#titles > 0) this.#titles--;
      else if (entry.isRemark || (cells.length === 1 && trimCell(cells[0]!) === "")) asides.set(i, "blank");
    }
    return {
      rows: entries.map(({ cells }) => cells),
      firstLine,
      spans,
      broken: broken.size === 0 ? null : broken,
      asides,
      raw: (index) => text.slice(entries[index]!.start, entries[index]!.end),
    };
  }

  /** Lines that an entry takes, as they are counted in the file. One that ends with the file may end with an escaped line end. */
  #linesOf(text: string, isLast: boolean): number {
    const ends = this.#recordDelimiter === "line" ? countLineEnds(text) : text.split(this.#recordDelimiter).length - 1;
    const endsWithOne = this.#recordDelimiter === "line" ? /[\r\n]$/.test(text) : text.endsWith(this.#recordDelimiter);
    return ends + (isLast && endsWithOne ? 0 : 1);
  }

  /** The entry at the start of the text is too long: is that for a quotation mark? The same however the text is cut. */
  #tooLong(text: string): Error {
    const part = text.slice(0, ROW_MAX_CHARS + 1);
    const { unclosed } = tokenize(part, this.#dialect, { atEnd: true, maxRows: 1 });
    if (unclosed === -1) return failure("row-too-long", { line: this.#line, limitChars: ROW_MAX_CHARS });
    const line = this.#line + countLineEnds(part.slice(0, unclosed));
    return failure("unclosed-quote", { line, withinChars: ROW_MAX_CHARS });
  }
}

function remarkAt(text: string, start: number, offset: number): Entry {
  const end = lineEnd(text, start);
  const place = { start: offset + start, end: offset + end, next: offset + skipLineEnd(text, end) };
  return { cells: [text.slice(start, end)], ...place, broken: false, isRemark: true };
}

/** Where the line that `at` is in ends. */
function lineEnd(text: string, at: number): number {
  const found = /[\r\n]/g;
  found.lastIndex = at;
  return found.exec(text)?.index ?? text.length;
}

/**
 * The rows of a file by its profile, as a stream: what the sample showed is verified on every row. Dialects that the
 * strict readers know are read by them; a row whose quotation marks they refuse, and other dialects, by the tokenizer.
 */
import { failure } from "../../domain/failures.ts";
import { countLineEnds } from "../table/lines.ts";
import { ROW_MAX_CHARS, type RowBatch } from "../table/row-batch.ts";
import { plainRows } from "../table/rows-plain.ts";
import { quotedRows } from "../table/rows-quoted.ts";
import { textOf } from "./decoders.ts";
import { misfitOf } from "./detect.ts";
import { behindLines } from "./dialect.ts";
import { isSame } from "./header.ts";
import type { Dialect, Misfit, Profile } from "./profile.ts";
import { isRemark } from "./remarks.ts";
import { FOOTER_MAX_ROWS, footerOf, isBlankRow, withoutTrailing } from "./shape.ts";
import { tokenize } from "./tokenize.ts";

export interface DialectRow {
  readonly cells: readonly string[];
  /** The line on which the row begins, 1-based. */
  readonly line: number;
  /** Whether text follows a closing quotation mark in it. */
  readonly broken: boolean;
}

export type TableRow = DialectRow & {
  readonly kind: "header" | "data";
  /** Why the row does not fit, if it does not. */
  readonly misfit: Misfit | null;
};

/** Rows held back at the end of a file, until it is known whether they are its footer. */
const HELD_ROWS = FOOTER_MAX_ROWS + 2;

/** What a reading found beside rows. Complete when the rows are at their end. */
export class TableReading {
  readonly #profile: Profile;
  /** Data rows. */
  rows = 0;
  misfits = 0;
  repeatedHeaders = 0;
  /** Blank lines from the first row of the table on. */
  blankLines = 0;
  /** Rows behind the table. */
  footer: readonly DialectRow[] = [];

  constructor(profile: Profile) {
    this.#profile = profile;
  }

  /**
   * Header and data rows in batches: without preamble, footer, remarks, blank lines and repeated headers.
   * Throws `wrong-charset`, `nul-bytes`, `unclosed-quote`, `row-too-long`.
   */
  async *batches(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<readonly TableRow[], void, undefined> {
    const { dialect, columnCount, header } = this.#profile;
    const first = this.#profile.preamble.length - dialect.skip + 1;
    const sure = !this.#profile.undecided.some((question) => question.what === "header");
    let held: DialectRow[] = [];
    let headerRow: readonly string[] | null = null;
    const classify = (rows: readonly DialectRow[]): TableRow[] => {
      const table: TableRow[] = [];
      for (const row of rows) {
        if (row.line < first || isRemark(row.cells, dialect)) continue;
        if (isBlankRow(row.cells)) {
          this.blankLines++;
          continue;
        }
        if (header && headerRow === null) {
          headerRow = row.cells;
          table.push({ ...row, kind: "header", misfit: this.#misfit(row, columnCount) });
          continue;
        }
        if (headerRow !== null && sure && isSame(row.cells, headerRow)) {
          this.repeatedHeaders++;
          continue;
        }
        this.rows++;
        const data = { ...row, cells: withoutTrailing(row.cells, columnCount, dialect.trailing) };
        table.push({ ...data, kind: "data", misfit: this.#misfit(data, columnCount) });
      }
      return table;
    };
    for await (const batch of dialectRows(textOf(blocks, this.#profile.charset, lineOf(dialect)), dialect)) {
      const all = held.length === 0 ? batch : [...held, ...batch];
      const ready = Math.max(0, all.length - HELD_ROWS);
      held = all.slice(ready);
      if (ready > 0) yield classify(all.slice(0, ready));
    }
    // In a short file the rows held still have titles and the header among them: these are no footer.
    let above = held.filter((row) => row.line < first).length;
    const isIdle = (row: DialectRow): boolean => isBlankRow(row.cells) || isRemark(row.cells, dialect);
    if (header && headerRow === null) above = held.findIndex((row, i) => i >= above && !isIdle(row)) + 1;
    const cells = held.slice(above).map((row) => row.cells);
    const behind = footerOf(cells, { width: columnCount, data: this.rows, totals: this.#profile.totals }, dialect);
    this.footer = held.slice(held.length - behind).filter((row) => !isBlankRow(row.cells));
    yield classify(held.slice(0, held.length - behind));
  }

  #misfit(row: DialectRow, width: number): Misfit | null {
    if (row.cells.length === width && !row.broken) return null;
    this.misfits++;
    return misfitOf(row.cells.length, width, row.line, row.broken);
  }
}

const lineOf = (dialect: Dialect): string => (dialect.terminator === "" ? "line" : dialect.terminator);

/** All rows of a text, preamble, footer and blank lines among them. */
export function dialectRows(slices: AsyncIterable<string>, dialect: Dialect): AsyncGenerator<readonly DialectRow[]> {
  const records = dialect.skip === 0 ? slices : behind(slices, dialect.skip);
  return isStrict(dialect) ? strictRows(records, dialect) : tokenRows(records, dialect);
}

/** The text behind its first lines, which are few and stand in the first slices. */
async function* behind(slices: AsyncIterable<string>, lines: number): AsyncGenerator<string, void, undefined> {
  let held: string | null = "";
  for await (const slice of slices) {
    if (held === null) {
      yield slice;
      continue;
    }
    held += slice;
    if (countLineEnds(held) < lines) continue;
    const rest = behindLines(held, lines);
    held = null;
    if (rest !== "") yield rest;
  }
}

/** Never in a text: stands for the delimiter of a table of one column. */
const NO_DELIMITER = "\0";

/** Whether the strict readers of feeds read the dialect alike. */
const isStrict = ({ fixed, quote, padded, terminator, ...rest }: Dialect): boolean =>
  fixed === null && rest.escape !== "\\" && !padded && (terminator === "" || quote === null);

async function* strictRows(
  slices: AsyncIterable<string>,
  dialect: Dialect,
): AsyncGenerator<readonly DialectRow[], void, undefined> {
  const { quote } = dialect;
  const delimiter = dialect.delimiter ?? NO_DELIMITER;
  const batches: AsyncIterable<RowBatch> =
    quote === null
      ? plainRows(slices, { delimiter, recordDelimiter: lineOf(dialect) })
      : quotedRows(slices, { delimiter, quote });
  for await (const { rows, firstLine, spans, broken, raw } of batches) {
    let line = firstLine;
    yield rows.map((cells, i) => {
      const row = { cells, line, broken: broken?.has(i) ?? false };
      line += spans?.[i] ?? 1;
      return row.broken ? { ...row, cells: leniently(raw(i), dialect) } : row;
    });
  }
}

/** The cells of a row whose marks do not fit together, as well as can be told. */
const leniently = (raw: string, dialect: Dialect): readonly string[] =>
  tokenize(raw, dialect, { atEnd: true, maxRows: 1 }).rows[0] ?? [raw];

async function* tokenRows(
  slices: AsyncIterable<string>,
  dialect: Dialect,
): AsyncGenerator<readonly DialectRow[], void, undefined> {
  let carry = "";
  let line = 1;
  for await (const slice of slices) {
    const text = carry + slice;
    const batch = take(text, dialect, line, false);
    carry = text.slice(batch.end);
    line = batch.line;
    if (carry.length > ROW_MAX_CHARS) throw tooLong(carry, dialect, line);
    if (batch.rows.length > 0) yield batch.rows;
  }
  if (carry === "") return;
  const last = take(carry, dialect, line, true);
  if (last.unclosed !== -1) {
    throw failure("unclosed-quote", { line: line + countLineEnds(carry.slice(0, last.unclosed)) });
  }
  yield last.rows;
}

interface Taken {
  readonly rows: readonly DialectRow[];
  readonly end: number;
  readonly line: number;
  readonly unclosed: number;
}

function take(text: string, dialect: Dialect, firstLine: number, atEnd: boolean): Taken {
  const { rows, starts, ends, end, broken, unclosed } = tokenize(text, dialect, { atEnd });
  let line = firstLine;
  const taken = rows.map((cells, i): DialectRow => {
    const row = { cells, line, broken: broken.has(i) };
    if (ends[i]! - starts[i]! > ROW_MAX_CHARS) throw failure("row-too-long", { line, limitChars: ROW_MAX_CHARS });
    line += countLineEnds(text.slice(starts[i], starts[i + 1] ?? end));
    return row;
  });
  return { rows: taken, end, line, unclosed };
}

function tooLong(carry: string, dialect: Dialect, line: number): Error {
  const { unclosed } = tokenize(carry, dialect, { atEnd: true, maxRows: 1 });
  if (unclosed === -1) return failure("row-too-long", { line, limitChars: ROW_MAX_CHARS });
  const at = line + countLineEnds(carry.slice(0, unclosed));
  return failure("unclosed-quote", { line: at, withinChars: ROW_MAX_CHARS });
}

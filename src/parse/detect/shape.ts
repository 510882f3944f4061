/** The parts of a table file: lines before the table, header, rows, lines behind it. */
import { trimCell } from "../table/cell.ts";
import { isTyped } from "./cells.ts";
import { type HeaderVerdict, isMetadata, isSame, judgeHeader } from "./header.ts";
import type { Dialect } from "./profile.ts";
import { isRemark } from "./remarks.ts";
import { commonWidth } from "./trial.ts";

/** Rows in which the table must begin. */
const PREAMBLE_MAX_ROWS = 100;
/** Rows at the end of a file that may be totals and trailers. */
export const FOOTER_MAX_ROWS = 8;
/** A row with fewer of its cells filled is a title, where the next ones are full. */
const TITLE_SHARE = 0.34;
/** A first row this much narrower than the others is no header of theirs. */
const HEADER_SHARE = 0.6;

export interface Shape {
  /** Index of the first row of the table: its header, or the first data row. */
  readonly start: number;
  readonly verdict: HeaderVerdict;
  /** Cells that a row should have. */
  readonly width: number;
  /** Whether all rows but the header end with a delimiter more. */
  readonly trailing: boolean;
  readonly columns: readonly string[];
  readonly repeatedHeaders: number;
}

export const isBlankRow = (row: readonly string[]): boolean => row.length === 1 && (row[0] ?? "").trim() === "";

const filledOf = (row: readonly string[]): number => row.reduce((n, cell) => (cell.trim() === "" ? n : n + 1), 0);

/** The parts of the rows of a sample. `known`: whether there is a header, where somebody answered that. */
export function shapeOf(rows: readonly (readonly string[])[], dialect: Dialect, known?: boolean): Shape {
  const counts = new Map<number, number>();
  for (const row of rows) {
    if (isBlankRow(row) || isRemark(row, dialect)) continue;
    counts.set(row.length, (counts.get(row.length) ?? 0) + 1);
  }
  const common = dialect.fixed?.length ?? (dialect.delimiter === null ? 1 : Math.max(1, commonWidth(counts)));
  const found = startOf(rows, common, dialect);
  const isIdle = (row: readonly string[]): boolean => isBlankRow(row) || isRemark(row, dialect);
  const isTold = known !== false && isMetadata(rows.slice(found).filter((row) => !isIdle(row)));
  const start = isTold ? rows.findIndex((row, i) => i > found && !isIdle(row)) : found;
  const table = rows.slice(start).filter((row) => !isBlankRow(row) && !isRemark(row, dialect));
  const first = table[0] ?? [];
  const verdict = known === undefined ? judgeHeader(table) : answered(known);
  const trailing = verdict.header && first.length === common - 1 && endsBlank(table.slice(1), common);
  const width = trailing ? first.length : verdict.header ? Math.max(common, first.length) : common;
  // As feeds bind their columns: no-break blanks are part of a name.
  const columns = verdict.header ? first.map(trimCell) : [];
  const repeatedHeaders =
    verdict.header && verdict.sure ? table.slice(1).filter((row) => isSame(row, first)).length : 0;
  return { start, verdict, width, trailing, columns, repeatedHeaders };
}

const answered = (header: boolean): HeaderVerdict => ({
  header,
  sure: true,
  named: 0,
  evidence: header
    ? "It was answered that the first row names the columns."
    : "It was answered that the first row is data.",
});

const endsBlank = (rows: readonly (readonly string[])[], width: number): boolean =>
  rows.length > 0 && rows.every((row) => row.length !== width || row[width - 1] === "");

/** A row without the empty cell behind its last delimiter, in tables whose rows all end with one. */
export const withoutTrailing = (row: readonly string[], width: number, trailing: boolean): readonly string[] =>
  trailing && row.length === width + 1 && row[width] === "" ? row.slice(0, width) : row;

function startOf(rows: readonly (readonly string[])[], width: number, dialect: Dialect): number {
  const bounded = rows.slice(0, PREAMBLE_MAX_ROWS);
  const isIdle = (row: readonly string[]): boolean => isBlankRow(row) || isRemark(row, dialect);
  let start = bounded.findIndex((row) => !isIdle(row) && row.length === width);
  if (start === -1) start = bounded.findIndex((row) => !isIdle(row));
  if (start === -1) return 0;
  start = behindTitles(bounded, start, width);
  // A row just before that is cut too, and holds names only, is a header that has a cell too few or too many.
  let before = start - 1;
  while (before >= 0 && isIdle(bounded[before]!)) before--;
  const candidate = bounded[before];
  if (candidate !== undefined && isNearlyHeader(candidate, width) && rows[start]!.some((cell) => isTyped(cell.trim())))
    return before;
  // Rows that are cut too but not to the common width: data rows that do not fit, unless the table begins with a header.
  const leading = bounded.slice(0, start).findIndex((row) => !isIdle(row) && row.length > 1);
  const isHeader = judgeHeader(rows.slice(start).filter((row) => !isIdle(row))).header;
  return leading !== -1 && !isHeader && start - leading <= 2 && width > 1 ? leading : start;
}

/** Title lines filled up with empty cells. */
function behindTitles(rows: readonly (readonly string[])[], from: number, width: number): number {
  if (width < 2) return from;
  const isTitle = (row: readonly string[]): boolean => filledOf(row) <= Math.max(1, TITLE_SHARE * width);
  let start = from;
  while (start < rows.length && isTitle(rows[start]!)) start++;
  const next = rows[start];
  if (start === from || next === undefined || next.length !== width || filledOf(next) < 2) return from;
  // Titles stand above a header. Without one, rows with blank cells are the first rows of the data.
  if (!judgeHeader(rows.slice(start).filter((row) => !isBlankRow(row))).header) return from;
  // Sparse tables have sparse rows everywhere: then these are no titles.
  const behind = rows.slice(start + 1, start + 11);
  return behind.filter((row) => !isTitle(row)).length * 2 >= behind.length ? start : from;
}

function isNearlyHeader(row: readonly string[], width: number): boolean {
  if (row.length < 2 || row.length < HEADER_SHARE * width) return false;
  const cells = row.map((cell) => cell.trim());
  return cells.every((cell) => !isTyped(cell)) && cells.filter((cell) => cell !== "").length >= 0.5 * cells.length;
}

const TOTAL =
  /^(?:grand |sub ?)?(?:totals?|totale[sn]?|totali|totaux|totaal|summe|gesamt\p{L}*|zwischensumme|endsumme|insgesamt|somme|suma|soma|sum|razem|celkem|összesen|yhteensä|итого|всего)(?![\p{L}\d_])/iu;
const TRAILER =
  /^(?:trailer|trl|ende?|eof|end of (?:file|report|data)|footer|fin|#?count|rows?|records?|datens[äa]tze|anzahl|zeilen|checksum|hash)\b/iu;
const RULE = /^[-=_*~\s]{3,}$/;

/** Whether a row of totals may begin so. */
export const isTotalsWord = (cell: string): boolean => TOTAL.test(cell.trim());

/**
 * How many of the last rows stand behind the table: totals, trailers, counts, remarks. A short or a long row that is none
 * of these is a row that does not fit, for so ends a file that was cut off. `data`: number of data rows before `last`; `totals`: whether
 * totals may be as full as the rows.
 */
export function footerOf(
  last: readonly (readonly string[])[],
  { width, data, totals }: { readonly width: number; readonly data: number; readonly totals: boolean },
  dialect: Dialect,
): number {
  let footer = 0;
  for (let back = 1; back <= Math.min(last.length, FOOTER_MAX_ROWS); back++) {
    const row = last[last.length - back]!;
    if (isBlankRow(row) || isRemark(row, dialect)) continue;
    const before = last[last.length - back - 1];
    const afterGap = before !== undefined && isBlankRow(before);
    const rowsBefore = data + last.slice(0, last.length - back).filter((r) => r.length === width).length;
    const isTotals = totals && row.length === width && isTotalsWord(row[0] ?? "");
    if (!isTotals && !isFooterRow(row, width, rowsBefore, afterGap)) break;
    footer = back;
  }
  // Blank lines between the table and its footer belong to neither; they are no rows anyway.
  return footer;
}

function isFooterRow(row: readonly string[], width: number, rowsBefore: number, afterGap: boolean): boolean {
  const cells = row.map((cell) => cell.trim());
  const filled = cells.filter((cell) => cell !== "");
  const first = filled[0] ?? "";
  if (filled.length === 0) return false;
  const total = TOTAL.test(first) || (TRAILER.test(first) && row.length !== width);
  if (total && (row.length !== width || filled.length < width)) return true;
  if (width < 2 || row.length === width) return false;
  if (RULE.test(row.join(""))) return true;
  // A trailer record: a mark, and the number of rows (or of all lines) behind it.
  const counts = new Set([rowsBefore, rowsBefore + 1, rowsBefore + 2].map(String));
  const isMark = /^[\p{L}#*]{1,12}$/u.test(cells[0] ?? "") && row.length >= 2 && row.length <= 4 && row.length < width;
  if (isMark && rowsBefore > 1 && cells.slice(1).some((cell) => counts.has(cell.replace(/^0+/, "")))) return true;
  if (row.length > 1) return false;
  return afterGap || /[:©]|\d+ (?:rows?|records?|datensätze|zeilen|lines?)\b/iu.test(first);
}

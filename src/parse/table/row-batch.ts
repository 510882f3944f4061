/** What all row readers have in common: rows in batches, one batch per slice of what they read, pulled. */
import type { FailureReport } from "../../domain/failures.ts";
import type { LineKind } from "./books.ts";
import type { RowFault } from "./records.ts";

/**
 * Characters in a row at most (UTF-16 units, without its line end). A row this long is a missing line end or a quotation
 * mark that nobody closed: without the limit the rest of the file would be gathered in memory.
 */
export const ROW_MAX_CHARS = 262_144;

export interface RowBatch {
  readonly rows: readonly (readonly string[])[];
  /** The line on which the first row begins, 1-based. */
  readonly firstLine: number;
  /** Lines that each row takes, or null where every row takes one. */
  readonly spans: readonly number[] | null;
  /** Rows (by index) that cannot be told from what stands in the file, with all reasons. Never a row less for them. */
  readonly broken: ReadonlyMap<number, readonly RowFault[]> | null;
  /**
   * Entries (by index) that are no rows, and what their lines are in the books: remarks, a mail's greeting, a sheet's gap.
   * Given by readers that know; then entries that are not among them are rows, however blank they look. Left out: a row of
   * one blank cell is a blank line.
   */
  readonly asides?: ReadonlyMap<number, LineKind>;
  /** The text of a row as it stands in the file, without its line end. To be asked for in ascending order. */
  raw(index: number): string;
}

/** A fault of the row as a whole. */
export const ofRow = (why: FailureReport): readonly RowFault[] => [{ report: why, column: null, at: null }];

export interface RowFormat {
  readonly delimiter: string;
  readonly recordDelimiter: string;
  readonly quote: '"' | "'" | "none";
}

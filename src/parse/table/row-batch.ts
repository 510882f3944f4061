/** What the two row readers have in common: rows in batches, one batch per slice of text, pulled. */

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
  /** Rows (by index) whose quotation marks do not fit together, with the reason. */
  readonly broken: ReadonlyMap<number, string> | null;
  /** The text of a row as it stands in the file, without its line end. To be asked for in ascending order. */
  raw(index: number): string;
}

export interface RowFormat {
  readonly delimiter: string;
  readonly recordDelimiter: string;
  readonly quote: '"' | "'" | "none";
}

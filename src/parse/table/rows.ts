/** Payload text → rows of cells, before any column has a meaning. */
import type { FileFormat } from "../../domain/format.ts";
import { trimCell } from "./cell.ts";
import type { RowBatch } from "./row-batch.ts";
import { fixedRows } from "./rows-fixed.ts";
import { plainRows } from "./rows-plain.ts";
import { quotedRows } from "./rows-quoted.ts";
import { tolerantRows } from "./rows-tolerant.ts";
import { TextReader } from "./text.ts";

export type { RowBatch } from "./row-batch.ts";

/** What of a format the readers of text need: these four, and of the others what the file has. */
export type TableFormat = Pick<FileFormat, "charset" | "delimiter" | "recordDelimiter" | "quote"> & Partial<FileFormat>;

/** Whether the format has nothing beyond delimiter, quotation marks and record ends: most have not. */
export const isPlainTable = (format: TableFormat): boolean =>
  format.columnStarts === undefined && format.trailingDelimiter !== true && !needsTolerance(format);

const needsTolerance = (format: TableFormat): boolean =>
  format.escape === "backslash" || format.padded === true || format.comment !== undefined;

/** The reader of a feed's text files. See the readers for what they throw. */
export function rowBatches(slices: AsyncIterable<string>, format: TableFormat): AsyncGenerator<RowBatch, void> {
  const { columnStarts, delimiter, recordDelimiter, quote } = format;
  if (columnStarts !== undefined) return fixedRows(slices, { ...format, columnStarts });
  const batches = needsTolerance(format)
    ? tolerantRows(slices, format)
    : quote === "none"
      ? plainRows(slices, { delimiter, recordDelimiter })
      : quotedRows(slices, { delimiter, quote });
  return format.trailingDelimiter === true ? withoutTrailing(batches, format) : batches;
}

/**
 * Rows without the empty cell behind their last delimiter. The header has none. What a row lacks then is a missing column,
 * not a blank one.
 */
async function* withoutTrailing(
  batches: AsyncGenerator<RowBatch, void>,
  { header = false, preamble = [] }: TableFormat,
): AsyncGenerator<RowBatch, void> {
  let above = preamble.length;
  let isHeader = header;
  for await (const batch of batches) {
    const rows = batch.rows.map((cells, i) => {
      const isTitle = above > 0 && !batch.asides?.has(i);
      if (isTitle) above--;
      const isBlank = cells.length === 1 && trimCell(cells[0]!) === "";
      if (isTitle || isBlank || batch.asides?.has(i)) return cells;
      const isNames = isHeader;
      isHeader = false;
      return isNames || cells.length === 1 || cells[cells.length - 1] !== "" ? cells : cells.slice(0, -1);
    });
    yield { ...batch, rows };
  }
}

export interface Row {
  readonly cells: readonly string[];
  /** The line on which the row begins, 1-based. */
  readonly line: number;
  /** Lines that it takes. */
  readonly span: number;
  /** Why it cannot be told from its text, if it cannot: one sentence. */
  readonly broken: string | undefined;
}

/**
 * All rows of a text, preamble, header and blank lines among them, one at a time. For tools: parse itself reads batches.
 * @example for await (const { cells } of readRows(payload.open(), feed.file)) …
 */
export async function* readRows(
  blocks: AsyncIterable<Uint8Array>,
  format: TableFormat,
): AsyncGenerator<Row, void, undefined> {
  yield* rowsIn(rowBatches(new TextReader(format).slices(blocks), format));
}

/** The entries of batches one at a time, those that are no rows left out. */
export async function* rowsIn(batches: AsyncIterable<RowBatch>): AsyncGenerator<Row, void, undefined> {
  for await (const batch of batches) {
    let line = batch.firstLine;
    for (const [i, cells] of batch.rows.entries()) {
      const span = batch.spans?.[i] ?? 1;
      if (!batch.asides?.has(i)) yield { cells, line, span, broken: batch.broken?.get(i)?.[0]?.report.sentence };
      line += span;
    }
  }
}

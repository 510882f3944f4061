/** Payload bytes → rows of cells, before any column has a meaning. */
import type { FileFormat } from "../../domain/format.ts";
import type { RowBatch } from "./row-batch.ts";
import { plainRows } from "./rows-plain.ts";
import { quotedRows } from "./rows-quoted.ts";
import { TextReader } from "./text.ts";

export type { RowBatch } from "./row-batch.ts";

export type TableFormat = Pick<FileFormat, "charset" | "delimiter" | "recordDelimiter" | "quote">;

/** The reader of a feed's format. See `quotedRows` and `plainRows` for what they throw. */
export function rowBatches(slices: AsyncIterable<string>, format: TableFormat): AsyncGenerator<RowBatch, void> {
  const { delimiter, recordDelimiter, quote } = format;
  return quote === "none"
    ? plainRows(slices, { delimiter, recordDelimiter })
    : quotedRows(slices, { delimiter, quote });
}

export interface Row {
  readonly cells: readonly string[];
  /** The line on which the row begins, 1-based. */
  readonly line: number;
  /** Lines that it takes. */
  readonly span: number;
  /** Why its quotation marks do not fit together, if they do not. */
  readonly broken: string | undefined;
}

/**
 * All rows of a payload, preamble, header and blank lines among them, one at a time. For tools: parse itself reads batches.
 * @example for await (const { cells } of readRows(payload.open(), feed.file)) …
 */
export async function* readRows(
  blocks: AsyncIterable<Uint8Array>,
  format: TableFormat,
): AsyncGenerator<Row, void, undefined> {
  const slices = new TextReader(format).slices(blocks);
  for await (const batch of rowBatches(slices, format)) {
    let line = batch.firstLine;
    for (const [i, cells] of batch.rows.entries()) {
      const span = batch.spans?.[i] ?? 1;
      yield { cells, line, span, broken: batch.broken?.get(i) };
      line += span;
    }
  }
}

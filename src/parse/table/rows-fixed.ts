/**
 * Rows of files of fixed width: a line is cut where the columns begin, counted in characters (code points). Blanks at the
 * ends of a cell only fill it. The last column may be short or missing, for many programs cut the blanks at the end of a
 * line; a line that ends before it is cut off, and one with a tab has its columns somewhere else: neither is guessed at.
 */

import { report } from "../../domain/failures.ts";
import type { FileFormat } from "../../domain/format.ts";
import type { RowFault } from "./records.ts";
import { ofRow, type RowBatch } from "./row-batch.ts";
import { plainRows } from "./rows-plain.ts";

type Fixed = Pick<FileFormat, "recordDelimiter"> &
  Partial<FileFormat> & {
    /** Ascending, from 1. */
    readonly columnStarts: readonly number[];
  };

/** Stands in no text: a payload with NUL is refused before. */
const NO_DELIMITER = "\0";

/** Throws `row-too-long`. The slices must not end between CR and LF. */
export async function* fixedRows(slices: AsyncIterable<string>, format: Fixed): AsyncGenerator<RowBatch, void> {
  const { columnStarts, recordDelimiter, comment, footer } = format;
  const starts = columnStarts.map((start) => start - 1);
  const last = starts.at(-1) ?? 0;
  let titles = format.preamble?.length ?? 0;
  let isBehind = false;
  for await (const batch of plainRows(slices, { delimiter: NO_DELIMITER, recordDelimiter })) {
    const broken = new Map<number, readonly RowFault[]>();
    const asides = new Map<number, "blank">();
    const rows = batch.rows.map(([line = ""], i): readonly string[] => {
      const text = line.trim();
      if (titles > 0) titles--;
      else if (text === "" || (comment !== undefined && text.startsWith(comment))) asides.set(i, "blank");
      else if (footer !== undefined && text.startsWith(footer.startsWith)) isBehind = true;
      else if (!isBehind) {
        const characters = /[\ud800-\udfff]/.test(line) ? Array.from(line) : line;
        const reason = misalignment(line, characters.length, starts, last);
        if (reason !== undefined) broken.set(i, ofRow(report("row-misaligned", { reason })));
        return cut(characters, starts);
      }
      return [text];
    });
    yield { ...batch, rows, broken: broken.size === 0 ? null : broken, asides };
  }
}

function misalignment(line: string, length: number, starts: readonly number[], last: number): string | undefined {
  if (line.includes("\t")) return "it holds a tab";
  if (length >= last) return undefined;
  const column = starts.findLastIndex((start) => start < length) + 1;
  return `it ends at character ${length}, in column ${column} of ${starts.length}`;
}

/** Blanks and the byte order mark that a joined file has at the start of a line. */
const PADDING = /^[ \ufeff]+|[ \ufeff]+$/g;

function cut(characters: string | string[], starts: readonly number[]): string[] {
  return starts.map((start, i) => {
    const cell = characters.slice(start, starts[i + 1]);
    return (typeof cell === "string" ? cell : cell.join("")).replace(PADDING, "");
  });
}

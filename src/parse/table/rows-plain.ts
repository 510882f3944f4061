/** Rows of files in which quotation marks are text: a row is what stands between two record delimiters. */
import { failure } from "../../domain/failures.ts";
import { hasLoneCr, skipLineEnd } from "./lines.ts";
import { ROW_MAX_CHARS, type RowBatch, type RowFormat } from "./row-batch.ts";

/**
 * Throws `row-too-long`. The slices must not end between CR and LF.
 * @example for await (const batch of plainRows(slices, { delimiter: "+|", recordDelimiter: "&|", quote: "none" })) …
 */
export async function* plainRows(
  slices: AsyncIterable<string>,
  format: Pick<RowFormat, "delimiter" | "recordDelimiter">,
): AsyncGenerator<RowBatch, void, undefined> {
  const split = format.recordDelimiter === "line" ? splitLines : splitRecords(format.recordDelimiter);
  let carry = "";
  let line = 1;
  for await (const slice of slices) {
    const records = split(carry + slice);
    carry = records.pop() ?? "";
    checkLengths(records, line, carry);
    if (records.length > 0) yield batchOf(records, line, format.delimiter);
    line += records.length;
  }
  // What stands behind the last delimiter is a record only if it is more than the line end that follows a delimiter.
  const last = format.recordDelimiter === "line" ? carry : carry.slice(skipLineEnd(carry, 0));
  if (last !== "") yield batchOf([last], line, format.delimiter);
}

/** Splits at LF, CRLF and lone CR; the last piece is the unfinished line. */
function splitLines(text: string): string[] {
  if (!text.includes("\r")) return text.split("\n");
  if (hasLoneCr(text)) return text.replace(/\r\n?/g, "\n").split("\n");
  const lines = text.split("\n");
  for (let i = 0; i < lines.length - 1; i++) {
    const line = lines[i]!;
    if (line.charCodeAt(line.length - 1) === 13) lines[i] = line.slice(0, -1);
  }
  return lines;
}

/**
 * Splits at a delimiter to the letter, and drops one line end behind each: it is seen at the start of the next record.
 * The unfinished record keeps its own, for more of it may come.
 */
function splitRecords(delimiter: string): (text: string) => string[] {
  return (text) => {
    const records = text.split(delimiter);
    for (let i = 0; i < records.length - 1; i++) {
      const record = records[i]!;
      records[i] = record.slice(skipLineEnd(record, 0));
    }
    return records;
  };
}

function checkLengths(records: readonly string[], firstLine: number, carry: string): void {
  for (let i = 0; i < records.length; i++) if (records[i]!.length > ROW_MAX_CHARS) throw tooLong(firstLine + i);
  if (carry.length > ROW_MAX_CHARS) throw tooLong(firstLine + records.length);
}

const tooLong = (line: number): Error => failure("row-too-long", { line, limitChars: ROW_MAX_CHARS });

const batchOf = (records: readonly string[], firstLine: number, delimiter: string): RowBatch => ({
  rows: records.map((record) => record.split(delimiter)),
  firstLine,
  spans: null,
  broken: null,
  raw: (index) => records[index] ?? "",
});

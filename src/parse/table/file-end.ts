/** How a file ends, and the signs that it was cut off before its end. */
import type { FileFormat } from "../../domain/format.ts";

/** Bytes at the end of a file that tell how it ends: the longest record delimiter with a line end behind it, in UTF-16. */
export const TAIL_BYTES = 64;

/** Whether the last bytes of a file are a line end, or its record delimiter with or without a line end behind it. */
export function endsWithNewline(tail: Uint8Array, format: Pick<FileFormat, "charset" | "recordDelimiter">): boolean {
  const { charset, recordDelimiter } = format;
  const isWide = charset === "utf-16le" || charset === "utf-16be";
  // Latin-1 gives each byte its own character, so a delimiter of ASCII is found in it, whatever stands before.
  const whole = Buffer.from(tail.subarray(isWide ? tail.length % 2 : 0));
  if (charset === "utf-16be") whole.swap16();
  const text = whole.toString(isWide ? "utf16le" : "latin1");
  if (recordDelimiter === "line") return /[\r\n]$/.test(text);
  const delimiter = isWide ? recordDelimiter : Buffer.from(recordDelimiter).toString("latin1");
  return text.replace(/(?:\r\n?|\n)$/, "").endsWith(delimiter);
}

/** Rows of an old and a new worksheet: an export of exactly so many lines went through a spreadsheet that had no more. */
const SHEET_ROWS = [65_536, 1_048_576];
/** Programs write, and disks and networks lose, whole blocks of so many bytes. */
const BLOCK_BYTES = 4_096;

/** A last row with fewer cells than the others. */
export interface ShortRow {
  readonly line: number;
  readonly expected: number;
  readonly found: number;
}

export interface FileEnd {
  readonly kind: FileFormat["kind"];
  readonly bytes: number;
  readonly lines: number;
  readonly rows: number;
  readonly endsWithNewline: boolean;
  /** Whether files of the feed end so; undefined where that is not known. */
  readonly newlineExpected: boolean | undefined;
  readonly shortRow: ShortRow | null;
}

const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

/**
 * The signs that a file was cut off, each as a part of a sentence. A file that proves to be whole, by its trailer or its own
 * count of rows, is not to be asked: each sign alone may be chance, once in thousands of files.
 */
export function truncationSigns(end: FileEnd): string[] {
  const signs: string[] = [];
  const { kind, bytes, lines, rows, newlineExpected, shortRow } = end;
  const cut = !end.endsWithNewline;
  if (cut && shortRow !== null) {
    const { line, found, expected } = shortRow;
    signs.push(`its last row (line ${line}) has ${found} of ${expected} columns and no line end`);
  }
  if (cut && newlineExpected === true) signs.push("it does not end with a line end, as the files of this feed do");
  const limit = SHEET_ROWS.find((one) => one === lines || one === rows);
  if (limit !== undefined && kind !== "json") {
    const what = limit === lines ? "lines" : "rows";
    signs.push(`it has exactly ${grouped(limit)} ${what}, the most that a worksheet can hold`);
  }
  // A feed whose files never end with a line end has such a size once in 4,096 files.
  if (cut && newlineExpected !== false && bytes > 0 && bytes % BLOCK_BYTES === 0) {
    signs.push(`its size, ${grouped(bytes)} bytes, is a whole number of disk blocks and its last row has no line end`);
  }
  return signs;
}

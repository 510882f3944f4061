/**
 * How the bytes of a file become rows of cells: the part of an adapter that a format profile can say as well. Detection
 * proposes it, an operator accepts it, from then on it is pinned.
 */
import { z } from "zod";

export const CHARSETS = [
  "utf-8",
  "utf-16le",
  "utf-16be",
  "windows-1250",
  "windows-1251",
  "windows-1252",
  "windows-1253",
  "windows-1254",
  "windows-1257",
  "iso-8859-1",
  "iso-8859-2",
  "iso-8859-15",
  "cp437",
  "cp850",
] as const;

/**
 * - `delimited`: text, cells divided by a delimiter.
 * - `fixed`: text, cells begin at the places in `columnStarts`.
 * - `sheet`: an Excel workbook (xlsx).
 * - `json`: a JSON list of records, or one record a line (NDJSON); the keys of the records are the header.
 */
export const FORMAT_KINDS = ["delimited", "fixed", "sheet", "json"] as const;

export const formatSchema = z
  .object({
    kind: z.enum(FORMAT_KINDS).default("delimited"),
    /** Of text. A workbook says its own, JSON is Unicode. */
    charset: z.enum(CHARSETS).default("utf-8"),
    delimiter: z.string().min(1).max(8).default(","),
    /** What ends a record. `line`: LF, CRLF or CR, also mixed. Anything else is taken to the letter, then an optional line end. */
    recordDelimiter: z.string().min(1).max(8).default("line"),
    /** `none`: quotation marks are text. */
    quote: z.union([z.literal('"'), z.literal("'"), z.literal("none")]).default('"'),
    /** What makes a quotation mark inside quotes text: the mark itself before it, or a backslash. */
    escape: z.enum(["doubled", "backslash"]).default("doubled"),
    /** Blanks between the delimiter and a quotation mark are no text. */
    padded: z.boolean().optional(),
    /** Every row below the header ends with a delimiter more than it has cells. */
    trailingDelimiter: z.boolean().optional(),
    /** A line that begins so is a remark. */
    comment: z.string().min(1).max(8).optional(),
    /** Fixed width: the character at which each column begins, 1-based, ascending. */
    columnStarts: z.array(z.number().int().min(1)).min(1).max(2_000).optional(),
    /** Of a workbook: the sheet's name. Without it the first one that is not hidden. */
    sheet: z.string().min(1).max(31).optional(),
    /** Of JSON: the keys that lead to the list, where the file is one record around it. */
    at: z.array(z.string()).optional(),
    /** Lines before the header (or the data). Each must begin so; the empty string allows anything. */
    preamble: z.array(z.object({ startsWith: z.string() }).strict()).default([]),
    header: z.boolean(),
    /** Number of columns; needed where there is no header. */
    columnCount: z.number().int().min(1).max(2_000).optional(),
    /** A record whose first cell begins so ends the data; it and what follows are footer lines. */
    footer: z
      .object({ startsWith: z.string().min(1) })
      .strict()
      .optional(),
  })
  .strict()
  .superRefine((format, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (/[\r\n\0\ufeff]/.test(format.delimiter) || format.delimiter.includes(format.quote)) {
      fault("delimiter", "holds a line end, a quotation mark or a character that no text has");
    }
    if (/^[\r\n]/.test(format.recordDelimiter)) fault("recordDelimiter", 'is a line end: say "line"');
    if (!format.header && format.columnCount === undefined) fault("columnCount", "is needed without a header");
    if (format.recordDelimiter !== "line" && format.quote !== "none") {
      fault("quote", "a record delimiter of its own goes with quote none");
    }
    if ((format.kind === "fixed") !== (format.columnStarts !== undefined)) {
      fault("columnStarts", "goes with the kind fixed, and the kind fixed with it");
    }
    if (format.columnStarts?.some((start, i, all) => i > 0 && start <= all[i - 1]!)) {
      fault("columnStarts", "must ascend");
    }
    if (format.sheet !== undefined && format.kind !== "sheet") fault("sheet", "goes with the kind sheet");
    if (format.at !== undefined && format.kind !== "json") fault("at", "goes with the kind json");
    if (
      format.columnStarts !== undefined &&
      (format.columnCount ?? format.columnStarts.length) !== format.columnStarts.length
    ) {
      fault("columnCount", "is not the number of columnStarts");
    }
    if (format.comment !== undefined && format.recordDelimiter !== "line") {
      fault("comment", "goes with records that are lines");
    }
    if (format.kind === "json" && (format.preamble.length > 0 || format.footer !== undefined)) {
      fault(format.footer === undefined ? "preamble" : "footer", "does not go with JSON, where everything is a record");
    }
    if (format.kind === "json" && !format.header) fault("header", "is given by the keys of JSON records");
  });

export type FileFormat = z.output<typeof formatSchema>;

/**
 * The adapter contract: what the files of one feed look like, what their columns mean and which policies hold. An
 * adapter is data; `defineFeed` checks it once, at load, and names every fault in it.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { CUSTOMER_SLUG, FEED_SLUG } from "./ids.ts";

/** A JavaScript regular expression source; adapters are ours, so it is trusted to be linear. */
const pattern = z.string().refine((source) => {
  try {
    new RegExp(source, "u");
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}, "is not a regular expression");

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

/** Where a column's raw text comes from. */
const source = z.union([
  /** The column of that name in the header line (exact, after trimming). */
  z.object({ header: z.string().min(1) }).strict(),
  /** The column at that place, 1-based: for files without a header. */
  z.object({ position: z.number().int().min(1) }).strict(),
  /** A field of a preamble line, both 1-based: the same for every row of the file (a batch number, a period). */
  z.object({ preamble: z.number().int().min(1), field: z.number().int().min(1) }).strict(),
  /** The number of the row among the data rows of its file, 1-based: for batches whose lines have no other identity. */
  z.object({ ordinal: z.literal(true) }).strict(),
]);

const column = {
  /** Field of the record. */
  name: z.string().regex(/^[a-z][a-z0-9_]*$/, "is not lower_snake_case"),
  source,
  /** What a blank cell means: `null` stores null, `reject` refuses the row. Key columns always reject. */
  blank: z.enum(["null", "reject"]).default("null"),
  /** Remove blanks, tabs and U+FEFF at both ends before reading (ERPs pad cells). A cell is blank if nothing is left. */
  trim: z.boolean().default(true),
};

export const columnSchema = z.discriminatedUnion("type", [
  /** Lengths are in characters (code points). Line breaks inside a text are stored as LF. */
  z.object({ ...column, type: z.literal("text"), maxLength: z.number().int().min(1).default(4_000) }).strict(),
  /** Letters and digits that only look like a number: kept to the letter, never a number. `pattern` holds for the whole. */
  z
    .object({
      ...column,
      type: z.literal("identifier"),
      maxLength: z.number().int().min(1).default(100),
      pattern: pattern.optional(),
    })
    .strict(),
  /** Whole numbers within ±(2^53 − 1), so that every JSON reader gets them right; larger ones are identifiers. */
  z
    .object({
      ...column,
      type: z.literal("integer"),
      min: z.number().int().optional(),
      max: z.number().int().optional(),
    })
    .strict(),
  /**
   * Exact: kept as canonical text, never a float; `-12.50` and `-12.5` are the same value and stored as `-12.5`. Fits
   * `numeric(precision, scale)`: `scale` digits after the mark at most, `precision - scale` before it. Group marks may be
   * left out; the blank is also a no-break one.
   */
  z
    .object({
      ...column,
      type: z.literal("decimal"),
      decimalMark: z.enum([".", ","]).default("."),
      groupMark: z.enum([".", ",", " ", "'"]).optional(),
      precision: z.number().int().min(1).max(38).default(18),
      scale: z.number().int().min(0).max(18).default(6),
    })
    .strict(),
  /**
   * Tokens yyyy yy MM dd M d and literal separators. `yy` needs `century`. `ddMM` (day and month without a
   * year, the day's leading zero may be missing) needs `fiscalYearStart`: a preamble field `yyyyMMdd` from which twelve months run.
   */
  z
    .object({
      ...column,
      type: z.literal("date"),
      format: z.string().min(2),
      century: z.number().int().multipleOf(100).optional(),
      fiscalYearStart: z
        .object({ preamble: z.number().int().min(1), field: z.number().int().min(1) })
        .strict()
        .optional(),
    })
    .strict(),
  /**
   * Like date, with the tokens HH mm ss SSS (milliseconds) f (a fraction of one to nine digits); `[.f]` may be missing.
   * Stored as `yyyy-MM-ddTHH:mm:ss[.fraction]` without zeros at its end, plus `offset` where the ERP's is known.
   */
  z
    .object({
      ...column,
      type: z.literal("datetime"),
      format: z.string().min(2),
      century: z.number().int().multipleOf(100).optional(),
      offset: z
        .string()
        .regex(/^(Z|[+-][01]\d:[0-5]\d)$/)
        .optional(),
    })
    .strict(),
  /** What the ERP writes → what we store. `""` may be listed, also for booleans: then a blank cell is that value. */
  z.object({ ...column, type: z.literal("enum"), values: z.record(z.string(), z.string()) }).strict(),
  z
    .object({ ...column, type: z.literal("boolean"), yes: z.array(z.string()).min(1), no: z.array(z.string()).min(1) })
    .strict(),
]);

/** Tokens that a date's format must hold exactly once and does not. */
function missingTokens(format: string, time: boolean): string[] {
  const tokens = format.match(/yyyy|yy|MM|M|dd|d|HH|mm|ss|SSS|f|\[|\]/g) ?? [];
  const count = (...names: string[]): number => tokens.filter((token) => names.includes(token)).length;
  const needed: [string, number][] = [
    ["yyyy or yy", count("yyyy", "yy")],
    ["MM or M", count("MM", "M")],
    ["dd or d", count("dd", "d")],
    ...(time ? ([["HH", count("HH")]] as [string, number][]) : []),
  ];
  const twice = ["mm", "ss", "SSS", "f"].filter((token) => count(token) > 1);
  if (/^[^[\]]*(\[[^[\]a-zA-Z][^[\]]*\][^[\]]*)*$/.test(format) === false) twice.push("pair of [ ] around a literal");
  return [...needed.filter(([, n]) => n !== 1).map(([name]) => name), ...twice];
}

export const SENDER_POLICIES = ["require-dkim", "require-spf-or-dkim", "trust-address"] as const;

export const feedSchema = z
  .object({
    customer: z.string().regex(CUSTOMER_SLUG),
    customerTitle: z.string().min(1),
    feed: z.string().regex(FEED_SLUG),
    title: z.string().min(1),
    /** What a file says: `full` the whole state, `delta` changes, `snapshot` only for reconciling. */
    mode: z.enum(["full", "delta", "snapshot"]),

    intake: z
      .object({
        /** Changing it changes the feed's address: for when an address has leaked. */
        addressEdition: z.number().int().min(1).default(1),
        policy: z.enum(SENDER_POLICIES),
        /** Allowed senders: whole addresses or `@domain`. Matched on the header From, whose domain the proof must cover. */
        senders: z.array(z.string().regex(/^[^@\s]*@[^@\s]+$/)).min(1),
        /** Which payloads of a delivery belong to the feed, by name (without path). Others are left alone and listed. */
        fileName: pattern.default("."),
        /** Read the text of a mail that has no attachment as the file. */
        inlineBody: z.boolean().default(false),
      })
      .strict(),

    file: z
      .object({
        charset: z.enum(CHARSETS),
        delimiter: z.string().min(1).max(8),
        /** What ends a record. `line`: LF, CRLF or CR, also mixed. Anything else is taken to the letter, then an optional line end. */
        recordDelimiter: z.string().min(1).max(8).default("line"),
        /** `none`: quotation marks are text. */
        quote: z.union([z.literal('"'), z.literal("'"), z.literal("none")]).default('"'),
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
      .strict(),

    columns: z.array(columnSchema).min(1),
    /** Names of the columns that identify a record. */
    key: z.array(z.string()).min(1),

    asOf: z
      .union([
        /** The mail's Date header within `maxAgeHours` before and ten minutes after arrival, else arrival. */
        z.object({ from: z.literal("mail-date"), maxAgeHours: z.number().min(0).default(168) }).strict(),
        z.object({ from: z.literal("arrival") }).strict(),
        /** A time in the file's name: `pattern` with groups year, month, day and optional hour, minute, second (UTC). */
        z.object({ from: z.literal("file-name"), pattern }).strict(),
      ])
      .default({ from: "mail-date", maxAgeHours: 168 }),

    limits: z
      .object({
        maxRows: z.number().int().min(1).default(5_000_000),
        /** Above either, the whole file is held. */
        maxRejects: z.number().int().min(0).default(1_000),
        maxRejectShare: z.number().min(0).max(1).default(0.05),
      })
      .strict()
      .prefault({}),
  })
  .strict()
  .superRefine((feed, context) => {
    const fault = (path: (string | number)[], message: string) => context.addIssue({ code: "custom", path, message });
    const names = new Set<string>();
    for (const [i, c] of feed.columns.entries()) {
      if (names.has(c.name)) fault(["columns", i, "name"], `"${c.name}" stands twice`);
      names.add(c.name);
      if ("header" in c.source && !feed.file.header)
        fault(["columns", i, "source"], "names a header, but the file has none");
      if ("position" in c.source && feed.file.columnCount !== undefined && c.source.position > feed.file.columnCount) {
        fault(["columns", i, "source"], `position ${c.source.position} is beyond the ${feed.file.columnCount} columns`);
      }
      if ("preamble" in c.source && c.source.preamble > feed.file.preamble.length) {
        fault(["columns", i, "source"], "names a preamble line that the file has not");
      }
      if (c.type === "date" && c.format === "ddMM" && !c.fiscalYearStart)
        fault(["columns", i], "ddMM needs fiscalYearStart");
      if (c.type === "decimal" && c.scale > c.precision) fault(["columns", i, "scale"], "is more than the precision");
      if (c.type === "decimal" && c.groupMark === c.decimalMark) {
        fault(["columns", i, "groupMark"], "is the decimal mark");
      }
      if ((c.type === "date" || c.type === "datetime") && !(c.type === "date" && c.format === "ddMM")) {
        for (const lacking of missingTokens(c.format, c.type === "datetime")) {
          fault(["columns", i, "format"], `needs exactly one ${lacking}`);
        }
      }
      if ((c.type === "date" || c.type === "datetime") && /(?<!y)yy(?!y)/.test(c.format) && c.century === undefined) {
        fault(["columns", i], "yy needs century");
      }
    }
    if (/[\r\n\0\ufeff]/.test(feed.file.delimiter) || feed.file.delimiter.includes(feed.file.quote)) {
      fault(["file", "delimiter"], "holds a line end, a quotation mark or a character that no text has");
    }
    if (/^[\r\n]/.test(feed.file.recordDelimiter)) fault(["file", "recordDelimiter"], 'is a line end: say "line"');
    if (!feed.file.header && feed.file.columnCount === undefined)
      fault(["file", "columnCount"], "is needed without a header");
    if (feed.file.recordDelimiter !== "line" && feed.file.quote !== "none") {
      fault(["file", "quote"], "a record delimiter of its own goes with quote none");
    }
    for (const [i, name] of feed.key.entries()) {
      if (!names.has(name)) fault(["key", i], `"${name}" is not a column`);
    }
  });

export type Column = z.output<typeof columnSchema>;
export type FeedDefinition = z.output<typeof feedSchema>;

/** A checked feed. `version` is a digest of all that decides how a file is read, so parse is a function of (bytes, version). */
export type Feed = FeedDefinition & { readonly version: string };

/**
 * Checks an adapter's feed. Throws an Error that lists every fault with its path.
 * @example export const inventory = defineFeed({ customer: "acme", feed: "inventory", … })
 */
export function defineFeed(definition: z.input<typeof feedSchema>): Feed {
  const checked = feedSchema.safeParse(definition);
  if (!checked.success) {
    throw new Error(`Feed ${definition.customer}/${definition.feed} is not valid:\n${z.prettifyError(checked.error)}`);
  }
  const { file, columns, key, limits, mode } = checked.data;
  const version = createHash("sha256")
    .update(JSON.stringify({ file, columns, key, limits, mode }))
    .digest("hex")
    .slice(0, 12);
  return { ...checked.data, version };
}

export const feedName = (feed: { customer: string; feed: string }): string => `${feed.customer}/${feed.feed}`;

/** What one column of a feed means: where its text comes from, its type, and how it becomes a value. */
import { z } from "zod";
import type { FileFormat } from "./format.ts";
import { patternFault } from "./linear-pattern.ts";
import { transformsSchema } from "./transforms.ts";

/** A JavaScript regular expression source, for names and lines; only an adapter's folder says one, so it is trusted. */
export const pattern = z.string().refine((source) => {
  try {
    new RegExp(source, "u");
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}, "is not a regular expression");

/** A pattern of values. A mapping comes over the API, so its time must grow with the text alone. */
const linearPattern = z.string().superRefine((source, context) => {
  const message = patternFault(source);
  if (message !== undefined) context.addIssue({ code: "custom", message });
});

/** Characters of a text that a mapping puts into every row. */
const CONSTANT_MAX_CHARS = 1_000;
/** Columns that one text is joined from. */
const JOIN_MAX_PARTS = 20;

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
  /** The same text for every row, said by the mapping: a plant, a currency that the file leaves out. */
  z.object({ constant: z.string().min(1).max(CONSTANT_MAX_CHARS) }).strict(),
  /**
   * Several columns (header names, or places from 1) as one text: each trimmed where the column trims, with `with` between.
   * Blank only if all of them are.
   */
  z
    .object({
      join: z
        .array(z.union([z.string().min(1), z.number().int().min(1)]))
        .min(2)
        .max(JOIN_MAX_PARTS),
      with: z.string().max(CONSTANT_MAX_CHARS),
    })
    .strict(),
]);

/** A hundred years: beyond that it is a typing error. */
const SHIFT_MAX_DAYS = 36_525;
/** Days added to every date: for a program that writes the day after. */
const shiftDays = z.number().int().min(-SHIFT_MAX_DAYS).max(SHIFT_MAX_DAYS).optional();

/** Words for no value in one column. */
const NULL_WORDS_MAX = 20;

const column = {
  /** Field of the record. */
  name: z.string().regex(/^[a-z][a-z0-9_]*$/, "is not lower_snake_case"),
  source,
  /**
   * What a blank cell means: `null` stores null, `reject` refuses the row, `keep` says nothing: the record is written without
   * the field, and what was known of it stays. Key columns always reject.
   */
  blank: z.enum(["null", "reject", "keep"]).default("null"),
  /** Where the header has no such column: the file is refused (unless something is said here), or it is as in `blank`. */
  absent: z.enum(["refuse", "null", "keep"]).optional(),
  /** Words that stand for no value, to the letter as the file writes them: such a cell counts as blank. */
  nulls: z.array(z.string().min(1)).min(1).max(NULL_WORDS_MAX).optional(),
  /** The word that empties the field: null, whatever `blank` says. */
  clear: z.string().min(1).optional(),
  /** Remove blanks, tabs and U+FEFF at both ends before reading (ERPs pad cells). A cell is blank if nothing is left. */
  trim: z.boolean().default(true),
  /** What happens to the text before it is read as its type, in this order. */
  transforms: transformsSchema.optional(),
};

/** Characters of a rule in words: it stands inside a sentence. */
const RULE_MAX_CHARS = 100;

/** Characters of a unit: the longest are words as `Stück`. */
const UNIT_MAX_CHARS = 8;

/** How numbers are written besides their digits and marks. */
const numberWriting = {
  /**
   * Where the sign stands: `-5` (unless something else is said), `5-`, `(5)`, or as `letters` behind it. Without a sign a
   * number is positive.
   */
  sign: z.enum(["leading", "trailing", "parentheses", "letters"]).optional(),
  /**
   * Of the sign `letters`: what makes a number negative, as `CR`, and what positive, as `DR`. Where `positive` has any, every
   * number but zero must have one; where it has none, a number without letters may have a sign before it.
   */
  letters: z
    .object({ negative: z.array(z.string().min(1)).min(1), positive: z.array(z.string().min(1)).default([]) })
    .strict()
    .optional(),
  /** A sign that may stand with the number, before or behind it, and says nothing more: `€`, `%`, `USD`. */
  unit: z.string().min(1).max(UNIT_MAX_CHARS).optional(),
};

export const columnSchema = z.discriminatedUnion("type", [
  /** Lengths are in characters (code points). Line breaks inside a text are stored as LF. */
  z
    .object({
      ...column,
      type: z.literal("text"),
      maxLength: z.number().int().min(1).default(4_000),
      /** `allow`: characters that a wrong charset left behind are taken as they are; otherwise they are refused. */
      mojibake: z.literal("allow").optional(),
    })
    .strict(),
  /** Letters and digits that only look like a number: kept to the letter, never a number. `pattern` holds for the whole. */
  z
    .object({
      ...column,
      type: z.literal("identifier"),
      maxLength: z.number().int().min(1).default(100),
      pattern: linearPattern.optional(),
      /** The pattern in words, for the people who read why a value was refused. */
      rule: z.string().min(1).max(RULE_MAX_CHARS).optional(),
      /** Characters that every value has: one with fewer digits has lost its leading zeros. */
      length: z.number().int().min(1).optional(),
      /** `gtin`: a GTIN-8, -12, -13 or -14 (EAN, UPC) whose last digit is the check digit of the others. */
      checkDigit: z.literal("gtin").optional(),
      /**
       * What spreadsheets make of identifiers. Refused unless something is said: `4.00638E+12`, `Mar-05`. `strict`: whole dates
       * as `05.03.2024` too. `allow`: nothing is. What fits `pattern` is never refused for it.
       */
      spreadsheet: z.enum(["strict", "allow"]).optional(),
    })
    .strict(),
  /** Whole numbers within ±(2^53 − 1), so that every JSON reader gets them right; larger ones are identifiers. */
  z
    .object({
      ...column,
      ...numberWriting,
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
      ...numberWriting,
      type: z.literal("decimal"),
      /** `detect`: the pinned format profile says it, with the group mark. */
      decimalMark: z.enum([".", ",", "detect"]).default("."),
      groupMark: z.enum([".", ",", " ", "'"]).optional(),
      precision: z.number().int().min(1).max(38).default(18),
      scale: z.number().int().min(0).max(18).default(6),
      /** Every value is multiplied by it, exactly: cents, thousands, a sign. What then does not fit is refused, not rounded. */
      factor: z
        .string()
        .regex(/^-?(?=\d{1,18}(\.|$))\d+(\.\d{1,18})?$/, "is not a decimal number such as 0.01 or -1")
        .refine((factor) => /[1-9]/.test(factor), "is zero")
        .optional(),
    })
    .strict(),
  /**
   * Tokens yyyy yy MMM (a month's name) MM M dd d, `text` in '…' and literal separators, or `detect`: the pinned format
   * profile says it. `yy` needs `century`. `ddMM` (day and month without a
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
      shiftDays,
    })
    .strict(),
  /**
   * Like date, with the tokens HH H, or hh h with a (AM or PM), mm ss SSS (milliseconds) f (a fraction of one to nine digits)
   * and zzz or Z (a zone: `Z`, `+0100`, `+01:00`); `[.f]` may be missing. Stored as `yyyy-MM-ddTHH:mm:ss[.fraction]` without
   * zeros at its end, plus the zone written in the cell, or `offset` where the ERP's is known.
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
      shiftDays,
    })
    .strict(),
  /** What the ERP writes → what we store. `""` may be listed, also for booleans: then a blank cell is that value. */
  z.object({ ...column, type: z.literal("enum"), values: z.record(z.string(), z.string()) }).strict(),
  z
    .object({ ...column, type: z.literal("boolean"), yes: z.array(z.string()).min(1), no: z.array(z.string()).min(1) })
    .strict(),
]);

/** A format in its tokens; all others stand for themselves, and so does what stands between apostrophes. */
export const dateTokens = (format: string): string[] =>
  format.match(/'[^']*'|yyyy|yy|MMMM|MMM|MM|M|dd|d|HH|H|hh|h|mm|ss|SSS|f|a|zzz|Z|[\s\S]/g) ?? [];

/** What is wrong with a format: every part that it needs must stand in it exactly once, and none twice. */
export function dateFormatFaults(format: string, century: number | undefined, time: boolean): string[] {
  const tokens = dateTokens(format);
  const count = (...names: string[]): number => tokens.filter((token) => names.includes(token)).length;
  const twelve = count("hh", "h");
  const needed: [string, number][] = [
    ["yyyy or yy", count("yyyy", "yy")],
    ["MMM, MM or M", count("MM", "M", "MMM", "MMMM")],
    ["dd or d", count("dd", "d")],
    ...(time ? ([["HH, H, hh or h", count("HH", "H", "hh", "h")]] as [string, number][]) : []),
    ...(twelve > 0 ? ([["a", count("a")]] as [string, number][]) : []),
  ];
  const twice = ["mm", "ss", "SSS", "f", "a"].filter((token) => count(token) > 1);
  if (count("zzz", "Z") > 1) twice.push("zzz or Z");
  if (/^[^[\]]*(\[[^[\]a-zA-Z][^[\]]*\][^[\]]*)*$/.test(format) === false) twice.push("pair of [ ] around a literal");
  return [
    ...[...needed.filter(([, n]) => n !== 1).map(([name]) => name), ...twice].map(
      (lacking) => `format needs exactly one ${lacking}`,
    ),
    ...(twelve === 0 && count("a") > 0 ? ["a goes with hh or h"] : []),
    ...(count("yy") > 0 && century === undefined ? ["yy needs century"] : []),
    ...(count("'") > 0 ? ["an apostrophe in the format has no other"] : []),
  ];
}

/** In the place of a format or mark: the pinned format profile says it. */
export const DETECT = "detect";

export interface MappingFault {
  readonly path: (string | number)[];
  readonly message: string;
}

/** What is wrong with columns and key, and with what they expect of the file's format where that is known. */
export function mappingFaults(
  columns: readonly Column[],
  key: readonly string[],
  file: (Pick<FileFormat, "header" | "columnCount" | "preamble"> & Partial<Pick<FileFormat, "kind">>) | undefined,
): MappingFault[] {
  const faults: MappingFault[] = [];
  const fault = (path: (string | number)[], message: string) => faults.push({ path, message });
  const names = new Set<string>();
  for (const [i, c] of columns.entries()) {
    if (names.has(c.name)) fault(["columns", i, "name"], `"${c.name}" stands twice`);
    names.add(c.name);
    for (const message of columnFaults(c)) fault(["columns", i], message);
    if (key.includes(c.name) && (mayBeLeftOut(c) || c.absent === "null")) {
      fault(["columns", i], "is of the key, which is never left out");
    }
    if (file === undefined) continue;
    const { source } = c;
    for (const place of placesOf(source)) {
      if (typeof place === "string" && !file.header) {
        fault(["columns", i, "source"], "names a header, but the file has none");
      }
      if (typeof place === "number" && file.columnCount !== undefined && place > file.columnCount) {
        fault(["columns", i, "source"], `position ${place} is beyond the ${file.columnCount} columns`);
      }
    }
    if (file.kind === "json") {
      if (placesOf(source).some((place) => typeof place === "number")) {
        fault(["columns", i, "source"], "is a place, which the keys of records have not");
      }
      if (c.absent === "keep" && c.blank !== "keep") {
        fault(["columns", i, "absent"], "is not told from blank in JSON: say keep of both");
      }
    }
    if ("preamble" in source && source.preamble > file.preamble.length) {
      fault(["columns", i, "source"], "names a preamble line that the file has not");
    }
  }
  for (const [i, name] of key.entries()) if (!names.has(name)) fault(["key", i], `"${name}" is not a column`);
  return faults;
}

function columnFaults(c: Column): string[] {
  const faults = [...cellFaults(c), ...numberFaults(c)];
  if (c.type === "decimal") {
    return [
      ...faults,
      ...(c.scale > c.precision ? ["scale is more than the precision"] : []),
      ...(c.groupMark === c.decimalMark ? ["groupMark is the decimal mark"] : []),
    ];
  }
  if (c.type !== "date" && c.type !== "datetime") return faults;
  if (c.format === DETECT) return faults;
  if (c.type === "date" && c.format === "ddMM") return c.fiscalYearStart ? faults : ["ddMM needs fiscalYearStart"];
  const tokens = dateTokens(c.format);
  const zoned = tokens.includes("zzz") || tokens.includes("Z");
  return [
    ...faults,
    ...dateFormatFaults(c.format, c.century, c.type === "datetime"),
    ...(zoned && c.type === "datetime" && c.offset !== undefined ? ["offset is said by the zone in the format"] : []),
  ];
}

function cellFaults(c: Column): string[] {
  const faults: string[] = [];
  if (c.type === "identifier" && c.rule !== undefined && c.pattern === undefined)
    faults.push("rule says a pattern in words");
  if (c.absent !== undefined && !("header" in c.source)) faults.push("absent goes with a column of the header");
  if (c.blank === "keep" && placesOf(c.source).length === 0) faults.push("keep goes with a cell of the row");
  if (c.clear !== undefined && c.nulls?.includes(c.clear)) faults.push("clear is one of the nulls");
  if (c.type === "enum" || c.type === "boolean") {
    const listed = c.type === "enum" ? Object.keys(c.values) : [...c.yes, ...c.no];
    const twice = [...(c.nulls ?? []), ...(c.clear === undefined ? [] : [c.clear])].filter((w) => listed.includes(w));
    if (twice.length > 0) faults.push(`"${twice[0]}" is a value and a word for none`);
  }
  return faults;
}

function numberFaults(c: Column): string[] {
  if (c.type !== "decimal" && c.type !== "integer") return [];
  const words = [...(c.letters?.negative ?? []), ...(c.letters?.positive ?? [])];
  return [
    ...((c.sign === "letters") !== (c.letters !== undefined)
      ? ["letters go with the sign letters, and it with them"]
      : []),
    ...(new Set(words).size < words.length ? ["letters hold one twice"] : []),
    ...([...words, c.unit ?? "x"].some((word) => /^[-+\s\d.,()]|[-+\s\d.,()]$/.test(word))
      ? ["unit and letters neither begin nor end with what is a part of numbers"]
      : []),
  ];
}

export type Column = z.output<typeof columnSchema>;
export type ColumnSource = Column["source"];

/** The columns of the file that a source reads: header names, and places from 1. None where its text comes from elsewhere. */
export function placesOf(source: ColumnSource): readonly (string | number)[] {
  if ("header" in source) return [source.header];
  if ("position" in source) return [source.position];
  return "join" in source ? source.join : [];
}

/** The source with columns that the file calls otherwise now. */
export function renamedSource(source: ColumnSource, names: ReadonlyMap<string, string>): ColumnSource {
  const now = (name: string): string => names.get(name) ?? name;
  if ("header" in source) return { header: now(source.header) };
  if (!("join" in source)) return source;
  return { ...source, join: source.join.map((place) => (typeof place === "string" ? now(place) : place)) };
}

/** What people know a column by: what its file calls it, else the field. */
export function labelOf(column: Pick<Column, "name" | "source">): string {
  if ("header" in column.source) return column.source.header;
  return "join" in column.source ? column.source.join.join(" + ") : column.name;
}

const mayBeLeftOut = (column: Column): boolean => column.blank === "keep" || column.absent === "keep";

/** Whether records of a feed may lack fields, of which the stored record then keeps what it has. */
export const mergesRecords = (feed: { readonly columns: readonly Column[] }): boolean =>
  feed.columns.some(mayBeLeftOut);

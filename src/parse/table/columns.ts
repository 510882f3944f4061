/**
 * One parser per column, compiled once per file from the adapter into closures (eval is forbidden in Workers, and zod's
 * interpreter costs five times as much per row). A parser turns the raw text of a cell into its canonical form:
 *
 * | type             | canonical                                                   | in the record |
 * | text             | blanks at the ends removed, line breaks as LF               | JSON string   |
 * | identifier       | to the letter                                               | JSON string   |
 * | integer          | no plus, no leading zeros, no `-0`                          | JSON number   |
 * | decimal          | as integer, `.` as mark, no zeros at the fraction's end     | JSON string   |
 * | date, datetime   | `yyyy-MM-dd`, `yyyy-MM-ddTHH:mm:ss[.SSS][offset]`           | JSON string   |
 * | enum             | what the adapter maps it to                                 | JSON string   |
 * | boolean          | `true`, `false`                                             | JSON literal  |
 *
 * A blank cell is null, refused or left out, as the column says; an enum or boolean that lists the blank text decides by
 * itself.
 */
import { type Column, DETECT, dateTokens } from "../../domain/column.ts";
import { LinearPattern } from "../../domain/linear-pattern.ts";
import { compileCalendar, compileFiscalDay, shiftedDays } from "./calendar.ts";
import {
  ANY_CONTROL,
  CellFault,
  type CellFaultCode,
  cutValue,
  FORBIDDEN_IN_TEXT,
  isPlain,
  jsonBody,
  lengthAbove,
  trimCell,
} from "./cell.ts";
import { dateFault } from "./date-fault.ts";
import { gtinFault, mayBeMangled, spreadsheetGuard } from "./identifier-guard.ts";
import { mayBeMojibake, mojibakeIn } from "./mojibake.ts";
import { numberExample, numberParts } from "./number-parts.ts";
import { canonicalDecimal, canonicalInteger, multiplier } from "./numbers.ts";
import { compileTransforms } from "./transforms.ts";

/**
 * `string`: the JSON text of the value, for `quoted` columns what stands between the marks. `null`: blank. `undefined`: the
 * cell says nothing, and the record is written without the field.
 */
export type CellResult = string | null | undefined | CellFault;

export interface ColumnParser {
  readonly quoted: boolean;
  /**
   * Characters up to which a plain cell (see `isPlain`) that is not blank, trimmed where `trim` says so, is its own result:
   * the hot loop then need not ask, unless it is `guarded` and `mayBeMangled`, or `mayBeMojibake`. 0 where the content decides.
   */
  readonly plainChars: number;
  readonly guarded: boolean;
  readonly trim: boolean;
  readonly parse: (raw: string) => CellResult;
}

export interface ColumnContext {
  /** What the customer calls the column. */
  readonly label: string;
  /** Key columns refuse blanks whatever they say. */
  readonly isKey: boolean;
  /** First day of the fiscal year, `yyyy-MM-dd`: for `ddMM` dates. */
  readonly fiscalYearStart?: string | undefined;
}

export function compileColumn(column: Column, context: ColumnContext): ColumnParser {
  return withWords(withTransforms(compileTyped(column, context), column, context), column, context);
}

function withTransforms(parser: ColumnParser, column: Column, { label }: ColumnContext): ColumnParser {
  if (column.transforms === undefined) return parser;
  const transform = compileTransforms(column.transforms, label);
  const parse = (raw: string): CellResult => {
    const text = transform(column.trim ? trimCell(raw) : raw);
    return text instanceof CellFault ? text : parser.parse(text);
  };
  return { ...parser, plainChars: 0, parse };
}

/** The words for no value are those of the file: they are looked for before anything is done to the text. */
function withWords(parser: ColumnParser, column: Column, context: ColumnContext): ColumnParser {
  const { nulls, clear } = column;
  if (nulls === undefined && clear === undefined) return parser;
  const words = new Map<string, CellResult>((nulls ?? []).map((word) => [word, parser.parse("")]));
  if (clear !== undefined) words.set(clear, context.isKey ? missing(context.label) : null);
  const parse = (raw: string): CellResult => {
    const cell = column.trim ? trimCell(raw) : raw;
    return words.has(cell) ? words.get(cell) : parser.parse(raw);
  };
  return { ...parser, plainChars: 0, parse };
}

const missing = (column: string): CellFault => new CellFault("value-missing", { column });

function blankOf(column: Column, { isKey, label }: ColumnContext): CellResult {
  if (column.blank === "reject" || isKey) return missing(label);
  return column.blank === "keep" ? undefined : null;
}

function compileTyped(column: Column, context: ColumnContext): ColumnParser {
  const { label } = context;
  const { trim } = column;
  const blank = blankOf(column, context);
  const table = tableOf(column);
  if (table !== undefined) {
    const fault = (value: string) =>
      new CellFault("not-in-list", { column: label, value: cutValue(value), allowed: [...table.keys()] });
    return {
      quoted: column.type === "enum",
      plainChars: 0,
      guarded: false,
      trim,
      parse(raw) {
        const cell = trim ? trimCell(raw) : raw;
        return table.get(cell) ?? (cell === "" ? blank : fault(cell));
      },
    };
  }
  const read = readerOf(column, context);
  return {
    quoted: column.type !== "integer",
    plainChars: isPlainReading(column) ? column.maxLength : 0,
    guarded: column.type === "identifier" && column.spreadsheet !== "allow",
    trim,
    parse(raw) {
      const cell = trim ? trimCell(raw) : raw;
      return cell === "" ? blank : read(cell);
    },
  };
}

/** Whether a text is usually its own result. */
function isPlainReading(column: Column): column is Of<"text"> | Of<"identifier"> {
  return column.type === "text" || (column.type === "identifier" && isAtAGlance(column));
}

/**
 * Whether the usual cell of a column can be read from its bytes: nothing is done to it, and nothing is to be looked at but
 * its characters. Others are a matter of texts.
 */
export function isAtAGlance(column: Column): boolean {
  if (column.transforms !== undefined || column.nulls !== undefined || column.clear !== undefined) return false;
  switch (column.type) {
    case "identifier": {
      const { pattern, length, checkDigit, spreadsheet } = column;
      return pattern === undefined && length === undefined && checkDigit === undefined && spreadsheet !== "strict";
    }
    case "integer":
      return column.sign === undefined && column.unit === undefined;
    case "decimal":
      return column.sign === undefined && column.unit === undefined && column.factor === undefined;
    case "date":
    case "datetime":
      return column.shiftDays === undefined && !dateTokens(column.format).some((token) => WORDED.test(token));
    default:
      return true;
  }
}

/** Tokens of a date that are words, or digits in no fixed number. */
const WORDED = /^(?:MMMM?|H|hh?|a|zzz|Z|'.*')$/s;

/** For columns that have a list of values: what is written → JSON text. */
function tableOf(column: Column): ReadonlyMap<string, string> | undefined {
  if (column.type === "enum") {
    return new Map(Object.entries(column.values).map(([written, stored]) => [written, jsonBody(stored)]));
  }
  if (column.type !== "boolean") return undefined;
  return new Map([...column.yes.map((y) => [y, "true"] as const), ...column.no.map((n) => [n, "false"] as const)]);
}

type Reader = (cell: string) => string | CellFault;

function readerOf(column: Column, context: ColumnContext): Reader {
  switch (column.type) {
    case "text":
      return textReader(column, context.label);
    case "identifier":
      return identifierReader(column, context.label);
    case "integer":
      return integerReader(column, context.label);
    case "decimal":
      return decimalReader(column, context.label);
    case "date":
    case "datetime":
      return calendarReader(column, context);
    case "enum":
    case "boolean":
      throw new TypeError(`${column.type} columns have a table, not a reader`);
  }
}

type Of<T extends Column["type"]> = Extract<Column, { type: T }>;

const valueFault = (code: Extract<CellFaultCode, "control-characters" | "not-an-integer">, column: string) => {
  return (value: string): CellFault => new CellFault(code, { column, value: cutValue(value) });
};

function textReader({ maxLength, mojibake }: Of<"text">, column: string): Reader {
  const forbidden = valueFault("control-characters", column);
  return (cell) => {
    const damage = mojibake !== "allow" && mayBeMojibake(cell) ? mojibakeIn(cell) : undefined;
    if (damage !== undefined) return new CellFault("mojibake", { column, value: cutValue(cell), ...damage });
    const plain = isPlain(cell);
    if (plain && cell.length <= maxLength) return cell;
    if (!plain && (FORBIDDEN_IN_TEXT.test(cell) || !cell.isWellFormed())) return forbidden(cell);
    const text = plain ? cell : cell.replace(/\r\n?/g, "\n");
    const length = lengthAbove(text, maxLength);
    if (length !== undefined) return new CellFault("text-too-long", { column, length, limit: maxLength });
    return plain ? text : JSON.stringify(text).slice(1, -1);
  };
}

function identifierReader(identifier: Of<"identifier">, column: string): Reader {
  const { maxLength, pattern, length, checkDigit } = identifier;
  const forbidden = valueFault("control-characters", column);
  const whole = pattern === undefined ? undefined : new LinearPattern(pattern);
  const mangled = spreadsheetGuard(identifier.spreadsheet, column);
  const usual = isAtAGlance(identifier);
  return (cell) => {
    const plain = isPlain(cell);
    if (plain && usual && cell.length <= maxLength && !mayBeMangled(cell)) return cell;
    if (!plain && (ANY_CONTROL.test(cell) || !cell.isWellFormed())) return forbidden(cell);
    const above = lengthAbove(cell, maxLength);
    if (above !== undefined) return new CellFault("text-too-long", { column, length: above, limit: maxLength });
    const value = cutValue(cell);
    const fits = whole?.matches(cell);
    // What fits the pattern is wanted, whatever it looks like.
    const damage = fits === true ? undefined : mangled?.(cell);
    if (damage !== undefined) return damage;
    if (length !== undefined && Array.from(cell).length !== length) {
      return /^\d+$/.test(cell) && cell.length < length
        ? new CellFault("leading-zeros-lost", { column, value, length })
        : new CellFault("wrong-pattern", { column, value, rule: `exactly ${length} characters` });
    }
    if (fits === false) {
      return new CellFault("wrong-pattern", { column, value, rule: identifier.rule ?? pattern ?? "" });
    }
    const wrongDigit = checkDigit === "gtin" ? gtinFault(cell, column) : undefined;
    return wrongDigit ?? (plain ? cell : JSON.stringify(cell).slice(1, -1));
  };
}

function integerReader(integer: Of<"integer">, column: string): Reader {
  const { min, max } = integer;
  const fault = notAnInteger(integer, column);
  const lowest = min ?? Number.MIN_SAFE_INTEGER;
  const highest = max ?? Number.MAX_SAFE_INTEGER;
  const rule = `from ${lowest} to ${highest}`;
  const bounded = min !== undefined || max !== undefined;
  const partsOf = hasParts(integer) ? numberParts(integer) : undefined;
  return (cell) => {
    const parts = partsOf === undefined ? cell : partsOf(cell);
    const text = parts === undefined ? undefined : canonicalInteger(parts);
    if (text === undefined) return fault(cell);
    // Up to 15 digits every whole number is a safe one.
    if (!bounded && text.length <= 15) return text;
    const value = Number(text);
    if (!Number.isSafeInteger(value)) {
      return new CellFault("too-many-digits", {
        column,
        value: cutValue(cell),
        rule: `from ${MIN_INTEGER} to ${MAX_INTEGER}`,
      });
    }
    if (value >= lowest && value <= highest) return text;
    return new CellFault("out-of-range", { column, value: cutValue(cell), rule });
  };
}

const MIN_INTEGER = Number.MIN_SAFE_INTEGER;
const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

/** A number that is written with sign and unit is asked for as such. */
function notAnInteger(integer: Of<"integer">, column: string): (value: string) => CellFault {
  if (!hasParts(integer)) return valueFault("not-an-integer", column);
  const expected = numberExample("1234", integer);
  return (value) => new CellFault("not-a-decimal", { column, value: cutValue(value), expected });
}

/** Whether there is more to a number than its digits, marks and a sign before them. */
const hasParts = ({ sign, unit }: Of<"integer"> | Of<"decimal">): boolean => sign !== undefined || unit !== undefined;

function decimalReader(format: Of<"decimal">, column: string): Reader {
  const { precision, scale, decimalMark, groupMark, factor } = format;
  if (decimalMark === DETECT) throw new TypeError(`the decimal mark of ${column} is not decided`);
  const digits = `${groupMark === undefined ? "1234" : `1${groupMark}234`}${decimalMark}56`;
  const expected = numberExample(digits, format);
  const rule = `at most ${precision - scale} digits before the decimal mark and ${scale} after it`;
  const decided = { ...format, decimalMark };
  const multiply = factor === undefined ? undefined : multiplier(factor);
  const partsOf = hasParts(format) ? numberParts(format) : undefined;
  return (cell) => {
    const parts = partsOf === undefined ? cell : partsOf(cell);
    const text =
      parts === undefined
        ? undefined
        : multiply === undefined
          ? canonicalDecimal(parts, decided)
          : multiply(parts, decided);
    if (text === undefined) return new CellFault("not-a-decimal", { column, value: cutValue(cell), expected });
    if (text === null) return new CellFault("too-many-digits", { column, value: cutValue(cell), rule });
    return text;
  };
}

function calendarReader(column: Of<"date"> | Of<"datetime">, context: ColumnContext): Reader {
  const fiscal = column.type === "date" && column.format === "ddMM";
  const read = fiscal
    ? compileFiscalDay(requiredStart(context))
    : compileCalendar({
        format: column.format,
        century: column.century,
        time: column.type === "datetime",
        offset: column.type === "datetime" ? column.offset : undefined,
      });
  const days = column.shiftDays ?? 0;
  const fault = dateFault(column.format, context.label);
  return (cell) => {
    const found = read(cell);
    const text = found === undefined || days === 0 ? found : shiftedDays(found, days);
    return text ?? fault(cell);
  };
}

function requiredStart({ fiscalYearStart, label }: ColumnContext): string {
  if (fiscalYearStart === undefined) throw new TypeError(`the column ${label} has no fiscal year`);
  return fiscalYearStart;
}

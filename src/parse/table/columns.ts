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
 * A blank cell is null, or refused, as the column says; an enum or boolean that lists the blank text decides by itself.
 */
import { type Column, DETECT } from "../../domain/column.ts";
import { LinearPattern, patternFault } from "../../domain/linear-pattern.ts";
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
import { canonicalDecimal, canonicalInteger, multiplier } from "./numbers.ts";
import { compileTransforms } from "./transforms.ts";

/** `string`: the JSON text of the value, for `quoted` columns what stands between the marks. `null`: blank. */
export type CellResult = string | null | CellFault;

export interface ColumnParser {
  readonly quoted: boolean;
  /**
   * Characters up to which a plain cell (see `isPlain`) that is not blank, trimmed where `trim` says so, is its own result:
   * the hot loop then need not ask. 0 where the content decides.
   */
  readonly plainChars: number;
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
  const parser = compileTyped(column, context);
  if (column.transforms === undefined) return parser;
  const transform = compileTransforms(column.transforms, context.label);
  const parse = (raw: string): CellResult => {
    const text = transform(column.trim ? trimCell(raw) : raw);
    return text instanceof CellFault ? text : parser.parse(text);
  };
  return { ...parser, plainChars: 0, parse };
}

function compileTyped(column: Column, context: ColumnContext): ColumnParser {
  const { label } = context;
  const { trim } = column;
  const blank: CellResult =
    column.blank === "reject" || context.isKey ? new CellFault("value-missing", { column: label }) : null;
  const table = tableOf(column);
  if (table !== undefined) {
    const fault = (value: string) =>
      new CellFault("not-in-list", { column: label, value: cutValue(value), allowed: [...table.keys()] });
    return {
      quoted: column.type === "enum",
      plainChars: 0,
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
    plainChars: plainCharsOf(column),
    trim,
    parse(raw) {
      const cell = trim ? trimCell(raw) : raw;
      return cell === "" ? blank : read(cell);
    },
  };
}

function plainCharsOf(column: Column): number {
  if (column.type === "text") return column.maxLength;
  return column.type === "identifier" && column.pattern === undefined ? column.maxLength : 0;
}

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

function textReader({ maxLength }: Of<"text">, column: string): Reader {
  const forbidden = valueFault("control-characters", column);
  return (cell) => {
    const plain = isPlain(cell);
    if (plain && cell.length <= maxLength) return cell;
    if (!plain && (FORBIDDEN_IN_TEXT.test(cell) || !cell.isWellFormed())) return forbidden(cell);
    const text = plain ? cell : cell.replace(/\r\n?/g, "\n");
    const length = lengthAbove(text, maxLength);
    if (length !== undefined) return new CellFault("text-too-long", { column, length, limit: maxLength });
    return plain ? text : JSON.stringify(text).slice(1, -1);
  };
}

function identifierReader({ maxLength, pattern }: Of<"identifier">, column: string): Reader {
  const forbidden = valueFault("control-characters", column);
  const holds = pattern === undefined ? undefined : wholePattern(pattern);
  return (cell) => {
    const plain = isPlain(cell);
    if (plain && holds === undefined && cell.length <= maxLength) return cell;
    if (!plain && (ANY_CONTROL.test(cell) || !cell.isWellFormed())) return forbidden(cell);
    const length = lengthAbove(cell, maxLength);
    if (length !== undefined) return new CellFault("text-too-long", { column, length, limit: maxLength });
    if (holds !== undefined && !holds(cell)) {
      return new CellFault("wrong-pattern", { column, value: cutValue(cell), rule: pattern ?? "" });
    }
    return plain ? cell : JSON.stringify(cell).slice(1, -1);
  };
}

/** In linear time where the pattern allows it; all that came over the API does, and what else there is stands in an adapter. */
function wholePattern(source: string): (text: string) => boolean {
  if (patternFault(source) === undefined) {
    const linear = new LinearPattern(source);
    return (text) => linear.matches(text);
  }
  const rule = new RegExp(`^(?:${source})$`, "u");
  return (text) => rule.test(text);
}

function integerReader({ min, max }: Of<"integer">, column: string): Reader {
  const fault = valueFault("not-an-integer", column);
  const lowest = min ?? Number.MIN_SAFE_INTEGER;
  const highest = max ?? Number.MAX_SAFE_INTEGER;
  const rule = `from ${lowest} to ${highest}`;
  const bounded = min !== undefined || max !== undefined;
  return (cell) => {
    const text = canonicalInteger(cell);
    if (text === undefined) return fault(cell);
    // Up to 15 digits every whole number is a safe one.
    if (!bounded && text.length <= 15) return text;
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= lowest && value <= highest) return text;
    return new CellFault("out-of-range", { column, value: cutValue(cell), rule });
  };
}

function decimalReader(format: Of<"decimal">, column: string): Reader {
  const { precision, scale, decimalMark, groupMark, factor } = format;
  if (decimalMark === DETECT) throw new TypeError(`the decimal mark of ${column} is not decided`);
  const expected = `${groupMark === undefined ? "1234" : `1${groupMark}234`}${decimalMark}56`;
  const rule = `at most ${precision - scale} digits before the decimal mark and ${scale} after it`;
  const decided = { ...format, decimalMark };
  const multiply = factor === undefined ? undefined : multiplier(factor);
  return (cell) => {
    const text = multiply === undefined ? canonicalDecimal(cell, decided) : multiply(cell, decided);
    if (text === undefined) return new CellFault("not-a-decimal", { column, value: cutValue(cell), expected });
    if (text === null) return new CellFault("out-of-range", { column, value: cutValue(cell), rule });
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
  const expected = column.format;
  const days = column.shiftDays ?? 0;
  return (cell) => {
    const found = read(cell);
    const text = found === undefined || days === 0 ? found : shiftedDays(found, days);
    return text ?? new CellFault("not-a-date", { column: context.label, value: cutValue(cell), expected });
  };
}

function requiredStart({ fiscalYearStart, label }: ColumnContext): string {
  if (fiscalYearStart === undefined) throw new TypeError(`the column ${label} has no fiscal year`);
  return fiscalYearStart;
}

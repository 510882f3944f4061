/**
 * What spreadsheets and typing errors do to identifiers. Nothing is repaired: digits that a spreadsheet rounded away are
 * gone, and a date may have been several identifiers.
 */
import type { Column } from "../../domain/column.ts";
import { isoDate } from "./calendar.ts";
import { CellFault, cutValue } from "./cell.ts";
import { monthOf } from "./months.ts";

type IdentifierColumn = Extract<Column, { type: "identifier" }>;

/**
 * `4.00638E+12`: how Excel writes numbers of more than eleven digits in a column without format. The sign is always there,
 * and two digits at least behind it: article numbers as `1E5` or `12E04` are not meant.
 */
const SCIENTIFIC = /^-?\d(?:[.,]\d+)?E[+-]\d{2,3}$/i;
/** `Mar-05`, `05-Mar`, `Mrz 05`, `05. Mrz`: what Excel makes of `3-5` or `5.3`, with its capital letter. */
const MONTH_AND_NUMBER = /^(?:(\p{Lu}\p{Ll}{2})[- ]\d{2}|\d{1,2}(?:-|\. )(\p{Lu}\p{Ll}{2}))$/u;
/** `05.03.2024`, `3/5/2024`, `2024-03-05`, with or without midnight behind it. */
const WHOLE_DATE = /^(?:(\d{1,2})([./-])(\d{1,2})\2(\d{4})|(\d{4})-(\d{2})-(\d{2}))(?: 00:00(?::00)?)?$/;
/** Years that a spreadsheet puts into dates of its own making. */
const FIRST_YEAR = 1900;
const LAST_YEAR = 2099;

/** Longer texts are never of these forms. */
const SUSPECT_MAX_CHARS = 24;

/** Looks at identifiers; undefined where none has to. */
export function spreadsheetGuard(
  spreadsheet: IdentifierColumn["spreadsheet"],
  column: string,
): ((cell: string) => CellFault | undefined) | undefined {
  if (spreadsheet === "allow") return undefined;
  const strict = spreadsheet === "strict";
  return (cell) => {
    if (cell.length > SUSPECT_MAX_CHARS || (!strict && !mayBeMangled(cell))) return undefined;
    if (SCIENTIFIC.test(cell)) return new CellFault("scientific-notation", { column, value: cell });
    const isDate = isMonthAndNumber(cell) || (strict && isWholeDate(cell));
    return isDate ? new CellFault("spreadsheet-date", { column, value: cell }) : undefined;
  };
}

const E = 0x65;
const isMark = (code: number): boolean => code === 0x2d || code === 0x20 || code === 0x2b;

/** Whether a text may be one of the forms that are refused unless something is said: a glance at its end. */
export function mayBeMangled(cell: string): boolean {
  const { length } = cell;
  return (
    length >= 5 && endsMangled(cell.charCodeAt(length - 5), cell.charCodeAt(length - 4), cell.charCodeAt(length - 3))
  );
}

/** The same for the fifth, fourth and third last character; or byte, of which a letter with an accent has two. */
export function endsMangled(fifth: number, fourth: number, third: number): boolean {
  if (isMark(third)) return fourth >= 0x41;
  if (isMark(fourth)) return third >= 0x41 || (fifth | 0x20) === E;
  return isMark(fifth) && fourth >= 0x41 && third >= 0x61;
}

function isMonthAndNumber(cell: string): boolean {
  const found = MONTH_AND_NUMBER.exec(cell);
  return found !== null && monthOf(found[1] ?? found[2] ?? "") !== undefined;
}

function isWholeDate(cell: string): boolean {
  const found = WHOLE_DATE.exec(cell);
  if (found === null) return false;
  const [, first, , second, lastYear, firstYear, month, day] = found;
  const year = Number(lastYear ?? firstYear);
  if (year < FIRST_YEAR || year > LAST_YEAR) return false;
  if (firstYear !== undefined) return isoDate(year, Number(month), Number(day)) !== undefined;
  return (
    isoDate(year, Number(second), Number(first)) !== undefined ||
    isoDate(year, Number(first), Number(second)) !== undefined
  );
}

/** Lengths of a GTIN (GS1 General Specifications, section 7.9): EAN-8, UPC-A, EAN-13, and with a packaging level. */
const GTIN_LENGTHS = [8, 12, 13, 14];

/** Why a text is no GTIN, or undefined. */
export function gtinFault(cell: string, column: string): CellFault | undefined {
  const value = cutValue(cell);
  if (!/^\d+$/.test(cell))
    return new CellFault("wrong-pattern", { column, value, rule: "a GTIN, which is digits only" });
  const check = gtinCheckDigit(cell.slice(0, -1));
  const holds = cell.endsWith(String(check));
  if (GTIN_LENGTHS.includes(cell.length)) {
    if (holds) return undefined;
    return new CellFault("wrong-check-digit", { column, value, kind: `GTIN-${cell.length}`, expected: String(check) });
  }
  // Zeros before it do not change the check digit: with them it would be right.
  const length = GTIN_LENGTHS.find((one) => one > cell.length);
  if (holds && length !== undefined && cell.length > 1)
    return new CellFault("leading-zeros-lost", { column, value, length });
  return new CellFault("wrong-pattern", { column, value, rule: "a GTIN of 8, 12, 13 or 14 digits" });
}

/** The digits count three times and once by turns, from the right; the check digit makes the sum a multiple of ten. */
function gtinCheckDigit(digits: string): number {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    sum += (digits.charCodeAt(digits.length - 1 - i) - 48) * (i % 2 === 0 ? 3 : 1);
  }
  return (10 - (sum % 10)) % 10;
}

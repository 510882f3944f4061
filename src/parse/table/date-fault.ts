/** Why a cell is no date: with what happened to it, where that can be told. */
import { dateTokens } from "../../domain/column.ts";
import { shiftedDays } from "./calendar.ts";
import { CellFault, cutValue } from "./cell.ts";

/** Days since 30 December 1899 (the count of Excel from March 1900 on), with or without a time of day. */
const SERIAL = /^(\d{5})(?:[.,]\d+)?$/;
const SERIAL_ZERO = "1899-12-30";
/** Days of the years 1970 to 2079: other numbers of five digits are no dates of business. */
const SERIAL_FIRST = 25_569;
const SERIAL_LAST = 65_745;

const DIGITS_ONLY = /^(?:yyyy|yy|MM|dd|HH|mm|ss|SSS)+$/;

const EXAMPLE: Readonly<Record<string, string>> = {
  yyyy: "2026",
  yy: "26",
  MMMM: "December",
  MMM: "Dec",
  MM: "12",
  M: "12",
  dd: "31",
  d: "31",
  HH: "23",
  H: "23",
  hh: "11",
  h: "11",
  mm: "59",
  ss: "30",
  SSS: "125",
  f: "125",
  a: "PM",
  zzz: "+01:00",
  Z: "+01:00",
};

/** A format as people read it: with the last evening of a year written in it, without what may be missing. */
function inWords(format: string): string {
  const needed = format.replace(/\[[^\]]*\]/g, "");
  const example = dateTokens(needed).map((token) => EXAMPLE[token] ?? token.replace(/^'(.+)'$/s, "$1"));
  return `${needed}, such as ${example.join("")}`;
}

/** The fault of a cell that was not read as a date of the format. */
export function dateFault(format: string, column: string): (cell: string) => CellFault {
  // With a fiscal year, and `M` or `d`, a leading zero may be missing.
  const digits = DIGITS_ONLY.test(format) && format !== "ddMM" ? dateTokens(format).join("").length : 0;
  const expected = inWords(format);
  return (cell) => {
    const value = cutValue(cell);
    // A zero may be lost only where the first part can begin with one.
    if (digits > 0 && cell.length === digits - 1 && /^\d+$/.test(cell) && !format.startsWith("yyyy")) {
      return new CellFault("leading-zeros-lost", { column, value, length: digits });
    }
    const days = Number(SERIAL.exec(cell)?.[1] ?? 0);
    if (days >= SERIAL_FIRST && days <= SERIAL_LAST) {
      const date = shiftedDays(SERIAL_ZERO, days);
      if (date !== undefined) return new CellFault("date-serial-number", { column, value, date, expected });
    }
    return new CellFault("not-a-date", { column, value, expected });
  };
}

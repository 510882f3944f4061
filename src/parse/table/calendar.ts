/** Dates and times by format, on the real calendar: 31 February is refused, 29 February only in leap years is not. */
import { dateTokens } from "../../domain/column.ts";
import { monthOf } from "./months.ts";

export interface CalendarFormat {
  /**
   * Tokens yyyy yy MMM MM M dd d HH H hh h mm ss SSS f a zzz Z; what stands in '…' and everything else stands for itself. `M`,
   * `d`, `H`, `h`: one digit or two. `f`: a fraction of a second of one to nine digits. `[…]`: may be missing as a whole; begins
   * with a literal.
   */
  readonly format: string;
  /** Added to `yy`, e.g. 2000. */
  readonly century?: number | undefined;
  /** The text gets a time part. */
  readonly time: boolean;
  /** Put behind a datetime whose format has no zone: `Z`, `+01:00`. */
  readonly offset?: string | undefined;
}

type DigitPart = "year" | "month" | "day" | "hour" | "minute" | "second" | "fraction";
type Part = DigitPart | "monthName" | "half" | "zone" | "open" | "close" | "literal";

interface Token {
  readonly part: Part;
  readonly text: string;
  readonly min: number;
  readonly max: number;
}

const PARTS: Readonly<Record<string, readonly [Part, number, number]>> = {
  yyyy: ["year", 4, 4],
  yy: ["year", 2, 2],
  MMMM: ["monthName", 0, 0],
  MMM: ["monthName", 0, 0],
  MM: ["month", 2, 2],
  M: ["month", 1, 2],
  dd: ["day", 2, 2],
  d: ["day", 1, 2],
  HH: ["hour", 2, 2],
  H: ["hour", 1, 2],
  hh: ["hour", 2, 2],
  h: ["hour", 1, 2],
  mm: ["minute", 2, 2],
  ss: ["second", 2, 2],
  SSS: ["fraction", 3, 3],
  f: ["fraction", 1, 9],
  a: ["half", 0, 0],
  zzz: ["zone", 0, 0],
  Z: ["zone", 0, 0],
  "[": ["open", 0, 0],
  "]": ["close", 0, 0],
};

const tokensOf = (format: string): Token[] =>
  dateTokens(format).map((text) => {
    const [part, min, max] = PARTS[text] ?? (["literal", 1, 1] as const);
    const quoted = text.length > 1 && text.startsWith("'");
    return { part, text: quoted ? text.slice(1, -1) || "'" : text, min, max };
  });

const LETTERS = /\p{L}+/uy;
const HALF = /[AaPp]\.?[Mm]\.?/y;
const ZONE = /Z|UTC|[-+]\d{2}(?::?\d{2})?/y;
/** No place on earth is farther from UTC, in hours (Postgres takes none that is). */
const ZONE_MAX_HOURS = 15;

/** What a sticky pattern finds at a place. */
function textAt(pattern: RegExp, raw: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(raw)?.[0];
}

/** `Z`, `+01:00`; undefined where there is no such zone. What is UTC is `Z`, however it is written. */
function zoneOf(written: string): string | undefined {
  if (written === "Z" || written === "UTC") return "Z";
  const digits = written.slice(1).replace(":", "").padEnd(4, "0");
  if (digits === "0000") return "Z";
  if (Number(digits.slice(0, 2)) > ZONE_MAX_HOURS || Number(digits.slice(2)) > 59) return undefined;
  return `${written.charAt(0)}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);
const TWO_DIGITS: readonly string[] = Array.from({ length: 100 }, (_, n) => two(n));

export const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
const DAYS = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
export const daysIn = (year: number, month: number): number => (month === 2 && isLeapYear(year) ? 29 : DAYS[month]!);

/** Milliseconds of a day: dates are counted in UTC, where every day has as many. */
const DAY_MS = 86_400_000;

/** A canonical date or time so many days later; undefined beyond the years 1 to 9999. */
export function shiftedDays(canonical: string, days: number): string | undefined {
  const shifted = new Date(Date.parse(`${canonical.slice(0, 10)}T00:00:00Z`) + days * DAY_MS);
  const date = isoDate(shifted.getUTCFullYear(), shifted.getUTCMonth() + 1, shifted.getUTCDate());
  return date === undefined ? undefined : date + canonical.slice(10);
}

/** `yyyy-MM-dd`, or undefined where there is no such day. Years 1 to 9999, as in ISO 8601 and Postgres texts. */
export function isoDate(year: number, month: number, day: number): string | undefined {
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return undefined;
  return `${year < 1000 ? String(year).padStart(4, "0") : year}-${TWO_DIGITS[month]}-${TWO_DIGITS[day]}`;
}

/**
 * A reader of one format: raw text → `yyyy-MM-dd` or `yyyy-MM-ddTHH:mm:ss[.fraction][offset]`, undefined where the text is
 * not written so or names a time that does not exist. Minutes and seconds that the format lacks are zero; zeros at the end
 * of a fraction are left out, for they say nothing.
 */
export function compileCalendar({
  format,
  century,
  time,
  offset,
}: CalendarFormat): (raw: string) => string | undefined {
  const tokens = tokensOf(format);
  const twelve = tokens.some(({ part }) => part === "half");

  return (raw) => {
    let year = 0;
    let month = 0;
    let day = 0;
    let hour = 0;
    let minute = 0;
    let second = 0;
    let fraction = "";
    let half = "";
    let suffix = offset ?? "";
    let at = 0;
    for (let t = 0; t < tokens.length; t++) {
      const { part, text, min, max } = tokens[t]!;
      if (part === "literal") {
        if (text.length === 1 ? raw[at] !== text : !raw.startsWith(text, at)) return undefined;
        at += text.length;
        continue;
      }
      if (part === "open") {
        if (!raw.startsWith(tokens[t + 1]!.text, at))
          t = tokens.findIndex((token, i) => i > t && token.part === "close");
        continue;
      }
      if (part === "monthName" || part === "half" || part === "zone") {
        const word = textAt(part === "monthName" ? LETTERS : part === "half" ? HALF : ZONE, raw, at);
        if (word === undefined) return undefined;
        at += word.length;
        if (part === "monthName") month = monthOf(word) ?? 0;
        else if (part === "half") half = word.charAt(0).toUpperCase();
        else suffix = zoneOf(word) ?? "?";
        continue;
      }
      let value = 0;
      let digits = 0;
      for (; digits < max; digits++) {
        const digit = raw.charCodeAt(at + digits) - 48;
        if (!(digit >= 0 && digit <= 9)) break;
        value = value * 10 + digit;
      }
      if (digits < min) return undefined;
      if (part === "year") year = max === 2 ? value + (century ?? 0) : value;
      else if (part === "month") month = value;
      else if (part === "day") day = value;
      else if (part === "hour") hour = value;
      else if (part === "minute") minute = value;
      else if (part === "second") second = value;
      else if (part === "fraction") fraction = raw.slice(at, at + digits).replace(/0+$/, "");
      at += digits;
    }
    if (at !== raw.length) return undefined;
    const date = isoDate(year, month, day);
    if (date === undefined || !time) return date;
    if (twelve) {
      // Some write 00:30 AM for the half hour after midnight.
      if (hour > 12 || (hour === 0 && half === "P")) return undefined;
      hour = (hour % 12) + (half === "P" ? 12 : 0);
    }
    if (hour > 23 || minute > 59 || second > 59 || suffix === "?") return undefined;
    const clock = `${TWO_DIGITS[hour]}:${TWO_DIGITS[minute]}:${TWO_DIGITS[second]}`;
    return `${date}T${clock}${fraction === "" ? "" : `.${fraction}`}${suffix}`;
  };
}

/**
 * A reader of days without a year (`ddMM`, the day's leading zero may be missing) in a fiscal year of twelve months that
 * begins on `start` (`yyyy-MM-dd`). 29 February is refused unless the year that follows from it has one.
 */
export function compileFiscalDay(start: string): (raw: string) => string | undefined {
  const startYear = Number(start.slice(0, 4));
  const startDay = start.slice(5);
  return (raw) => {
    if (!/^\d{3,4}$/.test(raw)) return undefined;
    const month = Number(raw.slice(-2));
    const day = Number(raw.slice(0, -2));
    const year = `${two(month)}-${two(day)}` < startDay ? startYear + 1 : startYear;
    return isoDate(year, month, day);
  };
}

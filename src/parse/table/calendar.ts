/** Dates and times by format, on the real calendar: 31 February is refused, 29 February only in leap years is not. */

export interface CalendarFormat {
  /**
   * Tokens yyyy yy MM M dd d HH mm ss SSS f; everything else stands for itself. `M` and `d`: one digit or two. `f`: a
   * fraction of a second of one to nine digits. `[…]`: may be missing as a whole; begins with a literal.
   */
  readonly format: string;
  /** Added to `yy`, e.g. 2000. */
  readonly century?: number | undefined;
  /** The text gets a time part. */
  readonly time: boolean;
  /** Put behind a datetime: `Z`, `+01:00`. */
  readonly offset?: string | undefined;
}

type Part = "year" | "month" | "day" | "hour" | "minute" | "second" | "fraction" | "open" | "close" | "literal";

interface Token {
  readonly part: Part;
  readonly text: string;
  readonly min: number;
  readonly max: number;
}

const PARTS: Readonly<Record<string, readonly [Part, number, number]>> = {
  yyyy: ["year", 4, 4],
  yy: ["year", 2, 2],
  MM: ["month", 2, 2],
  M: ["month", 1, 2],
  dd: ["day", 2, 2],
  d: ["day", 1, 2],
  HH: ["hour", 2, 2],
  mm: ["minute", 2, 2],
  ss: ["second", 2, 2],
  SSS: ["fraction", 3, 3],
  f: ["fraction", 1, 9],
  "[": ["open", 0, 0],
  "]": ["close", 0, 0],
};

const tokensOf = (format: string): Token[] =>
  (format.match(/yyyy|yy|MM|M|dd|d|HH|mm|ss|SSS|f|[\s\S]/g) ?? []).map((text) => {
    const [part, min, max] = PARTS[text] ?? (["literal", 1, 1] as const);
    return { part, text, min, max };
  });

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
  const suffix = offset ?? "";

  return (raw) => {
    let year = 0;
    let month = 0;
    let day = 0;
    let hour = 0;
    let minute = 0;
    let second = 0;
    let fraction = "";
    let at = 0;
    for (let t = 0; t < tokens.length; t++) {
      const { part, text, min, max } = tokens[t]!;
      if (part === "literal") {
        if (raw[at++] !== text) return undefined;
        continue;
      }
      if (part === "open") {
        if (raw[at] !== tokens[t + 1]!.text) t = tokens.findIndex((token, i) => i > t && token.part === "close");
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
    if (hour > 23 || minute > 59 || second > 59) return undefined;
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

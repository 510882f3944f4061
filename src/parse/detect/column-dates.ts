/**
 * How a column writes its dates and times. The real calendar rules out orders of day, month and year; where more than one
 * is left, the order is undecided and stays so: a guess would be right until the thirteenth of a month.
 */
import { isoDate } from "../table/calendar.ts";

export interface DatesFinding {
  readonly type: "date" | "datetime" | "time";
  /** The formats that read every value; more than one is a question. */
  readonly formats: readonly string[];
}

const CLOCK =
  /^(\d{1,2})([:.])(\d{2})(?:\2(\d{2})(?:([.,])(\d{1,9}))?)?(\s?)([AaPp]\.?[Mm]\.?)?(\s?)(Z|UTC|[-+]\d{2}(?::?\d{2})?)?$/;
const NUMERIC = /^(\d{1,4})([-./ ])(\d{1,2})\2(\d{1,4})$/;
const COMPACT = /^\d{8}$/;
const DAY_FIRST = /^(\d{1,2})([-./ ]|\. )(\p{L}{3,10})(\.?)([-./ ]|, )(\d{4}|\d{2})$/u;
const MONTH_FIRST = /^(\p{L}{3,10})(\.?) (\d{1,2}),? (\d{4})$/u;
const BOTH = /^(.*?\d{2,4})(T| |, | - |-)(\d{1,2}[:.]\d{2}(?:[:.].*)?|\d{1,2}[:.]\d{2}.*)$/;
const COMPACT_BOTH = /^(\d{8})(T?)(\d{6})$/;

const MONTHS =
  "jan feb mar apr may jun jul aug sep oct nov dec mär mrz mai okt dez janv févr mars avr juin juil août sept déc ene abr ago dic gen mag giu lug set ott mei maj fev out".split(
    " ",
  );
const MONTH_NUMBERS: Readonly<Record<string, number>> = {
  jan: 1,
  janv: 1,
  ene: 1,
  gen: 1,
  feb: 2,
  févr: 2,
  fev: 2,
  mar: 3,
  mär: 3,
  mrz: 3,
  mars: 3,
  apr: 4,
  avr: 4,
  abr: 4,
  may: 5,
  mai: 5,
  mag: 5,
  mei: 5,
  maj: 5,
  jun: 6,
  juin: 6,
  giu: 6,
  jul: 7,
  juil: 7,
  lug: 7,
  aug: 8,
  août: 8,
  ago: 8,
  sep: 9,
  sept: 9,
  set: 9,
  oct: 10,
  okt: 10,
  ott: 10,
  out: 10,
  nov: 11,
  dec: 12,
  dez: 12,
  déc: 12,
  dic: 12,
};

/** The number of a month by its name, in the languages that ERPs speak most. */
function monthOf(name: string): number | undefined {
  const lower = name.toLowerCase();
  const known = MONTHS.filter((month) => lower.startsWith(month)).sort((a, b) => b.length - a.length)[0];
  return known === undefined ? undefined : MONTH_NUMBERS[known];
}

/** Longer values are no dates. */
const DATE_MAX_CHARS = 64;

/** Formats that read one value; undefined where it is no date or time. */
function formatsOf(value: string): readonly string[] | undefined {
  if (value.length > DATE_MAX_CHARS) return undefined;
  const clock = clockFormat(value);
  const day = dayFormats(value);
  if (clock !== undefined || day.length > 0) return clock === undefined ? day : [...day, clock];
  const compact = COMPACT_BOTH.exec(value);
  if (compact !== null) {
    const time = compact[3] ?? "";
    if (Number(time.slice(0, 2)) > 23 || Number(time.slice(2, 4)) > 59 || Number(time.slice(4)) > 59) return undefined;
    return dayFormats(compact[1] ?? "").map((format) => `${format}${compact[2] === "" ? "" : "'T'"}HHmmss`);
  }
  const both = BOTH.exec(value);
  if (both === null) return undefined;
  const time = clockFormat(both[3] ?? "");
  const gap = both[2] === "T" ? "'T'" : both[2];
  if (time === undefined) return undefined;
  return dayFormats(both[1] ?? "").map((format) => `${format}${gap}${time}`);
}

function clockFormat(value: string): string | undefined {
  const found = CLOCK.exec(value);
  if (found === null) return undefined;
  const [, hour = "", mark = "", minute = "", second, point, fraction, gap, half, zoneGap, zone] = found;
  const hours = Number(hour);
  if (Number(minute) > 59 || Number(second ?? 0) > 59) return undefined;
  if (half === undefined ? hours > 23 : hours < 1 || hours > 12) {
    // Some Americans write 00:30 AM.
    if (half === undefined || hours !== 0) return undefined;
  }
  const token = half === undefined ? "H" : "h";
  const seconds = second === undefined ? "" : `${mark}ss${fraction === undefined ? "" : `${point}f`}`;
  const noon = half === undefined ? "" : `${gap}a`;
  return `${hour.length === 2 ? token.repeat(2) : token}${mark}mm${seconds}${noon}${zone === undefined ? "" : `${zoneGap}zzz`}`;
}

const isDay = (year: number, month: number, day: number): boolean => isoDate(year, month, day) !== undefined;
/** Any year with two digits may be a leap year. */
const fullYear = (digits: string): number => (digits.length === 2 ? 2000 + Number(digits) : Number(digits));

function dayFormats(value: string): string[] {
  if (COMPACT.test(value)) return compactFormats(value);
  const numeric = NUMERIC.exec(value);
  if (numeric !== null) return numericFormats(numeric[1] ?? "", numeric[2] ?? "", numeric[3] ?? "", numeric[4] ?? "");
  const dayFirst = DAY_FIRST.exec(value);
  if (dayFirst !== null) {
    const [, day = "", first = "", name = "", point = "", second = "", year = ""] = dayFirst;
    const month = monthOf(name);
    if (month === undefined || !isDay(fullYear(year), month, Number(day))) return [];
    return [`${dayToken(day)}${first}${nameToken(name)}${point}${second}${year.length === 2 ? "yy" : "yyyy"}`];
  }
  const monthFirst = MONTH_FIRST.exec(value);
  if (monthFirst === null) return [];
  const [, name = "", point = "", day = "", year = ""] = monthFirst;
  const month = monthOf(name);
  if (month === undefined || !isDay(Number(year), month, Number(day))) return [];
  return [`${nameToken(name)}${point} ${dayToken(day)}${value.includes(",") ? "," : ""} yyyy`];
}

const dayToken = (digits: string): string => (digits.length === 2 ? "dd" : "d");
const nameToken = (name: string): string => (name.length <= 4 ? "MMM" : "MMMM");

/** Years in which business dates lie: other runs of eight digits are numbers. */
const FIRST_YEAR = 1900;
const LAST_YEAR = 2199;

function compactFormats(digits: string): string[] {
  const at = (from: number, to: number): number => Number(digits.slice(from, to));
  const plausible = (year: number): boolean => year >= FIRST_YEAR && year <= LAST_YEAR;
  const formats: string[] = [];
  if (plausible(at(0, 4)) && isDay(at(0, 4), at(4, 6), at(6, 8))) formats.push("yyyyMMdd");
  if (plausible(at(4, 8)) && isDay(at(4, 8), at(2, 4), at(0, 2))) formats.push("ddMMyyyy");
  if (plausible(at(4, 8)) && isDay(at(4, 8), at(0, 2), at(2, 4))) formats.push("MMddyyyy");
  return formats;
}

function numericFormats(a: string, mark: string, b: string, c: string): string[] {
  const formats: string[] = [];
  const one = (digits: string, token: string): string => (digits.length === 2 ? token.repeat(2) : token);
  if (a.length === 4 && c.length <= 2) {
    if (isDay(Number(a), Number(b), Number(c))) formats.push(`yyyy${mark}${one(b, "M")}${mark}${one(c, "d")}`);
    return formats;
  }
  if (a.length > 2 || (c.length !== 2 && c.length !== 4)) return formats;
  const year = c.length === 2 ? "yy" : "yyyy";
  if (isDay(fullYear(c), Number(b), Number(a))) formats.push(`${one(a, "d")}${mark}${one(b, "M")}${mark}${year}`);
  if (isDay(fullYear(c), Number(a), Number(b))) formats.push(`${one(a, "M")}${mark}${one(b, "d")}${mark}${year}`);
  if (a.length === 2 && c.length === 2 && isDay(fullYear(a), Number(b), Number(c)))
    formats.push(`yy${mark}${one(b, "M")}${mark}dd`);
  return formats;
}

export const isCalendar = (value: string): boolean => (formatsOf(value)?.length ?? 0) > 0;

const TOKENS = /y+|M+|d+|H+|h+|m+|s+|'T'|[\s\S]/g;

/** One format for values of both: `d` reads one digit and two. Undefined where they differ in more. */
function merged(a: string, b: string): string | undefined {
  if (a === b) return a;
  const [x, y] = [a.match(TOKENS) ?? [], b.match(TOKENS) ?? []];
  if (x.length !== y.length) return undefined;
  let format = "";
  for (const [i, token] of x.entries()) {
    const other = y[i] ?? "";
    if (token[0] !== other[0] || token.length > 2 !== other.length > 2) return undefined;
    const shorter = token.length < other.length ? token : other;
    format += token.startsWith("MMM") ? (shorter === token ? other : token) : shorter;
  }
  return format;
}

/** A format and what may be missing behind its minutes: seconds, a fraction, a zone. */
function divided(format: string): readonly [main: string, rest: string] {
  const at = format.lastIndexOf("mm");
  return at === -1 ? [format, ""] : [format.slice(0, at + 2), format.slice(at + 2)];
}

function mergedLoosely(a: string, b: string): string | undefined {
  const [mainA, restA] = divided(a);
  const [mainB, restB] = divided(b);
  const main = merged(mainA, mainB);
  return main === undefined ? undefined : main + (restB.length > restA.length ? restB : restA);
}

/** The formats that read all values, or undefined where there is none. */
export function datesOf(values: readonly string[]): DatesFinding | undefined {
  let formats: readonly string[] | undefined;
  for (const value of values) {
    const read = formatsOf(value);
    if (read === undefined || read.length === 0) return undefined;
    formats = formats === undefined ? read : bothOf(formats, read);
    if (formats.length === 0) return undefined;
  }
  if (formats === undefined) return undefined;
  // What can be a day and a time of day is a day.
  const days = formats.filter((format) => format.includes("d"));
  const kept = days.length > 0 ? days : formats;
  const first = kept[0] ?? "";
  const type = !first.includes("d") ? "time" : first.includes("mm") ? "datetime" : "date";
  return { type, formats: kept };
}

/** Formats that read the values of both lists. */
function bothOf(formats: readonly string[], read: readonly string[]): readonly string[] {
  const same = formats.filter((format) => read.includes(format));
  if (same.length === formats.length) return formats;
  const kept = formats.flatMap((format) => {
    const match = read.map((one) => mergedLoosely(format, one)).find((one) => one !== undefined);
    return match === undefined ? [] : [match];
  });
  return [...new Set(kept)];
}

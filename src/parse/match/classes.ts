/**
 * The classes that values are put into, and which of them go together. Coarse on purpose: a class must be the same on a day
 * with other goods, other prices and other customers, and another one in the file of another feed.
 *
 * | class                    | values                                                    |
 * |--------------------------|-----------------------------------------------------------|
 * | `integer 4-6`            | whole numbers by their count of digits: 1-3, 4-6, 7-9, 10-12, 13+ |
 * | `decimal .2`             | numbers by mark and digits behind it; ` zeros`: the last one is a zero |
 * | `date 9999-9-9`          | days by their pattern, month names as `Mon`; `datetime …` with a time behind; `time` |
 * | `code 1-15`              | letters and digits without words, by length: 1-15, 16-30, 31+ |
 * | `capitals` `word` `text` | up to five capital letters; one word; anything else of words |
 * | `markup`                 | XML, HTML, JSON                                           |
 */
import type { ColumnShape } from "../../domain/feed-version.ts";
import { isNullWordInTexts } from "../detect/nulls.ts";
import { trimCell } from "../table/cell.ts";

/** Longer values are texts, codes or markup: nothing else is looked for. */
const VALUE_MAX_CHARS = 64;
/** Longer runs of capitals are words. */
const CAPITALS_MAX_CHARS = 5;
/** Codes of several parts with blanks between (postal codes) are no longer than this. */
const SPACED_CODE_MAX_CHARS = 12;

const INTEGERS: readonly string[] = ["1-3", "4-6", "7-9", "10-12", "13+"];
const CODES: readonly string[] = ["1-15", "16-30", "31+"];

const DAY = /^(\d{1,4})([-./])(\d{1,2})\2(\d{1,4})\.?(?:[T ,-]+\d{1,2}[:.]\d{2}.*)?$/;
const NAMED_DAY = /^\d{1,2}([-. /]{1,2})\p{L}{3,10}\.?[-. /,]{1,2}(\d{4}|\d{2})(?: .*)?$/u;
const TIME = /^\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?$/;
const INTEGER = /^[-+(\u2212]?\d+[-+)\u2212]?$/;
/** Number with marks, with a sign and a unit on either side. */
const DECIMAL =
  /^[-+(\u2212]?(?:[€$£¥]|[A-Z]{3})? ?[-+\u2212]?(\d[\d.,'’ \u00a0\u202f]*|[.,]\d+)(?: ?(?:[€$£¥%]|[A-Z]{2,3}|[SH]))?[-+)\u2212]?$/;

/** The class of a cell, or null where it holds no value: blank, a mark alone, a word for nothing. */
export function classOf(cell: string): string | null {
  const value = trimCell(cell);
  if (value === "" || isNullWordInTexts(value)) return null;
  let digits = 0;
  let upper = 0;
  let lower = 0;
  let blanks = 0;
  const looked = Math.min(value.length, VALUE_MAX_CHARS);
  for (let i = 0; i < looked; i++) {
    const code = value.charCodeAt(i);
    if (code >= 48 && code <= 57) digits++;
    else if (code >= 65 && code <= 90) upper++;
    else if (code >= 97 && code <= 122) lower++;
    else if (code === 32 || code === 9 || code === 10 || code === 0xa0) blanks++;
    else if (code >= 0xc0 && !(code >= 0x2000 && code <= 0x2bff)) lower++;
  }
  if (digits + upper + lower === 0) return null;
  if (isMarkup(value)) return "markup";
  if (digits === 0) {
    if (blanks > 0 || value.length > VALUE_MAX_CHARS) return "text";
    return lower === 0 && value.length <= CAPITALS_MAX_CHARS ? "capitals" : "word";
  }
  if (value.length <= VALUE_MAX_CHARS) {
    const known = upper + lower === 0 && INTEGER.test(value) ? `integer ${integerSize(digits)}` : calendarOf(value);
    if (known !== undefined) return known;
    const decimal = decimalOf(value);
    if (decimal !== undefined) return decimal;
  }
  const isOneWord = blanks === 0 && !/[@]|:\/\//.test(value);
  const isSpaced = lower === 0 && value.length <= SPACED_CODE_MAX_CHARS;
  return isOneWord || isSpaced ? `code ${codeSize(value.length)}` : "text";
}

const isMarkup = (value: string): boolean =>
  (value.startsWith("<") && value.endsWith(">")) || /^[[{]\s*["[{]/.test(value);

const integerSize = (digits: number): string => INTEGERS[Math.min(4, Math.ceil(digits / 3) - 1)]!;
const codeSize = (chars: number): string => CODES[Math.min(2, Math.ceil(chars / 15) - 1)]!;

function calendarOf(value: string): string | undefined {
  const day = DAY.exec(value);
  if (day !== null) {
    const [, a = "", mark = "", b = "", c = ""] = day;
    const isLong = a.length > 2;
    if (a.length === 3 || c.length === 3 || (isLong && c.length > 2)) return undefined;
    const pattern = [a, b, c].map((part) => (part.length === 4 ? "9999" : "9")).join(mark);
    return `${value.length > a.length + b.length + c.length + 3 ? "datetime" : "date"} ${pattern}`;
  }
  if (TIME.test(value)) return "time";
  const named = NAMED_DAY.exec(value);
  if (named === null) return undefined;
  const [, mark = "", year = ""] = named;
  return `${/\d:\d{2}/.test(value) ? "datetime" : "date"} 9${mark}Mon${mark}${year.length === 4 ? "9999" : "9"}`;
}

function decimalOf(value: string): string | undefined {
  const found = DECIMAL.exec(value);
  const number = found?.[1]?.trim();
  if (number === undefined) return undefined;
  const at = Math.max(number.lastIndexOf("."), number.lastIndexOf(","));
  if (at === -1) {
    // Thousands divided by blanks; a number with letters behind is a code (`12 A`).
    return /^\d{1,3}(?:['’ \u00a0\u202f]\d{3})+$/.test(number)
      ? `integer ${integerSize(number.replace(/\D/g, "").length)}`
      : undefined;
  }
  const mark = number[at]!;
  const fraction = number.slice(at + 1);
  if (!/^\d+$/.test(fraction)) return undefined;
  if (number.indexOf(mark) !== at) {
    return /^\d{1,3}(?:[.,]\d{3})+$/.test(number)
      ? `integer ${integerSize(number.replace(/\D/g, "").length)}`
      : undefined;
  }
  return `decimal ${mark}${fraction.length}${fraction.endsWith("0") ? " zeros" : ""}`;
}

/** A class with less of a column than this was a fault in its file, not a way in which it is written. */
const KNOWN_SHARE = 0.01;
/** Share of a column's decimals with one count of digits from which on the writer always writes so many. */
const FIXED_SHARE = 0.99;
/** Digits behind a mark that may as well divide thousands. */
const GROUP_DIGITS = 3;
/** Sizes of whole numbers that go with decimals written as short as they are: up to nine digits. */
const LOOSE_INTEGERS = 3;

/** Decides whether values of a class go with what a column held so far. */
export function fitterOf(shape: ColumnShape): (found: string) => boolean {
  const known = Object.entries(shape.classes).filter(([, share]) => share >= KNOWN_SHARE);
  const names = new Set(known.map(([name]) => name));
  const integers = sizesOf(names, "integer ", INTEGERS);
  const codes = sizesOf(names, "code ", CODES);
  const decimals = decimalsOf(known);
  return (found) => {
    if (names.has(found)) return true;
    const [kind = "", rest = ""] = splitOnce(found);
    switch (kind) {
      case "integer": {
        const size = INTEGERS.indexOf(rest);
        // Numbers grow: the next size is no other kind.
        if (integers.some((one) => Math.abs(one - size) <= 1)) return true;
        return size < LOOSE_INTEGERS && decimals.some((one) => !one.fixed || one.digits === GROUP_DIGITS);
      }
      case "decimal": {
        const digits = Number.parseInt(rest.slice(1), 10);
        if (decimals.some((one) => one.mark === rest[0] && (!one.fixed || one.digits === digits))) return true;
        // `12.0`: how programs that know only floats print whole numbers.
        return integers.length > 0 && (digits === GROUP_DIGITS || (digits === 1 && rest.endsWith("zeros")));
      }
      case "date":
      case "datetime":
        return names.has(`date ${rest}`) || names.has(`datetime ${rest}`);
      case "code": {
        const size = CODES.indexOf(rest);
        if (codes.some((one) => Math.abs(one - size) <= 1)) return true;
        return names.has("text") || (size === 0 && (names.has("capitals") || names.has("word")));
      }
      case "capitals":
        return names.has("word") || names.has("text");
      case "word":
        return names.has("capitals") || names.has("text");
      case "text":
        return names.has("word");
      case "markup":
        return names.has("text");
      default:
        return false;
    }
  };
}

const sizesOf = (names: ReadonlySet<string>, kind: string, sizes: readonly string[]): number[] =>
  sizes.flatMap((size, i) => (names.has(kind + size) ? [i] : []));

const splitOnce = (name: string): [string, string] => {
  const at = name.indexOf(" ");
  return at === -1 ? [name, ""] : [name.slice(0, at), name.slice(at + 1)];
};

interface Decimals {
  readonly mark: string;
  readonly digits: number;
  /**
   * A writer that keeps zeros at the end writes as many digits every day: then no other count, and no whole numbers. One
   * digit says nothing: floats are printed as `12.0`, and as `12` on a day when all of them are whole.
   */
  readonly fixed: boolean;
}

function decimalsOf(known: readonly (readonly [string, number])[]): Decimals[] {
  const counts = new Map<string, { share: number; zeros: boolean }>();
  let total = 0;
  for (const [name, share] of known) {
    const [kind, rest] = splitOnce(name);
    if (kind !== "decimal") continue;
    const [way = ""] = rest.split(" ");
    const before = counts.get(way);
    counts.set(way, { share: share + (before?.share ?? 0), zeros: before?.zeros === true || rest.endsWith("zeros") });
    total += share;
  }
  return [...counts].map(([way, { share, zeros }]) => ({
    mark: way[0] ?? "",
    digits: Number(way.slice(1)),
    fixed: zeros && share >= FIXED_SHARE * total && Number(way.slice(1)) > 1,
  }));
}

/** A class in plain words, for reports. */
export function inWords(name: string): string {
  const [kind, rest] = splitOnce(name);
  switch (kind) {
    case "integer":
      return `whole numbers of ${spanned(rest)} digits`;
    case "decimal":
      return `numbers with ${Number.parseInt(rest.slice(1), 10)} decimals (${rest[0] === "," ? "comma" : "point"})`;
    case "date":
      return `dates like ${exampleDay(rest)}`;
    case "datetime":
      return `dates with time like ${exampleDay(rest)} 10:30`;
    case "time":
      return "times of day";
    case "code":
      return `codes of ${spanned(rest)} characters`;
    case "capitals":
      return "short codes of capital letters";
    case "word":
      return "single words";
    case "markup":
      return "XML or JSON";
    default:
      return "texts";
  }
}

const spanned = (span: string): string => span.replace("-", " to ").replace("+", " and more");

/** The pattern with digits put in. Which of day and month goes first is not said by it. */
const exampleDay = (pattern: string): string =>
  pattern.replace("9999", "2026").replaceAll(/9/g, "09").replace("Mon", "Sep");

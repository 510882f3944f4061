/** What the cells of a column are, told from a sample of its values; what they do not tell is asked. */
import { shown } from "../../domain/failures.ts";
import { datesOf, isCalendar } from "./column-dates.ts";
import { isNumeric, numbersOf } from "./column-numbers.ts";
import { isNullWord, isNullWordInTexts } from "./nulls.ts";
import type { ColumnProfile, ColumnType, Undecided } from "./profile.ts";

/** Different values of a column that are looked at. */
const VALUES_MAX = 2_000;
/** Share of values of one type from which on a column that is not all of it is a question. */
const MOSTLY = 0.6;
/** From this share on, in enough rows, the rest are faults and the type is assumed. */
const NEARLY_ALL = 0.98;
const ENOUGH_ROWS = 100;
/** Digits from which on whole numbers are names of things: more than a JSON number holds exactly. */
const LONG_DIGITS = 16;
/** Lengths of article numbers with a check digit (GTIN-8, UPC, GTIN-13, GTIN-14). */
const GTIN_LENGTHS = new Set([8, 12, 13, 14]);

export interface ColumnFinding {
  readonly profile: ColumnProfile;
  readonly undecided: readonly Undecided[];
}

/** `name`: the header's; `label`: what people call the column. */
export function columnOf(name: string | null, label: string, cells: readonly string[]): ColumnFinding {
  let padded = 0;
  let blanks = 0;
  let maxLength = 0;
  const values = new Map<string, number>();
  for (const cell of cells) {
    const value = cell.trim();
    maxLength = Math.max(maxLength, cell.length);
    if (value === "") {
      blanks++;
      continue;
    }
    if (value.length !== cell.length) padded++;
    const count = values.get(value);
    if (count !== undefined || values.size < VALUES_MAX) values.set(value, (count ?? 0) + 1);
  }
  const all = [...values.keys()];
  const words = all.filter(isNullWord);
  const rest = all.filter((value) => !isNullWord(value));
  const typed = words.length > 0 && rest.length > 0 ? typeOf(rest, values, label) : undefined;
  // A dash among numbers stands for nothing; among texts it may be one.
  const nulls = typed !== undefined && !TEXTS.has(typed.found.type) ? words : all.filter(isNullWordInTexts);
  const kept =
    nulls.length === words.length && typed !== undefined ? typed : typeOf(without(all, nulls), values, label);
  const undecided = [...kept.undecided];
  if (nulls.length > 0) {
    const count = nulls.reduce((sum, word) => sum + (values.get(word) ?? 0), 0);
    const list = nulls.map((word) => shown(word, 20)).join(", ");
    const reason = `${count} cells read ${list}: do they stand for no value?`;
    undecided.push({ what: "null", column: label, options: ["no value", "text"], assumed: "no value", reason });
  }
  return { profile: { name, ...kept.found, padded, blanks, nulls, maxLength }, undecided };
}

const TEXTS: ReadonlySet<ColumnType> = new Set(["text", "empty", "identifier"]);
const without = (values: readonly string[], words: readonly string[]): string[] =>
  words.length === 0 ? [...values] : values.filter((value) => !words.includes(value));

type Found = Omit<ColumnProfile, "name" | "padded" | "blanks" | "nulls" | "maxLength">;
interface Typed {
  readonly found: Found;
  readonly undecided: readonly Undecided[];
}

function typeOf(values: readonly string[], counts: ReadonlyMap<string, number>, label: string): Typed {
  if (values.length === 0) return { found: { type: "empty" }, undecided: [] };
  const whole = wholeType(values, label);
  if (whole !== undefined) return whole;
  const nearly = mostly(values, counts, label);
  if (nearly !== undefined) return nearly;
  const type = isIdentifiers(values) ? "identifier" : "text";
  return { found: { type }, undecided: contradiction(values, label, type) };
}

/** Dates in several orders, numbers with several marks: each value can be read, but not all in one way. */
function contradiction(values: readonly string[], label: string, type: ColumnType): Undecided[] {
  // Three letters beside digits may be a currency and a code.
  const isPlainNumber = (value: string): boolean => isNumeric(value) && !/\p{L}/u.test(value);
  const kinds = [
    { kind: "dates or times", isOne: isCalendar, read: datesOf },
    { kind: "numbers", isOne: isPlainNumber, read: numbersOf },
  ];
  for (const { kind, isOne, read } of kinds) {
    if (!values.every(isOne)) continue;
    const pair = contraryPair(values, (some) => read(some) === undefined);
    if (pair === undefined) continue;
    const [a, b] = pair.map((value) => shown(value, 30));
    const reason = `All values look like ${kind}, but they contradict each other: ${a} and ${b} are not written in one way.`;
    return [{ what: "type", column: label, options: [type], assumed: type, reason }];
  }
  return [];
}

/** Two values that do not go together, or two of several that do not. `isContrary` is true of all values once of some. */
function contraryPair(
  values: readonly string[],
  isContrary: (some: readonly string[]) => boolean,
): readonly [string, string] | undefined {
  if (!isContrary(values)) return undefined;
  let fine = 1;
  let contrary = values.length;
  while (contrary - fine > 1) {
    const middle = Math.floor((fine + contrary) / 2);
    if (isContrary(values.slice(0, middle))) contrary = middle;
    else fine = middle;
  }
  const odd = values[contrary - 1]!;
  const before = values.slice(0, contrary - 1);
  return [before.find((value) => isContrary([value, odd])) ?? before[0] ?? odd, odd];
}

/** The type that all values have. */
function wholeType(values: readonly string[], label: string): Typed | undefined {
  if (isBoolean(values)) return { found: { type: "boolean" }, undecided: [] };
  const dates = datesOf(values);
  const [first = ""] = dates?.formats ?? [];
  if (dates !== undefined && !(isCompact(first) && values.length < SURE_COMPACT) && !isPrice(first, values)) {
    const undecided: Undecided[] = [];
    if (dates.formats.length > 1) {
      const reason = `All ${values.length} different values can be read as ${dates.formats.join(" and as ")}, e.g. ${shown(values[0] ?? "", 30)}.`;
      undecided.push({ what: "dateOrder", column: label, options: dates.formats, assumed: null, reason });
    }
    return { found: { type: dates.type, format: first }, undecided };
  }
  if (isCodes(values)) return { found: { type: "identifier" }, undecided: [] };
  const numbers = numbersOf(values);
  if (numbers === undefined) return undefined;
  const { type, decimalMark, groupMark, sign, unit, ambiguous } = numbers;
  const undecided: Undecided[] = [];
  if (ambiguous !== null) {
    const reason = `No value tells whether ${shown(ambiguous, 30)} has decimals or thousands.`;
    undecided.push({ what: "decimalMark", column: label, options: [".", ","], assumed: null, reason });
  }
  if (dates !== undefined) {
    const reason =
      dates.type === "time"
        ? `All ${values.length} different values can be numbers and times of day, e.g. ${shown(values[0] ?? "", 30)}.`
        : `${shown(values[0] ?? "", 30)} can be a date and a number, and there are too few values to tell.`;
    undecided.push({ what: "type", column: label, options: [type, dates.type], assumed: type, reason });
  }
  const found: Found = {
    type: ambiguous === null ? type : "decimal",
    ...(decimalMark === null || ambiguous !== null ? {} : { decimalMark }),
    ...(groupMark === null || ambiguous !== null ? {} : { groupMark }),
    ...(sign === null ? {} : { sign }),
    ...(unit === "" ? {} : { unit }),
  };
  return { found, undecided };
}

/** Different values of eight digits that must all be dates before the column is one. */
const SURE_COMPACT = 3;
const isCompact = (format: string): boolean => /^(yyyyMMdd|ddMMyyyy|MMddyyyy)$/.test(format);

/** `1.10` and `12.50` are prices more often than times of day; `07.10` with its zero is no number. */
const isPrice = (format: string, values: readonly string[]): boolean =>
  /^HH?\.mm$/.test(format) && !values.some((value) => /^0\d/.test(value));

/** Whole numbers that are names: leading zeros, more digits than a number holds, article numbers with a check digit. */
function isCodes(values: readonly string[]): boolean {
  if (!values.every((value) => /^\d+$/.test(value))) return false;
  if (values.some((value) => (value.length > 1 && value.startsWith("0")) || value.length >= LONG_DIGITS)) return true;
  const length = values[0]?.length ?? 0;
  return (
    values.length >= 3 &&
    GTIN_LENGTHS.has(length) &&
    values.every((value) => value.length === length && hasCheckDigit(value))
  );
}

/** GS1 General Specifications, section 7.9: weights 3 and 1 from the right. */
function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) sum += Number(digits[digits.length - 1 - i]) * (i % 2 === 0 ? 1 : 3);
  return sum % 10 === 0;
}

/** Letters and digits without blanks, in one of a few shapes: order numbers, article numbers, keys. */
function isIdentifiers(values: readonly string[]): boolean {
  if (values.length < 3 || !values.every((value) => /^[\p{L}\d][\p{L}\d_\-./{}]*$/u.test(value))) return false;
  return values.filter((value) => /\d/.test(value)).length >= 0.9 * values.length;
}

const BOOLEANS: readonly (readonly [string, string])[] = [
  ["true", "false"],
  ["yes", "no"],
  ["ja", "nein"],
  ["oui", "non"],
  ["sí", "no"],
  ["si", "no"],
  ["wahr", "falsch"],
  ["vrai", "faux"],
  ["on", "off"],
];
/** Short ones may be codes of anything: both must stand in the column. */
const SHORT_BOOLEANS: readonly (readonly [string, string])[] = [
  ["y", "n"],
  ["j", "n"],
  ["t", "f"],
];

function isBoolean(values: readonly string[]): boolean {
  if (values.length > 6) return false;
  const words = new Set(values.map((value) => value.toLowerCase()));
  const within = ([yes, no]: readonly [string, string]): boolean => [...words].every((w) => w === yes || w === no);
  return BOOLEANS.some(within) || (words.size === 2 && SHORT_BOOLEANS.some(within));
}

/** A column that is nearly of one type: a question, for the rest may be faults or the type wrong. */
function mostly(values: readonly string[], counts: ReadonlyMap<string, number>, label: string): Typed | undefined {
  const rows = values.reduce((sum, value) => sum + (counts.get(value) ?? 1), 0);
  const rowsOf = (fitting: readonly string[]): number =>
    fitting.reduce((sum, value) => sum + (counts.get(value) ?? 1), 0);
  // What reads more of the values first: most prices can be times of day, but not all.
  const tries = [isCalendar, isNumeric].map((isOne) => {
    const fitting = values.filter(isOne);
    return { isOne, fitting, fittingRows: rowsOf(fitting) };
  });
  for (const { isOne, fitting, fittingRows } of tries.sort((a, b) => b.fittingRows - a.fittingRows)) {
    if (fittingRows < MOSTLY * rows || fitting.length === 0 || rows < 3) continue;
    const typed = wholeType(fitting, label);
    if (typed === undefined) continue;
    const nearly = rows >= ENOUGH_ROWS && fittingRows >= NEARLY_ALL * rows;
    const odd = values.find((value) => !isOne(value)) ?? "";
    const { type } = typed.found;
    const reason = `${fittingRows} of ${rows} values are of the type ${type}, but not all: ${shown(odd, 40)} is not.`;
    const assumed = nearly ? type : "text";
    const question: Undecided = { what: "type", column: label, options: [type, "text"], assumed, reason };
    return {
      found: nearly ? typed.found : { type: "text" },
      undecided: nearly ? [question, ...typed.undecided] : [question],
    };
  }
  return undefined;
}

/** Sign and unit of a number, taken off its digits: what is left is read by numbers.ts. */
import type { Column } from "../../domain/column.ts";

type NumberColumn = Extract<Column, { type: "integer" | "decimal" }>;
export type NumberWriting = Pick<NumberColumn, "sign" | "letters" | "unit">;

/** The number with its sign before it and without a unit; undefined where sign and unit are not written as agreed. */
export type NumberParts = (cell: string) => string | undefined;

/** Blanks between digits, sign and unit; spreadsheets write no-break ones. */
const BLANKS_AT_ENDS = /^[ \t\u00a0\u202f]+|[ \t\u00a0\u202f]+$/g;
const bare = (text: string): string => text.replace(BLANKS_AT_ENDS, "");

const UNSIGNED = /^[\d.,]/;
/** The typographic minus of word processors and web pages. */
const MINUS_SIGN = "\u2212";

/**
 * @example numberParts({ sign: "parentheses", unit: "€" })("(12.50) €") // "-12.50"
 */
export function numberParts({ sign = "leading", letters, unit }: NumberWriting): NumberParts {
  const ofSign = signReader(sign, letters);
  return (cell) => {
    const whole = bare(cell).replace(MINUS_SIGN, "-");
    const outer = withoutUnit(whole, unit);
    const signed = ofSign(outer);
    if (signed === undefined) return undefined;
    // The unit stands outside of the sign or inside of it, not twice.
    const digits = outer === whole ? withoutUnit(signed.digits, unit) : signed.digits;
    if (!UNSIGNED.test(digits)) return undefined;
    if (signed.needed && /[1-9]/.test(digits)) return undefined;
    return signed.negative ? `-${digits}` : digits;
  };
}

function withoutUnit(text: string, unit: string | undefined): string {
  if (unit === undefined) return text;
  if (text.startsWith(unit)) return bare(text.slice(unit.length));
  return text.endsWith(unit) ? bare(text.slice(0, -unit.length)) : text;
}

interface Signed {
  readonly negative: boolean;
  readonly digits: string;
  /** Only zero may stand without a sign. */
  readonly needed: boolean;
}

function signReader(sign: NonNullable<NumberWriting["sign"]>, letters: NumberWriting["letters"]) {
  const found = (negative: boolean, digits: string, needed = false): Signed => ({
    negative,
    digits: bare(digits),
    needed,
  });
  const leading = (text: string): Signed =>
    text.startsWith("-") || text.startsWith("+") ? found(text.startsWith("-"), text.slice(1)) : found(false, text);
  switch (sign) {
    case "leading":
      return leading;
    case "trailing":
      return (text: string): Signed =>
        text.endsWith("-") || text.endsWith("+") ? found(text.endsWith("-"), text.slice(0, -1)) : found(false, text);
    case "parentheses":
      return (text: string): Signed | undefined => {
        if (!text.startsWith("(")) return found(false, text);
        return text.endsWith(")") ? found(true, text.slice(1, -1)) : undefined;
      };
    case "letters": {
      const { negative = [], positive = [] } = letters ?? {};
      // The longer ones first: one may be the end of another.
      const words = [...negative, ...positive].sort((a, b) => b.length - a.length);
      return (text: string): Signed => {
        const word = words.find((one) => text.endsWith(one));
        if (word !== undefined) return found(negative.includes(word), text.slice(0, -word.length));
        return positive.length === 0 ? leading(text) : found(false, text, true);
      };
    }
  }
}

/** How a number is to be written, for the sentence: `1.234,56` with sign and unit. */
export function numberExample(digits: string, { sign = "leading", letters, unit }: NumberWriting): string {
  const withUnit = unit === undefined ? digits : `${digits} ${unit}`;
  switch (sign) {
    case "leading":
      return withUnit;
    case "trailing":
      return `${withUnit} or ${unit === undefined ? `${digits}-` : `${digits}- ${unit}`}`;
    case "parentheses":
      return `${withUnit} or (${withUnit})`;
    case "letters":
      return [...(letters?.positive ?? []), ...(letters?.negative ?? [])]
        .map((word) => `${withUnit} ${word}`)
        .join(" or ");
  }
}

/** Whole numbers and decimals, read as text: neither ever passes through a float. */

const ZERO = 48;
const PLUS = 43;
const HYPHEN = 45;
/** U+2212, which word processors put in the place of the hyphen. */
const MINUS = 0x2212;
const isDigit = (code: number): boolean => code >= ZERO && code <= 57;

/**
 * A whole number in canonical form: no plus, no leading zeros, no `-0`. Undefined where it is none.
 * @example canonicalInteger("+007") // "7"
 */
export function canonicalInteger(raw: string): string | undefined {
  const first = raw.charCodeAt(0);
  const negative = first === HYPHEN || first === MINUS;
  const signed = negative || first === PLUS;
  let start = signed ? 1 : 0;
  if (start === raw.length) return undefined;
  for (let i = start; i < raw.length; i++) if (!isDigit(raw.charCodeAt(i))) return undefined;
  while (start < raw.length - 1 && raw.charCodeAt(start) === ZERO) start++;
  if (negative) {
    if (raw.charCodeAt(start) === ZERO) return "0";
    return start === 1 && first === HYPHEN ? raw : `-${raw.slice(start)}`;
  }
  return start === 0 ? raw : raw.slice(start);
}

export interface DecimalFormat {
  readonly decimalMark: "." | ",";
  readonly groupMark?: "." | "," | " " | "'" | undefined;
  readonly precision: number;
  readonly scale: number;
}

/**
 * A decimal in canonical form: `.` as the mark, no plus, no group marks, no leading zeros, no zeros at the end of the
 * fraction, no `-0`; so two ways of writing one value give one text and one row hash. Undefined where it is none, null
 * where it has more digits than `numeric(precision, scale)` holds. Group marks may be left out, but where one stands, all
 * must stand, every three digits. `.5` is a decimal (Oracle writes it), `5.` is not.
 * @example canonicalDecimal("-1.234,50", { decimalMark: ",", groupMark: ".", precision: 18, scale: 6 }) // "-1234.5"
 */
export function canonicalDecimal(raw: string, format: DecimalFormat): string | null | undefined {
  const mark = format.decimalMark.charCodeAt(0);
  const first = raw.charCodeAt(0);
  const negative = first === HYPHEN || first === MINUS;
  const start = negative || first === PLUS ? 1 : 0;
  let end = start;
  while (isDigit(raw.charCodeAt(end))) end++;
  let whole: string;
  if (format.groupMark !== undefined && isGroupMark(raw.charCodeAt(end), format.groupMark)) {
    const groups = groupedDigits(raw, start, end, format.groupMark);
    if (groups === undefined) return undefined;
    whole = groups.digits;
    end = groups.end;
  } else {
    whole = raw.slice(start, end);
  }
  let fraction = "";
  if (end < raw.length) {
    if (raw.charCodeAt(end) !== mark || end + 1 === raw.length) return undefined;
    for (let i = end + 1; i < raw.length; i++) if (!isDigit(raw.charCodeAt(i))) return undefined;
    let last = raw.length;
    while (last > end + 1 && raw.charCodeAt(last - 1) === ZERO) last--;
    fraction = raw.slice(end + 1, last);
  } else if (whole === "") return undefined;

  let zeros = 0;
  while (whole.charCodeAt(zeros) === ZERO) zeros++;
  if (zeros > 0) whole = whole.slice(zeros);
  if (whole.length > format.precision - format.scale || fraction.length > format.scale) return null;
  const sign = negative && (whole !== "" || fraction !== "") ? "-" : "";
  if (whole === "") whole = "0";
  return fraction === "" ? sign + whole : `${sign}${whole}.${fraction}`;
}

/** Digits that a decimal may have on each side before it is multiplied: what it must fit is decided behind that. */
const FACTORED_DIGITS = 38;

/**
 * Reads a decimal and multiplies it, exactly: the product is what must fit `numeric(precision, scale)`, and one that has
 * more digits is null, never rounded.
 * @example multiplier("0.01")("1234", { decimalMark: ".", precision: 18, scale: 2 }) // "12.34"
 */
export function multiplier(factor: string): (raw: string, format: DecimalFormat) => string | null | undefined {
  const by = scaled(factor);
  return (raw, format) => {
    const read = canonicalDecimal(raw, { ...format, precision: 2 * FACTORED_DIGITS, scale: FACTORED_DIGITS });
    if (read === undefined || read === null) return read;
    const value = scaled(read);
    const product = value.digits * by.digits;
    const places = value.places + by.places;
    const digits = String(product < 0n ? -product : product).padStart(places + 1, "0");
    const whole = digits.slice(0, digits.length - places);
    const text = `${product < 0n ? "-" : ""}${whole}${places === 0 ? "" : `.${digits.slice(-places)}`}`;
    return canonicalDecimal(text, { decimalMark: ".", precision: format.precision, scale: format.scale });
  };
}

/** A decimal with `.` as a whole number and how many of its digits stand behind the mark. */
function scaled(decimal: string): { digits: bigint; places: number } {
  const [whole = "", fraction = ""] = decimal.split(".");
  return { digits: BigInt(whole + fraction), places: fraction.length };
}

/**
 * A blank as group mark is also the no-break space (U+00A0) and the narrow one (U+202F) that spreadsheets write, an
 * apostrophe also the typographic one.
 */
const isGroupMark = (code: number, mark: string): boolean =>
  code === mark.charCodeAt(0) ||
  (mark === " " && (code === 0xa0 || code === 0x202f)) ||
  (mark === "'" && code === 0x2019);

/** Digits in groups, one to three and then three each; `end` is the index behind them. */
function groupedDigits(
  raw: string,
  start: number,
  firstEnd: number,
  mark: string,
): { digits: string; end: number } | undefined {
  if (firstEnd === start || firstEnd - start > 3) return undefined;
  let digits = raw.slice(start, firstEnd);
  let end = firstEnd;
  while (isGroupMark(raw.charCodeAt(end), mark)) {
    for (let i = 1; i <= 3; i++) if (!isDigit(raw.charCodeAt(end + i))) return undefined;
    digits += raw.slice(end + 1, end + 4);
    end += 4;
  }
  // A fourth digit behind a group is neither a mark nor the end: the caller refuses it.
  return { digits, end };
}

/**
 * What a numeric cell says, as text: the digits that were stored, or the date that its number format makes of them.
 * Nothing here computes with a float where a digit could be lost.
 */

/** What the number format of a cell makes of its number. `digits` pads whole numbers with zeros (`00000`). */
export interface CellFormat {
  readonly kind: "number" | "date" | "time" | "datetime" | "elapsed";
  readonly digits: number;
}

export const PLAIN: CellFormat = { kind: "number", digits: 0 };

const NUMBER = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;
/** A double keeps 15 decimal digits whatever they are. */
const EXACT_DIGITS = 15;
/** Fraction digits that an exponent is written out to; smaller numbers stay in their notation. */
const MAX_FRACTION_DIGITS = 30;

/**
 * A stored number as text, with the digits that stand in the file.
 *
 * - A fraction of zeros is left out: writers that print doubles store `1001.0` for 1001.
 * - An exponent is written out where that invents no digit beyond the 15 that a number in a workbook has: `1.0E7` is how
 *   those writers store ten million. A longer number stays as it is, for whoever guards identifiers to see.
 * - The 17 digits of a double (`0.10000000000000001`) become the shortest text of the same double, but only when the stored
 *   text is exactly that expansion; any other long number is an identifier and stays.
 *
 * What is no number stays as it stands.
 */
export function numberText(stored: string): string {
  const text = stored.trim();
  if (/^-?(?:0|[1-9]\d{0,14})$/.test(text)) return text;
  const match = NUMBER.exec(text);
  if (!match) return text;
  const [, sign = "", whole = "", fraction = "", exponent] = match;
  if (exponent === undefined && /^0*$/.test(fraction)) return sign + whole;
  const written = (whole + fraction).replace(/^0+/, "");
  if (written === "") return "0";
  const short = written.length > EXACT_DIGITS ? shortest(text, written) : undefined;
  if (exponent === undefined && !short) return text;
  const digits = short?.digits ?? written;
  // Where the point stands, counted from the first digit that is not 0.
  const point =
    short?.point ?? whole.length + Number(exponent ?? 0) - (whole.length + fraction.length - written.length);
  if (point > EXACT_DIGITS || digits.length - point > MAX_FRACTION_DIGITS) return text;
  const left = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0";
  const right = (point > 0 ? digits.slice(point) : "0".repeat(-point) + digits).replace(/0+$/, "");
  return `${sign === "-" ? "-" : ""}${left}${right === "" ? "" : `.${right}`}`;
}

/** The fewest digits of the same double, if the written ones are exactly its first 17; rounding may move the point. */
function shortest(text: string, written: string): { digits: string; point: number } | undefined {
  const value = Math.abs(Number(text));
  const parts = (form: string) => {
    const [mantissa = "", power] = form.split("e");
    return { digits: mantissa.replace(".", "").replace(/0+$/, ""), point: Number(power) + 1 };
  };
  const isExpansion = parts(value.toExponential(16)).digits === written.replace(/0+$/, "");
  const short = parts(value.toExponential());
  return isExpansion && short.digits.length < written.length ? short : undefined;
}

/** A numeric cell as text, by its format. */
export function cellNumber(stored: string, format: CellFormat, is1904: boolean): string {
  const text = numberText(stored);
  if (format.kind !== "number") return dateText(text, format.kind, is1904) ?? text;
  if (format.digits > 1 && /^\d+$/.test(text)) return text.padStart(format.digits, "0");
  return text;
}

const DAY_MS = 86_400_000;
/** 9999-12-31, the last day that Excel knows, in the 1900 system. */
const LAST_SERIAL = 2_958_465;
/** Day 0 of the 1900 system, as it counts after its invented 29 February 1900. */
const EPOCH_1900_MS = Date.UTC(1899, 11, 30);
const EPOCH_1904_MS = Date.UTC(1904, 0, 1);

/**
 * A serial number as ISO 8601 text: `2026-11-20`, `2026-11-20T06:00:00`, `06:00:00`, elapsed time as `30:15:00`. A date that
 * has a time of day is written with it whatever the format shows. Undefined when it is no date that Excel has.
 *
 * The 1900 system has a 29 February 1900 (serial 60) and a day 0: both are written as what they are, `1900-02-29` and
 * `1900-01-00`, which no reader of dates accepts.
 */
export function dateText(
  text: string,
  kind: Exclude<CellFormat["kind"], "number">,
  is1904: boolean,
): string | undefined {
  const serial = Number(text);
  if (!/^\d/.test(text) || !(serial >= 0) || serial >= LAST_SERIAL + 1) return undefined;
  let days = Math.floor(serial);
  let ms = Math.round((serial - days) * DAY_MS);
  if (ms === DAY_MS) {
    days += 1;
    ms = 0;
  }
  if (kind === "elapsed") return clock(days * DAY_MS + ms);
  if (kind === "time" && days === 0) return clock(ms);
  const day = dayText(days, is1904);
  return ms === 0 && kind === "date" ? day : `${day}T${clock(ms)}`;
}

function dayText(days: number, is1904: boolean): string {
  if (is1904) return new Date(EPOCH_1904_MS + days * DAY_MS).toISOString().slice(0, 10);
  if (days === 60) return "1900-02-29";
  if (days === 0) return "1900-01-00";
  // Before the invented day the count is one less.
  return new Date(EPOCH_1900_MS + (days < 60 ? days + 1 : days) * DAY_MS).toISOString().slice(0, 10);
}

const two = (n: number): string => String(n).padStart(2, "0");

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const rest = ms % 1_000;
  const text = `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return rest === 0 ? text : `${text}.${String(rest).padStart(3, "0")}`;
}

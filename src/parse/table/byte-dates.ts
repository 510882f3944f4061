/** Dates and times whose parts have fixed places, written from bytes. All others are left to calendar.ts. */
import { daysIn } from "./calendar.ts";

const ZERO = 48;
const DASH = 45;
const COLON = 58;
const LETTER_T = 84;

/** In the place of an end: nothing was written. */
export const REFUSED = -1;

/** Places of the parts; -1: the format has no such part. */
export interface FixedDate {
  readonly length: number;
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** By place: the byte that must stand there, 0 for a digit. */
  readonly literals: Uint8Array;
  /** Behind a datetime; null: a date. */
  readonly suffix: Uint8Array | null;
}

/**
 * `offset`: of a datetime, undefined for a date. A fraction that may be missing is taken for missing: cells with one are
 * longer than what is read here. Undefined where a part has no fixed place.
 */
export function fixedDate(format: string, offset: string | undefined): FixedDate | undefined {
  const fixed = format.endsWith("[.f]") ? format.slice(0, -"[.f]".length) : format;
  const tokens = fixed.match(/yyyy|yy|MM|M|dd|d|HH|mm|ss|SSS|f|[\s\S]/g) ?? [];
  const places = new Map<string, number>();
  const literals = new Uint8Array(fixed.length);
  let at = 0;
  for (const token of tokens) {
    if (["yyyy", "MM", "dd", "HH", "mm", "ss"].includes(token)) places.set(token, at);
    else if (/^(yy|M|d|SSS|f|\[|\]|[^\x20-\x7e])$/.test(token)) return undefined;
    else literals[at] = token.charCodeAt(0);
    at += token.length;
  }
  const place = (token: string): number => places.get(token) ?? -1;
  const [year, month, day] = [place("yyyy"), place("MM"), place("dd")];
  if (year === -1 || month === -1 || day === -1) return undefined;
  const clock = { hour: place("HH"), minute: place("mm"), second: place("ss") };
  const suffix = offset === undefined ? null : new TextEncoder().encode(offset);
  return { length: fixed.length, year, month, day, ...clock, literals, suffix };
}

/** Writes `yyyy-MM-dd` or `yyyy-MM-ddTHH:mm:ss` and the offset and answers where it ends; REFUSED where there is no such time. */
export function writeDate(
  date: FixedDate,
  bytes: Uint8Array,
  from: number,
  to: number,
  all: Uint8Array,
  at: number,
): number {
  if (to - from !== date.length) return REFUSED;
  const { literals } = date;
  for (let i = 0; i < literals.length; i++) {
    const byte = bytes[from + i]!;
    if (literals[i] === 0 ? byte < ZERO || byte > ZERO + 9 : byte !== literals[i]) return REFUSED;
  }
  const century = twoDigits(bytes, from + date.year);
  const year = century * 100 + twoDigits(bytes, from + date.year + 2);
  const month = twoDigits(bytes, from + date.month);
  const day = twoDigits(bytes, from + date.day);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return REFUSED;
  const { suffix } = date;
  const hour = date.hour === -1 ? 0 : twoDigits(bytes, from + date.hour);
  const minute = date.minute === -1 ? 0 : twoDigits(bytes, from + date.minute);
  const second = date.second === -1 ? 0 : twoDigits(bytes, from + date.second);
  if (suffix !== null && (hour > 23 || minute > 59 || second > 59)) return REFUSED;

  putTwo(all, at, century);
  putTwo(all, at + 2, year % 100);
  all[at + 4] = DASH;
  putTwo(all, at + 5, month);
  all[at + 7] = DASH;
  putTwo(all, at + 8, day);
  if (suffix === null) return at + 10;
  all[at + 10] = LETTER_T;
  putTwo(all, at + 11, hour);
  all[at + 13] = COLON;
  putTwo(all, at + 14, minute);
  all[at + 16] = COLON;
  putTwo(all, at + 17, second);
  for (let i = 0; i < suffix.length; i++) all[at + 19 + i] = suffix[i]!;
  return at + 19 + suffix.length;
}

const twoDigits = (bytes: Uint8Array, at: number): number => (bytes[at]! - ZERO) * 10 + bytes[at + 1]! - ZERO;

function putTwo(target: Uint8Array, at: number, value: number): void {
  const tens = (value / 10) | 0;
  target[at] = ZERO + tens;
  target[at + 1] = ZERO + value - tens * 10;
}

/** Numbers written from bytes: the usual ones. All others are left to numbers.ts. */
import { REFUSED } from "./byte-dates.ts";

const PLUS = 43;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;

/** Up to so many digits every whole number is a safe one, and so is its division by a power of ten. */
const SAFE_DIGITS = 15;
const POWERS = Float64Array.from({ length: SAFE_DIGITS + 1 }, (_, n) => 10 ** n);

/** In its only place: the number that was written last, without its sign. Not an answer, of which a function has but one. */
export const writtenSize = new Float64Array(1);

/** What a column of numbers takes. */
export interface NumberStep {
  readonly min: number;
  readonly max: number;
  /** The decimal mark. */
  readonly mark: number;
  readonly wholeDigits: number;
  readonly fractionDigits: number;
}

/** See `canonicalInteger`. */
export function writeInteger(
  step: NumberStep,
  bytes: Uint8Array,
  from: number,
  to: number,
  all: Uint8Array,
  start: number,
): number {
  const first = bytes[from]!;
  const negative = first === MINUS;
  let i = negative || first === PLUS ? from + 1 : from;
  if (i === to) return REFUSED;
  while (i < to - 1 && bytes[i] === ZERO) i++;
  if (to - i > SAFE_DIGITS) return REFUSED;
  let at = start;
  if (negative && bytes[i] !== ZERO) all[at++] = MINUS;
  let value = 0;
  for (; i < to; i++) {
    const byte = bytes[i]!;
    if (byte < ZERO || byte > NINE) return REFUSED;
    value = value * 10 + (byte - ZERO);
    all[at++] = byte;
  }
  writtenSize[0] = value;
  if (negative) value = -value;
  if (value < step.min || value > step.max) return REFUSED;
  return at;
}

/** See `canonicalDecimal`; group marks are left to it. */
export function writeDecimal(
  step: NumberStep,
  bytes: Uint8Array,
  from: number,
  to: number,
  all: Uint8Array,
  start: number,
): number {
  const first = bytes[from]!;
  const negative = first === MINUS;
  const sign = negative || first === PLUS ? from + 1 : from;
  let i = sign;
  while (i < to && bytes[i] === ZERO) i++;
  const whole = i;
  while (i < to && bytes[i]! >= ZERO && bytes[i]! <= NINE) i++;
  const wholeEnd = i;
  let fraction = to;
  let end = to;
  if (i < to) {
    if (bytes[i] !== step.mark || i + 1 === to) return REFUSED;
    fraction = i + 1;
    for (let k = fraction; k < to; k++) if (bytes[k]! < ZERO || bytes[k]! > NINE) return REFUSED;
    while (end > fraction && bytes[end - 1] === ZERO) end--;
  } else if (sign === to) return REFUSED;
  const fractionDigits = end - fraction;
  if (wholeEnd - whole > step.wholeDigits || fractionDigits > step.fractionDigits) return REFUSED;
  if (wholeEnd - whole + fractionDigits > SAFE_DIGITS) return REFUSED;

  let at = start;
  if (negative && (wholeEnd > whole || end > fraction)) all[at++] = MINUS;
  if (wholeEnd === whole) all[at++] = ZERO;
  let digits = 0;
  for (let k = whole; k < wholeEnd; k++) {
    const byte = bytes[k]!;
    digits = digits * 10 + (byte - ZERO);
    all[at++] = byte;
  }
  if (fractionDigits > 0) {
    all[at++] = POINT;
    for (let k = fraction; k < end; k++) {
      const byte = bytes[k]!;
      digits = digits * 10 + (byte - ZERO);
      all[at++] = byte;
    }
  }
  writtenSize[0] = fractionDigits > 0 ? digits / POWERS[fractionDigits]! : digits;
  return at;
}

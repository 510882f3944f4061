/** What every column parser starts from: blanks, faults and the writing of text into JSON. */
import type { EvidenceOf, FailureCode } from "../../domain/failures.ts";

/** Codes a single cell can be refused with. */
export type CellFaultCode = Extract<
  FailureCode,
  | "value-missing"
  | "not-an-integer"
  | "not-a-decimal"
  | "not-a-date"
  | "not-in-list"
  | "out-of-range"
  | "wrong-pattern"
  | "text-too-long"
  | "control-characters"
  | "too-many-digits"
  | "scientific-notation"
  | "spreadsheet-date"
  | "leading-zeros-lost"
  | "wrong-check-digit"
  | "date-serial-number"
  | "mojibake"
>;

/** Why a cell was refused. */
export class CellFault<C extends CellFaultCode = CellFaultCode> {
  readonly code: C;
  readonly evidence: EvidenceOf<C>;

  constructor(code: C, evidence: EvidenceOf<C>) {
    this.code = code;
    this.evidence = evidence;
  }
}

/** Characters of a cell kept with its reject: enough to recognise it, not enough to fill the database. */
export const SHOWN_VALUE_MAX_CHARS = 1_000;

export const cutValue = (value: string): string =>
  value.length > SHOWN_VALUE_MAX_CHARS ? value.slice(0, SHOWN_VALUE_MAX_CHARS) : value;

/**
 * Without blanks, tabs and byte order marks (U+FEFF) at both ends. U+FEFF is invisible and means nothing inside a text:
 * wide-character exports leave one at the start of a cell, joined files one at the start of a line. Line breaks and
 * no-break spaces are content and stay.
 */
export function trimCell(cell: string): string {
  let start = 0;
  let end = cell.length;
  while (start < end && isBlank(cell.charCodeAt(start))) start++;
  while (end > start && isBlank(cell.charCodeAt(end - 1))) end--;
  return start === 0 && end === cell.length ? cell : cell.slice(start, end);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09 || code === 0xfeff;

/**
 * Whether a text can be written between the quotation marks of a JSON string as it is and holds nothing to look at: no
 * quotation mark, no backslash, no control character, no surrogate (which may be a lone one).
 */
export function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x7f) {
      if (code < 0x20 || code === 0x22 || code === 0x5c) return false;
    } else if (code < 0xa0 || (code >= 0xd800 && code <= 0xdfff)) return false;
  }
  return true;
}

/** Control characters: C0 without tab and line breaks, DEL, C1. */
export const FORBIDDEN_IN_TEXT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
/** All control characters, tab and line breaks among them. */
export const ANY_CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** A text as it stands between the quotation marks of a JSON string. */
export const jsonBody = (text: string): string => (isPlain(text) ? text : JSON.stringify(text).slice(1, -1));

/** Back from `jsonBody`. */
export const fromJsonBody = (body: string): string =>
  body.includes("\\") ? (JSON.parse(`"${body}"`) as string) : body;

/** Characters as people count them (code points), if there are more than `limit`; else undefined. */
export function lengthAbove(text: string, limit: number): number | undefined {
  if (text.length <= limit) return undefined;
  let length = 0;
  for (const _ of text) length++;
  return length > limit ? length : undefined;
}

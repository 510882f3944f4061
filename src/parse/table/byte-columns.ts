/**
 * Cells as bytes → the record as JSON in UTF-8 and its natural key: the reader of the usual row. Each column copies its
 * canonical form straight from the file's bytes to the chunk's. What it writes is what `compileColumn` says, to the byte:
 * a cell that it cannot read at a glance is decoded and given to the column's parser; a row in which that finds a fault,
 * or whose key is unusual, is left to `RecordBuilder`.
 */
import type { Column } from "../../domain/adapter.ts";
import { type FixedDate, fixedDate, writeDate } from "./byte-dates.ts";
import type { ByteRows } from "./byte-rows.ts";
import { type Bytes, type Literal, literal } from "./bytes.ts";
import { isPlain, jsonBody } from "./cell.ts";
import { type Charset, decoderFor } from "./charsets.ts";
import type { CellResult } from "./columns.ts";
import type { BoundColumn, Layout } from "./layout.ts";
import { SURELY_SHORT_CHARS } from "./natural-key.ts";

const TAB = 9;
const BLANK = 32;
const PLUS = 43;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const BACKSLASH = 92;
const BAR = 124;

/** Up to so many digits every whole number is a safe one. */
const SAFE_DIGITS = 15;
/** A list is searched from its start: longer ones are for a Map of texts. */
const MAX_LIST = 16;

/** How a column reads its bytes. One `switch` instead of a closure for each: it is compiled once and calls nothing unknown. */
const PARSED = 0;
const TEXT = 1;
const INTEGER = 2;
const DECIMAL = 3;
const DATE = 4;
const LIST = 5;

interface Listed {
  readonly written: Uint8Array;
  readonly stored: Literal;
}

/** All columns have all fields, so that V8 sees one shape. */
interface Step {
  readonly kind: number;
  /** Index of the cell, or CONSTANT or ORDINAL. */
  readonly at: number;
  readonly trim: boolean;
  readonly quoted: boolean;
  readonly isKey: boolean;
  readonly parse: (raw: string) => CellResult;
  readonly constant: string | null;
  /** What a blank cell is. */
  readonly blank: CellResult;
  readonly maxLength: number;
  readonly min: number;
  readonly max: number;
  readonly mark: number;
  readonly wholeDigits: number;
  readonly fractionDigits: number;
  readonly date: FixedDate | null;
  readonly list: readonly Listed[];
  /** What stands before a value and before a null, behind a value without a mark and behind one with. */
  readonly afterPlain: Literal;
  readonly afterQuoted: Literal;
  readonly nullAfterPlain: Literal;
  readonly nullAfterQuoted: Literal;
}

const CONSTANT = -1;
const ORDINAL = -2;

const CLOSE_PLAIN = literal("}");
const CLOSE_QUOTED = literal('"}');

export class ByteRecordBuilder {
  readonly #steps: readonly Step[];
  readonly #key: readonly number[];
  readonly #codes: Int32Array;
  readonly #isUnicode: boolean;
  /** Where the value of each column stands in the record at hand. */
  readonly #from: Int32Array;
  readonly #to: Int32Array;

  constructor(layout: Layout, charset: Charset) {
    const bytesOf = encoderFor(charset);
    this.#steps = layout.columns.map((bound, i) => stepOf(bound, i, layout.key.includes(i), bytesOf));
    this.#key = layout.key;
    this.#codes = codesOf(charset);
    this.#isUnicode = charset === "utf-8";
    this.#from = new Int32Array(layout.columns.length);
    this.#to = new Int32Array(layout.columns.length);
  }

  /**
   * Reads a row of the right width and writes its record and its key behind what stands in `out` and `key`. False: it is
   * not for this reader, and what was written is to be dropped.
   */
  build(row: ByteRows, ordinal: number, out: Bytes, key: Bytes): boolean {
    const steps = this.#steps;
    const { bytes, starts, ends } = row;
    let open = false;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!;
      const before = out.length;
      out.literal(open ? step.afterQuoted : step.afterPlain);
      this.#from[i] = out.length;
      let body: CellResult;
      if (step.at >= 0) {
        const from = starts[step.at]!;
        const to = ends[step.at]!;
        let first = from;
        let end = to;
        if (step.trim) {
          while (first < end && (bytes[first] === BLANK || bytes[first] === TAB)) first++;
          while (end > first && (bytes[end - 1] === BLANK || bytes[end - 1] === TAB)) end--;
        }
        if (first === end) body = step.blank;
        else if (this.#write(step, bytes, first, end, out)) {
          this.#to[i] = out.length;
          open = step.quoted;
          continue;
        } else body = step.parse(row.text(from, to));
      } else body = step.at === CONSTANT ? step.constant : step.parse(String(ordinal));

      if (typeof body === "string") {
        if (step.isKey && !isPlain(body)) return false;
        out.text(body);
        open = step.quoted;
      } else if (body === null) {
        out.length = before;
        out.literal(open ? step.nullAfterQuoted : step.nullAfterPlain);
        open = false;
      } else return false;
      this.#to[i] = out.length;
    }
    out.literal(open ? CLOSE_QUOTED : CLOSE_PLAIN);
    return this.#writeKey(out, key);
  }

  #writeKey(out: Bytes, key: Bytes): boolean {
    const columns = this.#key;
    const start = key.length;
    for (let k = 0; k < columns.length; k++) {
      const from = this.#from[columns[k]!]!;
      const to = this.#to[columns[k]!]!;
      key.reserve(to - from + 1);
      const source = out.all;
      const target = key.all;
      let at = key.length;
      if (k > 0) target[at++] = BAR;
      for (let i = from; i < to; i++) {
        const byte = source[i]!;
        if (byte === BACKSLASH || byte === BAR) return false;
        target[at++] = byte;
      }
      key.length = at;
    }
    return key.length - start <= SURELY_SHORT_CHARS;
  }

  /** Writes the value of a cell that is not blank; false, with nothing written, if it takes more than a glance. */
  #write(step: Step, bytes: Uint8Array, from: number, to: number, out: Bytes): boolean {
    switch (step.kind) {
      case TEXT:
        return this.#writeText(step, bytes, from, to, out);
      case INTEGER:
        return writeInteger(step, bytes, from, to, out);
      case DECIMAL:
        return writeDecimal(step, bytes, from, to, out);
      case DATE:
        return step.date !== null && writeDate(step.date, bytes, from, to, out);
      case LIST:
        return writeListed(step, bytes, from, to, out);
      default:
        return false;
    }
  }

  #writeText(step: Step, bytes: Uint8Array, from: number, to: number, out: Bytes): boolean {
    const isUnicode = this.#isUnicode;
    if (to - from > step.maxLength && (!isUnicode || charactersOf(bytes, from, to) > step.maxLength)) return false;
    // A byte order mark is invisible: at an end it is trimmed, and the parser knows how.
    if (isUnicode && step.trim && (hasMark(bytes, from) || hasMark(bytes, to - 3))) return false;
    const codes = this.#codes;
    out.reserve((to - from) * 3);
    const { all } = out;
    let at = out.length;
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!;
      const code = codes[byte]!;
      if (code < 0x100) {
        // In UTF-8 a C2 leads the C1 controls and then what Latin-1 has: ° § ä is another lead.
        if (code < 0 && (!isUnicode || byte !== 0xc2 || bytes[i + 1]! < 0xa0)) return false;
        all[at++] = byte;
      } else {
        all[at++] = code;
        all[at++] = code >> 8;
        if (code > 0xffff) all[at++] = code >> 16;
      }
    }
    out.length = at;
    return true;
  }
}

const hasMark = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;

/** Characters (code points) of UTF-8 bytes. */
function charactersOf(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if ((bytes[i]! & 0xc0) !== 0x80) count++;
  return count;
}

/** See `canonicalInteger`. */
function writeInteger(step: Step, bytes: Uint8Array, from: number, to: number, out: Bytes): boolean {
  const first = bytes[from]!;
  const negative = first === MINUS;
  let i = negative || first === PLUS ? from + 1 : from;
  if (i === to) return false;
  while (i < to - 1 && bytes[i] === ZERO) i++;
  if (to - i > SAFE_DIGITS) return false;
  out.reserve(SAFE_DIGITS + 1);
  const { all } = out;
  let at = out.length;
  if (negative && bytes[i] !== ZERO) all[at++] = MINUS;
  let value = 0;
  for (; i < to; i++) {
    const byte = bytes[i]!;
    if (byte < ZERO || byte > NINE) return false;
    value = value * 10 + (byte - ZERO);
    all[at++] = byte;
  }
  if (negative) value = -value;
  if (value < step.min || value > step.max) return false;
  out.length = at;
  return true;
}

/** See `canonicalDecimal`; group marks are left to it. */
function writeDecimal(step: Step, bytes: Uint8Array, from: number, to: number, out: Bytes): boolean {
  const first = bytes[from]!;
  const negative = first === MINUS;
  const start = negative || first === PLUS ? from + 1 : from;
  let i = start;
  while (i < to && bytes[i] === ZERO) i++;
  const whole = i;
  while (i < to && bytes[i]! >= ZERO && bytes[i]! <= NINE) i++;
  const wholeEnd = i;
  let fraction = to;
  let end = to;
  if (i < to) {
    if (bytes[i] !== step.mark || i + 1 === to) return false;
    fraction = i + 1;
    for (let k = fraction; k < to; k++) if (bytes[k]! < ZERO || bytes[k]! > NINE) return false;
    while (end > fraction && bytes[end - 1] === ZERO) end--;
  } else if (start === to) return false;
  if (wholeEnd - whole > step.wholeDigits || end - fraction > step.fractionDigits) return false;

  out.reserve(to - from + 3);
  const { all } = out;
  let at = out.length;
  if (negative && (wholeEnd > whole || end > fraction)) all[at++] = MINUS;
  if (wholeEnd === whole) all[at++] = ZERO;
  for (let k = whole; k < wholeEnd; k++) all[at++] = bytes[k]!;
  if (end > fraction) {
    all[at++] = POINT;
    for (let k = fraction; k < end; k++) all[at++] = bytes[k]!;
  }
  out.length = at;
  return true;
}

function writeListed({ list }: Step, bytes: Uint8Array, from: number, to: number, out: Bytes): boolean {
  search: for (let n = 0; n < list.length; n++) {
    const { written, stored } = list[n]!;
    if (written.length !== to - from) continue;
    for (let i = 0; i < written.length; i++) if (written[i] !== bytes[from + i]) continue search;
    out.literal(stored);
    return true;
  }
  return false;
}

type TextEncode = (text: string) => Uint8Array | undefined;

function stepOf(bound: BoundColumn, index: number, isKey: boolean, bytesOf: TextEncode): Step {
  const { column, parser, at, constant } = bound;
  const start = `${index === 0 ? "{" : ","}${JSON.stringify(bound.name)}:`;
  const mark = parser.quoted ? '"' : "";
  return {
    kind: PARSED,
    at: at ?? (constant === undefined ? ORDINAL : CONSTANT),
    trim: parser.trim,
    quoted: parser.quoted,
    isKey,
    parse: parser.parse,
    constant: constant ?? null,
    blank: parser.parse(""),
    maxLength: 0,
    min: 0,
    max: 0,
    mark: 0,
    wholeDigits: 0,
    fractionDigits: 0,
    date: null,
    list: [],
    afterPlain: literal(start + mark),
    afterQuoted: literal(`"${start}${mark}`),
    nullAfterPlain: literal(`${start}null`),
    nullAfterQuoted: literal(`"${start}null`),
    ...readingOf(column, bytesOf),
  };
}

/** What is to be read at a glance, and how. */
function readingOf(column: Column, bytesOf: TextEncode): Partial<Step> {
  switch (column.type) {
    case "text":
      return { kind: TEXT, maxLength: column.maxLength };
    case "identifier":
      return column.pattern === undefined ? { kind: TEXT, maxLength: column.maxLength } : {};
    case "integer":
      return { kind: INTEGER, min: column.min ?? Number.MIN_SAFE_INTEGER, max: column.max ?? Number.MAX_SAFE_INTEGER };
    case "decimal": {
      const { decimalMark, precision, scale } = column;
      const digits = { wholeDigits: precision - scale, fractionDigits: scale };
      return { kind: DECIMAL, mark: decimalMark.charCodeAt(0), ...digits };
    }
    case "date":
    case "datetime": {
      const date = fixedDate(column.format, column.type === "datetime" ? (column.offset ?? "") : undefined);
      return date === undefined ? {} : { kind: DATE, date };
    }
    case "enum":
      return listOf(
        Object.entries(column.values).map(([written, stored]) => [written, jsonBody(stored)]),
        bytesOf,
      );
    case "boolean":
      return listOf([...column.yes.map((yes) => [yes, "true"]), ...column.no.map((no) => [no, "false"])], bytesOf);
  }
}

/** Of two that are written alike the last one counts. What the charset cannot write is in no file. */
function listOf(entries: readonly (readonly string[])[], bytesOf: TextEncode): Partial<Step> {
  const table = new Map(entries.map(([written = "", stored = ""]) => [written, stored]));
  if (table.size > MAX_LIST || ![...table.values()].every(isPlain)) return {};
  const list = [...table].flatMap(([text, stored]) => {
    const written = bytesOf(text);
    return written === undefined ? [] : [{ written, stored: literal(stored) }];
  });
  return { kind: LIST, list };
}

/**
 * For each byte what is written for it in a JSON string: UTF-8, its first byte lowest; -1 where it takes a look. In UTF-8 the
 * bytes of longer characters stand for themselves.
 */
function codesOf(charset: Charset): Int32Array {
  const codes = new Int32Array(256);
  const decoder = decoderFor(charset);
  const encoder = new TextEncoder();
  for (let byte = 0; byte < 256; byte++) {
    if (charset === "utf-8" && byte >= 0x80) {
      codes[byte] = byte === 0xc2 ? -1 : byte;
      continue;
    }
    const text = decoder.decode(Uint8Array.of(byte));
    const isQuoted = text === '"' || text === "\\";
    if (text === undefined || (!isQuoted && !isPlain(text))) codes[byte] = -1;
    else codes[byte] = encoder.encode(jsonBody(text)).reduceRight((code, part) => (code << 8) | part, 0);
  }
  return codes;
}

/** Text → bytes of the charset, undefined where it has not all of the characters. */
function encoderFor(charset: Charset): TextEncode {
  if (charset === "utf-8") return (text) => (text.isWellFormed() ? new TextEncoder().encode(text) : undefined);
  const decoder = decoderFor(charset);
  const bytes = new Map<string | undefined, number>();
  for (let byte = 0; byte < 256; byte++) bytes.set(decoder.decode(Uint8Array.of(byte)), byte);
  return (text) => {
    const written = Array.from(text, (character) => bytes.get(character));
    return written.includes(undefined) ? undefined : Uint8Array.from(written as number[]);
  };
}

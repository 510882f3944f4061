/**
 * Cells as bytes → the record as JSON in UTF-8 and its natural key: the reader of the usual row. Each column copies its
 * canonical form straight from the file's bytes to the chunk's. What it writes is what `compileColumn` says, to the byte:
 * a cell that it cannot read at a glance is decoded and given to the column's parser; a row in which that finds a fault,
 * or whose key is unusual, is left to `RecordBuilder`.
 */
import type { Column } from "../../domain/adapter.ts";
import { type FixedDate, fixedDate, REFUSED, writeDate } from "./byte-dates.ts";
import { writeDecimal, writeInteger, writtenSize } from "./byte-numbers.ts";
import type { ByteRows } from "./byte-rows.ts";
import { isPlainWord, TextCodes } from "./byte-texts.ts";
import { type Bytes, type Literal, literal, putLiteral } from "./bytes.ts";
import { isPlain, jsonBody } from "./cell.ts";
import { type Charset, decoderFor } from "./charsets.ts";
import type { CellResult } from "./columns.ts";
import { sizeOf } from "./field-tallies.ts";
import { endsMangled } from "./identifier-guard.ts";
import { type BoundColumn, type Join, joined, type Layout } from "./layout.ts";
import { SURELY_SHORT_CHARS } from "./natural-key.ts";

const TAB = 9;
const BLANK = 32;
const BACKSLASH = 92;
const BRACE = 123;
const BAR = 124;

const WORD_BYTES = 4;
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
  /** Index of the cell, or CONSTANT, ORDINAL or JOINED. */
  readonly at: number;
  readonly join: Join | null;
  readonly trim: boolean;
  readonly quoted: boolean;
  readonly isKey: boolean;
  readonly isCounted: boolean;
  readonly parse: (raw: string) => CellResult;
  readonly constant: string | null;
  /** What a blank cell is. */
  readonly blank: CellResult;
  /** Whether a text may be what a spreadsheet made of an identifier. */
  readonly guarded: boolean;
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
const JOINED = -3;

/** A byte of a cell becomes three of UTF-8 at most. */
const MAX_BYTES_PER_BYTE = 3;
/** Literals and texts are written in words, up to three bytes too many. */
const PADDING_BYTES = 8;
/** A date or time without its offset, or a number's sign, zero and point. */
const MAX_VALUE_BYTES = 24;

const CLOSE_PLAIN = literal("}");
const CLOSE_QUOTED = literal('"}');

export class ByteRecordBuilder {
  readonly #steps: readonly Step[];
  readonly #key: readonly number[];
  readonly #texts: TextCodes;
  readonly #isUnicode: boolean;
  /** What a record takes at most besides the bytes of its cells. */
  readonly #fixedBytes: number;
  /** Of the row that was built last, by column: the size of a counted number, BLANK_CELL or NOT_SAID. */
  readonly sizes: Float64Array;
  /** Where the value of each column of the key stands in the record at hand. */
  readonly #from: Int32Array;
  readonly #to: Int32Array;

  constructor(layout: Layout, charset: Charset) {
    const bytesOf = encoderFor(charset);
    this.#steps = layout.columns.map((bound, i) => stepOf(bound, i, layout.key.includes(i), bytesOf));
    this.#key = layout.key;
    this.#texts = new TextCodes(charset);
    this.#isUnicode = charset === "utf-8";
    this.#fixedBytes = this.#steps.reduce((sum, step) => sum + fixedBytesOf(step), PADDING_BYTES);
    this.sizes = new Float64Array(layout.columns.length);
    this.#from = new Int32Array(layout.columns.length);
    this.#to = new Int32Array(layout.columns.length);
  }

  /**
   * Reads a row of the right width and writes its record and its key behind what stands in `out` and `key`. False: it is
   * not for this reader, and what was written is to be dropped.
   */
  build(row: ByteRows, ordinal: number, out: Bytes, key: Bytes): boolean {
    const steps = this.#steps;
    const { bytes, view: source, starts, ends } = row;
    // Room for the whole row at once: asking for each value costs as much as writing it.
    const room = row.size * MAX_BYTES_PER_BYTE + this.#fixedBytes;
    out.reserve(room);
    let { all, view } = out;
    const start = out.length;
    let at = start;
    let open = false;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!;
      const before = at;
      at = putLiteral(view, at, open ? step.afterQuoted : step.afterPlain);
      const valueAt = at;
      let body: CellResult;
      if (step.at >= 0) {
        const from = starts[step.at]!;
        const to = ends[step.at]!;
        let first = from;
        let end = to;
        if (step.trim && first < end && (bytes[first]! <= BLANK || bytes[end - 1]! <= BLANK)) {
          while (first < end && (bytes[first] === BLANK || bytes[first] === TAB)) first++;
          while (end > first && (bytes[end - 1] === BLANK || bytes[end - 1] === TAB)) end--;
        }
        if (first === end) body = step.blank;
        else {
          const written = this.#write(step, bytes, source, first, end, all, view, at);
          if (written >= 0) {
            at = written;
            open = step.quoted;
            if (step.isKey) this.#noteKey(i, valueAt, at);
            else if (step.isCounted) this.sizes[i] = writtenSize[0]!;
            continue;
          }
          body = step.parse(row.text(from, to));
        }
      } else if (step.join !== null) {
        body = step.parse(joinedText(step.join, row));
      } else body = step.at === CONSTANT ? step.constant : step.parse(String(ordinal));

      if (typeof body === "string") {
        if (step.isKey && !isPlain(body)) return false;
        out.length = at;
        out.text(body);
        out.reserve(room);
        ({ all, view, length: at } = out);
        open = step.quoted;
        if (step.isKey) this.#noteKey(i, valueAt, at);
      } else if (body === null) {
        at = putLiteral(view, before, open ? step.nullAfterQuoted : step.nullAfterPlain);
        open = false;
      } else if (body === undefined) at = before;
      else return false;
      if (step.isCounted) this.sizes[i] = sizeOf(body);
    }
    at = putLiteral(view, at, open ? CLOSE_QUOTED : CLOSE_PLAIN);
    // Where the first column is left out, the record begins with what divides columns.
    all[start] = BRACE;
    // Behind the end of an array writing does nothing, without a word.
    if (at > all.length) throw new RangeError("a record is larger than the room that was made for it");
    out.length = at;
    return this.#writeKey(out, key);
  }

  /** Where the value of a column of the key stands. */
  #noteKey(column: number, from: number, to: number): void {
    this.#from[column] = from;
    this.#to[column] = to;
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

  /**
   * Writes the value of a cell that is not blank into `all` from `at` on and answers where it ends; REFUSED, if it takes more
   * than a glance.
   */
  #write(
    step: Step,
    bytes: Uint8Array,
    source: DataView,
    from: number,
    to: number,
    all: Uint8Array,
    view: DataView,
    at: number,
  ): number {
    switch (step.kind) {
      case TEXT:
        if (step.guarded && to - from >= 5 && endsMangled(bytes[to - 5]!, bytes[to - 4]!, bytes[to - 3]!))
          return REFUSED;
        return this.#writeText(step, bytes, source, from, to, all, view, at);
      case INTEGER:
        return writeInteger(step, bytes, from, to, all, at);
      case DECIMAL:
        return writeDecimal(step, bytes, from, to, all, at);
      case DATE:
        return step.date === null ? REFUSED : writeDate(step.date, bytes, from, to, all, at);
      case LIST:
        return writeListed(step, bytes, from, to, view, at);
      default:
        return REFUSED;
    }
  }

  #writeText(
    step: Step,
    bytes: Uint8Array,
    source: DataView,
    from: number,
    to: number,
    all: Uint8Array,
    view: DataView,
    start: number,
  ): number {
    const isUnicode = this.#isUnicode;
    if (to - from > step.maxLength && (!isUnicode || charactersOf(bytes, from, to) > step.maxLength)) return REFUSED;
    // A byte order mark is invisible: at an end it is trimmed, and the parser knows how.
    if (isUnicode && step.trim && (hasMark(bytes, from) || hasMark(bytes, to - 3))) return REFUSED;
    const { codes } = this.#texts;
    let at = start;
    for (let i = from; i < to; i++) {
      const word = source.getInt32(i, true);
      if (isPlainWord(word)) {
        view.setInt32(at, word, true);
        if (i + WORD_BYTES >= to) return at + to - i;
        at += WORD_BYTES;
        i += WORD_BYTES - 1;
        continue;
      }
      const byte = bytes[i]!;
      let code = codes[byte]!;
      if (code < 0x100) {
        if (code >= 0) {
          all[at++] = byte;
          continue;
        }
        code = this.#texts.look(bytes, from, i, to);
        if (code < 0) return REFUSED;
      }
      all[at++] = code;
      if (code > 0xff) all[at++] = code >> 8;
      if (code > 0xffff) all[at++] = code >> 16;
    }
    return at;
  }
}

/** A function of its own: one inside the loop over all cells would keep the places of cells out of the registers. */
const joinedText = (join: Join, row: ByteRows): string =>
  joined(join, (index) => row.text(row.starts[index]!, row.ends[index]!));

function fixedBytesOf(step: Step): number {
  const names = step.nullAfterQuoted.length + step.afterQuoted.length;
  const listed = step.list.reduce((most, { stored }) => Math.max(most, stored.length), 0);
  return names + listed + MAX_VALUE_BYTES + (step.date?.suffix?.length ?? 0);
}

const hasMark = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;

/** Characters (code points) of UTF-8 bytes. */
function charactersOf(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) if ((bytes[i]! & 0xc0) !== 0x80) count++;
  return count;
}

function writeListed({ list }: Step, bytes: Uint8Array, from: number, to: number, view: DataView, at: number): number {
  search: for (let n = 0; n < list.length; n++) {
    const { written, stored } = list[n]!;
    if (written.length !== to - from) continue;
    for (let i = 0; i < written.length; i++) if (written[i] !== bytes[from + i]) continue search;
    return putLiteral(view, at, stored);
  }
  return REFUSED;
}

type TextEncode = (text: string) => Uint8Array | undefined;

function stepOf(bound: BoundColumn, index: number, isKey: boolean, bytesOf: TextEncode): Step {
  const { column, parser, at, join, constant } = bound;
  const start = `${index === 0 ? "{" : ","}${JSON.stringify(bound.name)}:`;
  const mark = parser.quoted ? '"' : "";
  return {
    kind: PARSED,
    at: at ?? (join !== null ? JOINED : constant === undefined ? ORDINAL : CONSTANT),
    join,
    trim: parser.trim,
    quoted: parser.quoted,
    isKey,
    isCounted: bound.isCounted,
    parse: parser.parse,
    constant: constant ?? null,
    blank: parser.parse(""),
    guarded: false,
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
    ...(bound.atAGlance ? readingOf(column, bytesOf) : {}),
  };
}

/** What is to be read at a glance, and how. */
function readingOf(column: Column, bytesOf: TextEncode): Partial<Step> {
  switch (column.type) {
    case "text":
      return { kind: TEXT, maxLength: column.maxLength };
    case "identifier":
      return { kind: TEXT, maxLength: column.maxLength, guarded: column.spreadsheet !== "allow" };
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

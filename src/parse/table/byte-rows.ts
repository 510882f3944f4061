/**
 * Rows as places in bytes: the reader of the usual file, which makes text only of what is unusual. It finds the same rows
 * and cells as `quotedRows` and `plainRows` find in text, for the delimiter, quotation mark and line ends are ASCII, which
 * in the charsets it takes never is a part of another character.
 *
 * What it does not decide itself it gives to them: a row whose quotation marks do not fit together, or one that may be too
 * long. Then the rows of the window are read as text, and it goes on behind them.
 */
import { type CharsetDecoder, decoderFor } from "./charsets.ts";
import { ROW_MAX_CHARS, type RowBatch } from "./row-batch.ts";
import { isPlainTable, type TableFormat } from "./rows.ts";
import { scanRows } from "./rows-quoted.ts";

const LF = 10;
const CR = 13;
const TAB = 9;
const BLANK = 32;
const FIRST_BYTES = 65_536;
const WORD_BYTES = 4;
const FIRST_CELLS = 64;

/** A quotation mark that stands in no text: a payload with NUL is refused before. */
const NO_MARK = "\0";

/** What `next` found: a row; a row only the text readers can judge; or nothing before more bytes come. */
export const ROW = 0;
export const ODD = 1;
export const MORE = 2;
export type Found = typeof ROW | typeof ODD | typeof MORE;

/** Whether rows of this format can be found in bytes. */
export function readsAsBytes(format: TableFormat): boolean {
  const { charset, delimiter, recordDelimiter } = format;
  if (!isPlainTable(format)) return false;
  if (charset === "utf-16le" || charset === "utf-16be" || recordDelimiter !== "line") return false;
  return delimiter.length === 1 && delimiter.charCodeAt(0) < 0x80;
}

/** `add` a window, then `next` until it wants more. The fields are those of the row that `next` found last. */
export class ByteRows {
  /** Cell n is `bytes[starts[n]]` to before `bytes[ends[n]]`, without its marks. */
  bytes = new Uint8Array(FIRST_BYTES);
  view = new DataView(this.bytes.buffer);
  starts = new Int32Array(FIRST_CELLS);
  ends = new Int32Array(FIRST_CELLS);
  cells = 0;
  /** The line on which the row begins, 1-based, and the lines that it takes. */
  line = 1;
  span = 0;
  readonly #format: TableFormat;
  readonly #decoder: CharsetDecoder;
  readonly #delimiter: number;
  readonly #quote: number;
  /** Bytes that end an unquoted cell; bytes to look at in a quoted one. */
  readonly #cellStops = new Uint8Array(256);
  readonly #quotedStops = new Uint8Array(256);
  /** Bytes of the file in `bytes`. Behind them stands a LF, at which every search ends, then cells without double marks. */
  #length = 0;
  /** Where the row begins, where it ends before its line end, and where the next one begins. */
  #start = 0;
  #end = 0;
  #next = 0;
  /** Of the quoted cell looked at last: line ends in it, and whether a mark in it is doubled. */
  #lineEnds = 0;
  #doubled = false;

  constructor(format: TableFormat) {
    this.#format = format;
    this.#decoder = decoderFor(format.charset);
    this.#delimiter = format.delimiter.charCodeAt(0);
    this.#quote = format.quote === "none" ? -1 : format.quote.charCodeAt(0);
    for (const byte of [this.#delimiter, LF, CR]) this.#cellStops[byte] = 1;
    for (const byte of [this.#quote, LF, CR]) if (byte !== -1) this.#quotedStops[byte] = 1;
  }

  /** Takes a copy of a window of whole characters. What was found before is no longer there. */
  add(window: Uint8Array): void {
    const rest = this.#length - this.#next;
    const length = rest + window.length;
    // Room for the LF, and for all of it once more without double marks; then a word can be read at each byte.
    const room = length * 2 + 1 + WORD_BYTES;
    if (room > this.bytes.length) {
      const larger = new Uint8Array(room * 2);
      larger.set(this.bytes.subarray(this.#next, this.#length));
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    } else this.bytes.copyWithin(0, this.#next, this.#length);
    this.bytes.set(window, rest);
    this.bytes[length] = LF;
    this.#length = length;
    this.#next = 0;
    this.#start = 0;
    this.#end = 0;
  }

  /** Finds the next row. */
  next(atEnd: boolean): Found {
    this.line += this.span;
    this.span = 0;
    const { bytes } = this;
    const length = this.#length;
    const delimiter = this.#delimiter;
    const quote = this.#quote;
    const stops = this.#cellStops;
    const start = this.#next;
    if (start === length) return MORE;
    this.#start = start;
    let { starts, ends } = this;
    let cells = 0;
    let span = 1;
    let scratch = length + 1;
    let at = start;
    for (;;) {
      let from = at;
      let to: number;
      if (bytes[at] === quote) {
        const close = this.#closing(at + 1);
        if (close === length) return atEnd ? ODD : this.#unfinished();
        from = at + 1;
        to = close;
        span += this.#lineEnds;
        if (this.#doubled) {
          from = scratch;
          to = scratch = this.#withoutDoubles(at + 1, close, scratch);
        }
        at = close + 1;
        while ((bytes[at] === BLANK || bytes[at] === TAB) && bytes[at] !== delimiter) at++;
        if (stops[bytes[at]!] === 0) return ODD;
      } else {
        while (stops[bytes[at]!] === 0) at++;
        to = at;
      }
      if (cells === starts.length) {
        this.#moreCells();
        ({ starts, ends } = this);
      }
      starts[cells] = from;
      ends[cells] = to;
      cells++;
      if (bytes[at] !== delimiter) break;
      at++;
    }
    // Behind the last byte the LF or the CRLF may still come.
    if (!atEnd && (at === length || (bytes[at] === CR && at + 1 === length))) return this.#unfinished();
    if (at - start >= ROW_MAX_CHARS) return ODD;
    this.#end = at;
    this.#next = at === length ? at : bytes[at] === CR && bytes[at + 1] === LF && at + 1 < length ? at + 2 : at + 1;
    this.cells = cells;
    this.span = span;
    return ROW;
  }

  /** Bytes of the row: no fewer than those of its cells. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Whether the first cell may begin with a text when it is trimmed; its first letter decides. */
  mayStartWith(text: string): boolean {
    const end = this.ends[0]!;
    let at = this.starts[0]!;
    while (at < end && (this.bytes[at] === BLANK || this.bytes[at] === TAB)) at++;
    return at < end && (this.bytes[at]! >= 0x80 || this.bytes[at] === text.charCodeAt(0));
  }

  /** The bytes as text. They must be whole characters. */
  text(from: number, to: number): string {
    const bytes = this.bytes.subarray(from, to);
    const text = this.#decoder.decode(bytes);
    if (text === undefined) throw new RangeError("bytes that were checked are not of their charset");
    return text;
  }

  /** The row that was found, as the text readers give it. */
  asText(): RowBatch {
    const cells = Array.from({ length: this.cells }, (_, n) => this.text(this.starts[n]!, this.ends[n]!));
    const raw = () => this.text(this.#start, this.#end);
    return { rows: [cells], firstLine: this.line, spans: [this.span], broken: null, raw };
  }

  /**
   * The odd row and all behind it that are here, as the text readers read them. No rows: more bytes must come first.
   * Throws `unclosed-quote` and `row-too-long`.
   */
  oddAsText(atEnd: boolean): RowBatch {
    const { quote, delimiter, charset } = this.#format;
    const whole = !atEnd && this.bytes[this.#length - 1] === CR ? this.#length - 1 : this.#length;
    const text = this.text(this.#start, whole);
    const mark = quote === "none" ? NO_MARK : quote;
    const { batch, rest, line } = scanRows(text, this.line, { delimiter, quote: mark }, atEnd);
    this.#next = whole - (charset === "utf-8" ? Buffer.byteLength(rest) : rest.length);
    this.line = line;
    return batch;
  }

  /** Place of the mark that closes the cell whose content begins at `from`, or the end of the bytes. */
  #closing(from: number): number {
    const { bytes } = this;
    const length = this.#length;
    const quote = this.#quote;
    const stops = this.#quotedStops;
    let at = from;
    let lineEnds = 0;
    this.#doubled = false;
    for (;;) {
      while (stops[bytes[at]!] === 0) at++;
      if (bytes[at] === quote) {
        if (bytes[at + 1] !== quote) break;
        this.#doubled = true;
        at += 2;
      } else if (at >= length) break;
      else {
        if (bytes[at] === LF || bytes[at + 1] !== LF) lineEnds++;
        at++;
      }
    }
    this.#lineEnds = lineEnds;
    return at;
  }

  /** Copies a cell with one mark for each two; answers its end. */
  #withoutDoubles(from: number, to: number, target: number): number {
    const { bytes } = this;
    const quote = this.#quote;
    let end = target;
    for (let at = from; at < to; at++) {
      const byte = bytes[at]!;
      bytes[end++] = byte;
      if (byte === quote) at++;
    }
    return end;
  }

  #moreCells(): void {
    const starts = new Int32Array(this.starts.length * 2);
    const ends = new Int32Array(starts.length);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }

  #unfinished(): Found {
    return this.#length - this.#start > ROW_MAX_CHARS ? ODD : MORE;
  }
}

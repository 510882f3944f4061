/**
 * Payload bytes → text, in slices, strictly and pulled: the next block is asked for only when the slices of the last one
 * are taken. A slice never ends between CR and LF, nor inside a character.
 */
import { failure } from "../../domain/failures.ts";
import { BYTE_ORDER_MARKS, type Charset, type CharsetDecoder, decoderFor } from "./charsets.ts";
import { LineCounter } from "./lines.ts";

/** Characters in a slice: long enough that the cost per slice does not count, short enough to hold a few of them. */
export const SLICE_CHARS = 16_384;
/** Bytes decoded at once: a block may be of any size, the text of it need not. */
export const DECODE_BYTES = 16_384;
/** Bytes in the longest byte order mark. */
export const MARK_BYTES = 3;

export interface TextOptions {
  readonly charset: Charset;
  /** `line`, or the feed's own record delimiter: what counts as a line. */
  readonly recordDelimiter: string;
  /** Slices at least so long, but for the last. For tests; SLICE_CHARS otherwise. */
  readonly sliceChars?: number;
}

/** Reads one payload once: `for await (const slice of reader.slices(blocks))`, then `reader.lines`. */
export class TextReader {
  readonly #options: TextOptions;
  readonly #decoder: CharsetDecoder;
  readonly #counter: LineCounter;
  /** Text that waits until a slice is full. */
  #held = "";
  /** Bytes of a character whose end has not come yet: a copy, for a block is valid until the next turn only. */
  #partial = new Uint8Array(0);
  /** Bytes before #partial. */
  #offset = 0;

  constructor(options: TextOptions) {
    this.#options = options;
    this.#decoder = decoderFor(options.charset);
    this.#counter = new LineCounter(options.recordDelimiter);
  }

  /** Lines of the whole text, counted without regard to quotes or rows. Complete when `slices` is at its end. */
  get lines(): number {
    return this.#counter.lines;
  }

  /**
   * The text in slices, without a byte order mark at its start.
   * Throws `wrong-charset` (bytes the charset has not, or the mark of another charset) and `nul-bytes`.
   */
  async *slices(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
    const sliceChars = this.#options.sliceChars ?? SLICE_CHARS;
    let start: Uint8Array | null = new Uint8Array(0);
    for await (const block of blocks) {
      let bytes = block;
      if (start !== null) {
        bytes = joined(start, block);
        if (bytes.length < MARK_BYTES) {
          // Not bytes.slice: see #decode.
          start = Uint8Array.from(bytes);
          continue;
        }
        bytes = this.#withoutMark(bytes);
        start = null;
      }
      for (let at = 0; at < bytes.length; at += DECODE_BYTES) {
        this.#decode(bytes.subarray(at, at + DECODE_BYTES), false);
        if (this.#held.length >= sliceChars) {
          const slice = this.#take(false);
          if (slice !== "") yield slice;
        }
      }
    }
    this.#decode(start === null ? new Uint8Array(0) : this.#withoutMark(start), true);
    const last = this.#take(true);
    if (last !== "") yield last;
  }

  /** Everything held but a CR at the end, whose LF may be in the next block. */
  #take(atEnd: boolean): string {
    const keep = !atEnd && this.#held.endsWith("\r") ? 1 : 0;
    const text = keep === 0 ? this.#held : this.#held.slice(0, -keep);
    this.#held = keep === 0 ? "" : "\r";
    this.#counter.add(text);
    return text;
  }

  #withoutMark(bytes: Uint8Array): Uint8Array {
    const rest = withoutMark(bytes, this.#options.charset);
    this.#offset = bytes.length - rest.length;
    return rest;
  }

  #decode(block: Uint8Array, atEnd: boolean): void {
    const bytes = joined(this.#partial, block);
    const end = atEnd ? bytes.length : this.#decoder.whole(bytes);
    const whole = bytes.subarray(0, end);
    const text = this.#decoder.decode(whole);
    if (text === undefined) throw this.#wrongCharset(whole);
    // Not text.indexOf: V8 looks for a zero byte, which every second one is in a string of two-byte characters.
    if (this.#decoder.unitBytes === 1 ? whole.includes(0) : /\0/.test(text)) {
      throw failure("nul-bytes", { line: this.#lineAfter(text.slice(0, text.indexOf("\0"))) });
    }
    this.#held += text;
    this.#offset += end;
    // Not bytes.slice: on a Buffer that is a view, and the block is overwritten on the next turn.
    this.#partial = end === bytes.length ? NO_BYTES : Uint8Array.from(bytes.subarray(end));
  }

  #wrongCharset(bytes: Uint8Array): Error {
    const at = Math.max(this.#decoder.fault(bytes), 0);
    const before = this.#decoder.decode(bytes.subarray(0, at)) ?? "";
    const { charset } = this.#options;
    return failure("wrong-charset", { charset, offset: this.#offset + at, line: this.#lineAfter(before) });
  }

  /** The line in which the character behind `text` stands. Ends the reading: what is held counts as taken. */
  #lineAfter(text: string): number {
    this.#counter.add(this.#held + text);
    return this.#counter.ends + 1;
  }
}

/** The start of a payload behind its byte order mark. Throws `wrong-charset` where that is the mark of another charset. */
export function withoutMark(bytes: Uint8Array, charset: Charset): Uint8Array {
  const mark = BYTE_ORDER_MARKS.find((m) => m.bytes.every((byte, i) => bytes[i] === byte));
  if (!mark) return bytes;
  if (mark.charset !== charset) throw failure("wrong-charset", { charset, offset: 0, line: 1, mark: mark.charset });
  return bytes.subarray(mark.bytes.length);
}

export const NO_BYTES = new Uint8Array(0);

export function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

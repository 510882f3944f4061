/**
 * Payload bytes, checked as bytes: what `TextReader` refuses is refused here with the same evidence, and what it counts is
 * counted, but no text is made. For charsets in which every byte below 80 is the ASCII character.
 */
import { isUtf8 } from "node:buffer";
import { failure } from "../../domain/failures.ts";
import { type Charset, type CharsetDecoder, decoderFor } from "./charsets.ts";
import { joined, MARK_BYTES, NO_BYTES, withoutMark } from "./text.ts";

const LF = 10;
const CR = 13;
/** Bytes looked at and given on at once: the cost of a turn does not count, and the next reader finds them in the cache. */
const WINDOW_BYTES = 65_536;
/** What a byte can be that ends the reading. */
const NUL = 1;
const REFUSED = 2;
/** Kinds are two bits; line ends are counted above them. */
const KIND_BITS = 2;
const LINE_END = 1 << KIND_BITS;

/** Reads one payload once: `for await (const window of bytes.windows(blocks))`, then `bytes.lines`. */
export class CheckedBytes {
  readonly #charset: Charset;
  readonly #decoder: CharsetDecoder;
  /** Of each byte: 0, NUL or REFUSED. */
  readonly #kinds: Uint8Array;
  #partial = NO_BYTES;
  /** Bytes before #partial. */
  #offset = 0;
  #lineEnds = 0;
  #lastByte = LF;

  constructor(charset: Charset) {
    this.#charset = charset;
    this.#decoder = decoderFor(charset);
    this.#kinds = kindsOf(charset, this.#decoder);
  }

  /** Lines of the payload, counted without regard to quotes or rows. Complete when `windows` is at its end. */
  get lines(): number {
    return this.#lineEnds + (this.#lastByte === LF || this.#lastByte === CR ? 0 : 1);
  }

  /**
   * The payload in windows of whole characters, without a byte order mark at its start; each valid until the next turn only.
   * Throws `wrong-charset` and `nul-bytes`.
   */
  async *windows(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    let start: Uint8Array | null = NO_BYTES;
    for await (const block of blocks) {
      // One kind of array, whether blocks are Buffers or not: the loops below are compiled for what they have seen.
      let bytes: Uint8Array = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
      if (start !== null) {
        bytes = joined(start, bytes);
        if (bytes.length < MARK_BYTES) {
          start = bytes.slice();
          continue;
        }
        bytes = this.#withoutMark(bytes);
        start = null;
      }
      for (let at = 0; at < bytes.length; at += WINDOW_BYTES) {
        yield this.#checked(bytes.subarray(at, at + WINDOW_BYTES), false);
      }
    }
    yield this.#checked(start === null ? NO_BYTES : this.#withoutMark(start), true);
  }

  #withoutMark(bytes: Uint8Array): Uint8Array {
    const rest = withoutMark(bytes, this.#charset);
    this.#offset = bytes.length - rest.length;
    return rest;
  }

  #checked(window: Uint8Array, atEnd: boolean): Uint8Array {
    const bytes = joined(this.#partial, window);
    const end = atEnd ? bytes.length : this.#decoder.whole(bytes);
    const whole = bytes.subarray(0, end);
    const isUnicode = this.#charset !== "utf-8" || isUtf8(whole);
    const seen = this.#look(whole, end);
    if (!isUnicode || (seen & REFUSED) !== 0) {
      const at = Math.max(this.#decoder.fault(whole), 0);
      const line = this.#lineOf(whole, at);
      throw failure("wrong-charset", { charset: this.#charset, offset: this.#offset + at, line });
    }
    if ((seen & NUL) !== 0) throw failure("nul-bytes", { line: this.#lineOf(whole, whole.indexOf(0)) });
    this.#lineEnds += seen >> KIND_BITS;
    if (end > 0) this.#lastByte = whole[end - 1]!;
    this.#offset += end;
    this.#partial = end === bytes.length ? NO_BYTES : bytes.slice(end);
    return whole;
  }

  #lineOf(bytes: Uint8Array, at: number): number {
    return this.#lineEnds + (this.#look(bytes, at) >> KIND_BITS) + 1;
  }

  /**
   * The line ends among the bytes before `end` (LF, CRLF and lone CR; a CRLF is counted at its CR), with all kinds in the
   * lowest bits: one number, so that nothing need be stored. Of four bytes at a time the first that is to be looked at.
   */
  #look(bytes: Uint8Array, end: number): number {
    const kinds = this.#kinds;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let seen = 0;
    let before = this.#lastByte;
    for (let at = 0; at < end; at++) {
      if (at + 4 <= end) {
        const word = view.getInt32(at, true);
        // The highest bit of each byte below 0E (that takes the line ends and NUL) or above 7F; above the first, of others too.
        const odd = (word | (word - 0x0e0e0e0e)) & 0x80808080;
        if (odd === 0) {
          before = 0;
          at += 3;
          continue;
        }
        const plain = (31 - Math.clz32(odd & -odd)) >> 3;
        if (plain > 0) before = 0;
        at += plain;
      }
      const byte = bytes[at]!;
      if (byte === CR || (byte === LF && before !== CR)) seen += LINE_END;
      seen |= kinds[byte]!;
      before = byte;
    }
    return seen;
  }
}

function kindsOf(charset: Charset, decoder: CharsetDecoder): Uint8Array {
  const kinds = new Uint8Array(256);
  kinds[0] = NUL;
  // In UTF-8 no byte is wrong by itself.
  if (charset === "utf-8") return kinds;
  for (let byte = 0x80; byte <= 0xff; byte++) {
    if (decoder.decode(Uint8Array.of(byte)) === undefined) kinds[byte] = REFUSED;
  }
  return kinds;
}

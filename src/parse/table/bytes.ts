/** A growing buffer of UTF-8, written in the hot loop: a call into TextEncoder costs more than a short text does here. */
import { mayBeSecond } from "./mojibake.ts";

const FIRST_BYTES = 65_536;
/**
 * A buffer grows in its first chunk and stays: to double would leave up to half of it empty in each of the buffers (2 MB of
 * what is live, measured), and to copy it some times more costs nothing.
 */
const GROWTH = 1.25;
/** A UTF-16 unit becomes three bytes of UTF-8 at most. */
const MAX_BYTES_PER_UNIT = 3;
/** From this many characters on TextEncoder is faster than the loop. */
const LONG_TEXT_CHARS = 256;

const encoder = new TextEncoder();

/** A text that is written often, as little-endian words. */
export interface Literal {
  readonly words: Int32Array;
  readonly length: number;
}

export function literal(text: string): Literal {
  const bytes = encoder.encode(text);
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  const words = Int32Array.from({ length: padded.length / 4 }, (_, i) => view.getInt32(i * 4, true));
  return { words, length: bytes.length };
}

/**
 * Writes a fixed text, four bytes at a time, and answers where it ends: what is written behind that is written over by what
 * comes next.
 */
export function putLiteral(view: DataView, start: number, { words, length }: Literal): number {
  let at = start;
  for (let i = 0; i < words.length; i++) {
    view.setInt32(at, words[i]!, true);
    at += 4;
  }
  return start + length;
}

export class Bytes {
  /** The first `length` bytes are written. Another array after a growth: do not keep it. */
  all = new Uint8Array(FIRST_BYTES);
  view = new DataView(this.all.buffer);
  length = 0;

  byte(value: number): void {
    this.reserve(1);
    this.all[this.length++] = value;
  }

  bytes(values: Uint8Array): void {
    this.reserve(values.length);
    this.all.set(values, this.length);
    this.length += values.length;
  }

  literal(text: Literal): void {
    this.reserve(text.words.length * 4);
    this.length = putLiteral(this.view, this.length, text);
  }

  /** Appends a well-formed text. */
  text(text: string): void {
    const count = text.length;
    this.reserve(count * MAX_BYTES_PER_UNIT);
    const { all } = this;
    let at = this.length;
    if (count >= LONG_TEXT_CHARS) {
      this.length = at + encoder.encodeInto(text, all.subarray(at)).written;
      return;
    }
    for (let i = 0; i < count; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x80) all[at++] = unit;
      else if (unit < 0x800) {
        all[at++] = 0xc0 | (unit >> 6);
        all[at++] = 0x80 | (unit & 0x3f);
      } else if (unit < 0xd800 || unit > 0xdfff) {
        all[at++] = 0xe0 | (unit >> 12);
        all[at++] = 0x80 | ((unit >> 6) & 0x3f);
        all[at++] = 0x80 | (unit & 0x3f);
      } else {
        const point = text.codePointAt(i++)!;
        all[at++] = 0xf0 | (point >> 18);
        all[at++] = 0x80 | ((point >> 12) & 0x3f);
        all[at++] = 0x80 | ((point >> 6) & 0x3f);
        all[at++] = 0x80 | (point & 0x3f);
      }
    }
    this.length = at;
  }

  /**
   * Appends a text that stands in JSON as it is (see `isPlain`) and has nothing of mojibake; false, with nothing appended, if
   * that takes a second look. Looking and writing in one pass is what makes texts cheap.
   */
  plainText(text: string): boolean {
    const count = text.length;
    this.reserve(count * MAX_BYTES_PER_UNIT);
    const { all } = this;
    let at = this.length;
    for (let i = 0; i < count; i++) {
      const unit = text.charCodeAt(i);
      if (unit < 0x7f) {
        if (unit < 0x20 || unit === 0x22 || unit === 0x3f || unit === 0x5c) return false;
        all[at++] = unit;
      } else if (unit < 0x800) {
        if (unit < 0xa0 || mayBeSecond(unit, text.charCodeAt(i - 1))) return false;
        all[at++] = 0xc0 | (unit >> 6);
        all[at++] = 0x80 | (unit & 0x3f);
      } else {
        if ((unit >= 0xd800 && unit <= 0xdfff) || mayBeSecond(unit, text.charCodeAt(i - 1))) return false;
        all[at++] = 0xe0 | (unit >> 12);
        all[at++] = 0x80 | ((unit >> 6) & 0x3f);
        all[at++] = 0x80 | (unit & 0x3f);
      }
    }
    this.length = at;
    return true;
  }

  dropFirst(count: number): void {
    this.all.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** Makes room for what is about to be written into `all` from `length` on. */
  reserve(more: number): void {
    if (this.length + more <= this.all.length) return;
    const larger = new Uint8Array(Math.max(this.length + more, Math.ceil(this.all.length * GROWTH)));
    larger.set(this.all.subarray(0, this.length));
    this.all = larger;
    this.view = new DataView(larger.buffer);
  }
}

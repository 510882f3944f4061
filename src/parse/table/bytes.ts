/** A growing buffer of UTF-8, written in the hot loop: a call into TextEncoder costs more than a short text does here. */

const FIRST_BYTES = 65_536;
/** A UTF-16 unit becomes three bytes of UTF-8 at most. */
const MAX_BYTES_PER_UNIT = 3;
/** From this many characters on TextEncoder is faster than the loop. */
const LONG_TEXT_CHARS = 256;

const encoder = new TextEncoder();

export class Bytes {
  /** The first `length` bytes are written. Another array after a growth: do not keep it. */
  all = new Uint8Array(FIRST_BYTES);
  view = new DataView(this.all.buffer);
  length = 0;

  byte(value: number): void {
    if (this.length === this.all.length) this.#grow(1);
    this.all[this.length++] = value;
  }

  bytes(values: Uint8Array): void {
    const count = values.length;
    if (this.length + count > this.all.length) this.#grow(count);
    const { all } = this;
    let at = this.length;
    for (let i = 0; i < count; i++) all[at++] = values[i]!;
    this.length = at;
  }

  /** Appends a well-formed text. */
  text(text: string): void {
    const count = text.length;
    if (this.length + count * MAX_BYTES_PER_UNIT > this.all.length) this.#grow(count * MAX_BYTES_PER_UNIT);
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

  dropFirst(count: number): void {
    this.all.copyWithin(0, count, this.length);
    this.length -= count;
  }

  #grow(more: number): void {
    const larger = new Uint8Array(Math.max(this.length + more, this.all.length * 2));
    larger.set(this.all.subarray(0, this.length));
    this.all = larger;
    this.view = new DataView(larger.buffer);
  }
}

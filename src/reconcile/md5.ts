/**
 * MD5 (RFC 1321) of short texts. Postgres has no other hash that is documented and as cheap, and in a Worker a call of
 * node:crypto costs 16 µs, which for the keys of 300,000 rows is ten seconds; this one takes less than one. Property tests
 * hold it equal to node:crypto's. Nobody gains from a collision here.
 */

/** Fractions of sines (RFC 1321, 3.4). */
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));

const encoder = new TextEncoder();

/** Bytes of a block; the last one ends in the length of all in bits. */
const BLOCK = 64;
const LENGTH_AT = 56;

/** The hash of a text at a time: its words stay until the next, so that the hot loop makes no garbage. */
export class Md5 {
  /** The first 4 bytes of the hash as a little-endian integer; `b`, `c` and `d` are the next ones. */
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  #bytes = new Uint8Array(16 * BLOCK);
  #words = new DataView(this.#bytes.buffer);
  readonly #block = new Int32Array(16);

  /** Hashes a text as UTF-8. */
  update(text: string): void {
    const length = this.#write(text);
    const end = Math.ceil((length + 1 + BLOCK - LENGTH_AT) / BLOCK) * BLOCK;
    this.#bytes[length] = 0x80;
    this.#bytes.fill(0, length + 1, end);
    this.#words.setUint32(end - 8, length << 3, true);
    this.#words.setUint32(end - 4, length >>> 29, true);
    this.a = 0x67452301;
    this.b = 0xefcdab89 | 0;
    this.c = 0x98badcfe | 0;
    this.d = 0x10325476;
    for (let at = 0; at < end; at += BLOCK) this.#take(at);
  }

  /** The hash as 32 hex digits. */
  hex(): string {
    let digits = "";
    for (const word of [this.a, this.b, this.c, this.d]) {
      for (let shift = 0; shift < 32; shift += 8) digits += ((word >>> shift) & 0xff).toString(16).padStart(2, "0");
    }
    return digits;
  }

  /** Writes the bytes of a text and answers how many; room for what MD5 adds is behind them. */
  #write(text: string): number {
    if (text.length * 3 + 2 * BLOCK > this.#bytes.length) {
      this.#bytes = new Uint8Array(text.length * 6 + 2 * BLOCK);
      this.#words = new DataView(this.#bytes.buffer);
    }
    const bytes = this.#bytes;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return encoder.encodeInto(text, bytes).written;
      bytes[i] = code;
    }
    return text.length;
  }

  #take(at: number): void {
    const x = this.#block;
    for (let i = 0; i < 16; i++) x[i] = this.#words.getInt32(at + i * 4, true);
    let { a, b, c, d } = this;
    for (let i = 0; i < 16; i += 4) {
      a = (b + turned(a + (d ^ (b & (c ^ d))) + x[i]! + SINES[i]!, 7)) | 0;
      d = (a + turned(d + (c ^ (a & (b ^ c))) + x[i + 1]! + SINES[i + 1]!, 12)) | 0;
      c = (d + turned(c + (b ^ (d & (a ^ b))) + x[i + 2]! + SINES[i + 2]!, 17)) | 0;
      b = (c + turned(b + (a ^ (c & (d ^ a))) + x[i + 3]! + SINES[i + 3]!, 22)) | 0;
    }
    for (let i = 16; i < 32; i += 4) {
      const k = 5 * i + 1;
      a = (b + turned(a + (c ^ (d & (b ^ c))) + x[k & 15]! + SINES[i]!, 5)) | 0;
      d = (a + turned(d + (b ^ (c & (a ^ b))) + x[(k + 5) & 15]! + SINES[i + 1]!, 9)) | 0;
      c = (d + turned(c + (a ^ (b & (d ^ a))) + x[(k + 10) & 15]! + SINES[i + 2]!, 14)) | 0;
      b = (c + turned(b + (d ^ (a & (c ^ d))) + x[(k + 15) & 15]! + SINES[i + 3]!, 20)) | 0;
    }
    for (let i = 32; i < 48; i += 4) {
      const k = 3 * i + 5;
      a = (b + turned(a + (b ^ c ^ d) + x[k & 15]! + SINES[i]!, 4)) | 0;
      d = (a + turned(d + (a ^ b ^ c) + x[(k + 3) & 15]! + SINES[i + 1]!, 11)) | 0;
      c = (d + turned(c + (d ^ a ^ b) + x[(k + 6) & 15]! + SINES[i + 2]!, 16)) | 0;
      b = (c + turned(b + (c ^ d ^ a) + x[(k + 9) & 15]! + SINES[i + 3]!, 23)) | 0;
    }
    for (let i = 48; i < 64; i += 4) {
      const k = 7 * i;
      a = (b + turned(a + (c ^ (b | ~d)) + x[k & 15]! + SINES[i]!, 6)) | 0;
      d = (a + turned(d + (b ^ (a | ~c)) + x[(k + 7) & 15]! + SINES[i + 1]!, 10)) | 0;
      c = (d + turned(c + (a ^ (d | ~b)) + x[(k + 14) & 15]! + SINES[i + 2]!, 15)) | 0;
      b = (c + turned(b + (d ^ (c | ~a)) + x[(k + 21) & 15]! + SINES[i + 3]!, 21)) | 0;
    }
    this.a = (this.a + a) | 0;
    this.b = (this.b + b) | 0;
    this.c = (this.c + c) | 0;
    this.d = (this.d + d) | 0;
  }
}

const turned = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/**
 * The part of a file that detection looks at: its beginning, its end, and lines with bytes beyond ASCII from between. The
 * size is bounded whatever the file's is; what a sample cannot show is verified on the stream by the reader.
 */

import { nextAccent } from "./accents.ts";

/** Enough for some thousand rows, so that a column's rare values are among them; detection stays in milliseconds. */
export const HEAD_BYTES = 262_144;
/** Where totals and trailers stand. */
export const TAIL_BYTES = 65_536;
/** Lines with special characters: a few hundred names tell the charset. */
export const ACCENTED_BYTES = 32_768;
/** Bytes taken around a special character where no line end is near. */
const LINE_MAX_BYTES = 512;

export interface Sample {
  /** The first bytes of the file. */
  readonly head: Uint8Array;
  /** Size of the whole file in bytes. */
  readonly size: number;
  /** The last bytes of the file; empty where the head is all of it. */
  readonly tail: Uint8Array;
  /** Lines between that hold bytes beyond ASCII; as they stand, joined. Empty for files of 16-bit units. */
  readonly accented: Uint8Array;
}

/** A sample of bytes that are all at hand. */
export function sampleOf(bytes: Uint8Array): Sample {
  const taker = new SampleTaker();
  taker.add(bytes);
  return taker.sample();
}

/** Takes the sample of a file that passes by in blocks. A block may be overwritten after `add`. */
export class SampleTaker {
  readonly #head = new Uint8Array(HEAD_BYTES);
  readonly #tail = new Uint8Array(TAIL_BYTES);
  #accented = new Uint8Array(0);
  #accentedLength = 0;
  #size = 0;

  add(block: Uint8Array): void {
    let rest = block;
    if (this.#size < HEAD_BYTES) {
      const taken = rest.subarray(0, HEAD_BYTES - this.#size);
      this.#head.set(taken, this.#size);
      this.#size += taken.length;
      rest = rest.subarray(taken.length);
    }
    if (rest.length === 0) return;
    this.#keepTail(rest);
    this.#size += rest.length;
    if (this.#accentedLength < ACCENTED_BYTES) this.#keepAccented(rest);
  }

  sample(): Sample {
    const beyond = this.#size - HEAD_BYTES;
    return {
      head: this.#head.slice(0, Math.min(this.#size, HEAD_BYTES)),
      size: this.#size,
      tail: beyond <= 0 ? new Uint8Array(0) : this.#tail.slice(TAIL_BYTES - Math.min(beyond, TAIL_BYTES)),
      accented: this.#accented.slice(0, this.#accentedLength),
    };
  }

  #keepTail(block: Uint8Array): void {
    const kept = block.length > TAIL_BYTES ? block.subarray(block.length - TAIL_BYTES) : block;
    this.#tail.copyWithin(0, kept.length);
    this.#tail.set(kept, TAIL_BYTES - kept.length);
  }

  /** Lines of the block with a byte from 80 on. A line that goes over the edge of the block is taken in part. */
  #keepAccented(block: Uint8Array): void {
    if (this.#accented.length === 0) this.#accented = new Uint8Array(ACCENTED_BYTES);
    for (let at = nextAccent(block, 0); at !== -1; ) {
      const start = Math.max(block.lastIndexOf(0x0a, at) + 1, at - LINE_MAX_BYTES);
      const lineEnd = block.indexOf(0x0a, at);
      const end = Math.min(lineEnd === -1 ? block.length : lineEnd + 1, at + LINE_MAX_BYTES);
      // The first and the last line of a block may begin or end inside a character: only whole lines count.
      if (start > 0 && lineEnd !== -1 && end === lineEnd + 1 && at - start < LINE_MAX_BYTES) {
        const line = block.subarray(start, end);
        if (this.#accentedLength + line.length > ACCENTED_BYTES) {
          this.#accentedLength = Math.min(this.#accentedLength, ACCENTED_BYTES);
          return;
        }
        this.#accented.set(line, this.#accentedLength);
        this.#accentedLength += line.length;
      }
      at = nextAccent(block, Math.max(end, at + 1));
    }
  }
}

/** The head without what follows its last line end, unless it is the whole file: nothing in it is cut off. */
export function wholeLines(sample: Sample, unitBytes: 1 | 2, littleEndian = true): Uint8Array {
  const { head, size } = sample;
  if (head.length === size) return head;
  for (let at = head.length - unitBytes - (head.length % unitBytes); at > 0; at -= unitBytes) {
    const unit =
      unitBytes === 1 ? head[at]! : littleEndian ? head[at]! | (head[at + 1]! << 8) : (head[at]! << 8) | head[at + 1]!;
    if (unit === 0x0a || (unit === 0x0d && at < head.length - 4 * unitBytes)) return head.subarray(0, at + unitBytes);
  }
  return head;
}

/** The tail from the line end in it on. */
export function tailLines(sample: Sample, unitBytes: 1 | 2, littleEndian = true): Uint8Array {
  const { tail, size } = sample;
  const odd = unitBytes === 2 && (size - tail.length) % 2 === 1 ? 1 : 0;
  for (let at = odd; at + unitBytes <= tail.length; at += unitBytes) {
    const unit =
      unitBytes === 1 ? tail[at]! : littleEndian ? tail[at]! | (tail[at + 1]! << 8) : (tail[at]! << 8) | tail[at + 1]!;
    if (unit === 0x0a || unit === 0x0d) return tail.subarray(at + unitBytes);
  }
  return new Uint8Array(0);
}

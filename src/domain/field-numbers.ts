/** What the numbers of one column come to, counted while a file is read: a few bytes that show when a column went wrong. Pure. */

/** One column over many rows. Sizes only: with their signs, the lines of a journal add up to nothing. */
export interface FieldNumbers {
  /** Values that are there. */
  readonly values: number;
  readonly blanks: number;
  readonly zeros: number;
  /** Sum of the sizes. A float: it is held against a factor. */
  readonly total: number;
  /** Size in the middle of the values that are not 0, to within `MEDIAN_ERROR`; left out where there is none. */
  readonly median?: number;
}

/** Buckets from one power of two to the next, all as wide: 5 bits, the first of a float's mantissa. */
const BUCKET_BITS = 5;
const BUCKETS_PER_OCTAVE = 1 << BUCKET_BITS;
/** By so much, as a factor, a median may be off: half of the widest bucket, which is the first of its octave. */
export const MEDIAN_ERROR = Math.sqrt(1 + 1 / BUCKETS_PER_OCTAVE);

/** Sizes between 2^-64 and 2^128 are told apart: decimals have up to 38 digits before the mark. */
const LOWEST_EXPONENT = -64;
const OCTAVES = 192;
/** The exponent of a float is stored with this added. */
const FLOAT_BIAS = 1_023;
const FIRST_BUCKET = (FLOAT_BIAS + LOWEST_EXPONENT) << BUCKET_BITS;
/** Bits of the mantissa in the upper word of a float that are not in its bucket. */
const REST_BITS = 20 - BUCKET_BITS;

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
/** Which of the two is the upper one. */
const UPPER = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** Counts the values of one column in 24 kB, however many there are. A value costs a few nanoseconds. */
export class FieldTally {
  #values = 0;
  #blanks = 0;
  #zeros = 0;
  #total = 0;
  #buckets: Uint32Array | undefined;

  /** A number, a decimal as text, or null for a blank cell. What is none of these is left out. */
  add(value: unknown): void {
    if (value === null || value === undefined || value === "") {
      this.#blanks++;
      return;
    }
    const size = Math.abs(Number(value));
    if (Number.isFinite(size)) this.addSize(size);
  }

  /** A value without its sign: finite, not below 0. */
  addSize(size: number): void {
    this.#values++;
    if (size === 0) {
      this.#zeros++;
      return;
    }
    this.#total += size;
    float[0] = size;
    const bucket = (words[UPPER]! >>> REST_BITS) - FIRST_BUCKET;
    this.#buckets ??= new Uint32Array(OCTAVES * BUCKETS_PER_OCTAVE);
    const last = this.#buckets.length - 1;
    this.#buckets[bucket < 0 ? 0 : bucket > last ? last : bucket]!++;
  }

  get numbers(): FieldNumbers {
    const median = this.#median();
    return {
      values: this.#values,
      blanks: this.#blanks,
      zeros: this.#zeros,
      total: this.#total,
      ...(median === undefined ? {} : { median }),
    };
  }

  #median(): number | undefined {
    let left = (this.#values - this.#zeros + 1) >> 1;
    for (const [bucket, count] of (this.#buckets ?? []).entries()) {
      left -= count;
      if (left <= 0) return Math.sqrt(lowestOf(bucket) * lowestOf(bucket + 1));
    }
    return undefined;
  }
}

/** The smallest size in a bucket. */
function lowestOf(bucket: number): number {
  const octave = 2 ** (LOWEST_EXPONENT + (bucket >> BUCKET_BITS));
  return octave * (1 + (bucket & (BUCKETS_PER_OCTAVE - 1)) / BUCKETS_PER_OCTAVE);
}

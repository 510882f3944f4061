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

/** Buckets from one power of two to the next. */
const BUCKETS_PER_OCTAVE = 16;
/** By so much, as a factor, a median may be off: half a bucket. */
export const MEDIAN_ERROR = 2 ** (1 / (2 * BUCKETS_PER_OCTAVE));

/** Counts the values of one column. Its memory depends on how far apart they lie, not on how many there are. */
export class FieldTally {
  #values = 0;
  #blanks = 0;
  #zeros = 0;
  #total = 0;
  readonly #buckets = new Map<number, number>();

  /** A number, a decimal as text, or null for a blank cell. What is none of these is left out. */
  add(value: unknown): void {
    if (value === null || value === undefined || value === "") {
      this.#blanks++;
      return;
    }
    const size = Math.abs(Number(value));
    if (!Number.isFinite(size)) return;
    this.#values++;
    if (size === 0) {
      this.#zeros++;
      return;
    }
    this.#total += size;
    const bucket = Math.round(Math.log2(size) * BUCKETS_PER_OCTAVE);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
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
    for (const [bucket, count] of [...this.#buckets].sort(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return 2 ** (bucket / BUCKETS_PER_OCTAVE);
    }
    return undefined;
  }
}

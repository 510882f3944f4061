/**
 * The cheap half of a comparison: rows are dealt out into buckets by a hash of their key, and of each bucket both sides make
 * a digest. Here it is made of a file, in `record_buckets` (SQL) of the records; a property test holds them equal. Pure.
 */
import { Md5 } from "./md5.ts";

/** The first two bytes of a key's MD5 tell its bucket. */
export const BUCKET_MAX_BITS = 16;
/**
 * Rows of a bucket: each costs 16 characters on the wire however many rows it has, and each that differs the rows in it. At
 * 24 the digests of 300,000 records are 262 kB, and 100 rows that differ ask for 1,800.
 */
export const ROWS_PER_BUCKET = 24;

/** How many bits of a key's hash tell its bucket, for a number of rows. */
export function bucketBits(rows: number): number {
  const buckets = Math.max(1, rows / ROWS_PER_BUCKET);
  return Math.min(BUCKET_MAX_BITS, Math.ceil(Math.log2(buckets)));
}

/** Every use reads its words before the next: nothing here waits for anything. */
const md5 = new Md5();

/** The bucket of a key, from 0. */
export function bucketOf(key: string, bits: number): number {
  md5.update(key);
  return (((md5.a & 0xff) << 8) | ((md5.a >>> 8) & 0xff)) >>> (BUCKET_MAX_BITS - bits);
}

/** 52 bits of a key's hash, as a number: for sets of keys of which the texts need not be kept. */
export function keyNumber(key: string): number {
  md5.update(key);
  return (md5.a >>> 0) + (md5.b & 0xfffff) * 2 ** 32;
}

/** Bytes of a bucket as the database answers it: a digest of 8, as the bytes of an MD5 stand, and a count of 4. */
const BUCKET_BYTES = 12;

/** The digests of 2^bits buckets: 12 bytes each, whatever the number of rows. */
export class Buckets {
  readonly bits: number;
  readonly #first: Int32Array;
  readonly #second: Int32Array;
  readonly #counts: Int32Array;

  constructor(bits: number) {
    this.bits = bits;
    this.#first = new Int32Array(2 ** bits);
    this.#second = new Int32Array(2 ** bits);
    this.#counts = new Int32Array(2 ** bits);
  }

  /** Reads what `record_buckets` answers. Throws RangeError if it is not of that many buckets. */
  static read(bits: number, base64: string): Buckets {
    const bytes = Buffer.from(base64, "base64");
    if (bytes.length !== 2 ** bits * BUCKET_BYTES) throw new RangeError(`${bytes.length} bytes for 2^${bits} buckets`);
    const buckets = new Buckets(bits);
    for (let n = 0; n < 2 ** bits; n++) {
      buckets.#first[n] = bytes.readInt32LE(n * BUCKET_BYTES);
      buckets.#second[n] = bytes.readInt32LE(n * BUCKET_BYTES + 4);
      buckets.#counts[n] = bytes.readInt32BE(n * BUCKET_BYTES + 8);
    }
    return buckets;
  }

  /** Takes a row. `seal`: 32 hex digits that say what it holds. XOR, so rows may come in any order. */
  add(key: string, seal: string): void {
    const bucket = bucketOf(key, this.bits);
    md5.update(key + seal);
    this.#first[bucket]! ^= md5.a;
    this.#second[bucket]! ^= md5.b;
    this.#counts[bucket]!++;
  }

  /** Rows in a bucket. */
  rowsIn(bucket: number): number {
    return this.#counts[bucket]!;
  }

  /** Rows in all buckets. */
  get rows(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** Buckets that are not the same on both sides, ascending. */
  differing(other: Buckets): number[] {
    const found: number[] = [];
    for (let n = 0; n < 2 ** this.bits; n++) {
      if (
        this.#first[n] !== other.#first[n] ||
        this.#second[n] !== other.#second[n] ||
        this.#counts[n] !== other.#counts[n]
      ) {
        found.push(n);
      }
    }
    return found;
  }
}

/** A set of buckets as `bucket_rows` takes it: bit n is bit n % 8 of byte n / 8, as hex digits. */
export function bucketMask(bits: number, buckets: Iterable<number>): string {
  const bytes = Buffer.alloc(Math.max(1, 2 ** bits / 8));
  for (const n of buckets) bytes[n >> 3]! |= 1 << (n & 7);
  return bytes.toString("hex");
}

/** Between the values of a seal; JSON escapes it inside them. */
const BETWEEN_VALUES = "\u001e";

/** The seal of a record by the values of some fields; one that is not there is null. */
export function sealOfFields(record: Readonly<Record<string, unknown>>, fields: readonly string[]): string {
  md5.update(fields.map((field) => JSON.stringify(record[field] ?? null)).join(BETWEEN_VALUES));
  return md5.hex();
}

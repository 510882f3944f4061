/**
 * The cheap half of a comparison: rows are dealt out into buckets by a hash of their key, and of each bucket both sides make
 * a digest. Here it is made of a file, in `record_buckets` (SQL) of the records; a property test holds them equal. Pure.
 */
import { Hash64 } from "./hash64.ts";

/** By what rows are the same: their row hash, or the values of the compared fields. */
export type Seal = "hash" | "fields";

/** 65,536 buckets are 1 MB on the wire. */
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
const hash = new Hash64();

const bucketAt = (bits: number): number => hash.low & (2 ** bits - 1);

/** The bucket of a key, from 0. */
export function bucketOf(key: string, bits: number): number {
  hash.text(key);
  return bucketAt(bits);
}

/** 53 bits of a key's hash, as a number: for sets of keys of which the texts need not be kept. */
export function keyNumber(key: string): number {
  hash.text(key);
  return (hash.low >>> 0) + (hash.high & 0x1fffff) * 2 ** 32;
}

/** Leaves the digest of a row behind the hash of its key, so that a value that went to another row is another digest. */
function takeContent(seal: Seal, content: string): void {
  if (seal === "hash") hash.uuid(content, hash.high, hash.low);
  else hash.text(content, hash.high, hash.low);
}

/** The digest of a row as 16 hex digits. `content`: its row hash, or its values as `valuesText` writes them. */
export function rowDigest(seal: Seal, key: string, content: string): string {
  hash.text(key);
  takeContent(seal, content);
  return hash.hex();
}

/** Between values; JSON escapes it inside them. */
const BETWEEN_VALUES = "\u001e";

/** The values of some fields of a record as JSON texts; one that is not there is null. */
export const valuesText = (record: Readonly<Record<string, unknown>>, fields: readonly string[]): string =>
  fields.map((field) => JSON.stringify(record[field] ?? null)).join(BETWEEN_VALUES);

/** Bytes of a bucket as the database answers it: a digest of 8 and a count of 4. */
const BUCKET_BYTES = 12;

/** The digests of 2^bits buckets: 12 bytes each, whatever the number of rows. */
export class Buckets {
  readonly bits: number;
  readonly #seal: Seal;
  readonly #high: Int32Array;
  readonly #low: Int32Array;
  readonly #counts: Int32Array;

  constructor(bits: number, seal: Seal) {
    this.bits = bits;
    this.#seal = seal;
    this.#high = new Int32Array(2 ** bits);
    this.#low = new Int32Array(2 ** bits);
    this.#counts = new Int32Array(2 ** bits);
  }

  /** Reads what `record_buckets` answers. Throws RangeError if it is not of that many buckets. */
  static read(bits: number, seal: Seal, base64: string): Buckets {
    const bytes = Buffer.from(base64, "base64");
    if (bytes.length !== 2 ** bits * BUCKET_BYTES) throw new RangeError(`${bytes.length} bytes for 2^${bits} buckets`);
    const buckets = new Buckets(bits, seal);
    for (let n = 0; n < 2 ** bits; n++) {
      buckets.#high[n] = bytes.readInt32BE(n * BUCKET_BYTES);
      buckets.#low[n] = bytes.readInt32BE(n * BUCKET_BYTES + 4);
      buckets.#counts[n] = bytes.readInt32BE(n * BUCKET_BYTES + 8);
    }
    return buckets;
  }

  /** Takes a row; `content` as in `rowDigest`. XOR, so rows may come in any order. */
  add(key: string, content: string): void {
    hash.text(key);
    const bucket = bucketAt(this.bits);
    takeContent(this.#seal, content);
    this.#high[bucket]! ^= hash.high;
    this.#low[bucket]! ^= hash.low;
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
      const same =
        this.#high[n] === other.#high[n] && this.#low[n] === other.#low[n] && this.#counts[n] === other.#counts[n];
      if (!same) found.push(n);
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

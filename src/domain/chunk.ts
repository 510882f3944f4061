/**
 * A chunk: up to CHUNK_MAX_ROWS records of one file, kept in R2 in exactly the shape in which plan and apply send it to
 * Postgres. Four lines of UTF-8 text:
 *
 *   1 natural keys, joined by U+001E      2 physical line numbers, joined by ","
 *   3 row hashes (32 hex digits), joined by ","      4 records as JSON texts, joined by U+001E
 *
 * No value can hold a separator: control characters are refused in keys, and JSON escapes them in records. Lines 1 to 3
 * are the head: all that plan reads, by a ranged read of `headBytes`.
 */

/** Flat optimum of the apply statement: 2,000 to 10,000 rows make no difference. */
export const CHUNK_MAX_ROWS = 5_000;
/** Line 4 at most: with JSON escaping on the wire a request stays under 4 MB (Neon's proxy refuses above 10 MiB). */
export const CHUNK_MAX_DATA_BYTES = 2_000_000;
/** More rows than this that repeat an earlier key are not settled but refused: it bounds memory in parse and plan. */
export const MAX_DUPLICATE_ROWS = 200_000;

/**
 * Main chunks are numbered from 0, tail chunks from here: a tail is written as soon as it is full, while main chunks still
 * follow, and yet comes after all of them by number too. No file has so many main chunks (5 million rows at most).
 */
export const TAIL_FIRST_N = 100_000_000;

export const SEPARATOR = "\u001e";

/**
 * One chunk in the manifest of a file (`files.chunks`), main chunks before tail chunks. `tail`: it holds rows whose key
 * stood earlier in the file (in a main chunk or in the tail), in the order of the file.
 */
export interface ChunkEntry {
  readonly n: number;
  readonly rows: number;
  readonly headBytes: number;
  readonly bytes: number;
  readonly tail?: true;
}

export interface ChunkHead {
  readonly keys: string[];
  readonly lines: number[];
  readonly hashes: string[];
}

export interface Chunk extends ChunkHead {
  /** Each a JSON object text. */
  readonly records: string[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a chunk and its manifest entry. */
export function encodeChunk(
  n: number,
  chunk: Chunk,
  tail: boolean,
): { bytes: Uint8Array<ArrayBuffer>; entry: ChunkEntry } {
  const head = encoder.encode(`${chunk.keys.join(SEPARATOR)}\n${chunk.lines.join(",")}\n${chunk.hashes.join(",")}\n`);
  const data = encoder.encode(chunk.records.join(SEPARATOR));
  const bytes = new Uint8Array(head.byteLength + data.byteLength);
  bytes.set(head);
  bytes.set(data, head.byteLength);
  const entry: ChunkEntry = {
    n,
    rows: chunk.keys.length,
    headBytes: head.byteLength,
    bytes: bytes.byteLength,
    ...(tail ? { tail: true as const } : {}),
  };
  return { bytes, entry };
}

/** Reads lines 1 to 3. Throws RangeError if the three do not have the same number of entries. */
export function decodeHead(bytes: Uint8Array): ChunkHead {
  const [keys = "", lines = "", hashes = ""] = decoder.decode(bytes).split("\n");
  const head = { keys: keys.split(SEPARATOR), lines: lines.split(",").map(Number), hashes: hashes.split(",") };
  if (head.keys.length !== head.lines.length || head.lines.length !== head.hashes.length) {
    throw new RangeError(
      `chunk head: ${head.keys.length} keys, ${head.lines.length} lines, ${head.hashes.length} hashes`,
    );
  }
  return head;
}

/** Reads a whole chunk. */
export function decodeChunk(bytes: Uint8Array, headBytes: number): Chunk {
  const head = decodeHead(bytes.subarray(0, headBytes));
  const records = decoder.decode(bytes.subarray(headBytes)).split(SEPARATOR);
  if (records.length !== head.keys.length) {
    throw new RangeError(`chunk: ${head.keys.length} keys, ${records.length} records`);
  }
  return { ...head, records };
}

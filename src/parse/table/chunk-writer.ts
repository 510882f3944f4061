/**
 * Records → chunks as bytes, in the format of domain/chunk.ts, and their row hashes. Text becomes bytes at once, so that
 * nothing keeps a slice of the file alive, and the hash is taken from the bytes.
 *
 * The row hash is MurmurHash3 x86_128 of the record's JSON text in UTF-8: columns in the order of the adapter, values in
 * canonical form. So it covers the column names, tells null from the empty text and a number from a text, and anyone can
 * make it again from a stored chunk.
 */
import { CHUNK_MAX_DATA_BYTES, CHUNK_MAX_ROWS, type ChunkEntry, SEPARATOR } from "../../domain/chunk.ts";
import { Bytes } from "./bytes.ts";
import { HASH_HEX_BYTES, hashBytes, hashWords, writeHex } from "./hash.ts";

const SEPARATOR_BYTE = SEPARATOR.charCodeAt(0);
const NEWLINE_BYTE = 10;
const COMMA_BYTE = 44;
const HASH_SEED = 0;

export interface EncodedChunk {
  readonly entry: ChunkEntry;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const encoder = new TextEncoder();

export class ChunkWriter {
  /**
   * Records and keys of the chunk at hand, each with its separator. The next ones are written behind them: `commit` makes a
   * row of them, `drop` removes them.
   */
  readonly records = new Bytes();
  readonly keys = new Bytes();
  /** Where the bytes of the last row end, separator included; of each row. */
  #keysEnd = 0;
  #recordsEnd = 0;
  readonly #keyEnds = new Int32Array(CHUNK_MAX_ROWS);
  readonly #recordEnds = new Int32Array(CHUNK_MAX_ROWS);
  readonly #lines = new Int32Array(CHUNK_MAX_ROWS);
  #rows = 0;
  readonly #hash = hashWords();
  readonly #tail: boolean;
  #n: number;
  #rowsWritten = 0;

  /** `firstN`: number of the first chunk; the others follow. */
  constructor(firstN: number, tail: boolean) {
    this.#n = firstN;
    this.#tail = tail;
  }

  /** Rows in the chunks made so far. */
  get rowsWritten(): number {
    return this.#rowsWritten;
  }

  /** Makes a row of the record and the key that were written last. True when a chunk is full. */
  commit(line: number): boolean {
    this.records.byte(SEPARATOR_BYTE);
    this.keys.byte(SEPARATOR_BYTE);
    this.#recordsEnd = this.records.length;
    this.#keysEnd = this.keys.length;
    const row = this.#rows++;
    // Behind the end of an array writing does nothing, without a word.
    if (row === CHUNK_MAX_ROWS) throw new RangeError("a chunk that was full was not taken");
    this.#recordEnds[row] = this.#recordsEnd;
    this.#keyEnds[row] = this.#keysEnd;
    this.#lines[row] = line;
    return this.#fullRows() > 0;
  }

  /** Removes what was written behind the last row. */
  drop(): void {
    this.records.length = this.#recordsEnd;
    this.keys.length = this.#keysEnd;
  }

  /** Hash of the key that was written last. */
  hashKey(out: Int32Array): void {
    hashBytes(this.keys.view, this.#keysEnd, this.keys.length, HASH_SEED, out);
  }

  /** Moves what was written behind the last row to behind the last row of another writer. */
  moveTo(other: ChunkWriter): void {
    other.records.bytes(this.records.all.subarray(this.#recordsEnd, this.records.length));
    other.keys.bytes(this.keys.all.subarray(this.#keysEnd, this.keys.length));
    this.drop();
  }

  /** The chunks that are full, all if `atEnd`. Where a chunk ends depends on the rows alone, not on when this is called. */
  *take(atEnd: boolean): Generator<EncodedChunk, void, undefined> {
    for (let rows = this.#fullRows(); rows > 0; rows = this.#fullRows()) yield this.#cut(rows);
    if (atEnd && this.#rows > 0) yield this.#cut(this.#rows);
  }

  /** Rows of the next chunk if it is full, else 0. A record larger than a chunk's data makes a chunk by itself. */
  #fullRows(): number {
    const ends = this.#recordEnds;
    let rows = this.#rows;
    if (rows === 0) return 0;
    // The separator behind the last record is not written.
    if (ends[rows - 1]! - 1 <= CHUNK_MAX_DATA_BYTES) return rows === CHUNK_MAX_ROWS ? CHUNK_MAX_ROWS : 0;
    while (rows > 1 && ends[rows - 1]! - 1 > CHUNK_MAX_DATA_BYTES) rows--;
    // Fewer rows than there are: the next one would not have fitted.
    return rows;
  }

  #cut(rows: number): EncodedChunk {
    const keyBytes = this.#keyEnds[rows - 1]!;
    const recordBytes = this.#recordEnds[rows - 1]!;
    const lines = encoder.encode(this.#lines.subarray(0, rows).join(","));
    // Each line of the head ends in LF where its last separator would be; the records end without.
    const headBytes = keyBytes + lines.byteLength + 1 + rows * (HASH_HEX_BYTES + 1);
    const bytes = new Uint8Array(headBytes + recordBytes - 1);
    bytes.set(this.keys.all.subarray(0, keyBytes));
    bytes[keyBytes - 1] = NEWLINE_BYTE;
    bytes.set(lines, keyBytes);
    bytes[keyBytes + lines.byteLength] = NEWLINE_BYTE;
    this.#writeHashes(bytes, keyBytes + lines.byteLength + 1, rows);
    bytes[headBytes - 1] = NEWLINE_BYTE;
    bytes.set(this.records.all.subarray(0, recordBytes - 1), headBytes);

    this.keys.dropFirst(keyBytes);
    this.records.dropFirst(recordBytes);
    this.#recordsEnd -= recordBytes;
    this.#keysEnd -= keyBytes;
    dropFirst(this.#keyEnds, rows, keyBytes);
    dropFirst(this.#recordEnds, rows, recordBytes);
    this.#lines.copyWithin(0, rows);
    this.#rows -= rows;
    this.#rowsWritten += rows;
    const tail = this.#tail ? { tail: true as const } : {};
    return { entry: { n: this.#n++, rows, headBytes, bytes: bytes.byteLength, ...tail }, bytes };
  }

  #writeHashes(target: Uint8Array, at: number, rows: number): void {
    const { view } = this.records;
    let start = 0;
    let to = at;
    for (let row = 0; row < rows; row++) {
      const end = this.#recordEnds[row]!;
      hashBytes(view, start, end - 1, HASH_SEED, this.#hash);
      writeHex(this.#hash, target, to);
      to += HASH_HEX_BYTES;
      target[to++] = COMMA_BYTE;
      start = end;
    }
  }
}

function dropFirst(ends: Int32Array, count: number, bytes: number): void {
  ends.copyWithin(0, count);
  for (let i = 0; i < ends.length - count; i++) ends[i]! -= bytes;
}

/**
 * Which rows go to Postgres together. A pure function of the manifest and the plan, so that a second attempt sends the
 * very same batches and the ledger knows them again.
 */
import {
  CHUNK_MAX_DATA_BYTES,
  CHUNK_MAX_ROWS,
  type ChunkEntry,
  decodeChunk,
  decodeHead,
  SEPARATOR,
} from "../domain/chunk.ts";
import { failure } from "../domain/failures.ts";
import { chosenText, type DiffPlan, forWire, headText, joinRows, type RowsText, standing } from "../domain/plan.ts";

export interface Batch extends RowsText {
  /** JSON texts joined by newline. */
  readonly records: string;
}

/** All rows of a chunk that stand; `rows` may be 0. */
export function wholeBatch(bytes: Uint8Array, entry: ChunkEntry, lastLines: ReadonlyMap<string, number>): Batch {
  if (lastLines.size === 0) {
    const records = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8", entry.headBytes);
    return { ...headText(bytes.subarray(0, entry.headBytes), entry.rows), records: forWire(records) };
  }
  const chunk = decodeChunk(bytes, entry.headBytes);
  const positions = standing(chunk, lastLines);
  return { ...chosenText(chunk, positions), records: positions.map((i) => chunk.records[i]).join("\n") };
}

interface Picked {
  readonly text: RowsText;
  readonly records: readonly string[];
}

/** The rows of a chunk on the given lines, which stand in the chunk's own order. Only their records are decoded. */
function pick(bytes: Uint8Array, entry: ChunkEntry, lines: readonly number[]): Picked {
  const head = decodeHead(bytes.subarray(0, entry.headBytes));
  const wanted = new Set(lines);
  const positions: number[] = [];
  for (const [i, line] of head.lines.entries()) if (wanted.has(line)) positions.push(i);
  if (positions.length !== lines.length) {
    throw failure("internal-error", {
      message: `chunk ${entry.n} has ${positions.length} of ${lines.length} planned lines`,
    });
  }
  return { text: chosenText(head, positions), records: recordsAt(bytes, entry.headBytes, positions) };
}

const SEPARATOR_BYTE = SEPARATOR.charCodeAt(0);

/** The records at ascending positions, found by walking from separator byte to separator byte. */
function recordsAt(bytes: Uint8Array, headBytes: number, positions: readonly number[]): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: string[] = [];
  let position = 0;
  let start = headBytes;
  for (const wanted of positions) {
    for (; position < wanted; position++) start = buffer.indexOf(SEPARATOR_BYTE, start) + 1;
    const end = buffer.indexOf(SEPARATOR_BYTE, start);
    records.push(buffer.toString("utf8", start, end < 0 ? buffer.length : end));
  }
  return records;
}

/**
 * The rows that a plan needs, pooled over the chunks in their order into batches of at most `maxRows` rows and about
 * CHUNK_MAX_DATA_BYTES characters of records. Chunks without such rows are not read.
 */
export async function* neededBatches(
  chunks: readonly ChunkEntry[],
  plan: DiffPlan,
  read: (entry: ChunkEntry) => Promise<Uint8Array>,
  maxRows = CHUNK_MAX_ROWS,
): AsyncGenerator<Batch> {
  let pool: Picked[] = [];
  let rows = 0;
  let characters = 0;
  const wanted = chunks.filter((entry) => plan.need.has(entry.n));
  for await (const { entry, bytes } of readAhead(wanted, read)) {
    const lines = plan.need.get(entry.n)!;
    for (let from = 0; from < lines.length; ) {
      const picked = pick(bytes, entry, lines.slice(from, from + maxRows - rows));
      pool.push(picked);
      from += picked.text.rows;
      rows += picked.text.rows;
      for (const record of picked.records) characters += record.length;
      if (rows >= maxRows || characters >= CHUNK_MAX_DATA_BYTES) {
        yield batchOf(pool);
        pool = [];
        rows = 0;
        characters = 0;
      }
    }
  }
  if (rows > 0) yield batchOf(pool);
}

const batchOf = (pool: readonly Picked[]): Batch => ({
  ...joinRows(pool.map((picked) => picked.text)),
  records: pool.flatMap((picked) => picked.records).join("\n"),
});

/** Chunks read at once ahead of the one that is being pooled: hides storage latency, bounds memory. */
const READ_AHEAD = 2;

async function* readAhead(
  entries: readonly ChunkEntry[],
  read: (entry: ChunkEntry) => Promise<Uint8Array>,
): AsyncGenerator<{ entry: ChunkEntry; bytes: Uint8Array }> {
  const begun: Promise<Uint8Array>[] = [];
  for (const [i, entry] of entries.entries()) {
    for (let next = i + begun.length; next < Math.min(entries.length, i + READ_AHEAD); next++) {
      const reading = read(entries[next]!);
      // A failed read is told when its turn comes; until then it must not count as unhandled.
      reading.catch(() => undefined);
      begun.push(reading);
    }
    yield { entry, bytes: await begun.shift()! };
  }
}

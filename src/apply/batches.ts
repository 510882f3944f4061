/**
 * Which rows go to Postgres together. A pure function of the manifest and the plan, so that a second attempt sends the
 * very same batches and the ledger knows them again.
 */
import { CHUNK_MAX_DATA_BYTES, CHUNK_MAX_ROWS, type ChunkEntry, decodeChunk, SEPARATOR } from "../domain/chunk.ts";
import { failure } from "../domain/failures.ts";
import { LANES } from "../domain/lanes.ts";
import { chosenText, type DiffPlan, findLines, forWire, headText, type RowsText, standing } from "../domain/plan.ts";

export interface Batch extends RowsText {
  /** JSON texts joined by newline. */
  readonly records: string;
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** All rows of a chunk that stand; `rows` may be 0. Where nothing is superseded the rows are not even taken apart. */
export function wholeBatch(bytes: Uint8Array, entry: ChunkEntry, lastLines: ReadonlyMap<string, number>): Batch {
  if (lastLines.size === 0) {
    const records = bufferOf(bytes).toString("utf8", entry.headBytes);
    return { ...headText(bytes.subarray(0, entry.headBytes), entry.rows), records: forWire(records) };
  }
  const chunk = decodeChunk(bytes, entry.headBytes);
  const positions = standing(chunk, lastLines);
  return { ...chosenText(chunk, positions), records: positions.map((i) => chunk.records[i]).join("\n") };
}

interface Row {
  readonly key: string;
  readonly line: number;
  readonly hash: string;
  readonly record: string;
  /** Size of the record in UTF-8. */
  readonly bytes: number;
}

const SEPARATOR_BYTE = SEPARATOR.charCodeAt(0);

/** A hash in the head: 32 hex digits and a comma. */
const HASH_STRIDE = 33;

/**
 * The rows of a chunk on the given lines, which ascend as those of the chunk do. Of the other rows nothing is decoded but
 * the key: their records are stepped over from separator byte to separator byte.
 */
function pick(bytes: Uint8Array, entry: ChunkEntry, lines: readonly number[]): Row[] {
  const buffer = bufferOf(bytes);
  const [keysText = "", linesText = "", hashes = ""] = buffer.toString("utf8", 0, entry.headBytes).split("\n", 3);
  const found = findLines(linesText, lines);
  if (found.length !== lines.length) {
    throw failure("internal-error", {
      message: `chunk ${entry.n} has ${found.length} of ${lines.length} planned lines`,
    });
  }
  const keys = keysText.split(SEPARATOR);
  const endFrom = (start: number) => {
    const separator = buffer.indexOf(SEPARATOR_BYTE, start);
    return separator < 0 ? buffer.length : separator;
  };
  let start = entry.headBytes;
  let reached = 0;
  return found.map(({ line, at }) => {
    for (; reached < at; reached++) start = endFrom(start) + 1;
    const end = endFrom(start);
    const hash = hashes.slice(at * HASH_STRIDE, (at + 1) * HASH_STRIDE - 1);
    return { key: keys[at]!, line, hash, record: buffer.toString("utf8", start, end), bytes: end - start };
  });
}

/** Lines to read by chunk: those that the plan needs, and those that are folded into them. */
function linesToRead(plan: DiffPlan): Map<number, readonly number[]> {
  const lines = new Map(plan.need);
  if (plan.folds.size === 0) return lines;
  const earlier = new Map<number, number[]>();
  for (const needed of plan.need.values()) {
    for (const { n, line } of needed.flatMap((line) => plan.folds.get(line)?.earlier ?? [])) {
      const ofChunk = earlier.get(n);
      if (ofChunk) ofChunk.push(line);
      else earlier.set(n, [line]);
    }
  }
  for (const [n, more] of earlier)
    lines.set(
      n,
      [...(lines.get(n) ?? []), ...more].sort((a, b) => a - b),
    );
  return lines;
}

/**
 * Joins the rows of a fold to one, whose record is the array of theirs. A row above the one that stands waits for it (then
 * there is nothing to send yet): there are at most MAX_DUPLICATE_ROWS of them, and those rows stand in later chunks.
 */
function folding(plan: DiffPlan): (row: Row) => Row | undefined {
  if (plan.folds.size === 0) return (row) => row;
  const stands = new Set([...plan.need.values()].flat());
  const waiting = new Map<number, Row>();
  return (row) => {
    if (!stands.has(row.line)) {
      waiting.set(row.line, row);
      return undefined;
    }
    const fold = plan.folds.get(row.line);
    if (fold === undefined) return row;
    const parts: Row[] = [];
    for (const { n, line } of fold.earlier) {
      const part = waiting.get(line);
      if (part === undefined) throw failure("internal-error", { message: `line ${line} of chunk ${n} was not read` });
      waiting.delete(line);
      parts.push(part);
    }
    parts.push(row);
    const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
    return { ...row, hash: fold.hash, record: `[${parts.map((part) => part.record).join(",")}]`, bytes };
  };
}

/** Fewer rows are not worth a statement of their own: it costs as much as 50 rows. */
export const BATCH_MIN_ROWS = 500;

/** Batches a lane gets at least: while the database writes the first, the second is made ready (8 % of a 5 % changed file). */
const BATCHES_PER_LANE = 2;

/**
 * Rows per batch, at most `maxRows`, so that all lanes have the same to do: three full batches on four lanes would take as
 * long as four. Counts on LANES, not on the lanes of this run: another number must not make other batches of a file.
 */
export function batchRows(rows: number, maxRows: number): number {
  const least = Math.ceil(rows / maxRows);
  const even = Math.ceil(least / LANES) * LANES * BATCHES_PER_LANE;
  return Math.ceil(rows / Math.max(1, least, Math.min(even, Math.floor(rows / BATCH_MIN_ROWS))));
}

/**
 * The rows that a plan needs, pooled over the chunks in their order into even batches of at most `maxRows` rows and
 * CHUNK_MAX_DATA_BYTES of records (a larger single record goes alone). Chunks without such rows are not read.
 */
export async function* neededBatches(
  chunks: readonly ChunkEntry[],
  plan: DiffPlan,
  read: (entry: ChunkEntry) => Promise<Uint8Array>,
  maxRows = CHUNK_MAX_ROWS,
): AsyncGenerator<Batch> {
  const perBatch = batchRows(
    [...plan.need.values()].reduce((sum, lines) => sum + lines.length, 0),
    maxRows,
  );
  let pool: Row[] = [];
  let pooledBytes = 0;
  const lines = linesToRead(plan);
  const folded = folding(plan);
  const wanted = chunks.filter((entry) => lines.has(entry.n));
  for await (const { entry, bytes } of readAhead(wanted, read)) {
    for (const picked of pick(bytes, entry, lines.get(entry.n)!)) {
      const row = folded(picked);
      if (row === undefined) continue;
      if (pool.length > 0 && (pool.length === perBatch || pooledBytes + row.bytes > CHUNK_MAX_DATA_BYTES)) {
        yield batchOf(pool);
        pool = [];
        pooledBytes = 0;
      }
      pool.push(row);
      pooledBytes += row.bytes;
    }
  }
  if (pool.length > 0) yield batchOf(pool);
}

const batchOf = (rows: readonly Row[]): Batch => ({
  rows: rows.length,
  keys: rows.map((row) => row.key).join("\n"),
  lines: rows.map((row) => row.line).join(","),
  hashes: rows.map((row) => row.hash).join(","),
  records: rows.map((row) => row.record).join("\n"),
});

/** Chunks read at once, the one being pooled included: hides storage latency, bounds memory and connections. */
export const READ_AHEAD = 2;

async function* readAhead(
  entries: readonly ChunkEntry[],
  read: (entry: ChunkEntry) => Promise<Uint8Array>,
): AsyncGenerator<{ entry: ChunkEntry; bytes: Uint8Array }> {
  const begun: Promise<Uint8Array>[] = [];
  for (const [i, entry] of entries.entries()) {
    while (begun.length < Math.min(READ_AHEAD, entries.length - i)) {
      const reading = read(entries[i + begun.length]!);
      // A failed read is told when its turn comes; until then it must not count as unhandled.
      reading.catch(() => undefined);
      begun.push(reading);
    }
    yield { entry, bytes: await begun.shift()! };
  }
}

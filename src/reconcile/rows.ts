/** The rows of a snapshot as they stand in its chunks: those that count, with what the comparison needs of them. */
import { type ChunkEntry, type ChunkHead, decodeChunk, decodeHead } from "../domain/chunk.ts";
import { inLanes } from "../domain/lanes.ts";
import { lastLinesOf, standing } from "../domain/plan.ts";
import type { TheirRow, Values } from "./compare.ts";
import type { ReconcileDeps, SnapshotFile } from "./deps.ts";
import { valuesText } from "./digest.ts";
import type { SealedBy } from "./tables.ts";

/** A row that counts, while its chunk is in memory. */
export interface RowInChunk {
  readonly key: string;
  /** Its row hash, or the values of the compared fields. */
  readonly content: string;
  readonly n: number;
  /** Its place in the chunk. */
  readonly at: number;
}

/** Where a row stands: its chunk and its place there. */
export interface PlacedRow {
  readonly key: string;
  readonly n: number;
  readonly at: number;
}

/** The last lines of keys that stand twice: only the last one counts. */
export async function readLastLines(deps: ReconcileDeps, file: SnapshotFile): Promise<ReadonlyMap<string, number>> {
  const tails: ChunkHead[] = [];
  await inLanes(
    file.chunks.filter((entry) => entry.tail),
    async (entry) => {
      tails.push(decodeHead(await deps.chunks.head(file, entry)));
    },
  );
  return lastLinesOf(tails);
}

/**
 * Calls `take` for every row that counts and whose key is wanted, in any order. Hashes are read from the heads alone, values
 * from whole chunks; rows that are not wanted are not even parsed.
 */
export async function eachRow(
  deps: ReconcileDeps,
  file: SnapshotFile,
  by: SealedBy,
  lastLines: ReadonlyMap<string, number>,
  take: (row: RowInChunk) => void,
  wants: (key: string) => boolean = () => true,
): Promise<void> {
  await inLanes(file.chunks, async (entry) => {
    if (by === undefined) {
      const head = decodeHead(await deps.chunks.head(file, entry));
      for (const at of standing(head, lastLines)) {
        const key = head.keys[at]!;
        if (wants(key)) take({ key, content: head.hashes[at]!, n: entry.n, at });
      }
      return;
    }
    const chunk = decodeChunk(await deps.chunks.whole(file, entry), entry.headBytes);
    for (const at of standing(chunk, lastLines)) {
      const key = chunk.keys[at]!;
      if (!wants(key)) continue;
      take({ key, content: valuesText(JSON.parse(chunk.records[at]!) as Values, by), n: entry.n, at });
    }
  });
}

/** A part of a text keeps all of it in memory. */
export const ownText = (text: string): string => Buffer.from(text).toString();

/** Chunks in memory at once where rows are picked out of them: hides storage latency. */
const CHUNKS_AT_ONCE = 4;

/** The rows at these places with their records, chunk by chunk in the order of the file. */
export async function* readRows(
  deps: ReconcileDeps,
  file: SnapshotFile,
  places: readonly PlacedRow[],
): AsyncGenerator<TheirRow[]> {
  const byChunk = Map.groupBy(places, ({ n }) => n);
  const entries = file.chunks.filter(({ n }) => byChunk.has(n));
  for (let from = 0; from < entries.length; from += CHUNKS_AT_ONCE) {
    const some = entries.slice(from, from + CHUNKS_AT_ONCE);
    const read = await Promise.all(some.map((entry) => rowsAt(deps, file, entry, byChunk.get(entry.n)!)));
    yield* read;
  }
}

async function rowsAt(
  deps: ReconcileDeps,
  file: SnapshotFile,
  entry: ChunkEntry,
  places: readonly PlacedRow[],
): Promise<TheirRow[]> {
  const chunk = decodeChunk(await deps.chunks.whole(file, entry), entry.headBytes);
  return places
    .toSorted((a, b) => a.at - b.at)
    .map(({ key, at }) => {
      const text = ownText(chunk.records[at]!);
      const record = JSON.parse(text) as Values;
      return { key, line: chunk.lines[at]!, hash: ownText(chunk.hashes[at]!), text, record };
    });
}

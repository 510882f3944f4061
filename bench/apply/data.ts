/** Files for the bench: seeded rows of about 105 bytes as CSV, already cut into chunks, in memory instead of R2. */
import { createHash } from "node:crypto";
import { CHUNK_MAX_ROWS, type Chunk, type ChunkEntry, encodeChunk } from "../../src/domain/chunk.ts";
import { failure } from "../../src/domain/failures.ts";
import type { FileToApply } from "../../src/domain/plan.ts";

export interface BenchFile {
  readonly rows: number;
  readonly entries: ChunkEntry[];
  readonly bytes: Uint8Array[];
}

/** Row `i` in `edition`: another edition is another content of the same key. */
function record(i: number, edition: number): { key: string; json: string; hash: string } {
  const key = `ART-${String((i * 7_919) % 1_000_000_007).padStart(10, "0")}`;
  const json = JSON.stringify({
    sku: key,
    description: `Hexagon bolt M${6 + (i % 14)} x ${20 + (i % 80)} zinc plated`,
    warehouse: `W${String(i % 37).padStart(2, "0")}`,
    quantity: (i * 31 + edition) % 10_000,
    price: ((i * 17) % 100_000) / 100 + edition,
    currency: "EUR",
    counted_on: "2026-11-20",
    active: i % 50 !== 0,
  });
  return { key, json, hash: createHash("md5").update(json).digest("hex") };
}

/**
 * A file of `rows` rows; `changed(i)` says which rows are of edition 1. Its `chunks` are to be let go before anything is
 * measured: collecting garbage around a million texts would be counted as work of the client.
 */
export function benchFile(
  rows: number,
  changed: (i: number) => boolean = () => false,
): BenchFile & { chunks: Chunk[] } {
  const file = { rows, entries: [] as ChunkEntry[], chunks: [] as Chunk[], bytes: [] as Uint8Array[] };
  for (let from = 0; from < rows; from += CHUNK_MAX_ROWS) {
    const chunk = {
      keys: [] as string[],
      lines: [] as number[],
      hashes: [] as string[],
      records: [] as string[],
    };
    for (let i = from; i < Math.min(rows, from + CHUNK_MAX_ROWS); i++) {
      const row = record(i, changed(i) ? 1 : 0);
      chunk.keys.push(row.key);
      chunk.lines.push(i + 2);
      chunk.hashes.push(row.hash);
      chunk.records.push(row.json);
    }
    const { bytes, entry } = encodeChunk(file.entries.length, chunk, false);
    file.entries.push(entry);
    file.chunks.push(chunk);
    file.bytes.push(bytes);
  }
  return file;
}

/** R2 for the bench. */
export function memoryChunks() {
  const files = new Map<string, BenchFile>();
  const bytesOf = (file: FileToApply, entry: ChunkEntry): Uint8Array => {
    const bytes = files.get(file.id)?.bytes[entry.n];
    if (bytes === undefined) throw failure("chunk-missing", { key: `${file.id}/${entry.n}` });
    return bytes;
  };
  return {
    put: (fileId: string, file: BenchFile) => files.set(fileId, file),
    head: async (file: FileToApply, entry: ChunkEntry) => bytesOf(file, entry).subarray(0, entry.headBytes),
    whole: async (file: FileToApply, entry: ChunkEntry) => bytesOf(file, entry),
  };
}

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BATCH_MIN_ROWS, type Batch, batchRows, neededBatches, wholeBatch } from "../../src/apply/batches.ts";
import { CHUNK_MAX_DATA_BYTES, CHUNK_MAX_ROWS, type ChunkEntry, encodeChunk } from "../../src/domain/chunk.ts";
import { failure } from "../../src/domain/failures.ts";
import { LANES } from "../../src/domain/lanes.ts";
import { type DiffPlan, findLines } from "../../src/domain/plan.ts";

/** Chunks of three rows each; line numbers from 2, keys `k<line>`. */
function chunksOf(count: number, record: (line: number) => string = (line) => JSON.stringify({ line, text: "Öl €" })) {
  const made = Array.from({ length: count }, (_, n) => {
    const lines = [n * 3 + 2, n * 3 + 3, n * 3 + 4];
    const chunk = {
      keys: lines.map((line) => `k${line}`),
      lines,
      hashes: lines.map((line) => String(line).padStart(32, "0")),
      records: lines.map(record),
    };
    return encodeChunk(n, chunk, false);
  });
  const entries = made.map(({ entry }) => entry);
  return { entries, read: async (entry: ChunkEntry) => made[entry.n]!.bytes };
}

const planOf = (need: [number, number[]][]): DiffPlan => ({
  mode: "diff",
  accepted: 0,
  superseded: 0,
  inserted: 0,
  changed: 0,
  unchanged: 0,
  stale: 0,
  same: 0,
  lastLines: new Map(),
  need: new Map(need),
  folds: new Map(),
});

async function all(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const list: Batch[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}

describe("the rows a plan needs", () => {
  it("are pooled over chunks, in their order, each with its own key, hash and record", async () => {
    const { entries, read } = chunksOf(4);
    const batches = await all(
      neededBatches(
        entries,
        planOf([
          [0, [3]],
          [1, [5, 7]],
          [3, [11, 12, 13]],
        ]),
        read,
        4,
      ),
    );
    expect(batches.map(({ lines }) => lines)).toEqual(["3,5,7", "11,12,13"]);
    expect(batches[0]).toEqual({
      rows: 3,
      keys: "k3\nk5\nk7",
      lines: "3,5,7",
      hashes: [3, 5, 7].map((line) => String(line).padStart(32, "0")).join(","),
      records: [3, 5, 7].map((line) => JSON.stringify({ line, text: "Öl €" })).join("\n"),
    });
  });

  it("are the same batches whatever storage is slow at", async () => {
    const { entries, read } = chunksOf(6);
    const plan = planOf([
      [0, [2]],
      [2, [8, 9]],
      [3, [11]],
      [5, [17, 19]],
    ]);
    const slow = async (entry: ChunkEntry) => {
      for (let turn = 0; turn < (entry.n % 3) * 5; turn++) await Promise.resolve();
      return read(entry);
    };
    expect(await all(neededBatches(entries, plan, slow, 2))).toEqual(await all(neededBatches(entries, plan, read, 2)));
  });

  it("stay under the size of a request; a record above it goes alone", async () => {
    const half = "x".repeat(CHUNK_MAX_DATA_BYTES / 2);
    const { entries, read } = chunksOf(2, (line) => JSON.stringify({ text: line === 4 ? half + half : half }));
    const batches = await all(
      neededBatches(
        entries,
        planOf([
          [0, [2, 3, 4]],
          [1, [5, 6]],
        ]),
        read,
      ),
    );
    expect(batches.map(({ lines }) => lines)).toEqual(["2", "3", "4", "5", "6"]);
  });

  it("are read from no other chunk", async () => {
    const { entries, read } = chunksOf(5);
    const asked: number[] = [];
    const noted = (entry: ChunkEntry) => {
      asked.push(entry.n);
      return read(entry);
    };
    await all(
      neededBatches(
        entries,
        planOf([
          [1, [5]],
          [4, [14]],
        ]),
        noted,
      ),
    );
    expect(asked).toEqual([1, 4]);
  });

  it("fail with the storage's own failure when its chunk's turn comes", async () => {
    const { entries, read } = chunksOf(3);
    const broken = async (entry: ChunkEntry) => {
      if (entry.n === 1) throw failure("storage-unavailable", { reason: "reset" });
      return read(entry);
    };
    const batches = neededBatches(
      entries,
      planOf([
        [0, [2]],
        [1, [5]],
        [2, [8]],
      ]),
      broken,
      1,
    );
    await expect(all(batches)).rejects.toMatchObject({ code: "storage-unavailable" });
  });

  it("are refused if a planned line is not in its chunk", async () => {
    const { entries, read } = chunksOf(1);
    await expect(all(neededBatches(entries, planOf([[0, [2, 99]]]), read))).rejects.toMatchObject({
      code: "internal-error",
    });
  });
});

describe("the size of a batch", () => {
  it.each([
    [0, CHUNK_MAX_ROWS, 0],
    [1, CHUNK_MAX_ROWS, 1],
    [BATCH_MIN_ROWS * 2 - 1, CHUNK_MAX_ROWS, BATCH_MIN_ROWS * 2 - 1],
    [BATCH_MIN_ROWS * 2, CHUNK_MAX_ROWS, BATCH_MIN_ROWS],
    [15_000, CHUNK_MAX_ROWS, 1_875],
    [20_001, CHUNK_MAX_ROWS, 1_251],
    [7, 3, 3],
  ])("of %i rows, at most %i, is %i", (rows, maxRows, size) => {
    expect(batchRows(rows, maxRows)).toBe(size);
  });

  it("is never above the most, and gives every lane the same number of batches where there is enough for all", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000_000 }), fc.integer({ min: 1, max: 10_000 }), (rows, maxRows) => {
        const size = batchRows(rows, maxRows);
        expect(size).toBeGreaterThan(0);
        expect(size).toBeLessThanOrEqual(maxRows);
        if (maxRows >= BATCH_MIN_ROWS * LANES * 2 && rows >= BATCH_MIN_ROWS * LANES * 2) {
          expect(Math.ceil(rows / size) / LANES).toBe(2 * Math.ceil(Math.ceil(rows / maxRows) / LANES));
        }
      }),
    );
  });
});

describe("lines in a list", () => {
  it("are found with their places, whatever is asked for beside them", () => {
    const ascending = fc.uniqueArray(fc.integer({ min: 1, max: 300 })).map((lines) => lines.sort((a, b) => a - b));
    fc.assert(
      fc.property(ascending, ascending, (list, wanted) => {
        const expected = list.map((line, at) => ({ line, at })).filter(({ line }) => wanted.includes(line));
        expect(findLines(list.join(","), wanted)).toEqual(expected);
      }),
    );
  });
});

describe("a whole chunk", () => {
  it("goes as it lies in storage, with newlines for separators", async () => {
    const { entries, read } = chunksOf(1);
    const batch = wholeBatch(await read(entries[0]!), entries[0]!, new Map());
    expect(batch).toMatchObject({ rows: 3, keys: "k2\nk3\nk4", lines: "2,3,4" });
    expect(batch.records.split("\n").map((text) => JSON.parse(text) as unknown)).toEqual(
      [2, 3, 4].map((line) => ({ line, text: "Öl €" })),
    );
  });

  it("goes without its superseded rows, down to none", async () => {
    const { entries, read } = chunksOf(1);
    const bytes = await read(entries[0]!);
    expect(wholeBatch(bytes, entries[0]!, new Map([["k3", 9]]))).toMatchObject({
      rows: 2,
      keys: "k2\nk4",
      lines: "2,4",
    });
    const none = wholeBatch(
      bytes,
      entries[0]!,
      new Map([
        ["k2", 9],
        ["k3", 9],
        ["k4", 9],
      ]),
    );
    expect(none).toEqual({ rows: 0, keys: "", lines: "", hashes: "", records: "" });
  });
});

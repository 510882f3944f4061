/** The same comparison inside Cloudflare's runtime. */
import { describe, expect, it } from "vitest";
import { encodeChunk } from "../../src/domain/chunk.ts";
import type { ReconcileDeps } from "../../src/reconcile/deps.ts";
import { Buckets, bucketMask, bucketOf, rowDigest, valuesText } from "../../src/reconcile/digest.ts";
import { eachRow } from "../../src/reconcile/rows.ts";

describe("in workerd", () => {
  it("keys fall into the buckets that Postgres names, and rows have its digests", () => {
    // SELECT hashtextextended('k😀' COLLATE "C", 0) & 65535, and the digests of that key with a hash and with values.
    expect(bucketOf("k😀", 16)).toBe(38_511);
    expect(rowDigest("hash", "k😀", "0123456789abcdef0123456789abcdef")).toBe("70640e553c3bb1b3");
    expect(rowDigest("fields", "k😀", valuesText({ a: "é", b: 1 }, ["b", "a", "c"]))).toBe("1a45f9e3e5d81702");
  });

  it("the chunks of a snapshot make the digests that the same rows make in another order", async () => {
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}😀`);
    const hashes = keys.map((key) => Buffer.from(key).toString("hex").padEnd(32, "0").slice(0, 32));
    const chunk = encodeChunk(
      0,
      { keys, lines: keys.map((_, i) => i + 2), hashes, records: keys.map(() => "{}") },
      false,
    );
    const chunks = { head: async () => chunk.bytes.subarray(0, chunk.entry.headBytes), whole: async () => chunk.bytes };
    const found = new Buckets(5, "hash");
    await eachRow(
      { chunks } as unknown as ReconcileDeps,
      { chunks: [chunk.entry] } as never,
      undefined,
      new Map(),
      (row) => found.add(row.key, row.content),
    );
    const expected = new Buckets(5, "hash");
    for (const [i, key] of [...keys.entries()].toReversed()) expected.add(key, hashes[i]!);
    expect(found.differing(expected)).toEqual([]);
    expect(found.rows).toBe(500);
    expect(bucketMask(5, [0, 31])).toBe("01000080");
  });
});

/** The same comparison inside Cloudflare's runtime. */
import { describe, expect, it } from "vitest";
import { encodeChunk } from "../../src/domain/chunk.ts";
import type { ReconcileDeps } from "../../src/reconcile/deps.ts";
import { Buckets, bucketMask, bucketOf, sealOfFields } from "../../src/reconcile/digest.ts";
import { eachRow } from "../../src/reconcile/rows.ts";

/** As Postgres answers: `SELECT md5('k')`, and below that of the JSON texts 1, "é" and null, with U+001E between. */
const MD5_OF_K = "8ce4b16b22b58894aa86c421e8759df3";

describe("in workerd", () => {
  it("keys fall into the same buckets, and values have the same seals", () => {
    expect(bucketOf("k", 16)).toBe(Number.parseInt(MD5_OF_K.slice(0, 4), 16));
    expect(bucketOf("k", 0)).toBe(0);
    expect(sealOfFields({ a: "é", b: 1 }, ["b", "a", "c"])).toBe("f5f1a13b0c2c4c758a7b7961ad7a9d9a");
  });

  it("the chunks of a snapshot make the digests that the same rows make in another order", async () => {
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}😀`);
    const hashes = keys.map((key) => sealOfFields({ key }, ["key"]));
    const chunk = encodeChunk(
      0,
      { keys, lines: keys.map((_, i) => i + 2), hashes, records: keys.map(() => "{}") },
      false,
    );
    const chunks = { head: async () => chunk.bytes.subarray(0, chunk.entry.headBytes), whole: async () => chunk.bytes };
    const found = new Buckets(5);
    await eachRow(
      { chunks } as unknown as ReconcileDeps,
      { chunks: [chunk.entry] } as never,
      undefined,
      new Map(),
      (row) => found.add(row.key, row.seal),
    );
    const expected = new Buckets(5);
    for (const [i, key] of [...keys.entries()].toReversed()) expected.add(key, hashes[i]!);
    expect(found.differing(expected)).toEqual([]);
    expect(found.rows).toBe(500);
    expect(bucketMask(5, [0, 31])).toBe("01000080");
  });
});

/** The digests of a file are those of the records: for any keys and seals, for any number of buckets. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SnapshotFile } from "../../src/reconcile/deps.ts";
import {
  BUCKET_MAX_BITS,
  Buckets,
  bucketBits,
  bucketMask,
  bucketOf,
  rowDigest,
  valuesText,
} from "../../src/reconcile/digest.ts";
import { bucketRows, recordBuckets } from "../../src/reconcile/tables.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { type Feeds, type World, worldOn } from "./world.ts";

let own: FreshDatabase;
let world: World;
beforeAll(async () => {
  own = await freshDatabase();
  world = worldOn(own.connectionString);
});
afterAll(() => own.drop());

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/** What Postgres can hold as text. */
const text = (maxLength: number) =>
  fc.string({ unit: "binary", maxLength }).map((any) => any.toWellFormed().replaceAll("\0", "␀"));
const HOSTILE = [
  "'",
  '"',
  "\\",
  "|",
  "\u001e",
  "\n",
  "\t",
  "a\nb",
  "{a,b}",
  "NULL",
  "‮",
  "é",
  "e\u0301",
  "😀",
  "x".repeat(900),
];
const key = fc.oneof(text(40), fc.constantFrom(...HOSTILE)).filter((any) => any !== "");

async function store(feeds: Feeds, keys: readonly string[], data: readonly object[]): Promise<void> {
  await world.sql.query(
    `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
     SELECT '00000000-0000-0000-0000-000000000001', (e->>1)::uuid, 0, $1, $2, 1, e->>0, e->2 FROM jsonb_array_elements($3::jsonb) e`,
    [feeds.customerId, feeds.feedId, JSON.stringify(keys.map((key, i) => [key, md5(key), data[i] ?? {}]))],
  );
}

/** As far as the statements ask. */
const fileOf = (feeds: Feeds) => ({ customerId: feeds.customerId, feedId: feeds.feedId }) as SnapshotFile;

describe("the digests of buckets", () => {
  it("are the same in Postgres and here, for any keys, in any order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key, { maxLength: 60 }), fc.integer({ min: 0, max: 8 }), async (keys, bits) => {
        const feeds = await world.feeds();
        await store(feeds, keys, []);
        const ours = await recordBuckets(world.deps(), fileOf(feeds), bits, undefined);
        const theirs = new Buckets(bits, "hash");
        for (const key of keys.toReversed()) theirs.add(key, md5(key));
        expect(ours.differing(theirs)).toEqual([]);
        expect(ours.rows).toBe(keys.length);
        for (const key of keys) expect(ours.rowsIn(bucketOf(key, bits))).toBeGreaterThan(0);
      }),
      { numRuns: 40 },
    );
  });

  it("of values are the same in Postgres and here, for any values and types", async () => {
    const value = fc.oneof(
      text(30),
      fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
      fc.boolean(),
      fc.constant(null),
      fc.constantFrom("\u001e", "\u007f", "\u2028", "\\u001e", '"', "null"),
    );
    const record = fc.record({ a: value, b_2: value, c: value }, { requiredKeys: [] });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 30 }), async (records) => {
        const feeds = await world.feeds();
        const keys = records.map((_, i) => `k${i}`);
        await store(feeds, keys, records);
        const fields = ["c", "a", "b_2"];
        const ours = await recordBuckets(world.deps(), fileOf(feeds), 4, fields);
        const theirs = new Buckets(4, "fields");
        for (const [i, key] of keys.entries()) theirs.add(key, valuesText(records[i]!, fields));
        expect(ours.differing(theirs)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it("differ where two records have changed places, where one is missing, and in no other bucket", async () => {
    const feeds = await world.feeds();
    const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
    await store(feeds, keys, []);
    const ours = await recordBuckets(world.deps(), fileOf(feeds), 3, undefined);
    const [a, b] = keys.filter((key) => bucketOf(key, 3) === 5) as [string, string];
    const swapped = new Buckets(3, "hash");
    for (const key of keys) swapped.add(key, md5(key === a ? b : key === b ? a : key));
    expect(ours.differing(swapped)).toEqual([5]);
    const fewer = new Buckets(3, "hash");
    for (const key of keys.slice(1)) fewer.add(key, md5(key));
    expect(ours.differing(fewer)).toEqual([bucketOf("k0", 3)]);
  });

  it("do not know the records of other feeds, nor retired ones", async () => {
    const feeds = await world.feeds();
    const other = await world.feeds();
    await store(feeds, ["a", "b"], []);
    await store(other, ["c"], []);
    await world.sql.query("UPDATE records SET status = 'retired' WHERE feed_id = $1 AND natural_key = 'a'", [
      feeds.feedId,
    ]);
    expect((await recordBuckets(world.deps(), fileOf(feeds), 0, undefined)).rows).toBe(1);
  });

  it("tell which rows stand in a bucket, whatever their keys are", async () => {
    const feeds = await world.feeds();
    await store(feeds, HOSTILE, []);
    for (const bits of [0, 1, 3, 9]) {
      const wanted = new Set(HOSTILE.slice(0, 4).map((key) => bucketOf(key, bits)));
      const rows = await bucketRows(world.deps(), fileOf(feeds), bits, undefined, wanted);
      const expected = HOSTILE.filter((key) => wanted.has(bucketOf(key, bits)));
      expect(rows).toEqual(new Map(expected.map((key) => [key, rowDigest("hash", key, md5(key))])));
    }
  });

  it("are few enough: of 300,000 rows 262 kB", () => {
    expect([0, 24, 25, 300_000, 5_000_000].map(bucketBits)).toEqual([0, 0, 1, 14, BUCKET_MAX_BITS]);
    expect((2 ** bucketBits(300_000) * 12 * 4) / 3).toBe(262_144);
  });

  it("refuse an answer of another number of buckets", () => {
    expect(() => Buckets.read(1, "hash", Buffer.alloc(12).toString("base64"))).toThrow("12 bytes for 2^1 buckets");
  });

  it("write a mask as Postgres reads it", () => {
    expect(bucketMask(0, [0])).toBe("01");
    expect(bucketMask(4, [0, 9, 15])).toBe("0182");
  });
});

describe("a record that was edited by hand", () => {
  const hashOf = async (feeds: Feeds) =>
    (await world.one<{ row_hash: string }>("SELECT row_hash FROM records WHERE feed_id = $1", [feeds.feedId])).row_hash;
  const FREED = "ffffffff-ffff-ffff-ffff-ffffffffffff";

  it.each([
    ["its data", `data = '{"a": 2}'`, FREED],
    ["its key", "natural_key = 'b'", FREED],
    ["its status", "status = 'retired'", "00000000-0000-0000-0000-000000000000"],
  ])("loses its hash with %s", async (_, edit, expected) => {
    const feeds = await world.feeds();
    await store(feeds, ["a"], [{ a: 1 }]);
    await world.sql.query(`UPDATE records SET ${edit} WHERE feed_id = $1`, [feeds.feedId]);
    expect(await hashOf(feeds)).toBe(expected);
  });

  it("keeps it where nothing of that changed, and gets the one that is written with new data", async () => {
    const feeds = await world.feeds();
    await store(feeds, ["a"], [{ a: 1 }]);
    const before = await hashOf(feeds);
    await world.sql.query("UPDATE records SET data = data, updated_at = now(), version = 2 WHERE feed_id = $1", [
      feeds.feedId,
    ]);
    expect(await hashOf(feeds)).toBe(before);
    const next = "11111111-1111-1111-1111-111111111111";
    await world.sql.query(`UPDATE records SET data = '{"a": 3}', row_hash = $2 WHERE feed_id = $1`, [
      feeds.feedId,
      next,
    ]);
    expect(await hashOf(feeds)).toBe(next);
  });
});

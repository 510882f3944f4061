/** How the statements of reconcile read the records: along the primary key, and without the records where hashes suffice. */
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bucketMask } from "../../src/reconcile/digest.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";
import { STATISTICS, scansOf } from "../support/scans.ts";

const ROWS = 20_000;
const FEEDS = 4;

let own: FreshDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  own = await freshDatabase();
  pool = openPool(own);
  await pool.query(
    `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
     SELECT '00000000-0000-0000-0000-000000000001', md5(i::text)::uuid, 0, 1, 1 + i % $2, i, 'k' || i, '{"a": 1}'
     FROM generate_series(1, $1::int) i`,
    [ROWS, FEEDS],
  );
  await pool.query("VACUUM (ANALYZE) records");
});
afterAll(async () => {
  await pool.end();
  await own.drop();
});

const BITS = 8;
const MASK = bucketMask(BITS, [3, 77]);

describe.each(STATISTICS)("with statistics of %s", (statistics) => {
  it("digests of hashes read the index of the feed alone, once", async () => {
    const scans = await scansOf(pool, statistics, "SELECT record_buckets(1, 2, $1, NULL)", [BITS], "bit_xor");
    expect(scans).toMatchObject([{ "Node Type": "Index Only Scan", "Actual Rows": ROWS / FEEDS, "Heap Fetches": 0 }]);
  });

  it("rows of buckets, too", async () => {
    const query = "SELECT * FROM bucket_rows(1, 2, $1, NULL, $2)";
    const scans = await scansOf(pool, statistics, query, [BITS, MASK], "get_bit");
    expect(scans).toMatchObject([{ "Node Type": "Index Only Scan", "Heap Fetches": 0 }]);
  });

  it("digests of values read the records of the feed, and not those of others", async () => {
    const scans = await scansOf(pool, statistics, "SELECT record_buckets(1, 2, $1, '{a,b}')", [BITS], "bit_xor");
    expect(scans).toHaveLength(1);
    expect(scans[0]!["Node Type"]).not.toBe("Seq Scan");
    expect(scans[0]).toMatchObject({ "Actual Rows": ROWS / FEEDS });
  });

  it("what is known of some keys is one probe for each", async () => {
    const keys = JSON.stringify(["k1", "k5", "k6", "not there"]);
    const query = "SELECT * FROM record_details(1, 2, '00000000-0000-0000-0000-000000000002', $1)";
    const scans = await scansOf(pool, statistics, query, [keys], "jsonb_array_elements_text");
    expect(scans).toMatchObject([{ "Node Type": "Index Scan", "Actual Loops": 4 }]);
  });
});

/** How what is missing is found: one walk along the index of the feed, whatever the statistics say, on Postgres and PGlite. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neon, neonConfig } from "@neondatabase/serverless";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDatabase } from "../../cli/local/database.ts";
import { localFetchEndpoint } from "../../cli/local/neon-protocol.ts";
import { migrate } from "../../cli/migrate.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";
import { STATISTICS, scansOf } from "../support/scans.ts";
import { activeOf, applyAndRetire } from "./retire-world.ts";
import { row, rowsOf, type TestFeed, type World, worldOn } from "./world.ts";

const STORED = 20_000;
const MISSING = 50;

/** A feed of many records, and a file at work that has seen all of them but a few. */
async function seenAllBut(world: World, missing: number): Promise<{ feed: TestFeed; fileId: string; token: string }> {
  const feed = await world.feed("full");
  const file = await world.file(feed, 1, rowsOf([]));
  const token = randomUUID();
  await world.database.query("SELECT * FROM acquire_lease($1, $2, 3600, 0)", [file.id, token]);
  await world.database.query(
    `WITH stored AS (
       INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data)
       SELECT '00000000-0000-0000-0000-000000000001', md5(i::text)::uuid, 0, $1, $2, i, 'k' || lpad(i::text, 8, '0'), '{"value": 1}'
       FROM generate_series(1, $3::int) i RETURNING id, natural_key)
     INSERT INTO seen (feed_id, order_key, file_id, chunk_key, record_ids)
     SELECT $2, f.order_key, f.id, md5(c.part::text)::uuid, c.ids FROM files f, (
       SELECT n % 7 AS part, array_agg(id) AS ids FROM (SELECT id, row_number() OVER (ORDER BY md5(natural_key)) AS n FROM stored) s
       WHERE n > $4::int GROUP BY 1) c WHERE f.id = $5`,
    [feed.customerId, feed.feedId, STORED, missing, file.id],
  );
  return { feed, fileId: file.id, token };
}

describe("on Postgres", () => {
  let own: FreshDatabase;
  let pool: pg.Pool;
  let file: { fileId: string; token: string };
  beforeAll(async () => {
    own = await freshDatabase();
    const world = worldOn(own.connectionString);
    await seenAllBut(world, 0);
    file = await seenAllBut(world, MISSING);
    pool = openPool(own);
    await pool.query("VACUUM (ANALYZE)");
  });
  afterAll(async () => {
    await pool.end();
    await own.drop();
  });

  describe.each(STATISTICS)("with statistics of %s", (statistics) => {
    it("what is missing is found in one walk along the index of the feed, without its records", async () => {
      await pool.query("VACUUM records");
      const query = "SELECT * FROM missing_records($1, 10)";
      const scans = await scansOf(pool, statistics, query, [file.fileId], "said.id = x.id");
      const [walk, ...others] = scans.filter((scan) => scan["Actual Loops"] !== 0);
      expect(others).toEqual([]);
      expect(walk).toMatchObject({ "Node Type": "Index Only Scan", "Actual Rows": STORED, "Actual Loops": 1 });
    });

    it("what is retired is looked up by its key, and nothing else", async () => {
      const query = "SELECT * FROM retire_missing($1, $2, 0, 1000, NULL, 20)";
      const scans = await scansOf(pool, statistics, query, [file.fileId, file.token], "gone AS");
      expect(scans).toMatchObject([{ "Node Type": "Index Scan", "Actual Rows": 1, "Actual Loops": 20 }]);
    });
  });
});

describe("on PGlite, the database of local runs", () => {
  it("the same records are missing, retired and restored", async () => {
    const folder = await mkdtemp(join(tmpdir(), "mailfeed-retire-"));
    const local = await startDatabase({ dataDir: join(folder, "data") });
    try {
      neonConfig.fetchEndpoint = localFetchEndpoint;
      const sql = neon(local.connectionString);
      await migrate(sql, { folder: join(import.meta.dirname, "../../migrations") });
      const world = worldOn(local.connectionString);
      const large = await seenAllBut(world, MISSING);
      expect(await world.one("SELECT active, missing, bar FROM missing_records($1, 10)", [large.fileId])).toEqual({
        ...{ active: STORED, missing: MISSING, bar: null },
      });

      const feed = await world.feed("full");
      await applyAndRetire(world, await world.file(feed, 1, rowsOf([0, 1, 2, 3, 4, 5, 6, 7, 8])));
      const second = await world.file(feed, 2, [row("k1", 1), row("k2", 22)]);
      expect(await applyAndRetire(world, second)).toMatchObject({
        ...{ forecast: { active: 9, missing: 7 }, retirement: { retired: 7 } },
      });
      await applyAndRetire(world, await world.file(feed, 3, rowsOf([0, 1])));
      expect(await activeOf(world, feed.feedId)).toEqual({ k0: 0, k1: 1 });
    } finally {
      await local.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

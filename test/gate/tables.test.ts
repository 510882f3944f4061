/** What the gate asks of the database: each question answers what is meant, from the index alone where it may. */
import { createHash } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gateTables } from "../../src/gate/tables.ts";
import type { Database } from "../../src/platform/postgres.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";
import { forceIn } from "../support/force-state.ts";
import { articles, DAY, type GateWorld, gateWorldOn } from "./gate-world.ts";
import { numbersOf } from "./numbers-of.ts";

const ROWS = 300;
const ZERO = "00000000-0000-0000-0000-000000000000";
const stockOf = (i: number) => (i % 10 === 0 ? null : i % 7);
/** A feed whose records nobody has sent. */
const FEED = { customerId: 1, feedId: 1 };

let own: FreshDatabase;
let pool: pg.Pool;
let world: GateWorld;

beforeAll(async () => {
  own = await freshDatabase();
  pool = openPool(own);
  world = gateWorldOn(own.connectionString);
  const hash = createHash("md5").update("x").digest("hex");
  await pool.query(
    `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data, status)
     SELECT $1, CASE WHEN i % 100 = 99 THEN $2 ELSE $3 END::uuid, 1, $4, $5, i, 'A-' || lpad(i::text, 8, '0'),
       jsonb_build_object('stock', CASE WHEN i % 10 = 0 THEN NULL ELSE i % 7 END), CASE WHEN i % 100 = 99 THEN 'retired' ELSE 'active' END
     FROM generate_series(0, $6 - 1) i`,
    [ZERO, ZERO, hash, FEED.customerId, FEED.feedId, ROWS],
  );
  await pool.query("VACUUM (ANALYZE) records");
});
afterAll(async () => {
  await pool.end();
  await own.drop();
});

const live = Array.from({ length: ROWS }, (_, i) => i).filter((i) => i % 100 !== 99);
const tables = () => gateTables(world.database);

/** The statement that a question is. */
async function statementOf(ask: (of: ReturnType<typeof gateTables>) => Promise<unknown>) {
  const sent: { text: string; params: unknown[] }[] = [];
  const query: Database["query"] = async (text, params) => {
    sent.push({ text, params: [...(params ?? [])] });
    return [];
  };
  await ask(gateTables({ query }));
  return sent[0]!;
}

describe("the active records", () => {
  it("are counted without touching their rows, up to as many as are asked for", async () => {
    expect([await tables().records(FEED), await tables().records(FEED, 100)]).toEqual([live.length, 100]);
    const { text, params } = await statementOf((of) => of.records(FEED));
    const client = await pool.connect();
    try {
      // Of a table with one feed in it a scan of the whole is as good; among other feeds it is not.
      await client.query("BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off");
      const plan = await client.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`, params);
      expect(plan.rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain("Index Only Scan");
    } finally {
      await client.query("ROLLBACK");
      client.release();
    }
  });

  it("of the keys that are looked at are found, and nothing of those that are new, retired or nothing at all", async () => {
    const keys = live.map((i) => `A-${String(i).padStart(8, "0")}`);
    const found = await tables().known(FEED, [...keys, "A-00000099", "new", "", "{", '"'.repeat(3)]);
    expect(found.map((one) => one.key).toSorted()).toEqual(keys);
    expect(found.find((one) => one.key === "A-00000008")?.data).toEqual({ stock: 1 });
  });

  it("say by their data what counting while reading says", async () => {
    const { rows } = await pool.query<Record<string, number>>(
      `SELECT count(v)::int AS values, (count(*) - count(v))::int AS blanks, count(*) FILTER (WHERE v = 0)::int AS zeros,
         sum(abs(v))::float8 AS total, percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(v)) FILTER (WHERE v <> 0) AS median
       FROM (SELECT (r.data ->> 'stock')::numeric AS v FROM records r
         WHERE r.customer_id = $1 AND r.feed_id = $2 AND r.status = 'active') d`,
      [FEED.customerId, FEED.feedId],
    );
    const { median, ...counted } = numbersOf(live.map(stockOf));
    expect(rows[0]).toMatchObject(counted);
    expect(Math.abs(median! - rows[0]!.median!) / median!).toBeLessThan(0.03);
  });
});

describe("a file and the history of its feed", () => {
  it("is what parse has said of it, with times in milliseconds, and nothing before the first file", async () => {
    const feed = await world.feed("full");
    const file = await world.file(feed, 0, articles(3), { statedAfterHours: 2, rejected: ["x", "y"] });
    const row = await tables().file(file.id);
    const at = Date.UTC(2026, 0, 1);
    expect(row).toMatchObject({
      ...{ feed: "stock", path: "stock.csv", sender: "test", accepted: 3, rejected: 2, otherLines: 1, holds: 0 },
      ...{ asOfMs: at, receivedMs: at, statedMs: at + 7_200_000, receivedAt: "2026-01-01T00:00:00.000Z" },
      ...{ fieldNumbers: { stock: { values: 3, total: 30 } }, widening: {}, answered: [], history: [] },
    });
  });

  it("is that of applied files that had come before, the newest first, with the numbers of fields of the last ten", async () => {
    const feed = await world.feed("full");
    for (let day = 0; day < 12; day++) await world.send(feed, day * DAY, articles(30 + day, 2, { stock: day }));
    const held = await world.file(feed, 12 * DAY, []);
    await world.apply(held, world.worker());
    const later = await world.send(feed, 14 * DAY, articles(40));
    await forceIn(world.database, "UPDATE files SET received_at = received_at + interval '9 days' WHERE id = $1", [
      later.id,
    ]);
    const file = await world.file(feed, 13 * DAY, articles(40));
    const { history } = (await tables().file(file.id))!;
    expect(history.map(({ rows }) => rows)).toEqual(Array.from({ length: 12 }, (_, i) => 41 - i));
    expect(history[0]).toEqual({
      ...{ asOfMs: Date.UTC(2026, 0, 12), rows: 41, rejected: 0, inserted: 1, changed: 2, retired: 0 },
      ...{ named: 41, records: 40, fields: { stock: numbersOf([11, 11, ...Array(39).fill(10)]) } },
    });
    expect(history.map(({ fields }) => fields !== undefined)).toEqual([...Array(10).fill(true), false, false]);
  });

  it("is nothing of a file that there is not", async () => {
    expect(await tables().file("987654321")).toBeUndefined();
  });
});

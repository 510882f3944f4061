/** The gate's questions to the database, as drafted: each answers what is meant on a few records. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";
import { numbersOf } from "./numbers-of.ts";

const DRAFT = readFileSync(join(import.meta.dirname, "facts.sql.draft"), "utf8");

/** The statement behind `-- name: …`, without its comments. */
function draft(name: string): string {
  const found = new RegExp(`^-- name: ${name}\n([\\s\\S]*?;)$`, "m").exec(DRAFT)?.[1];
  if (found === undefined) throw new Error(`no draft ${name}`);
  return found.replace(/^--.*\n/gm, "");
}

/** Measured by hand with more: FACTS_ROWS=300000 prints what each costs. */
const ROWS = Number(process.env.FACTS_ROWS ?? 300);
const ZERO = "00000000-0000-0000-0000-000000000000";
const stockOf = (i: number) => (i % 10 === 0 ? null : i % 7);

let own: FreshDatabase;
let pool: pg.Pool;
const [CUSTOMER, FEED] = [1, 1];

beforeAll(async () => {
  own = await freshDatabase();
  pool = openPool(own);
  const hash = createHash("md5").update("x").digest("hex");
  await pool.query(
    `INSERT INTO records (order_key, row_hash, file_id, customer_id, feed_id, line, natural_key, data, status)
     SELECT $1, CASE WHEN i % 100 = 99 THEN $2 ELSE $3 END::uuid, 1, $4, $5, i, 'A-' || lpad(i::text, 8, '0'),
       jsonb_build_object('article', 'A-' || i, 'name', 'Claw hammer ' || i, 'price', (i % 300)::text || '.95',
         'stock', CASE WHEN i % 10 = 0 THEN NULL ELSE i % 7 END), CASE WHEN i % 100 = 99 THEN 'retired' ELSE 'active' END
     FROM generate_series(0, $6 - 1) i`,
    [ZERO, ZERO, hash, CUSTOMER, FEED, ROWS],
  );
  await pool.query("VACUUM (ANALYZE) records");
});
afterAll(async () => {
  await pool.end();
  await own.drop();
});

async function ask<Row extends object>(name: string, params: readonly unknown[]): Promise<Row[]> {
  const began = performance.now();
  const { rows } = await pool.query<Row>(draft(name), [...params]);
  if (ROWS > 300) console.info(`${name}: ${Math.round(performance.now() - began)} ms for ${ROWS} records`);
  return rows;
}

const live = Array.from({ length: ROWS }, (_, i) => i).filter((i) => i % 100 !== 99);

describe("the drafts", () => {
  it("count the active records without touching their rows", async () => {
    expect(await ask("records", [CUSTOMER, FEED])).toEqual([{ records: live.length }]);
    const client = await pool.connect();
    try {
      // Of a table with one feed in it a scan of the whole is as good; among other feeds it is not.
      await client.query("BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off");
      const text = draft("records").replace("$1", String(CUSTOMER)).replace("$2", String(FEED));
      const plan = await client.query<{ "QUERY PLAN": string }>(`EXPLAIN ${text}`);
      expect(plan.rows.map((row) => row["QUERY PLAN"]).join("\n")).toContain("Index Only Scan");
    } finally {
      await client.query("ROLLBACK");
      client.release();
    }
  });

  it("find a feed without files to have no history", async () => {
    expect(await ask("history", [FEED])).toEqual([]);
  });

  it("find the records of the keys that are looked at, and nothing of those that are new or retired", async () => {
    const keys = Array.from(
      { length: 1_000 },
      (_, i) => `A-${String(Math.floor((i * ROWS) / 1_000)).padStart(8, "0")}`,
    );
    const found = await ask<{ key: string; data: { stock: number | null } }>("before", [
      CUSTOMER,
      FEED,
      [...new Set(keys), "new"],
    ]);
    const active = [...new Set(keys)].filter((key) => !key.endsWith("99"));
    expect(found.map((one) => one.key).toSorted()).toEqual(active.toSorted());
  });

  it("scanning the data says what counting while reading says", async () => {
    const [scanned] = await ask<{ values: number; blanks: number; zeros: number; total: number; median: number }>(
      "scan",
      [CUSTOMER, FEED],
    );
    const began = performance.now();
    const counted = numbersOf(live.map(stockOf));
    if (ROWS > 300) console.info(`FieldTally: ${Math.round(performance.now() - began)} ms for ${ROWS} values`);
    const { values, blanks, zeros, total, median } = scanned!;
    expect({ values, blanks, zeros, total }).toEqual({
      values: counted.values,
      blanks: counted.blanks,
      zeros: counted.zeros,
      total: counted.total,
    });
    expect(Math.abs(counted.median! - median) / median).toBeLessThan(0.03);
  });
});

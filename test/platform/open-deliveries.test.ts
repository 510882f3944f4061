import type pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { statesMovedBy } from "../../src/domain/states.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";

let fresh: FreshDatabase;
let pool: pg.Pool;
beforeAll(async () => {
  fresh = await freshDatabase();
  pool = openPool(fresh);
  await pool.query(`
    SELECT register_feed('acme', 'Acme', 'stock', 'Stock', 'full', '1');
    INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at)
      SELECT md5(n::text), 1, 1, 'mail', 'parsing', n::text, 1, repeat('a', 64), 'erp', 'dkim', now() FROM generate_series(1, 3000) n;
    UPDATE deliveries SET state = 'parsed' WHERE raw_key::int > 3;
    ANALYZE deliveries`);
});
afterAll(async () => {
  await pool.end();
  await fresh.drop();
});

const list = (states: readonly string[]) => states.map((state) => `'${state}'`).join(", ");
const waits = list(statesMovedBy("delivery", "operator"));
const inWork = list(statesMovedBy("delivery", "sweep"));

// A state that is added to the table of states and not to the index would make the overview read every delivery there is.
it.each([
  ["what does not move", `state IN (${waits}) OR (state IN (${inWork}) AND updated_at < now())`],
  ["what is in quarantine", "feed_id = 1 AND state = 'quarantined'"],
])("finds %s of a customer without looking at all that ever came", async (_, condition) => {
  const { rows } = await pool.query<{ "QUERY PLAN": string }>(
    `EXPLAIN SELECT id FROM deliveries WHERE customer_id = 1 AND (${condition})`,
  );
  const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
  expect(plan).toContain("deliveries_open");
  expect(plan).not.toMatch(/Seq Scan|deliveries_by_customer/);
});

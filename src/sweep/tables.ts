/** The rows that the sweep looks at. SQL and nothing else. */
import type { Database } from "../platform/postgres.ts";
import type { StuckDelivery, StuckFile, SweepTables } from "./deps.ts";

/** Woken by one sweep at most: the next one comes in minutes, and a flood of messages would help nobody. */
const MAX_WOKEN = 500;

export function sweepTables(database: Database): SweepTables {
  return {
    stuckDeliveries: (since) =>
      database.query<StuckDelivery>(
        `UPDATE deliveries d SET updated_at = now() FROM customers c, feeds f
         WHERE c.id = d.customer_id AND f.id = d.feed_id AND d.id IN (
           SELECT s.id FROM deliveries s WHERE s.state = 'parsing' AND s.updated_at < $1::timestamptz
           ORDER BY s.received_at LIMIT ${MAX_WOKEN} FOR UPDATE SKIP LOCKED)
         RETURNING d.id, c.slug AS customer, f.slug AS feed, d.raw_key`,
        [since.toISOString()],
      ),
    stuckFiles: (since) =>
      database.query<StuckFile>(
        `UPDATE files x SET updated_at = now() FROM customers c, feeds f
         WHERE c.id = x.customer_id AND f.id = x.feed_id AND x.id IN (
           SELECT s.id FROM files s WHERE s.state IN ('parsed', 'applying') AND s.updated_at < $1::timestamptz
           ORDER BY s.order_key LIMIT ${MAX_WOKEN} FOR UPDATE SKIP LOCKED)
         RETURNING x.id::text AS id, x.delivery_id, c.slug AS customer, f.slug AS feed`,
        [since.toISOString()],
      ),
    async known(ids) {
      const rows = await database.query<{ id: string }>("SELECT id FROM deliveries WHERE id = ANY ($1::text[])", [ids]);
      return new Set(rows.map((row) => row.id));
    },
  };
}

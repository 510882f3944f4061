/** What the tables say of a delivery when the last message about it is gone. */
import type { Engine } from "./engine.ts";

/**
 * What of the delivery is neither at its end nor in anybody's hands. Left out is what a decision set going (an operator's, that
 * a duplicate is news again, or that what waited behind a held file goes on, which had been begun before): its message may still
 * have to be sent, and the timers send it where that fails.
 */
export async function openOf(engine: Engine, deliveryId: string): Promise<string[]> {
  const rows = await engine.rows<{ what: string }>(
    `SELECT o.what FROM (
       SELECT 'its delivery is parsing' AS what, id AS subject FROM deliveries WHERE id = $1 AND state = 'parsing'
       UNION ALL SELECT 'there is no delivery of it', $1 WHERE NOT EXISTS (SELECT FROM deliveries WHERE id = $1)
         AND NOT EXISTS (SELECT FROM dead_letters WHERE correlation_id = $1)
       UNION ALL SELECT 'its file ' || id || ' is ' || state, 'file ' || id FROM files
         WHERE delivery_id = $1 AND cause = 'delivery'
           AND (state = 'applying' OR (state = 'parsed' AND apply_started_at IS NULL))) o
     WHERE NOT EXISTS (SELECT FROM audit_log a WHERE a.subject = o.subject OR a.subject LIKE '% ' || $1 OR a.detail ->> 'delivery' = $1)
     ORDER BY 1`,
    [deliveryId],
  );
  return rows.map(({ what }) => what);
}

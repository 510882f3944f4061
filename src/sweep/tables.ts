/** The rows that the sweep looks at. SQL and nothing else; every statement may come again. */
import { WAITING_CODES } from "../domain/failures.ts";
import { type Database, jsonText } from "../platform/postgres.ts";
import type { Stuck, StuckCount, StuckKind, SweepTables } from "./deps.ts";
import { FIRST_PAUSE_MINUTES, LONGEST_PAUSE_MINUTES } from "./wake.ts";

/** The pause is doubled no more often than this: it is beyond the longest one, and far from the end of an integer. */
const MAX_DOUBLINGS = 10;

/** The pause after the last wake is over. $1 is the time of the sweep. */
const rested = (row: string) =>
  `(${row}.woken_at IS NULL OR ${row}.woken_at <= $1::timestamptz - make_interval(mins => least(
     ${FIRST_PAUSE_MINUTES} * 2 ^ least(${row}.wakes, ${MAX_DOUBLINGS}), ${LONGEST_PAUSE_MINUTES})::int))`;

/** Nothing has touched it since $2, and it does not say that it is to be tried again later. */
const still = (row: string) => `greatest(${row}.updated_at, ${row}.next_attempt_at) < $2::timestamptz`;

/**
 * A stray whose delivery is not known: it has no row, and no letter tells the operator of it. As two conditions, which
 * Postgres can join: behind one NOT (… OR …) 200,000 letters took two seconds.
 */
const UNKNOWN = `NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = s.delivery_id)
  AND NOT EXISTS (SELECT 1 FROM dead_letters l WHERE l.correlation_id = s.delivery_id AND l.state <> 'redriven')`;

/** Takes up at most $3 rows of what has been still since $2, the longest first; the clock says $4. */
const TAKE_UP: Readonly<Record<StuckKind, string>> = {
  stray: `WITH taken AS (
      SELECT s.raw_key FROM strays s WHERE ${rested("s")} AND $2::timestamptz IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM replay_items i WHERE i.delivery_id = s.delivery_id AND i.state IN ('waiting', 'sent'))
      ORDER BY coalesce(s.woken_at, s.found_at), s.raw_key LIMIT $3::int FOR UPDATE SKIP LOCKED)
    UPDATE strays s SET woken_at = $4::timestamptz FROM taken t WHERE s.raw_key = t.raw_key
    RETURNING s.raw_key AS id, s.customer, NULL::text AS feed, s.delivery_id, s.raw_key, NULL::int AS rows, s.wakes`,
  delivery: `WITH taken AS (
      SELECT s.id FROM deliveries s WHERE s.state = 'parsing' AND ${still("s")} AND ${rested("s")}
      ORDER BY coalesce(s.woken_at, s.updated_at), s.id LIMIT $3::int FOR UPDATE SKIP LOCKED)
    UPDATE deliveries d SET woken_at = $4::timestamptz FROM taken t, customers c, feeds f
    WHERE d.id = t.id AND c.id = d.customer_id AND f.id = d.feed_id
    RETURNING d.id, c.slug AS customer, f.slug AS feed, d.id AS delivery_id, d.raw_key, NULL::int AS rows, d.wakes`,
  unread: `WITH taken AS (
      SELECT s.id, s.delivery_id FROM files s JOIN deliveries d ON d.id = s.delivery_id
      WHERE s.state = 'parsing' AND s.cause IN ('delivery', 'dry-run') AND d.state = 'parsed' AND ${still("s")} AND ${rested("s")}
      ORDER BY coalesce(s.woken_at, s.updated_at), s.id LIMIT $3::int FOR UPDATE OF s, d SKIP LOCKED),
    opened AS (
      UPDATE deliveries d SET state = 'parsing', updated_at = now() FROM (SELECT DISTINCT delivery_id FROM taken) t
      WHERE d.id = t.delivery_id RETURNING d.id, d.feed_id, d.raw_key)
    UPDATE files x SET woken_at = $4::timestamptz FROM taken t, opened o, customers c, feeds f
    WHERE x.id = t.id AND o.id = t.delivery_id AND c.id = x.customer_id AND f.id = o.feed_id
    RETURNING x.id::text AS id, c.slug AS customer, f.slug AS feed, x.delivery_id, o.raw_key, NULL::int AS rows, x.wakes`,
  file: `WITH taken AS (
      SELECT s.id FROM files s JOIN feeds f ON f.id = s.feed_id
      WHERE s.state IN ('parsed', 'applying') AND ${still("s")} AND ${rested("s")}
        AND NOT (f.active_file_id IS NOT DISTINCT FROM s.id AND f.lease_until > now())
      ORDER BY coalesce(s.woken_at, s.updated_at), s.order_key, s.id LIMIT $3::int FOR UPDATE OF s SKIP LOCKED)
    UPDATE files x SET woken_at = $4::timestamptz FROM taken t, customers c, feeds f, deliveries d
    WHERE x.id = t.id AND c.id = x.customer_id AND f.id = x.feed_id AND d.id = x.delivery_id
    RETURNING x.id::text AS id, c.slug AS customer, f.slug AS feed, x.delivery_id, d.raw_key, x.accepted AS rows, x.wakes`,
};

const COUNT: Readonly<Record<StuckKind, string>> = {
  stray: "UPDATE strays SET wakes = wakes + 1 WHERE raw_key = ANY ($1::text[]) AND $2::text[] IS NOT NULL",
  delivery: `UPDATE deliveries SET wakes = wakes + 1
    WHERE id = ANY ($1::text[]) AND state = 'parsing' AND (last_failure ->> 'code' = ANY ($2::text[])) IS NOT TRUE`,
  unread: `UPDATE files SET wakes = wakes + 1
    WHERE id = ANY ($1::bigint[]) AND state = 'parsing' AND (last_failure ->> 'code' = ANY ($2::text[])) IS NOT TRUE`,
  file: `UPDATE files SET wakes = wakes + 1
    WHERE id = ANY ($1::bigint[]) AND state IN ('parsed', 'applying') AND (last_failure ->> 'code' = ANY ($2::text[])) IS NOT TRUE`,
};

/** The row to end, by its kind: it answers one row if it has not moved. $1 is its id, $2 the failure. */
const END: Readonly<Record<StuckKind, string>> = {
  stray: "DELETE FROM strays s WHERE s.raw_key = $1 AND $2::jsonb IS NOT NULL RETURNING 1 AS one",
  delivery: `UPDATE deliveries SET state = 'dead', failure = $2::jsonb, updated_at = now()
    WHERE id = $1 AND state = 'parsing' RETURNING 1 AS one`,
  // Its delivery was opened when it was taken up. The file stays as it is: redriving the delivery reads it.
  unread: `UPDATE deliveries d SET state = 'dead', failure = $2::jsonb, updated_at = now()
    FROM files x WHERE x.id = $1::bigint AND x.state = 'parsing' AND d.id = x.delivery_id AND d.state = 'parsing' RETURNING 1 AS one`,
  file: `UPDATE files SET state = 'dead', failure = $2::jsonb, updated_at = now()
    WHERE id = $1::bigint AND state IN ('parsed', 'applying') RETURNING 1 AS one`,
};

interface StuckRow {
  readonly id: string;
  readonly customer: string;
  readonly feed: string | null;
  readonly delivery_id: string;
  readonly raw_key: string;
  readonly rows: number | null;
  readonly wakes: number;
}

export function sweepTables(database: Database): SweepTables {
  return {
    async keepStrays(found, now) {
      const rows = await database.query(
        `INSERT INTO strays (raw_key, delivery_id, customer, found_at)
         SELECT s.raw_key, s.delivery_id, s.customer, $2::timestamptz
         FROM jsonb_to_recordset($1::jsonb) AS s(raw_key text, delivery_id text, customer text)
         WHERE ${UNKNOWN}
         ON CONFLICT DO NOTHING RETURNING raw_key`,
        [
          jsonText(
            found.map(({ rawKey, deliveryId, customer }) => ({ raw_key: rawKey, delivery_id: deliveryId, customer })),
          ),
          now.toISOString(),
        ],
      );
      return rows.length;
    },

    async settleStrays(since, now) {
      await database.transaction([
        { text: `DELETE FROM strays s WHERE NOT (${UNKNOWN})` },
        {
          text: `INSERT INTO strays (raw_key, delivery_id, customer, found_at)
                 SELECT DISTINCT s.message ->> 'rawKey', s.delivery_id, s.customer, $2::timestamptz
                 FROM (SELECT r.correlation_id AS delivery_id, r.message, r.customer FROM dead_letters r
                   WHERE r.state = 'redriven' AND r.stage = 'parse' AND r.decided_at < $1::timestamptz AND r.sending_since IS NULL) s
                 WHERE s.message ->> 'rawKey' IS NOT NULL AND s.delivery_id IS NOT NULL AND s.customer IS NOT NULL AND ${UNKNOWN}
                 ON CONFLICT DO NOTHING`,
          params: [since.toISOString(), now.toISOString()],
        },
      ]);
    },

    async endWithDelivery(since) {
      const rows = await database.query(
        `UPDATE files x SET state = 'rejected', failure = d.failure, updated_at = now() FROM deliveries d
         WHERE d.id = x.delivery_id AND x.state = 'parsing' AND d.state = 'rejected' AND x.updated_at < $1::timestamptz
         RETURNING x.id`,
        [since.toISOString()],
      );
      return rows.length;
    },

    async takeUp(kind, now, since, limit, at) {
      const times = [now.toISOString(), since.toISOString(), limit, at.toISOString()];
      const rows = await database.query<StuckRow>(TAKE_UP[kind], times);
      return rows.map(
        ({ feed, delivery_id, raw_key, rows: accepted, ...row }): Stuck => ({
          ...row,
          kind,
          deliveryId: delivery_id,
          rawKey: raw_key,
          ...(feed === null ? {} : { feed }),
          ...(accepted === null ? {} : { rows: accepted }),
        }),
      );
    },

    async woken(kind, ids) {
      await database.query(COUNT[kind], [ids, WAITING_CODES]);
    },

    async giveUp({ kind, id, customer, deliveryId, wakes }, message, failure) {
      const letters = await database.query(
        `WITH ended AS (${END[kind]})
         INSERT INTO dead_letters (stage, message_id, message, failure, customer, correlation_id, attempts, redrive_of)
         SELECT $3, 'sweep-' || gen_random_uuid(), $4::jsonb, $2::jsonb, $5, $6, $7::int,
           (SELECT coalesce(l.redrive_of, l.id) FROM dead_letters l
            WHERE l.correlation_id = $6 AND l.stage = $3 AND l.state = 'redriven'
              AND l.message ->> 'fileId' IS NOT DISTINCT FROM $4::jsonb ->> 'fileId' ORDER BY l.id DESC LIMIT 1)
         FROM ended
         RETURNING id`,
        [id, jsonText(failure), kind === "file" ? "apply" : "parse", jsonText(message), customer, deliveryId, wakes],
      );
      return letters.length > 0;
    },

    wokenOften: (wakes) =>
      database.query<StuckCount>(
        `SELECT 'stray' AS kind, count(*)::int AS count FROM strays WHERE wakes >= $1::int
         UNION ALL SELECT 'delivery', count(*)::int FROM deliveries WHERE state = 'parsing' AND wakes >= $1::int
         UNION ALL SELECT 'unread', count(*)::int FROM files WHERE state = 'parsing' AND wakes >= $1::int
         UNION ALL SELECT 'file', count(*)::int FROM files WHERE state IN ('parsed', 'applying') AND wakes >= $1::int`,
        [wakes],
      ),
  };
}

/** What freshness reads. SQL and nothing else. */
import { type Database, jsonText } from "../platform/postgres.ts";
import type { FeedArrivals, FreshnessTables, OpenAlert } from "./deps.ts";

/** Arrivals of a feed that are looked at, the latest: one that comes every hour shows ten days. */
const ARRIVALS_MAX = 250;
/** Numbers of a feed that are looked at, the latest in its order. */
const NUMBERS_MAX = 500;

/**
 * The lowest place in order of a file whose as-of is this (`orderKeyOf` in domain/ids.ts): read along the index, however many
 * files came before.
 */
const firstOf = (asOf: Date): string => `${asOf.getTime().toString(16).padStart(12, "0")}${"0".repeat(20)}`;

export function freshnessTables(database: Database): FreshnessTables {
  return {
    arrivals: (feeds, since) =>
      database.query<FeedArrivals>(
        `SELECT w.customer, w.feed, (extract(epoch FROM c.created_at) * 1000)::float8 AS "knownSinceMs",
           coalesce(a.at, '[]') AS "atMs", coalesce(n.numbered, '[]') AS numbered
         FROM jsonb_to_recordset($1::jsonb) AS w(customer text, feed text)
         JOIN customers c ON c.slug = w.customer LEFT JOIN feeds f ON f.customer_id = c.id AND f.slug = w.feed
         LEFT JOIN LATERAL (SELECT jsonb_agg((extract(epoch FROM l.received_at) * 1000)::bigint) AS at FROM (
           SELECT x.received_at FROM files x
           WHERE x.feed_id = f.id AND x.cause = 'delivery' AND x.state <> 'rejected' AND x.order_key >= $2::uuid
           ORDER BY x.order_key DESC LIMIT $3::int) l) a ON true
         LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('sequence', l.sequence,
             'receivedAtMs', (extract(epoch FROM l.received_at) * 1000)::bigint) ORDER BY l.order_key) AS numbered FROM (
           SELECT x.sequence, x.received_at, x.order_key FROM files x
           WHERE x.feed_id = f.id AND x.cause = 'delivery' AND x.sequence IS NOT NULL AND x.state <> 'rejected'
             AND x.order_key >= $2::uuid
           ORDER BY x.order_key DESC LIMIT $4::int) l) n ON true`,
        [jsonText(feeds), firstOf(since), ARRIVALS_MAX, NUMBERS_MAX],
      ),
    openAlerts: (kinds) =>
      database.query<OpenAlert>(
        "SELECT kind, subject FROM alerts WHERE kind = ANY ($1::text[]) AND cleared_at IS NULL",
        [kinds],
      ),
  };
}

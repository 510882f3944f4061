/** The rows of a restore in Postgres. SQL and nothing else; every statement may come again. */
import { type Database, jsonText, storable } from "../platform/postgres.ts";
import type { Differences, OrderedPart, RestoredFeed, RestoreTables, RowToRestore } from "./deps.ts";

const iso = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

export function restoreTables(database: Pick<Database, "query">): RestoreTables {
  return {
    feeds: (customer, feed, to) =>
      database.query<RestoredFeed>(
        `SELECT c.id AS "customerId", f.id AS "feedId", c.slug AS customer, f.slug AS feed, f.adapter_version AS "adapterVersion",
           ${iso("h.since")} AS "historyFrom", h.since > $3::timestamptz AS "tooEarly", now() < $3::timestamptz AS ahead,
           (SELECT count(*)::int FROM files x WHERE x.feed_id = f.id AND NOT x.compare_only
              AND x.state IN ('parsing', 'parsed', 'applying')) AS "underWay"
         FROM customers c JOIN feeds f ON f.customer_id = c.id CROSS JOIN LATERAL (SELECT history_from(f.id) AS since) h
         WHERE c.slug = $1 AND ($2::text IS NULL OR f.slug = $2) AND f.mode <> 'snapshot' ORDER BY f.slug`,
        [customer, feed ?? null, to],
      ),

    async differences(feedId, to, after, rows, bytes) {
      const [row] = await database.query<Differences>(
        "SELECT * FROM restore_sum($1::int, $2::timestamptz, $3, NULL, $4::int, $5::int, true)",
        [feedId, to, after, rows, bytes],
      );
      return row!;
    },

    async order({ request, to, feeds, now, by, subject, detail }) {
      await database.query("SELECT order_restore($1, $2::timestamptz, $3::jsonb, $4::timestamptz, $5, $6, $7::jsonb)", [
        request,
        to,
        JSON.stringify(feeds),
        now,
        storable(by),
        subject,
        jsonText(detail),
      ]);
    },

    ordered: (customer, request) =>
      database.query<OrderedPart>(
        `SELECT r.id::text AS "restoreId", c.slug AS customer, f.slug AS feed, f.id AS "feedId", f.adapter_version AS "adapterVersion",
           r.request, ${iso("r.restore_to")} AS to, ${iso("r.said_at")} AS "saidAt", ${iso("r.as_of")} AS "asOf", r.asked_by AS "askedBy",
           (count(*) OVER (PARTITION BY r.id))::int AS parts, p.n, p.file_id::text AS "fileId", p.after_key AS after, p.upto_key AS upto,
           p.sum::text AS sum, p.rows, x.state, x.delivery_id AS "deliveryId", x.accepted
         FROM customers c JOIN restores r ON r.customer_id = c.id JOIN feeds f ON f.id = r.feed_id
         JOIN restore_parts p ON p.restore_id = r.id LEFT JOIN files x ON x.id = p.file_id
         WHERE c.slug = $1 AND r.request = $2 ORDER BY f.slug, p.n`,
        [customer, request],
      ),

    rows: ({ feedId, to, after, upto }) =>
      database.query<RowToRestore>(
        `SELECT d.natural_key AS key, d.record_id::text AS id, d.version, replace(d.row_hash::text, '-', '') AS hash,
           d.was::text AS text, d.mark
         FROM restore_differences($1::int, $2::timestamptz, $3, $4, NULL) d`,
        [feedId, to, after, upto],
      ),

    async make({ restoreId, n, fileId }, { delivery, file, retirements }) {
      const [row] = await database.query<{ outcome: "made" | "already" | "again" }>(
        "SELECT make_restore_part($1::bigint, $2::int, $3::bigint, $4::jsonb, $5::jsonb, $6::jsonb) AS outcome",
        [restoreId, n, fileId, JSON.stringify(delivery), JSON.stringify(file), JSON.stringify(retirements)],
      );
      return row!.outcome;
    },

    async stands(fileId) {
      const [row] = await database.query<{ stands: boolean; to: string }>(
        `SELECT s.stands, ${iso("s.restore_to")} AS to FROM restore_stands($1::bigint) s`,
        [fileId],
      );
      return row;
    },

    async hold(fileId, token, failure) {
      const [row] = await database.query<{ held: boolean }>(
        "SELECT hold_restore($1::bigint, $2::uuid, $3::jsonb) AS held",
        [fileId, token, jsonText(failure)],
      );
      return row!.held;
    },
  };
}

/** The gate's rows in Postgres. SQL and nothing else; every statement may come again. */
import type { Allowance } from "../domain/retirement.ts";
import { type Database, jsonText } from "../platform/postgres.ts";
import type { GatedFile, GateTables, SampledRow } from "./deps.ts";

/** Files of a feed by which the next is judged: of one that mails every quarter of an hour, those of ten days. */
const HISTORY_MAX_FILES = 1_000;
/** As far back as the same weekday is looked at, at most half a year: `rowCount.weeks` of the policy. */
const HISTORY_MAX_WEEKS = 26;
/** Files whose numbers of fields are looked at: as many as `fieldsOfFiles` takes, and some that lack a field. */
const HISTORY_FIELD_FILES = 10;

/**
 * A replay that lets pass what comes for the first time means what is old. A mail of today that it finds unread in the archive is
 * judged as on every other day.
 */
const PASSED_MIN_HOURS = 24;

/** Retired records have this hash, and it stands in the index. */
const ZERO = "00000000-0000-0000-0000-000000000000";

const ms = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;

export function gateTables(database: Pick<Database, "query">): GateTables {
  return {
    // Of the feed's history what had come before the file: it is judged alike whenever it is read again. What came later, by
    // whatever way, is no part of it, and neither is what was read again or made by us.
    async file(fileId) {
      const [row] = await database.query<GatedFile>(
        `SELECT c.slug AS customer, c.title AS "customerTitle", f.slug AS feed, f.title AS "feedTitle", x.path, x.delivery_id AS "deliveryId",
           d.sender, to_char(x.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "receivedAt", x.accepted, x.rejected,
           x.header_lines + x.preamble_lines + x.footer_lines AS "otherLines", ${ms("x.as_of")} AS "asOfMs",
           ${ms("x.received_at")} AS "receivedMs", ${ms("x.stated_as_of")} AS "statedMs", x.field_numbers AS "fieldNumbers",
           EXISTS (SELECT 1 FROM replays p WHERE p.gate = 'pass' AND (p.id = x.replay_id OR (x.cause = 'delivery'
             AND x.received_at < p.created_at - make_interval(hours => $5::int) AND EXISTS (SELECT FROM replay_items i
               WHERE i.replay_id = p.id AND i.delivery_id = x.delivery_id AND i.state = 'sent' AND i.fresh)))) AS passed,
           f.gate_widening AS widening, (SELECT count(*)::int FROM holds h WHERE h.file_id = x.id) AS holds,
           coalesce((SELECT jsonb_agg(t) FROM holds h CROSS JOIN LATERAL jsonb_array_elements(h.tripped) t
             WHERE h.file_id = x.id AND h.decision IN ('release', 'widen')), '[]') AS answered,
           coalesce((SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(p) - 'n') || jsonb_build_object('fields', CASE WHEN p.n <= $4::int THEN p.fields END))
             FROM (SELECT ${ms("o.as_of")} AS "asOfMs", o.accepted + o.rejected AS rows, o.rejected, o.inserted, o.changed,
                 coalesce(o.retired, 0) AS retired, o.accepted - o.superseded AS named, coalesce(o.records_before, 0) AS records,
                 o.field_numbers AS fields, row_number() OVER (ORDER BY o.order_key DESC) AS n
               FROM files o
               WHERE o.feed_id = x.feed_id AND o.id <> x.id AND o.state = 'applied' AND o.cause = 'delivery'
                 AND o.received_at <= x.received_at AND o.as_of > x.as_of - make_interval(weeks => $3::int)
               ORDER BY o.order_key DESC LIMIT $2::int) p), '[]') AS history
         FROM files x JOIN feeds f ON f.id = x.feed_id JOIN customers c ON c.id = x.customer_id
         JOIN deliveries d ON d.id = x.delivery_id
         WHERE x.id = $1::bigint`,
        [fileId, HISTORY_MAX_FILES, HISTORY_MAX_WEEKS, HISTORY_FIELD_FILES, PASSED_MIN_HOURS],
      );
      return (
        row && { ...row, history: row.history.map(({ fields, ...past }) => (fields ? { ...past, fields } : past)) }
      );
    },

    async records({ customerId, feedId }, upTo) {
      const [row] = await database.query<{ records: number }>(
        `SELECT count(*)::int AS records FROM (SELECT FROM records r
           WHERE r.customer_id = $1::int AND r.feed_id = $2::int AND r.row_hash <> '${ZERO}' LIMIT $3::int) r`,
        [customerId, feedId, upTo ?? null],
      );
      return row?.records ?? 0;
    },

    known: ({ customerId, feedId }, keys) =>
      database.query<SampledRow>(
        `SELECT r.natural_key AS key, r.data FROM jsonb_array_elements_text($3::jsonb) k
         CROSS JOIN LATERAL (SELECT x.natural_key, x.data FROM records x
           WHERE x.customer_id = $1::int AND x.feed_id = $2::int AND x.natural_key = k COLLATE "C" AND x.row_hash <> '${ZERO}' LIMIT 1) r`,
        [customerId, feedId, JSON.stringify(keys)],
      ),

    async listed(fileId) {
      const [row] = await database.query<{ listed: number }>(
        "SELECT count(*)::int AS listed FROM listed_retirements WHERE file_id = $1::bigint",
        [fileId],
      );
      return row?.listed ?? 0;
    },

    async pass(fileId, token, allowance, records) {
      const [row] = await database.query<{ gate: Allowance | null }>(
        "SELECT pass_gate($1::bigint, $2::uuid, $3::jsonb, $4::int) AS gate",
        [fileId, token, JSON.stringify(allowance), records ?? null],
      );
      return row?.gate ?? undefined;
    },

    async hold(fileId, token, failure, plan, hold, mails) {
      const [row] = await database.query<{ held: boolean }>(
        "SELECT hold_by_gate($1::bigint, $2::uuid, $3::jsonb, $4::jsonb, $5::jsonb, $6::jsonb) AS held",
        [fileId, token, jsonText(failure), jsonText(plan), jsonText(hold), jsonText(mails)],
      );
      return row?.held ?? false;
    },
  };
}

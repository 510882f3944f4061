/** Holds and what decides them. SQL and nothing else; every statement may come again. */
import type { GatePolicyInput } from "../domain/gate-policy.ts";
import type { ApplyFile } from "../domain/messages.ts";
import { type Database, jsonText } from "../platform/postgres.ts";
import type { Hold, HoldTables } from "./deps.ts";

const iso = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const HOLD = `
  SELECT h.id::text AS id, h.nonce, h.file_id::text AS "fileId", c.slug AS customer, c.title AS "customerTitle", f.slug AS feed,
    f.title AS "feedTitle", x.delivery_id AS "deliveryId", x.path, x.cause, coalesce(d.sender, '') AS sender, ${iso("x.received_at")} AS "receivedAt",
    x.state, h.facts, h.tripped, h.telling, h.widening, h.later, ${iso("h.held_at")} AS "heldAt", ${iso("h.remind_at")} AS "remindAt",
    ${iso("h.expires_at")} AS "expiresAt", h.decision, ${iso("h.decided_at")} AS "decidedAt", h.decided_by AS "decidedBy",
    CASE WHEN h.decision IS NULL AND x.state = 'held' THEN (SELECT count(*)::int FROM files w WHERE w.feed_id = x.feed_id
      AND w.state = 'held' AND w.failure->>'code' = 'behind-held-file' AND w.order_key > x.order_key) ELSE 0 END AS behind
  FROM holds h JOIN files x ON x.id = h.file_id JOIN customers c ON c.id = x.customer_id JOIN feeds f ON f.id = x.feed_id
  JOIN deliveries d ON d.id = x.delivery_id`;

/** A file that went on by another way has nothing to decide, whatever its hold says. */
const OPEN = "h.decision IS NULL AND x.state = 'held'";

/** The expression of the index `holds_due`; of those that it finds, each duty takes its own. */
const DUE = `${OPEN} AND least(h.remind_at, h.expires_at) <= $1::timestamptz`;

export function holdTables(database: Database): HoldTables {
  return {
    async of(fileId, nonce) {
      const [hold] = await database.query<Hold>(
        `${HOLD} WHERE h.file_id = $1::bigint AND ($2::text IS NULL OR h.nonce = $2) ORDER BY h.id DESC LIMIT 1`,
        [fileId, nonce ?? null],
      );
      return hold;
    },

    list: ({ customerId, feedId, open, before }, limit) =>
      database.query<Hold>(
        `${HOLD} WHERE ${open ? OPEN : "h.decision IS NOT NULL"} AND ($1::int IS NULL OR x.customer_id = $1)
           AND ($2::int IS NULL OR x.feed_id = $2) AND ($3::bigint IS NULL OR h.id < $3) ORDER BY h.id DESC LIMIT $4::int`,
        [customerId ?? null, feedId ?? null, before ?? null, limit],
      ),

    async decide(fileId, nonce, decision, by, failure) {
      const [row] = await database.query<{ outcome: "decided" | "already" | "unknown"; wake: string[] }>(
        `SELECT outcome, ARRAY(SELECT unnest(wake)::text) AS wake
         FROM decide_hold($1::bigint, $2::text, $3::text, $4::text, $5::jsonb)`,
        [fileId, nonce ?? null, decision, by, failure === null ? null : jsonText(failure)],
      );
      return row ?? { outcome: "unknown", wake: [] };
    },

    messagesOf: (fileIds) =>
      database.query<Omit<ApplyFile, "v" | "type">>(
        `SELECT c.slug AS customer, f.slug AS feed, x.delivery_id AS "correlationId", x.id::text AS "fileId",
           coalesce(x.accepted, 0) AS rows
         FROM files x JOIN customers c ON c.id = x.customer_id JOIN feeds f ON f.id = x.feed_id
         WHERE x.id = ANY ($1::bigint[]) ORDER BY x.feed_id, x.order_key`,
        [fileIds],
      ),

    async narrow(feedId, by) {
      const [row] = await database.query<{ was: GatePolicyInput }>(
        `WITH was AS (
           SELECT f.id, c.slug || '/' || f.slug AS name, f.gate_widening AS widening FROM feeds f JOIN customers c ON c.id = f.customer_id
           WHERE f.id = $1::int FOR NO KEY UPDATE OF f),
         narrowed AS (
           UPDATE feeds f SET gate_widening = '{}' FROM was WHERE f.id = was.id AND was.widening <> '{}' RETURNING f.id),
         audited AS (
           INSERT INTO audit_log (actor, action, subject, detail)
           SELECT $2, 'narrow', 'feed ' || was.name, jsonb_build_object('was', was.widening) FROM was JOIN narrowed n ON n.id = was.id)
         SELECT was.widening AS was FROM was`,
        [feedId, by],
      );
      return row?.was ?? {};
    },

    expired: (now, limit) =>
      database.query<Hold>(
        `${HOLD} WHERE ${DUE} AND h.expires_at <= $1::timestamptz ORDER BY h.expires_at LIMIT $2::int`,
        [now.toISOString(), limit],
      ),

    toRemind: (now, limit) =>
      database.query<Hold>(
        `${HOLD} WHERE ${DUE} AND h.remind_at <= $1::timestamptz AND h.expires_at > $1::timestamptz ORDER BY h.remind_at LIMIT $2::int`,
        [now.toISOString(), limit],
      ),

    async remind(holdId, mails) {
      const rows = await database.query(
        `WITH taken AS (
           UPDATE holds h SET remind_at = NULL FROM files x
           WHERE h.id = $1::bigint AND x.id = h.file_id AND ${OPEN} AND h.remind_at IS NOT NULL
           RETURNING x.id, x.customer_id, x.feed_id),
         told AS (
           INSERT INTO notifications (key, recipient, customer_id, feed_id, file_id, subject, body_text, body_html)
           SELECT m->>'key', m->>'recipient', t.customer_id, t.feed_id, t.id, m->>'subject', m->>'text', m->>'html'
           FROM taken t CROSS JOIN jsonb_array_elements($2::jsonb) AS m ON CONFLICT (key) DO NOTHING)
         SELECT id FROM taken`,
        [holdId, jsonText(mails)],
      );
      return rows.length > 0;
    },
  };
}

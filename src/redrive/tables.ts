/** The rows of dead letters and of what they are about. SQL and nothing else; every statement may come again. */
import { type Database, jsonText, storable } from "../platform/postgres.ts";
import type { FixedCause, Letter, OfCause, Place, RedriveTables } from "./deps.ts";

/** A time to the microsecond, as text: the driver's own parsers are not relied on. */
const iso = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const LETTERS = `
  SELECT l.id::text AS id, l.stage, l.state, l.sending_since IS NULL AS sent, l.failure ->> 'code' AS code, l.message,
         l.redrive_of::text AS redrive_of, ${iso("l.last_at")} AS died_at,
         d.id AS delivery_id, df.slug AS delivery_feed, d.raw_key, f.replay_id::text AS replay_id
  FROM dead_letters l
  LEFT JOIN files f ON f.id = l.file_id
  LEFT JOIN deliveries d ON d.id = coalesce(f.delivery_id, l.correlation_id)
  LEFT JOIN feeds df ON df.id = d.feed_id`;

interface LetterRow extends Pick<Letter, "id" | "stage" | "state" | "sent" | "code" | "message"> {
  readonly redrive_of: string | null;
  readonly died_at: string;
  readonly delivery_id: string | null;
  readonly delivery_feed: string | null;
  readonly raw_key: string | null;
  readonly replay_id: string | null;
}

const letterOf = (row: LetterRow): Letter => {
  const { delivery_id: deliveryId, delivery_feed: feed, raw_key: rawKey, replay_id: replayId } = row;
  const replay = replayId === null ? {} : { replay: replayId };
  return {
    id: row.id,
    stage: row.stage,
    state: row.state,
    sent: row.sent,
    code: row.code,
    message: row.message,
    redriveOf: row.redrive_of,
    diedAt: row.died_at,
    archived: deliveryId === null || feed === null || rawKey === null ? null : { deliveryId, feed, rawKey, ...replay },
  };
};

/** Open letters of a selection behind a place; $1 to $5. */
const OPEN_OF = `l.state = 'open' AND l.cause = $1 AND ($2::text IS NULL OR l.customer = $2)
  AND ($3::timestamptz IS NULL OR l.last_at < $3::timestamptz)
  AND ($4::timestamptz IS NULL OR (l.last_at, l.id) > ($4::timestamptz, $5::bigint))`;

const openOf = ({ cause, customer, diedBefore }: OfCause, after: Place | undefined) => [
  cause,
  customer ?? null,
  diedBefore ?? null,
  after?.diedAt ?? null,
  after?.id ?? null,
];

export function redriveTables(database: Database): RedriveTables {
  return {
    async letters(ids) {
      const rows = await database.query<LetterRow>(`${LETTERS} WHERE l.id = ANY ($1::bigint[]) ORDER BY l.id`, [ids]);
      return rows.map(letterOf);
    },

    async openOf(selection, after, limit) {
      const rows = await database.query<LetterRow>(
        `${LETTERS} WHERE ${OPEN_OF} ORDER BY l.last_at, l.id LIMIT $6::int`,
        [...openOf(selection, after), limit],
      );
      return rows.map(letterOf);
    },

    async countOpenOf(selection, after) {
      const [row] = await database.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM dead_letters l WHERE ${OPEN_OF}`,
        openOf(selection, after),
      );
      return row?.n ?? 0;
    },

    async take(letters, by, why) {
      // Locked in the order of their ids, so that two operators with overlapping selections do not lock each other out.
      const rows = await database.query<{ id: string }>(
        `WITH given AS (SELECT g.id, g.rereads FROM unnest($1::bigint[], $2::boolean[]) AS g(id, rereads)),
         locked AS (
           SELECT l.id, g.rereads FROM dead_letters l JOIN given g ON g.id = l.id WHERE l.state = 'open'
           ORDER BY l.id FOR UPDATE OF l),
         taken AS (
           UPDATE dead_letters l SET state = 'redriven', decided_at = now(), decided_by = $3, sending_since = now()
           FROM locked k WHERE l.id = k.id
           RETURNING l.id, l.stage, l.cause, l.customer, l.correlation_id, l.file_id, l.redrive_of, k.rereads),
         woken_deliveries AS (
           UPDATE deliveries d SET state = 'parsing', failure = NULL, attempts = 0, updated_at = now()
           FROM taken t WHERE t.stage = 'parse' AND d.id = t.correlation_id AND d.state = 'dead'),
         woken_files AS (
           UPDATE files f SET state = CASE WHEN t.rereads THEN 'parsing' ELSE 'parsed' END, failure = NULL, attempts = 0,
             updated_at = now()
           FROM taken t WHERE t.stage = 'apply' AND f.id = t.file_id AND f.state = 'dead'
             AND (t.rereads OR f.lines IS NOT NULL)   -- one that was never read is its delivery's to bring back
           RETURNING f.delivery_id, f.cause, t.rereads),
         opened_again AS (   -- a replay reads a delivery that is at its end
           UPDATE deliveries d SET state = 'parsing', failure = NULL, updated_at = now()
           FROM woken_files w WHERE w.rereads AND w.cause <> 'replay' AND d.id = w.delivery_id AND d.state IN ('parsed', 'dead')),
         audited AS (
           INSERT INTO audit_log (actor, action, subject, detail)
           SELECT $3, 'redrive', 'dead letter ' || t.id, jsonb_strip_nulls(jsonb_build_object('cause', t.cause,
             'customer', t.customer, 'delivery', t.correlation_id, 'file', t.file_id, 'first_life', t.redrive_of, 'why', $4::text))
           FROM taken t)
         SELECT t.id::text AS id FROM taken t`,
        [letters.map(({ id }) => id), letters.map(({ rereads }) => rereads), by, why],
      );
      return new Set(rows.map(({ id }) => id));
    },

    async sent(ids) {
      await database.query("UPDATE dead_letters SET sending_since = NULL WHERE id = ANY ($1::bigint[])", [ids]);
    },

    async unsent(since, limit) {
      const claimed = await database.query<{ id: string }>(
        `UPDATE dead_letters l SET sending_since = now() WHERE l.id IN (
           SELECT s.id FROM dead_letters s WHERE s.sending_since < $1::timestamptz
           ORDER BY s.sending_since LIMIT $2::int FOR UPDATE SKIP LOCKED)
         RETURNING l.id::text AS id`,
        [since.toISOString(), limit],
      );
      return claimed.length === 0 ? [] : this.letters(claimed.map(({ id }) => id));
    },

    async discard(id, by, reason, failure) {
      // While another letter about the same is open, the delivery or file waits for that one.
      await database.query(
        `WITH taken AS (
           UPDATE dead_letters l SET state = 'discarded', decided_at = now(), decided_by = $2, reason = $3
           WHERE l.id = $1::bigint AND l.state = 'open'
           RETURNING l.id, l.stage, l.cause, l.customer, l.correlation_id, l.file_id),
         last_one AS (
           SELECT t.* FROM taken t WHERE NOT EXISTS (
             SELECT FROM dead_letters o WHERE o.correlation_id = t.correlation_id AND o.stage = t.stage
               AND o.file_id IS NOT DISTINCT FROM t.file_id AND o.state = 'open' AND o.id <> t.id)),
         ended_deliveries AS (
           UPDATE deliveries d SET failure = $4::jsonb, updated_at = now()
           FROM last_one t WHERE t.stage = 'parse' AND d.id = t.correlation_id AND d.state = 'dead' RETURNING d.id),
         unread_files AS (
           UPDATE files f SET state = 'dead', failure = $4::jsonb, updated_at = now()
           FROM ended_deliveries d WHERE f.delivery_id = d.id AND f.state = 'parsing'),
         ended_files AS (
           UPDATE files f SET failure = $4::jsonb, updated_at = now()
           FROM last_one t WHERE t.stage = 'apply' AND f.id = t.file_id AND f.state = 'dead')
         INSERT INTO audit_log (actor, action, subject, detail)
         SELECT $2, 'discard', 'dead letter ' || t.id, jsonb_strip_nulls(jsonb_build_object('reason', $3::text, 'cause', t.cause,
           'customer', t.customer, 'delivery', t.correlation_id, 'file', t.file_id))
         FROM taken t`,
        [id, by, storable(reason), jsonText(failure)],
      );
    },

    async markFixed(cause, by, note) {
      const [row] = await database.query<FixedRow>(
        `WITH marked AS (
           INSERT INTO fixed_causes AS c (cause, marked_at, marked_by, note)
           SELECT $1, now(), $2, $3 WHERE EXISTS (SELECT FROM dead_letters l WHERE l.cause = $1)
           ON CONFLICT (cause) DO UPDATE SET marked_at = now(), marked_by = excluded.marked_by, note = excluded.note
           RETURNING cause, marked_at, marked_by, note),
         audited AS (
           INSERT INTO audit_log (actor, action, subject, detail)
           SELECT m.marked_by, 'mark-fixed', 'cause ' || m.cause, jsonb_strip_nulls(jsonb_build_object('note', m.note)) FROM marked m)
         SELECT m.cause, ${iso("m.marked_at")} AS marked_at, m.marked_by FROM marked m`,
        [cause, by, storable(note)],
      );
      return row && fixedOf(row);
    },

    async fixedCauses() {
      const rows = await database.query<FixedRow>(
        `SELECT c.cause, ${iso("c.marked_at")} AS marked_at, c.marked_by FROM fixed_causes c
         WHERE EXISTS (SELECT FROM dead_letters l WHERE l.cause = c.cause AND l.state = 'open' AND l.last_at < c.marked_at)
         ORDER BY c.marked_at, c.cause`,
      );
      return rows.map(fixedOf);
    },
  };
}

interface FixedRow {
  readonly cause: string;
  readonly marked_at: string;
  readonly marked_by: string;
}

const fixedOf = ({ cause, marked_at, marked_by }: FixedRow): FixedCause => ({
  cause,
  markedAt: marked_at,
  markedBy: marked_by,
});

/** The rows of replays. SQL and nothing else; every statement may come again. */
import type { FailureReport } from "../domain/failures.ts";
import { type Database, jsonText, type Statement } from "../platform/postgres.ts";
import type {
  Collected,
  Decision,
  DueItem,
  FoundItem,
  ReadingOrder,
  Replay,
  ReplayScope,
  ReplayState,
  ReplayTables,
  Step,
} from "./deps.ts";

/** The first pause before the message of an unread delivery is sent again: the longest invocation takes 15 minutes. It doubles. */
const FIRST_PAUSE_MINUTES = 20;
/**
 * Messages sent again in vain until a delivery is given up and the replay goes on: with the pauses between them seven days,
 * longer than a message may wait in a queue.
 */
const MAX_WAKES = 8;
/** No message waits longer in a queue. */
const MESSAGE_MAX_DAYS = 7;

/** A time as ISO text, whatever parsers the driver has. */
const iso = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** States of a file in which a stage is at work on it. */
const MOVING = "('parsing', 'parsed', 'applying')";

interface ReplayRow {
  readonly id: string;
  readonly state: ReplayState;
  readonly customer: string | null;
  readonly feed: string | null;
  readonly since: string | null;
  readonly raw_keys: string[] | null;
  readonly shadow: boolean;
  readonly profile: number | null;
  readonly mapping: number | null;
  readonly gate: "judge" | "pass";
  readonly collected: Collected | null;
}

const replayOf = ({ raw_keys: rawKeys, ...row }: ReplayRow): Replay => ({
  id: row.id,
  state: row.state,
  customer: row.customer ?? undefined,
  feed: row.feed ?? undefined,
  since: row.since ?? undefined,
  rawKeys: rawKeys ?? undefined,
  shadow: row.shadow,
  profile: row.profile ?? undefined,
  mapping: row.mapping ?? undefined,
  gate: row.gate,
  collected: row.collected ?? undefined,
});

export function replayTables(database: Database): ReplayTables {
  return {
    async create(scope: ReplayScope, by) {
      const [row] = await database.query<{ id: string }>(
        `WITH made AS (
           INSERT INTO replays (customer, feed, since, raw_keys, shadow, profile, mapping, gate, created_by)
           VALUES ($1, $2, $3::timestamptz, $4::text[], $5, $6::int, $7::int, $8, $9) RETURNING *),
         audited AS (
           INSERT INTO audit_log (actor, action, subject, detail)
           SELECT $9, 'replay', 'replay ' || m.id, jsonb_strip_nulls(to_jsonb(m) - ARRAY['id', 'state', 'raw_keys', 'lanes', 'created_at', 'created_by',
             'running_bytes']) || jsonb_build_object('objects', cardinality(m.raw_keys)) FROM made m)
         SELECT m.id::text AS id FROM made m`,
        [
          scope.customer ?? null,
          scope.feed ?? null,
          scope.since ?? null,
          scope.rawKeys ?? null,
          scope.shadow,
          scope.profile ?? null,
          scope.mapping ?? null,
          scope.gate,
          by,
        ],
      );
      return row!.id;
    },

    async replay(id) {
      const [row] = await database.query<ReplayRow>(
        // Once they are collected, nobody needs the keys, of which there may be a megabyte.
        `SELECT id::text AS id, state, customer, feed, ${iso("since")} AS since,
           CASE state WHEN 'collecting' THEN raw_keys END AS raw_keys, shadow, profile, mapping, gate, collected
         FROM replays WHERE id = $1::bigint`,
        [id],
      );
      return row && replayOf(row);
    },

    async open() {
      const rows = await database.query<{ id: string }>(
        "SELECT id::text AS id FROM replays WHERE state IN ('collecting', 'running', 'paused') ORDER BY replays.id",
      );
      return rows.map(({ id }) => id);
    },

    async keep(id, before, found, after, now) {
      const answers = await database.transaction(keeping(id, before, found, after, now));
      return (answers[0]?.length ?? 0) > 0;
    },

    async fail(id, failure: FailureReport, now) {
      await database.query(
        `UPDATE replays SET state = 'failed', failure = $2::jsonb, ended_at = $3::timestamptz
         WHERE id = $1::bigint AND state = 'collecting'`,
        [id, jsonText(failure), now.toISOString()],
      );
    },

    async endLeftFiles(failure, now) {
      await database.query(
        `UPDATE files f SET state = 'rejected', failure = $1::jsonb, updated_at = now()
         FROM replays r JOIN replay_items i ON i.replay_id = r.id
         WHERE f.state = 'parsing' AND r.id = f.replay_id AND i.delivery_id = f.delivery_id
           AND (i.reason = 'does-not-move' OR r.state = 'cancelled' AND r.ended_at < $2::timestamptz - make_interval(days => ${MESSAGE_MAX_DAYS}))`,
        [jsonText(failure), now.toISOString()],
      );
    },

    async step(id, now) {
      const at = now.toISOString();
      const answers = await database.transaction([
        { text: "SELECT FROM replays WHERE id = $1::bigint FOR NO KEY UPDATE", params: [id] },
        { text: SETTLE, params: [id] },
        { text: GIVE_UP, params: [id, at] },
        { text: WAKE, params: [id, at] },
        { text: TAKE_UP, params: [id, at] },
        { text: END, params: [id, at] },
      ]);
      const [, , , woken = [], taken = [], [ended] = []] = answers;
      const due = taken as unknown as readonly (DueItem & { readonly state: string })[];
      return {
        send: [...(woken as unknown as DueItem[]), ...due.filter(({ state }) => state === "sent")],
        again: due.some(({ state }) => state === "skipped"),
        ended: ended as Step["ended"],
      };
    },

    async orderOf(id, deliveryId) {
      // A file that was begun is read to its end, whatever became of its replay.
      const [row] = await database.query<{
        fresh: boolean;
        shadow: boolean;
        profile: number | null;
        mapping: number | null;
      }>(
        `SELECT coalesce(i.fresh, false) AS fresh, r.shadow, r.profile, r.mapping FROM replays r
         JOIN replay_items i ON i.replay_id = r.id AND i.delivery_id = $2
         WHERE r.id = $1::bigint AND (i.state = 'sent' OR EXISTS (
           SELECT 1 FROM files f WHERE f.delivery_id = $2 AND f.replay_id = r.id AND f.state = 'parsing'))`,
        [id, deliveryId],
      );
      return (
        row && ({ ...row, profile: row.profile ?? undefined, mapping: row.mapping ?? undefined } satisfies ReadingOrder)
      );
    },

    async read(id, deliveryId, now) {
      await database.query(
        `UPDATE replay_items SET read_at = $3::timestamptz
         WHERE replay_id = $1::bigint AND delivery_id = $2 AND state = 'sent' AND read_at IS NULL`,
        [id, deliveryId, now.toISOString()],
      );
    },

    async decide(id, decision, by, now) {
      const answers = await database.transaction([
        { text: "SELECT FROM replays WHERE id = $1::bigint FOR NO KEY UPDATE", params: [id] },
        { text: DECIDE[decision], params: [id, by, now.toISOString()] },
        {
          text: `UPDATE replay_items i SET state = 'skipped', reason = 'cancelled' FROM replays r
                 WHERE r.id = $1::bigint AND r.state = 'cancelled' AND i.replay_id = r.id AND i.state IN ('waiting', 'sent')`,
          params: [id],
        },
        { text: "SELECT state FROM replays WHERE id = $1::bigint", params: [id] },
      ]);
      return answers[3]?.[0]?.state as ReplayState | undefined;
    },
  };
}

/** A delivery that has a row goes by what that says; its place is that of its first file, which may know more than the facts. */
function keeping(
  id: string,
  before: Collected | undefined,
  found: readonly FoundItem[],
  after: Collected | undefined,
  now: Date,
): Statement[] {
  const items = found.map(({ deliveryId, asOf, receivedAt, rawKey, bytes, skip = null, ...names }) => ({
    ...names,
    delivery_id: deliveryId,
    as_of: asOf,
    received_at: receivedAt,
    raw_key: rawKey,
    raw_bytes: bytes,
    skip,
  }));
  return [
    {
      text: `UPDATE replays SET collected = coalesce($3::jsonb, collected) WHERE id = $1::bigint AND state = 'collecting'
               AND collected IS NOT DISTINCT FROM $2::jsonb RETURNING id`,
      params: [id, before === undefined ? null : jsonText(before), after === undefined ? null : jsonText(after)],
    },
    {
      // The same delivery may lie in the archive twice, under two days: it counts as of the first.
      text: `INSERT INTO replay_items AS o (replay_id, delivery_id, customer, feed, lane, as_of, received_at, raw_key, raw_bytes, state, reason)
             SELECT DISTINCT ON (i.delivery_id) r.id, i.delivery_id, i.customer, i.feed, i.lane,
               coalesce((SELECT min(f.as_of) FROM files f WHERE f.delivery_id = d.id AND f.cause = 'delivery'), i.as_of),
               coalesce(d.received_at, i.received_at), coalesce(d.raw_key, i.raw_key), i.raw_bytes,
               CASE WHEN s.skip IS NULL THEN 'waiting' ELSE 'skipped' END, s.skip
             FROM jsonb_to_recordset($3::jsonb) AS i(delivery_id text, customer text, feed text, lane text, as_of timestamptz,
               received_at timestamptz, raw_key text, raw_bytes bigint, skip text)
             JOIN replays r ON r.id = $1::bigint AND r.state = 'collecting' AND r.collected IS NOT DISTINCT FROM coalesce($4::jsonb, $2::jsonb)
             LEFT JOIN deliveries d ON d.id = i.delivery_id LEFT JOIN feeds t ON t.id = d.feed_id
             CROSS JOIN LATERAL (SELECT coalesce(i.skip, ${NOT_AGAIN}) AS skip) s
             ORDER BY i.delivery_id, i.received_at
             ON CONFLICT (replay_id, delivery_id) DO UPDATE SET as_of = excluded.as_of, received_at = excluded.received_at,
               raw_key = excluded.raw_key, raw_bytes = excluded.raw_bytes WHERE o.received_at > excluded.received_at`,
      params: [
        id,
        before === undefined ? null : jsonText(before),
        jsonText(items),
        after === undefined ? null : jsonText(after),
      ],
    },
    ...(after === undefined
      ? [
          {
            text: `UPDATE replays r SET state = 'running', running_since = $3::timestamptz,
                     lanes = coalesce((SELECT array_agg(DISTINCT i.lane) FROM replay_items i WHERE i.replay_id = r.id AND i.state = 'waiting'), '{}')
                   WHERE r.id = $1::bigint AND r.state = 'collecting' AND r.collected IS NOT DISTINCT FROM $2::jsonb`,
            params: [id, before === undefined ? null : jsonText(before), now.toISOString()],
          },
        ]
      : []),
  ];
}

/** Deliveries of which nothing was read. */
const REFUSED = "WHEN 'quarantined' THEN 'not-proven' WHEN 'ignored' THEN 'automatic' WHEN 'rejected' THEN 'rejected'";

/** Why the delivery d of the feed t is not read again by the replay r; NULL: it is. */
const NOT_AGAIN = `CASE
  WHEN d.id IS NULL THEN CASE WHEN r.shadow THEN 'not-here' END
  WHEN d.state IN ('quarantined', 'ignored', 'rejected') THEN CASE d.state ${REFUSED} END
  WHEN d.state <> 'parsed' THEN 'not-ended' WHEN t.mode = 'snapshot' THEN 'snapshot' END`;

/**
 * Ends the items of $1 that have come to rest: of a fresh one the delivery and its files, of another one all files of this
 * replay, once it was read. A shadow's numbers are those that its files were told of; one that the gate would hold
 * counts as held and does nothing, as it would.
 */
const SETTLE = `
  UPDATE replay_items i SET state = CASE WHEN e.why IS NOT NULL THEN 'failed' WHEN e.out IS NOT NULL THEN 'skipped' ELSE 'done' END,
    reason = coalesce(e.why, e.out),
    files = n.files, held = n.held, rejected = n.rejected, dead = n.dead, accepted = n.accepted, inserted = n.inserted,
    changed = n.changed, unchanged = n.unchanged, stale = n.stale, superseded = n.superseded, retired = n.retired
  FROM replay_items s
  JOIN replays r ON r.id = s.replay_id AND r.state IN ('running', 'paused')
  LEFT JOIN deliveries d ON d.id = s.delivery_id
  CROSS JOIN LATERAL (
    SELECT count(*)::int AS files, (count(*) FILTER (WHERE f.state = 'held' OR f.comparison->>'verdict' = 'hold'))::int AS held,
      (count(*) FILTER (WHERE f.state = 'rejected'))::int AS rejected, (count(*) FILTER (WHERE f.state = 'dead'))::int AS dead,
      ${["accepted", "inserted", "changed", "unchanged", "stale", "superseded", "retired"]
        .map(
          (name) =>
            `coalesce(sum(coalesce(f.${name}, CASE f.comparison->>'verdict' WHEN 'apply' THEN (f.comparison->>'${name}')::int END)), 0)::int AS ${name}`,
        )
        .join(", ")},
      min(f.failure->>'code') FILTER (WHERE f.state = 'dead') AS died_of
    FROM files f WHERE f.delivery_id = s.delivery_id
      AND CASE WHEN s.fresh THEN f.cause = 'delivery' ELSE f.replay_id = s.replay_id END) n
  CROSS JOIN LATERAL (SELECT coalesce(n.died_of, CASE WHEN s.fresh AND d.state = 'dead' THEN d.failure->>'code' END) AS why,
    CASE WHEN s.fresh THEN CASE d.state ${REFUSED} END END AS out) e
  WHERE s.replay_id = $1::bigint AND s.state = 'sent' AND i.replay_id = s.replay_id AND i.delivery_id = s.delivery_id
    AND NOT EXISTS (SELECT 1 FROM files f WHERE f.delivery_id = s.delivery_id AND f.state IN ${MOVING}
      AND CASE WHEN s.fresh THEN f.cause = 'delivery' ELSE f.replay_id = s.replay_id END)
    AND CASE WHEN s.fresh THEN d.state <> 'parsing' ELSE s.read_at IS NOT NULL END`;

/** The pause after the last message is over. */
const rested = (item: string): string =>
  `${item}.woken_at <= $2::timestamptz - make_interval(mins => (${FIRST_PAUSE_MINUTES} * 2 ^ ${item}.wakes)::int)`;

/** What could not even be read: its letter says why; or its message was sent again and again. */
const GIVE_UP = `
  UPDATE replay_items i SET state = 'failed', reason = CASE WHEN l.code IS NULL THEN 'does-not-move' ELSE l.code END
  FROM replay_items s
  JOIN replays r ON r.id = s.replay_id AND r.state IN ('running', 'paused')
  LEFT JOIN LATERAL (SELECT x.failure->>'code' AS code FROM dead_letters x
    WHERE x.correlation_id = s.delivery_id AND x.stage = 'parse' AND x.state = 'open' AND x.message->>'replay' = s.replay_id::text
    ORDER BY x.id DESC LIMIT 1) l ON true
  WHERE s.replay_id = $1::bigint AND s.state = 'sent' AND s.read_at IS NULL AND i.replay_id = s.replay_id AND i.delivery_id = s.delivery_id
    AND (l.code IS NOT NULL OR (s.wakes = ${MAX_WAKES} AND ${rested("s")}))`;

const RETURNED = `i.delivery_id AS "deliveryId", i.customer, i.feed, i.raw_key AS "rawKey"`;

/** Messages that may have been lost. What was read goes on by its files, which the sweep wakes. */
const WAKE = `
  UPDATE replay_items i SET wakes = i.wakes + 1, woken_at = $2::timestamptz
  FROM replays r WHERE r.id = $1::bigint AND r.state IN ('running', 'paused') AND i.replay_id = r.id AND i.state = 'sent'
    AND i.read_at IS NULL AND i.wakes < ${MAX_WAKES} AND ${rested("i")}
  RETURNING ${RETURNED}`;

/** The next delivery of every lane in which none is under way. */
const TAKE_UP = `
  UPDATE replay_items i SET state = CASE WHEN c.skip IS NULL THEN 'sent' ELSE 'skipped' END, reason = c.skip, fresh = c.fresh,
    sent_at = CASE WHEN c.skip IS NULL THEN $2::timestamptz END, woken_at = CASE WHEN c.skip IS NULL THEN $2::timestamptz END
  FROM (
    SELECT n.delivery_id, d.id IS NULL AS fresh, ${NOT_AGAIN} AS skip
    FROM replays r CROSS JOIN unnest(r.lanes) AS l(lane)
    CROSS JOIN LATERAL (SELECT x.delivery_id FROM replay_items x WHERE x.replay_id = r.id AND x.lane = l.lane AND x.state = 'waiting'
      ORDER BY x.as_of, x.received_at, x.delivery_id LIMIT 1) n
    LEFT JOIN deliveries d ON d.id = n.delivery_id LEFT JOIN feeds t ON t.id = d.feed_id
    WHERE r.id = $1::bigint AND r.state = 'running'
      AND NOT EXISTS (SELECT 1 FROM replay_items o WHERE o.lane = l.lane AND o.state = 'sent')) c
  WHERE i.replay_id = $1::bigint AND i.delivery_id = c.delivery_id
  RETURNING i.state, ${RETURNED}`;

const END = `
  UPDATE replays r SET state = 'done', ended_at = $2::timestamptz
  WHERE r.id = $1::bigint AND r.state = 'running'
    AND NOT EXISTS (SELECT 1 FROM replay_items i WHERE i.replay_id = r.id AND i.state = 'waiting')
    AND NOT EXISTS (SELECT 1 FROM replay_items i WHERE i.replay_id = r.id AND i.state = 'sent')
  RETURNING (SELECT count(*)::int FROM replay_items i WHERE i.replay_id = r.id AND i.state = 'failed') AS failed`;

const moving = (from: string, set: string, action: string): string => `
  WITH moved AS (UPDATE replays r SET ${set} WHERE r.id = $1::bigint AND r.state IN (${from}) AND $3::timestamptz IS NOT NULL RETURNING r.id)
  INSERT INTO audit_log (actor, action, subject) SELECT $2, '${action}', 'replay ' || id FROM moved`;

const DECIDE: Readonly<Record<Decision, string>> = {
  pause: moving("'running'", "state = 'paused', running_since = NULL", "pause-replay"),
  // The pace is measured anew: nobody knows what has changed meanwhile.
  resume: moving(
    "'paused'",
    `state = 'running', running_since = $3::timestamptz,
     running_bytes = (SELECT coalesce(sum(i.raw_bytes), 0) FROM replay_items i WHERE i.replay_id = r.id AND i.state IN ('done', 'failed'))`,
    "resume-replay",
  ),
  cancel: moving(
    "'collecting', 'running', 'paused'",
    "state = 'cancelled', ended_at = $3::timestamptz",
    "cancel-replay",
  ),
};

/** The rows that upkeep removes and marks. SQL and nothing else; every statement may come again. */
import type { Database } from "../platform/postgres.ts";
import type { JobState, UpkeepTables } from "./deps.ts";

/** States of a drift report that somebody still works on, or decides about. */
const OPEN_DRIFT = "'open', 'waiting', 'healing', 'released'";

export function upkeepTables(database: Database): UpkeepTables {
  const count = async (text: string, params: readonly unknown[]): Promise<number> => {
    const [row] = await database.query<{ count: number }>(
      `WITH gone AS (${text}) SELECT count(*)::int AS count FROM gone`,
      params,
    );
    return row?.count ?? 0;
  };
  const remove = (text: string) => (before: Date, limit: number) => count(text, [before.toISOString(), limit]);
  const ids = async (text: string, params: readonly unknown[]): Promise<string[]> =>
    (await database.query<{ id: string }>(text, params)).map(({ id }) => id);
  const mark = (text: string) => async (marked: readonly string[], now: Date) => {
    await database.query(text, [marked, now.toISOString()]);
  };

  return {
    async jobs() {
      const rows = await database.query<{ name: string; last_ok_at: Date | string | null; unfinished: boolean }>(
        "SELECT name, last_ok_at, progress IS NOT NULL OR error IS NOT NULL AS unfinished FROM jobs",
      );
      return rows.map(
        ({ name, last_ok_at, unfinished }): JobState => ({
          name,
          lastOkAt: last_ok_at === null ? undefined : new Date(last_ok_at),
          unfinished,
        }),
      );
    },

    async makePartitions(from, days) {
      const [row] = await database.query<{ made: number }>(
        "SELECT ensure_change_partitions($1::date, $2::int) AS made",
        [from, days],
      );
      return row?.made ?? 0;
    },
    daysInDefault: (before, limit) =>
      ids(
        `SELECT DISTINCT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS id FROM changes_default
         WHERE created_at >= $1::timestamptz ORDER BY 1 LIMIT $2::int`,
        [before.toISOString(), limit],
      ),
    async dropPartition(before) {
      const [row] = await database.query<{ name: string | null }>("SELECT drop_change_partition($1::date) AS name", [
        before,
      ]);
      return row?.name ?? undefined;
    },
    removeFromDefault: remove(
      `DELETE FROM changes_default WHERE ctid IN (
         SELECT ctid FROM changes_default WHERE created_at < date_trunc('day', $1::timestamptz, 'UTC') LIMIT $2::int) RETURNING 1`,
    ),

    removeLedger: remove(
      `DELETE FROM ledger WHERE (file_id, chunk_key) IN (
         SELECT l.file_id, l.chunk_key FROM ledger l JOIN files f ON f.id = l.file_id
         WHERE l.settled_at < $1::timestamptz AND has_ended(f.state, f.failure) ORDER BY l.settled_at LIMIT $2::int) RETURNING 1`,
    ),
    async removeSeen(before, limit) {
      const [row] = await database.query<{ gone: number }>("SELECT forget_seen($1::timestamptz, $2::int) AS gone", [
        before.toISOString(),
        limit,
      ]);
      return row?.gone ?? 0;
    },
    removeNotifications: remove(
      `DELETE FROM notifications WHERE id IN (
         SELECT n.id FROM notifications n WHERE n.created_at < $1::timestamptz AND n.state <> 'waiting'
           AND NOT EXISTS (SELECT 1 FROM files f WHERE f.id = n.file_id AND NOT has_ended(f.state, f.failure))
         ORDER BY n.id LIMIT $2::int) RETURNING 1`,
    ),
    removeDeadLetters: remove(
      `DELETE FROM dead_letters WHERE id IN (
         SELECT l.id FROM dead_letters l WHERE l.state <> 'open' AND l.decided_at < $1::timestamptz AND l.sending_since IS NULL
           AND NOT EXISTS (SELECT 1 FROM dead_letters n WHERE n.redrive_of = l.id AND (n.state = 'open' OR n.decided_at >= $1::timestamptz))
         ORDER BY l.id LIMIT $2::int) RETURNING 1`,
    ),
    removeAlerts: remove(
      "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE cleared_at < $1::timestamptz ORDER BY id LIMIT $2::int) RETURNING 1",
    ),
    forgetTelling: remove(
      `UPDATE holds SET telling = '[]' WHERE id IN (
         SELECT id FROM holds WHERE telling <> '[]' AND decided_at < $1::timestamptz ORDER BY id LIMIT $2::int) RETURNING 1`,
    ),
    removeReplayItems: remove(
      `DELETE FROM replay_items WHERE ctid IN (
         SELECT i.ctid FROM replays r JOIN replay_items i ON i.replay_id = r.id WHERE r.ended_at < $1::timestamptz LIMIT $2::int) RETURNING 1`,
    ),

    removeDriftRows: remove(
      `DELETE FROM drift_rows WHERE (report_id, n) IN (
         SELECT r.report_id, r.n FROM drift_rows r JOIN drift_reports d ON d.id = r.report_id
         WHERE d.created_at < $1::timestamptz AND d.state NOT IN (${OPEN_DRIFT}) LIMIT $2::int) RETURNING 1`,
    ),
    removeDriftReports: remove(
      `DELETE FROM drift_reports WHERE id IN (
         SELECT id FROM drift_reports WHERE created_at < $1::timestamptz AND state NOT IN (${OPEN_DRIFT})
         ORDER BY created_at LIMIT $2::int) RETURNING 1`,
    ),

    filesWithChunks: (before, duplicatesBefore, limit) =>
      ids(
        `SELECT id::text AS id FROM files WHERE chunks_removed_at IS NULL AND has_ended(state, failure) AND updated_at < $1::timestamptz
           AND (state <> 'duplicate' OR updated_at < $2::timestamptz)
           AND NOT EXISTS (SELECT 1 FROM drift_reports d WHERE d.file_id = files.id AND d.state IN (${OPEN_DRIFT}))
         ORDER BY updated_at LIMIT $3::int`,
        [before.toISOString(), duplicatesBefore.toISOString(), limit],
      ),
    chunksRemoved: mark(
      `WITH gone AS (DELETE FROM listed_retirements WHERE file_id = ANY ($1::bigint[]))
       UPDATE files SET chunks_removed_at = $2::timestamptz,
         comparison = CASE WHEN comparison ? 'examples' THEN jsonb_set(comparison, '{examples}', '[]') ELSE comparison END
       WHERE id = ANY ($1::bigint[])`,
    ),

    filesWithRejects: (before, limit) =>
      ids(
        `SELECT id::text AS id FROM files WHERE rejects_removed_at IS NULL AND (rejected > 0 OR drift_report IS NOT NULL)
           AND has_ended(state, failure) AND parsed_at < $1::timestamptz
         ORDER BY parsed_at LIMIT $2::int`,
        [before.toISOString(), limit],
      ),
    removeRejects: (files, limit) =>
      count(
        "DELETE FROM rejects WHERE ctid IN (SELECT ctid FROM rejects WHERE file_id = ANY ($1::bigint[]) LIMIT $2::int) RETURNING 1",
        [files, limit],
      ),
    rejectsRemoved: mark(
      "UPDATE files SET rejects_removed_at = $2::timestamptz, drift_report = NULL WHERE id = ANY ($1::bigint[])",
    ),

    deliveriesWithRaw: (before, limit) =>
      database.query(
        `SELECT d.id AS "deliveryId", d.raw_key AS key FROM deliveries d
         WHERE d.raw_removed_at IS NULL AND d.received_at < $1::timestamptz AND d.state IN ('parsed', 'rejected', 'ignored', 'dead')
           AND NOT EXISTS (SELECT 1 FROM files f WHERE f.delivery_id = d.id AND NOT has_ended(f.state, f.failure))
           AND NOT EXISTS (SELECT 1 FROM dead_letters l WHERE l.correlation_id = d.id AND l.state = 'open')
         ORDER BY d.received_at LIMIT $2::int`,
        [before.toISOString(), limit],
      ),
    rawRemoved: mark("UPDATE deliveries SET raw_removed_at = $2::timestamptz WHERE id = ANY ($1::text[])"),
  };
}

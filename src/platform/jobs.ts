/** The rows of jobs. SQL and nothing else; every statement may come again. */
import { JOB_LEASE_SECONDS, type Jobs } from "../domain/job.ts";
import { type Database, jsonText, storable } from "./postgres.ts";

interface TakenRow {
  readonly last_ok_at: string | Date | null;
  readonly progress: unknown;
}

/** What of an error is kept. */
const MAX_ERROR_CHARS = 500;

export function jobsIn(database: Database): Jobs {
  return {
    async take(name, token, now) {
      const [row] = await database.query<TakenRow>(
        `INSERT INTO jobs AS j (name, lease_token, lease_until, last_started_at)
         VALUES ($1, $2::uuid, $3::timestamptz + make_interval(secs => $4::int), $3::timestamptz)
         ON CONFLICT (name) DO UPDATE SET lease_token = excluded.lease_token, lease_until = excluded.lease_until,
           last_started_at = excluded.last_started_at
         WHERE j.lease_token IS NULL OR j.lease_token = excluded.lease_token OR j.lease_until < excluded.last_started_at
         RETURNING last_ok_at, progress`,
        [name, token, now.toISOString(), JOB_LEASE_SECONDS],
      );
      if (row === undefined) return undefined;
      return {
        lastOkAt: row.last_ok_at === null ? undefined : new Date(row.last_ok_at),
        progress: row.progress ?? undefined,
      };
    },

    async keep(name, token, now) {
      const rows = await database.query(
        `UPDATE jobs SET lease_until = $3::timestamptz + make_interval(secs => $4::int)
         WHERE name = $1 AND lease_token = $2::uuid RETURNING name`,
        [name, token, now.toISOString(), JOB_LEASE_SECONDS],
      );
      return rows.length > 0;
    },

    async end(name, token, { okAt, progress, result }) {
      await database.query(
        `UPDATE jobs SET lease_token = NULL, lease_until = NULL, last_ok_at = coalesce($3::timestamptz, last_ok_at),
           progress = $4::jsonb, result = $5::jsonb, error = NULL
         WHERE name = $1 AND lease_token = $2::uuid`,
        [
          name,
          token,
          okAt?.toISOString() ?? null,
          progress === undefined ? null : jsonText(progress),
          jsonText(result),
        ],
      );
    },

    async fail(name, token, error) {
      await database.query(
        "UPDATE jobs SET lease_token = NULL, lease_until = NULL, error = $3 WHERE name = $1 AND lease_token = $2::uuid",
        [name, token, storable(error)?.slice(0, MAX_ERROR_CHARS)],
      );
    },
  };
}

/** The records of a feed as they were at a moment of the past (`records_at` in the database), for the routes of records. */
import { type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import type { FeedScope } from "../auth/scope.ts";
import type { ApiDatabase } from "../deps.ts";
import { problem } from "../problem/problem.ts";

/** A moment, to the millisecond; answers it in UTC. */
export const momentSchema = z.iso
  .datetime({ offset: true, error: "is not a time such as 2026-11-20T12:00:00Z" })
  .transform((text) => new Date(text).toISOString());

export const asOfParameter = momentSchema.optional();

/** Where it was last changed is unknown where that change is not kept any more. */
export interface PastRecord {
  readonly naturalKey: string;
  readonly status: "active" | "retired";
  readonly version: number;
  readonly data: unknown;
  readonly fileId: string | null;
  readonly line: number | null;
  readonly firstSeenAt: Date;
  readonly updatedAt: Date | null;
}

interface Row extends Record<string, unknown> {
  readonly natural_key: string;
  readonly status: PastRecord["status"];
  readonly version: number;
  readonly data: unknown;
  readonly file_id: string | null;
  readonly line: number | null;
  readonly first_seen_at: string;
  readonly updated_at: string | null;
}

const iso = (column: SQL): SQL => sql`to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/**
 * Records as they were at `at`, in the order of their keys: the one of a key, or those behind one. Throws `invalid-parameter`
 * for a moment that has not come yet, `refused` for one that the history does not go back to.
 */
export async function recordsAsOf(
  db: ApiDatabase,
  { customerId, feedId, customer, feed }: FeedScope,
  at: string,
  which: { readonly key?: string | undefined; readonly after?: string | undefined },
  limit: number,
): Promise<PastRecord[]> {
  const known = await db.execute<{ since: string; early: boolean; ahead: boolean }>(sql`
    SELECT ${iso(sql`h.since`)} AS since, h.since > ${at}::timestamptz AS early, now() < ${at}::timestamptz AS ahead
    FROM (SELECT history_from(${feedId}::int) AS since) h`);
  const [history] = known.rows;
  if (history?.ahead === true) {
    throw problem("invalid-parameter", "The parameter “as_of” lies in the future.", {
      members: { parameter: "as_of" },
    });
  }
  if (history === undefined || history.early)
    throw tooEarly([{ feed: `${customer}/${feed}`, historyFrom: history?.since ?? at }]);
  const { rows } = await db.execute<Row>(sql`
    SELECT natural_key, status, version, data, file_id::text AS file_id, line, ${iso(sql`first_seen_at`)} AS first_seen_at,
      ${iso(sql`updated_at`)} AS updated_at
    FROM records_at(${customerId}::int, ${feedId}::int, ${at}::timestamptz, ${which.key ?? null}, ${which.after ?? null}, ${limit}::int)`);
  return rows.map((row) => ({
    naturalKey: row.natural_key,
    status: row.status,
    version: row.version,
    data: row.data,
    fileId: row.file_id,
    line: row.line,
    firstSeenAt: new Date(row.first_seen_at),
    updatedAt: row.updated_at === null ? null : new Date(row.updated_at),
  }));
}

/** A moment before the history of these feeds begins. */
export const tooEarly = (feeds: readonly { readonly feed: string; readonly historyFrom: string }[]) => {
  const said = feeds.map(({ feed, historyFrom }) => `at ${historyFrom} (${feed})`).join(", ");
  return problem("refused", `The history that is kept begins ${said}: ask for a later moment.`, {
    members: { code: "history-too-short", history_from: feeds.map(({ historyFrom }) => historyFrom).sort()[0] },
  });
};

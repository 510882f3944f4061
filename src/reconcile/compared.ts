/** The statements about files that are compared: what is known of one, what comes of it, and which are to be compared next. */
import type { Adapter } from "../domain/adapter.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
import type { FailureReport } from "../domain/failures.ts";
import type { StoredVersion } from "../domain/feed-version.ts";
import type { FileCause } from "../domain/plan.ts";
import { type Asking, iso, rowsOf } from "./asking.ts";
import { REJECTS_LOOKED_AT } from "./evidence.ts";

/** A file that is to be compared, with what its report and its mails say of it. */
export interface ComparedFile {
  readonly id: string;
  readonly state: string;
  readonly cause: FileCause;
  readonly customer: string;
  readonly customerId: number;
  /** The feed that it came for. */
  readonly feed: string;
  readonly adapterVersion: string;
  readonly orderKey: string;
  readonly asOf: string;
  readonly asOfSource: string;
  readonly accepted: number;
  /** Rows that were refused and of which nobody knows whose they are. */
  readonly unread: number;
  /** False: its end may be missing, and somebody has let it go all the same. */
  readonly complete: boolean;
  readonly chunks: readonly ChunkEntry[];
  readonly path: string;
  readonly deliveryId: string;
  readonly sender: string;
  readonly receivedAt: string;
}

/** More rejects than are looked at explain nothing, so none of them counts as known. */
const UNREAD = `CASE WHEN x.rejected > ${REJECTS_LOOKED_AT} THEN x.rejected ELSE coalesce(x.rejected, 0)
  - (SELECT count(*)::int FROM rejects r WHERE r.file_id = x.id AND r.position = 0 AND r.natural_key IS NOT NULL) END`;

export async function comparedFile(deps: Asking, fileId: string): Promise<ComparedFile | undefined> {
  const [row] = await rowsOf<ComparedFile>(
    deps,
    `SELECT x.id::text, x.state, x.cause, c.slug AS customer, c.id AS "customerId", f.slug AS feed, x.adapter_version AS "adapterVersion",
       x.order_key::text AS "orderKey", ${iso("x.as_of")} AS "asOf", x.as_of_source AS "asOfSource", coalesce(x.accepted, 0) AS accepted,
       ${UNREAD} AS unread, x.complete, x.chunks, x.path, d.id AS "deliveryId", d.sender, ${iso("x.received_at")} AS "receivedAt"
     FROM files x JOIN feeds f ON f.id = x.feed_id JOIN customers c ON c.id = x.customer_id JOIN deliveries d ON d.id = x.delivery_id
     WHERE x.id = $1::bigint`,
    [fileId],
  );
  return row;
}

export interface KnownFeed {
  readonly feed: string;
  readonly feedId: number;
  readonly active: readonly StoredVersion[];
}

/** What is known of some feeds of a customer: their ids and active versions. Those of which nothing ever came are left out. */
export const knownFeeds = (deps: Asking, customer: string, feeds: readonly string[]): Promise<KnownFeed[]> =>
  rowsOf<KnownFeed>(
    deps,
    `SELECT f.slug AS feed, f.id AS "feedId", coalesce(jsonb_agg(jsonb_build_object('kind', v.kind, 'version', v.version, 'base', v.base,
       'data', v.data)) FILTER (WHERE v.feed_id IS NOT NULL), '[]') AS active
     FROM customers c JOIN feeds f ON f.customer_id = c.id LEFT JOIN feed_versions v ON v.feed_id = f.id AND v.state = 'active'
     WHERE c.slug = $1 AND f.slug = ANY ($2::text[]) GROUP BY f.id`,
    [customer, feeds],
  );

/** Brings the row of a feed in line with its adapter, so that it has an id; answers it. */
export async function registerFeed(deps: Asking, feed: Adapter): Promise<number> {
  const rows = await rowsOf<{ feed_id: number }>(deps, "SELECT feed_id FROM register_feed($1, $2, $3, $4, $5, $6)", [
    feed.customer,
    feed.customerTitle,
    feed.feed,
    feed.title,
    feed.mode,
    feed.version,
  ]);
  return rows[0]!.feed_id;
}

/** The snapshot is compared: nothing more is to be done with the file itself. */
export async function endComparison(deps: Asking, fileId: string, comparison: unknown): Promise<void> {
  await rowsOf(deps, "SELECT end_comparison($1::bigint, $2::jsonb)", [fileId, JSON.stringify(comparison)]);
}

/** Holds a snapshot that cannot be compared; one that has moved since stays as it is. */
export async function holdSnapshot(deps: Asking, fileId: string, why: FailureReport): Promise<void> {
  await rowsOf(
    deps,
    `UPDATE files SET state = 'held', failure = $2::jsonb, updated_at = now() WHERE id = $1::bigint AND state = 'parsed'`,
    [fileId, JSON.stringify(why)],
  );
}

/** The next run of a file's comparison, or the one that is not at its end. */
export async function nextRun(deps: Asking, fileId: string): Promise<number> {
  const [row] = await rowsOf<{ run: number }>(
    deps,
    `SELECT coalesce(max(run) FILTER (WHERE state IN ('open', 'healing', 'released')), coalesce(max(run), 0) + 1) AS run
     FROM drift_reports WHERE file_id = $1::bigint`,
    [fileId],
  );
  return row?.run ?? 1;
}

/** The last full file of a feed that was applied; `kept`: its chunks lie in storage. */
export async function lastFullFile(
  deps: Asking,
  customer: string,
  feed: string,
): Promise<{ readonly id: string; readonly kept: boolean } | undefined> {
  const [row] = await rowsOf<{ id: string; kept: boolean }>(
    deps,
    `SELECT x.id::text, x.chunks_removed_at IS NULL AS kept
     FROM files x JOIN feeds f ON f.id = x.feed_id JOIN customers c ON c.id = f.customer_id
     WHERE c.slug = $1 AND f.slug = $2 AND f.mode = 'full' AND x.state = 'applied' AND x.complete
     ORDER BY x.order_key DESC, x.id DESC LIMIT 1`,
    [customer, feed],
  );
  return row;
}

/**
 * Of these feeds, those whose last full file was not compared since, the longest first. One that waits, or of which somebody
 * has decided that the records stay, is left alone until another file comes; a healing that we gave up ourselves is no decision.
 */
export const checksDue = (
  deps: Asking,
  feeds: readonly { readonly customer: string; readonly feed: string }[],
  since: Date,
  max: number,
): Promise<{ customer: string; feed: string }[]> =>
  rowsOf<{ customer: string; feed: string }>(
    deps,
    `SELECT c.slug AS customer, f.slug AS feed
     FROM jsonb_to_recordset($1::jsonb) AS w(customer text, feed text)
     JOIN customers c ON c.slug = w.customer JOIN feeds f ON f.customer_id = c.id AND f.slug = w.feed AND f.mode = 'full'
     CROSS JOIN LATERAL (SELECT x.id, x.applied_at, x.chunks_removed_at FROM files x
       WHERE x.feed_id = f.id AND x.state = 'applied' AND x.complete ORDER BY x.order_key DESC, x.id DESC LIMIT 1) l
     LEFT JOIN LATERAL (SELECT r.state, r.created_at, h.failure->>'code' AS failed FROM drift_reports r LEFT JOIN files h ON h.id = r.healing_file_id
       WHERE r.file_id = l.id ORDER BY r.run DESC LIMIT 1) d ON true
     WHERE l.chunks_removed_at IS NULL AND coalesce(d.created_at, l.applied_at) < $2::timestamptz
       AND (d.state IS NULL OR d.state IN ('clean', 'healed') OR d.state = 'rejected' AND d.failed = 'healing-given-up')
     ORDER BY coalesce(d.created_at, l.applied_at) LIMIT $3::int`,
    [JSON.stringify(feeds), since.toISOString(), max],
  );

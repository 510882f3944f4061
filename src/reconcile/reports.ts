/** The statements about a report's life after the comparison: who is told, what heals it, what is decided. */
import type { Adapter } from "../domain/adapter.ts";
import { attempt } from "../domain/attempt.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
import { type FailureReport, report } from "../domain/failures.ts";
import type { StoredVersion } from "../domain/feed-version.ts";
import type { Message } from "../domain/notice.ts";
import type { FileCause } from "../domain/plan.ts";
import type { ReconcileDeps } from "./deps.ts";
import { REJECTS_LOOKED_AT } from "./evidence.ts";
import type { BrokenSeal, Retirement } from "./healing.ts";
import type { ReportState } from "./tables.ts";

type Asking = Pick<ReconcileDeps, "database" | "sleep" | "random">;

const rowsOf = <Row>(deps: Asking, text: string, params: readonly unknown[]): Promise<Row[]> =>
  attempt(deps, () => deps.database.query<Row>(text, params));

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
  readonly chunks: readonly ChunkEntry[];
  readonly path: string;
  readonly deliveryId: string;
  readonly sender: string;
  readonly receivedAt: string;
}

/** More rejects than are looked at explain nothing, so none of them counts as known. */
const UNREAD = `CASE WHEN x.rejected > ${REJECTS_LOOKED_AT} THEN x.rejected ELSE coalesce(x.rejected, 0)
  - (SELECT count(*)::int FROM rejects r WHERE r.file_id = x.id AND r.position = 0 AND r.natural_key IS NOT NULL) END`;

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;
const iso = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', ${ISO})`;

export async function comparedFile(deps: Asking, fileId: string): Promise<ComparedFile | undefined> {
  const [row] = await rowsOf<ComparedFile>(
    deps,
    `SELECT x.id::text, x.state, x.cause, c.slug AS customer, c.id AS "customerId", f.slug AS feed, x.adapter_version AS "adapterVersion",
       x.order_key::text AS "orderKey", ${iso("x.as_of")} AS "asOf", x.as_of_source AS "asOfSource", coalesce(x.accepted, 0) AS accepted,
       ${UNREAD} AS unread, x.chunks, x.path, d.id AS "deliveryId", d.sender, ${iso("x.received_at")} AS "receivedAt"
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

/** A report as its mails and its healing need it. */
export interface StoredReport {
  readonly id: string;
  readonly fileId: string;
  readonly run: number;
  readonly state: ReportState;
  readonly customer: string;
  readonly feed: string;
  readonly fields: readonly string[];
  readonly snapshotRows: number | null;
  readonly records: number | null;
  readonly missingHere: number | null;
  readonly missingThere: number | null;
  readonly differs: number | null;
  readonly drift: number | null;
  readonly explained: Readonly<Record<string, number>>;
  readonly reasons: readonly string[];
  readonly comparedAt: string | null;
  readonly told: boolean;
  /** A newer list of the feed was compared: what this one says is over. */
  readonly overtaken: boolean;
  readonly healingFileId: string | null;
  /** `rejected`, too, where it was given up. */
  readonly healingState: string | null;
  readonly healingRows: number | null;
  readonly healingDelivery: string | null;
}

const REPORT = `SELECT d.id::text, d.file_id::text AS "fileId", d.run, d.state, c.slug AS customer, f.slug AS feed, to_jsonb(d.fields) AS fields,
    d.snapshot_rows AS "snapshotRows", d.records, d.missing_here AS "missingHere", d.missing_there AS "missingThere", d.differs, d.drift,
    d.explained, to_jsonb(d.reasons) AS reasons, ${iso("d.compared_at")} AS "comparedAt", d.told_at IS NOT NULL AS told,
    EXISTS (SELECT 1 FROM drift_reports n WHERE n.feed_id = d.feed_id AND n.order_key > d.order_key AND n.compared_at IS NOT NULL) AS overtaken,
    d.healing_file_id::text AS "healingFileId", CASE WHEN has_ended(h.state, h.failure) AND h.state <> 'applied' THEN 'rejected' ELSE h.state END AS "healingState", h.accepted AS "healingRows", h.delivery_id AS "healingDelivery"
  FROM drift_reports d JOIN customers c ON c.id = d.customer_id JOIN feeds f ON f.id = d.feed_id
  LEFT JOIN files h ON h.id = d.healing_file_id`;

export async function storedReport(deps: Asking, id: string): Promise<StoredReport | undefined> {
  const [row] = await rowsOf<StoredReport>(deps, `${REPORT} WHERE d.id = $1::bigint`, [id]);
  return row;
}

/** Whether drift of the feed waits for a decision, in whatever report. */
export async function driftWaits(deps: Asking, { customer, feed }: StoredReport): Promise<boolean> {
  const rows = await rowsOf(
    deps,
    `SELECT 1 FROM drift_reports d JOIN customers c ON c.id = d.customer_id JOIN feeds f ON f.id = d.feed_id
     WHERE c.slug = $1 AND f.slug = $2 AND d.state = 'waiting' LIMIT 1`,
    [customer, feed],
  );
  return rows.length > 0;
}

/** The sentences of a report's first rows that nothing explains, and of what they are. */
export const tellingRows = (deps: Asking, report: string, max: number) =>
  rowsOf<{ kind: string; key: string; sentence: string; fields: readonly TellingField[] }>(
    deps,
    `SELECT kind, natural_key AS key, sentence, fields FROM drift_rows
     WHERE report_id = $1::bigint AND explanation IS NULL ORDER BY n LIMIT $2::int`,
    [report, max],
  );

export interface TellingField {
  readonly field: string;
  readonly ours?: unknown;
  readonly theirs?: unknown;
}

/** Writes the mails of a report, once; `expired`: those that say that nobody has decided. */
export async function writeMails(
  deps: Asking,
  report: string,
  mails: readonly Message[],
  expired: boolean,
): Promise<void> {
  await rowsOf(
    deps,
    `WITH told AS (
       UPDATE drift_reports SET told_at = coalesce(told_at, now()), touched_at = now() WHERE id = $1::bigint RETURNING *)
     INSERT INTO notifications (key, recipient, customer_id, feed_id, file_id, subject, body_text, body_html)
     SELECT m.key, m.recipient, t.customer_id, t.feed_id, t.file_id, m.subject, m.text, m.html
     FROM told t CROSS JOIN jsonb_to_recordset($2::jsonb) AS m(key text, recipient text, subject text, text text, html text)
     ON CONFLICT (key) DO NOTHING`,
    [
      report,
      JSON.stringify(
        mails.map((mail) => ({
          ...mail,
          key: `drift report ${report}, ${expired ? "expired, " : ""}${mail.recipient}`,
        })),
      ),
    ],
  );
}

/** Decides about a report that waits. Answers the state that it is in now; undefined where there is none. */
export const decideDrift = (
  deps: Asking,
  report: string,
  to: "released" | "rejected",
  by: string,
  note: string | null,
): Promise<ReportState | undefined> => move(deps, report, { from: ["waiting"], to, by, note });

/** A report that was to be healed and cannot be: the file for that ends with it, where it is not written yet. */
export const giveUpHealing = (deps: Asking, id: string, by: string, why: string): Promise<ReportState | undefined> =>
  move(deps, id, {
    from: ["healing", "released"],
    to: "rejected",
    by,
    note: why,
    failure: report("healing-given-up", { why }),
  });

interface Move {
  readonly from: readonly ReportState[];
  readonly to: ReportState;
  readonly by: string;
  readonly note: string | null;
  /** Of the file that was to heal it. */
  readonly failure?: FailureReport;
}

async function move(deps: Asking, id: string, { from, to, by, note, failure }: Move): Promise<ReportState | undefined> {
  const rows = await rowsOf<{ state: ReportState | null }>(
    deps,
    "SELECT decide_drift($1::bigint, $2::text[], $3, $4, $5, $6::jsonb) AS state",
    [id, from, to, by, note, failure === undefined ? null : JSON.stringify(failure)],
  );
  return rows[0]?.state ?? undefined;
}

export interface HealingAttempt {
  readonly file: string;
  /** From 1; a later one makes this one void. */
  readonly attempt: number;
}

export async function beginHealing(deps: Asking, report: string): Promise<HealingAttempt | undefined> {
  const [row] = await rowsOf<HealingAttempt>(deps, "SELECT file::text, attempt FROM begin_healing($1::bigint)", [
    report,
  ]);
  return row;
}

/** Where the listed retirements of an attempt begin. */
export const LISTED_PER_ATTEMPT = 10_000_000;

export async function listRetirements(
  deps: Asking,
  { file, attempt: made }: HealingAttempt,
  report: string,
  from: number,
  records: readonly Retirement[],
): Promise<void> {
  await rowsOf(
    deps,
    `INSERT INTO listed_retirements (file_id, n, natural_key, record_id, version)
     SELECT x.id, $3::int + r.n::int, r.row ->> 0, (r.row ->> 1)::bigint, (r.row ->> 2)::int
     FROM (SELECT h.id FROM drift_reports d JOIN files h ON h.id = d.healing_file_id
           WHERE d.id = $2::bigint AND h.id = $1::bigint AND h.state = 'parsing' AND d.attempts = $4::int FOR SHARE OF h) x
     CROSS JOIN jsonb_array_elements($5::jsonb) WITH ORDINALITY AS r(row, n)
     ON CONFLICT DO NOTHING`,
    [
      file,
      report,
      made * LISTED_PER_ATTEMPT + from,
      made,
      JSON.stringify(records.map((r) => [r.key, r.id, r.version])),
    ],
  );
}

export async function breakSeals(
  deps: Asking,
  customerId: number,
  feedId: number,
  seals: readonly BrokenSeal[],
): Promise<void> {
  await rowsOf(deps, "SELECT break_seals($1::int, $2::int, $3::jsonb)", [customerId, feedId, JSON.stringify(seals)]);
}

/** False: a later attempt is at it, or the report is not to be healed any more. */
export async function endHealing(
  deps: Asking,
  report: string,
  made: number,
  file: { readonly chunks: readonly ChunkEntry[]; readonly accepted: number; readonly merges: boolean },
): Promise<boolean> {
  const rows = await rowsOf<{ ended: boolean }>(
    deps,
    "SELECT end_healing($1::bigint, $2::int, $3::jsonb, $4::int, $5::boolean, $6::int) AS ended",
    [report, made, JSON.stringify(file.chunks), file.accepted, file.merges, made * LISTED_PER_ATTEMPT],
  );
  return rows[0]?.ended === true;
}

/** Reports that do not move by themselves and that nobody has touched since; the longest first. */
export const restingReports = (deps: Asking, since: Date, max: number): Promise<StoredReport[]> =>
  rowsOf<StoredReport>(
    deps,
    `${REPORT} JOIN files s ON s.id = d.file_id
     WHERE d.touched_at < $1::timestamptz AND (d.state IN ('healing', 'released') AND (h.id IS NULL OR h.state = 'parsing' OR has_ended(h.state, h.failure))
       OR d.state = 'waiting' AND d.told_at IS NULL OR d.state = 'open' AND has_ended(s.state, s.failure))
     ORDER BY d.touched_at LIMIT $2::int`,
    [since.toISOString(), max],
  );

/** Reports that wait for longer than anybody may be expected to. */
export const expiredReports = (deps: Asking, before: Date, max: number): Promise<StoredReport[]> =>
  rowsOf<StoredReport>(
    deps,
    `${REPORT} WHERE d.state = 'waiting' AND d.compared_at < $1::timestamptz ORDER BY d.compared_at LIMIT $2::int`,
    [before.toISOString(), max],
  );

/** The next run of a file's comparison, or the one that is not at its end. Undefined: there is no such file of the feed. */
export async function nextRun(deps: Asking, fileId: string): Promise<number> {
  const [row] = await rowsOf<{ run: number }>(
    deps,
    `SELECT coalesce(max(run) FILTER (WHERE state IN ('open', 'healing', 'released')), coalesce(max(run), 0) + 1) AS run
     FROM drift_reports WHERE file_id = $1::bigint`,
    [fileId],
  );
  return row?.run ?? 1;
}

/** The last full file of a feed that was applied and whose chunks are kept. */
export async function lastFullFile(deps: Asking, customer: string, feed: string): Promise<LastFull | undefined> {
  const [row] = await rowsOf<LastFull>(
    deps,
    `SELECT x.id::text, x.chunks_removed_at IS NULL AS kept, d.state AS "lastState", ${iso("d.created_at")} AS "lastAt"
     FROM files x JOIN feeds f ON f.id = x.feed_id JOIN customers c ON c.id = f.customer_id
     LEFT JOIN LATERAL (SELECT r.state, r.created_at FROM drift_reports r WHERE r.file_id = x.id ORDER BY r.run DESC LIMIT 1) d ON true
     WHERE c.slug = $1 AND f.slug = $2 AND f.mode = 'full' AND x.state = 'applied' AND x.complete
     ORDER BY x.order_key DESC, x.id DESC LIMIT 1`,
    [customer, feed],
  );
  return row;
}

export interface LastFull {
  readonly id: string;
  /** Its chunks lie in storage. */
  readonly kept: boolean;
  /** Of its last comparison. */
  readonly lastState: ReportState | null;
  readonly lastAt: string | null;
}

/**
 * Of these feeds, those whose last full file was not compared since, the longest first. One that waits, or of which somebody
 * has decided that the records stay, is left alone until another file comes.
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
     LEFT JOIN LATERAL (SELECT r.state, r.created_at FROM drift_reports r WHERE r.file_id = l.id ORDER BY r.run DESC LIMIT 1) d ON true
     WHERE l.chunks_removed_at IS NULL AND coalesce(d.created_at, l.applied_at) < $2::timestamptz
       AND (d.state IS NULL OR d.state IN ('clean', 'healed'))
     ORDER BY coalesce(d.created_at, l.applied_at) LIMIT $3::int`,
    [JSON.stringify(feeds), since.toISOString(), max],
  );

/** Removes a report that was begun and found nothing. */
export async function forgetReport(deps: Asking, report: string): Promise<void> {
  await rowsOf(deps, "DELETE FROM drift_reports WHERE id = $1::bigint AND state = 'open'", [report]);
}

/** The statements about a report's life after the comparison: who is told, what is decided, which rest. */
import { type FailureReport, report } from "../domain/failures.ts";
import type { Message } from "../domain/notice.ts";
import { type Asking, iso, rowsOf } from "./asking.ts";
import type { ReportState } from "./tables.ts";

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

/** Removes a report that was begun and found nothing. */
export async function forgetReport(deps: Asking, report: string): Promise<void> {
  await rowsOf(deps, "DELETE FROM drift_reports WHERE id = $1::bigint AND state = 'open'", [report]);
}

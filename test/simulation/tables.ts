/** What the tables hold at the end of a run, as plain values: all that the model gets to see of the product. */
import type { Engine } from "./engine.ts";
import type { FakeStorage } from "./fake-storage.ts";
import type { Said } from "./workload.ts";

export interface DeliveryRow {
  readonly id: string;
  /** Or the key of an upload, as the archive knows it. */
  readonly message_id: string;
  readonly state: string;
  readonly code: string | null;
}

export interface FileRow {
  readonly id: string;
  readonly delivery_id: string;
  readonly feed: string;
  readonly path: string;
  readonly state: string;
  readonly code: string | null;
  readonly as_of_ms: number;
  readonly received_ms: number;
  /** When apply began it; null where it has not. */
  readonly started_ms: number | null;
  /** Null where it is not applied. */
  readonly applied_ms: number | null;
  readonly position: number;
  readonly lines: number | null;
  readonly accepted: number | null;
  readonly rejected: number | null;
  readonly inserted: number | null;
  readonly changed: number | null;
  readonly unchanged: number | null;
  readonly stale: number | null;
  readonly superseded: number | null;
  readonly retired: number | null;
  /** Active records of its feed before it. */
  readonly records_before: number | null;
  readonly reject_lines: readonly number[];
}

/** A file that did not come: one of ours that heals drift, or one that is read again. */
export interface MadeRow extends FileRow {
  readonly cause: string;
  readonly compare_only: boolean;
  readonly replay_id: string | null;
}

/** What came of a comparison with the ERP's own list. */
export interface ReportRow {
  readonly id: string;
  /** That it was compared with. */
  readonly file_id: string;
  readonly feed: string;
  /** It was the last file of the feed itself. */
  readonly own: boolean;
  readonly state: string;
  readonly drift: number | null;
  readonly records: number | null;
  readonly snapshot_rows: number | null;
  readonly created_ms: number;
  readonly compared_ms: number | null;
  readonly healed_ms: number | null;
  readonly decided_by: string | null;
  readonly healing_file_id: string | null;
  readonly rows: readonly { readonly kind: string; readonly key: string; readonly reason: string | null }[];
}

export interface ReplayRow {
  readonly id: string;
  readonly state: string;
  readonly shadow: boolean;
}

/** A delivery of a replay. */
export interface ItemRow {
  readonly replay_id: string;
  readonly delivery_id: string;
  readonly state: string;
  readonly reason: string | null;
}

/** A decision that the gate asked for. */
export interface HoldRow {
  readonly id: string;
  readonly file_id: string;
  readonly later: "wait" | "supersede";
  /** What was to happen. */
  readonly facts: { readonly inserted?: number; readonly changed?: number; readonly retired: number };
  readonly tripped: readonly {
    readonly check: string;
    readonly field?: string;
    readonly evidence: { readonly found: number };
  }[];
  readonly held_ms: number;
  readonly expires_ms: number;
  readonly decision: string | null;
  readonly decided_ms: number | null;
  readonly decided_by: string | null;
}

/** A mail to a person. */
export interface MailRow {
  readonly key: string;
  readonly recipient: string;
  readonly file_id: string | null;
  readonly created_ms: number;
}

/** What planning or applying a file noted for it and for others. */
export interface TraceRow {
  readonly file_id: string;
  readonly what: string;
}

export interface RecordRow {
  readonly feed: string;
  readonly key: string;
  readonly data: Said;
  readonly version: number;
  readonly status: string;
}

export interface ChangeRow {
  readonly feed: string;
  readonly key: string;
  readonly file_id: string;
  readonly version: number;
  readonly created_ms: number;
  readonly kind: string;
  readonly before: Said | null;
  readonly after: Said | null;
}

export interface LetterRow {
  readonly id: string;
  readonly stage: string;
  readonly attempts: number;
  readonly correlation_id: string | null;
  readonly state: string;
  readonly code: string;
  readonly sentence: string;
}

/** An object of the archive, by what lies beside its bytes. */
export interface ArchivedRow {
  readonly id: string;
  readonly message_id: string;
}

export interface Tables {
  readonly archive: readonly ArchivedRow[];
  readonly deliveries: readonly DeliveryRow[];
  readonly files: readonly FileRow[];
  readonly made: readonly MadeRow[];
  readonly reports: readonly ReportRow[];
  readonly records: readonly RecordRow[];
  readonly changes: readonly ChangeRow[];
  readonly letters: readonly LetterRow[];
  readonly holds: readonly HoldRow[];
  readonly mails: readonly MailRow[];
  readonly replays: readonly ReplayRow[];
  readonly items: readonly ItemRow[];
  /** Of files that are held or rejected, and of those that only ask. */
  readonly traces: readonly TraceRow[];
}

const MS = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`;
const FEED = "c.slug || '/' || f.slug AS feed";

const FILES = `SELECT x.id::text, x.delivery_id, ${FEED}, x.path, x.state, x.failure->>'code' AS code, ${MS("x.as_of")} AS as_of_ms,
    ${MS("x.received_at")} AS received_ms, ${MS("x.apply_started_at")} AS started_ms, ${MS("x.applied_at")} AS applied_ms, x.position,
    x.lines, x.accepted, x.rejected, x.inserted, x.changed, x.unchanged, x.stale, x.superseded, x.retired, x.records_before,
    ARRAY(SELECT DISTINCT r.line FROM rejects r WHERE r.file_id = x.id ORDER BY 1) AS reject_lines, x.cause, x.compare_only,
    x.replay_id::text
  FROM files x JOIN feeds f ON f.id = x.feed_id JOIN customers c ON c.id = x.customer_id`;

export async function tablesIn(engine: Engine, storage: FakeStorage): Promise<Tables> {
  const archive = [...storage.objects.values()].flatMap(({ metadata }) => {
    if (metadata.facts === undefined) return [];
    const { id, messageId } = JSON.parse(metadata.facts);
    return [{ id, message_id: messageId }];
  });
  const deliveries = await engine.rows<Omit<DeliveryRow, "message_id">>(
    "SELECT id, state, failure->>'code' AS code FROM deliveries ORDER BY id",
  );
  return {
    archive,
    deliveries: deliveries.map((row) => ({
      ...row,
      message_id: archive.find(({ id }) => id === row.id)?.message_id ?? "not in the archive",
    })),
    files: await engine.rows<FileRow>(`${FILES} WHERE x.cause = 'delivery' ORDER BY x.order_key, x.id`),
    made: await engine.rows<MadeRow>(`${FILES} WHERE x.cause <> 'delivery' ORDER BY x.order_key, x.id`),
    reports: await engine.rows<ReportRow>(
      `SELECT d.id::text, d.file_id::text, ${FEED}, d.feed_id = d.snapshot_feed_id AS own, d.state, d.drift, d.records, d.snapshot_rows,
         ${MS("d.created_at")} AS created_ms, ${MS("d.compared_at")} AS compared_ms, ${MS("d.healed_at")} AS healed_ms, d.decided_by,
         d.healing_file_id::text, coalesce((SELECT jsonb_agg(jsonb_build_object('kind', r.kind, 'key', r.natural_key,
           'reason', r.explanation->>'reason') ORDER BY r.n) FROM drift_rows r WHERE r.report_id = d.id), '[]') AS rows
       FROM drift_reports d JOIN feeds f ON f.id = d.feed_id JOIN customers c ON c.id = d.customer_id ORDER BY d.id`,
    ),
    records: await engine.rows<RecordRow>(
      `SELECT ${FEED}, r.natural_key AS key, r.data, r.version, r.status
       FROM records r JOIN feeds f ON f.id = r.feed_id JOIN customers c ON c.id = r.customer_id ORDER BY r.id`,
    ),
    changes: await engine.rows<ChangeRow>(
      `SELECT ${FEED}, x.natural_key AS key, x.file_id::text, x.version, ${MS("x.created_at")} AS created_ms,
         x.kind::text, x.before, x.after
       FROM changes x JOIN feeds f ON f.id = x.feed_id JOIN customers c ON c.id = x.customer_id
       ORDER BY x.feed_id, x.natural_key, x.version, x.id`,
    ),
    letters: await engine.rows<LetterRow>(
      `SELECT id::text, stage, attempts, correlation_id, state, failure->>'code' AS code, failure->>'sentence' AS sentence
       FROM dead_letters ORDER BY id`,
    ),
    holds: await engine.rows<HoldRow>(
      `SELECT id::text, file_id::text, later, facts, tripped, ${MS("held_at")} AS held_ms, ${MS("expires_at")} AS expires_ms, decision,
         ${MS("decided_at")} AS decided_ms, decided_by FROM holds ORDER BY holds.id`,
    ),
    mails: await engine.rows<MailRow>(
      `SELECT key, recipient, file_id::text, ${MS("created_at")} AS created_ms FROM notifications ORDER BY id`,
    ),
    traces: await engine.rows<TraceRow>(
      `SELECT t.file_id::text, t.what FROM (SELECT DISTINCT file_id, 'seen' AS what FROM seen UNION ALL SELECT DISTINCT file_id, 'ledger' FROM ledger) t
       JOIN files x ON x.id = t.file_id WHERE x.state IN ('held', 'rejected') OR (x.compare_only AND x.state <> 'dead') ORDER BY t.file_id, t.what`,
    ),
    replays: await engine.rows<ReplayRow>("SELECT id::text, state, shadow FROM replays ORDER BY replays.id"),
    items: await engine.rows<ItemRow>(
      "SELECT replay_id::text, delivery_id, state, reason FROM replay_items ORDER BY replay_items.replay_id, delivery_id",
    ),
  };
}

/** Deliveries and files that are still on their way. A file waits with its delivery where that is dead. */
export async function openIn(engine: Engine): Promise<string[]> {
  const rows = await engine.rows<{ what: string }>(
    `SELECT 'delivery ' || id || ' is ' || state AS what FROM deliveries WHERE state IN ('new', 'parsing')
     UNION ALL SELECT 'file ' || x.id || ' of ' || d.id || ' is ' || x.state FROM files x JOIN deliveries d ON d.id = x.delivery_id
       WHERE x.state IN ('parsed', 'applying') OR (x.state IN ('new', 'parsing') AND d.state <> 'dead')
     UNION ALL SELECT 'drift report ' || id || ' is ' || state FROM drift_reports WHERE state IN ('open', 'healing', 'released')
     UNION ALL SELECT 'replay ' || id || ' is ' || state FROM replays WHERE state IN ('collecting', 'running') ORDER BY 1`,
  );
  return rows.map(({ what }) => what);
}

/** Whether the gate holds a file about which nobody has decided. */
export const isHeld = async (engine: Engine): Promise<boolean> =>
  (await engine.rows("SELECT FROM holds WHERE decision IS NULL LIMIT 1")).length > 0;
